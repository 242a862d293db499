package vbr

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/evpn"
	"github.com/openvbr/openvbr/vbr/rib"
)

// The same route from two reflectors is one path; it is gone when both have withdrawn it.
func TestTwoReflectors(t *testing.T) {
	s := newScene(t)
	acme := s.router("acme", 5001)
	s.b.attach(acme, acme.vpc...)
	r := s.route(gw1, "10.100.0.0/16", 5001)
	s.announce(rr1, r)
	s.announce(rr2, r)
	s.announce(rr2, r) // again: no second reference
	one := "10.100.0.0/16 via 192.0.2.11 on 100"
	s.want(acme, one)
	s.wantRefs(acme, map[netip.Addr]int{gw1: 1})
	again := s.router("acme", 5001) // its next life
	s.b.attach(again, again.vpc...)
	s.want(again, one)
	if s.b.received[rr1] != 1 || s.b.received[rr2] != 1 {
		t.Errorf("received: %v", s.b.received)
	}
	s.withdraw(rr1, r)
	s.withdraw(rr1, r) // again: no harm
	s.want(acme, one)
	s.announce(rr1, r)
	s.b.PeerState(state(rr2, true, 0))
	s.b.PeerState(state(rr2, false, 0))
	s.want(acme, one)
	s.withdraw(rr1, r)
	s.want(acme)
	s.wantRefs(acme, map[netip.Addr]int{gw1: 0})
	if len(s.b.paths) != 0 || s.b.received[rr1] != 0 || s.b.received[rr2] != 0 {
		t.Errorf("left: %d paths, received %v", len(s.b.paths), s.b.received)
	}
}

// Two gateways with one prefix are two paths, however many reflectors tell of each.
func TestTwoReflectorsTwoGateways(t *testing.T) {
	s := newScene(t)
	acme := s.router("acme", 5001)
	s.b.attach(acme, acme.vpc...)
	for _, rr := range []netip.Addr{rr1, rr2} {
		s.announce(rr, s.route(gw1, "10.100.0.0/16", 5001), s.route(gw2, "10.100.0.0/16", 5001))
	}
	s.want(acme, "10.100.0.0/16 via 192.0.2.11 on 100", "10.100.0.0/16 via 192.0.2.12 on 100")
}

// What reflectors say differently is decided: a living one before a restarting one, then LOCAL_PREF, AS_PATH, ORIGIN and MED; of equals, the one in use.
func TestReflectorsDisagree(t *testing.T) {
	for _, tt := range []struct {
		name          string
		first, second func(*evpn.Route)
		restarting    netip.Addr
		want          netip.Addr
	}{
		{"equal", nil, nil, netip.Addr{}, gw1},
		{"LOCAL_PREF", nil, func(r *evpn.Route) { r.LocalPref, r.HasLocalPref = 101, true }, netip.Addr{}, gw2},
		{"its default", func(r *evpn.Route) { r.LocalPref, r.HasLocalPref = 99, true }, nil, netip.Addr{}, gw2},
		{"AS_PATH", func(r *evpn.Route) { r.ASPath = []uint32{65001, 65002} }, nil, netip.Addr{}, gw2},
		{"ORIGIN", func(r *evpn.Route) { r.Origin = 2 }, nil, netip.Addr{}, gw2},
		{"MED", func(r *evpn.Route) { r.MED, r.HasMED = 1, true }, nil, netip.Addr{}, gw2},
		{"worse", nil, func(r *evpn.Route) { r.MED, r.HasMED = 1, true }, netip.Addr{}, gw1},
		{"the first restarts", nil, nil, rr1, gw2},
		{"the second restarts", nil, nil, rr2, gw1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t)
			acme := s.router("acme", 5001)
			s.b.attach(acme, acme.vpc...)
			s.b.PeerState(state(rr1, true, 0))
			s.b.PeerState(state(rr2, true, 0))
			a := s.route(gw1, "10.100.0.0/16", 5001)
			b := a
			b.NextHop = gw2 // tells them apart
			for r, change := range map[*evpn.Route]func(*evpn.Route){&a: tt.first, &b: tt.second} {
				if change != nil {
					change(r)
				}
			}
			s.announce(rr1, a)
			s.announce(rr2, b)
			if tt.restarting.IsValid() {
				s.b.PeerState(state(tt.restarting, false, time.Minute))
			}
			s.want(acme, fmt.Sprintf("10.100.0.0/16 via %v on 100", tt.want))
			refs := map[netip.Addr]int{tt.want: 1}
			if tt.want == gw2 {
				refs[gw1] = 0
			}
			s.wantRefs(acme, refs)
		})
	}
}

// A reflector that restarts costs nothing as long as the other one tells the same: nothing is written to the kernel, and nothing is lost with its stale routes.
func TestReflectorRestarts(t *testing.T) {
	s := newScene(t)
	acme := s.router("acme", 5001)
	s.b.attach(acme, acme.vpc...)
	for _, rr := range []netip.Addr{rr1, rr2} {
		s.b.PeerState(state(rr, true, 0))
		s.announce(rr, s.route(gw1, "10.100.0.0/16", 5001), s.route(gw1, "10.101.0.0/16", 5001))
	}
	both := []string{"10.100.0.0/16 via 192.0.2.11 on 100", "10.101.0.0/16 via 192.0.2.11 on 100"}
	drain := func() (n int) {
		acme.rib.Changes(10, func(c rib.Change) {
			acme.rib.Confirm(c, true)
			n++
		})
		return n
	}
	drain()
	for range 2 {
		s.b.PeerState(state(rr1, false, 30*time.Second))
		s.b.PeerState(state(rr1, true, 0))
		s.announce(rr1, s.route(gw1, "10.100.0.0/16", 5001))
		s.b.EndOfRIB(rr1)
	}
	s.want(acme, both...)
	s.wantRefs(acme, map[netip.Addr]int{gw1: 2})
	if n := drain(); n != 0 {
		t.Errorf("%d changes for the kernel", n)
	}
	s.b.PeerState(state(rr2, false, 0))
	s.want(acme, both[0]) // the restarted one has not said the other again
}
