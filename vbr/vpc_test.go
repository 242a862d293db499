package vbr

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/openvbr/openvbr/bgp/evpn"
	"github.com/openvbr/openvbr/vbr/rib"
)

// A VTEP is taught once, again after it changed its MAC, and again when an inspection asks for it.
func TestLessons(t *testing.T) {
	s := newScene(t)
	r := s.router("acme", 5001)
	s.b.attach(r, r.vpc...)
	route := s.route(gw1, "10.100.0.0/16", 5001)
	lessons := func() []lesson {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.lessons()
	}
	s.announce(rr1, route)
	want := []lesson{{100, gw1, route.RouterMAC, false}}
	equal := cmp.Comparer(func(a, b lesson) bool { return a == b })
	if diff := cmp.Diff(want, lessons(), equal); diff != "" {
		t.Errorf("first (-want +got):\n%s", diff)
	}
	s.announce(rr1, s.route(gw1, "10.101.0.0/16", 5001))
	if got := lessons(); len(got) != 0 {
		t.Errorf("second route to a known VTEP: %v", got)
	}
	r.teachAgain()
	want[0].again = true
	if diff := cmp.Diff(want, lessons(), equal); diff != "" {
		t.Errorf("again (-want +got):\n%s", diff)
	}
	route.RouterMAC = evpn.MAC{2, 0, 0, 0, 0, 7}
	s.announce(rr1, route)
	want = []lesson{{100, gw1, route.RouterMAC, false}}
	if diff := cmp.Diff(want, lessons(), equal); diff != "" {
		t.Errorf("new MAC (-want +got):\n%s", diff)
	}
	s.withdraw(rr1, route, s.route(gw1, "10.101.0.0/16", 5001))
	r.teachAgain()
	if got := lessons(); len(got) != 0 {
		t.Errorf("a VTEP without routes: %v", got)
	}
}

// A gateway with another VNI is a line in the log, however often it announces however much; so are many gateways no more than so many lines.
func TestOtherVNIIsSaidOnce(t *testing.T) {
	s := newScene(t)
	acme := s.router("acme", 5001)
	s.b.attach(acme, acme.vpc...)
	for i := range 300 {
		r := s.route(netip.AddrFrom4([4]byte{10, 0, byte(i / 100), byte(i % 100)}), "10.100.0.0/16", 5001)
		r.VNI = 7777
		s.announce(rr1, r)
		r.Prefix = netip.MustParsePrefix("10.101.0.0/16")
		s.announce(rr1, r)
		if want, n := min(i+1, 64), strings.Count(s.log.String(), "another VNI"); n != want {
			t.Fatalf("%d gateways: %d lines in the log, want %d", i+1, n, want)
		}
	}
	s.want(acme)
}

// Whatever comes, the references of a VTEP are the paths in the rib that lead to it.
func TestVTEPReferencesProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newScene(t)
		r := s.router("acme", 5001)
		s.b.attach(r, r.vpc...)
		prefixes := []string{"10.100.0.0/16", "10.101.0.0/16", "2001:db8:100::/48"}
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			peer := rapid.SampledFrom([]netip.Addr{rr1, rr2}).Draw(rt, "peer")
			route := s.route(gw1, rapid.SampledFrom(prefixes).Draw(rt, "prefix"), rapid.SampledFrom([]uint32{5001, 5001, 5999}).Draw(rt, "target"))
			route.NextHop = rapid.SampledFrom([]netip.Addr{gw1, gw2, ourVTEP}).Draw(rt, "VTEP")
			route.VNI = rapid.SampledFrom([]uint32{5001, 5001, 7777}).Draw(rt, "VNI")
			if rapid.Bool().Draw(rt, "withdraw") {
				s.withdraw(peer, route)
			} else {
				s.announce(peer, route)
			}
			want := map[netip.Addr]int{}
			for _, p := range prefixes {
				for _, path := range r.rib.Lookup(netip.MustParsePrefix(p)) {
					want[path.Attrs.NextHop.Unmap()]++
				}
			}
			for a, v := range r.vpc[0].vteps {
				if v.refs != want[a] {
					rt.Fatalf("%v has %d references and %d paths", a, v.refs, want[a])
				}
				delete(want, a)
			}
			if len(want) > 0 {
				rt.Fatalf("paths lead to VTEPs not known: %v", want)
			}
		}
	})
}

// A customer's prefix goes out once for each router interface, with that interface's RD, route target, VNI and MAC.
func TestOutbox(t *testing.T) {
	s := newScene(t)
	r := s.router("acme", 5001, 5003)
	for i := range r.spec.ris {
		ri := &r.spec.ris[i]
		ri.rd, ri.mac = routeDistinguisher(ourVTEP, uint16(i+1)), routerMAC(ourVTEP, ri.vni)
	}
	p := netip.MustParsePrefix("172.16.1.0/24")
	a := rib.Announcement{Prefix: p, Source: &rib.Source{Kind: rib.BGP}, Announce: &rib.Attrs{
		ASPath: []rib.Segment{{Type: rib.ASSequence, ASNs: []uint32{65001, 65009}}, {Type: rib.ASConfedSequence, ASNs: []uint32{1}}, {Type: rib.ASSet, ASNs: []uint32{7, 8}}},
		MED:    7, HasMED: true, Communities: []uint32{1 << 16},
	}}
	out := make(outbox)
	for i := range r.spec.ris {
		ri := &r.spec.ris[i]
		out.tell(s.host.far(ri), r.route(ri, a))
		out.takeBack(s.host.far(ri), evpn.Key{RD: ri.rd, Prefix: p})
	}
	routes, keys := out[s.b].gained, out[s.b].lost
	if len(routes) != 2 || len(keys) != 2 {
		t.Fatalf("%d routes, %d keys", len(routes), len(keys))
	}
	for i, got := range routes {
		ri := r.spec.ris[i]
		want := evpn.Route{
			Key: evpn.Key{RD: ri.rd, Prefix: p}, NextHop: ourVTEP, VNI: ri.vni, RouterMAC: evpn.MAC(ri.mac), Targets: []evpn.RouteTarget{ri.target},
			ASPath: []uint32{65001, 65009, 7, 8}, MED: 7, HasMED: true, Communities: []uint32{1 << 16},
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("route %d (-want +got):\n%s", i, diff)
		}
		if keys[i] != got.Key {
			t.Errorf("key %d: %v, want %v", i, keys[i], got.Key)
		}
	}
}
