package vbr

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openvbr/openvbr/bgp/evpn"
)

func TestPresenceProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := presence{
			version: uint16(rapid.IntRange(0, 65535).Draw(rt, "version")), accepting: rapid.Bool().Draw(rt, "accepting"),
			deactivated: rapid.Bool().Draw(rt, "deactivated"), digest: rapid.Uint64().Draw(rt, "digest"),
		}
		list := p.communities()
		list = append(list, [3]uint32{64500, 1, rapid.Uint32().Draw(rt, "other")})
		list = rapid.Permutation(list).Draw(rt, "order")
		if got, ok := parsePresence(list); !ok || got != p {
			rt.Fatalf("%v: %+v, %v; want %+v", list, got, ok, p)
		}
		i := slices.IndexFunc(list, func(c [3]uint32) bool { return c[0] == presenceAdmin })
		if _, ok := parsePresence(slices.Delete(slices.Clone(list), i, i+1)); ok {
			rt.Fatalf("%v is taken without %v", list, list[i])
		}
		if _, ok := parsePresence(append(slices.Clone(list), list[i])); ok {
			rt.Fatalf("%v is taken with %v twice", list, list[i])
		}
	})
}

// twoEnds are those of a pair over the backbone.
func twoEnds(t *testing.T) (a, b riSpec) {
	a = riSpec{name: "ri-line", owner: "acme", opposite: "ri-vpc", oppositeOwner: "shop", vni: 5001, target: target(t, 5001)}
	b = riSpec{name: "ri-vpc", owner: "shop", opposite: "ri-line", oppositeOwner: "acme", accepting: true, vni: 5001, target: target(t, 5001)}
	return a, b
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(a, b *riSpec)
		want riOpposite
		why  string
	}{
		{"OK", func(a, b *riSpec) {}, oppositePresent, ""},
		{"OK deactivated", func(a, b *riSpec) { b.deactivated = true }, oppositeDeactivated, ""},
		{"bad owner", func(a, b *riSpec) { b.owner = "other" }, oppositeRefused, "another interface uses route target 64600:5001"},
		{"bad expected owner", func(a, b *riSpec) { b.oppositeOwner = "other" }, oppositeRefused, `expected is ri-vpc of owner "shop"`},
		{"bad name", func(a, b *riSpec) { b.name = "ri-other" }, oppositeRefused, "another interface"},
		{"bad opposite", func(a, b *riSpec) { b.opposite = "ri-other" }, oppositeRefused, "another interface"},
		{"bad role", func(a, b *riSpec) { b.accepting = false }, oppositeRefused, "same role"},
		{"bad boundary", func(a, b *riSpec) { b.name, b.owner = "ri-vpcs", "hop" }, oppositeRefused, "another interface"},
	} {
		a, b := twoEnds(t)
		tt.edit(&a, &b)
		if got, why := a.judge(b.presence()); got != tt.want || !strings.Contains(why, tt.why) {
			t.Errorf("%s: %d, %q", tt.name, got, why)
		}
	}
	a, b := twoEnds(t)
	p := b.presence()
	p.version++
	if got, why := a.judge(p); got != oppositeRefused || !strings.Contains(why, "version 2") {
		t.Errorf("another version: %d, %q", got, why)
	}
}

// A presence never enters a rib; it moves the state, whoever reflects it, and goes with the last path.
func TestPresenceArrives(t *testing.T) {
	s := newScene(t)
	r := s.router("vbr", 5001)
	a, b := twoEnds(t)
	v := r.vpc[0]
	v.ri, r.spec.ris[0] = a, a
	s.b.attach(r, v)
	b.rd, b.mac = routeDistinguisher(gw1, 1), routerMAC(gw1, 5001)
	say := func(ri riSpec) evpn.Route {
		p := s.route(gw1, presencePrefix.String(), 5001)
		p.LargeCommunities = ri.presence().communities()
		return p
	}
	s.announce(rr1, say(b))
	s.announce(rr2, say(b))
	if o, why := v.opposite(); o != oppositePresent || !r.unsettled || r.rib.Len() != 0 {
		t.Errorf("present: %d %q, unsettled %v, %d routes", o, why, r.unsettled, r.rib.Len())
	}
	if ms := r.meetings(); len(ms) != 1 || ms[0].addr != v.ri.far {
		t.Errorf("meetings: %v", ms)
	}
	s.withdraw(rr1, say(b))
	if o, _ := v.opposite(); o != oppositePresent {
		t.Errorf("one of two reflectors is enough: %d", o)
	}
	b.deactivated = true
	s.announce(rr2, say(b))
	if o, _ := v.opposite(); o != oppositeDeactivated {
		t.Errorf("deactivated: %d", o)
	}
	s.withdraw(rr2, say(b))
	if o, why := v.opposite(); o != oppositeAbsent || !strings.Contains(why, "ri-vpc has not shown up") {
		t.Errorf("gone: %d %q", o, why)
	}
	if n := v.vteps[gw1].refs; n != 0 {
		t.Errorf("the VTEP has %d references", n)
	}
}
