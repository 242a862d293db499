package out

import "github.com/openvbr/openvbr/bgp/internal/wire"

// feed is what a session is told of one family. The RIB's lock guards it.
type feed struct {
	s      *Session
	family wire.Family
	begun  bool // by Begin
	marked bool // an End-of-RIB follows each dump
	t      *table
	mark   entry  // in t's list: what is before it has been told
	at     uint64 // the version of what was told last, at the mark
	told   uint64 // the greatest at there has been: what was born later is not known to the peer
	until  uint64 // the dump ends there
	dump   bool   // one is under way, and its End-of-RIB is to be told
	extra  []Key  // to be told beside what is behind the mark: the difference between two tables
}

// knows tells whether the peer may have been told of what an entry is about.
func (f *feed) knows(e *entry) bool { return e.born <= f.told }

// open begins to tell a table, all of it.
func (f *feed) open(t *table) {
	f.t = t
	t.feeds[f] = struct{}{}
	f.mark.linkAfter(&t.root)
	f.again()
}

// again begins once more to tell all. What the peer knows and is withdrawn stays to be told.
func (f *feed) again() {
	f.mark.unlink()
	f.mark.linkAfter(&f.t.root)
	f.at, f.until, f.dump = 0, f.t.version, true
}

// close leaves the table, and takes with it the withdrawals that were kept for it alone.
func (f *feed) close(r *RIB) {
	t := f.t
	if t == nil {
		return
	}
	f.t = nil
	rest := f.mark.next
	f.mark.unlink()
	delete(t.feeds, f)
	for e := rest; e != &t.root; {
		next := e.next
		if e.born != 0 && !e.live() {
			t.forget(e)
		}
		e = next
	}
	r.drop(t)
}

// use has the peer be told another table, as what differs from what it may have been told of the one before. A dump under way begins anew.
func (f *feed) use(r *RIB, n *table) {
	old := f.t
	if old == n {
		return
	}
	dump := f.dump
	differ := make(map[Key]struct{}, len(f.extra))
	for _, k := range f.extra {
		differ[k] = struct{}{}
	}
	for k, e := range old.entries {
		if o := n.entries[k]; f.knows(e) && (o == nil || !o.live()) {
			differ[k] = struct{}{}
		}
	}
	for k, e := range n.entries {
		if o := old.entries[k]; e.live() && !dump && (o == nil || o.Route != e.Route || o.version > f.at) {
			differ[k] = struct{}{}
		}
	}
	f.close(r)
	f.extra = make([]Key, 0, len(differ))
	for k := range differ {
		f.extra = append(f.extra, k)
	}
	f.open(n)
	f.told = n.version // extra has what the peer does not know
	if !dump {
		f.mark.unlink()
		f.mark.linkAfter(n.root.prev)
		f.at, f.dump = n.version, false
	}
}

// take moves on by at most n changes. ended: the dump's End-of-RIB is due.
func (f *feed) take(n int, changes []Route) (_ []Route, ended bool) {
	for ; n > 0 && len(f.extra) > 0; n-- {
		k := f.extra[len(f.extra)-1]
		f.extra = f.extra[:len(f.extra)-1]
		if e := f.t.entries[k]; e != nil && e.live() {
			changes = append(changes, e.Route)
		} else {
			changes = append(changes, Route{Key: k})
		}
	}
	if len(f.extra) == 0 {
		f.extra = nil
	}
	for ; n > 0 && f.mark.next != &f.t.root; n-- {
		e := f.mark.next
		f.mark.unlink()
		f.mark.linkAfter(e)
		if e.born == 0 {
			continue // another's mark
		}
		known := f.knows(e)
		if known && e.live() && e.relabelled > f.told { // FRR 8.4 as a reflector does not pass on a change of the label alone
			changes = append(changes, Route{Key: e.Key})
		}
		f.at = e.version
		f.told = max(f.told, f.at)
		if e.live() || known {
			changes = append(changes, e.Route)
		}
		if !e.live() {
			f.t.forget(e)
		}
	}
	if f.dump && len(f.extra) == 0 && f.ahead() > f.until {
		f.dump = false
		return changes, true
	}
	return changes, false
}

// ahead is the version of what is told next.
func (f *feed) ahead() uint64 {
	for e := f.mark.next; e != &f.t.root; e = e.next {
		if e.born != 0 {
			return e.version
		}
	}
	return f.t.version + 1
}
