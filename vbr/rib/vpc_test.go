package rib

import (
	"net/netip"
	"strings"
	"testing"
)

// What others announce inside a VPC's blocks is rejected; around them it may be.
func TestOwnCIDR(t *testing.T) {
	tab := New(Rules{CIDRs: []netip.Prefix{netip.MustParsePrefix("10.100.0.0/16")}, Links: []netip.Prefix{netip.MustParsePrefix("10.100.1.0/24")}})
	id := tab.AddSource(Source{Kind: RouterInterface, Name: "ri", Device: 3, OnLink: true})
	tab.SetLinkUp(id, true)
	for prefix, want := range map[string]Verdict{
		"10.100.0.0/16": RejectedOwnCIDR, "10.100.1.0/24": RejectedOwnCIDR, "10.100.9.0/24": RejectedOwnCIDR, "10.0.0.0/8": Accepted, "10.101.0.0/16": Accepted,
	} {
		p := netip.MustParsePrefix(prefix)
		tab.Announce(id, 0, &Attrs{NextHop: netip.MustParseAddr("169.254.3.1")}, p)
		got := tab.Lookup(p)[0]
		if got.Verdict != want || want != Accepted && !strings.Contains(got.Reason, "inside 10.100.0.0/16, a CIDR block of this VPC") {
			t.Errorf("%s: %v, %s", prefix, got.Verdict, got.Reason)
		}
	}
	tab.SetRules(Rules{})
	if got := tab.Lookup(netip.MustParsePrefix("10.100.9.0/24"))[0].Verdict; got != Accepted {
		t.Errorf("without blocks: %v", got)
	}
}

// A source may be out of use, and may be preferred over others by more than LOCAL_PREF says.
func TestUsableAndPrefer(t *testing.T) {
	tab := New(Rules{})
	add := func(name string, prefer int32) SourceID {
		id := tab.AddSource(Source{Kind: RouterInterface, Name: name, Device: 3, OnLink: true, Prefer: prefer})
		tab.SetLinkUp(id, true)
		return id
	}
	p := netip.MustParsePrefix("172.16.0.0/16")
	one, two := add("one", 0), add("two", 10)
	say := func(id SourceID, lp uint32) {
		tab.Announce(id, 0, &Attrs{NextHop: netip.MustParseAddr("169.254.3.1"), LocalPref: lp, HasLocalPref: true}, p)
	}
	best := func() string {
		var names []string
		for _, x := range tab.Lookup(p) {
			if x.Best {
				names = append(names, x.Source.Name)
			}
		}
		return strings.Join(names, " ")
	}
	for _, tt := range []struct {
		lpOne, lpTwo uint32
		want         string
	}{{100, 100, "two"}, {111, 100, "one"}, {110, 100, "one two"}, {50, 0, "one"}} {
		say(one, tt.lpOne)
		say(two, tt.lpTwo)
		if got := best(); got != tt.want {
			t.Errorf("LOCAL_PREF %d and %d: %s, want %s", tt.lpOne, tt.lpTwo, got, tt.want)
		}
	}
	say(two, 100)
	tab.SetUsable(two, false)
	if got := best(); got != "one" {
		t.Errorf("two is out of use: %s", got)
	}
	if x := tab.Lookup(p)[1]; x.Verdict != RejectedInterface || !strings.Contains(x.Reason, "two is not Active") {
		t.Errorf("%+v", x)
	}
	tab.SetUsable(two, true)
	if got := best(); got != "two" {
		t.Errorf("two is back: %s", got)
	}
}
