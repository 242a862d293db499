package e2e

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

func labMain(m *testing.M) { lab.Main(m, nil) }

// binary is the vbrd under test, built by `make build`.
func binary(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../bin/vbrd")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; run `make build`", err)
	}
	return path
}

// world is the first-light topology with vbrd running.
type world struct {
	*topo.Topology
	t    *testing.T
	vbrd *lab.Proc
}

func newWorld(t *testing.T, o topo.Options) *world {
	t.Helper()
	w := &world{Topology: topo.FirstLight(lab.New(t), o), t: t}
	w.vbrd = w.StartVbrd(binary(t))
	w.WaitBGP(40 * time.Second)
	for _, c := range w.customers() {
		lab.Eventually(t, 20*time.Second, c.Name+"'s pings", c.PingBoth)
	}
	return w
}

func (w *world) customers() []*topo.Customer { return []*topo.Customer{w.Acme, w.Beta} }

// eventually returns how long it took until f returned nil.
func (w *world) eventually(limit time.Duration, what string, f func() error) time.Duration {
	w.t.Helper()
	return lab.Eventually(w.t, limit, what, f)
}

// kernelHas is nil when the customer's table at the edge has the prefix from us.
func (w *world) kernelHas(c *topo.Customer, prefix string) error {
	return w.Edge.HasRoute(prefix, tables[c.Name], "proto", "86")
}

// tables are those vbrd gives to the customers' VRFs: from table_base, in the order of the resources.
var tables = map[string]string{"acme": "10000", "beta": "10001"}

// absent turns "has" into "has not".
func absent(err error) error {
	if err != nil {
		return nil
	}
	return fmt.Errorf("still there")
}

// TestFirstLight is the product's main job: routes of two customers with the same addresses, both families, both
// ways, without leaks.
func TestFirstLight(t *testing.T) {
	w := newWorld(t, topo.Options{Reflector: true}) // FRR's gateways would not hold EVPN routes over a restart of ours, a GoBGP reflector does
	t.Run("tables", w.testTables)
	t.Run("isolation", w.testIsolation)
	t.Run("withdraw at the customer", w.testWithdrawCustomer)
	t.Run("withdraw at the VPC", w.testWithdrawVPC)
	t.Run("no export", w.testNoExport)
	t.Run("multipath", w.testMultipath)
	t.Run("attributes", w.testAttributes)
	t.Run("carrier", w.testCarrier)
	t.Run("rejected announcements", w.testRejected)
	t.Run("kill and adopt", w.testKillAndAdopt)
	t.Run("term and adopt", w.testTermAndAdopt)
	t.Run("second daemon", w.testSecondDaemon)
	t.Run("devices deleted", w.testDevicesDeleted)
	t.Run("cleanup", w.testCleanup)
}

func (w *world) testTables(t *testing.T) {
	for _, c := range w.customers() {
		for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6, topo.IDCPrefix4B, topo.IDCPrefix6B, topo.VPCPrefix4, topo.VPCPrefix6} {
			if err := w.kernelHas(c, p); err != nil {
				t.Error(err)
			}
		}
		for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6} {
			if err := c.GatewayHas(p); err != nil {
				t.Error(err)
			}
		}
		for _, p := range []string{topo.VPCPrefix4, topo.VPCPrefix6} {
			if err := c.Lines[0].Router.Learned(p); err != nil {
				t.Error(err)
			}
		}
	}
	if out := w.Edge.MustRun("ip", "route", "show", "table", "main", "proto", "86"); out != "" {
		t.Errorf("customers' routes in the main table:\n%s", out)
	}
}

// testIsolation: each table leads over its own devices only, and no packet of acme's shows up at beta's devices.
func (w *world) testIsolation(t *testing.T) {
	own := map[string]string{"acme": " dev eth1.100 dev eth1.101 dev vx5001", "beta": " dev eth1.200 dev vx5002"}
	for _, c := range w.customers() {
		for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6, topo.VPCPrefix4, topo.VPCPrefix6} {
			hops, err := w.Edge.NextHops(p, "vrf vbr-"+c.Name)
			if err != nil || len(hops) == 0 {
				t.Errorf("%s of %s: next hops %q, %v", p, c.Name, hops, err)
			}
			for _, h := range hops {
				if dev := h[strings.LastIndex(h, " dev "):]; !strings.Contains(own[c.Name], dev) {
					t.Errorf("%s of %s goes %s, not one of%s", p, c.Name, h, own[c.Name])
				}
			}
		}
	}
	var captures []*lab.Capture
	places := []*lab.NS{w.Beta.Lines[0].Router.NS, w.Beta.LAN, w.Beta.Gateway, w.Beta.Host}
	for _, ns := range places {
		captures = append(captures, ns.Capture("any", lab.EchoFilter))
	}
	before := w.Edge.Counters("vx5002")
	if err := w.Acme.PingBoth(); err != nil {
		t.Error(err)
	}
	for i, c := range captures {
		if packets := c.Stop(); len(packets) > 0 {
			t.Errorf("%s saw acme's packets:\n%s", places[i].Name, strings.Join(packets, "\n"))
		}
	}
	if after := w.Edge.Counters("vx5002"); after.TxPackets != before.TxPackets || after.RxPackets != before.RxPackets {
		t.Errorf("beta's tunnel counted acme's pings: %+v, %+v", before, after)
	}
}

// testAttributes: a customer that changes its AS path, twice, keeps its traffic.
func (w *world) testAttributes(t *testing.T) {
	r := w.Beta.Lines[0].Router
	for _, path := range []string{"65002", "65002 65002"} {
		if err := r.FRR.Configure("route-map PREPEND permit 10", "set as-path prepend "+path, "exit", "router bgp 65002",
			"address-family ipv4 unicast", "neighbor 10.0.0.1 route-map PREPEND out", "exit-address-family",
			"address-family ipv6 unicast", "neighbor fd00::1 route-map PREPEND out"); err != nil {
			t.Fatal(err)
		}
		w.eventually(10*time.Second, "the longer path at the gateway", func() error {
			out, err := w.Beta.FRR.Ask("bgpd", "show bgp l2vpn evpn route type prefix")
			if err == nil && strings.Count(out, " 65002 "+path+" i") < 4 {
				err = fmt.Errorf("not yet:\n%s", out)
			}
			return err
		})
		time.Sleep(time.Second)
		if err := w.Beta.PingBoth(); err != nil {
			t.Errorf("after prepending %s: %v", path, err)
		}
	}
	if err := r.FRR.Configure("router bgp 65002", "address-family ipv4 unicast", "no neighbor 10.0.0.1 route-map PREPEND out",
		"exit-address-family", "address-family ipv6 unicast", "no neighbor fd00::1 route-map PREPEND out"); err != nil {
		t.Fatal(err)
	}
}

// nextHops are how many lines of acme's a prefix uses.
func (w *world) nextHops(prefix string) int {
	hops, _ := w.Edge.NextHops(prefix, "vrf vbr-acme")
	return len(hops)
}

func (w *world) wantNextHops(prefix string, n int) func() error {
	return func() error {
		if got := w.nextHops(prefix); got != n {
			return fmt.Errorf("%s has %d next hops, want %d", prefix, got, n)
		}
		return nil
	}
}

// testMultipath: two lines share; one without carrier at our side is left at once; the other carries all.
func (w *world) testMultipath(t *testing.T) {
	for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6} {
		w.eventually(10*time.Second, "two next hops", w.wantNextHops(p, 2))
	}
	pinger := w.Acme.Host.Pinger(topo.IDCHost4, lab.PingOptions{})
	second := w.Acme.Lines[1].Router
	if err := second.FRR.Configure("router bgp 65001", "neighbor 10.0.0.5 shutdown", "neighbor fd00::5 shutdown"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6} {
		w.eventually(5*time.Second, "one next hop", w.wantNextHops(p, 1))
	}
	if stats := pinger.Stop(); stats.Lost() > 0 {
		t.Errorf("pings while a line went: %s", stats)
	}
	if err := second.FRR.Configure("router bgp 65001", "no neighbor 10.0.0.5 shutdown", "no neighbor fd00::5 shutdown"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6} {
		w.eventually(20*time.Second, "two next hops again", w.wantNextHops(p, 2))
	}
}

// testCarrier: a port without carrier takes its routes from the kernel and from the VPC, and gives them back. A
// device set down by hand is set up again.
func (w *world) testCarrier(t *testing.T) {
	w.Port.Link("edge", false)
	w.eventually(5*time.Second, "routes leave the kernel", func() error { return absent(w.kernelHas(w.Acme, topo.IDCPrefix4)) })
	w.eventually(5*time.Second, "routes leave the gateway", func() error { return absent(w.Acme.GatewayHas(topo.IDCPrefix4)) })
	w.Port.Link("edge", true)
	back := time.Now()
	for _, c := range w.customers() {
		w.eventually(30*time.Second, c.Name+"'s pings with the carrier back", c.PingBoth)
		t.Logf("%s's carrier came back %v ago", c.Name, time.Since(back).Round(100*time.Millisecond))
	}
	w.Edge.Link("eth1.101", false)
	for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6} {
		w.eventually(30*time.Second, "both lines of "+p, w.wantNextHops(p, 2))
	}
	w.eventually(20*time.Second, "acme's pings with the line set up again", w.Acme.PingBoth)
}

// testRejected: what a customer may not announce never reaches the kernel, what it may does.
func (w *world) testRejected(t *testing.T) {
	r := w.Acme.Lines[0].Router
	bad := []string{
		"10.0.0.0/30", "10.100.0.0/16", "10.100.9.0/24", "192.0.2.0/24", "0.0.0.0/0", "127.1.0.0/16", "169.254.1.0/24", "240.1.0.0/16",
		"fd00::/126", "2001:db8:100:7::/64", "::/0",
	}
	if err := r.FRR.Configure("router bgp 65001", "no bgp network import-check"); err != nil {
		t.Fatal(err)
	}
	for _, p := range append(bad, "172.16.99.0/24", "2001:db8:99::/64") {
		if err := r.Announce(p); err != nil {
			t.Fatalf("announce %s: %v", p, err)
		}
	}
	for _, p := range []string{"172.16.99.0/24", "2001:db8:99::/64"} {
		w.eventually(5*time.Second, p, func() error { return w.kernelHas(w.Acme, p) })
	}
	for _, p := range bad {
		hops, _ := w.Edge.NextHops(p, "vrf vbr-acme")
		for _, h := range hops {
			if strings.Contains(h, "eth1.1") && !strings.HasPrefix(h, "via  ") { // the kernel has its own route to the link subnet
				t.Errorf("%s is in the kernel: %s", p, h)
			}
		}
	}
	for _, reasons := range []string{
		`default-route=1 martian=3 link-subnet=1 backbone=1 vpc-prefix=2"`, `default-route=1 link-subnet=1 vpc-prefix=1"`,
	} {
		w.eventually(10*time.Second, "the log naming the reasons", func() error {
			if !strings.Contains(w.vbrd.Log(), reasons) {
				return fmt.Errorf("no %s", reasons)
			}
			return nil
		})
	}
	for _, p := range append(bad, "172.16.99.0/24", "2001:db8:99::/64") {
		if err := r.Withdraw(p); err != nil {
			t.Fatalf("withdraw %s: %v", p, err)
		}
	}
	w.eventually(5*time.Second, "withdrawals", func() error { return absent(w.kernelHas(w.Acme, "172.16.99.0/24")) })
}

// over runs a restart of vbrd and fails when a packet is lost meanwhile.
func (w *world) over(t *testing.T, restart func()) {
	t.Helper()
	pingers := make(map[string]*lab.Pinger)
	for _, c := range w.customers() {
		pingers[c.Name+" VPC to IDC, IPv4"] = c.Host.Pinger(topo.IDCHost4, lab.PingOptions{})
		pingers[c.Name+" VPC to IDC, IPv6"] = c.Host.Pinger(topo.IDCHost6, lab.PingOptions{})
		pingers[c.Name+" IDC to VPC, IPv4"] = c.LAN.Pinger(topo.VPCHost4, lab.PingOptions{Source: topo.IDCHost4})
	}
	time.Sleep(500 * time.Millisecond)
	restart()
	w.WaitBGP(40 * time.Second)
	w.eventually(20*time.Second, "the restart is complete", func() error {
		if n := strings.Count(w.vbrd.Log(), "restart complete"); n < 2 {
			return fmt.Errorf("%d routers have swept", n)
		}
		return nil
	})
	time.Sleep(time.Second)
	for name, p := range pingers {
		if stats := p.Stop(); stats.Lost() > 0 || stats.Received < 50 {
			t.Errorf("pings over the restart, %s: %s", name, stats)
		}
	}
}

// again starts vbrd with a log of its own; the one before stays beside it under the test's name.
func (w *world) again(t *testing.T) {
	if err := os.Rename(w.vbrd.LogFile, w.vbrd.LogFile+"-before-"+path.Base(t.Name())); err != nil {
		t.Fatal(err)
	}
	w.vbrd = w.StartVbrd(binary(t))
}

// testKillAndAdopt: 0 packets lost, a foreign route stays, what was withdrawn meanwhile goes, what was not stays.
func (w *world) testKillAndAdopt(t *testing.T) {
	w.Edge.IP("route add 198.51.100.0/24 via 10.0.0.2 vrf vbr-acme proto static metric 50",
		"route add 198.51.101.0/24 via 10.0.0.2 vrf vbr-acme proto static metric 179")
	foreign := w.Edge.MustRun("ip", "route", "show", "vrf", "vbr-acme", "proto", "static")
	w.over(t, func() {
		w.vbrd.Signal(syscall.SIGKILL)
		if _, err := w.vbrd.Wait(5 * time.Second); err == nil {
			t.Log("killed")
		}
		if err := w.Beta.Lines[0].Router.Withdraw(topo.IDCPrefix4B); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if err := w.kernelHas(w.Beta, topo.IDCPrefix4B); err != nil {
			log := strings.Split(w.vbrd.Log(), "\n")
			t.Errorf("nobody but vbrd removes its routes: %v; vbrd's last words:\n%s", err, strings.Join(log[max(0, len(log)-300):], "\n"))
		}
		w.again(t)
	})
	w.eventually(10*time.Second, "the route withdrawn meanwhile leaves", func() error { return absent(w.kernelHas(w.Beta, topo.IDCPrefix4B)) })
	w.eventually(10*time.Second, "and the gateway", func() error { return absent(w.Beta.GatewayHas(topo.IDCPrefix4B)) })
	if got := w.Edge.MustRun("ip", "route", "show", "vrf", "vbr-acme", "proto", "static"); got != foreign {
		t.Errorf("foreign routes were touched: before\n%safter\n%s", foreign, got)
	}
	if err := w.Beta.Lines[0].Router.Announce(topo.IDCPrefix4B); err != nil {
		t.Fatal(err)
	}
	w.eventually(10*time.Second, "back", func() error { return w.kernelHas(w.Beta, topo.IDCPrefix4B) })
}

// testTermAndAdopt: SIGTERM ends vbrd within 2 s and costs no packet.
func (w *world) testTermAndAdopt(t *testing.T) {
	w.over(t, func() {
		w.vbrd.Signal(syscall.SIGTERM)
		if status, err := w.vbrd.Wait(2 * time.Second); err != nil || status != 0 {
			t.Errorf("SIGTERM: status %d, %v", status, err)
		}
		time.Sleep(2 * time.Second)
		w.again(t)
	})
}

func (w *world) testSecondDaemon(t *testing.T) {
	p := w.StartVbrd(binary(t))
	status, err := p.Wait(5 * time.Second)
	if status != 3 {
		t.Errorf("second vbrd: status %d, %v; want 3", status, err)
	}
	if want := fmt.Sprintf("another vbrd runs in this network namespace: pid %d", w.vbrd.Pid()); !strings.Contains(p.Log(), want) {
		t.Errorf("second vbrd says no %q", want)
	}
	if !w.vbrd.Running() {
		t.Error("the first one ended")
	}
}

// testDevicesDeleted: what somebody deletes is made again, and beta notices nothing of acme's trouble.
func (w *world) testDevicesDeleted(t *testing.T) {
	beta := w.Beta.Host.Pinger(topo.IDCHost4, lab.PingOptions{})
	for _, damage := range []string{"link del vx5001", "link del eth1.100", "link del vbr-acme"} {
		w.Edge.IP(damage)
		w.eventually(60*time.Second, "acme's pings after ip "+damage, w.Acme.PingBoth)
	}
	if stats := beta.Stop(); stats.Lost() > 0 {
		t.Errorf("beta's pings: %s", stats)
	}
}

// testCleanup: everything of ours goes, nothing else.
func (w *world) testCleanup(t *testing.T) {
	w.Edge.IP("link add keep type dummy", "route add 203.0.113.0/24 via 192.0.2.11", "nexthop add id 4711 via 192.0.2.11 dev eth0")
	w.vbrd.Signal(syscall.SIGTERM)
	w.vbrd.Wait(2 * time.Second)
	if out, err := w.RunVbrd(binary(t), "--cleanup"); err != nil {
		t.Fatalf("cleanup: %v\n%s", err, out)
	}
	links := w.Edge.MustRun("ip", "link")
	for _, gone := range []string{"vbr-acme", "vbr-beta", "eth1.", "vx500"} {
		if strings.Contains(links, gone) {
			t.Errorf("%s is left:\n%s", gone, links)
		}
	}
	for _, cmd := range [][]string{{"ip", "route", "show", "table", "all", "proto", "86"}, {"ip", "-6", "route", "show", "table", "all", "proto", "86"}} {
		if out := w.Edge.MustRun(cmd...); out != "" {
			t.Errorf("%v:\n%s", cmd, out)
		}
	}
	if out := w.Edge.MustRun("ip", "nexthop"); strings.TrimSpace(out) != "id 4711 via 192.0.2.11 dev eth0 scope link" {
		t.Errorf("nexthop objects: %s", out)
	}
	if !strings.Contains(links, "keep") || w.Edge.HasRoute("203.0.113.0/24", "main") != nil {
		t.Error("cleanup took what is not ours")
	}
}
