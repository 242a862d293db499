package rib

import "net/netip"

// Change says what the kernel should hold for a prefix.
type Change struct {
	Prefix netip.Prefix
	// Hops is nil when the kernel should hold nothing of ours: no path is accepted, or the kernel's own connected route serves.
	Hops *Hops

	entry uint32
	best  *shared
	moved bool // Hops are others than before
	again bool // it is said again, see Retry
}

// Changes hands out up to limit changes, oldest first, and returns how many are still waiting. A prefix that
// changed several times appears once, with its newest state, and once a window at most: see NextWindow. Every Change handed out must be given back to Confirm,
// before 255 more of the same prefix are.
func (t *Table) Changes(limit int, yield func(Change)) (waiting int) {
	t.rejudgeVPC()
	n := 0
	for ; n < len(t.dirty) && limit > 0; n++ {
		i := t.dirty[n]
		if e := t.slots.at(i); e.queue == queued && e.window == t.window {
			t.later = append(t.later, i)
			continue
		}
		if c, changed := t.next(i); changed {
			yield(c)
			limit--
		} else {
			t.forget(i)
		}
	}
	rest := copy(t.dirty, t.dirty[n:])
	t.dirty = t.dirty[:rest]
	if rest == 0 && cap(t.dirty) > 1<<16 {
		t.dirty = nil
	}
	t.rejudgeVPC() // deciding may have moved a VPC prefix
	return len(t.dirty)
}

// NextWindow begins a new window: prefixes that changed again within the last one may be said again. The time
// between two calls bounds how often a flapping prefix costs its neighbours and the kernel anything.
func (t *Table) NextWindow() {
	t.window++
	t.dirty = append(t.dirty, t.later...)
	t.later = t.later[:0]
}

// Deferred is how many prefixes wait for the next window.
func (t *Table) Deferred() int { return len(t.later) }

// Waiting is how many prefixes are to be decided again, those of the next window included.
func (t *Table) Waiting() int { return len(t.dirty) + len(t.later) }

// Chosen is how many prefixes have a path that the kernel should hold, as Changes has said: those for which the kernel's own connected route serves do not count.
func (t *Table) Chosen() int { return t.chosen }

// next takes entry i off the queue, decides it and notes the outcome as said.
func (t *Table) next(i uint32) (Change, bool) {
	e := t.slots.at(i)
	again := e.queue == forced
	e.queue = idle
	hops, best := t.outcome(e)
	if hops.number() == e.hops && best.number() == e.best && !again {
		t.releaseHops(hops)
		return Change{}, false
	}
	if best != nil {
		best.acquire().acquire() // one for e.best, one for the Change
	}
	t.releaseHops(t.hops.get(e.hops))
	t.release(t.sets.get(e.best))
	moved := hops.number() != e.hops
	if moved || e.told == 0 {
		e.heldAt = t.now
	}
	t.chosen += int(boolByte(hops != nil)) - int(boolByte(e.hops != 0))
	e.hops, e.best, e.window = hops.number(), best.number(), t.window
	e.unconfirmed++
	return Change{Prefix: e.prefix(), Hops: hops, entry: i, best: best, moved: moved, again: again}, true
}

// outcome decides e: its next hops, with a reference for the caller, and its best path's attributes.
func (t *Table) outcome(e *entry) (*Hops, *shared) {
	primary, backup := t.decide(e)
	if len(primary) == 0 {
		return nil, nil
	}
	best := primary[0].attrs
	if best.source.Kind == Connected {
		return nil, best
	}
	return t.hopsOf(primary, backup), best
}

// Retry makes Changes say prefix again, for instance because the kernel refused it or lost it.
func (t *Table) Retry(prefix netip.Prefix) {
	if i := t.lookup(prefix); i != 0 {
		t.touch(i)
		t.slots.at(i).queue = forced
	}
}
