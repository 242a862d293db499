package fib

import "slices"

// MaxWeight is the greatest weight of a next hop.
const MaxWeight = 256

// Weights on the wire are less 1 (struct nexthop_grp, include/uapi/linux/nexthop.h).
const (
	heaviest      = 254 // Linux takes no greater before 6.12: a weight of 256 counts as 255
	standbyWeight = 0
)

// reduce brings the weights of a Set's primaries into their one form: none that Linux does not take, without a common divisor, 0 if all are equal.
// What is read back from a group of such weights has the same form.
func reduce(nhs []NextHop) {
	for i := range nhs {
		nhs[i].Weight = max(nhs[i].Weight, 1)
	}
	divide(nhs)
	for i := range nhs {
		nhs[i].Weight = min(nhs[i].Weight, heaviest+1)
	}
	divide(nhs)
	if slices.ContainsFunc(nhs, func(n NextHop) bool { return n.Weight != 1 }) {
		return
	}
	for i := range nhs {
		nhs[i].Weight = 0
	}
}

// divide takes the common divisor out of weights.
func divide(nhs []NextHop) {
	d := uint16(0)
	for i := range nhs {
		d = divisor(d, nhs[i].Weight)
	}
	for i := range nhs {
		nhs[i].Weight /= d
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

// leastShare is how light, of 255, one of so many primaries may be beside a standby: an eighth, or so that even if it is the only light one, its
// part of the weight/2 buckets that there may be is a whole bucket.
func leastShare(primaries int) int {
	w := (heaviest + 1) / 8
	for w/2*w < w+(heaviest+1)*(primaries-1) {
		w++
	}
	return w
}

// shares are the weights of primaries on the wire. Beside standbys the heaviest weighs all it can, the others in proportion, but no less than
// leastShare.
func shares(primary []NextHop, standbys bool) []uint8 {
	out := make([]uint8, len(primary))
	most := uint16(1)
	for _, n := range primary {
		most = max(most, n.Weight)
	}
	for i, n := range primary {
		w := max(int(n.Weight), 1)
		if standbys {
			w = max((w*(heaviest+1)+int(most)/2)/int(most), leastShare(len(primary)))
		}
		out[i] = uint8(w - 1)
	}
	return out
}
