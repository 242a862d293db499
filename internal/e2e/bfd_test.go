package e2e

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

const (
	// withinBFD is the failover's limit with fast x 3.
	withinBFD = time.Second
	fast      = 100
	// steady is for what is not about speed: failed after 1.5 s, which an outage of vbrd has to outlast.
	steady = 500
	// calm is the longest stall of the machine with which a failed failover counts, and tries how often it is tried.
	calm  = 100 * time.Millisecond
	tries = 5
)

// newBFDWorld is a world whose acme is watched over, steady x 3, with BFD up at both ends.
func newBFDWorld(t *testing.T, o topo.Options) *world {
	t.Helper()
	o.Reflector, o.BFD.Interval, o.BFD.Only = true, steady, "acme"
	w := newWorld(t, o)
	w.waitBFD(t)
	return w
}

// waitBFD waits until BFD is up, and both lines of acme are in use.
func (w *world) waitBFD(t *testing.T) {
	t.Helper()
	for _, ln := range w.Acme.Lines {
		w.eventually(20*time.Second, "BFD up", ln.Router.BFDUp)
	}
	for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6} {
		w.eventually(20*time.Second, "two next hops", w.wantNextHops(p, 2))
	}
	w.eventually(20*time.Second, "vbrd says so", func() error {
		out, err := w.Vbrctl(binary(t), "show", "bfd", "-r", "vbr-acme")
		if err != nil || strings.Count(out, " up ") != 4 {
			return fmt.Errorf("%s: %w", out, err)
		}
		return nil
	})
}

// TestBFD has FRR at the customers, and a customer whose line fails without a sign of it.
func TestBFD(t *testing.T) {
	w := newBFDWorld(t, topo.Options{})
	t.Run("shown", w.testBFDShown)
	t.Run("admin down", w.testBFDAdminDown)
	t.Run("changed live", w.testBFDChanged)
	t.Run("strict", w.testBFDStrict)
	t.Run("term", w.testTermAndAdopt)
	w.waitBFD(t)
	t.Run("kill", w.testBFDKill)
}

// testBFDKill: FRR's BFD fails while vbrd is dead, and FRR keeps the routes that it holds by graceful restart.
func (w *world) testBFDKill(t *testing.T) {
	downs := func() int {
		var peers []struct {
			Peer string `json:"peer"`
			Down int    `json:"session-down"`
		}
		if err := w.Acme.Lines[0].Router.FRR.VtyshJSON(&peers, "show bfd peers counters json"); err != nil {
			t.Fatal(err)
		}
		for _, p := range peers {
			if p.Peer == "10.0.0.1" {
				return p.Down
			}
		}
		t.Fatalf("no session with us: %+v", peers)
		return 0
	}
	before := downs()
	w.testKillAndAdopt(t)
	if after := downs(); after == before {
		t.Errorf("FRR saw no failure by BFD: %d", after)
	}
}

// TestBFDFailover measures with FRR at the customers.
func TestBFDFailover(t *testing.T) {
	w := newBFDWorld(t, topo.Options{})
	t.Run("blackhole", w.testBlackhole)
}

// TestBFDControlPlane is FRR with "bfd check-control-plane-failure".
func TestBFDControlPlane(t *testing.T) {
	w := newBFDWorld(t, topo.Options{BFD: topo.BFD{ControlPlane: true}})
	t.Run("kill", w.testKillAndAdopt)
	w.waitBFD(t)
	t.Run("term", w.testTermAndAdopt)
	w.waitBFD(t)
	t.Run("deaf", w.testDeaf)
}

// testDeaf is why that setting is not recommended: without the C bit, which a daemon that speaks BGP and BFD in one process may not set, FRR
// takes every failure for a restart.
func (w *world) testDeaf(t *testing.T) {
	w.Cut(w.Acme.Lines[0])
	w.eventually(5*time.Second, "we leave the line", w.wantNextHops(topo.IDCPrefix4, 1))
	time.Sleep(time.Second)
	if err := w.Acme.Lines[0].Router.FRR.Established("ipv4 unicast", "10.0.0.1"); err != nil {
		t.Errorf("FRR hears of BFD: %v", err)
	}
	w.Mend(w.Acme.Lines[0])
}

// TestBFDBIRD has BIRD at the customers.
func TestBFDBIRD(t *testing.T) {
	w := newBFDWorld(t, topo.Options{BIRD: true})
	t.Run("blackhole", w.testBlackhole)
}

func (w *world) testBFDShown(t *testing.T) {
	for _, args := range [][]string{{"show", "bfd", "-o", "wide"}, {"show", "sessions", "-o", "wide"}} {
		out, err := w.Vbrctl(binary(t), args...)
		if err != nil || !strings.Contains(out, "up 500/500ms x3") && !strings.Contains(out, "500ms  500ms  1500ms") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
		t.Logf("%v\n%s", args, out)
	}
}

// testBlackhole: a line that swallows everything, with its carrier up at both ends, is left within a second in both directions, and taken again.
func (w *world) testBlackhole(t *testing.T) {
	for try := range tries {
		f := w.blackhole(t)
		t.Logf("try %d: %+v", try+1, f)
		switch {
		case !f.flapped && f.gap <= withinBFD && f.detection <= withinBFD && f.lostOnReturn == 0:
			return
		case f.stall <= calm:
			t.Errorf("no packets for %v; from the last packet to the last route gone: %v; %d packets lost when the line came back",
				f.gap, f.detection, f.lostOnReturn)
			return
		}
	}
	t.Errorf("the machine stalled for more than %v in each of %d tries", calm, tries)
}

// failover is what a try measured; flapped: BFD failed by itself, before or where nothing was cut.
type failover struct {
	gap, detection time.Duration // without packets in any direction; from the last BFD packet to the last route gone
	lostOnReturn   int
	stall          time.Duration
	flapped        bool
}

func (w *world) blackhole(t *testing.T) (f failover) {
	w.waitBFD(t)
	w.setInterval(fast)
	capture := w.Edge.Capture("eth1.100", "udp port 3784 or udp port 4784")
	monitor := w.Edge.Start("ip", "-ts", "monitor", "route", "nexthop")
	pingers := w.pingAcme()
	w.eventually(10*time.Second, "300 ms", w.detects("300ms"))
	time.Sleep(500 * time.Millisecond)
	before, log := len(monitor.Log()), len(w.vbrd.Log())
	w.Cut(w.Acme.Lines[0])
	cut := time.Now()
	time.Sleep(3 * time.Second)
	f.gap, f.stall = w.stop(t, pingers)
	packets := capture.Stop()
	f.flapped = strings.Contains(w.vbrd.Log()[log:], "device=eth1.101 state=Down")
	changes := monitor.Log()[before:]
	monitor.Kill()
	heard := lastFrom(t, packets, "10.0.0.2")
	last := lastChange(t, changes, cut.Add(withinBFD+f.stall))
	f.detection, f.flapped = last.Sub(heard), f.flapped || last.IsZero()
	if out, err := w.Vbrctl(binary(t), "show", "sessions", "--peer", "10.0.0.2", "-r", "vbr-acme"); err != nil || !f.flapped && !strings.Contains(out, "BFD down: control detection time expired") {
		t.Errorf("%v:\n%s", err, out)
	}
	w.setInterval(steady)
	f.lostOnReturn = w.mended(t, &f.stall)
	return f
}

// stop ends pingers, and returns the longest time that one was without replies, and the machine's longest stall.
func (w *world) stop(t *testing.T, pingers map[string]*lab.Pinger) (gap, stall time.Duration) {
	for name, p := range pingers {
		s := p.Stop()
		t.Logf("%s: %s", name, s)
		gap, stall = max(gap, s.LongestGap), max(stall, s.LongestStall)
	}
	return gap, stall
}

// mended has the line come back, with its routes, and returns how many packets that costs.
func (w *world) mended(t *testing.T, stall *time.Duration) (lost int) {
	pingers := w.pingAcme()
	w.Mend(w.Acme.Lines[0])
	w.eventually(40*time.Second, "the sessions", w.Acme.Lines[0].Router.Established)
	w.waitBFD(t)
	time.Sleep(time.Second)
	for _, p := range pingers {
		s := p.Stop()
		lost += s.Lost()
		*stall = max(*stall, s.LongestStall)
	}
	return lost
}

// setInterval changes the interval of acme's BFD at both ends.
func (w *world) setInterval(interval int) {
	w.SetInterval(w.Acme, interval)
	w.vbrd.Signal(syscall.SIGHUP)
}

// detects is nil when all of acme's peers are failed after that time.
func (w *world) detects(detect string) func() error {
	return func() error {
		out, err := w.Vbrctl(binary(w.t), "show", "bfd", "-r", "vbr-acme")
		if err != nil || strings.Count(out, detect) != len(w.Acme.Lines)*2 {
			return fmt.Errorf("%s: %w", out, err)
		}
		return nil
	}
}

func (w *world) pingAcme() map[string]*lab.Pinger {
	return map[string]*lab.Pinger{
		"VPC to IDC, IPv4": w.Acme.Host.Pinger(topo.IDCHost4, lab.PingOptions{}),
		"VPC to IDC, IPv6": w.Acme.Host.Pinger(topo.IDCHost6, lab.PingOptions{}),
		"IDC to VPC, IPv4": w.Acme.LAN.Pinger(topo.VPCHost4, lab.PingOptions{Source: topo.IDCHost4}),
		"IDC to VPC, IPv6": w.Acme.LAN.Pinger(topo.VPCHost6, lab.PingOptions{Source: topo.IDCHost6}),
	}
}

// lastFrom is when tcpdump last saw a packet of a host.
func lastFrom(t *testing.T, packets []string, host string) time.Time {
	t.Helper()
	for i := len(packets) - 1; i >= 0; i-- {
		var sec, usec int64
		if !strings.Contains(packets[i], " IP "+host+".") {
			continue
		}
		if _, err := fmt.Sscanf(packets[i], "%d.%06d", &sec, &usec); err != nil {
			t.Fatal(err)
		}
		return time.Unix(sec, usec*1000)
	}
	t.Fatalf("no packet from %s in %q", host, packets)
	return time.Time{}
}

// lastChange is when `ip -ts monitor` last saw something before a time; zero if it saw nothing.
func lastChange(t *testing.T, log string, before time.Time) (last time.Time) {
	t.Helper()
	for line := range strings.Lines(log) {
		stamp, _, ok := strings.Cut(strings.TrimPrefix(line, "["), "]")
		if !ok || line[0] != '[' {
			continue
		}
		at, err := time.ParseInLocation("2006-01-02T15:04:05.000000", stamp, time.Local)
		if err != nil {
			t.Fatal(err)
		}
		if at.Before(before) {
			last = at
		}
	}
	return last
}

// testBFDAdminDown: BFD that is switched off at FRR is no failure.
func (w *world) testBFDAdminDown(t *testing.T) {
	w.keeping(t, func() {
		if err := w.Acme.Lines[0].Router.SetBFD(false); err != nil {
			t.Fatal(err)
		}
		w.eventually(10*time.Second, "vbrd hears of it", func() error {
			out, err := w.Vbrctl(binary(t), "show", "bfd", "-r", "vbr-acme", "--peer", "10.0.0.2")
			if !strings.Contains(out, "switched off by the peer") {
				return fmt.Errorf("%s: %w", out, errors.Join(err, errors.New("not yet")))
			}
			return nil
		})
		time.Sleep(2 * time.Second)
	})
	if err := w.Acme.Lines[0].Router.SetBFD(true); err != nil {
		t.Fatal(err)
	}
	w.waitBFD(t)
}

// keeping runs a change that costs no packet of acme's, no session and no route.
func (w *world) keeping(t *testing.T, change func()) {
	t.Helper()
	drops := func() (n int) {
		for _, ln := range w.Acme.Lines {
			for family, a := range map[string]string{"ipv4 unicast": ln.Local4.String(), "ipv6 unicast": ln.Local6.String()} {
				p, err := ln.Router.FRR.Peer(family, a)
				if err != nil {
					t.Fatal(err)
				}
				n += p.Dropped
			}
		}
		return n
	}
	before, pingers := drops(), w.pingAcme()
	change()
	for name, p := range pingers {
		if s := p.Stop(); s.Lost() > 0 {
			t.Errorf("%s: %s", name, s)
		}
	}
	if after := drops(); after != before {
		t.Errorf("%d sessions dropped", after-before)
	}
	for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6} {
		if err := w.wantNextHops(p, 2)(); err != nil {
			t.Error(err)
		}
	}
}

// testBFDChanged: intervals change, and BFD goes and comes, with the sessions up. FRR 8.4 takes our AdminDown for a failure, so that it is
// switched off there first.
func (w *world) testBFDChanged(t *testing.T) {
	r := w.Acme.Lines[0].Router
	remote := func(interval int) func() error {
		return func() error {
			if p, err := r.FRR.BFD("10.0.0.1"); err != nil || p.RemoteTransmit != interval || p.Status != "up" {
				return fmt.Errorf("%+v, %w", p, err)
			}
			return nil
		}
	}
	w.keeping(t, func() {
		w.WithBFD(w.Acme, 700, "enable_bfd: true")
		w.vbrd.Signal(syscall.SIGHUP)
		w.eventually(10*time.Second, "FRR hears 700 ms", remote(700))
		for _, ln := range w.Acme.Lines {
			if err := ln.Router.SetBFD(false); err != nil {
				t.Fatal(err)
			}
		}
		w.WithBFD(w.Acme, steady, "")
		w.vbrd.Signal(syscall.SIGHUP)
		w.eventually(10*time.Second, "no BFD any more", func() error {
			out, err := w.Vbrctl(binary(t), "show", "bfd", "-r", "vbr-acme")
			if err != nil || strings.Contains(out, "10.0.0.2") {
				return fmt.Errorf("%s: %w", out, err)
			}
			return nil
		})
		for _, ln := range w.Acme.Lines {
			if err := ln.Router.SetBFD(true); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Second)
		w.WithBFD(w.Acme, steady, "enable_bfd: true")
		w.vbrd.Signal(syscall.SIGHUP)
		w.eventually(10*time.Second, "FRR hears 500 ms", remote(steady))
	})
	w.waitBFD(t)
}

// testBFDStrict: beta's router has no BFD; made strict, it keeps its routes for a while, then they are held until it has.
func (w *world) testBFDStrict(t *testing.T) {
	w.WithBFD(w.Beta, steady, "enable_bfd: true, bfd_strict: true")
	w.vbrd.Signal(syscall.SIGHUP)
	began := time.Now()
	w.eventually(30*time.Second, "beta's routes held", func() error { return absent(w.kernelHas(w.Beta, topo.IDCPrefix4)) })
	if took := time.Since(began); took < 8*time.Second {
		t.Errorf("beta had only %v to come up", took)
	}
	out, err := w.Vbrctl(binary(t), "explain", topo.IDCPrefix4, "-r", "vbr-beta")
	if err != nil || !strings.Contains(out, "rejected: bfd-down") {
		t.Errorf("%v:\n%s", err, out)
	}
	if err := w.Beta.Lines[0].Router.Established(); err != nil {
		t.Errorf("the sessions: %v", err)
	}
	if err := w.Beta.Lines[0].Router.FRR.Configure("bfd", "profile edge", "receive-interval 500", "transmit-interval 500", "exit", "exit", "router bgp 65002",
		"neighbor 10.0.0.1 bfd", "neighbor 10.0.0.1 bfd profile edge", "neighbor fd00::1 bfd", "neighbor fd00::1 bfd profile edge"); err != nil {
		t.Fatal(err)
	}
	w.eventually(20*time.Second, "beta's routes with BFD up", w.Beta.PingBoth)
}
