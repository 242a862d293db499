package link

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netns"
)

func sysctl(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/net/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// tagged is a router with one line in the service VLAN 500 of eth1.
func tagged(name string, table uint32, vlan uint16, device, addr string) Router {
	return Router{Name: name, VRF: name, Table: table, Lines: []Line{{
		Port: "eth1", OuterVLAN: 500, Outer: "eth1.s500", VLAN: vlan, Device: device, Addrs: []netip.Prefix{netip.MustParsePrefix(addr)},
	}}}
}

func TestQinQ(t *testing.T) {
	m := inNamespace(t)
	a, b := tagged("vbr-a", 10021, 100, "q500.100", "10.0.0.1/30"), tagged("vbr-b", 10022, 101, "q500.101", "10.0.0.1/30")
	s := ensure(t, m, a)
	ensure(t, m, b)
	if !s.Lines[0].Up {
		t.Errorf("state: %+v", s)
	}
	wantIP(t,
		[2]string{"-d link show eth1.s500", "vlan protocol 802.1ad id 500"}, [2]string{"-d link show eth1.s500", "alias openvbr:@outer"},
		[2]string{"-d link show eth1.s500", "group 8686"}, [2]string{"-d link show eth1.s500", "addrgenmode none"},
		[2]string{"-d link show eth1.s500", "mtu 1500"}, [2]string{"-d link show eth1.s500", "!master"},
		[2]string{"-d link show q500.100", "q500.100@eth1.s500"}, [2]string{"-d link show q500.100", "vlan protocol 802.1Q id 100"},
		[2]string{"-d link show q500.100", "mtu 1500"}, [2]string{"-d link show q500.100", "master vbr-a"},
		[2]string{"-d link show q500.101", "q500.101@eth1.s500"}, [2]string{"-d link show q500.101", "master vbr-b"},
	)
	before := picture(t)
	ensure(t, m, a)
	ensure(t, m, b)
	if diff := cmp.Diff(before, picture(t)); diff != "" {
		t.Errorf("a second Ensure changed something (-before +after):\n%s", diff)
	}
	// the customer's side, with packets as large as the MTU
	ip(t, "link add link peer-eth1 name cust type vlan protocol 802.1ad id 500")
	ip(t, "link add link cust name cust.100 type vlan id 100")
	ip(t, "link add cust-vrf type vrf table 900")
	ip(t, "link set cust-vrf up")
	ip(t, "link set cust.100 master cust-vrf")
	ip(t, "link set cust up")
	ip(t, "link set cust.100 up")
	ip(t, "addr add 10.0.0.2/30 dev cust.100")
	ip(t, "vrf exec cust-vrf ping -c 1 -W 2 -M do -s 1472 10.0.0.1")
	ip(t, "link set eth1.s500 down")
	ip(t, "link set eth1.s500 name renamed") // it serves under that name too
	ensure(t, m, a)
	ensure(t, m, b)
	wantIP(t, [2]string{"link", "q500.100@renamed"}, [2]string{"link", "q500.101@renamed"}, [2]string{"link", "!eth1.s500:"})
	ip(t, "vrf exec cust-vrf ping -c 1 -W 2 10.0.0.1")
	ip(t, "link del renamed") // both lines go with it
	ensure(t, m, a)
	ensure(t, m, b)
	wantIP(t, [2]string{"link", "q500.100@eth1.s500"}, [2]string{"link", "q500.101@eth1.s500"})
}

// The outer VLAN goes with its last inner one, whosever that is.
func TestOuterVLANGoesLast(t *testing.T) {
	a, b := tagged("vbr-a", 10021, 100, "q500.100", "10.0.0.1/30"), tagged("vbr-b", 10022, 101, "q500.101", "10.0.0.1/30")
	without := b
	without.Lines = nil
	for name, last := range map[string]func(*Manager) error{
		"remove":   func(m *Manager) error { return m.Remove(b) },
		"prune":    func(m *Manager) error { return m.Prune(without, b.Lines) },
		"pruneAll": func(m *Manager) error { return m.PruneAll([]Router{without}) },
		"cleanup":  func(m *Manager) error { _, err := m.Cleanup(); return err },
	} {
		t.Run(name, func(t *testing.T) {
			m := inNamespace(t)
			ip(t, "link add link eth1 name keep type vlan protocol 802.1ad id 501")
			ensure(t, m, a)
			ensure(t, m, b)
			if err := m.Remove(a); err != nil {
				t.Fatal(err)
			}
			wantIP(t, [2]string{"link", "!q500.100"}, [2]string{"link", "q500.101@eth1.s500"})
			if err := last(m); err != nil {
				t.Fatal(err)
			}
			wantIP(t, [2]string{"link", "!q500."}, [2]string{"link", "!eth1.s500"}, [2]string{"link", "keep@eth1"})
		})
	}
}

func TestQinQBadInput(t *testing.T) {
	for _, tt := range []struct {
		name, plant, want string
		change            func(*Line)
	}{
		{"outer name not ours", "link add link eth1 name eth1.s500 type vlan protocol 802.1ad id 500", "a device named eth1.s500 exists and is not ours", nil},
		{"outer tag taken", "link add link eth1 name x type vlan protocol 802.1ad id 500", "service VLAN 500 on eth1: file exists", nil},
		{"no inner", "link set lo up", "the outer VLAN 500 needs an inner one", func(l *Line) { l.VLAN = 0 }},
		{"no name", "link set lo up", "the outer VLAN 500 needs a device name", func(l *Line) { l.Outer = "" }},
		{"inner name not ours", "link add q500.100 type bridge", "a device named q500.100 exists and is not ours", nil},
		{"other tag by that name", "link set lo up", "that of another outer VLAN or port than 501 on eth1", func(l *Line) { l.OuterVLAN = 501 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := inNamespace(t)
			ip(t, tt.plant)
			if strings.HasPrefix(tt.name, "other tag") {
				ensure(t, m, tagged("vbr-b", 10022, 101, "q500.101", "10.0.0.1/30"))
			}
			r := tagged("vbr-a", 10021, 100, "q500.100", "10.0.0.1/30")
			if tt.change != nil {
				tt.change(&r.Lines[0])
			}
			_, err := m.Ensure(r)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error: %v, want %q", err, tt.want)
			}
			if strings.Contains(tt.want, "not ours") && !errors.Is(err, ErrNotOurs) {
				t.Errorf("error: %v is not ErrNotOurs", err)
			}
			if device := "eth1.s500"; strings.HasPrefix(tt.name, "outer name") {
				wantIP(t, [2]string{"-d link show " + device, "!alias"}, [2]string{"-d link show " + device, "group default"})
			}
		})
	}
}

// Two routers come and go at the same time, over one outer VLAN and one pair: neither fails because of the other. (Removing
// one while the other makes its end of the pair may fail; the next Ensure mends it.)
func TestTwoRoutersAtOnce(t *testing.T) {
	m := inNamespace(t)
	ns, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	atOnce := func(work func(Router) error, a, b Router) {
		t.Helper()
		other := make(chan error, 1)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread goes with the goroutine
			other <- errors.Join(netns.Set(ns), work(b))
		}()
		err := work(a)
		if err := errors.Join(err, <-other); err != nil {
			t.Error(err)
		}
	}
	comeAndGo := func(r Router) (err error) {
		for range 10 {
			_, e := m.Ensure(r)
			err = errors.Join(err, e, m.Remove(r))
		}
		return err
	}
	come := func(r Router) error { _, err := m.Ensure(r); return err }
	atOnce(comeAndGo, tagged("vbr-a", 10021, 100, "q500.100", "10.0.0.1/30"), tagged("vbr-b", 10022, 101, "q500.101", "10.0.0.1/30"))
	wantIP(t, [2]string{"link", "!eth1.s500"})
	a, b := twoRouters()
	for range 3 {
		atOnce(come, a, b)
		wantPair(t)
		if err := m.Remove(a); err != nil {
			t.Fatal(err)
		}
	}
}
