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

// Part is what was observed from Start to the next part.
type Part struct {
	Start time.Time
	Slot
}

// Parts divides from..to into n parts. There are fewer if there are fewer slots (see Report) than n, at most HourSlots, and none for an empty time.
func (h *History) Parts(from, to time.Time, n int) []Part {
	t, first, end := h.window(from, to)
	slots := int((end - first) / t.width)
	n = min(n, slots, HourSlots)
	if n <= 0 {
		return nil
	}
	parts := make([]Part, n)
	for i := range parts {
		parts[i].Start = timeOf(first + uint32((i*slots+n-1)/n)*t.width)
	}
	for _, d := range t.between(first, end) {
		i := int((d.start-first)/t.width) * n / slots
		parts[i].Slot = parts[i].Merge(d.Slot)
	}
	return parts
}

// Series gives a metric's value in each of n Parts of from..to: what a plot draws.
func (h *History) Series(m Metric, from, to time.Time, n int) []Point {
	var points []Point
	for _, p := range h.Parts(from, to, n) {
		v, ok := p.Value(m)
		points = append(points, Point{Start: p.Start, Value: v, OK: ok})
	}
	return points
}
