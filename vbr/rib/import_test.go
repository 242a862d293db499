package rib

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/openvbr/openvbr/vbr/policy"
)

// labPolicy denies /22, makes /16 preferred and others longer, which carry the community 65001:1 then.
func labPolicy(tb interface{ Fatal(...any) }) *policy.Policy {
	within := func(ge, le uint8) policy.Match {
		return policy.Match{Prefixes: []policy.PrefixRange{{Prefix: pfx("10.0.0.0/8"), Ge: ge, Le: le}}}
	}
	preference := uint32(200)
	p, err := policy.New("lab-in", policy.Deny,
		policy.Term{Number: 10, Match: within(22, 22), Result: policy.Deny},
		policy.Term{Number: 20, Match: within(16, 16), Set: policy.Set{LocalPref: &preference}, Result: policy.Permit},
		policy.Term{Number: 30, Match: within(8, 32), Set: policy.Set{Prepend: 2, Add: []uint32{65001<<16 | 1}}, Result: policy.Permit},
	)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func withPolicy(p *policy.Policy) Source {
	s := customer("10.0.0.2", 1, "10.0.0.0/30")
	s.Import = p
	return s
}

func TestImportPolicy(t *testing.T) {
	tab := New(testRules())
	id := tab.AddSource(withPolicy(labPolicy(t)))
	a := via("10.0.0.2", 65001, 65010)
	tab.Announce(id, 0, a, pfx("10.1.0.0/16"), pfx("10.2.0.0/22"), pfx("10.3.0.0/24"), pfx("11.0.0.0/8"), pfx("10.4.0.0/24"))
	for _, tt := range []struct {
		prefix, verdict, text string
		length                int
		preference            uint32
		changed               bool
	}{
		{"10.1.0.0/16", "accepted", "term 20 of lab-in permits it", 2, 200, true},
		{"10.2.0.0/22", "policy", "term 10 of lab-in denies it", 2, 0, false},
		{"10.3.0.0/24", "accepted", "term 30 of lab-in permits it", 4, 0, true},
		{"11.0.0.0/8", "policy", "no term of lab-in decides, and its end denies it", 2, 0, false},
	} {
		p := tab.Lookup(pfx(tt.prefix))[0]
		if p.Verdict.String() != tt.verdict || p.Import != tt.text || p.Attrs.Length() != tt.length || p.Attrs.LocalPref != tt.preference ||
			(p.Received != nil) != tt.changed {
			t.Errorf("%s: %s, %q, %+v, received %+v", tt.prefix, p.Verdict, p.Import, p.Attrs, p.Received)
		}
		if tt.verdict == "policy" && p.Reason != tt.text {
			t.Errorf("%s: reason %q, want %q", tt.prefix, p.Reason, tt.text)
		}
	}
	if n := len(tab.sources[id].attrs); n != 3 {
		t.Errorf("%d attribute sets, want one for each outcome", n)
	}
	tab.ChangeSource(id, withPolicy(nil))
	if p := tab.Lookup(pfx("10.3.0.0/24"))[0]; p.Attrs.Length() != 2 || p.Received != nil || p.Import != "" {
		t.Errorf("without a policy: %+v", p)
	}
	tab.ChangeSource(id, withPolicy(labPolicy(t)))
	if p := tab.Lookup(pfx("10.3.0.0/24"))[0]; p.Attrs.Length() != 4 {
		t.Errorf("with it again: %+v", p)
	}
	tab.RemoveSource(id)
	drainAll(tab)
	if tab.Len() != 0 || int(tab.sets.used) != len(tab.sets.free) {
		t.Errorf("left: %d entries, %d sets", tab.Len(), tab.sets.used)
	}
}

func TestImportBounds(t *testing.T) {
	tab := New(testRules())
	s := customer("10.0.0.2", 1, "10.0.0.0/30")
	s.MaxASPath, s.MaxCommunities = 3, 2
	id := tab.AddSource(s)
	long := via("10.0.0.2", 65001)
	long.ASPath = append(long.ASPath, Segment{Type: ASSet, ASNs: []uint32{1, 2, 3}})
	tab.Announce(id, 0, long, pfx("10.1.0.0/16"))
	many := via("10.0.0.2", 65001, 2, 3)
	many.Communities, many.LargeCommunities = []uint32{1, 2}, [][3]uint32{{1, 2, 3}}
	tab.Announce(id, 0, many, pfx("10.2.0.0/16"))
	wantReason(t, tab, "10.1.0.0/16", "as-path-too-long: the AS path has 4 ASes, and may have 3")
	wantReason(t, tab, "10.2.0.0/16", "too-many-communities: it has 3 communities, and may have 2")
}

// wantReason compares the verdict on a prefix's path and the reason for it, and returns what is kept of the path.
func wantReason(t *testing.T, tab *Table, p, want string) Attrs {
	t.Helper()
	got := tab.Lookup(pfx(p))[0]
	if text := fmt.Sprintf("%s: %s", got.Verdict, got.Reason); text != want {
		t.Errorf("%s: %s, want %s", p, text, want)
	}
	return got.Attrs
}

// TestLeaks is RFC 9234 5, of routes that come in.
func TestLeaks(t *testing.T) {
	for _, tt := range []struct {
		role Role
		otc  uint32
		want Verdict
	}{
		{RoleNone, 64500, Accepted}, {RoleProvider, 0, Accepted}, {RoleProvider, 45104, RejectedLeak}, {RoleProvider, 65001, RejectedLeak},
		{RolePeer, 0, Accepted}, {RolePeer, 65001, Accepted}, {RolePeer, 64500, RejectedLeak},
	} {
		tab := New(testRules())
		s := customer("10.0.0.2", 1, "10.0.0.0/30")
		s.Role = tt.role
		id := tab.AddSource(s)
		a := via("10.0.0.2", 65001)
		a.OTC = tt.otc
		tab.Announce(id, 0, a, pfx("10.1.0.0/16"))
		if got := tab.Lookup(pfx("10.1.0.0/16"))[0].Verdict; got != tt.want {
			t.Errorf("role %d, ONLY_TO_CUSTOMER %d: %s, want %s", tt.role, tt.otc, got, tt.want)
		}
	}
}

func TestAllow(t *testing.T) {
	for _, tt := range []struct {
		prefix, without string
		allow           Allow
		with            string
	}{
		{"0.0.0.0/0", "default-route", AllowDefault, "accepted"},
		{"169.254.7.0/24", "martian", AllowMartian, "accepted"},
		{"10.0.1.0/30", "link-subnet", AllowLinkSubnet, "accepted"},
		{"172.16.1.0/24", "vpc-prefix", AllowVPC, "accepted"},
		{"192.0.2.0/25", "backbone", ^Allow(0), "backbone"},
		{"127.0.0.0/8", "martian", AllowDefault, "martian"},
	} {
		tab := New(testRules())
		vpc := tab.AddSource(vpcSide())
		tab.Announce(vpc, 0, &Attrs{NextHop: addr("192.0.2.2")}, pfx("172.16.0.0/16"))
		s := customer("10.0.0.2", 1, "10.0.0.0/30")
		id := tab.AddSource(s)
		tab.Announce(id, 0, via("10.0.0.2", 65001), pfx(tt.prefix))
		if got := verdictOf(tab, tt.prefix); got != tt.without {
			t.Errorf("%s: %s, want %s", tt.prefix, got, tt.without)
		}
		s.Allow = tt.allow
		tab.ChangeSource(id, s)
		if got := verdictOf(tab, tt.prefix); got != tt.with {
			t.Errorf("%s, allowed: %s, want %s", tt.prefix, got, tt.with)
		}
	}
}

// verdictOf is the verdict on the customer's path.
func verdictOf(tab *Table, prefix string) string {
	for _, p := range tab.Lookup(pfx(prefix)) {
		if p.Source.Kind == BGP {
			return p.Verdict.String()
		}
	}
	return "none"
}

// TestQuotaAnyOrder: who counts depends on the order in which each source announced each family, and on nothing else: not on what came between, not
// on repetitions, not on when changes are taken out; and however they came, as many count as there are places for.
func TestQuotaAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := labPolicy(t)
		world := func() (*Table, []SourceID) {
			tab := New(testRules())
			one, two := withPolicy(p), customer("10.0.1.2", 2, "10.0.1.0/30")
			one.Quota, two.Quota = Quota{Limit: 3}, Quota{Limit: 2}
			return tab, []SourceID{tab.AddSource(one), tab.AddSource(two)}
		}
		var order [2][]netip.Prefix
		for s := range order {
			n := rapid.IntRange(0, 8).Draw(t, "n")
			all := []string{"10.101.0.0/16", "10.102.0.0/16", "10.103.0.0/16", "10.101.1.0/24", "10.102.1.0/24", "10.101.0.0/22", "11.1.0.0/16", "10.104.0.0/16"}
			for _, i := range rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7}).Draw(t, "order")[:n] {
				order[s] = append(order[s], pfx(all[i]))
			}
		}
		attrs := []*Attrs{via("10.0.0.2", 65001), via("10.0.1.2", 65001)}
		plain, ids := world()
		for s, l := range order {
			plain.Announce(ids[s], 0, attrs[s], l...)
		}
		kernel := map[netip.Prefix]*Hops{}
		drain(plain, kernel)
		mixed, ids2 := world()
		kernel2 := map[netip.Prefix]*Hops{}
		var next [2]int
		for next[0] < len(order[0]) || next[1] < len(order[1]) {
			s := rapid.IntRange(0, 1).Draw(t, "whose")
			if next[s] == len(order[s]) {
				s = 1 - s
			}
			at := next[s]
			if at == 0 || rapid.Bool().Draw(t, "new") {
				next[s]++
			} else {
				at = rapid.IntRange(0, at-1).Draw(t, "again")
			}
			mixed.Announce(ids2[s], 0, attrs[s], order[s][at])
			if rapid.Bool().Draw(t, "drain") {
				drain(mixed, kernel2)
			}
		}
		drain(mixed, kernel2)
		if diff := cmp.Diff(kernel, kernel2, ignoreShared); diff != "" {
			t.Fatalf("order matters (-plain +mixed):\n%s", diff)
		}
		for s := range ids {
			use := plain.QuotaUse(ids[s], false)
			if denied := plain.Counts(ids[s]).Rejected[RejectedPolicy]; use.Used != min(use.Limit, len(order[s])-denied) {
				t.Fatalf("%+v of %d, %d denied", use, len(order[s]), denied)
			}
		}
	})
}

// TestOversize: of what has too many ASes or communities only a part is kept, whatever it had is said, and when more of them are legal the source is to
// tell them again: it is not taken for good by what is left of it.
func TestOversize(t *testing.T) {
	tab := New(testRules())
	s := customer("10.0.0.2", 1, "10.0.0.0/30")
	s.MaxASPath, s.MaxCommunities = 64, 64
	id := tab.AddSource(s)
	long, many := via("10.0.0.2", 65001), via("10.0.0.2", 65001)
	long.ASPath = append(long.ASPath, Segment{Type: ASSequence, ASNs: make([]uint32, 250)}, Segment{Type: ASSet, ASNs: make([]uint32, 249)})
	many.Communities, many.LargeCommunities = make([]uint32, 15_000), make([][3]uint32, 300)
	tab.Announce(id, 0, long, pfx("20.1.0.0/16"))
	tab.Announce(id, 0, many, pfx("20.2.0.0/16"))
	for p, want := range map[string]string{
		"20.1.0.0/16": "as-path-too-long: the AS path has 500 ASes, and may have 64",
		"20.2.0.0/16": "too-many-communities: it has 15300 communities, and may have 64",
	} {
		if a := wantReason(t, tab, p, want); a.ases() > keptOfOversize || cap(a.Communities) > 2*keptOfOversize || cap(a.LargeCommunities) > 2*keptOfOversize || a.NeighborAS() != 65001 {
			t.Errorf("%s: kept %d ASes, %d and %d communities", p, a.ases(), cap(a.Communities), cap(a.LargeCommunities))
		}
	}
	if tab.Incomplete(id) {
		t.Error("to be told again, with limits as they were")
	}
	s.MaxASPath, s.MaxCommunities = 1000, 64
	tab.ChangeSource(id, s)
	if v := tab.Lookup(pfx("20.1.0.0/16"))[0].Verdict; v != RejectedASPathLength || !tab.Incomplete(id) {
		t.Errorf("longer paths are legal: %s of what is left of one, to be told again %v", v, tab.Incomplete(id))
	}
	tab.Recount(id)
	tab.Announce(id, 0, long, pfx("20.1.0.0/16"))
	if v := tab.Lookup(pfx("20.1.0.0/16"))[0]; v.Verdict != Accepted || v.Attrs.ases() != 500 || tab.Incomplete(id) {
		t.Errorf("told again: %s", v.Verdict)
	}
}

// BenchmarkImport takes in a peer's table under a policy that looks at each prefix, beside one without.
func BenchmarkImport(b *testing.B) {
	const n = 100_000
	o := manyOffers(manyPrefixes(n), "10.0.0.2")
	any8 := policy.Match{Prefixes: []policy.PrefixRange{{Prefix: pfx("0.0.0.0/0"), Ge: 8, Le: 32}}}
	byPrefix, err := policy.New("in", policy.Deny, append(policy.Preferences(45104, 64600), policy.Term{Number: 1, Match: any8, Result: policy.Permit})...)
	if err != nil {
		b.Fatal(err)
	}
	for name, p := range map[string]*policy.Policy{"none": nil, "prefixes": byPrefix} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tab := New(testRules())
				o.announce(tab, tab.AddSource(withPolicy(p)))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/route")
		})
	}
}
