package vbr

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/bgp/evpn"
	"github.com/openvbr/openvbr/vbr/rib"
)

func TestPreference(t *testing.T) {
	for _, tt := range []struct {
		preference     uint32
		lp, med        uint32
		said           bool
		customerMED    uint32
		customerYields bool
	}{
		{0, 0, 7, false, 0, false},
		{50, 0, 7, false, 0, false},
		{1, 51, 199, true, 199, true},
		{49, 99, 151, true, 151, true},
		{51, 101, 0, true, 0, false},
		{100, 150, 0, true, 0, false},
	} {
		ri := riSpec{name: "ri", preference: tt.preference}
		x := evpn.Route{MED: 7, HasMED: true}
		ri.prefer(&x)
		if x.LocalPref != tt.lp || x.HasLocalPref != tt.said || x.MED != tt.med {
			t.Errorf("%d: LOCAL_PREF %d (%v), MED %d", tt.preference, x.LocalPref, x.HasLocalPref, x.MED)
		}
		s := &spec{asn: 64512, ris: []riSpec{ri}, peers: []peerSpec{{Peer: bgp.Peer{ASN: 65001}}}}
		src := ri.source(9)
		var ad bgp.Advertisement
		s.yield(&ad, s.standby(&src))
		if ad.MED != tt.customerMED || ad.HasMED != tt.customerYields || (ad.Prepend == 3) != tt.customerYields {
			t.Errorf("%d: customers hear %+v", tt.preference, ad)
		}
		s.peers[0].ASN = 64512
		ad = bgp.Advertisement{}
		if s.yield(&ad, s.standby(&src)); ad.MED != tt.customerMED || ad.Prepend != 0 {
			t.Errorf("%d: iBGP customers hear %+v", tt.preference, ad)
		}
	}
}

// What was found on a line at the start is told as a last resort: after the living ones of any preference, and be the router drained with the others.
func TestLastResort(t *testing.T) {
	for _, tt := range []struct{ preference, lp uint32 }{{0, 25}, {1, 1}, {2, 1}, {49, 24}, {50, 25}, {100, 50}} {
		o := newObserved(t)
		ri := o.spec.ris[0]
		ri.preference = tt.preference
		a := rib.Announcement{Prefix: netip.MustParsePrefix("172.20.0.0/16"), Source: &adoptedLine, Announce: &rib.Attrs{}}
		if x := o.route(&ri, a); x.LocalPref != tt.lp || !x.HasLocalPref || x.MED != medBase || !x.HasMED {
			t.Errorf("preference %d: %+v", tt.preference, x)
		}
		o.records.drained.Store(true)
		if x := o.route(&ri, a); x.LocalPref != 0 || !x.HasLocalPref {
			t.Errorf("drained: %+v", x)
		}
		o.records.drained.Store(false)
		for _, src := range []rib.Source{fromPeer, adoptedX} {
			a.Source = &src
			want := evpn.Route{}
			ri.prefer(&want)
			if x := o.route(&ri, a); x.LocalPref != want.LocalPref || x.HasLocalPref != want.HasLocalPref || x.MED != want.MED {
				t.Errorf("%s, preference %d: %+v", src.Name, tt.preference, x)
			}
		}
	}
}

// Until its customer has said it again, explain says how it is told.
func TestExplainLastResort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserved(t)
		o.host.backbone.up[rr1] = true
		id := o.rib.AddSource(adoptedLine)
		o.rib.Announce(id, 0, &rib.Attrs{NextHop: netip.MustParseAddr("10.0.0.2")}, netip.MustParsePrefix("172.20.0.0/16"))
		const want = "told ri-acme true, 0s: as a last resort, without an AS path: it was found"
		o.actFor(200 * time.Millisecond)
		if got := strings.ReplaceAll(o.explain("172.20.0.0/16"), "200ms", "0s"); !strings.Contains(got, want) {
			t.Errorf("%s", got)
		}
		o.up("10.0.0.2")
		o.say("10.0.0.2", "172.20.0.0/16", 65001)
		o.actFor(200 * time.Millisecond)
		if got := o.explain("172.20.0.0/16"); strings.Contains(got, "last resort") || !strings.Contains(got, "told ri-acme true") {
			t.Errorf("said again: %s", got)
		}
	})
}

// What we add differs with the source though the attributes sound alike: then it is told again.
func TestToldAgainForWhatWeAdd(t *testing.T) {
	standby := riY
	standby.preference = 10
	s := &spec{ris: []riSpec{riX, standby, riZ}}
	for _, tt := range []struct {
		name     string
		was, now *rib.Source
		ri       *riSpec
		want     bool
	}{
		{"customers, from x to the standby", &fromX, &fromY, nil, true},
		{"customers, from the standby to z", &fromY, &fromZ, nil, true},
		{"customers, from x to z", &fromX, &fromZ, nil, false},
		{"z, from a line to a static route", &fromLine, &static, &riZ, true},
		{"z, from a peer to a static route", &fromPeer, &static, &riZ, false},
		{"z, from what was found on a line to a peer", &adoptedLine, &fromPeer, &riZ, true},
		{"z, from what was found on a line to that on another", &adoptedLine, &adoptedLine, &riZ, false},
		{"x, from what was found on the device of y to y", &adoptedY, &fromY, &riX, false},
		{"customers, from what was found on the device of x to x", &adoptedX, &fromX, nil, false},
	} {
		if tell, _ := s.turn(&rib.Announcement{Was: tt.was, Source: tt.now, Stands: true}, tt.ri); tell != tt.want {
			t.Errorf("%s: %v", tt.name, tell)
		}
	}
}

// The trail grows by our mark where a route may come back to us; customers neither see nor make one.
func TestTrailOfExports(t *testing.T) {
	o := newObserved(t)
	mark, other := rib.Trail(64500, "", "vbr-acme"), rib.Trail(64500, "", "vbr-other")
	o.spec.rules.Trail = mark
	o.rib.SetRules(o.spec.rules)
	plain := [3]uint32{64500, 1, 2}
	say := func(src *rib.Source, list ...[3]uint32) rib.Announcement {
		return rib.Announcement{Prefix: netip.MustParsePrefix("172.20.0.0/16"), Source: src, Announce: &rib.Attrs{LargeCommunities: list}}
	}
	want := func(what string, got [][3]uint32, want ...[3]uint32) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	for i := range o.spec.ris {
		o.spec.ris[i].mac = routerMAC(gw1, 7)
	}
	want("a lone router interface", o.route(&o.spec.ris[0], say(&fromPeer, plain)).LargeCommunities, plain)
	o.spec.ris = []riSpec{riX, riY}
	for i := range o.spec.ris {
		o.spec.ris[i].mac = routerMAC(gw1, 7)
	}
	y := &o.spec.ris[1]
	want("a peer's", o.route(y, say(&fromPeer, plain)).LargeCommunities, plain, mark)
	want("in transit", o.route(y, say(&fromX, other, plain)).LargeCommunities, other, plain, mark)
	want("a line's", o.route(y, say(&fromLine)).LargeCommunities)
	want("to customers", o.advertisement(say(&fromX, other, plain)).LargeComms, plain)
	want("from customers", customerAttrs(&bgp.Attrs{LargeComms: [][3]uint32{mark, plain}}).LargeCommunities, plain)

	p := netip.MustParsePrefix("10.100.0.0/16")
	vtep := netip.MustParseAddr("192.0.2.11")
	for i, list := range [][][3]uint32{{mark}, {other}} {
		o.offer(o.router.vpc[0], uint32(i), &evpn.Route{Key: evpn.Key{Prefix: p}, VNI: 7, NextHop: vtep, LargeCommunities: list}, nil)
	}
	paths := o.rib.Lookup(p)
	if len(paths) != 2 || paths[0].Verdict != rib.Accepted || paths[1].Verdict != rib.RejectedTransitLoop {
		t.Errorf("paths: %+v", paths)
	}
}

// When transit ends, what was told by it is taken back, and nothing else.
func TestTransitEnds(t *testing.T) {
	o := newObserved(t)
	o.spec.ris = []riSpec{riX, riY, riZ}
	for i := range o.spec.ris {
		o.spec.ris[i].rd[7] = byte(i + 1)
	}
	fromX, p := o.rib.AddSource(riX.source(2)), netip.MustParsePrefix("10.100.0.0/16")
	o.rib.Announce(fromX, 0, &rib.Attrs{NextHop: netip.MustParseAddr("10.0.0.9")}, p)
	o.say("10.0.0.2", "172.20.0.0/16", 65001)
	o.rib.Changes(10, func(c rib.Change) { o.rib.Confirm(c, true) })
	for _, ends := range []int{0, 1} {
		after := &spec{ris: slices.Clone(o.spec.ris)}
		if keys := o.noLonger(after).to(o.host.backbone).lost; len(keys) != 0 {
			t.Errorf("nothing changes, yet taken back: %v", keys)
		}
		after.ris[ends].transit = false
		if keys := o.noLonger(after).to(o.host.backbone).lost; len(keys) != 1 || keys[0] != (evpn.Key{RD: o.spec.ris[1].rd, Prefix: p}) {
			t.Errorf("transit of %s ends: taken back %v", after.ris[ends].name, keys)
		}
	}
}

// A changed preference or transit is told; the router interface stays.
func TestCompareRetold(t *testing.T) {
	before := &spec{ris: []riSpec{riX, riY}}
	for _, tt := range []struct {
		edit func(*riSpec)
		want string
	}{
		{func(ri *riSpec) { ri.transit = false }, "transit changes from true to false"},
		{func(ri *riSpec) { ri.preference = 10 }, "preference changes from 0 to 10"},
	} {
		after := &spec{ris: []riSpec{riX, riY}}
		tt.edit(&after.ris[1])
		d := compare(before, after)
		if d.scope != scopeLive || len(d.risGone)+len(d.risNew) > 0 || len(d.risRetold) != 1 || d.risRetold[0].why != tt.want {
			t.Errorf("%s: %+v", tt.want, d)
		}
	}
}
