package vbr

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/vbr/intent"
)

// birdWith gives the customer's BIRD a configuration with replacements, pairs of old and new.
func (r *running) birdWith(pairs ...string) {
	r.Helper()
	r.write("bird.conf", strings.NewReplacer(pairs...).Replace(customerBIRD))
	run(r.T, "birdc -s "+r.ctl+" configure")
}

// Roles (RFC 9234) with a real BIRD. What says that it is not for us is rejected, and only from a peer towards which we have a role. A peer that
// requires our role gets it; one with the wrong role is refused, and so is one without when ours is strict.
func TestRoles(t *testing.T) {
	r := newRunning(t)
	all := []string{"172.16.1.0/24", "172.16.2.0/24", "2001:db8:1::/64"}
	const leaks = "export filter { if source != RTS_STATIC then reject; if net = 172.16.2.0/24 then bgp_otc = 64500; accept; };"
	export := "export where source = RTS_STATIC;"

	r.birdWith("neighbor 10.0.0.1 as 45104; ipv4 { import none; "+export, "neighbor 10.0.0.1 as 45104; ipv4 { import none; "+leaks)
	r.wantOurs(20*time.Second, all...)
	role := r.edited("peer_ip_address: 10.0.0.2, ", "peer_ip_address: 10.0.0.2, local_role: provider, ")
	r.apply(role, "SESSION_RESET 10.0.0.2 disruptive routes=2: resets: local_role changes from none to provider")
	r.wantUps(customer4, 2)
	r.wantOurs(20*time.Second, all[0], all[2])
	told := strings.Join(reasonsOf(t, r, "172.16.2.9"), "\n")
	if !strings.Contains(told, "ONLY_TO_CUSTOMER") {
		t.Errorf("explain does not say why:\n%s", told)
	}

	r.birdWith("connect delay time 1;", "connect delay time 1; local role customer;")
	r.wantUps(customer4, 3)
	r.wantOurs(20*time.Second, all...) // they no longer carry the attribute
	r.wantRole("customer")

	r.birdWith("connect delay time 1;", "connect delay time 1; local role customer; require roles on;")
	r.wantUps(customer4, 4)
	r.wantRole("customer")

	r.birdWith("connect delay time 1;", "connect delay time 1; local role peer;")
	r.wantRefused()
	r.birdWith("connect delay time 1;", "connect delay time 1; local role customer;")
	r.wantUps(customer4, 5)
	r.wantOurs(20*time.Second, all...)

	strict := r.edited("peer_ip_address: 10.0.0.2, ", "peer_ip_address: 10.0.0.2, local_role: provider, local_role_strict: true, ")
	r.apply(strict, "SESSION_RESET 10.0.0.2 disruptive routes=2: resets: local_role_strict changes")
	r.wantUps(customer4, 6)
	r.birdWith()
	r.wantRefused()
}

// wantRole waits until the customer's IPv4 session tells its role.
func (r *running) wantRole(want string) {
	r.Helper()
	eventually(r.T, 10*time.Second, "role "+want, func() error {
		for _, s := range r.host.Sessions("vbr-acme") {
			if s.GetPeerIpAddress() == customer4.String() && s.GetPeerRole() == want {
				return nil
			}
		}
		return errors.New("not told")
	})
}

// wantRefused waits until both ends say that the roles do not match.
func (r *running) wantRefused() {
	r.Helper()
	eventually(r.T, 20*time.Second, "a role mismatch", func() error {
		out := run(r.T, "birdc -s "+r.ctl+" show protocols all edge4")
		if !strings.Contains(out, "Role mismatch") || strings.Contains(out, "Established") {
			return errors.New(out)
		}
		for _, s := range r.host.Sessions("vbr-acme") {
			if s.GetPeerIpAddress() == customer4.String() && strings.Contains(s.GetLastError(), "role mismatch") {
				return nil
			}
		}
		return errors.New("nothing of it here")
	})
}

// reasonsOf is what explain says of a destination's paths.
func reasonsOf(t *testing.T, r *running, destination string) (all []string) {
	t.Helper()
	e, err := r.host.Explain("vbr-acme", destination)
	if err != nil {
		t.Fatal(err)
	}
	return append(all, e.String())
}

// What a peer is told carries our AS as ONLY_TO_CUSTOMER when towards it we have a role (RFC 9234 5), and nothing otherwise.
func TestRoleOnTheWayOut(t *testing.T) {
	p := func(address, role string) peerSpec {
		a := netip.MustParseAddr(address)
		return peerSpec{Peer: bgp.Peer{Address: a, IPv4: a.Is4(), IPv6: a.Is6()}, rules: peerRules{PeerRules: intent.PeerRules{Role: role}}}
	}
	s := &spec{asn: 45104, peers: []peerSpec{p("10.0.0.2", ""), p("10.0.0.6", intent.RoleProvider), p("10.0.0.10", intent.RolePeer), p("fd00::2", "")}}
	var x exporter
	otc := func(peer int) uint32 {
		return x.way(s.peers[peer].IPv6, s.bgpPeers()[peer].Export).otc
	}
	x.take(s)
	for peer, want := range []uint32{0, 45104, 45104, 0} {
		if got := otc(peer); got != want {
			t.Errorf("%s: ONLY_TO_CUSTOMER %d, want %d", s.peers[peer].Address, got, want)
		}
	}
	if n := len(x.ways[0]); n != 2 || len(x.ways[1]) != 1 {
		t.Errorf("%d and %d ways, want 2 and 1: those with the same share one", n, len(x.ways[1]))
	}
	s.peers[1].rules.Role = ""
	if x.take(s); otc(1) != 0 {
		t.Error("the attribute outlives the role")
	}
}
