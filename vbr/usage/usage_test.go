package usage

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/internal/sealed"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return start.Add(d) }

// n are counts of n packets each way, of 100 and 1,000 bytes.
func n(packets uint64) Counts { return Counts{packets * 100, packets, packets * 1000, packets} }

func TestRead(t *testing.T) {
	read := func(boot string, index int, packets uint64) Reading {
		return Reading{Boot: boot, Index: index, Counts: n(packets)}
	}
	for _, c := range []struct {
		name    string
		start   *Reading
		reads   []Reading
		want    Counts
		renewed []bool
	}{
		{"the first device is counted whole", nil, []Reading{read("a", 3, 10)}, n(10), []bool{true}},
		{"but not if it was started", &Reading{Boot: "a", Index: 3, Counts: n(10)}, []Reading{read("a", 3, 12)}, n(2), []bool{false}},
		{"it goes on", nil, []Reading{read("a", 3, 10), read("a", 3, 10), read("a", 3, 15)}, n(15), []bool{true, false, false}},
		{"made anew", nil, []Reading{read("a", 3, 10), read("a", 4, 12)}, n(22), []bool{true, true}},
		{"counters reset", nil, []Reading{read("a", 3, 10), read("a", 3, 4)}, n(14), []bool{true, true}},
		{"rebooted", nil, []Reading{read("a", 3, 10), read("b", 3, 12)}, n(22), []bool{true, true}},
		{"one counter ran backwards", nil, []Reading{read("a", 3, 10), {Boot: "a", Index: 3, Counts: Counts{2000, 9, 20000, 20}}},
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

// What a limit drops is not counted: received is what came through the inlet.
func TestInlet(t *testing.T) {
	read := func(index int, packets uint64, inlet int, let uint64) Reading {
		return Reading{Boot: "a", Index: index, Counts: n(packets), Inlet: Inlet{Index: inlet, Bytes: let * 100, Packets: let}}
	}
	for _, c := range []struct {
		name    string
		reads   []Reading
		rx, tx  uint64
		renewed bool // the last
	}{
		{"from the beginning", []Reading{read(3, 10, 7, 4)}, 4, 10, true},
		{"it goes on", []Reading{read(3, 10, 7, 4), read(3, 20, 7, 9)}, 9, 20, false},
		{"the limit comes", []Reading{read(3, 10, 0, 0), read(3, 20, 7, 4)}, 14, 20, true},
		{"it was there before it was first read", []Reading{read(3, 10, 0, 0), read(3, 12, 7, 100)}, 12, 12, true},
		{"the limit goes", []Reading{read(3, 10, 7, 4), read(3, 20, 0, 0), read(3, 25, 0, 0)}, 9, 25, false},
		{"the inlet is made anew", []Reading{read(3, 10, 7, 4), read(3, 20, 8, 3)}, 7, 20, true},
		{"the device is made anew", []Reading{read(3, 10, 7, 4), read(4, 5, 7, 6)}, 6, 15, true},
		{"the inlet is missing", []Reading{read(3, 10, 7, 4), read(3, 20, 7, 0), read(3, 30, 8, 5)}, 9, 30, true},
	} {
		m := New()
		var renewed bool
		for _, r := range c.reads {
			_, renewed = m.Read(start, SameRegion, r)
			back, err := Unmarshal(m.Marshal())
			if err != nil {
				t.Fatal(err)
			}
			m = back
		}
		want := Counts{RxBytes: c.rx * 100, RxPackets: c.rx, TxBytes: c.tx * 1000, TxPackets: c.tx}
		if got := m.Total(SameRegion); got != want || renewed != c.renewed {
			t.Errorf("%s: %+v, renewed %v; want %+v, %v", c.name, got, renewed, want, c.renewed)
		}
	}
}

// A file of version 1, without inlets, is read.
func TestVersion1(t *testing.T) {
	m := New()
	m.Read(start, SameRegion, Reading{Boot: "a", Index: 3, Counts: n(10)})
	_, b, err := sealed.Open(kind(), version, m.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	at := int(classes)*countsSize + deviceSize
	old, err := Unmarshal(sealed.Seal(kind(), 1, slices.Concat(b[:at], b[at+inletSize:])))
	if err != nil || !bytes.Equal(old.Marshal(), m.Marshal()) {
		t.Errorf("%v: %+v", err, old)
	}
	if _, err := Unmarshal(sealed.Seal(kind(), 1, b[:at])); !errors.Is(err, sealed.ErrDamaged) {
		t.Error("cut off:", err)
	}
}

func TestTotalsStayAtTheGreatestNumber(t *testing.T) {
	m := New()
	full := Counts{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	m.Read(start, SameRegion, Reading{Boot: "a", Index: 1, Counts: full})
	m.Read(start, SameRegion, Reading{Boot: "a", Index: 2, Counts: n(5)})
	if m.Total(SameRegion) != full {
		t.Errorf("total %+v", m.Total(SameRegion))
	}
}

func TestUnknownClass(t *testing.T) {
	m := New()
	m.Read(start, 9, Reading{Boot: "a", Index: 1, Counts: n(1)})
	if m.Total(SameRegion) != n(1) || m.Total(9) != (Counts{}) {
		t.Errorf("totals %+v", m.totals)
	}
}

func TestBetween(t *testing.T) {
	m := New()
	for i, c := range []Class{SameRegion, CrossRegion, SameRegion, SameRegion} {
		m.Read(at(time.Duration(i)*30*time.Minute), c, Reading{Boot: "a", Index: 1, Counts: n(uint64(i+1) * 10)})
	}
	m.Read(at(-5*time.Hour), SameRegion, Reading{Boot: "a", Index: 1, Counts: n(41)}) // the clock was set back
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
		m.Read(at(time.Duration(i)*time.Hour), SameRegion, Reading{Boot: "a", Index: 1, Counts: n(uint64(i + 1))})
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
