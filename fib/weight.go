package fib

import "slices"

// MaxWeight is the greatest weight of a next hop.
const MaxWeight = 256

// Weights on the wire are less 1 (struct nexthop_grp, include/uapi/linux/nexthop.h).
const (
	heaviest      = 254 // Linux takes no greater before 6.12: a weight of 256 counts as 255
	standbyWeight = 0
	leastShare    = 31 // of 255: how light a primary beside a standby may be, see plan.go
)

// reduce brings the weights of a Set's primaries into their one form: without a common divisor, 0 if all are equal.
func reduce(nhs []NextHop) {
	d := uint16(0)
	for i := range nhs {
		nhs[i].Weight = max(nhs[i].Weight, 1)
		d = divisor(d, nhs[i].Weight)
	}
	alike := true
	for i := range nhs {
		nhs[i].Weight /= d
		alike = alike && nhs[i].Weight == 1
	}
	for i := range nhs {
		if alike {
			nhs[i].Weight = 0
		}
	}
}

// divisor is the greatest common one.
func divisor(a, b uint16) uint16 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// weighted says whether the primaries' shares differ.
func (s *Set) weighted() bool { return s.primary[0].Weight != 0 }

// weigh gives the primaries among members the weights they have in a group with so many buckets.
func (s *Set) weigh(members []member, buckets uint16) {
	weights := s.plain
	if buckets > 0 {
		weights = s.beside
	}
	for i := range members {
		if m := &members[i]; !m.standby {
			m.weight = weights[slices.IndexFunc(s.primary, m.gw.nh.same)]
		}
	}
}

// shares are the weights of primaries on the wire. Beside standbys the heaviest weighs all it can, the others in proportion, but no less than
// leastShare, or 8 for each primary, which leaves each of many a bucket.
func shares(primary []NextHop, standbys bool) []uint8 {
	out := make([]uint8, len(primary))
	most := uint16(1)
	for _, n := range primary {
		most = max(most, n.Weight)
	}
	for i, n := range primary {
		w := max(int(n.Weight), 1)
		if standbys {
			w = max((w*(heaviest+1)+int(most)/2)/int(most), leastShare, 8*len(primary))
		}
		out[i] = uint8(min(w-1, heaviest))
	}
	return out
}
