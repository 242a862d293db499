package policy

import (
	"net/netip"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func ranges(t testing.TB, texts ...string) (out []PrefixRange) {
	t.Helper()
	for _, s := range texts {
		r, err := ParsePrefixRange(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func path(t testing.TB, text string) []*regexp.Regexp {
	t.Helper()
	re, err := ParsePath(text)
	if err != nil {
		t.Fatal(err)
	}
	return []*regexp.Regexp{re}
}

func sequence(asns ...uint32) []Segment { return []Segment{{ASSequence, asns}} }

func ptr[T any](v T) *T { return &v }

func compile(t testing.TB, end Result, terms ...Term) *Policy {
	t.Helper()
	p, err := New("lab", end, terms...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMatch(t *testing.T) {
	a := Attrs{
		NextHop: netip.MustParseAddr("10.0.0.2"), ASPath: []Segment{{ASSequence, []uint32{65001, 65010}}, {ASSet, []uint32{65020, 65021}}},
		Communities: []uint32{65001<<16 | 7, 0xFFFFFF01}, LargeCommunities: [][3]uint32{{64600, 1, 2}}, Origin: 2,
	}
	community := func(s string) []CommunityPattern { p, _ := ParseCommunityPattern(s); return []CommunityPattern{p} }
	large := func(s string) []LargePattern { p, _ := ParseLargePattern(s); return []LargePattern{p} }
	for _, tt := range []struct {
		name string
		m    Match
		want bool
	}{
		{"nothing asked", Match{}, true},
		{"prefix", Match{Prefixes: ranges(t, "10.1.0.0/16")}, true},
		{"prefix of another length", Match{Prefixes: ranges(t, "10.0.0.0/8")}, false},
		{"prefix orlonger", Match{Prefixes: ranges(t, "10.0.0.0/8 orlonger")}, true},
		{"second prefix of the list", Match{Prefixes: ranges(t, "192.168.0.0/16", "10.0.0.0/8 ge 16 le 16")}, true},
		{"prefix too short", Match{Prefixes: ranges(t, "10.0.0.0/8 ge 17")}, false},
		{"prefix of the other family", Match{Prefixes: ranges(t, "::/0 orlonger")}, false},
		{"AS anywhere", Match{ASPaths: path(t, "_65010_")}, true},
		{"AS of a set", Match{ASPaths: path(t, "_65021_")}, true},
		{"part of an AS number", Match{ASPaths: path(t, "_6501_")}, false},
		{"first AS", Match{ASPaths: path(t, "^65001_")}, true},
		{"last AS", Match{ASPaths: path(t, "_65010$")}, false},
		{"empty path", Match{ASPaths: path(t, "^$")}, false},
		{"community", Match{Communities: community("65001:7")}, true},
		{"community by wildcard", Match{Communities: community("*:7")}, true},
		{"community by name", Match{Communities: community("no-export")}, true},
		{"another community", Match{Communities: community("65002:*")}, false},
		{"large community", Match{LargeCommunities: large("64600:*:2")}, true},
		{"one of either kind", Match{Communities: community("1:1"), LargeCommunities: large("64600:1:2")}, true},
		{"another large community", Match{LargeCommunities: large("64600:*:3")}, false},
		{"next hop", Match{NextHops: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/30")}}, true},
		{"another next hop", Match{NextHops: []netip.Prefix{netip.MustParsePrefix("10.0.1.0/30")}}, false},
		{"origin", Match{Origins: []uint8{0, 2}}, true},
		{"another origin", Match{Origins: []uint8{0}}, false},
		{"path length", Match{MinLength: 3, MaxLength: 3}, true},
		{"path too long", Match{MaxLength: 2}, false},
		{"path too short", Match{MinLength: 4}, false},
		{"all but one", Match{Origins: []uint8{2}, ASPaths: path(t, "_65010_"), Communities: community("1:1")}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, Deny, Term{Number: 10, Match: tt.m, Result: Permit})
			o := p.Evaluate(&a, netip.MustParsePrefix("10.1.0.0/16"))
			if o.Accept != tt.want {
				t.Errorf("accepted: %v, want %v", o.Accept, tt.want)
			}
			if want := uint32(10); tt.want && p.Number(o) != want || !tt.want && p.Number(o) != 0 {
				t.Errorf("decided by %d", p.Number(o))
			}
		})
	}
}

func TestOrderAndNext(t *testing.T) {
	p := compile(t, Deny,
		Term{Number: 30, Result: Permit},
		Term{Number: 10, Set: Set{LocalPref: ptr(uint32(200)), Prepend: 1}, Result: Next},
		Term{Number: 20, Match: Match{Prefixes: ranges(t, "10.0.0.0/8 orlonger")}, Set: Set{MED: ptr(uint32(5)), Add: []uint32{7, 7}, Prepend: 2}, Result: Permit},
		Term{Number: 25, Match: Match{Prefixes: ranges(t, "192.168.0.0/16")}, Set: Set{MED: ptr(uint32(9))}, Result: Deny},
	)
	for _, tt := range []struct {
		prefix, text string
		want         Attrs
		prepend      int
	}{
		{"10.1.0.0/16", "term 20 of lab permits it", Attrs{LocalPref: 200, HasLocalPref: true, MED: 5, HasMED: true, Communities: []uint32{7}}, 3},
		{"192.168.0.0/16", "term 25 of lab denies it", Attrs{}, 0},
		{"172.16.0.0/12", "term 30 of lab permits it", Attrs{LocalPref: 200, HasLocalPref: true}, 1},
	} {
		var a Attrs
		o := p.Evaluate(&a, netip.MustParsePrefix(tt.prefix))
		n := p.Apply(o, &a)
		if p.Text(o) != tt.text || n != tt.prepend {
			t.Errorf("%s: %s, prepend %d; want %s, %d", tt.prefix, p.Text(o), n, tt.text, tt.prepend)
		}
		if diff := cmp.Diff(tt.want, a, cmp.Comparer(func(x, y netip.Addr) bool { return x == y })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.prefix, diff)
		}
	}
	if o := compile(t, Deny).Evaluate(&Attrs{}, netip.MustParsePrefix("10.0.0.0/8")); o.Accept || o.By >= 0 {
		t.Errorf("the end of an empty policy: %+v", o)
	}
}

func TestCommunitySets(t *testing.T) {
	all, _ := ParseCommunityPattern("*:*")
	p1, _ := ParseCommunityPattern("0:1")
	had := []uint32{1, 2, 3}
	for _, tt := range []struct {
		name string
		set  Set
		want []uint32
	}{
		{"added once", Set{Add: []uint32{3, 4}}, []uint32{1, 2, 3, 4}},
		{"removed", Set{Remove: []CommunityPattern{p1}}, []uint32{2, 3}},
		{"removed and added again", Set{Remove: []CommunityPattern{all}, Add: []uint32{2}}, []uint32{2}},
		{"replaced", Set{Replace: true, Add: []uint32{9}}, []uint32{9}},
		{"replaced by none", Set{Replace: true}, nil},
	} {
		a := Attrs{Communities: had}
		p := compile(t, Deny, Term{Number: 1, Set: tt.set, Result: Permit})
		p.Apply(p.Evaluate(&a, netip.Prefix{}), &a)
		if diff := cmp.Diff(tt.want, a.Communities); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if !cmp.Equal(had, []uint32{1, 2, 3}) {
		t.Errorf("changed in place: %v", had)
	}
}

func TestPreferences(t *testing.T) {
	p := compile(t, Permit, Preferences(45104, 4200000001)...)
	for _, tt := range []struct {
		name string
		a    Attrs
		want uint32
	}{
		{"none", Attrs{}, 0},
		{"low", Attrs{Communities: []uint32{45104<<16 | 7100}}, PreferenceLow},
		{"medium", Attrs{Communities: []uint32{45104<<16 | 7200}}, PreferenceMedium},
		{"high", Attrs{Communities: []uint32{45104<<16 | 7300}}, PreferenceHigh},
		{"low and high", Attrs{Communities: []uint32{45104<<16 | 7300, 45104<<16 | 7100}}, PreferenceHigh},
		{"another AS", Attrs{Communities: []uint32{7224<<16 | 7300}}, 0},
		{"an AS of four bytes", Attrs{LargeCommunities: [][3]uint32{{4200000001, 0, 7300}}}, PreferenceHigh},
	} {
		a := tt.a
		p.Apply(p.Evaluate(&a, netip.Prefix{}), &a)
		if a.LocalPref != tt.want || a.HasLocalPref != (tt.want != 0) {
			t.Errorf("%s: LOCAL_PREF %d (%v), want %d", tt.name, a.LocalPref, a.HasLocalPref, tt.want)
		}
	}
}

func TestPrepend(t *testing.T) {
	had := sequence(1, 2)
	got := Prepend(had, 9, 2)
	if diff := cmp.Diff(sequence(9, 9, 1, 2), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !cmp.Equal(had, sequence(1, 2)) {
		t.Errorf("changed in place: %v", had)
	}
	if got := Prepend([]Segment{{ASSet, []uint32{1}}}, 9, 1); len(got) != 2 || got[0].Type != ASSequence {
		t.Errorf("in front of a set: %v", got)
	}
}

// However many terms put an AS in front, it is there a hundred times at most.
func TestPrependTogether(t *testing.T) {
	var terms []Term
	for i := range 26 {
		terms = append(terms, Term{Number: uint32(i + 1), Set: Set{Prepend: MaxPrepend}, Result: Next})
	}
	p, err := New("much", Permit, terms...)
	if err != nil {
		t.Fatal(err)
	}
	a := &Attrs{}
	if n := p.Apply(p.Evaluate(a, netip.MustParsePrefix("10.0.0.0/8")), a); n != maxAhead {
		t.Errorf("%d times, want %d", n, maxAhead)
	}
}

// Deciding in two halves is deciding at once, and terms that cannot hold change nothing.
func TestHalves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var terms []Term
		for range rapid.IntRange(0, 6).Draw(t, "terms") {
			term := Term{Number: uint32(rapid.IntRange(1, 5).Draw(t, "number")), Result: Result(rapid.IntRange(0, 2).Draw(t, "result"))}
			if rapid.Bool().Draw(t, "by prefix") {
				term.Match.Prefixes = []PrefixRange{{netip.MustParsePrefix("10.0.0.0/8"), uint8(rapid.IntRange(8, 24).Draw(t, "ge")), 24}}
			}
			if rapid.Bool().Draw(t, "by community") {
				term.Match.Communities = []CommunityPattern{{uint32(rapid.IntRange(0, 2).Draw(t, "community")), 3}}
			}
			if rapid.Bool().Draw(t, "sets") {
				term.Set.Add = []uint32{uint32(rapid.IntRange(0, 9).Draw(t, "add"))}
			}
			terms = append(terms, term)
		}
		p, err := New("drawn", Result(rapid.IntRange(0, 1).Draw(t, "end")), terms...)
		if err != nil {
			t.Fatal(err)
		}
		a := Attrs{Communities: rapid.SliceOfN(rapid.Uint32Range(0, 3), 0, 3).Draw(t, "communities")}
		prefix := netip.PrefixFrom(netip.MustParseAddr("10.0.0.0"), rapid.IntRange(8, 30).Draw(t, "bits"))
		want, accept := modelled(p, a, prefix)
		got := a
		o := p.Evaluate(&a, prefix)
		p.Apply(o, &got)
		if o.Accept != accept || !cmp.Equal(got.Communities, want) {
			t.Fatalf("accepted %v with %v; want %v with %v", o.Accept, got.Communities, accept, want)
		}
	})
}

// modelled is the plain reading of a policy: term after term.
func modelled(p *Policy, a Attrs, prefix netip.Prefix) (communities []uint32, accept bool) {
	changed := a
	for _, t := range p.terms {
		if !t.Match.prefix(prefix) || !t.Match.communities(&a) {
			continue
		}
		if t.Result == Deny {
			return a.Communities, false
		}
		t.Set.apply(&changed)
		if t.Result == Permit {
			return changed.Communities, true
		}
	}
	if p.end == Deny {
		return a.Communities, false
	}
	return changed.Communities, true
}

func TestTooManyTerms(t *testing.T) {
	if _, err := New("big", Deny, make([]Term, maxAll+1)...); err == nil {
		t.Error("129 terms compile")
	}
	terms := make([]Term, maxAll)
	for i := range terms {
		terms[i] = Term{Number: uint32(i), Result: Next, Set: Set{Add: []uint32{uint32(i)}}}
	}
	p := compile(t, Permit, terms...)
	a := &Attrs{}
	if p.Apply(p.Evaluate(a, netip.Prefix{}), a); len(a.Communities) != maxAll {
		t.Errorf("%d terms changed, want %d", len(a.Communities), maxAll)
	}
}
