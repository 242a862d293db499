package link

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// inNamespace runs the test on a fresh network namespace with the ports eth0 (underlay) and eth1. It needs a kernel with vrf, 8021q and vxlan: run it with `make test`.
func inNamespace(t *testing.T) *Manager {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread goes with the test's goroutine
	ns, err := netns.New()
	if err != nil {
		t.Fatalf("network namespace (root needed): %v", err)
	}
	t.Cleanup(func() { ns.Close() })
	const noLinkLocal = "/proc/sys/net/ipv6/conf/default/addr_gen_mode" // link-local addresses come late and blur comparisons
	if err := os.WriteFile(noLinkLocal, []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	ip(t, "link set lo up")
	for _, port := range []string{"eth0", "eth1"} {
		ip(t, "link add "+port+" type veth peer name peer-"+port)
		ip(t, "link set peer-"+port+" up")
		ip(t, "link set "+port+" up")
	}
	ip(t, "addr add 192.0.2.1/24 dev eth0")
	m, err := New(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	for _, kind := range []string{"vrf", "vlan", "802.1ad", "vxlan", "bridge", "veth", "ifb", "tbf", "mirred"} {
		if err := m.Supports(kind); err != nil {
			t.Fatalf("%v\nrun this test on a kernel that has it: make test", err)
		}
	}
	return m
}

func ip(t *testing.T, args string) string {
	t.Helper()
	out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v: %s", args, err, out)
	}
	return string(out)
}

// acme is a VBR with one tagged line and one router interface.
func acme() Router {
	return Router{
		Name: "vbr-acme", VRF: "vbr-acme", Table: 10001,
		Lines: []Line{{Port: "eth1", VLAN: 100, Device: "eth1.100", Addrs: []netip.Prefix{
			netip.MustParsePrefix("10.0.0.1/30"), netip.MustParsePrefix("fd00::1/126"),
		}}},
		Tunnels: []Tunnel{{Device: "vx5001", VNI: 5001, VTEP: netip.MustParseAddr("192.0.2.1"), MAC: net.HardwareAddr{2, 0, 0, 0, 0x50, 1}}},
	}
}

func ensure(t *testing.T, m *Manager, r Router) State {
	t.Helper()
	s, err := m.Ensure(r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// picture is what an operator sees, without counters and ages, and without what moves by itself: a bridge's timers,
// and the operational state (RFC 2863) that follows a little later.
func picture(t *testing.T) string {
	moves := regexp.MustCompile(`(_timer +\S+|state (UNKNOWN|UP))`)
	return moves.ReplaceAllString(ip(t, "-d link")+ip(t, "addr")+ip(t, "route show table all")+ip(t, "-6 route show table all"), "")
}

func TestEnsureMakesAndThenChangesNothing(t *testing.T) {
	m := inNamespace(t)
	s := ensure(t, m, acme())
	if s.VRF.Index == 0 || !s.Lines[0].Up || s.Tunnels[0].Index == 0 {
		t.Errorf("state: %+v", s)
	}
	for _, want := range []struct{ args, has string }{
		{"-d link show vbr-acme", "table 10001"},
		{"-d link show eth1.100", "id 100"},
		{"-d link show eth1.100", "master vbr-acme"},
		{"-d link show eth1.100", "alias openvbr:vbr-acme"},
		{"-d link show vx5001", "vxlan id 5001 local 192.0.2.1"},
		{"-d link show vx5001", "nolearning"},
		{"-d link show vx5001", "mtu 1450"},
		{"-d link show vx5001", "addrgenmode none"},
		{"addr show eth1.100", "inet 10.0.0.1/30"},
		{"addr show eth1.100", "inet6 fd00::1/126"},
		{"route show table 10001", "unreachable default proto 86 metric 4278198272"},
		{"-6 route show table 10001", "unreachable default dev lo proto 86 metric 4278198272"},
	} {
		if got := ip(t, want.args); !strings.Contains(got, want.has) {
			t.Errorf("ip %s: want %q in\n%s", want.args, want.has, got)
		}
	}
	before := picture(t)
	ensure(t, m, acme())
	if diff := cmp.Diff(before, picture(t)); diff != "" {
		t.Errorf("a second Ensure changed something (-before +after):\n%s", diff)
	}
}

func TestEnsureMends(t *testing.T) {
	m := inNamespace(t)
	ensure(t, m, acme())
	for _, damage := range []string{
		"link del eth1.100", "link del vbr-acme", "link del vx5001", "addr del 10.0.0.1/30 dev eth1.100",
		"link set eth1.100 nomaster", "link set eth1.100 down", "route del unreachable default table 10001 metric 4278198272",
	} {
		ip(t, damage)
		s := ensure(t, m, acme())
		if !s.Lines[0].Up {
			t.Errorf("after ip %s: line not up", damage)
		}
		for args, has := range map[string]string{
			"addr show eth1.100": "inet 10.0.0.1/30", "-6 addr show eth1.100": "inet6 fd00::1/126",
			"link show eth1.100": "master vbr-acme", "link show vx5001": "master vbr-acme", "route show table 10001": "unreachable default",
		} {
			if got := ip(t, args); !strings.Contains(got, has) {
				t.Errorf("after ip %s: ip %s: want %q in\n%s", damage, args, has, got)
			}
		}
	}
}

// What is not ours is reported and stays as it was.
func TestForeignDevicesAreNotTouched(t *testing.T) {
	for _, tt := range []struct{ name, plant, want string }{
		{"VRF name", "link add vbr-acme type dummy", "a device named vbr-acme exists and is not ours"},
		{"line name", "link add link eth1 name eth1.100 type vlan id 100", "a device named eth1.100 exists and is not ours"},
		{"tunnel name", "link add vx5001 type dummy", "a device named vx5001 exists and is not ours"},
		{"table", "link add other type vrf table 10001", "table 10001 is already that of VRF other"},
		{"another router's", "link add vbr-acme group 8686 type vrf table 10001", "(alias: another router's)"},
		{"another router's table", "link add vrf-beta group 8686 type vrf table 10001", "table 10001 is already that of VRF of another router, which is not ours"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := inNamespace(t)
			ip(t, tt.plant)
			if tt.name == "another router's" {
				ip(t, "link set vbr-acme alias openvbr:vbr-beta")
			}
			device := strings.Fields(strings.ReplaceAll(strings.TrimPrefix(tt.plant, "link add "), "link eth1 name ", ""))[0]
			before := ip(t, "-d link show "+device)
			_, err := m.Ensure(acme())
			if !errors.Is(err, ErrNotOurs) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error: %v, want %q", err, tt.want)
			}
			if diff := cmp.Diff(before, ip(t, "-d link show "+device)); diff != "" {
				t.Errorf("%s was touched (-before +after):\n%s", device, diff)
			}
		})
	}
}

// A device of the router's that somebody has renamed is made anew; one with another router's mark in its place stays.
func TestRenamedDevices(t *testing.T) {
	m := inNamespace(t)
	ensure(t, m, acme())
	for _, device := range []string{"vbr-acme", "eth1.100", "vx5001"} {
		ip(t, "link set "+device+" down")
		ip(t, "link set "+device+" name renamed")
		s := ensure(t, m, acme())
		if !s.VRF.Up || !s.Lines[0].Up || s.Tunnels[0].Index == 0 {
			t.Errorf("after %s was renamed: %+v", device, s)
		}
		if links := ip(t, "-br link"); strings.Contains(links, "renamed") || !strings.Contains(links, device) {
			t.Errorf("after %s was renamed:\n%s", device, links)
		}
	}
	ip(t, "link set eth1.100 down")
	ip(t, "link set eth1.100 name renamed alias openvbr:vbr-beta")
	if _, err := m.Ensure(acme()); err == nil || !strings.Contains(err.Error(), "VLAN 100 on eth1: file exists") {
		t.Errorf("another router's in the place: %v", err)
	}
	if links := ip(t, "-br link"); !strings.Contains(links, "renamed") {
		t.Errorf("another router's is gone:\n%s", links)
	}
}

func TestMissingPort(t *testing.T) {
	m := inNamespace(t)
	r := acme()
	r.Lines[0].Port = "eth9"
	if _, err := m.Ensure(r); err == nil || !strings.Contains(err.Error(), "the port eth9 does not exist on this host") {
		t.Errorf("error: %v", err)
	}
}

func TestUntaggedPortIsGivenBack(t *testing.T) {
	m := inNamespace(t)
	ip(t, "addr add 198.51.100.1/24 dev eth1")
	before := ip(t, "addr show eth1")
	r := acme()
	r.Lines[0].VLAN, r.Lines[0].Device = 0, "eth1"
	s := ensure(t, m, r)
	if got := ip(t, "addr show eth1"); !s.Lines[0].Up || !strings.Contains(got, "inet 10.0.0.1/30") || !strings.Contains(got, "master vbr-acme") {
		t.Fatalf("line: %+v\n%s", s.Lines[0], got)
	}
	if err := m.Remove(r); err != nil {
		t.Fatal(err)
	}
	after := ip(t, "addr show eth1")
	for _, line := range []string{"inet 198.51.100.1/24"} {
		if !strings.Contains(before, line) || !strings.Contains(after, line) {
			t.Errorf("%q must stay:\n%s", line, after)
		}
	}
	if strings.Contains(after, "10.0.0.1") || strings.Contains(after, "fd00::1") || strings.Contains(after, "master") {
		t.Errorf("our addresses stay:\n%s", after)
	}
}

// What a changed router no longer has goes, an untagged line's old port too; what it keeps, and others', stays as it is.
func TestPrune(t *testing.T) {
	m := inNamespace(t)
	ip(t, "link add eth2 type veth peer name peer-eth2")
	before := acme()
	before.Lines = append(before.Lines, Line{Port: "eth2", Device: "eth2", Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.5/30")}},
		Line{Port: "eth1", VLAN: 101, Device: "eth1.101", Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.9/30")}})
	ensure(t, m, before)
	beta := Router{Name: "vbr-beta", VRF: "vbr-beta", Table: 10002, Lines: []Line{{Port: "eth1", VLAN: 200, Device: "eth1.200"}}}
	ensure(t, m, beta)
	show := func() string { // the operational state (RFC 2863) follows by itself a little later
		all := ip(t, "-d addr show eth1.100") + ip(t, "-d addr show vbr-acme") + ip(t, "-d addr show eth1.200")
		return strings.ReplaceAll(all, "state UNKNOWN", "state UP")
	}
	kept := show()
	after := acme()
	after.Tunnels[0] = Tunnel{Device: "vx5003", VNI: 5003, VTEP: netip.MustParseAddr("192.0.2.1"), MAC: net.HardwareAddr{2, 0, 0, 0, 0x50, 3}}
	after.Lines = append(after.Lines, Line{Port: "peer-eth2", Device: "peer-eth2", Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.5/30")}})
	s := ensure(t, m, after)
	if err := m.Prune(after, before.Lines); err != nil {
		t.Fatal(err)
	}
	if again := ensure(t, m, after); !cmp.Equal(s, again) {
		t.Errorf("state %+v, then %+v", s, again)
	}
	links := ip(t, "addr")
	for _, gone := range []string{"eth1.101", "vx5001"} {
		if strings.Contains(links, gone) {
			t.Errorf("%s stays:\n%s", gone, links)
		}
	}
	if port := ip(t, "addr show eth2"); strings.Contains(port, "master") || strings.Contains(port, "10.0.0.5") {
		t.Errorf("the port stays the router's:\n%s", port)
	}
	if port := ip(t, "addr show peer-eth2"); !strings.Contains(port, "master vbr-acme") || !strings.Contains(port, "10.0.0.5/30") {
		t.Errorf("the other port is not the router's:\n%s", port)
	}
	if diff := cmp.Diff(kept, show()); diff != "" {
		t.Errorf("what stays changed (-before +after):\n%s", diff)
	}
}

// A device that a predecessor made and died before it had an alias goes at the start, wanted or not, and is made anew.
func TestPruneAllWithoutAlias(t *testing.T) {
	m := inNamespace(t)
	ip(t, "link add vbr-acme group 8686 type vrf table 10001")
	ip(t, "link add vx5002 group 8686 type vxlan id 5002 local 192.0.2.1 dstport 4789 noudpcsum")
	ip(t, "link add link eth1 name eth1.s500 group 8686 type vlan protocol 802.1ad id 500")
	ip(t, "link add ri-a group 8686 type veth peer name ri-b") // the other end has neither group nor alias yet
	ip(t, "link add keep group 8686 type dummy")
	ip(t, "link set keep alias somebody-else")
	ip(t, "link add keep2 type dummy")
	if err := m.PruneAll([]Router{acme()}); err != nil {
		t.Fatal(err)
	}
	wantIP(t, [2]string{"link", "!vbr-acme"}, [2]string{"link", "!vx5002"}, [2]string{"link", "!eth1.s500"}, [2]string{"link", "!ri-"},
		[2]string{"link", "keep:"}, [2]string{"link", "keep2:"}, [2]string{"link", "eth1@"})
	s := ensure(t, m, acme())
	if err := m.PruneAll([]Router{acme()}); err != nil {
		t.Fatal(err)
	}
	if again := ensure(t, m, acme()); !cmp.Equal(s, again) {
		t.Errorf("a second start: state %+v, then %+v", s, again)
	}
}

// A device whose making failed in the end, as its acknowledgement was lost or it got no alias, goes with the intent for it: with its router, and when its
// router wants it no longer. Another router may have its table then.
func TestHalfMadeGoes(t *testing.T) {
	m := inNamespace(t)
	half := func(owner string, l netlink.Link) {
		t.Helper()
		if err := m.add(owner, l); err != nil {
			t.Fatal(err)
		}
	}
	ensure(t, m, acme())
	half("vbr-acme", &netlink.Vxlan{LinkAttrs: attrs("vx5002", 0), VxlanId: 5002, SrcAddr: net.IP{192, 0, 2, 1}, Port: 4789})
	half("vbr-beta", &netlink.Vrf{LinkAttrs: attrs("vbr-beta", 0), Table: 10002})
	if err := m.Prune(acme(), nil); err != nil {
		t.Fatal(err)
	}
	wantIP(t, [2]string{"link", "!vx5002"}, [2]string{"link", "vx5001"}, [2]string{"link", "vbr-beta"})
	if err := m.Remove(Router{Name: "vbr-beta", VRF: "vbr-beta", Table: 10002}); err != nil {
		t.Fatal(err)
	}
	wantIP(t, [2]string{"link", "!vbr-beta"})
	ensure(t, m, tagged("vbr-gamma", 10002, 101, "eth1.101", "10.0.0.1/30"))
	half("vbr-acme", &netlink.Vxlan{LinkAttrs: attrs("vx5001x", 0), VxlanId: 5003, SrcAddr: net.IP{192, 0, 2, 1}, Port: 4789})
	if err := m.Remove(acme()); err != nil {
		t.Fatal(err)
	}
	wantIP(t, [2]string{"link", "!vx5001"}, [2]string{"link", "vbr-gamma"})
	for name := range m.asked.Range {
		if name != "vx5002" && name != "vbr-beta" && name != "vx5001x" {
			t.Errorf("%v is there, and still noted as being made", name)
		}
	}
}

// A predecessor's untagged line gives its port back, out of the VRF too.
func TestStrayPort(t *testing.T) {
	m := inNamespace(t)
	r := acme()
	r.Lines[0].VLAN, r.Lines[0].Device = 0, "eth1"
	ensure(t, m, r)
	if err := m.RemoveStrayAddrs(r.Lines); err != nil || !strings.Contains(ip(t, "addr show eth1"), "master vbr-acme") {
		t.Errorf("a port that is wanted: %v", err)
	}
	if err := m.RemoveStrayAddrs(nil); err != nil {
		t.Fatal(err)
	}
	if port := ip(t, "addr show eth1"); strings.Contains(port, "master") || strings.Contains(port, "10.0.0.1") {
		t.Errorf("the port stays the router's:\n%s", port)
	}
}

// A router that goes leaves nothing in its table.
func TestRemoveLeavesNothing(t *testing.T) {
	m := inNamespace(t)
	before := picture(t)
	ensure(t, m, acme())
	if err := m.Remove(acme()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, picture(t)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if err := m.Remove(acme()); err != nil {
		t.Errorf("again: %v", err)
	}
}

func TestCleanupRemovesOursOnly(t *testing.T) {
	m := inNamespace(t)
	ip(t, "link add keep type vrf table 500")
	ip(t, "link add link eth1 name eth1.300 type vlan id 300")
	ip(t, "link add keep2 group 8686 type dummy")
	ip(t, "link set keep2 alias somebody-else")
	ensure(t, m, acme())
	n, err := m.Cleanup()
	if err != nil || n != 3 {
		t.Errorf("cleanup: %d devices, %v; want 3", n, err)
	}
	got := ip(t, "link")
	for _, name := range []string{"keep:", "eth1.300@", "keep2:", "eth1@", "eth0@"} {
		if !strings.Contains(got, name) {
			t.Errorf("%s is gone:\n%s", name, got)
		}
	}
	for _, name := range []string{"vbr-acme", "eth1.100", "vx5001"} {
		if strings.Contains(got, name) {
			t.Errorf("%s stays:\n%s", name, got)
		}
	}
}

func TestVTEP(t *testing.T) {
	m := inNamespace(t)
	s := ensure(t, m, acme())
	vtep, mac := netip.MustParseAddr("192.0.2.11"), net.HardwareAddr{2, 0, 0, 0, 0, 11}
	for range 2 { // twice: it is level-triggered
		if err := m.SetVTEP(s.Tunnels[0].Index, vtep, mac); err != nil {
			t.Fatal(err)
		}
	}
	got := ip(t, "neigh show dev vx5001") + ip(t, "-6 neigh show dev vx5001")
	for _, want := range []string{"192.0.2.11 lladdr 02:00:00:00:00:0b PERMANENT", "::ffff:192.0.2.11 lladdr 02:00:00:00:00:0b PERMANENT"} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
	fdb, err := exec.Command("bridge", "fdb", "show", "dev", "vx5001").CombinedOutput()
	if err != nil || !strings.Contains(string(fdb), "02:00:00:00:00:0b dst 192.0.2.11 self permanent") {
		t.Errorf("fdb: %s %v", fdb, err)
	}
	if err := m.RemoveVTEP(s.Tunnels[0].Index, vtep, mac); err != nil {
		t.Fatal(err)
	}
	if got := ip(t, "neigh show dev vx5001") + ip(t, "-6 neigh show dev vx5001"); strings.Contains(got, "192.0.2.11") {
		t.Errorf("neighbours stay:\n%s", got)
	}
}
