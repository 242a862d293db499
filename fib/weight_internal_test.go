package fib

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// rebalance is how Linux shares buckets (net/ipv4/nexthop.c, nh_res_group_rebalance), weights as on the wire.
func rebalance(buckets int, weights []uint8) []int {
	total, sum, before := 0, 0, 0
	for _, w := range weights {
		total += int(w) + 1
	}
	shares := make([]int, len(weights))
	for i, w := range weights {
		sum += int(w) + 1
		upper := (2*buckets*sum + total) / (2 * total) // DIV_ROUND_CLOSEST
		shares[i], before = upper-before, upper
	}
	return shares
}

// TestPropertyShares: whatever the weights and whichever primaries live, each of them has buckets, the heavier no fewer than the lighter but for
// rounding, and the standbys none. Weights read back are written as they were.
func TestPropertyShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &Set{backup: make([]NextHop, rapid.IntRange(1, 3).Draw(t, "backups"))}
		for i := range rapid.IntRange(1, MaxPaths).Draw(t, "primaries") {
			s.primary = append(s.primary, NextHop{Gateway: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), Device: 2,
				Weight: rapid.Uint16Range(0, MaxWeight).Draw(t, "weight")})
		}
		reduce(s.primary)
		s.plain, s.beside = shares(s.primary, false), shares(s.primary, true)
		var alive []uint8
		for i, w := range s.beside {
			if i == 0 || rapid.Bool().Draw(t, "lives") {
				alive = append(alive, w)
			}
		}
		got := rebalance(int(s.buckets()), append(alive, make([]uint8, s.standbys())...))
		for i, n := range got {
			if standby := i >= len(alive); standby != (n == 0) {
				t.Fatalf("weights %v of %d buckets: shared %v", alive, s.buckets(), got)
			}
		}
		for i := range alive {
			for j := range alive {
				if alive[i] > alive[j] && got[i] < got[j]-1 {
					t.Fatalf("weights %v of %d buckets: shared %v", alive, s.buckets(), got)
				}
			}
		}
		if !s.fits(s.buckets()) {
			t.Fatalf("a group of its own %d buckets does not fit", s.buckets())
		}
		for _, wire := range [][]uint8{s.plain, s.beside} {
			read := slices.Clone(s.primary)
			for i := range read {
				read[i].Weight = uint16(wire[i]) + 1
			}
			reduce(read)
			if again := shares(read, &wire[0] == &s.beside[0]); !slices.Equal(again, wire) {
				t.Fatalf("%v on the wire %v is read as %v and written %v", s.primary, wire, read, again)
			}
		}
	})
}
