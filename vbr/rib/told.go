package rib

import "net/netip"

// Announcement is what a change means for the router's neighbours. Who of them is told of a path depends on its source alone, and is for
// the caller to decide: those who are told of paths from Source hear Announce, those who only were of paths from Was hear that it is gone.
type Announcement struct {
	Prefix netip.Prefix
	// Was is the source of what was told before, nil for nothing.
	Was *Source
	// Announce are the attributes to tell, of a path from Source; both are nil when there is nothing to tell any more.
	Announce *Attrs
	Source   *Source
	// Stands: those who heard of it before need not hear again: it sounds the same, or the source is a predecessor's, which has no
	// attributes of its own. It is up to the caller whether it says the same of both sources.
	Stands bool
}

// Any says whether there is anything to tell or to take back.
func (a *Announcement) Any() bool { return a.Was != nil || a.Source != nil }

// Confirm takes in whether the kernel now holds what c says, and returns what the neighbours should be told:
// nothing that the kernel does not hold (connected routes are its own: it holds them while their line is up).
func (t *Table) Confirm(c Change, held bool) Announcement {
	e, best := t.slots.at(c.entry), c.best
	e.unconfirmed--
	t.noteConfirmed(e, &c, best, held)
	defer t.forget(c.entry)
	if best != nil && (!held || c.Hops == nil && best.source.Kind != Connected) {
		t.release(best)
		best = nil
	}
	told := t.sets.get(e.told)
	if told != best && told != nil && best != nil && best.source.Adopted && told.source.told == best.source.told {
		t.release(best) // what was told still stands, attributes and all
		return Announcement{Prefix: c.Prefix}
	}
	a := announcement(c.Prefix, told, best)
	if a.Any() {
		e.toldAt = t.now
	}
	t.countTold(e, told, -1)
	t.countTold(e, best, 1)
	t.release(told)
	e.told = best.number()
	return a
}

// announcement says how what was told becomes what is to be told; either may be nil.
func announcement(prefix netip.Prefix, told, best *shared) Announcement {
	a := Announcement{Prefix: prefix}
	if told == best {
		return a
	}
	a.Stands = told != nil && best != nil && (best.source.Adopted || told.soundsLike(best))
	if a.Stands && told.source.told == best.source.told && (best.source.Adopted || !told.source.Adopted) {
		return Announcement{Prefix: prefix}
	}
	if told != nil {
		a.Was = &told.source.Source
	}
	if best != nil {
		a.Announce, a.Source = &best.Attrs, &best.source.Source
	}
	return a
}

// Told yields what the neighbours were told and still hold: for one that is new, or has forgotten.
func (t *Table) Told(yield func(Announcement)) { t.ToldSlice(1, int(t.slots.used)+1, yield) }

// ToldSlice is Told for the next limit prefixes, to let others at the table in between. Begin with 1; it returns where to go on, 0
// when it is through.
func (t *Table) ToldSlice(from uint32, limit int, yield func(Announcement)) uint32 {
	for ; from <= t.slots.used; from++ {
		if limit == 0 {
			return from
		}
		limit--
		e := t.slots.at(from)
		if told := t.sets.get(e.told); told != nil {
			yield(announcement(e.prefix(), nil, told))
		}
	}
	return 0
}

// toldCount counts the prefixes that neighbours were told and that lead through one router interface, or through none: IPv4, then IPv6.
type toldCount [2]int

// toldThrough is the count of a router interface. It stays when the interface goes: the neighbours may not have heard yet.
func (t *Table) toldThrough(routerInterface string) *toldCount {
	n := t.told[routerInterface]
	if n == nil {
		n = new(toldCount)
		t.told[routerInterface] = n
	}
	return n
}

// countTold books that neighbours hold sh for e (by = 1), or no longer do (-1).
func (t *Table) countTold(e *entry, sh *shared, by int) {
	if sh == nil {
		return
	}
	sh.source.told[boolByte(e.six)] += by
	if sh.source.Adopted && sh.source.Kind == BGP {
		t.toldAdopted += by
	}
}

// ToldAdopted is how many prefixes the neighbours were told as a predecessor left them, without the attributes that a customer gave them.
func (t *Table) ToldAdopted() int { return t.toldAdopted }

// CountTold is how many prefixes of a family the neighbours were told and still hold, of those that lead through one of these router
// interfaces; the empty name is for none.
func (t *Table) CountTold(six bool, through func(routerInterface string) bool) (n int) {
	for name, told := range t.told {
		if through(name) {
			n += told[boolByte(six)]
		}
	}
	return n
}
