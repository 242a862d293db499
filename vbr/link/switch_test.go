package link

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vpc is a VRouter with one vSwitch.
func vpc(ports ...string) Router {
	return Router{Name: "vr-acme", VRF: "vr-acme", Table: 10003, Switches: []Switch{{Device: "sw1", Ports: ports, Addrs: []netip.Prefix{
		netip.MustParsePrefix("10.1.0.1/24"), netip.MustParsePrefix("fd01::1/64"),
	}}}}
}

// plug makes member netdevs.
func plug(t *testing.T, names ...string) {
	t.Helper()
	for _, n := range names {
		ip(t, "link add "+n+" type veth peer name p-"+n)
		ip(t, "link set p-"+n+" up")
	}
}

// wantIP checks what ip prints, some with a "!" for what it must not.
func wantIP(t *testing.T, wants ...[2]string) {
	t.Helper()
	shown := make(map[string]string) // a process is slow in the VRF kernel
	for _, w := range wants {
		got, ok := shown[w[0]]
		if !ok {
			got = ip(t, w[0])
			shown[w[0]] = got
		}
		if not, ok := strings.CutPrefix(w[1], "!"); ok && strings.Contains(got, not) {
			t.Errorf("ip %s: %q is in\n%s", w[0], not, got)
		} else if !ok && !strings.Contains(got, w[1]) {
			t.Errorf("ip %s: want %q in\n%s", w[0], w[1], got)
		}
	}
}

func TestSwitch(t *testing.T) {
	m := inNamespace(t)
	plug(t, "tap1", "tap2")
	s := ensure(t, m, vpc("tap1", "tap2"))
	eventually(t, "a bridge whose ports have a carrier has one", func() bool {
		d := ensure(t, m, vpc("tap1", "tap2")).Switches[0]
		return d.Index != 0 && d.Up
	})
	wantIP(t,
		[2]string{"-d link show sw1", "alias openvbr:vr-acme"}, [2]string{"-d link show sw1", "group 8686"},
		[2]string{"-d link show sw1", "master vr-acme"}, [2]string{"-d link show sw1", "stp_state 0"},
		[2]string{"link show tap1", "master sw1"}, [2]string{"link show tap2", "master sw1"},
		[2]string{"addr show sw1", "inet 10.1.0.1/24"}, [2]string{"addr show sw1", "inet6 fd01::1/64"},
		[2]string{"route show table 10003", "10.1.0.0/24 dev sw1"},
	)
	if b, err := os.ReadFile("/proc/sys/net/ipv4/conf/sw1/arp_ignore"); err != nil || strings.TrimSpace(string(b)) != "1" {
		t.Errorf("arp_ignore: %s %v", b, err)
	}
	before := picture(t)
	ensure(t, m, vpc("tap1", "tap2"))
	if diff := cmp.Diff(before, picture(t)); diff != "" {
		t.Errorf("a second Ensure changed something (-before +after):\n%s", diff)
	}
	mac := strings.Fields(ip(t, "-o -br link show sw1"))[2]
	ip(t, "link set sw1 down")
	ip(t, "link set sw1 name renamed")
	ensure(t, m, vpc("tap1", "tap2"))
	wantIP(t, [2]string{"link", "!renamed"}, [2]string{"link show sw1", mac}, [2]string{"link show tap1", "master sw1"}, [2]string{"link show tap2", "master sw1"})
	ip(t, "link del sw1")
	if again := ensure(t, m, vpc("tap1")); again.Switches[0].Index == s.Switches[0].Index {
		t.Errorf("made anew with the old index: %+v", again)
	}
	wantIP(t, [2]string{"link show sw1", mac}, [2]string{"link show tap1", "master sw1"}, [2]string{"link show tap2", "!master"})
}

// An empty vSwitch keeps its subnet, marked linkdown; a member gives it carrier, and takes it along.
func TestSwitchWithoutMembers(t *testing.T) {
	m := inNamespace(t)
	s := ensure(t, m, vpc())
	if d := s.Switches[0]; d.Index == 0 || d.Up {
		t.Errorf("state: %+v, want it there and not up", d)
	}
	kept := func(linkdown bool) { // the kernel tells carrier to the routes a little later
		t.Helper()
		wantIP(t, [2]string{"route show table 10003", "10.1.0.0/24 dev sw1"}, [2]string{"-6 route show table 10003", "fd01::/64 dev sw1"}, [2]string{"addr show sw1", "fd01::1/64"})
		eventually(t, "routes follow carrier", func() bool { return strings.Contains(ip(t, "route show table 10003"), "linkdown") == linkdown })
	}
	kept(true)
	plug(t, "tap1")
	ensure(t, m, vpc("tap1"))
	eventually(t, "the switch is up", func() bool { return ensure(t, m, vpc("tap1")).Switches[0].Up })
	kept(false)
	if s := ensure(t, m, vpc()); s.Switches[0].Up {
		t.Errorf("state: %+v, want it not up", s.Switches[0])
	}
	kept(true)
	wantIP(t, [2]string{"link show tap1", "!master"})
}

// A bad member is named, and the others and the other switches work.
func TestSwitchBadMember(t *testing.T) {
	for _, tt := range []struct{ name, plant, member, want string }{
		{"missing", "link set lo up", "tap9", "switch sw1: member tap9: does not exist on this host"},
		{"enslaved", "link add tap9 master other type veth peer name p-tap9", "tap9", "member tap9: is enslaved to other, which is not ours"},
		{"ours", "link set lo up", "eth1.100", "member eth1.100: is a device that vbrd made for a router"},
		{"not a bridge port", "link set lo up", "lo", "member lo: put into the bridge"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := inNamespace(t)
			ensure(t, m, acme())
			ip(t, "link add other type bridge")
			ip(t, tt.plant)
			plug(t, "tap1", "tap2")
			before := ip(t, "link")
			r := vpc(tt.member, "tap1")
			r.Switches = append(r.Switches, Switch{Device: "sw2", Ports: []string{"tap2"}})
			s, err := m.Ensure(r)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error: %v, want %q", err, tt.want)
			}
			if len(s.Switches) != 2 || s.Switches[0].Index == 0 || s.Switches[1].Index == 0 {
				t.Errorf("state: %+v", s.Switches)
			}
			wantIP(t, [2]string{"link show tap1", "master sw1"}, [2]string{"link show tap2", "master sw2"}, [2]string{"addr show sw1", "10.1.0.1/24"})
			if strings.Contains(before, tt.member+"@") {
				wantIP(t, [2]string{"link show " + tt.member, "!master sw1"})
			}
		})
	}
}

func TestSwitchNameClash(t *testing.T) {
	m := inNamespace(t)
	ip(t, "link add sw1 type bridge")
	before := ip(t, "-d link show sw1")
	if s, err := m.Ensure(vpc()); !errors.Is(err, ErrNotOurs) || s.VRF.Index == 0 {
		t.Errorf("%+v: %v", s, err)
	}
	if diff := cmp.Diff(before, ip(t, "-d link show sw1")); diff != "" {
		t.Errorf("sw1 was touched (-before +after):\n%s", diff)
	}
}

// Members outlive the switch, whichever way it goes.
func TestSwitchGoesAndMembersStay(t *testing.T) {
	for name, remove := range map[string]func(*Manager) error{
		"remove":  func(m *Manager) error { return m.Remove(vpc("tap1")) },
		"prune":   func(m *Manager) error { r := vpc(); r.Switches = nil; return m.Prune(r, nil) },
		"cleanup": func(m *Manager) error { _, err := m.Cleanup(); return err },
	} {
		t.Run(name, func(t *testing.T) {
			m := inNamespace(t)
			plug(t, "tap1")
			ip(t, "addr add 198.51.100.1/24 dev tap1")
			ip(t, "link add other type bridge")
			ensure(t, m, vpc("tap1"))
			if err := remove(m); err != nil {
				t.Fatal(err)
			}
			wantIP(t, [2]string{"link", "!sw1"}, [2]string{"link", "other:"}, [2]string{"addr show tap1", "198.51.100.1/24"}, [2]string{"link show tap1", "!master"})
		})
	}
}
