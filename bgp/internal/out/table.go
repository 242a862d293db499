package out

import (
	"sync"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// RIB is the tables of one speaker, by name and family. They exist as long as something is in them or a session uses them. Its methods, and those of its
// sessions, may be called from any goroutine.
type RIB struct {
	mu     sync.Mutex // of all that is below
	tables map[tableKey]*table
}

type tableKey struct {
	name   string
	family wire.Family
}

// New makes a RIB without a route.
func New() *RIB { return &RIB{tables: map[tableKey]*table{}} }

// table is the routes of a family that sessions of one export are told: a list in the order of their last change, oldest first. In the list too are the
// withdrawals that a session has to tell, and each session's mark, before which it has told all.
type table struct {
	key     tableKey
	entries map[Key]*entry
	root    entry // of the ring: next is the oldest
	version uint64
	feeds   map[*feed]struct{}
}

// entry is a route, a withdrawal, or a mark.
type entry struct {
	prev, next *entry
	Route             // Attrs zero: withdrawn
	version    uint64 // when it changed last
	relabelled uint64 // when its label changed, as far as not all sessions have told that
	born       uint64 // when it was announced, having been nothing before: a session that is not as far does not know it; 0: a mark
}

func (e *entry) live() bool { return e.Attrs != withdrawn }

func (e *entry) unlink() { e.prev.next, e.next.prev = e.next, e.prev }

// linkAfter puts e behind p.
func (e *entry) linkAfter(p *entry) {
	e.prev, e.next = p, p.next
	p.next.prev, p.next = e, e
}

func (r *RIB) table(k tableKey) *table {
	t := r.tables[k]
	if t == nil {
		t = &table{key: k, entries: map[Key]*entry{}, feeds: map[*feed]struct{}{}}
		t.root.prev, t.root.next = &t.root, &t.root
		r.tables[k] = t
	}
	return t
}

// drop forgets a table that nobody has a use for.
func (r *RIB) drop(t *table) {
	if len(t.entries)+len(t.feeds) == 0 {
		delete(r.tables, t.key)
	}
}

// Announce puts routes into a table. A route replaces the one of the same key; one that equals it changes nothing, and is not told again.
func (r *RIB) Announce(name string, routes []Route) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var t *table
	for i := range routes {
		if k := (tableKey{name, routes[i].family()}); t == nil || t.key != k {
			t.wake()
			t = r.table(k)
		}
		t.announce(&routes[i])
	}
	t.wake()
}

// Withdraw takes routes out of a table. One that is not there is no error.
func (r *RIB) Withdraw(name string, keys []Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range keys {
		if t := r.tables[tableKey{name, keys[i].family()}]; t != nil {
			t.withdraw(keys[i])
			t.wake()
			r.drop(t)
		}
	}
}

func (t *table) announce(n *Route) {
	e := t.entries[n.Key]
	switch {
	case e == nil:
		e = &entry{born: t.version + 1}
		t.entries[n.Key] = e
	case e.Route == *n:
		return
	default:
		e.unlink()
		if e.Label != n.Label || e.relabelled != 0 && t.behind(e) {
			e.relabelled = t.version + 1
		}
	}
	e.Route = *n
	t.changed(e)
}

func (t *table) withdraw(k Key) {
	e := t.entries[k]
	if e == nil || !e.live() {
		return
	}
	e.unlink()
	e.Attrs = withdrawn
	t.changed(e)
	t.forget(e)
}

// behind tells whether a session has not told an entry as it is.
func (t *table) behind(e *entry) bool {
	for f := range t.feeds {
		if f.told < e.version {
			return true
		}
	}
	return false
}

// changed puts an entry at the end of the list.
func (t *table) changed(e *entry) {
	t.version++
	e.version = t.version
	e.linkAfter(t.root.prev)
}

// forget removes a withdrawal that no session has to tell any more.
func (t *table) forget(e *entry) {
	for f := range t.feeds {
		if f.knows(e) && f.at < e.version {
			return
		}
	}
	e.unlink()
	delete(t.entries, e.Key)
}

// wake has the sessions look at what changed.
func (t *table) wake() {
	if t == nil {
		return
	}
	for f := range t.feeds {
		f.s.wake()
	}
}
