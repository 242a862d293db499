package rib

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func addr(s string) netip.Addr  { return netip.MustParseAddr(s) }

// testRules are those of a VBR on two links.
func testRules() Rules {
	return Rules{
		LocalASNs: []uint32{45104},
		Links:     []netip.Prefix{pfx("10.0.0.0/30"), pfx("10.0.1.0/30"), pfx("fd00::/126")},
		Backbone:  []netip.Prefix{pfx("192.0.2.0/24")},
	}
}

func customer(name string, device int, subnets ...string) Source {
	s := Source{Kind: BGP, Name: name, Address: addr(name), RouterID: addr(name), ASN: 65001, Device: device}
	for _, p := range subnets {
		s.Subnets = append(s.Subnets, pfx(p))
	}
	return s
}

func vpcSide() Source {
	return Source{Kind: RouterInterface, Name: "ri-acme", Device: 9, OnLink: true}
}

func via(nextHop string, path ...uint32) *Attrs {
	return &Attrs{NextHop: addr(nextHop), ASPath: []Segment{{Type: ASSequence, ASNs: path}}}
}

// drain applies all changes to a pretended kernel that refuses nothing.
func drain(t *Table, kernel map[netip.Prefix]*Hops) []Announcement {
	var said []Announcement
	for {
		var batch []Change
		waiting := t.Changes(3, func(c Change) { batch = append(batch, c) })
		for _, c := range batch {
			if c.Hops == nil {
				delete(kernel, c.Prefix)
			} else {
				kernel[c.Prefix] = c.Hops
			}
			if a := t.Confirm(c, true); a.Any() {
				said = append(said, a)
			}
		}
		if waiting == 0 && t.Deferred() == 0 {
			return said
		}
		if waiting == 0 {
			t.NextWindow()
		}
	}
}

func TestVerdicts(t *testing.T) {
	looped := via("10.0.0.2", 65001, 45104)
	for _, tt := range []struct {
		name   string
		attrs  *Attrs
		prefix string
		want   Verdict
	}{
		{"OK", via("10.0.0.2", 65001), "172.16.1.0/24", Accepted},
		{"OK covers link subnet", via("10.0.0.2", 65001), "10.0.0.0/8", Accepted},
		{"OK IPv6", via("fd00::2", 65001), "2001:db8:1::/64", Accepted},
		{"OK IPv4 via IPv6 (RFC 8950)", via("fd00::2", 65001), "172.16.1.0/24", Accepted},
		{"OK third party on link", via("fd00::3", 65001), "2001:db8:1::/64", Accepted},
		{"bad IPv6 via IPv4", via("10.0.0.2", 65001), "2001:db8:1::/64", RejectedNextHop},
		{"bad link subnet", via("10.0.0.2", 65001), "10.0.0.0/30", RejectedLinkSubnet},
		{"bad other link's host", via("10.0.0.2", 65001), "10.0.1.1/32", RejectedLinkSubnet},
		{"bad link subnet IPv6", via("fd00::2", 65001), "fd00::/126", RejectedLinkSubnet},
		{"bad VPC", via("10.0.0.2", 65001), "10.100.0.0/16", RejectedVPC},
		{"bad part of VPC", via("10.0.0.2", 65001), "10.100.7.0/24", RejectedVPC},
		{"bad VPC IPv6", via("fd00::2", 65001), "2001:db8:100:1::/64", RejectedVPC},
		{"OK covers VPC", via("10.0.0.2", 65001), "10.96.0.0/12", Accepted},
		{"bad backbone", via("10.0.0.2", 65001), "192.0.2.128/25", RejectedBackbone},
		{"bad default", via("10.0.0.2", 65001), "0.0.0.0/0", RejectedDefault},
		{"bad default IPv6", via("fd00::2", 65001), "::/0", RejectedDefault},
		{"bad this network", via("10.0.0.2", 65001), "0.1.0.0/16", RejectedMartian},
		{"bad loopback", via("10.0.0.2", 65001), "127.0.0.0/8", RejectedMartian},
		{"bad link-local", via("10.0.0.2", 65001), "169.254.7.0/24", RejectedMartian},
		{"bad multicast", via("10.0.0.2", 65001), "224.0.0.0/4", RejectedMartian},
		{"bad reserved", via("10.0.0.2", 65001), "240.0.0.0/4", RejectedMartian},
		{"bad broadcast", via("10.0.0.2", 65001), "255.255.255.255/32", RejectedMartian},
		{"bad loopback IPv6", via("fd00::2", 65001), "::1/128", RejectedMartian},
		{"bad mapped", via("fd00::2", 65001), "::ffff:0:0/96", RejectedMartian},
		{"bad link-local IPv6", via("fd00::2", 65001), "fe80::/10", RejectedMartian},
		{"bad site-local IPv6", via("fd00::2", 65001), "fec0:1::/32", RejectedMartian},
		{"bad multicast IPv6", via("fd00::2", 65001), "ff02::/16", RejectedMartian},
		{"bad next hop", via("10.0.0.9", 65001), "172.16.1.0/24", RejectedNextHop},
		{"bad link-local next hop of IPv4", via("169.254.7.2", 65001), "172.16.1.0/24", RejectedNextHop},
		{"bad next hop on the other line", via("10.0.1.2", 65001), "172.16.1.0/24", RejectedNextHop},
		{"bad next hop is us", via("10.0.0.1", 65001), "172.16.1.0/24", RejectedOwnNextHop},
		{"bad loop", looped, "172.16.1.0/24", RejectedASLoop},
		{"bad first AS", via("10.0.0.2", 65009), "172.16.1.0/24", RejectedFirstAS},
		{"bad empty path", via("10.0.0.2"), "172.16.1.0/24", RejectedFirstAS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tab := New(testRules())
			c := customer("10.0.0.2", 1, "10.0.0.0/30", "fd00::/126")
			c.Own = []netip.Addr{addr("10.0.0.1"), addr("fd00::1")}
			id := tab.AddSource(c)
			ri := tab.AddSource(vpcSide())
			tab.Announce(ri, 0, via("192.0.2.2"), pfx("10.100.0.0/16"))
			tab.Announce(ri, 0, via("::ffff:192.0.2.2"), pfx("2001:db8:100::/48"))
			tab.Announce(id, 0, tt.attrs, pfx(tt.prefix))
			drain(tab, map[netip.Prefix]*Hops{})
			var got Verdict
			for _, p := range tab.Lookup(pfx(tt.prefix)) {
				if p.Source.Kind == BGP {
					got = p.Verdict
				}
			}
			if got != tt.want {
				t.Errorf("verdict on %s: %v, want %v", tt.prefix, got, tt.want)
			}
			if n := tab.Counts(id); tt.want == Accepted && n.Accepted != 1 || tt.want != Accepted && n.Rejected[tt.want] != 1 {
				t.Errorf("counts: %+v", n)
			}
		})
	}
}

// A VPC prefix that comes later takes the customer's route back, and one that goes gives it back.
func TestVPCPrefixComesAndGoes(t *testing.T) {
	tab, kernel := New(testRules()), map[netip.Prefix]*Hops{}
	id := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
	ri := tab.AddSource(vpcSide())
	tab.Announce(id, 0, via("10.0.0.2", 65001), pfx("10.100.7.0/24"))
	drain(tab, kernel)
	if len(kernel) != 1 {
		t.Fatalf("before: %v", kernel)
	}
	tab.Announce(ri, 0, via("192.0.2.2"), pfx("10.100.0.0/16"))
	drain(tab, kernel)
	if _, held := kernel[pfx("10.100.7.0/24")]; held {
		t.Errorf("customer's part of the VPC is still in the kernel: %v", kernel)
	}
	tab.Withdraw(ri, 0, pfx("10.100.0.0/16"))
	drain(tab, kernel)
	if _, held := kernel[pfx("10.100.7.0/24")]; !held {
		t.Errorf("customer's route did not return: %v", kernel)
	}
}

func TestElection(t *testing.T) {
	ibgp := via("10.0.1.2", 65001)
	pref := via("10.0.1.2", 65001, 65001)
	pref.LocalPref, pref.HasLocalPref = 200, true
	med := func(nh string, m uint32, path ...uint32) *Attrs { a := via(nh, path...); a.MED = m; return a }
	egp := via("10.0.1.2", 65001)
	egp.Origin = OriginEGP
	for _, tt := range []struct {
		name          string
		a, b          *Attrs
		internal      bool // b is iBGP
		primary       []string
		backup        []string
		wantPrimaryID string
	}{
		{"equal paths share", via("10.0.0.2", 65001), via("10.0.1.2", 65001), false, []string{"10.0.0.2", "10.0.1.2"}, nil, ""},
		{"local preference first", via("10.0.0.2", 65001), pref, false, []string{"10.0.1.2"}, []string{"10.0.0.2"}, ""},
		{"shorter AS path", via("10.0.0.2", 65001, 7), via("10.0.1.2", 65001), false, []string{"10.0.1.2"}, []string{"10.0.0.2"}, ""},
		{"lower origin", via("10.0.0.2", 65001), egp, false, []string{"10.0.0.2"}, []string{"10.0.1.2"}, ""},
		{"lower MED of the same AS", med("10.0.0.2", 20, 65001), med("10.0.1.2", 10, 65001), false, []string{"10.0.1.2"}, []string{"10.0.0.2"}, ""},
		{"external before internal", via("10.0.0.2", 65001), ibgp, true, []string{"10.0.0.2"}, []string{"10.0.1.2"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tab, kernel := New(testRules()), map[netip.Prefix]*Hops{}
			a := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
			other := customer("10.0.1.2", 2, "10.0.1.0/30")
			other.Internal = tt.internal
			b := tab.AddSource(other)
			tab.Announce(a, 0, tt.a, pfx("172.16.0.0/16"))
			tab.Announce(b, 0, tt.b, pfx("172.16.0.0/16"))
			drain(tab, kernel)
			h := kernel[pfx("172.16.0.0/16")]
			if h == nil {
				t.Fatal("no route")
			}
			if diff := cmp.Diff(tt.primary, gateways(h.Primary)); diff != "" {
				t.Errorf("primary (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.backup, gateways(h.Backup)); diff != "" {
				t.Errorf("backup (-want +got):\n%s", diff)
			}
		})
	}
}

func gateways(nhs []NextHop) []string {
	var s []string
	for _, nh := range nhs {
		s = append(s, nh.Gateway.String())
	}
	return s
}

// MED is compared within one neighbouring AS only, so it is no total order: elimination over the set must not depend on
// the order of arrival (RFC 4451 3).
func TestMEDIsDeterministic(t *testing.T) {
	offers := []struct {
		peer string
		asn  uint32
		med  uint32
	}{{"10.0.0.2", 65001, 30}, {"10.0.0.3", 65002, 20}, {"10.0.0.4", 65001, 10}}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {2, 0, 1}} {
		tab, kernel := New(testRules()), map[netip.Prefix]*Hops{}
		for _, i := range order {
			o := offers[i]
			s := customer(o.peer, 1, "10.0.0.0/29")
			s.ASN = o.asn
			a := via(o.peer, o.asn)
			a.MED = o.med
			tab.Announce(tab.AddSource(s), 0, a, pfx("172.16.0.0/16"))
			drain(tab, kernel)
		}
		if diff := cmp.Diff([]string{"10.0.0.3", "10.0.0.4"}, gateways(kernel[pfx("172.16.0.0/16")].Primary)); diff != "" {
			t.Errorf("order %v (-want +got):\n%s", order, diff)
		}
	}
}

// The neighbours are told only what the kernel holds, and the right side is told.
func TestAnnouncementsFollowTheKernel(t *testing.T) {
	tab := New(testRules())
	id := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
	ri := tab.AddSource(vpcSide())
	p := pfx("172.16.0.0/16")
	one := func(held bool) Announcement {
		t.Helper()
		var a Announcement
		tab.NextWindow()
		tab.Changes(10, func(c Change) { a = tab.Confirm(c, held) })
		return a
	}
	tab.Announce(id, 0, via("10.0.0.2", 65001), p)
	if a := one(false); a.Any() {
		t.Errorf("the kernel refused, yet told: %+v", a)
	}
	tab.Retry(p)
	if a := one(true); a.Announce == nil || a.Source.Kind != BGP {
		t.Errorf("the kernel took it, yet not told: %+v", a)
	}
	tab.Announce(ri, 0, via("192.0.2.2"), p)
	if a := one(true); a.Announce == nil || a.Source.Kind != RouterInterface || a.Was == nil || a.Was.Kind != BGP {
		t.Errorf("side change: %+v", a)
	}
	tab.Drop(ri)
	tab.Drop(id)
	if a := one(true); a.Announce != nil || a.Was == nil || a.Was.Kind != RouterInterface {
		t.Errorf("gone: %+v", a)
	}
	one(true) // an entry stays for the window it was last said in
	if tab.Len() != 0 {
		t.Errorf("%d entries stay", tab.Len())
	}
}

// What a predecessor left serves until a living source offers the prefix, and then goes without a trace.
func TestAdopted(t *testing.T) {
	tab, kernel := New(testRules()), map[netip.Prefix]*Hops{}
	old := tab.AddSource(Source{Kind: BGP, Name: "adopted", Adopted: true, Device: 1})
	tab.Announce(old, 0, via("10.0.0.2"), pfx("172.16.1.0/24"), pfx("172.16.2.0/24"))
	drain(tab, kernel)
	before := kernel[pfx("172.16.1.0/24")]
	id := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
	tab.Announce(id, 0, via("10.0.0.2", 65001, 65001), pfx("172.16.1.0/24"))
	drain(tab, kernel)
	if diff := cmp.Diff(gateways(before.Primary), gateways(kernel[pfx("172.16.1.0/24")].Primary)); diff != "" {
		t.Errorf("adopted route moved (-want +got):\n%s", diff)
	}
	tab.RemoveSource(old)
	drain(tab, kernel)
	if _, held := kernel[pfx("172.16.2.0/24")]; held || len(kernel) != 1 {
		t.Errorf("kernel after the sweep: %v", kernel)
	}
}

// A path that leads the same way as the primaries is no backup: the next one is, be it worse.
func TestBackupLeadsElsewhere(t *testing.T) {
	tab, kernel := New(testRules()), map[netip.Prefix]*Hops{}
	p := pfx("172.16.1.0/24")
	for i, nextHop := range []string{"10.0.0.2", "10.0.0.2", "10.0.0.9"} {
		peer := tab.AddSource(customer([]string{"10.0.0.3", "10.0.0.4", "10.0.0.5"}[i], 1, "10.0.0.0/24"))
		tab.Announce(peer, 0, via(nextHop, slices.Repeat([]uint32{65001}, i+1)...), p)
	}
	drain(tab, kernel)
	if diff := cmp.Diff([]string{"10.0.0.2", "10.0.0.9"}, append(gateways(kernel[p].Primary), gateways(kernel[p].Backup)...)); diff != "" {
		t.Errorf("next hops (-want +got):\n%s", diff)
	}
}

func TestStale(t *testing.T) {
	tab, kernel := New(testRules()), map[netip.Prefix]*Hops{}
	id := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30", "fd00::/126"))
	tab.Announce(id, 0, via("10.0.0.2", 65001), pfx("172.16.1.0/24"), pfx("172.16.2.0/24"))
	tab.Announce(id, 0, via("fd00::2", 65001), pfx("2001:db8:1::/64"))
	tab.MarkStale(id)
	drain(tab, kernel)
	if len(kernel) != 3 || tab.Counts(id).Stale != 3 {
		t.Fatalf("stale routes must stay: %v, %+v", kernel, tab.Counts(id))
	}
	tab.Announce(id, 0, via("10.0.0.2", 65001), pfx("172.16.2.0/24"))
	tab.SweepStale(id, false)
	drain(tab, kernel)
	if _, held := kernel[pfx("172.16.1.0/24")]; held || len(kernel) != 2 {
		t.Errorf("after End-of-RIB of IPv4: %v", kernel)
	}
}

// RFC 9494 4.2: what is stale for long says so and is used only where there is nothing else, and what does not want that goes.
func TestHoldLong(t *testing.T) {
	tab, kernel := New(testRules()), map[netip.Prefix]*Hops{}
	a := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
	b := tab.AddSource(customer("10.0.1.2", 2, "10.0.1.0/30"))
	alone, both, not, fresh := pfx("172.16.1.0/24"), pfx("172.16.2.0/24"), pfx("172.16.3.0/24"), pfx("172.16.4.0/24")
	no := via("10.0.0.2", 65001)
	no.Communities = []uint32{NoLLGR}
	tab.Announce(a, 0, via("10.0.0.2", 65001), alone, both, fresh)
	tab.Announce(a, 0, no, not)
	tab.Announce(b, 0, via("10.0.1.2", 65001, 65002, 65003), both) // longer
	drain(tab, kernel)
	tab.MarkStale(a)
	tab.Announce(a, 0, via("10.0.0.2", 65001), fresh)
	tab.HoldLong(a, true) // the other family
	if said := drain(tab, kernel); len(said) != 0 {
		t.Errorf("said %v", said)
	}
	tab.HoldLong(a, false)
	said := drain(tab, kernel)
	if len(said) != 3 {
		t.Errorf("said %v, want of three prefixes", said)
	}
	for _, x := range said {
		if x.Prefix == alone && (x.Announce == nil || !slices.Contains(x.Announce.Communities, LLGRStale)) {
			t.Errorf("said of %v: %+v", alone, x.Announce)
		}
	}
	for p, want := range map[netip.Prefix]string{alone: "10.0.0.2", both: "10.0.1.2", fresh: "10.0.0.2"} {
		if h := kernel[p]; h == nil || len(h.Primary) != 1 || h.Primary[0].Gateway != addr(want) {
			t.Errorf("%v leaves by %+v, want %s", p, h, want)
		}
	}
	if kernel[not] != nil || tab.Counts(a).Stale != 2 {
		t.Errorf("NO_LLGR: %v; %+v", kernel[not], tab.Counts(a))
	}
	for _, s := range tab.Lookup(both) {
		if s.Source.Name == "10.0.0.2" && s.Lost.Step != StepLongLived {
			t.Errorf("it lost by %v", s.Lost)
		}
	}
	tab.HoldLong(a, false) // once is enough
	if said := drain(tab, kernel); len(said) != 0 {
		t.Errorf("said %v again", said)
	}
	tab.Announce(a, 0, via("10.0.0.2", 65001), alone, both)
	tab.SweepStale(a, false)
	drain(tab, kernel)
	if h := kernel[both]; h.Primary[0].Gateway != addr("10.0.0.2") || tab.Counts(a).Stale != 0 {
		t.Errorf("back again: %+v, %+v", h, tab.Counts(a))
	}
}

// A line without carrier takes its paths out of the race and gives them back.
func TestLinkDown(t *testing.T) {
	tab, kernel := New(testRules()), map[netip.Prefix]*Hops{}
	a := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
	b := tab.AddSource(customer("10.0.1.2", 2, "10.0.1.0/30"))
	p := pfx("172.16.1.0/24")
	tab.Announce(a, 0, via("10.0.0.2", 65001), p)
	tab.Announce(b, 0, via("10.0.1.2", 65001), p)
	for _, tt := range []struct {
		id   SourceID
		up   bool
		want []string
	}{
		{a, true, []string{"10.0.0.2", "10.0.1.2"}},
		{a, false, []string{"10.0.1.2"}},
		{a, true, []string{"10.0.0.2", "10.0.1.2"}},
		{b, false, []string{"10.0.0.2"}},
	} {
		tab.SetLinkUp(tt.id, tt.up)
		drain(tab, kernel)
		if diff := cmp.Diff(tt.want, gateways(kernel[p].Primary)); diff != "" {
			t.Errorf("source %d up=%v (-want +got):\n%s", tt.id, tt.up, diff)
		}
	}
	if n := tab.Counts(b); n.Rejected[RejectedLinkDown] != 1 || n.Accepted != 0 {
		t.Errorf("counts: %+v", n)
	}
}

// Neighbours hear a route again only when it sounds different: not for another next hop, and not for what a restart adopted.
func TestNothingIsToldTwice(t *testing.T) {
	tab, kernel := New(testRules()), map[netip.Prefix]*Hops{}
	a := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
	b := tab.AddSource(customer("10.0.1.2", 2, "10.0.1.0/30"))
	p := pfx("172.16.1.0/24")
	tab.Announce(a, 0, via("10.0.0.2", 65001), p)
	if said := drain(tab, kernel); len(said) != 1 {
		t.Fatalf("first: %+v", said)
	}
	tab.Announce(b, 0, via("10.0.1.2", 65001), p)
	tab.Drop(a)
	if said := drain(tab, kernel); len(said) != 0 {
		t.Errorf("another next hop was told: %+v", said)
	}
	old := tab.AddSource(Source{Kind: BGP, Name: "adopted", Adopted: true, Device: 1})
	tab.Announce(old, 0, via("10.0.1.2"), p)
	tab.RemoveSource(b)
	if said := drain(tab, kernel); len(said) != 0 {
		t.Errorf("the adopted path was told: %+v", said)
	}
	var told []Announcement
	tab.Told(func(a Announcement) { told = append(told, a) })
	if len(told) != 1 || told[0].Announce.Length() != 1 {
		t.Errorf("told: %+v", told)
	}
	tab.Announce(a, 0, via("10.0.0.2", 65001, 65001), p)
	if said := drain(tab, kernel); len(said) != 1 || said[0].Announce.Length() != 2 {
		t.Errorf("a longer AS path was not told: %+v", said)
	}
}

// What was told as a predecessor left it is told again when a living source has it, even if that sounds the same: the caller may add something to the
// former. How much is told like this is counted.
func TestAdoptedIsToldAgain(t *testing.T) {
	tab, kernel := New(testRules()), map[netip.Prefix]*Hops{}
	old := tab.AddSource(Source{Kind: BGP, Name: "adopted", Adopted: true, Device: 1})
	oldVPC := tab.AddSource(Source{Kind: RouterInterface, Name: "adopted-vpc", Adopted: true, Device: 9})
	p, q := pfx("172.16.1.0/24"), pfx("172.16.2.0/24")
	tab.Announce(old, 0, via("10.0.0.2"), p, q)
	tab.Announce(oldVPC, 0, via("192.0.2.11"), pfx("10.100.0.0/16"))
	count := func(what string, said []Announcement, told, adopted int) {
		t.Helper()
		if len(said) != told || tab.ToldAdopted() != adopted {
			t.Errorf("%s: %d are told, want %d, and %d as they were left, want %d", what, len(said), told, tab.ToldAdopted(), adopted)
		}
	}
	count("adopted", drain(tab, kernel), 3, 2)
	internal := customer("10.0.0.2", 1, "10.0.0.0/30")
	internal.Internal = true
	id := tab.AddSource(internal)
	tab.Announce(id, 0, &Attrs{NextHop: addr("10.0.0.2"), ASPath: via("10.0.0.2").ASPath}, p)
	said := drain(tab, kernel)
	count("it sounds the same", said, 1, 1)
	if len(said) == 1 && (!said[0].Stands || !said[0].Was.Adopted || said[0].Source.Adopted) {
		t.Errorf("%+v", said[0])
	}
	tab.Withdraw(id, 0, p)
	count("what a living source has said stands", drain(tab, kernel), 0, 1)
	tab.RemoveSource(old)
	count("swept", drain(tab, kernel), 2, 0)
}

// A line's subnet is the kernel's to route and the VPC's to know, while the line is up.
func TestConnected(t *testing.T) {
	tab, kernel := New(testRules()), map[netip.Prefix]*Hops{}
	line := tab.AddSource(Source{Kind: Connected, Name: "eth1.100", Device: 1})
	tab.Announce(line, 0, &Attrs{}, pfx("10.0.0.0/30"))
	said := drain(tab, kernel)
	if len(kernel) != 0 || len(said) != 1 || said[0].Source.Kind != Connected {
		t.Errorf("kernel %v, told %+v", kernel, said)
	}
	tab.SetLinkUp(line, false)
	if said := drain(tab, kernel); len(said) != 1 || said[0].Source != nil || said[0].Was.Kind != Connected {
		t.Errorf("line down: told %+v", said)
	}
}

// A flapping prefix is said once a window, and its last state is never lost.
func TestFlapsAreSaidOnceAWindow(t *testing.T) {
	tab := New(testRules())
	id := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
	p := pfx("172.16.0.0/16")
	said, held := 0, false
	say := func() {
		tab.Changes(10, func(c Change) { said++; held = c.Hops != nil; tab.Confirm(c, true) })
	}
	for window := 1; window <= 5; window++ {
		for range 1000 {
			tab.Announce(id, 0, via("10.0.0.2", 65001), p)
			say()
			tab.Withdraw(id, 0, p)
			say()
		}
		if said > window {
			t.Fatalf("said %d times in %d windows", said, window)
		}
		tab.NextWindow()
	}
	say()
	tab.NextWindow()
	say()
	if held || tab.Deferred() != 0 || tab.Len() != 0 {
		t.Errorf("at the end: held %v, %d deferred, %d prefixes", held, tab.Deferred(), tab.Len())
	}
}
