package rib

import (
	"net/netip"
	"time"
)

// stampUnit is what times are kept in: a path has four bytes for one, good for 13 years.
const stampUnit = 100 * time.Millisecond

// SetNow tells the table the time, which it notes with what happens from then on. It has no clock of its own; without
// SetNow all times are zero, which means unknown.
func (t *Table) SetNow(now time.Time) {
	if t.base.IsZero() {
		t.base = now
	}
	t.now = 1 + uint32(max(now.Sub(t.base), 0)/stampUnit)
}

// at is the time of a stamp: units since base, counted from 1; 0 is unknown.
func (t *Table) at(stamp uint32) time.Time {
	if stamp == 0 {
		return time.Time{}
	}
	return t.base.Add(time.Duration(stamp-1) * stampUnit)
}

// Leaving is how a path went.
type Leaving uint8

// The ways in which paths go.
const (
	Withdrawn Leaving = iota + 1 // by a message of its source
	Dropped                      // with all others of its source: a session ended, or a source was removed
	Swept                        // it was stale, and not announced again in time
)

// String is how it went, in one word.
func (l Leaving) String() string {
	switch l {
	case Withdrawn:
		return "withdrawn"
	case Dropped:
		return "dropped"
	case Swept:
		return "swept"
	}
	return "unknown"
}

// Gone is a prefix that has lost its last path.
type Gone struct {
	Prefix netip.Prefix
	Source string // whose the last path was
	How    Leaving
	At     time.Time
}

// maxGone is how many prefixes are remembered after their last path went.
const maxGone = 1024

// gone is a ring of the prefixes that lost their last path. It takes memory as they do so.
type gone struct {
	ring []goneEntry
	next int // to be overwritten, once the ring is full
}

type goneEntry struct {
	hi, lo uint64
	source string
	at     uint32
	bits   uint8
	six    bool
	how    Leaving
}

func (g *gone) note(e *entry, source string, how Leaving, now uint32) {
	x := goneEntry{e.hi, e.lo, source, now, e.bits, e.six, how}
	if len(g.ring) < maxGone {
		g.ring = append(g.ring, x)
		return
	}
	g.ring[g.next] = x
	g.next = (g.next + 1) % maxGone
}

// Gone returns how a prefix lost its last path most recently, if that is still remembered: 1024 prefixes are.
func (t *Table) Gone(prefix netip.Prefix) (Gone, bool) {
	want := newEntry(prefix.Masked())
	for n := range t.gone.ring {
		x := &t.gone.ring[(t.gone.next+2*len(t.gone.ring)-1-n)%len(t.gone.ring)] // newest first
		if x.hi == want.hi && x.lo == want.lo && x.bits == want.bits && x.six == want.six {
			return Gone{Prefix: prefix.Masked(), Source: x.source, How: x.how, At: t.at(x.at)}, true
		}
	}
	return Gone{}, false
}
