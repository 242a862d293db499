package rib

import (
	"net/netip"
	"time"

	"github.com/gaissmai/bart"
)

// Table holds one router's paths and decisions. See the package comment for who may call it.
type Table struct {
	rules      Rules
	sources    map[SourceID]*source
	nextSource SourceID
	choices    map[string]*Hops

	// entries and entries6 number the prefixes of each family that are known.
	entries  map[key4]uint32
	entries6 map[key6]uint32

	// What numbers name. Entries, paths and sets are many, so they refer to each other by number.
	slots slab[entry]
	paths slab[path] // all but the first of each entry
	sets  slab[*shared]
	hops  slab[*Hops]

	// dirty are the entries to decide again, in the order they changed.
	dirty []uint32
	// window counts NextWindow; later are the entries that changed again within it.
	window uint32
	later  []uint32
	// chosen counts the prefixes that the kernel should hold, as far as Changes has said so.
	chosen int

	// base and now are the time, see SetNow.
	base time.Time
	now  uint32
	// told counts the prefixes that neighbours were told, by the router interface that they lead through.
	told map[string]*toldCount
	// toldAdopted counts those of them that are as a predecessor left them, see ToldAdopted.
	toldAdopted int
	gone        gone
	// history is what happened to prefixes.
	history history

	// vpc counts the accepted router-interface paths of a prefix; vpcSet is its keys for longest match.
	vpc    map[netip.Prefix]int
	vpcSet *bart.Lite
	// vpcMoved are the VPC prefixes that came or went since the last Changes: customers' paths inside them are judged again.
	vpcMoved *bart.Lite

	// Buffers of lookups, kept to avoid allocation.
	scratch  []byte
	nextHops []NextHop
	accepted []candidate
}

// New returns an empty table that judges by rules.
func New(rules Rules) *Table {
	return &Table{
		rules:    rules,
		window:   1,
		sources:  make(map[SourceID]*source),
		choices:  make(map[string]*Hops),
		entries:  make(map[key4]uint32),
		entries6: make(map[key6]uint32),
		told:     make(map[string]*toldCount),
		vpc:      make(map[netip.Prefix]int),
		vpcSet:   new(bart.Lite),
		vpcMoved: new(bart.Lite),
	}
}

// Len is the number of prefixes that have a path.
func (t *Table) Len() int { return len(t.entries) + len(t.entries6) }

// Announce takes in that a source offers prefixes with these attributes. It replaces the source's earlier path of the same id. An unknown source is ignored. Prefixes are
// masked; invalid ones are ignored. The slices of a are kept: do not change them afterwards.
func (t *Table) Announce(id SourceID, pathID uint32, a *Attrs, prefixes ...netip.Prefix) {
	s := t.sources[id]
	if s == nil || len(prefixes) == 0 {
		return
	}
	in := t.importer(s, s.bounded(a))
	for _, p := range prefixes {
		if p = p.Masked(); p.IsValid() {
			sh, v := in.take(p)
			t.put(p, s, path{attrs: sh.id, id: pathID, verdict: v, since: t.now})
		}
	}
	in.done()
	t.fill(s)
}

// Withdraw takes in that a source no longer offers prefixes. What it never offered is ignored.
func (t *Table) Withdraw(id SourceID, pathID uint32, prefixes ...netip.Prefix) {
	s := t.sources[id]
	if s == nil {
		return
	}
	for _, p := range prefixes {
		p = p.Masked()
		i, was := t.offered(p, s, pathID)
		if was != nil {
			t.remove(i, was, Withdrawn)
		} else if p.IsValid() {
			s.placesOf(p).withdrawn()
		}
	}
	t.fill(s)
}

// Drop withdraws everything a source offers.
func (t *Table) Drop(id SourceID) {
	if s := t.sources[id]; s != nil {
		s.remember()
	}
	t.dropIf(id, Dropped, func(*entry, *path) bool { return true })
}

func (t *Table) dropIf(id SourceID, how Leaving, match func(*entry, *path) bool) {
	s := t.sources[id]
	if s == nil {
		return
	}
	for i, e := range t.all() {
		doomed := func(p *path) bool { return t.sourceOf(p) == s && match(e, p) }
		for p := t.findIf(e, doomed); p != nil; p = t.findIf(e, doomed) {
			t.remove(i, p, how)
		}
	}
	t.fill(s)
}

// find returns a source's path, nil if there is none.
func (t *Table) find(e *entry, s *source, pathID uint32) *path {
	return t.findIf(e, func(p *path) bool { return p.id == pathID && t.sourceOf(p) == s })
}

func (t *Table) findIf(e *entry, match func(*path) bool) *path {
	for p := range t.pathsOf(e) {
		if match(p) {
			return p
		}
	}
	return nil
}

// offered is the path of a source to a prefix, and its entry; nil if there is none.
func (t *Table) offered(prefix netip.Prefix, s *source, pathID uint32) (uint32, *path) {
	i := t.lookup(prefix)
	if i == 0 {
		return 0, nil
	}
	return i, t.find(t.slots.at(i), s, pathID)
}

// put adds or replaces a path of s, unless there is no room for it. Its attributes have a reference for it.
func (t *Table) put(prefix netip.Prefix, s *source, p path) {
	i, old := t.offered(prefix, s, p.id)
	p.verdict = s.admit(prefix, old, p.verdict)
	if p.verdict != Accepted && (old == nil || passing(old.verdict)) && s.overflows(prefix, p.verdict) {
		t.release(t.sets.get(p.attrs))
		if old != nil {
			t.remove(i, old, Withdrawn)
		}
		return
	}
	if i == 0 {
		i = t.enter(prefix)
	}
	e := t.slots.at(i)
	t.count(e, &p, 1)
	if old != nil {
		t.count(e, old, -1)
		s.requeue(i, e, old, &p)
		if old.attrs == p.attrs && old.verdict == p.verdict { // judgeAgain sees to verdicts that come and go
			p.since = old.since
		} else if old.attrs != p.attrs || !passing(old.verdict) || !passing(p.verdict) {
			t.note(e, Changed, s.Name, uint8(p.verdict))
		}
		t.release(t.sets.get(old.attrs))
		p.next = old.next
		*old = p
	} else {
		s.requeue(i, e, &path{}, &p)
		t.note(e, Announced, s.Name, uint8(p.verdict))
		t.link(e, p)
	}
	t.touch(i)
}

// remove takes p out of entry i.
func (t *Table) remove(i uint32, p *path, how Leaving) {
	e, attrs := t.slots.at(i), p.attrs
	t.count(e, p, -1)
	t.sourceOf(p).requeue(i, e, p, &path{})
	t.note(e, WentAway, t.sourceOf(p).Name, uint8(how))
	if e.first.next == 0 {
		t.gone.note(e, t.sourceOf(p).Name, how, t.now)
	}
	t.unlink(e, p)
	t.release(t.sets.get(attrs))
	t.touch(i)
}

// count books a path that comes (by = 1) or goes (-1).
func (t *Table) count(e *entry, p *path, by int) {
	s := t.sourceOf(p)
	s.counts[p.verdict] += by
	s.places[boolByte(e.six)].count(p.verdict, by)
	if p.stale {
		s.stale += by
	}
	if s.Kind == RouterInterface && p.verdict == Accepted {
		t.countVPC(e.prefix(), by)
	}
}

func (t *Table) countVPC(prefix netip.Prefix, by int) {
	before := t.vpc[prefix]
	after := before + by
	if after == 0 {
		delete(t.vpc, prefix)
	} else {
		t.vpc[prefix] = after
	}
	if before == 0 {
		t.vpcSet.Insert(prefix)
		t.vpcMoved.Insert(prefix)
	}
	if after == 0 {
		t.vpcSet.Delete(prefix)
		t.vpcMoved.Insert(prefix)
	}
}

// touch puts entry i on the dirty list.
func (t *Table) touch(i uint32) {
	if e := t.slots.at(i); e.queue == idle {
		e.queue = queued
		t.dirty = append(t.dirty, i)
	}
}
