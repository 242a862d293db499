package fib

import "net/netip"

// wholeMin is from how many routes on a group it pays to look whether all of them change alike.
const wholeMin = 64

// tally counts the changes of one call to the routes of one group.
type tally struct {
	n     int
	to    *Set // where they go; nil: away
	mixed bool // not all to the same place
	any6  bool // some are IPv6
}

// wholes finds the groups all of whose routes go the same way in this call. Such a group is deleted, or given to the other Set, in one
// message instead of one for each route: withdrawing all of a peer's routes costs the kernel a tenth so, and moving them nothing.
func (a *apply) wholes() {
	if len(a.changes) < wholeMin {
		return
	}
	tallies := a.tally()
	a.t.fib.mu.Lock()
	for index, y := range tallies {
		if g := a.t.fib.obj.groups[index]; !a.candidate(g, y) {
			delete(tallies, index)
		}
	}
	a.t.fib.mu.Unlock()
	if len(tallies) > 0 && len(tallies) < 1<<16 {
		a.distinct(tallies)
		a.bulk = tallies
	}
}

// tally counts by group, prefixes that occur twice twice.
func (a *apply) tally() map[uint32]*tally {
	tallies := map[uint32]*tally{}
	var index uint32
	var y *tally
	for _, c := range a.changes {
		e, known := a.get(c.Prefix)
		if !known || e.index() == 0 {
			continue
		}
		if y == nil || e.index() != index {
			if index, y = e.index(), tallies[e.index()]; y == nil {
				y = &tally{to: c.Set}
				tallies[index] = y
			}
		}
		y.n++
		y.mixed = y.mixed || y.to != c.Set
		y.any6 = y.any6 || c.Prefix.Addr().Is6()
	}
	return tallies
}

func (a *apply) get(p netip.Prefix) (entry, bool) {
	if !p.IsValid() {
		return 0, false
	}
	return a.t.held.get(p)
}

// candidate needs FIB.mu. An adopted group may have routes in tables that nobody has read yet.
func (a *apply) candidate(g *group, y *tally) bool {
	return g != nil && g.alive && !g.adopted && !y.mixed && y.n >= wholeMin && y.to != g.set &&
		len(g.refs) == 1 && g.refs[0].table == a.t && y.n >= g.refs[0].n && (y.to == nil || !y.any6 || y.to.only6)
}

// distinct counts again, every prefix once: it marks the entries it has seen.
func (a *apply) distinct(tallies map[uint32]*tally) {
	for _, y := range tallies {
		y.n = 0
	}
	for _, c := range a.changes {
		if e, known := a.get(c.Prefix); known && !e.seen() {
			if y := tallies[e.index()]; y != nil {
				y.n++
				a.t.held.set(c.Prefix, e|seenFlag)
			}
		}
	}
	for _, c := range a.changes {
		if e, known := a.get(c.Prefix); known && e.seen() {
			a.t.held.set(c.Prefix, e&^seenFlag)
		}
	}
}

// asWhole says that a change belongs to a group that goes as a whole, and has not gone yet.
func (a *apply) asWhole(c Change) bool {
	if len(a.bulk) == 0 {
		return false
	}
	e, known := a.get(c.Prefix)
	return known && a.bulk[e.index()] != nil
}

// goWhole deals with the group of a change as a whole, if that is still right. Whatever comes of it, each change is then planned by what
// is true. It needs FIB.mu and an empty batch.
func (a *apply) goWhole(c Change) {
	e, _ := a.get(c.Prefix)
	y := a.bulk[e.index()]
	delete(a.bulk, e.index())
	g := a.t.fib.obj.groups[e.index()]
	if !a.candidate(g, y) || y.n != g.refs[0].n {
		return
	}
	if y.to != nil {
		a.t.fib.give(g, y.to)
		return
	}
	if err := a.t.fib.one(func(e *encoder) { e.deleteNexthop(g.id()) }); err == nil {
		a.t.fib.bury(g)
	}
}

// give makes another Set the owner of a group, if it has none, and so moves all routes on it.
func (f *FIB) give(g *group, to *Set) {
	if to.group != nil || !to.fits(g.buckets) {
		return
	}
	want, _ := f.desired(to, g.buckets)
	if len(want) == 0 {
		f.dropGateways(to)
		return
	}
	if !sameMembers(want, g.members) {
		if n, _ := f.replaceGroups([]regroup{{g, want}}); n == 0 {
			f.dropGateways(to)
			return
		}
	}
	names := g.names
	g.names = nil
	if g.set != nil {
		g.set.group = nil
	}
	g.set, g.shape, to.group = to, nil, g
	for _, gw := range names {
		delete(gw.groups, g)
	}
	f.obj.link(g)
	for _, gw := range names {
		f.dropGateway(gw)
	}
}
