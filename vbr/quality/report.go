package quality

import "time"

// Objective is one promise and what became of it.
type Objective struct {
	Metric   Metric
	Value    float64 // percent
	Target   float64 // percent
	Measured bool    // false: nothing was observed, and Value, Met and Budget mean nothing
	Met      bool
	Budget   Budget
}

// Budget is how much of the bad an objective allows within what was observed, in Unit.
type Budget struct {
	Allowed, Spent, Left float64 // Left is below zero when the objective is missed
	Unit                 string  // "probes", "milliseconds", "packets" or "seconds"
}

// Report is a window's objectives and the observations they rest upon.
type Report struct {
	From, To   time.Time     // the window, in whole slots
	Resolution time.Duration // of the slots: a minute, or an hour where the minutes are no longer kept
	Observed   time.Duration // within the window: of that long the state is known
	Slot       Slot          // all that was observed, in one
	Objectives []Objective   // loss, jitter, encapsulation, availability
}

// promise is an objective: of total, at most limit may be bad.
type promise struct {
	metric   Metric
	limit    float64 // percent
	below    bool    // less than limit, not just as much
	positive bool    // the value counts the good
	unit     string
	count    func(Slot) (bad, total float64)
}

// promises are the published figures.
func promises() []promise {
	return []promise{
		{Loss, 0.2, true, false, "probes", lost},
		{JitterPercent, 20, false, false, "milliseconds", jittered},
		{Encapsulation, 0.2, false, true, "packets", failed},
		{Availability, 0.05, false, true, "seconds", down},
	}
}

func lost(s Slot) (bad, total float64) { return float64(s.Lost), float64(s.Sent) }

func failed(s Slot) (bad, total float64) {
	return float64(s.TxFailed), float64(s.TxSent) + float64(s.TxFailed)
}

func down(s Slot) (bad, total float64) {
	return float64(s.Observed-s.Up) / 1e3, float64(s.Observed) / 1e3
}

// jittered gives the mean jitter and the mean round trip, in milliseconds.
func jittered(s Slot) (bad, total float64) {
	if s.replies() == 0 {
		return 0, 0
	}
	n := float64(s.replies())
	return float64(s.JitterSum) / 16 / n / 1e6, float64(s.RTTSum) / n / 1e6
}

func (p promise) judge(s Slot) Objective {
	o := Objective{Metric: p.metric, Target: p.limit, Budget: Budget{Unit: p.unit}}
	if p.positive {
		o.Target = 100 - p.limit
	}
	bad, total := p.count(s)
	if total == 0 {
		return o
	}
	allowed := total * (p.limit * 100) / 1e4
	o.Measured, o.Met = true, bad < allowed || bad == allowed && !p.below
	o.Value = p.value(bad, total)
	o.Budget.Allowed, o.Budget.Spent, o.Budget.Left = allowed, bad, allowed-bad
	return o
}

func (p promise) value(bad, total float64) float64 {
	if p.positive {
		return 100 * (total - bad) / total
	}
	return 100 * bad / total
}

// Report judges the window from..to. It rests on minute slots if those from the beginning on are kept, else on hour slots, and takes in the whole slots at both ends.
func (h *History) Report(from, to time.Time) Report {
	t, first, end := h.window(from, to)
	r := Report{From: timeOf(first), To: timeOf(end), Resolution: time.Duration(t.width) * time.Minute}
	for _, d := range t.between(first, end) {
		r.Slot = r.Slot.Merge(d.Slot)
	}
	r.Observed = time.Duration(r.Slot.Observed) * time.Millisecond
	for _, p := range promises() {
		r.Objectives = append(r.Objectives, p.judge(r.Slot))
	}
	return r
}

// window is the tier that knows the time from..to best, and that time in whole slots.
func (h *History) window(from, to time.Time) (t *tier, first, end uint32) {
	t = &h.minutes
	if minuteOf(from) < t.dropped {
		t = &h.hours
	}
	first = t.floor(minuteOf(from))
	last := minuteOf(to.Add(-1)) // the end itself is outside
	if !from.Before(to) {
		return t, first, first
	}
	return t, first, t.floor(last) + t.width
}
