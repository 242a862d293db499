package fib

import (
	"iter"
	"net/netip"
	"sync/atomic"
)

// Table is the part of one kernel routing table that is ours: what the kernel acknowledged, less what it is known to have
// dropped. Its methods are for one goroutine, except Len, which any may call.
type Table struct {
	fib     *FIB
	id      uint32
	held    store
	foreign map[netip.Prefix]uint8 // protocol of routes of others at our metric, as far as they got in the way
	unsure  bool                   // an exchange broke off: read the kernel's table before the next write; changed by setUnsure
	total   atomic.Int64           // entries in held
	lost    atomic.Int64           // of these, entries of dead groups; changed under FIB.mu
	batch   batch
}

func newTable(f *FIB, id uint32) *Table {
	return &Table{fib: f, id: id, held: newStore(), foreign: map[netip.Prefix]uint8{}, batch: newBatch()}
}

// setUnsure needs FIB.mu.
func (t *Table) setUnsure(unsure bool) {
	switch {
	case unsure && !t.unsure:
		t.fib.unsure++
	case !unsure && t.unsure:
		t.fib.unsure--
	}
	t.unsure = unsure
}

// Route is a route the kernel holds.
type Route struct {
	Prefix netip.Prefix
	Set    *Set // for an adopted route not asked for yet: its gateways as primaries; nil if they are nothing we would make
	Stale  bool // read by Adopt, and not asked for since
}

// ID returns the kernel's id of the table.
func (t *Table) ID() uint32 { return t.id }

// Len returns how many routes of ours the kernel holds.
func (t *Table) Len() int { return int(t.total.Load() - t.lost.Load()) }

// Missing returns how many routes were acknowledged once and then dropped by the kernel with their nexthop objects. Apply
// or Audit brings them back, or lets go of them.
func (t *Table) Missing() int { return int(t.lost.Load()) }

// Get returns the route the kernel holds for a prefix.
func (t *Table) Get(p netip.Prefix) (Route, bool) {
	e, ok := t.held.get(p)
	if !ok {
		return Route{}, false
	}
	t.fib.mu.Lock()
	defer t.fib.mu.Unlock()
	return t.view(p, e)
}

// All yields the routes the kernel holds, in no order. The table must not be changed meanwhile.
func (t *Table) All() iter.Seq[Route] {
	return func(yield func(Route) bool) {
		for p, e := range t.held.all() {
			t.fib.mu.Lock()
			r, ok := t.view(p, e)
			t.fib.mu.Unlock()
			if ok && !yield(r) {
				return
			}
		}
	}
}

// view needs FIB.mu.
func (t *Table) view(p netip.Prefix, e entry) (Route, bool) {
	r := Route{Prefix: p, Stale: e.stale()}
	g := t.fib.obj.groups[e.index()]
	if g == nil {
		return r, true
	}
	if r.Set = g.set; r.Set == nil {
		r.Set = g.shape
	}
	return r, g.alive
}

// alive says whether the kernel still has the route of an entry. It needs FIB.mu.
func (t *Table) alive(e entry) bool {
	g := t.fib.obj.groups[e.index()]
	return g == nil || g.alive
}

// put and drop keep the entry, its group's count and the total together. They need FIB.mu.
func (t *Table) put(p netip.Prefix, e entry) {
	old, ok := t.held.get(p)
	if ok && old.index() == e.index() {
		t.held.set(p, e)
		return
	}
	t.held.set(p, e)
	if g := t.fib.obj.groups[e.index()]; g != nil {
		g.add(t, 1)
	}
	if ok {
		t.fib.deref(t, old)
	} else {
		t.total.Add(1)
	}
}

func (t *Table) drop(p netip.Prefix, old entry) {
	t.held.delete(p)
	t.fib.deref(t, old)
	t.total.Add(-1)
}
