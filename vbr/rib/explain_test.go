package rib

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// offer is one path of the prefix under decision.
type offer struct {
	source Source
	attrs  *Attrs
}

func peer(name string, edit ...func(*Source)) Source {
	s := customer(name, 1, "10.0.0.0/24")
	for _, e := range edit {
		e(&s)
	}
	return s
}

func with(a *Attrs, edit func(*Attrs)) *Attrs {
	edit(a)
	return a
}

// Each step of the decision says for which values a path lost to which, whatever the order of arrival, and the best is what
// decides what the kernel gets.
func TestDecisionSteps(t *testing.T) {
	local := func(p uint32) func(*Attrs) { return func(a *Attrs) { a.LocalPref, a.HasLocalPref = p, true } }
	med := func(m uint32) func(*Attrs) { return func(a *Attrs) { a.MED, a.HasMED = m, true } }
	origin := func(o uint8) func(*Attrs) { return func(a *Attrs) { a.Origin = o } }
	internal := func(s *Source) { s.Internal = true }
	adopted := func(s *Source) { s.Adopted = true }
	for _, tt := range []struct {
		name   string
		winner offer
		loser  offer
		want   Loss
		text   string
	}{
		{
			"kind", offer{Source{Kind: Static, Name: "static", Device: 1}, via("10.0.0.9")}, offer{peer("10.0.0.2"), via("10.0.0.2", 65001)},
			Loss{StepKind, "static", "bgp", "static"},
			"source bgp against static (connected, then static, then router interfaces, then BGP)",
		},
		{
			"adopted", offer{peer("10.0.0.3"), via("10.0.0.3", 65001, 1, 2)}, offer{peer("10.0.0.2", adopted), via("10.0.0.2", 65001)},
			Loss{StepAdopted, "10.0.0.3", "found in the kernel", "neighbour"},
			"source found in the kernel against neighbour (what was found in the kernel at start loses to all neighbours)",
		},
		{
			"local preference", offer{peer("10.0.0.3"), with(via("10.0.0.3", 65001, 1, 2), local(200))}, offer{peer("10.0.0.2"), via("10.0.0.2", 65001)},
			Loss{StepLocalPref, "10.0.0.3", "100", "200"}, "LOCAL_PREF 100 against 200 (higher, RFC 4271 9.1.1)",
		},
		{
			"AS path", offer{peer("10.0.0.3"), with(via("10.0.0.3", 65001, 1), origin(OriginIncomplete))}, offer{peer("10.0.0.2"), via("10.0.0.2", 65001, 1, 2)},
			Loss{StepASPath, "10.0.0.3", "3", "2"}, "AS path of 3 against 2 (shorter, RFC 4271 9.1.2.2 a)",
		},
		{
			"origin", offer{peer("10.0.0.3"), with(via("10.0.0.3", 65001), med(9))}, offer{peer("10.0.0.2"), with(via("10.0.0.2", 65001), origin(OriginIncomplete))},
			Loss{StepOrigin, "10.0.0.3", "incomplete", "igp"}, "origin incomplete against igp (igp, then egp, then incomplete, RFC 4271 9.1.2.2 b)",
		},
		{
			"MED", offer{peer("10.0.0.3", internal), with(via("10.0.0.3", 65001), med(10))}, offer{peer("10.0.0.2"), with(via("10.0.0.2", 65001), med(20))},
			Loss{StepMED, "10.0.0.3", "20", "10"}, "MED 20 against 10 (lower from the same AS, RFC 4271 9.1.2.2 c)",
		},
		{
			"eBGP", offer{peer("10.0.0.3"), via("10.0.0.3", 65001)}, offer{peer("10.0.0.2", internal), via("10.0.0.2", 65001)},
			Loss{StepExternal, "10.0.0.3", "iBGP", "eBGP"}, "session iBGP against eBGP (eBGP before iBGP, RFC 4271 9.1.2.2 d)",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, order := range [][]offer{{tt.winner, tt.loser}, {tt.loser, tt.winner}} {
				tab := New(Rules{})
				for _, o := range order {
					tab.Announce(tab.AddSource(o.source), 0, o.attrs, pfx("172.16.1.0/24"))
				}
				paths := tab.Lookup(pfx("172.16.1.0/24"))
				if len(paths) != 2 || !paths[0].Best || paths[0].Source.Name != tt.winner.source.Name || paths[0].Lost != nil || paths[1].Best {
					t.Fatalf("paths: %+v", paths)
				}
				if diff := cmp.Diff(&tt.want, paths[1].Lost); diff != "" {
					t.Errorf("loss (-want +got):\n%s", diff)
				}
				if got := paths[1].Lost.String(); got != tt.text {
					t.Errorf("in words: %q, want %q", got, tt.text)
				}
				if best := tab.Best()[pfx("172.16.1.0/24")]; best.Primary[0].Gateway != tt.winner.attrs.NextHop {
					t.Errorf("the kernel gets %+v", best)
				}
			}
		})
	}
}

// More equal paths than a set holds: those that are left out say by which tie-break.
func TestTieBreakBeyondMaxPaths(t *testing.T) {
	tab := New(Rules{})
	for i := range MaxPaths + 2 {
		name := fmt.Sprintf("10.0.0.%d", i+2)
		tab.Announce(tab.AddSource(peer(name)), 0, via(name, 65001), pfx("172.16.1.0/24"))
	}
	paths := tab.Lookup(pfx("172.16.1.0/24"))
	for i, p := range paths {
		if want := fmt.Sprintf("10.0.0.%d", i+2); p.Source.Name != want || p.Best != (i < MaxPaths) {
			t.Errorf("path %d: %s, best %v; want %s", i, p.Source.Name, p.Best, want)
		}
	}
	want := &Loss{StepRouterID, "10.0.0.17", "10.0.0.19", "10.0.0.17"}
	if diff := cmp.Diff(want, paths[MaxPaths+1].Lost); diff != "" {
		t.Errorf("loss (-want +got):\n%s", diff)
	}
}

func TestTieBreakSteps(t *testing.T) {
	set := func(name, id, address string, pathID uint32, hop string) candidate {
		s := &source{Source: Source{Name: name, RouterID: addr(id), Address: addr(address)}}
		return candidate{&shared{Attrs: Attrs{NextHop: addr(hop)}, source: s}, pathID}
	}
	for _, tt := range []struct {
		b    candidate
		want Step
	}{
		{set("a", "1.1.1.2", "10.0.0.1", 0, "10.0.0.1"), StepRouterID},
		{set("a", "1.1.1.1", "10.0.0.2", 0, "10.0.0.1"), StepAddress},
		{set("b", "1.1.1.1", "10.0.0.1", 0, "10.0.0.1"), StepName},
		{set("a", "1.1.1.1", "10.0.0.1", 1, "10.0.0.1"), StepPathID},
		{set("a", "1.1.1.1", "10.0.0.1", 0, "10.0.0.2"), StepNextHop},
	} {
		a := set("a", "1.1.1.1", "10.0.0.1", 0, "10.0.0.1")
		if c, s := tieBreak(a, tt.b); c >= 0 || s != tt.want {
			t.Errorf("%d by step %d, want step %d", c, s, tt.want)
		}
		if tt.want.value(a) == tt.want.value(tt.b) {
			t.Errorf("step %d: both have %s", tt.want, tt.want.value(a))
		}
	}
}

func TestReasons(t *testing.T) {
	for _, tt := range []struct {
		prefix string
		attrs  *Attrs
		want   string
	}{
		{"172.16.1.0/24", via("10.0.0.2", 65001, 45104), "our AS 45104 is in the AS path (RFC 4271 9.1.2)"},
		{"172.16.1.0/24", via("10.0.0.2", 65009), "the AS path begins with 65009, the peer's AS is 65001 (RFC 4271 6.3)"},
		{"172.16.1.0/24", via("10.0.0.2"), "the AS path begins with no AS, the peer's is 65001 (RFC 4271 6.3)"},
		{"172.16.1.0/24", via("10.9.9.9", 65001), "next hop 10.9.9.9 is in no subnet of the line: 10.0.0.0/30, fd00::/126"},
		{"2001:db8:1::/64", via("10.0.0.2", 65001), "next hop 10.0.0.2 is IPv4, the prefix IPv6"},
		{"172.16.1.0/24", via("10.0.0.1", 65001), "next hop 10.0.0.1 is our own address"},
		{"0.0.0.0/0", via("10.0.0.2", 65001), "a customer may not announce 0.0.0.0/0"},
		{"127.1.0.0/16", via("10.0.0.2", 65001), "inside 127.0.0.0/8, which is never routed (RFC 6890)"},
		{"10.0.1.1/32", via("10.0.0.2", 65001), "inside 10.0.1.0/30, a subnet of the router's own lines"},
		{"192.0.2.128/25", via("10.0.0.2", 65001), "inside 192.0.2.0/24, which is the provider's own"},
		{"10.100.7.0/24", via("10.0.0.2", 65001), "inside 10.100.0.0/16, which the VPC announces"},
		{"172.16.9.0/24", via("10.0.0.2", 65001), ""},
	} {
		tab := New(testRules())
		s := customer("10.0.0.2", 1, "10.0.0.0/30", "fd00::/126")
		s.Own = []netip.Addr{addr("10.0.0.1")}
		id := tab.AddSource(s)
		tab.Announce(tab.AddSource(vpcSide()), 0, via("192.0.2.11", 65100), pfx("10.100.0.0/16"))
		tab.Announce(id, 0, tt.attrs, pfx(tt.prefix))
		p := tab.Lookup(pfx(tt.prefix))[0]
		if p.Reason != tt.want || (p.Reason == "") != (p.Verdict == Accepted) {
			t.Errorf("%s: %s: %q, want %q", tt.prefix, p.Verdict, p.Reason, tt.want)
		}
	}
	tab := New(Rules{})
	id := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
	tab.Announce(id, 0, via("10.0.0.2", 65001), pfx("172.16.1.0/24"))
	tab.SetLinkUp(id, false)
	if got := tab.Lookup(pfx("172.16.1.0/24"))[0].Reason; got != "the device towards its next hop carries no packets" {
		t.Errorf("link down: %q", got)
	}
}

func TestVerdictNames(t *testing.T) {
	for v := range verdicts {
		if got, ok := ParseVerdict(v.String()); !ok || got != v {
			t.Errorf("%s is parsed as %s (%v)", v, got, ok)
		}
	}
	if _, ok := ParseVerdict("nonsense"); ok || len(Reasons()) != int(verdicts)-1 {
		t.Errorf("nonsense is a verdict, or reasons are %v", Reasons())
	}
}

// timed is a table whose time the test makes.
type timed struct {
	*Table
	start time.Time
}

func newTimed() *timed {
	tab := &timed{New(testRules()), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	tab.SetNow(tab.start)
	return tab
}

// after makes it that many seconds after the start, in a new window.
func (tab *timed) after(seconds int) {
	tab.SetNow(tab.start.Add(time.Duration(seconds) * time.Second))
	tab.NextWindow()
}

func (tab *timed) seconds(at time.Time) int {
	if at.IsZero() {
		return -1
	}
	return int(at.Sub(tab.start) / time.Second)
}

// Since when a path has its attributes and its verdict, the kernel its next hops, and the neighbours what they were told.
func TestSince(t *testing.T) {
	tab := newTimed()
	p := pfx("172.16.1.0/24")
	one, two := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30")), tab.AddSource(customer("10.0.0.1", 1, "10.0.0.0/30"))
	want := func(what string, path, kernel, told int) {
		t.Helper()
		drainAll(tab.Table)
		k, ok := tab.Explain(p)
		if !ok {
			t.Fatalf("%s: nothing known", what)
		}
		if a, b, c := tab.seconds(k.Paths[len(k.Paths)-1].Since), tab.seconds(k.HopsAt), tab.seconds(k.ToldAt); a != path || b != kernel || c != told {
			t.Errorf("%s: path since %d, kernel %d, told %d; want %d, %d, %d", what, a, b, c, path, kernel, told)
		}
	}
	tab.after(10)
	tab.Announce(one, 0, via("10.0.0.2", 65001), p)
	want("announced", 10, 10, 10)
	tab.after(20)
	tab.Announce(one, 0, via("10.0.0.2", 65001), p)
	want("announced again", 10, 10, 10)
	tab.MarkStale(one)
	tab.Announce(one, 0, via("10.0.0.2", 65001), p)
	want("announced after a restart", 10, 10, 10)
	tab.after(30)
	tab.Announce(one, 0, with(via("10.0.0.2", 65001), func(a *Attrs) { a.MED, a.HasMED = 5, true }), p)
	want("other attributes, same next hop", 30, 10, 30)
	tab.after(40)
	tab.Announce(two, 0, via("10.0.0.1", 65001, 7), p)
	want("a backup", 40, 40, 30)
	tab.after(50)
	tab.SetLinkUp(two, false)
	want("the backup's link goes", 50, 50, 30)
	tab.RemoveSource(two)
	tab.after(60)
	tab.Withdraw(one, 0, p)
	drainAll(tab.Table)
	if _, ok := tab.Explain(p); ok {
		t.Error("known after its withdrawal")
	}
	g, ok := tab.Gone(p)
	if diff := cmp.Diff(Gone{p, "10.0.0.2", Withdrawn, tab.start.Add(60 * time.Second)}, g, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); !ok || diff != "" {
		t.Errorf("gone %v (-want +got):\n%s", ok, diff)
	}
}

// Without a time, everything is since the zero time.
func TestSinceUnknown(t *testing.T) {
	tab := New(testRules())
	tab.Announce(tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30")), 0, via("10.0.0.2", 65001), pfx("172.16.1.0/24"))
	if at := tab.Lookup(pfx("172.16.1.0/24"))[0].Since; !at.IsZero() {
		t.Errorf("since %v", at)
	}
}

// What went last is remembered with its way of going, and no more than maxGone of it.
func TestGone(t *testing.T) {
	tab := newTimed()
	id := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
	other := tab.AddSource(customer("10.0.0.1", 1, "10.0.0.0/30"))
	many := manyPrefixes(3 * maxGone)
	tab.Announce(id, 0, via("10.0.0.2", 65001), many...)
	tab.Announce(other, 0, via("10.0.0.1", 65001), many[0])
	tab.Withdraw(id, 0, many[0], many[1])
	if _, ok := tab.Gone(many[0]); ok {
		t.Error("gone, though another source has it")
	}
	if g, ok := tab.Gone(many[1]); !ok || g.How != Withdrawn {
		t.Errorf("withdrawn: %+v %v", g, ok)
	}
	tab.MarkStale(id)
	tab.Announce(id, 0, via("10.0.0.2", 65001), many[3:]...)
	tab.SweepStale(id, false)
	if g, ok := tab.Gone(many[2]); !ok || g.How != Swept {
		t.Errorf("swept: %+v %v", g, ok)
	}
	tab.Drop(id)
	n := 0
	for _, p := range many {
		if g, ok := tab.Gone(p); ok {
			n++
			if g.How != Dropped {
				t.Errorf("%v: %+v", p, g)
			}
		}
	}
	if n != maxGone {
		t.Errorf("%d are remembered, want %d", n, maxGone)
	}
}

func TestMatch(t *testing.T) {
	tab := New(testRules())
	id := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30", "fd00::/126"))
	tab.Announce(id, 0, via("10.0.0.2", 65001), pfx("172.16.0.0/12"), pfx("172.16.1.0/24"))
	tab.Announce(id, 0, via("fd00::2", 65001), pfx("2001:db8::/32"))
	tab.Announce(id, 0, via("10.0.0.2", 65001, 45104), pfx("172.16.1.128/25"), pfx("203.0.113.0/24"))
	drainAll(tab)
	for _, tt := range []struct{ addr, want string }{
		{"172.16.1.200", "172.16.1.0/24"}, // the longer one is rejected, the kernel has this
		{"172.17.1.1", "172.16.0.0/12"},
		{"203.0.113.9", "203.0.113.0/24"}, // rejected, and nothing else known
		{"2001:db8::1", "2001:db8::/32"},
		{"192.0.2.1", "invalid Prefix"},
		{"::ffff:172.16.1.200", "invalid Prefix"},
		{"fe80::1%eth0", "invalid Prefix"},
	} {
		if got, ok := tab.Match(addr(tt.addr)); got.String() != tt.want || ok != got.IsValid() {
			t.Errorf("%s: %v, want %s", tt.addr, got, tt.want)
		}
	}
}
