package quality

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return start.Add(d) }

// steady feeds an hour: a probe each 2 s, of which those in lost are lost, round trips of 10 ms and 10 ms + swing in turn.
func steady(h *History, lost int, swing time.Duration) {
	for i := range 1800 {
		rtt := 10 * time.Millisecond
		if i%2 == 1 {
			rtt += swing
		}
		h.Probe(at(time.Duration(i)*2*time.Second), rtt, i >= lost)
	}
}

// near compares floats to nine digits.
var near = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) })

func TestObjectives(t *testing.T) {
	hour := time.Hour
	for _, c := range []struct {
		name   string
		feed   func(*History)
		metric Metric
		want   Objective
	}{
		{"nothing observed", func(*History) {}, Loss, Objective{Target: 0.2, Budget: Budget{Unit: "probes"}}},
		{"no loss", func(h *History) { steady(h, 0, 0) }, Loss,
			Objective{Target: 0.2, Measured: true, Met: true, Budget: Budget{3.6, 0, 3.6, "probes"}}},
		{"loss within", func(h *History) { steady(h, 3, 0) }, Loss,
			Objective{Value: 100. / 600, Target: 0.2, Measured: true, Met: true, Budget: Budget{3.6, 3, 0.6, "probes"}}},
		{"loss beyond", func(h *History) { steady(h, 9, 0) }, Loss,
			Objective{Value: 0.5, Target: 0.2, Measured: true, Budget: Budget{3.6, 9, -5.4, "probes"}}},
		{"loss of just the target is too much", func(h *History) {
			for i := range 1000 {
				h.Probe(at(time.Duration(i)*time.Second), 0, i >= 2)
			}
		}, Loss, Objective{Value: 0.2, Target: 0.2, Measured: true, Budget: Budget{2, 2, 0, "probes"}}},
		{"all lost: no jitter", func(h *History) { h.Probe(start, 0, false) }, JitterPercent,
			Objective{Target: 20, Budget: Budget{Unit: "milliseconds"}}},
		{"no jitter", func(h *History) { steady(h, 0, 0) }, JitterPercent,
			Objective{Target: 20, Measured: true, Met: true, Budget: Budget{2, 0, 2, "milliseconds"}}},
		{"encapsulation at the target", func(h *History) {
			h.Counters(start, Counters{Index: 1, Packets: 5000})
			h.Counters(at(time.Minute), Counters{Index: 1, Packets: 5998, Errors: 1, Dropped: 1})
		}, Encapsulation, Objective{Value: 99.8, Target: 99.8, Measured: true, Met: true, Budget: Budget{2, 2, 0, "packets"}}},
		{"encapsulation below", func(h *History) {
			h.Counters(start, Counters{Index: 1})
			h.Counters(at(time.Minute), Counters{Index: 1, Packets: 990, Errors: 4, Dropped: 6})
		}, Encapsulation, Objective{Value: 99, Target: 99.8, Measured: true, Budget: Budget{2, 10, -8, "packets"}}},
		{"available", func(h *History) { states(h, hour, 0) }, Availability,
			Objective{Value: 100, Target: 99.95, Measured: true, Met: true, Budget: Budget{1.8, 0, 1.8, "seconds"}}},
		{"down for a second", func(h *History) { states(h, hour, time.Second) }, Availability,
			Objective{Value: 100 - 100./3600, Target: 99.95, Measured: true, Met: true, Budget: Budget{1.8, 1, 0.8, "seconds"}}},
		{"down for two seconds", func(h *History) { states(h, hour, 2*time.Second) }, Availability,
			Objective{Value: 100 - 200./3600, Target: 99.95, Measured: true, Budget: Budget{1.8, 2, -0.2, "seconds"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := New(Limits{})
			c.feed(h)
			c.want.Metric = c.metric
			for _, o := range h.Report(start, at(hour)).Objectives {
				if o.Metric == c.metric {
					if diff := cmp.Diff(c.want, o, near); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
				}
			}
		})
	}
}

// states feeds a time of which the first part was down.
func states(h *History, d, down time.Duration) {
	h.State(start, false, false)
	for i := down; i < d; i += 10 * time.Second {
		h.State(at(i), true, false)
	}
	h.State(at(d), true, false)
}

// TestJitter holds J against RFC 3550: round trips that swing by s each time drive J to s.
func TestJitter(t *testing.T) {
	h := New(Limits{})
	steady(h, 0, 4*time.Millisecond)
	end := h.Report(at(59*time.Minute), at(time.Hour)).Slot
	if v, _ := end.Value(Jitter); math.Abs(v-4) > 0.001 {
		t.Errorf("jitter %v ms, want 4", v)
	}
	if v, _ := end.Value(JitterPercent); math.Abs(v-100./3) > 0.01 {
		t.Errorf("jitter %v %%, want 4 of 12 ms", v)
	}
	h = New(Limits{})
	for i, rtt := range []time.Duration{16, 32, 16} { // J: 0, 1, 1 + (16-1)/16
		h.Probe(at(time.Duration(i)*time.Second), rtt*time.Millisecond, true)
		h.Probe(at(time.Duration(i)*time.Second), 0, false) // a loss between is passed over
	}
	if v, _ := h.Report(start, at(time.Minute)).Slot.Value(Jitter); math.Abs(v-(0+1+1.9375)/3) > 1e-6 {
		t.Errorf("mean of J %v ms", v)
	}
}

func TestRoundTrips(t *testing.T) {
	h := New(Limits{})
	for i, rtt := range []time.Duration{12, 9, 30} {
		h.Probe(at(time.Duration(i)*time.Second), rtt*time.Millisecond, true)
	}
	s := h.Report(start, at(time.Minute)).Slot
	for m, want := range map[Metric]float64{RTTMin: 9, RTTMean: 17, RTTMax: 30} {
		if v, ok := s.Value(m); v != want || !ok {
			t.Errorf("%v: %v %t, want %v", m, v, ok, want)
		}
	}
}

func TestCountersStartAnew(t *testing.T) {
	for _, c := range []struct {
		name         string
		readings     []Counters
		sent, failed uint64
	}{
		{"the first are a base", []Counters{{1, 100, 5, 5}}, 0, 0},
		{"they grow", []Counters{{1, 100, 5, 5}, {1, 150, 6, 7}}, 50, 3},
		{"reset on the same device", []Counters{{1, 100, 5, 5}, {1, 20, 1, 0}}, 20, 1},
		{"one of them ran backwards", []Counters{{1, 100, 5, 5}, {1, 120, 1, 5}}, 120, 6},
		{"another device with greater counters", []Counters{{1, 100, 5, 5}, {2, 120, 6, 6}}, 120, 12},
	} {
		h := New(Limits{})
		for _, r := range c.readings {
			h.Counters(start, r)
		}
		if s := h.Report(start, at(time.Minute)).Slot; s.TxSent != c.sent || s.TxFailed != c.failed {
			t.Errorf("%s: %d sent %d failed, want %d %d", c.name, s.TxSent, s.TxFailed, c.sent, c.failed)
		}
	}
}

func TestStates(t *testing.T) {
	type told struct {
		at           time.Duration
		up, abnormal bool
	}
	for _, c := range []struct {
		name         string
		told         []told
		observed, up time.Duration
	}{
		{"one state alone", []told{{0, true, false}}, 0, 0},
		{"up", []told{{0, true, false}, {time.Minute, true, false}}, time.Minute, time.Minute},
		{"abnormal is not available", []told{{0, true, true}, {30 * time.Second, true, false}, {time.Minute, true, false}}, time.Minute, 30 * time.Second},
		{"down", []told{{0, false, false}, {30 * time.Second, false, false}}, 30 * time.Second, 0},
		{"a gap is not observed", []told{{0, true, false}, {time.Hour, true, false}, {time.Hour + time.Second, true, false}}, time.Second, time.Second},
		{"the clock set back", []told{{time.Minute, true, false}, {0, true, false}, {time.Second, true, false}}, time.Second, time.Second},
	} {
		h := New(Limits{})
		for _, s := range c.told {
			h.State(at(s.at), s.up, s.abnormal)
		}
		r := h.Report(start, at(2*time.Hour))
		if up := time.Duration(r.Slot.Up) * time.Millisecond; r.Observed != c.observed || up != c.up {
			t.Errorf("%s: observed %v, up %v, want %v %v", c.name, r.Observed, up, c.observed, c.up)
		}
	}
}

func TestMinutesGiveWayToHours(t *testing.T) {
	h := New(Limits{Minutes: 60, Hours: 48})
	for i := range 100 * 60 { // 100 hours of a probe each minute
		h.Probe(at(time.Duration(i)*time.Minute), time.Millisecond, true)
	}
	if m, n := len(h.minutes.slots), len(h.hours.slots); m != 60 || n != 48 {
		t.Errorf("%d minutes and %d hours are kept", m, n)
	}
	for _, c := range []struct {
		from, to   time.Duration
		resolution time.Duration
		sent       uint32
	}{
		{99*time.Hour + 30*time.Minute, 100 * time.Hour, time.Minute, 30},
		{99 * time.Hour, 100 * time.Hour, time.Minute, 60},
		{98*time.Hour + 30*time.Minute, 100 * time.Hour, time.Hour, 120},
		{0, 100 * time.Hour, time.Hour, 48 * 60},
		{98*time.Hour + 30*time.Minute, 98*time.Hour + 31*time.Minute, time.Hour, 60},
		{time.Hour, time.Hour, time.Hour, 0},
	} {
		r := h.Report(at(c.from), at(c.to))
		if r.Resolution != c.resolution || r.Slot.Sent != c.sent {
			t.Errorf("%v to %v: %d sent, by %v; want %d, %v", c.from, c.to, r.Slot.Sent, r.Resolution, c.sent, c.resolution)
		}
	}
}

func TestSeries(t *testing.T) {
	h := New(Limits{})
	for _, m := range []int{0, 1, 2, 5, 9} {
		h.Probe(at(time.Duration(m)*time.Minute+time.Second), time.Duration(m+1)*time.Millisecond, true)
	}
	pt := func(minute int, v float64, ok bool) Point {
		return Point{at(time.Duration(minute) * time.Minute), v, ok}
	}
	for _, c := range []struct {
		name string
		n    int
		want []Point
	}{
		{"slots in pairs", 5, []Point{pt(0, 2, true), pt(2, 3, true), pt(4, 6, true), pt(6, 0, false), pt(8, 10, true)}},
		{"in parts that are not alike", 3, []Point{pt(0, 3, true), pt(4, 6, true), pt(7, 10, true)}},
		{"one", 1, []Point{pt(0, 10, true)}},
		{"none", 0, nil},
	} {
		if diff := cmp.Diff(c.want, h.Series(RTTMax, start, at(10*time.Minute), c.n)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	if got := h.Series(RTTMax, start, at(10*time.Minute), 100); len(got) != 10 {
		t.Errorf("%d points of ten slots", len(got))
	}
}

func TestShareStaysWithinTheTotal(t *testing.T) {
	for _, n := range []int{0, 1, 10, 300, 1000} {
		const total = 256 << 20
		l := Share(total, n)
		if used := n * SlotSize * (l.Minutes + l.Hours); used > total {
			t.Errorf("%d histories take %d bytes: %+v", n, used, l)
		}
	}
	if l := Share(256<<20, 100); l != (Limits{MinuteSlots, HourSlots}) {
		t.Errorf("100 histories fit whole, got %+v", l)
	}
}
