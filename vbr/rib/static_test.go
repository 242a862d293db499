package rib

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// first lists the names of the sources in the equal-cost set, and why the others are not in it.
func first(tab *Table, p netip.Prefix) (best []string, lost map[string]string) {
	lost = make(map[string]string)
	for _, x := range tab.Lookup(p) {
		switch {
		case x.Best:
			best = append(best, x.Source.Name)
		case x.Lost != nil:
			lost[x.Source.Name] = x.Lost.String()
		default:
			lost[x.Source.Name] = x.Verdict.String()
		}
	}
	slices.Sort(best)
	return best, lost
}

// Static routes of the lowest priority share the traffic by weight, the next ones are their backup, and all beat what is learned.
func TestStatic(t *testing.T) {
	tab, p := New(testRules()), pfx("172.16.0.0/16")
	link := []netip.Prefix{pfx("10.0.0.0/30")}
	static := func(name string, priority, weight uint16, s Source) SourceID {
		s.Kind, s.Name = Static, name
		id := tab.AddSource(s)
		tab.Announce(id, 0, &Attrs{NextHop: addr("10.0.0.2"), Priority: priority, Weight: weight}, p)
		return id
	}
	peer, ri := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30")), tab.AddSource(vpcSide())
	tab.Announce(peer, 0, via("10.0.0.2", 65001), p)
	tab.Announce(ri, 0, via("192.0.2.2"), p)
	a := static("a", 10, 3, Source{Device: 1, Subnets: link})
	b := static("b", 10, 1, Source{Device: 2, OnLink: true, Interface: "ri-acme", Subnets: nil})
	static("c", 20, 0, Source{Device: 3})
	tab.AddSource(Source{Kind: Connected, Name: "line"})

	best, lost := first(tab, p)
	const kind = " (connected, then static, then router interfaces, then BGP)"
	want := map[string]string{
		"c": "priority 20 against 10 (lower, of static routes)", "ri-acme": "source router-interface against static" + kind, "10.0.0.2": "vpc-prefix",
	}
	if diff := cmp.Diff(want, lost); diff != "" || !slices.Equal(best, []string{"a", "b"}) {
		t.Errorf("best %v, lost (-want +got):\n%s", best, diff)
	}
	kernel := map[netip.Prefix]*Hops{}
	drain(tab, kernel)
	hops := &Hops{
		Primary: []NextHop{{Gateway: addr("10.0.0.2"), Device: 1, Weight: 3}, {Gateway: addr("10.0.0.2"), Device: 2, OnLink: true, Weight: 1}},
		Backup:  []NextHop{{Gateway: addr("10.0.0.2"), Device: 3}},
	}
	if diff := cmp.Diff(hops, kernel[p], ignoreShared); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	tab.RemoveSource(b)
	tab.SetLinkUp(a, false)
	if best, _ := first(tab, p); !slices.Equal(best, []string{"c"}) {
		t.Errorf("with the first two gone: %v", best)
	}
}

func TestStaticNextHop(t *testing.T) {
	for _, tt := range []struct {
		name, nextHop, prefix string
		onLink                bool
		want                  Verdict
	}{
		{"OK", "10.0.0.2", "172.16.0.0/16", false, Accepted},
		{"OK a default route", "10.0.0.2", "0.0.0.0/0", false, Accepted},
		{"OK IPv6", "fd00::2", "2001:db8::/32", false, Accepted},
		{"OK by a router interface", "192.0.2.2", "172.16.0.0/16", true, Accepted},
		{"OK IPv6 by a router interface", "::ffff:192.0.2.2", "2001:db8::/32", true, Accepted},
		{"bad: off the link", "10.9.0.2", "172.16.0.0/16", false, RejectedNextHop},
		{"bad: our own", "10.0.0.1", "172.16.0.0/16", false, RejectedOwnNextHop},
		{"bad: IPv6 over IPv4", "10.0.0.2", "2001:db8::/32", false, RejectedNextHop},
	} {
		tab := New(testRules())
		id := tab.AddSource(Source{Kind: Static, Name: "s", Device: 1, OnLink: tt.onLink, Subnets: []netip.Prefix{pfx("10.0.0.0/30"), pfx("fd00::/126")}, Own: []netip.Addr{addr("10.0.0.1")}})
		tab.Announce(id, 0, &Attrs{NextHop: addr(tt.nextHop)}, pfx(tt.prefix))
		if got := tab.Lookup(pfx(tt.prefix))[0]; got.Verdict != tt.want || (got.Reason == "") != (tt.want == Accepted) {
			t.Errorf("%s: %v, %q", tt.name, got.Verdict, got.Reason)
		}
	}
}

func TestTypes(t *testing.T) {
	for kind, want := range map[Kind]string{Connected: "System", Static: "Custom", BGP: "BGP", RouterInterface: "BGP"} {
		if got := (&Source{Kind: kind}).Type(); got != want {
			t.Errorf("%v: %s", kind, got)
		}
	}
}

// A source that steps back is a backup of its kind at once, yet before other kinds, and comes back at once.
func TestDemote(t *testing.T) {
	tab, kernel := New(testRules()), map[netip.Prefix]*Hops{}
	p, alone := pfx("10.100.0.0/16"), pfx("10.101.0.0/16")
	x := tab.AddSource(Source{Kind: RouterInterface, Name: "ri-x", Device: 8, OnLink: true})
	y := tab.AddSource(Source{Kind: RouterInterface, Name: "ri-y", Device: 9, OnLink: true})
	peer := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
	good := via("192.0.2.2")
	good.LocalPref, good.HasLocalPref = 200, true
	tab.Announce(x, 0, good, p, alone)
	tab.Announce(y, 0, via("192.0.2.3"), p)
	tab.Announce(peer, 0, via("10.0.0.2", 65001), alone)
	hopX, hopY := NextHop{Gateway: addr("192.0.2.2"), Device: 8, OnLink: true}, NextHop{Gateway: addr("192.0.2.3"), Device: 9, OnLink: true}
	want := func(primary, backup NextHop) {
		t.Helper()
		drain(tab, kernel)
		if diff := cmp.Diff(&Hops{Primary: []NextHop{primary}, Backup: []NextHop{backup}}, kernel[p], ignoreShared); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := kernel[alone]; len(got.Primary) != 1 || got.Primary[0] != hopX {
			t.Errorf("a prefix that none other of its kind offers: %+v", got)
		}
	}
	want(hopX, hopY)
	tab.Demote(x, true)
	want(hopY, hopX)
	const why = "source stepped back against in good standing (one that steps back, because its health check fails, loses to all others of its kind)"
	if _, lost := first(tab, p); lost["ri-x"] != why {
		t.Errorf("lost by %q", lost["ri-x"])
	}
	if c := tab.Counts(x); c.Accepted != 2 {
		t.Errorf("counts: %+v", c)
	}
	tab.Demote(x, true)
	tab.Demote(y, true)
	want(hopX, hopY)
	tab.Demote(x, false)
	tab.Demote(y, false)
	tab.Demote(99, true)
	want(hopX, hopY)
}

func TestTrail(t *testing.T) {
	own := Trail(64512, "eu", "vbr-acme")
	if !IsTrail(own) || own == Trail(64512, "us", "vbr-acme") || own == Trail(64512, "eu", "vbr-acm") || own[0] != 64512 {
		t.Errorf("mark %v", own)
	}
	other := func(i int) [3]uint32 { return Trail(64512, "eu", string(rune('a'+i))) }
	var eight [][3]uint32
	for i := range MaxTrail {
		eight = append(eight, other(i))
	}
	elsewhere := [3]uint32{65000, own[1], own[2]}
	rules := testRules()
	rules.Trail = own
	for _, tt := range []struct {
		name string
		kind Kind
		list [][3]uint32
		want Verdict
	}{
		{"OK none", RouterInterface, nil, Accepted},
		{"OK eight others, and another community", RouterInterface, append([][3]uint32{{64512, 1, own[2]}}, eight...), Accepted},
		{"bad: nine others", RouterInterface, append([][3]uint32{other(9)}, eight...), RejectedTransitTooLong},
		{"bad: us", RouterInterface, [][3]uint32{other(1), own}, RejectedTransitLoop},
		{"bad: us, by another backbone's AS", RouterInterface, [][3]uint32{elsewhere}, RejectedTransitLoop},
		{"OK a customer's is no trail", BGP, [][3]uint32{own}, Accepted},
	} {
		tab := New(rules)
		s := vpcSide()
		if tt.kind == BGP {
			s = customer("10.0.0.2", 1, "10.0.0.0/30")
		}
		a := via("10.0.0.2", 65001)
		a.LargeCommunities = tt.list
		tab.Announce(tab.AddSource(s), 0, a, pfx("172.16.0.0/16"))
		if got := tab.Lookup(pfx("172.16.0.0/16"))[0]; got.Verdict != tt.want || (got.Reason == "") != (tt.want == Accepted) {
			t.Errorf("%s: %v, %q", tt.name, got.Verdict, got.Reason)
		}
	}
	mixed := [][3]uint32{own, {1, 2, 3}, elsewhere}
	if got := WithoutTrail(mixed); !slices.Equal(got, [][3]uint32{{1, 2, 3}}) || mixed[0] != own {
		t.Errorf("stripped %v, left %v", got, mixed)
	}
}
