package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

// TestHostFaults: what happens to a host under a running vbrd, what it costs and that it heals: docs/operations.md has the table. Of acme's faults beta
// notices nothing.
func TestHostFaults(t *testing.T) {
	w := &world{Topology: topo.FirstLight(lab.New(t), topo.Options{}), t: t}
	w.slowBeta()
	w.vbrd = w.StartVbrd(binary(t))
	w.WaitBGP(60 * time.Second)
	for _, c := range w.customers() {
		lab.Eventually(t, 30*time.Second, c.Name+"'s pings", c.PingBoth)
	}
	t.Run("renamed", w.testRenamed)
	t.Run("ifindex reused", w.testIndexReused)
	t.Run("port flaps", w.testFlaps)
	t.Run("clock steps", w.testClockSteps)
	t.Run("stopped", w.testStopped)
}

// slowBeta gives beta's session, its gateway's and the backbone's a hold time of 30 s; acme's is 9 s.
func (w *world) slowBeta() {
	w.t.Helper()
	for _, file := range []string{w.Config, w.Resources + "/beta.yaml"} {
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "hold: 9, keepalive: 3", "hold: 30, keepalive: 10")), 0o644)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	for _, set := range []struct {
		frr   *lab.FRR
		lines []string
	}{
		{w.Beta.Lines[0].Router.FRR, []string{"router bgp 65002", "neighbor 10.0.0.1 timers 10 30", "neighbor fd00::1 timers 10 30"}},
		{w.Beta.FRR, []string{fmt.Sprint("router bgp ", topo.BackboneASN), "neighbor " + topo.EdgeVTEP + " timers 10 30"}},
	} {
		if err := set.frr.Configure(set.lines...); err != nil {
			w.t.Fatal(err)
		}
	}
}

// meanwhile runs f and fails when beta loses a packet or a session.
func (w *world) meanwhile(t *testing.T, f func()) {
	t.Helper()
	p := w.Beta.Host.Pinger(topo.IDCHost4, lab.PingOptions{})
	downs := w.downs("vbr-beta")
	f()
	if stats := p.Stop(); stats.Lost() > 0 {
		t.Errorf("beta's pings: %s", stats)
	}
	if n := w.downs("vbr-beta"); n > downs {
		t.Errorf("beta lost %d sessions", n-downs)
	}
}

// downs counts the sessions that a router lost, as its log has it.
func (w *world) downs(router string) (count int) {
	for line := range strings.Lines(w.vbrd.Log()) {
		if strings.Contains(line, "session down") && strings.Contains(line, "router="+router) {
			count++
		}
	}
	return count
}

// healed waits until all that acme has works and says how long it took.
func (w *world) healed(t *testing.T, what string) {
	t.Helper()
	took := w.eventually(60*time.Second, "acme's pings after "+what, w.Acme.PingBoth)
	w.eventually(60*time.Second, "both lines after "+what, w.wantNextHops(topo.IDCPrefix4, 2))
	t.Logf("%s: acme serves after %v", what, took.Round(100*time.Millisecond))
}

// testRenamed: a device of ours under another name is made anew.
func (w *world) testRenamed(t *testing.T) {
	w.meanwhile(t, func() {
		for _, device := range []string{"vx5001", "eth1.100", "vbr-acme"} {
			rename := strings.ReplaceAll("link set DEV down\nlink set DEV name renamed\nlink set renamed up\n", "DEV", device)
			w.eventually(20*time.Second, device+" renamed", func() error { // vbrd may have it up again in between, and what is up keeps its name
				_, err := w.Edge.RunInput(rename, "ip", "-batch", "-")
				return err
			})
			w.eventually(20*time.Second, device+" is there again", func() error {
				if links := w.devices(); !strings.Contains(links, device+" ") && !strings.Contains(links, device+"@") || strings.Contains(links, "renamed") {
					return fmt.Errorf("there is\n%s", links)
				}
				return nil
			})
			w.healed(t, device+" renamed")
		}
	})
}

// testIndexReused: another device with the index that ours had, and one that looks as ours did, carry none of its routes.
func (w *world) testIndexReused(t *testing.T) {
	w.meanwhile(t, func() {
		for _, device := range []string{"vx5001", "eth1.100"} {
			index := w.index(t, device)
			w.Edge.IP("link del "+device, fmt.Sprintf("link add thief index %d type dummy", index), "link set thief up")
			w.healed(t, device+" deleted, its index taken by another device")
			if n := w.index(t, device); n == index {
				t.Errorf("%s has index %d, as thief", device, n)
			}
			if hops, err := w.Edge.NextHops(topo.IDCPrefix4, "vrf vbr-acme"); err != nil || strings.Contains(fmt.Sprint(hops), "thief") {
				t.Errorf("next hops %q, %v", hops, err)
			}
			w.Edge.IP("link del thief")
		}
		index := w.index(t, "eth1.100")
		theirs := fmt.Sprintf("link del eth1.100\nlink add link eth1 name eth1.100 index %d group 8686 type vlan id 100\n", index)
		w.eventually(20*time.Second, "eth1.100 is another's", func() error { // vbrd may be the quicker one
			_, err := w.Edge.RunInput(theirs, "ip", "-batch", "-")
			return err
		})
		w.healed(t, "eth1.100 made anew by somebody, with its index")
	})
}

func (w *world) index(t *testing.T, device string) (index int) {
	t.Helper()
	var links []struct{ Ifindex int }
	if err := w.Edge.JSON(&links, "ip", "-j", "link", "show", device); err != nil || len(links) != 1 {
		t.Fatalf("%s: %v, %v", device, links, err)
	}
	return links[0].Ifindex
}

// testFlaps: a port that loses its carrier five times a second for a while; when it ends, all works.
func (w *world) testFlaps(t *testing.T) {
	before := len(w.vbrd.Log())
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		w.Port.Link("edge", false)
		time.Sleep(100 * time.Millisecond)
		w.Port.Link("edge", true)
		time.Sleep(100 * time.Millisecond)
	}
	w.healed(t, "the port flapped")
	w.eventually(30*time.Second, "beta's pings", w.Beta.PingBoth)
	t.Logf("%d lines in the log", strings.Count(w.vbrd.Log()[before:], "\n"))
	w.eventually(30*time.Second, "all sessions", w.Sessions)
}

// testClockSteps: nothing happens when the clock jumps, either way. Natively the clock is everybody's, and stays alone.
func (w *world) testClockSteps(t *testing.T) {
	if cpu, err := os.ReadFile("/proc/cpuinfo"); err != nil || !strings.Contains(string(cpu), "User Mode Linux") {
		t.Log("the clock is not this machine's own: not stepped")
		return
	}
	downs := w.downs("vbr-acme")
	acme := w.Acme.Host.Pinger(topo.IDCHost4, lab.PingOptions{})
	w.meanwhile(t, func() {
		for _, step := range []time.Duration{time.Hour, -2 * time.Hour, time.Hour} {
			if err := stepClock(step); err != nil {
				t.Fatal(err)
			}
			time.Sleep(12 * time.Second) // longer than acme's hold time
			if err := w.Sessions(); err != nil {
				t.Errorf("after %v: %v", step, err)
			}
			if err := w.Acme.PingBoth(); err != nil {
				t.Errorf("after %v: %v", step, err)
			}
			if out, err := w.Vbrctl(binary(t), "show", "host"); err != nil {
				t.Errorf("after %v: %v: %s", step, err, out)
			}
		}
	})
	if stats := acme.Stop(); stats.Lost() > 0 {
		t.Errorf("acme's pings: %s", stats)
	}
	if n := w.downs("vbr-acme"); n > downs {
		t.Errorf("acme lost %d sessions", n-downs)
	}
	for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6} {
		if err := w.kernelHas(w.Acme, p); err != nil {
			t.Error(err)
		}
	}
}

func stepClock(by time.Duration) error {
	to := syscall.NsecToTimeval(time.Now().Add(by).UnixNano())
	return syscall.Settimeofday(&to)
}

// testStopped: vbrd stands still for 20 s, as when a machine is suspended or a debugger holds it. Sessions with a hold time of 9 s end at the other
// side and come back; with 30 s nobody notices. Packets go on.
func (w *world) testStopped(t *testing.T) {
	downs := w.downs("vbr-acme")
	w.meanwhile(t, func() {
		w.vbrd.Signal(syscall.SIGSTOP)
		time.Sleep(20 * time.Second)
		if err := w.Acme.Lines[0].Router.Established(); err == nil {
			t.Error("acme's session is still up")
		}
		if err := w.Beta.Lines[0].Router.Established(); err != nil {
			t.Errorf("beta's: %v", err)
		}
		w.vbrd.Signal(syscall.SIGCONT)
		began := time.Now()
		w.eventually(40*time.Second, "all sessions", w.Sessions)
		w.healed(t, "stopped for 20 s")
		t.Logf("all sessions and packets %v after SIGCONT", time.Since(began).Round(100*time.Millisecond))
		time.Sleep(5 * time.Second)
	})
	if w.downs("vbr-acme") == downs {
		t.Error("vbrd says nothing of acme's sessions that ended")
	}
	if !w.vbrd.Running() {
		t.Error("vbrd has ended")
	}
}
