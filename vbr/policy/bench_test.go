package policy

import (
	"math"
	"net/netip"
	"testing"
)

// typical is a policy of ten terms as operators write them.
func typical(tb testing.TB, byPrefix bool) *Policy {
	tb.Helper()
	terms := Preferences(45104, 64600)
	for i := range uint32(8) {
		c := CommunityPattern{65001<<16 | i, ^uint32(0)}
		terms = append(terms, Term{Number: 10 + i, Match: Match{Communities: []CommunityPattern{c}}, Result: Deny})
	}
	terms = append(terms, Term{Number: 50, Match: Match{ASPaths: path(tb, "_65666_")}, Result: Deny})
	last := Term{Number: 60, Result: Permit}
	if byPrefix {
		last.Match.Prefixes = ranges(tb, "192.168.0.0/16 orlonger", "172.16.0.0/12 orlonger", "10.0.0.0/8 ge 16 le 24")
	}
	return compile(tb, Deny, append(terms, last)...)
}

func sample() *Attrs {
	return &Attrs{NextHop: netip.MustParseAddr("10.0.0.2"), ASPath: sequence(65001, 65010, 65020), Communities: []uint32{65001<<16 | 99}}
}

func BenchmarkMatch(b *testing.B) {
	p, a := typical(b, true), sample()
	scratch := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		_, scratch = p.Match(a, scratch)
	}
}

func BenchmarkDecide(b *testing.B) {
	p := typical(b, true)
	m, _ := p.Match(sample(), nil)
	prefix := netip.MustParsePrefix("10.7.0.0/16")
	b.ReportAllocs()
	for b.Loop() {
		if !p.Decide(m, prefix).Accept {
			b.Fatal("denied")
		}
	}
}

// TestNoAllocation: a route that is accepted costs no allocation.
func TestNoAllocation(t *testing.T) {
	p, a := typical(t, true), sample()
	prefix, scratch := netip.MustParsePrefix("10.7.0.0/16"), make([]byte, 0, 64)
	least := math.Inf(1)
	for range 20 { // the race detector empties regexp's pool at random
		least = min(least, testing.AllocsPerRun(10, func() {
			var m Mask
			m, scratch = p.Match(a, scratch)
			if !p.Decide(m, prefix).Accept {
				t.Error("denied")
			}
		}))
	}
	if least != 0 {
		t.Errorf("%v allocations a route", least)
	}
}
