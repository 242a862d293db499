package rib

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Path is one path of a prefix as operators see it.
type Path struct {
	Source  Source
	PathID  uint32
	Attrs   Attrs
	Verdict Verdict
	Best    bool // is in the equal-cost set
	Backup  bool // would follow it
	Stale   bool
	Since   time.Time // when it got its attributes and its verdict
	Reason  string    // why a rejected path is, in words
	Lost    *Loss     // why an accepted path is not in the equal-cost set
	// Import is what the import policy says of it, in words; empty where it was not asked. Received are the attributes before it changed
	// them, nil if it did not.
	Import   string
	Received *Attrs

	rank int
}

// Lookup returns what is known of exactly this prefix: best paths first, then their backups, then the others by source.
func (t *Table) Lookup(prefix netip.Prefix) []Path {
	i := t.lookup(prefix.Masked())
	if i == 0 {
		return nil
	}
	return t.pathsIn(t.slots.at(i))
}

// pathsIn are the paths of an entry: best first, then backups, then other accepted ones, then the rejected ones by source.
func (t *Table) pathsIn(e *entry) []Path {
	why := make(losses)
	primary, backup := t.decideWhy(e, why)
	var paths []Path
	for p := range t.pathsOf(e) {
		c := candidate{t.sets.get(p.attrs), p.id}
		v := Path{
			Source: c.attrs.source.Source, PathID: p.id, Attrs: c.attrs.Attrs, Verdict: p.verdict, Stale: p.stale, Since: t.at(p.since),
			Reason: t.reason(e.prefix(), c.attrs, p.verdict),
		}
		v.Import, v.Received = imported(e.prefix(), c.attrs, p.verdict)
		best, next := slices.Index(primary, c), slices.Index(backup, c)
		v.Best, v.Backup = best >= 0, next >= 0
		switch {
		case v.Best:
			v.rank = best
		case v.Backup:
			v.rank = MaxPaths + next
		case p.verdict == Accepted:
			v.rank = 2 * MaxPaths
		default:
			v.rank = 2*MaxPaths + 1
		}
		if l, lost := why[c]; lost && p.verdict == Accepted {
			v.Lost = &l
		}
		paths = append(paths, v)
	}
	slices.SortFunc(paths, func(a, b Path) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.Source.Name, b.Source.Name), cmp.Compare(a.PathID, b.PathID))
	})
	return paths
}

// Known is all that is known of a prefix.
type Known struct {
	Prefix netip.Prefix
	// Paths as with Lookup.
	Paths []Path
	// Hops is what Changes last said, nil for nothing or a connected route; it is read-only.
	Hops *Hops
	// HopsAt is when that was said.
	HopsAt time.Time
	// Held: the kernel has acknowledged that, or holds a connected route.
	Held bool
	// Told is what neighbours hold, nil for nothing, and ToldOf the source that decides who. ToldAt is when that came
	// about, zero if they were never told of the prefix.
	Told   *Attrs
	ToldOf *Source
	ToldAt time.Time
	// Queued: it will be decided anew, and Deferred: not before the next window. Unconfirmed: the kernel has been asked and has not answered yet.
	Queued, Deferred, Unconfirmed bool
}

// Explain returns all that is known of exactly this prefix; false if it has no path, now or until the change is through.
func (t *Table) Explain(prefix netip.Prefix) (Known, bool) {
	t.rejudgeVPC()
	i := t.lookup(prefix.Masked())
	if i == 0 {
		return Known{}, false
	}
	e := t.slots.at(i)
	told := t.sets.get(e.told)
	k := Known{
		Prefix: e.prefix(), Paths: t.pathsIn(e), Hops: t.hops.get(e.hops), HopsAt: t.at(e.heldAt), Held: told != nil,
		ToldAt: t.at(e.toldAt), Queued: e.queue != idle, Unconfirmed: e.unconfirmed > 0,
	}
	k.Deferred = k.Queued && e.window == t.window
	if told != nil {
		k.Told, k.ToldOf = &told.Attrs, &told.source.Source
	}
	return k, len(k.Paths) > 0 || k.Held
}

// Match returns the longest prefix with addr in it that the kernel holds, or else of all that have a path.
func (t *Table) Match(addr netip.Addr) (netip.Prefix, bool) {
	return t.longest(addr.WithZone(""), addr.BitLen(), false)
}

// Cover returns the longest prefix that covers p, other than p itself, and that the kernel holds.
func (t *Table) Cover(p netip.Prefix) (netip.Prefix, bool) {
	return t.longest(p.Addr(), p.Bits()-1, true)
}

// longest looks for the longest prefix around addr of at most so many bits: one lookup a length.
func (t *Table) longest(addr netip.Addr, bits int, held bool) (netip.Prefix, bool) {
	var known netip.Prefix
	for ; bits >= 0; bits-- {
		p := netip.PrefixFrom(addr, bits).Masked()
		i := t.lookup(p)
		if i == 0 {
			continue
		}
		e := t.slots.at(i)
		if e.told != 0 {
			return p, true
		}
		if !held && e.first.attrs != 0 && !known.IsValid() {
			known = p
		}
	}
	return known, known.IsValid()
}

// Best returns what the kernel should hold, by prefix: the state that all Changes taken together describe.
func (t *Table) Best() map[netip.Prefix]*Hops {
	t.rejudgeVPC()
	best := make(map[netip.Prefix]*Hops)
	for _, e := range t.all() {
		if h, _ := t.outcome(e); h != nil {
			t.releaseHops(h)
			best[e.prefix()] = h
		}
	}
	return best
}
