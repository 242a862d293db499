package usage

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return start.Add(d) }

// n are counts of n packets each way, of 100 and 1,000 bytes.
func n(packets uint64) Counts { return Counts{packets * 100, packets, packets * 1000, packets} }

func TestRead(t *testing.T) {
	read := func(boot string, index int, packets uint64) Reading { return Reading{boot, index, n(packets)} }
	for _, c := range []struct {
		name    string
		start   *Reading
		reads   []Reading
		want    Counts
		renewed []bool
	}{
		{"the first device is counted whole", nil, []Reading{read("a", 3, 10)}, n(10), []bool{true}},
		{"but not if it was started", &Reading{"a", 3, n(10)}, []Reading{read("a", 3, 12)}, n(2), []bool{false}},
		{"it goes on", nil, []Reading{read("a", 3, 10), read("a", 3, 10), read("a", 3, 15)}, n(15), []bool{true, false, false}},
		{"made anew", nil, []Reading{read("a", 3, 10), read("a", 4, 12)}, n(22), []bool{true, true}},
		{"counters reset", nil, []Reading{read("a", 3, 10), read("a", 3, 4)}, n(14), []bool{true, true}},
		{"rebooted", nil, []Reading{read("a", 3, 10), read("b", 3, 12)}, n(22), []bool{true, true}},
		{"one counter ran backwards", nil, []Reading{read("a", 3, 10), {"a", 3, Counts{2000, 9, 20000, 20}}},
			Counts{3000, 19, 30000, 30}, []bool{true, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := New()
			if c.start != nil {
				m.Start(*c.start)
			}
			var sum Counts
			var renewed []bool
			for _, r := range c.reads {
				added, again := m.Read(start, CrossRegion, r)
				sum, renewed = sum.plus(added), append(renewed, again)
			}
			if m.Total(CrossRegion) != c.want || sum != c.want || m.Total(SameRegion) != (Counts{}) {
				t.Errorf("total %+v, sum of what was added %+v, want %+v", m.Total(CrossRegion), sum, c.want)
			}
			if diff := cmp.Diff(c.renewed, renewed); diff != "" {
				t.Errorf("renewed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTotalsStayAtTheGreatestNumber(t *testing.T) {
	m := New()
	full := Counts{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	m.Read(start, SameRegion, Reading{"a", 1, full})
	m.Read(start, SameRegion, Reading{"a", 2, n(5)})
	if m.Total(SameRegion) != full {
		t.Errorf("total %+v", m.Total(SameRegion))
	}
}

func TestUnknownClass(t *testing.T) {
	m := New()
	m.Read(start, 9, Reading{"a", 1, n(1)})
	if m.Total(SameRegion) != n(1) || m.Total(9) != (Counts{}) {
		t.Errorf("totals %+v", m.totals)
	}
}

func TestBetween(t *testing.T) {
	m := New()
	for i, c := range []Class{SameRegion, CrossRegion, SameRegion, SameRegion} {
		m.Read(at(time.Duration(i)*30*time.Minute), c, Reading{"a", 1, n(uint64(i+1) * 10)})
	}
	m.Read(at(-5*time.Hour), SameRegion, Reading{"a", 1, n(41)}) // the clock was set back
	for _, c := range []struct {
		name        string
		from, to    time.Duration
		same, cross Counts
	}{
		{"all", -10 * time.Hour, 10 * time.Hour, n(31), n(10)},
		{"the first hour", 0, time.Hour, n(10), n(10)},
		{"a minute means its hour", 61 * time.Minute, 62 * time.Minute, n(20), n(0)},
		{"nothing", 2 * time.Hour, 3 * time.Hour, n(0), n(0)},
		{"an empty time", time.Hour, time.Hour, n(0), n(0)},
	} {
		p := m.Between(at(c.from), at(c.to))
		if p.Carried != [classes]Counts{c.same, c.cross} || !p.Complete {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
}

func TestOldHoursAreDroppedAndTotalsStay(t *testing.T) {
	m := New()
	const hours = HourSlots + 10
	for i := range hours {
		m.Read(at(time.Duration(i)*time.Hour), SameRegion, Reading{"a", 1, n(uint64(i + 1))})
	}
	if len(m.hours) != HourSlots || m.Total(SameRegion) != n(hours) {
		t.Errorf("%d hours, total %+v", len(m.hours), m.Total(SameRegion))
	}
	for _, c := range []struct {
		from     int
		complete bool
		want     Counts
	}{{0, false, n(HourSlots)}, {9, false, n(HourSlots)}, {10, true, n(HourSlots)}, {hours - 1, true, n(1)}} {
		p := m.Between(at(time.Duration(c.from)*time.Hour), at(hours*time.Hour))
		if p.Complete != c.complete || p.Carried[SameRegion] != c.want {
			t.Errorf("from hour %d: %+v", c.from, p)
		}
	}
}
