package quality

import (
	"cmp"
	"slices"
	"time"
)

// dated is a slot with its start.
type dated struct {
	start uint32 // minutes since 1970
	Slot
}

// tier holds slots of one width, sorted by start. The times of nothing have no slot.
type tier struct {
	width   uint32 // minutes
	limit   int    // slots
	slots   []dated
	dropped uint32 // slots that started before this minute may have been dropped
}

// minuteOf is the minute of a time; all before 1970 is minute 0, and all after the year 10135 is the last.
func minuteOf(t time.Time) uint32 { return uint32(min(max(t.Unix()/60, 0), 1<<32-1-120)) }

func timeOf(minute uint32) time.Time { return time.Unix(int64(minute)*60, 0).UTC() }

func (t *tier) floor(minute uint32) uint32 { return minute - minute%t.width }

// add merges s into the slot of a minute.
func (t *tier) add(minute uint32, s Slot) {
	start := t.floor(minute)
	i, found := t.find(start)
	if found {
		t.slots[i].Slot = t.slots[i].Merge(s)
		return
	}
	t.slots = slices.Insert(t.slots, i, dated{start, s})
	t.trim()
}

// find is where the slot with this start is, or would be.
func (t *tier) find(start uint32) (int, bool) {
	if n := len(t.slots); n > 0 && t.slots[n-1].start == start { // as a rule
		return n - 1, true
	}
	return slices.BinarySearchFunc(t.slots, start, func(d dated, s uint32) int { return cmp.Compare(d.start, s) })
}

// trim drops the oldest slots over the limit.
func (t *tier) trim() {
	n := len(t.slots) - t.limit
	if n <= 0 {
		return
	}
	t.dropped = max(t.dropped, t.slots[n-1].start+t.width)
	t.slots = slices.Delete(t.slots, 0, n)
}

// between gives the slots that start in [from, to).
func (t *tier) between(from, to uint32) []dated {
	i, _ := t.find(from)
	j, _ := t.find(to)
	return t.slots[i:max(i, j)]
}
