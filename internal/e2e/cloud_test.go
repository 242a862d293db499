package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

// twoRegions is the cloud topology with vbrd running on some of its hosts.
type twoRegions struct {
	*topo.Cloud
	t *testing.T
}

// newTwoRegions starts vbrd on hosts, gives each its resources and waits for the sessions.
func newTwoRegions(t *testing.T, hosts func(*topo.Cloud) []*topo.Host) *twoRegions {
	t.Helper()
	c := &twoRegions{topo.NewCloud(lab.New(t)), t}
	running := hosts(c.Cloud)
	for _, h := range c.Hosts() {
		out, err := h.Check(binary(t), c.Resources)
		if err != nil || !strings.HasPrefix(out, "ok: ") {
			t.Errorf("%s: vbrd --check: %v %s", h.Name, err, out)
		}
	}
	for _, h := range running {
		h.Start(binary(t))
	}
	if out, err := c.Edge2.Ctl("apply", "-f", c.Resources); err != nil {
		t.Fatalf("apply: %v %s", err, out)
	}
	lab.Eventually(t, 40*time.Second, "all sessions up", func() error { return c.Sessions(running...) })
	return c
}

func edges(c *topo.Cloud) []*topo.Host { return []*topo.Host{c.Edge1, c.Edge2} }

func all(c *topo.Cloud) []*topo.Host { return c.Hosts() }

// TestTwoRegions is the cloud topology whole.
func TestTwoRegions(t *testing.T) {
	c := newTwoRegions(t, all)
	a, b, far := c.VPCs["vpc-acme-a"], c.VPCs["vpc-acme-b"], c.VPCs["vpc-acme-c"]
	for name, pair := range map[string]topo.Pair{"IDC to VPC": c.IDCWith(a), "IDC to FRR's VPC": c.IDCWithFRR(), "VPC to VPC": topo.Between(a, b), "VPC to VPC across regions": topo.Between(a, far)} {
		lab.Eventually(t, 20*time.Second, name, pair.Ping)
	}
	for _, prefix := range []string{topo.IDCPrefix4, topo.IDCPrefix6, topo.IDCPrefix4B, topo.IDCPrefix6B} {
		lab.Eventually(t, 10*time.Second, "both lines", func() error { return c.GW1.Hops(a.Router, prefix, 2) })
	}
	t.Run("no transit", func(t *testing.T) {
		for name, pair := range map[string]topo.Pair{"IDC to a VPC behind a VPC": c.IDCWith(b), "VPC to VPC through a VPC": topo.Between(b, far)} {
			if err := pair.Silent(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := c.FRRGateway.GatewayHas("10.1.0.0/16"); err == nil {
			t.Error("a VPC behind the same VBR was told of another")
		}
	})
	t.Run("one store", c.testOneStore)
	t.Run("accept", c.testAccept)
	t.Run("line cut", func(t *testing.T) { c.testCut(t, a) })
	t.Run("a reflector goes", func(t *testing.T) {
		c.survives(t, func() { c.Reflectors[0].Kill() }, c.IDCWith(a), topo.Between(a, far))
	})
}

// testOneStore: every host knows all resources and runs its own; a drill knows of redundancy on another host, and of none.
func (c *twoRegions) testOneStore(t *testing.T) {
	for _, tt := range []struct {
		host     *topo.Host
		line     string
		has, not string
	}{
		{c.GW1, "show routers", "vpc-beta", "vbr-acme-1"},
		{c.GW2, "get vbr", "vbr-acme-2", ""},
		{c.Edge2, "usage", "ri-vbr2-a", "ri-vbr1-a"},
		{c.Edge2, "show router vbr-acme-2", "ha-acme, sharing", ""},
		{c.Edge1, "drill start --router vbr-acme-1 --dry-run", "could be taken out: 12 routes are told to the VPC side, all of them by the host with VTEP 198.51.100.1", ""},
		{c.Edge2, "drill start --router vbr-acme-2 --dry-run", "could be taken out: 12 routes are told to the VPC side, all of them by the host with VTEP 192.0.2.1", ""},
	} {
		out, err := tt.host.Ctl(strings.Fields(tt.line)...)
		if err != nil || !strings.Contains(out, tt.has) || tt.not != "" && strings.Contains(out, tt.not) {
			t.Errorf("%s: %s: %v\n%s", tt.host.Name, tt.line, err, out)
		}
	}
	if _, err := c.GW1.Ctl("explain", topo.IDCPrefix4, "-r", "vbr-acme-1"); err == nil || !strings.Contains(err.Error(), "vbr-acme-1 is on host edge-1") {
		t.Errorf("another host's router: %v", err)
	}
}

// testAccept: nothing flows before the other account accepts, which nobody does for it, and nothing after it has gone back on it.
func (c *twoRegions) testAccept(t *testing.T) {
	a, beta := c.VPCs["vpc-acme-a"], c.VPCs["vpc-beta"]
	pair, file := topo.Between(a, beta), c.Lab.File("accept.yaml", topo.CloudResources("gw-1-accept"))
	before := c.GW1.InterfaceIs(a.Router, "ri-a-beta", "Connecting")
	if err := errors.Join(before, pair.Silent()); err != nil {
		t.Error(err)
	}
	for _, account := range []string{"acme", "carrier"} {
		if out, err := c.GW1.CtlAs(account, "apply", "-f", file); err == nil {
			t.Errorf("%s accepts for beta: %s", account, out)
		}
	}
	if out, err := c.GW1.CtlAs("beta", "apply", "-f", file); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	lab.Eventually(t, 10*time.Second, "pings", pair.Ping)
	for router, ri := range map[string]string{a.Router: "ri-a-beta", beta.Router: "ri-beta-a"} {
		lab.Eventually(t, 5*time.Second, ri, func() error { return c.GW1.InterfaceIs(router, ri, "Active") })
	}
	if out, err := c.GW1.CtlAs("beta", "delete", "ri", "ri-beta-a"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	lab.Eventually(t, 5*time.Second, "silence", pair.Silent)
	lab.Eventually(t, 5*time.Second, "the state after", func() error { return c.GW1.InterfaceIs(a.Router, "ri-a-beta", "Connecting") })
}

// testCut: carrier loss at both ends costs less than a second in either direction, and the return nothing.
func (c *twoRegions) testCut(t *testing.T, a *topo.VPC) {
	for line := range 2 {
		streams := c.IDCWith(a).Duplex(lab.StreamOptions{})
		time.Sleep(500 * time.Millisecond)
		c.Cut(line, topo.BothEnds, true)
		time.Sleep(3 * time.Second) // and no looking meanwhile: a process costs the VRF kernel's one processor more than a failover does
		err := c.GW1.Hops(a.Router, topo.IDCPrefix4, 1)
		for _, s := range streams {
			loss := s.Stop()
			if loss.Outage() >= time.Second {
				t.Errorf("line %d: %v", line+1, loss)
			}
			t.Logf("line %d: %v", line+1, loss)
		}
		if err != nil {
			t.Error(err)
		}
		edge, vbr := []*topo.Host{c.Edge2, c.Edge1}[line], []string{"vbr-acme-2", "vbr-acme-1"}[line]
		if _, err := edge.Ctl("drill", "start", "--router", vbr, "--dry-run"); err == nil || !strings.Contains(err.Error(), "would carry "+topo.IDCPrefix4) {
			t.Errorf("a drill of the line that carries all alone: %v", err)
		}
		c.survives(t, func() {
			c.Cut(line, topo.BothEnds, false)
			time.Sleep(5 * time.Second)
		}, c.IDCWith(a))
		lab.Eventually(t, 20*time.Second, "both lines", func() error { return c.GW1.Hops(a.Router, topo.IDCPrefix4, 2) })
	}
}

// survives demands that nothing is lost while something happens, and for two seconds more.
func (c *twoRegions) survives(t *testing.T, happens func(), pairs ...topo.Pair) {
	t.Helper()
	var streams []*lab.Duplex
	for _, p := range pairs {
		both := p.Duplex(lab.StreamOptions{})
		streams = append(streams, both[:]...)
	}
	time.Sleep(500 * time.Millisecond)
	happens()
	time.Sleep(2 * time.Second)
	for _, s := range streams {
		if loss := s.Stop(); loss.Lost() > 0 {
			t.Error(loss)
		}
	}
}

// TestCloudEdges is the cloud topology without its gateway hosts: FRR as reflectors and as gateway, FRR and BIRD as customers.
func TestCloudEdges(t *testing.T) {
	c := newTwoRegions(t, edges)
	way := c.IDCWithFRR()
	lab.Eventually(t, 20*time.Second, "pings between the data centre and the VPC behind FRR's gateway", way.Ping)
	t.Run("customers learn the VPC", func(t *testing.T) {
		if err := c.Acme.Lines[0].Router.Learned(topo.FRRPrefix4); err != nil { // the other has it from this one, over the LAN
			t.Error(err)
		}
		lab.Eventually(t, 5*time.Second, "BIRD's route", func() error { return c.Acme.Lines[1].Router.Learned(topo.FRRPrefix6) })
	})
	t.Run("a reflector goes", func(t *testing.T) { // not the one of FRR's gateway, which has one only
		c.survives(t, func() { c.Reflectors[1].Kill() }, c.IDCWithFRR())
	})
}
