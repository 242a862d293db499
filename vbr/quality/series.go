package quality

import "time"

// Metric is something that a Slot tells.
type Metric int

// The metrics and their units.
const (
	Loss          Metric = iota // percent of requests
	RTTMin                      // ms
	RTTMean                     // ms
	RTTMax                      // ms
	Jitter                      // ms
	JitterPercent               // percent of RTTMean
	Encapsulation               // percent of packets that were sent
	Availability                // percent of the observed time
)

// String is the metric's name, as in "jitter_percent".
func (m Metric) String() string {
	names := [...]string{"loss", "rtt_min", "rtt_mean", "rtt_max", "jitter", "jitter_percent", "encapsulation", "availability"}
	if m < 0 || int(m) >= len(names) {
		return "unknown"
	}
	return names[m]
}

// Value is a metric of the slot; ok is false if nothing was observed that it could tell.
func (s Slot) Value(m Metric) (v float64, ok bool) {
	for _, p := range promises() {
		if p.metric == m {
			bad, total := p.count(s)
			return p.value(bad, max(total, 1e-9)), total > 0
		}
	}
	jitter, rtt := jittered(s)
	const ms = float64(time.Millisecond / rttUnit)
	switch m {
	case RTTMin:
		v = float64(s.RTTMin) / ms
	case RTTMean:
		v = rtt
	case RTTMax:
		v = float64(s.RTTMax) / ms
	case Jitter:
		v = jitter
	}
	return v, s.replies() > 0
}

// Point is a metric's value over the time from Start to the next point.
type Point struct {
	Start time.Time
	Value float64
	OK    bool // false: nothing was observed
}

// Series divides from..to into n parts and gives a metric's value in each: what a plot draws. There are fewer points if there are fewer slots (see Report) than n, at most HourSlots, and none for an empty time.
func (h *History) Series(m Metric, from, to time.Time, n int) []Point {
	t, first, end := h.window(from, to)
	slots := int((end - first) / t.width)
	n = min(n, slots, HourSlots)
	if n <= 0 {
		return nil
	}
	merged := make([]Slot, n)
	for _, d := range t.between(first, end) {
		i := int((d.start-first)/t.width) * n / slots
		merged[i] = merged[i].Merge(d.Slot)
	}
	points := make([]Point, n)
	for i, s := range merged {
		points[i].Start = timeOf(first + uint32((i*slots+n-1)/n)*t.width)
		points[i].Value, points[i].OK = s.Value(m)
	}
	return points
}
