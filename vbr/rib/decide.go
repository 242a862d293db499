package rib

import (
	"cmp"
	"math"
	"slices"

	"github.com/gaissmai/bart"
)

// MaxPaths is the largest equal-cost set.
const MaxPaths = 16

// candidate is an accepted path.
type candidate struct {
	attrs *shared
	id    uint32
}

// localPref is LOCAL_PREF with what the source adds to it.
func (c *candidate) localPref() uint32 {
	lp := int64(c.attrs.Attrs.localPref())
	if lp == 0 { // of a router that wants no traffic (RFC 8326): nothing raises it
		return 0
	}
	return uint32(min(max(lp+int64(c.attrs.source.Prefer), 1), math.MaxUint32))
}

// decide judges e's paths and picks its equal-cost set, best path first, and the paths that would follow it.
// Both are valid until the next call.
func (t *Table) decide(e *entry) (primary, backup []candidate) { return t.decideWhy(e, nil) }

// decideWhy is decide, and says in why how each accepted path came not to be in the equal-cost set.
func (t *Table) decideWhy(e *entry, why losses) (primary, backup []candidate) {
	t.judgeAgain(e)
	all := t.accepted[:0]
	for p := range t.pathsOf(e) {
		if p.verdict == Accepted {
			all = append(all, candidate{t.sets.get(p.attrs), p.id})
		}
	}
	t.accepted = all
	if len(all) <= 1 {
		return all, nil
	}
	n := elect(all, why)
	primary = all[:min(n, MaxPaths)]
	m := elect(all[n:n+elsewhere(all[n:], primary)], nil)
	return primary, all[n : n+min(m, MaxPaths)]
}

// elsewhere moves the paths that lead another way than all of the primaries to the front, and returns how many they are: the others are no backup, as
// what was adopted is none for the living path that took its place.
func elsewhere(paths, primary []candidate) int {
	n := 0
	for i := range paths {
		hop := paths[i].attrs.hop()
		if !slices.ContainsFunc(primary, func(c candidate) bool { return c.attrs.hop().same(hop) }) {
			paths[n], paths[i] = paths[i], paths[n]
			n++
		}
	}
	return n
}

// judgeAgain renews the verdicts on paths that are good in themselves: whether their link carries and their peer
// answers, and whether the VPC side has the prefix.
func (t *Table) judgeAgain(e *entry) {
	for p := range t.pathsOf(e) {
		if !passing(p.verdict) {
			continue
		}
		s := t.sourceOf(p)
		v := Accepted
		if s.down {
			v = RejectedLinkDown
		} else if s.unanswered {
			v = RejectedBFDDown
		} else if s.unusable {
			v = RejectedInterface
		} else if s.Kind == BGP && s.Allow&AllowVPC == 0 && len(t.vpc) > 0 && t.vpcSet.LookupPrefix(e.prefix()) {
			v = RejectedVPC
		}
		if v != p.verdict {
			t.count(e, p, -1)
			p.verdict, p.since = v, t.now
			t.note(e, Changed, s.Name, uint8(v))
			t.count(e, p, 1)
		}
	}
}

// rejudgeVPC queues the customers' prefixes inside the VPC prefixes that came or went.
func (t *Table) rejudgeVPC() {
	if t.vpcMoved.Size() == 0 {
		return
	}
	for i, e := range t.all() {
		if t.vpcMoved.LookupPrefix(e.prefix()) {
			t.touch(i)
		}
	}
	t.vpcMoved = new(bart.Lite)
}

// elect moves the best paths, those equal through the multi-exit discriminator (RFC 4271
// 9.1.2.2 a-d, after our own order of kinds), to the front, best first, and returns how many they are.
// Steps are eliminations over the whole set, so the order of arrival does not matter.
func elect(paths []candidate, why losses) int {
	n := len(paths)
	for s := StepKind; s <= StepExternal; s++ {
		var left int
		if cost := costs[s]; cost != nil {
			left = keepLowest(paths[:n], cost)
		} else {
			left = keepMED(paths[:n])
		}
		why.note(s, paths[:left], paths[left:n])
		n = left
	}
	slices.SortFunc(paths[:n], func(a, b candidate) int {
		c, _ := tieBreak(a, b)
		return c
	})
	for i := MaxPaths; i < n && why != nil; i++ {
		_, s := tieBreak(paths[MaxPaths-1], paths[i])
		why.note(s, paths[MaxPaths-1:MaxPaths], paths[i:i+1])
	}
	return n
}

// costs are the steps but for MED: the path with the lower cost wins.
var costs = [StepExternal + 1]func(*candidate) uint32{
	StepKind:      func(p *candidate) uint32 { return uint32(p.attrs.source.Kind) },
	StepAdopted:   func(p *candidate) uint32 { return uint32(boolByte(p.attrs.source.Adopted)) },
	StepLongLived: func(p *candidate) uint32 { return uint32(boolByte(p.attrs.last)) },
	StepDemoted:   func(p *candidate) uint32 { return uint32(boolByte(p.attrs.source.demoted)) },
	StepPriority:  func(p *candidate) uint32 { return uint32(p.attrs.Priority) },
	StepLocalPref: func(p *candidate) uint32 { return ^p.localPref() },
	StepASPath:    func(p *candidate) uint32 { return uint32(p.attrs.Length()) },
	StepOrigin:    func(p *candidate) uint32 { return uint32(p.attrs.Origin) },
	StepExternal:  func(p *candidate) uint32 { return uint32(boolByte(p.attrs.source.Internal)) },
}

// keepLowest moves the paths of the lowest cost to the front and returns how many they are.
func keepLowest(paths []candidate, cost func(*candidate) uint32) int {
	if len(paths) <= 1 {
		return len(paths)
	}
	low, n := cost(&paths[0]), 1
	for i := 1; i < len(paths); i++ {
		c := cost(&paths[i])
		if c > low {
			continue
		}
		if c < low {
			low, n = c, 0
		}
		paths[n], paths[i] = paths[i], paths[n]
		n++
	}
	return n
}

// keepMED drops every path to which one from the same neighbouring AS has a lower MED (RFC 4271 9.1.2.2 c).
func keepMED(paths []candidate) int {
	if len(paths) <= 1 {
		return len(paths)
	}
	beaten := func(p candidate) bool {
		return slices.ContainsFunc(paths, func(o candidate) bool {
			return o.attrs.MED < p.attrs.MED && o.attrs.NeighborAS() == p.attrs.NeighborAS()
		})
	}
	var few [2 * MaxPaths]bool
	lost := few[:]
	if len(paths) > len(few) {
		lost = make([]bool, len(paths))
	}
	for i := range paths {
		lost[i] = beaten(paths[i])
	}
	n := 0
	for i := range paths {
		if !lost[i] {
			paths[n], paths[i] = paths[i], paths[n]
			lost[n], lost[i] = lost[i], lost[n]
			n++
		}
	}
	return n
}

// tieBreak orders equal paths and says by which step: lowest BGP identifier, lowest peer address (RFC 4271 9.1.2.2 f, g), then source name,
// path id and next hop.
func tieBreak(a, b candidate) (int, Step) {
	s, o := a.attrs.source, b.attrs.source
	if c := s.RouterID.Compare(o.RouterID); c != 0 {
		return c, StepRouterID
	}
	if c := s.Address.Compare(o.Address); c != 0 {
		return c, StepAddress
	}
	if c := cmp.Compare(s.Name, o.Name); c != 0 {
		return c, StepName
	}
	if c := cmp.Compare(a.id, b.id); c != 0 {
		return c, StepPathID
	}
	return a.attrs.NextHop.Compare(b.attrs.NextHop), StepNextHop
}
