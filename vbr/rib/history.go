package rib

import (
	"net/netip"
	"time"
)

// maxHistory is how many things that happened to prefixes a table remembers, over all prefixes.
const maxHistory = 4096

// What is what happened to a prefix.
type What uint8

// What happens to prefixes.
const (
	Announced  What = iota + 1 // a source offers it
	Changed                    // with other attributes, or it is judged otherwise
	WentAway                   // a source offers it no longer
	Installed                  // the kernel took a route, or another one
	Removed                    // the kernel let go of it
	Refused                    // the kernel did not take it
	Exported                   // a router interface's other end is told
	Unexported                 // and is told that it is gone
)

// Moment is one thing that happened to a prefix.
type Moment struct {
	What What
	At   time.Time
	// Source is whose path it is about; of exports the router interface that is told; empty of removals.
	Source  string
	Verdict Verdict // of Announced and Changed
	How     Leaving // of WentAway
}

// historyBlock is how many moments are allocated at a time, so that a router with few routes pays for few.
const historyBlock = 256

// history is a ring of what happened to all prefixes of a table. Once it is full, nothing is allocated any more.
type history struct {
	blocks [maxHistory / historyBlock]*[historyBlock]moment
	n      uint64 // moments ever
}

// moment is a Moment and its prefix, in 40 bytes.
type moment struct {
	hi, lo  uint64
	source  string
	at      uint32
	bits    uint8
	six     bool
	what    What
	verdict uint8 // or how
}

// note remembers that something happened to e's prefix; detail is a Verdict or a Leaving.
func (h *history) note(e *entry, what What, source string, detail uint8, now uint32) {
	i := h.n % maxHistory
	h.n++
	b := h.blocks[i/historyBlock]
	if b == nil {
		b = new([historyBlock]moment)
		h.blocks[i/historyBlock] = b
	}
	b[i%historyBlock] = moment{e.hi, e.lo, source, now, e.bits, e.six, what, detail}
}

// at returns moment i, counted from 0 over all that ever were; it must not have been overwritten.
func (h *history) at(i uint64) *moment {
	i %= maxHistory
	return &h.blocks[i/historyBlock][i%historyBlock]
}

// oldest is the number of the oldest moment that is kept.
func (h *history) oldest() uint64 { return h.n - min(h.n, maxHistory) }

// note remembers that something happened to e's prefix.
func (t *Table) note(e *entry, what What, source string, detail uint8) {
	t.history.note(e, what, source, detail, t.now)
}

// NoteExport remembers that a router interface's other end is told of a prefix, or that it is gone.
func (t *Table) NoteExport(prefix netip.Prefix, routerInterface string, told bool) {
	e := newEntry(prefix)
	what := Unexported
	if told {
		what = Exported
	}
	t.note(&e, what, routerInterface, 0)
}

// noteConfirmed remembers what the kernel made of a change; best is whose path it is, nil for none.
func (t *Table) noteConfirmed(e *entry, c *Change, best *shared, held bool) {
	source := ""
	if best != nil {
		source = best.source.Name
	}
	switch {
	case c.Hops == nil && c.moved && held:
		t.note(e, Removed, "", 0)
	case c.Hops != nil && held && (c.moved || c.again):
		t.note(e, Installed, source, 0)
	case c.Hops != nil && !held && c.moved:
		t.note(e, Refused, source, 0)
	}
}

// History returns what happened to a prefix, oldest first, and from when on that is all: the last 4096 moments of all prefixes are kept. since is zero
// if nothing ever happened.
func (t *Table) History(prefix netip.Prefix) (moments []Moment, since time.Time) {
	h, want := &t.history, newEntry(prefix.Masked())
	since = t.base
	if h.oldest() > 0 {
		since = t.at(h.at(h.oldest()).at)
	}
	for i := h.oldest(); i < h.n; i++ {
		x := h.at(i)
		if x.hi != want.hi || x.lo != want.lo || x.bits != want.bits || x.six != want.six {
			continue
		}
		m := Moment{What: x.what, At: t.at(x.at), Source: x.source}
		switch x.what {
		case Announced, Changed:
			m.Verdict = Verdict(x.verdict)
		case WentAway:
			m.How = Leaving(x.verdict)
		}
		moments = append(moments, m)
	}
	return moments, since
}

// Flaps is how often a source that had let go of the prefix offered it again.
func Flaps(moments []Moment) (n int) {
	away := make(map[string]bool)
	for _, m := range moments {
		switch m.What {
		case WentAway:
			away[m.Source] = true
		case Announced:
			if away[m.Source] {
				n++
			}
			away[m.Source] = false
		}
	}
	return n
}
