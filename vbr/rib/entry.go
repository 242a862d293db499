package rib

import (
	"encoding/binary"
	"iter"
	"net/netip"
)

// entry is what is known of one prefix. There are as many as routes: it has no pointers and no padding.
type entry struct {
	hi, lo uint64 // the address; lo alone if it is IPv4
	bits   uint8
	six    bool

	queue       queueState
	unconfirmed uint8 // Changes handed out and not given back yet: while there are any, the entry stays

	hops uint32 // what Changes last said
	best uint32 // of which path's attributes
	told uint32 // what the neighbours were last told, see Confirm

	window uint32 // in which of the table's windows hops were last said
	heldAt uint32 // when hops last changed, see stamp
	toldAt uint32 // when told last changed for the neighbours

	first path // see pathsOf
}

// queueState says whether an entry is in Table.dirty, and why.
type queueState uint8

const (
	idle   queueState = iota
	queued            // something may have changed
	forced            // say it again even if nothing changed
)

// path is one source's offer for a prefix.
type path struct {
	attrs   uint32 // a number in Table.sets; 0 in an entry without paths
	id      uint32 // tells several paths of one source apart, as ADD-PATH does (RFC 7911)
	next    uint32 // another path of the prefix, a number in Table.paths
	since   uint32 // when it got its attributes and its verdict, see stamp
	verdict Verdict
	stale   bool
}

// key4 and key6 are prefixes as map keys.
type (
	key4 uint64 // address, then length
	key6 struct {
		hi, lo uint64
		bits   uint8
	}
)

func newEntry(p netip.Prefix) entry {
	e := entry{bits: uint8(p.Bits()), six: !p.Addr().Is4()}
	if !e.six {
		b := p.Addr().As4()
		e.lo = uint64(binary.BigEndian.Uint32(b[:]))
		return e
	}
	b := p.Addr().As16()
	e.hi, e.lo = binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	return e
}

func (e *entry) key4() key4 { return key4(e.lo<<8 | uint64(e.bits)) }
func (e *entry) key6() key6 { return key6{e.hi, e.lo, e.bits} }

func (e *entry) prefix() netip.Prefix {
	if !e.six {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(e.lo))
		return netip.PrefixFrom(netip.AddrFrom4(b), int(e.bits))
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], e.hi)
	binary.BigEndian.PutUint64(b[8:], e.lo)
	return netip.PrefixFrom(netip.AddrFrom16(b), int(e.bits))
}

// lookup returns the number of a prefix's entry, 0 if there is none.
func (t *Table) lookup(p netip.Prefix) uint32 {
	e := newEntry(p)
	if e.six {
		return t.entries6[e.key6()]
	}
	return t.entries[e.key4()]
}

// enter makes the entry of a prefix that has none, and returns its number.
func (t *Table) enter(p netip.Prefix) uint32 {
	e := newEntry(p)
	i := t.slots.add(e)
	if e.six {
		t.entries6[e.key6()] = i
	} else {
		t.entries[e.key4()] = i
	}
	return i
}

// forget lets entry i go once nothing is known or said of it, but not within the window it was said in: a flapping prefix must
// not come back as a new one.
func (t *Table) forget(i uint32) {
	e := t.slots.at(i)
	if e.first.attrs != 0 || e.hops != 0 || e.told != 0 || e.queue != idle || e.unconfirmed != 0 {
		return
	}
	if e.window == t.window {
		e.queue = queued
		t.later = append(t.later, i)
		return
	}
	if e.six {
		delete(t.entries6, e.key6())
	} else {
		delete(t.entries, e.key4())
	}
	t.slots.remove(i)
}

// all yields the entries and their numbers, in no order that means anything.
func (t *Table) all() iter.Seq2[uint32, *entry] {
	return func(yield func(uint32, *entry) bool) {
		for i := uint32(1); i <= t.slots.used; i++ {
			if e := t.slots.at(i); *e != (entry{}) && !yield(i, e) {
				return
			}
		}
	}
}

// pathsOf yields the paths of e: the first, which is in the entry, and those linked behind it. Do not remove any meanwhile.
func (t *Table) pathsOf(e *entry) iter.Seq[*path] {
	return func(yield func(*path) bool) {
		p := &e.first
		for p.attrs != 0 && yield(p) && p.next != 0 {
			p = t.paths.at(p.next)
		}
	}
}

// link adds p to the paths of e.
func (t *Table) link(e *entry, p path) {
	if e.first.attrs == 0 {
		e.first = p
		return
	}
	p.next = e.first.next
	e.first.next = t.paths.add(p)
}

// unlink takes p, one of the paths of e, out: the first moves into its place, and the second into the first's.
func (t *Table) unlink(e *entry, p *path) {
	next := p.next
	*p = e.first
	p.next = next
	second := e.first.next
	if second == 0 {
		e.first = path{}
		return
	}
	e.first = *t.paths.at(second)
	t.paths.remove(second)
}

// sourceOf is where p comes from.
func (t *Table) sourceOf(p *path) *source { return (*t.sets.at(p.attrs)).source }
