package rib

import "slices"

// Oversize says of attributes that only the beginnings of their lists were kept, as they had more ASes or communities than the source's paths may have:
// a peer's messages are of up to 64 KiB (RFC 8654), and what is rejected is kept too.
type Oversize struct {
	Verdict Verdict // why they are rejected; Accepted when all was kept
	Had     int     // how many ASes, or communities, they had
}

// keptOfOversize is how many ASes, communities and large communities are kept of what has too many.
const keptOfOversize = 32

// oversize says whether a path has more ASes or communities than those of s may have, and how many.
func (s *source) oversize(a *Attrs) Oversize {
	if a.Oversize.Verdict != Accepted {
		return a.Oversize
	}
	if n := a.ases(); s.MaxASPath > 0 && n > s.MaxASPath {
		return Oversize{RejectedASPathLength, n}
	}
	if n := len(a.Communities) + len(a.LargeCommunities); s.MaxCommunities > 0 && n > s.MaxCommunities {
		return Oversize{RejectedCommunities, n}
	}
	return Oversize{}
}

// bounded is what is kept of a: all, unless it is oversize.
func (s *source) bounded(a *Attrs) *Attrs {
	over := s.oversize(a)
	if s.Kind != BGP || over.Verdict == Accepted {
		return a
	}
	x := *a
	x.Oversize, x.ASPath = over, nil
	x.Communities = slices.Clone(atMost(a.Communities, keptOfOversize))
	x.LargeCommunities = slices.Clone(atMost(a.LargeCommunities, keptOfOversize))
	room := keptOfOversize
	for _, seg := range a.ASPath {
		if room == 0 {
			break
		}
		asns := slices.Clone(atMost(seg.ASNs, room))
		x.ASPath, room = append(x.ASPath, Segment{Type: seg.Type, ASNs: asns}), room-len(asns)
	}
	return &x
}

// atMost is a slice, or its first n.
func atMost[T any](s []T, n int) []T { return s[:min(n, len(s))] }

// enlarged notes that paths of s which were cut for their size may be within its limits now: the source has to tell them again.
func (s *source) enlarged(from *Source) {
	more := func(before, after int) bool { return before > 0 && (after == 0 || after > before) }
	if more(from.MaxASPath, s.MaxASPath) && s.counts[RejectedASPathLength] > 0 || more(from.MaxCommunities, s.MaxCommunities) && s.counts[RejectedCommunities] > 0 {
		s.cut = true
	}
}
