package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

// liveWorld is a topology whose edge serves resources that change.
type liveWorld struct {
	*world
	applied int
}

// TestApply changes a running edge in every way there is. What is not concerned loses no packet and no session.
func TestApply(t *testing.T) {
	w := &liveWorld{world: &world{Topology: topo.FirstLight(lab.New(t), topo.Options{Reflector: true}), t: t}}
	self, err := filepath.Abs("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if self, err = os.Readlink(self); err != nil {
		t.Fatal(err)
	}
	w.remove("beta.yaml")
	w.resource(w.Acme, w.Acme.Lines[:1])
	w.vbrd = w.Edge.StartEnv([]string{changing + "=1"}, self, w.Resources, w.StateDir, topo.ReflectorIP)
	w.eventually(40*time.Second, "acme's pings", w.Acme.PingBoth)
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"another router", w.testRouterAdded}, {"another line", w.testLineAdded}, {"tunnel deleted by hand", w.testTunnelDeleted},
		{"line removed", w.testLineRemoved}, {"router interface changed", w.testInterfaceChanged}, {"VLAN handed over", w.testHandedOver},
		{"router removed", w.testRouterRemoved}, {"and back", w.testRouterBack},
	} {
		if !t.Run(step.name, step.run) {
			t.Logf("log:\n%s", w.vbrd.Log())
			return
		}
	}
}

func (w *liveWorld) remove(file string) {
	if err := os.Remove(filepath.Join(w.Resources, file)); err != nil {
		w.t.Fatal(err)
	}
}

// resource writes a customer's file with some of its lines and replacements, pairs of old and new.
func (w *liveWorld) resource(c *topo.Customer, lines []*topo.Line, pairs ...string) {
	part := *c
	part.Lines = lines
	text := part.Resource("")
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			w.t.Fatalf("no %q in\n%s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	w.Lab.File("resources.d/"+c.Name+".yaml", text)
}

// apply has the edge take in the resources, and returns what it has logged since.
func (w *liveWorld) apply() string {
	w.t.Helper()
	before := len(w.vbrd.Log())
	w.applied++
	w.vbrd.Signal(syscall.SIGHUP)
	done := fmt.Sprintf("msg=applied n=%d; err=<nil>", w.applied)
	w.eventually(30*time.Second, done, func() error {
		if !strings.Contains(w.vbrd.Log(), done) {
			return errors.New(w.vbrd.Log()[before:])
		}
		return nil
	})
	return w.vbrd.Log()[before:]
}

// undisturbed runs a change during which these customers lose no packet, and none of their sessions.
func (w *liveWorld) undisturbed(t *testing.T, customers []*topo.Customer, change func()) {
	t.Helper()
	before := len(w.vbrd.Log())
	pingers := make(map[string]*lab.Pinger)
	for _, c := range customers {
		pingers[c.Name+" VPC to IDC"] = c.Host.Pinger(topo.IDCHost4, lab.PingOptions{})
		pingers[c.Name+" VPC to IDC, IPv6"] = c.Host.Pinger(topo.IDCHost6, lab.PingOptions{})
		pingers[c.Name+" IDC to VPC"] = c.LAN.Pinger(topo.VPCHost4, lab.PingOptions{Source: topo.IDCHost4})
	}
	time.Sleep(500 * time.Millisecond)
	change()
	time.Sleep(500 * time.Millisecond)
	for name, p := range pingers {
		if stats := p.Stop(); stats.Lost() > 0 || stats.Received < 20 {
			t.Errorf("%s: %s", name, stats)
		}
	}
	for line := range strings.Lines(w.vbrd.Log()[before:]) {
		for _, c := range customers {
			if strings.Contains(line, "session down") && strings.Contains(line, "router=vbr-"+c.Name) && !strings.Contains(line, "removed from the configuration") {
				t.Errorf("a session of %s flapped: %s", c.Name, line)
			}
		}
	}
}

func (w *liveWorld) testRouterAdded(t *testing.T) {
	w.undisturbed(t, []*topo.Customer{w.Acme}, func() {
		w.resource(w.Beta, w.Beta.Lines)
		if log := w.apply(); !strings.Contains(log, "router vbr-beta is created with 1 line, 2 sessions and 1 router interface") {
			t.Errorf("plan:\n%s", log)
		}
		w.eventually(20*time.Second, "beta's pings", w.Beta.PingBoth)
	})
}

func (w *liveWorld) testLineAdded(t *testing.T) {
	w.undisturbed(t, w.customers(), func() {
		w.resource(w.Acme, w.Acme.Lines)
		w.apply()
		for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6} {
			w.eventually(20*time.Second, "both lines", w.wantNextHops(p, 2))
		}
	})
}

// testTunnelDeleted: a tunnel is made again, and no session notices; a line too, and none of another line does.
func (w *liveWorld) testTunnelDeleted(t *testing.T) {
	for device, spared := range map[string]string{"vx5001": "router=vbr-acme", "eth1.101": "router=vbr-acme peer=10.0.0.2 "} {
		w.undisturbed(t, []*topo.Customer{w.Beta}, func() {
			before := len(w.vbrd.Log())
			began := time.Now()
			w.Edge.IP("link del " + device)
			t.Logf("%s deleted in %v", device, time.Since(began))
			took := w.eventually(20*time.Second, device+" again", func() error {
				_, err := w.Edge.Run("ip", "link", "show", device)
				return err
			})
			took += w.eventually(20*time.Second, "acme's pings", w.Acme.PingBoth)
			t.Logf("pings work %v after", took)
			for line := range strings.Lines(w.vbrd.Log()[before:]) {
				if strings.Contains(line, "session down") && strings.Contains(line, spared) {
					t.Errorf("a session flapped: %s", line)
				}
			}
		})
	}
	for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6} {
		w.eventually(30*time.Second, "both lines", w.wantNextHops(p, 2))
	}
}

func (w *liveWorld) testLineRemoved(t *testing.T) {
	w.undisturbed(t, w.customers(), func() {
		w.resource(w.Acme, w.Acme.Lines[:1])
		if log := w.apply(); !strings.Contains(log, "line eth1.101 (10.0.0.5/30, fd00::5/126) is deleted") {
			t.Errorf("plan:\n%s", log)
		}
		if links := w.Edge.MustRun("ip", "link"); strings.Contains(links, "eth1.101") {
			t.Errorf("the line's device stays:\n%s", links)
		}
		if n := w.nextHops(topo.IDCPrefix4); n != 1 {
			t.Errorf("%d next hops", n)
		}
	})
}

// testInterfaceChanged: another VNI or route target parts the VPC from its router; back again, all is as before.
func (w *liveWorld) testInterfaceChanged(t *testing.T) {
	for _, change := range [][]string{{"vni: 5001", "vni: 5003"}, {"route_target: \"64600:5001\"", "route_target: \"64600:9999\""}} {
		w.undisturbed(t, []*topo.Customer{w.Beta}, func() {
			before := len(w.vbrd.Log())
			w.resource(w.Acme, w.Acme.Lines[:1], change...)
			w.apply()
			if err := absent(w.kernelHas(w.Acme, topo.VPCPrefix4)); err != nil {
				t.Errorf("the VPC's prefix after %v: %v", change, err)
			}
			if strings.Contains(change[0], "route_target") { // FRR takes in routes of another VNI
				w.eventually(10*time.Second, "the gateway loses the customer", func() error { return absent(w.Acme.GatewayHas(topo.IDCPrefix4)) })
			}
			links := w.Edge.MustRun("ip", "link")
			if strings.Contains(change[0], "vni") && (strings.Contains(links, "vx5001") || !strings.Contains(links, "vx5003")) {
				t.Errorf("tunnels:\n%s", links)
			}
			w.resource(w.Acme, w.Acme.Lines[:1])
			w.apply()
			// FRR 8.4 may have lost the tunnel's neighbour entry, now that every type-5 route over it has changed twice.
			if _, err := w.Acme.FRR.Vtysh("clear bgp *"); err != nil {
				t.Error(err)
			}
			w.eventually(60*time.Second, "acme's pings", w.Acme.PingBoth)
			if strings.Contains(w.vbrd.Log()[before:], "session down") {
				t.Errorf("a session flapped:\n%s", w.vbrd.Log()[before:])
			}
		})
	}
}

// testHandedOver: a VLAN and a router interface go from one router to another in one Apply.
func (w *liveWorld) testHandedOver(t *testing.T) {
	acme, beta := *w.Acme, *w.Beta
	acme.Lines = acme.Lines[:1]
	swapped := strings.NewReplacer("vbr-acme", "vbr-beta", "vbr-beta", "vbr-acme")
	w.Lab.File("resources.d/acme.yaml", swapped.Replace(acme.Resource("")))
	w.Lab.File("resources.d/beta.yaml", swapped.Replace(beta.Resource("")))
	w.apply()
	for _, c := range w.customers() {
		w.eventually(30*time.Second, c.Name+"'s pings in the other's router", c.PingBoth)
	}
	if vlan := w.Edge.MustRun("ip", "link", "show", "eth1.200"); !strings.Contains(vlan, "master vbr-acme") {
		t.Errorf("%s", vlan)
	}
	w.resource(w.Acme, w.Acme.Lines[:1])
	w.resource(w.Beta, w.Beta.Lines)
	w.apply()
	for _, c := range w.customers() {
		w.eventually(30*time.Second, c.Name+"'s pings", c.PingBoth)
	}
}

// testRouterRemoved: nothing of it is left, but what was not ours; its neighbours were told, and its own neighbour does not notice.
func (w *liveWorld) testRouterRemoved(t *testing.T) {
	w.Edge.IP("route add blackhole 198.51.100.0/24 table 10000 proto static metric 179")
	w.undisturbed(t, []*topo.Customer{w.Beta}, func() {
		w.remove("acme.yaml")
		w.apply()
		links := w.Edge.MustRun("ip", "link")
		for _, gone := range []string{"vbr-acme", "eth1.100", "vx5001"} {
			if strings.Contains(links, gone) {
				t.Errorf("%s is left:\n%s", gone, links)
			}
		}
		table := w.Edge.MustRun("ip", "route", "show", "table", "10000") + w.Edge.MustRun("ip", "-6", "route", "show", "table", "10000")
		if strings.TrimSpace(table) != "blackhole 198.51.100.0/24 proto static metric 179" {
			t.Errorf("its table: %q", table)
		}
		w.eventually(5*time.Second, "the gateway loses the customer", func() error { return absent(w.Acme.GatewayHas(topo.IDCPrefix4)) })
		w.eventually(5*time.Second, "the customer loses the VPC", func() error { return absent(w.Acme.Lines[0].Router.Learned(topo.VPCPrefix4)) })
	})
	w.Edge.IP("route del blackhole 198.51.100.0/24 table 10000 metric 179")
}

func (w *liveWorld) testRouterBack(t *testing.T) {
	w.undisturbed(t, []*topo.Customer{w.Beta}, func() {
		w.resource(w.Acme, w.Acme.Lines)
		w.apply()
		w.eventually(30*time.Second, "acme's pings", w.Acme.PingBoth)
	})
	if err := w.kernelHas(w.Acme, topo.IDCPrefix4); err != nil {
		t.Errorf("its table is not the free one: %v", err)
	}
}
