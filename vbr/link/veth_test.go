package link

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// eventually polls.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// twoRouters are joined by a pair.
func twoRouters() (a, b Router) {
	macA, macB := net.HardwareAddr{2, 0, 0, 0, 1, 1}, net.HardwareAddr{2, 0, 0, 0, 1, 2}
	a = Router{Name: "vr-a", VRF: "vr-a", Table: 10011, Pairs: []Pair{{
		Device: "ri-a", Peer: "ri-b", PeerRouter: "vr-b", MAC: macA, PeerMAC: macB, MTU: 1400,
		Addrs: []netip.Prefix{netip.MustParsePrefix("169.254.10.0/31")},
	}}}
	b = Router{Name: "vr-b", VRF: "vr-b", Table: 10012, Pairs: []Pair{{
		Device: "ri-b", Peer: "ri-a", PeerRouter: "vr-a", MAC: macB, PeerMAC: macA, MTU: 1400,
		Addrs: []netip.Prefix{netip.MustParsePrefix("169.254.10.1/31")},
	}}}
	return a, b
}

func wantPair(t *testing.T) {
	t.Helper()
	wantIP(t,
		[2]string{"-d addr show ri-a", "alias openvbr:vr-a"}, [2]string{"-d addr show ri-b", "alias openvbr:vr-b"},
		[2]string{"-d addr show ri-a", "group 8686"}, [2]string{"-d addr show ri-b", "group 8686"},
		[2]string{"-d addr show ri-a", "master vr-a"}, [2]string{"-d addr show ri-b", "master vr-b"},
		[2]string{"-d addr show ri-a", "02:00:00:00:01:01"}, [2]string{"-d addr show ri-b", "02:00:00:00:01:02"},
		[2]string{"-d addr show ri-a", "169.254.10.0/31"}, [2]string{"-d addr show ri-b", "169.254.10.1/31"},
		[2]string{"-d addr show ri-a", "mtu 1400"}, [2]string{"-d addr show ri-b", "mtu 1400"},
	)
	if mode := sysctl(t, "ipv6/conf/ri-a/addr_gen_mode") + sysctl(t, "ipv6/conf/ri-b/addr_gen_mode"); mode != "11" {
		t.Errorf("address generation modes %s, want none (1) on both", mode)
	}
}

func TestPairInEitherOrder(t *testing.T) {
	a, b := twoRouters()
	for name, order := range map[string][]Router{"a first": {a, b}, "b first": {b, a}} {
		t.Run(name, func(t *testing.T) {
			m := inNamespace(t)
			first := ensure(t, m, order[0])
			if d := first.Pairs[0]; d.Index == 0 || d.Up {
				t.Errorf("first end alone: %+v, want it there and not up", d)
			}
			second := ensure(t, m, order[1])
			eventually(t, "both ends up", func() bool { return ensure(t, m, order[0]).Pairs[0].Up && ensure(t, m, order[1]).Pairs[0].Up })
			wantPair(t)
			before := picture(t)
			if s := ensure(t, m, order[0]); s.Pairs[0].Index != first.Pairs[0].Index {
				t.Errorf("another index: %+v, %+v", s, first)
			}
			if s := ensure(t, m, order[1]); s.Pairs[0].Index != second.Pairs[0].Index {
				t.Errorf("another index: %+v, %+v", s, second)
			}
			if diff := cmp.Diff(before, picture(t)); diff != "" {
				t.Errorf("a second Ensure changed something (-before +after):\n%s", diff)
			}
			if err := m.SetNeighbour(second.Pairs[0].Index, order[0].Pairs[0].Addrs[0].Addr(), order[0].Pairs[0].MAC); err != nil {
				t.Fatal(err)
			}
			ip(t, "vrf exec "+order[1].VRF+" ping -c 1 -W 2 "+order[0].Pairs[0].Addrs[0].Addr().String())
		})
	}
}

// One router's end goes with the other's; the router that stays makes the pair anew.
func TestPairIsMadeAnew(t *testing.T) {
	a, b := twoRouters()
	for name, damage := range map[string]func(*testing.T, *Manager){
		"removed": func(t *testing.T, m *Manager) {
			if err := m.Remove(a); err != nil {
				t.Fatal(err)
			}
			wantIP(t, [2]string{"link", "!ri-a"}, [2]string{"link", "!ri-b"}, [2]string{"link", "vr-b:"})
		},
		"deleted": func(t *testing.T, _ *Manager) { ip(t, "link del ri-b") },
		"unpaired": func(t *testing.T, _ *Manager) {
			ip(t, "link set ri-a down")
			ip(t, "link set ri-a name ri-x")
		},
		"dummy": func(t *testing.T, _ *Manager) {
			ip(t, "link del ri-a")
			ip(t, "link add ri-a group 8686 type bridge")
			ip(t, "link set ri-a alias openvbr:vr-a")
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := inNamespace(t)
			ensure(t, m, a)
			was := ensure(t, m, b)
			damage(t, m)
			if now := ensure(t, m, b); now.Pairs[0].Index == was.Pairs[0].Index || now.Pairs[0].Index == 0 {
				t.Errorf("index %+v, then %+v", was.Pairs[0], now.Pairs[0])
			}
			ensure(t, m, a)
			wantPair(t)
		})
	}
}

// What has the name of an end and is not ours stays as it is.
func TestPairNameClash(t *testing.T) {
	a, _ := twoRouters()
	for _, tt := range []struct{ name, plant, device string }{
		{"our end", "link add ri-a type veth peer name ri-b", "ri-a"},
		{"other end", "link add ri-b type bridge", "ri-b"},
		{"another router's", "link add ri-b group 8686 alias openvbr:vr-c type bridge", "ri-b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := inNamespace(t)
			alias := strings.Contains(tt.plant, " alias")
			ip(t, strings.ReplaceAll(tt.plant, " alias openvbr:vr-c", ""))
			if alias {
				ip(t, "link set ri-b alias openvbr:vr-c")
			}
			before := ip(t, "-d link show "+tt.device)
			if s, err := m.Ensure(a); !errors.Is(err, ErrNotOurs) || !strings.Contains(err.Error(), tt.device+" exists") || s.Pairs[0].Index != 0 {
				t.Errorf("%+v: %v", s, err)
			}
			if diff := cmp.Diff(before, ip(t, "-d link show "+tt.device)); diff != "" {
				t.Errorf("%s was touched (-before +after):\n%s", tt.device, diff)
			}
		})
	}
}

// A crash in the middle leaves an end without our marks: it is that of our own pair and gets them.
func TestPairHalfMade(t *testing.T) {
	m := inNamespace(t)
	a, b := twoRouters()
	ip(t, "link add ri-a group 8686 type veth peer name ri-b")
	ensure(t, m, a)
	ensure(t, m, b)
	wantPair(t)
}

func TestPruneAndCleanupPairs(t *testing.T) {
	m := inNamespace(t)
	a, b := twoRouters()
	ip(t, "link add keep type veth peer name keep2")
	ensure(t, m, a)
	ensure(t, m, b)
	if err := m.PruneAll([]Router{a, b}); err != nil {
		t.Fatal(err)
	}
	wantPair(t)
	without := b
	without.Pairs = nil
	if err := m.Prune(without, nil); err != nil {
		t.Fatal(err)
	}
	wantIP(t, [2]string{"link", "!ri-a"}, [2]string{"link", "vr-a:"}, [2]string{"link", "vr-b:"})
	ensure(t, m, a)
	if _, err := m.Cleanup(); err != nil {
		t.Fatal(err)
	}
	wantIP(t, [2]string{"link", "!ri-"}, [2]string{"link", "!vr-"}, [2]string{"link", "keep@keep2"})
}

// Several router interfaces may be alternative ways: then the source check is loose on them.
func TestReversePathOfRouterInterfaces(t *testing.T) {
	m := inNamespace(t)
	a, _ := twoRouters()
	a.Switches = []Switch{{Device: "sw1"}}
	for _, want := range []string{"1", "2"} {
		ensure(t, m, a)
		got := sysctl(t, "ipv4/conf/ri-a/rp_filter") + sysctl(t, "ipv4/conf/sw1/rp_filter")
		if got != want+"1" {
			t.Errorf("with %d pairs: rp_filter of pair and switch %s", len(a.Pairs), got)
		}
		a.Pairs = append(a.Pairs, Pair{Device: "ri-c", Peer: "ri-d", PeerRouter: "vr-d"})
	}
}

func TestTunnelAddrsAndNeighbours(t *testing.T) {
	m := inNamespace(t)
	r := acme()
	r.Tunnels[0].Addrs = []netip.Prefix{netip.MustParsePrefix("169.254.20.0/31"), netip.MustParsePrefix("fd20::/127")}
	s := ensure(t, m, r)
	wantIP(t, [2]string{"addr show vx5001", "inet 169.254.20.0/31"}, [2]string{"addr show vx5001", "inet6 fd20::/127"})
	v4, v6, mac := netip.MustParseAddr("169.254.20.1"), netip.MustParseAddr("fd20::1"), net.HardwareAddr{2, 0, 0, 0, 0, 9}
	for range 2 {
		for _, a := range []netip.Addr{v4, v6} {
			if err := m.SetNeighbour(s.Tunnels[0].Index, a, mac); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantIP(t, [2]string{"neigh show dev vx5001", "169.254.20.1 lladdr 02:00:00:00:00:09 PERMANENT"},
		[2]string{"-6 neigh show dev vx5001", "::ffff:169.254.20.1 lladdr 02:00:00:00:00:09 PERMANENT"},
		[2]string{"-6 neigh show dev vx5001", "fd20::1 lladdr 02:00:00:00:00:09 PERMANENT"})
	for range 2 {
		for _, a := range []netip.Addr{v4, v6} {
			if err := m.RemoveNeighbour(s.Tunnels[0].Index, a); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantIP(t, [2]string{"neigh show dev vx5001", "!PERMANENT"}, [2]string{"-6 neigh show dev vx5001", "!PERMANENT"})
	ensure(t, m, acme())
	wantIP(t, [2]string{"addr show vx5001", "!inet"})
}
