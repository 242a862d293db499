package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

// TestTrouble: what vbrd refuses, and whom, and what it leaves alone; the others are served.
func TestTrouble(t *testing.T) {
	w := &world{Topology: topo.FirstLight(lab.New(t), topo.Options{}), t: t}
	t.Run("missing capability", w.testMissingCapability)
	t.Run("bad resources", w.testBadResources)
	t.Run("clash", w.testClash)
	if !t.Failed() {
		t.Run("strangers", w.testStrangers)
	}
}

// says is nil when one line of vbrd's log holds all the words.
func (w *world) says(words ...string) func() error {
	return func() error {
		for line := range strings.Lines(w.vbrd.Log()) {
			found := true
			for _, word := range words {
				found = found && strings.Contains(line, word)
			}
			if found {
				return nil
			}
		}
		return fmt.Errorf("no line of vbrd's log has %q", words)
	}
}

// foreignMetric is vbrd's metric on a route of somebody else.
const foreignMetric = "blackhole " + topo.IDCPrefix4B + " table 10001 proto static metric 179"

// testClash starts vbrd where others are in its way: what is not ours stays as it is, the router that wants its place says so, the others work, and when the place is free, the router takes it.
func (w *world) testClash(t *testing.T) {
	w.Edge.IP("link add vbr-acme type dummy", "addr add 198.51.100.1/24 dev vbr-acme", "link set vbr-acme up", "route add "+foreignMetric)
	look := func() string {
		return w.Edge.MustRun("ip", "-d", "link", "show", "vbr-acme") + w.Edge.MustRun("ip", "-4", "addr", "show", "vbr-acme") +
			w.Edge.MustRun("ip", "route", "show", "table", "10001", "proto", "static")
	}
	before := look()
	w.vbrd = w.StartVbrd(binary(t))

	w.eventually(10*time.Second, "acme reported", w.says("router degraded", "router=vbr-acme", "a device named vbr-acme exists", "is not ours"))
	for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6} {
		w.eventually(40*time.Second, "beta: "+p, func() error { return w.kernelHas(w.Beta, p) })
	}
	w.eventually(20*time.Second, "beta's pings", w.Beta.PingBoth)
	w.eventually(10*time.Second, "the route reported", w.says("router degraded", "router=vbr-beta", "the kernel refuses 1 routes", topo.IDCPrefix4B))
	w.eventually(10*time.Second, "beta's other routes at its gateway", func() error { return w.Beta.GatewayHas(topo.IDCPrefix6B) })
	if w.Beta.GatewayHas(topo.IDCPrefix4B) == nil {
		t.Errorf("the VPC hears of %s, which the kernel does not hold", topo.IDCPrefix4B)
	}
	if w.kernelHas(w.Beta, topo.IDCPrefix4B) == nil {
		t.Errorf("a route of ours stands beside the foreign one")
	}
	if after := look(); after != before {
		t.Errorf("the foreign device and route changed: before\n%safter\n%s", before, after)
	}

	w.Edge.IP("link del vbr-acme")
	took := w.eventually(40*time.Second, "acme's pings once its name is free", w.Acme.PingBoth)
	t.Logf("acme serves %v after the foreign device went", took.Round(time.Millisecond))
	w.eventually(time.Second, "acme recovered", w.says("router recovered", "router=vbr-acme"))
	w.Edge.IP("route del " + foreignMetric)
	took = w.eventually(70*time.Second, "beta's route once its place is free", func() error { return w.kernelHas(w.Beta, topo.IDCPrefix4B) })
	t.Logf("beta's route is in the kernel %v after the foreign one went", took.Round(time.Millisecond))
	w.eventually(5*time.Second, "and at its gateway", func() error { return w.Beta.GatewayHas(topo.IDCPrefix4B) })
}
