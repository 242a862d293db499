package usage

import (
	"cmp"
	"slices"
	"time"
)

// HourSlots is how many hours of a class a Meter keeps: 400 days.
const HourSlots = 400 * 24

// hour is what was carried of a class within an hour.
type hour struct {
	start uint32 // hours since 1970
	class Class
	Counts
}

func (h hour) compare(o hour) int {
	return cmp.Or(cmp.Compare(h.start, o.start), cmp.Compare(h.class, o.class))
}

// hourOf is the hour of a time; all before 1970 is hour 0.
func hourOf(t time.Time) uint32 { return uint32(min(max(t.Unix()/3600, 0), 1<<32-2)) }

func timeOf(hour uint32) time.Time { return time.Unix(int64(hour)*3600, 0).UTC() }

// add adds to the hour of a time, and drops the oldest hour if there are too many.
func (m *Meter) add(at time.Time, c Class, carried Counts) {
	h := hour{hourOf(at), c, carried}
	i, found := slices.BinarySearchFunc(m.hours, h, hour.compare)
	if found {
		m.hours[i].Counts = m.hours[i].plus(carried)
		return
	}
	m.hours = slices.Insert(m.hours, i, h)
	if len(m.hours) > HourSlots {
		m.dropped = max(m.dropped, m.hours[0].start+1)
		m.hours = slices.Delete(m.hours, 0, 1)
	}
}

// Period is what was carried within some hours.
type Period struct {
	From, To time.Time // whole hours
	Complete bool      // false: hours of it may have been dropped
	Carried  [classes]Counts
}

// Between sums up the hours of from..to, whole hours at both ends. Traffic belongs to the hour in which it was read.
func (m *Meter) Between(from, to time.Time) Period {
	first, end := hourOf(from), hourOf(to.Add(-1))+1 // the end itself is outside
	if !from.Before(to) {
		end = first
	}
	p := Period{From: timeOf(first), To: timeOf(end), Complete: first >= m.dropped}
	i, _ := slices.BinarySearchFunc(m.hours, hour{start: first}, hour.compare)
	for _, h := range m.hours[i:] {
		if h.start >= end {
			break
		}
		p.Carried[h.class] = p.Carried[h.class].plus(h.Counts)
	}
	return p
}
