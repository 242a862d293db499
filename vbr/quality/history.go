package quality

import "time"

// How much a History keeps, if Limits do not say less.
const (
	MinuteSlots = 48 * 60  // 48 hours
	HourSlots   = 400 * 24 // 400 days
)

// MaxGap is the longest time between two states of which the first is held to have lasted.
const MaxGap = 2 * time.Minute

// Limits bounds what a History keeps, in slots. Zero, and what is beyond MinuteSlots and HourSlots, means those.
type Limits struct{ Minutes, Hours int }

// Share gives the Limits by which n histories take about total bytes at most: half for the minutes, as long as they need it, the rest for the hours.
// None is below an hour of minutes and a day of hours.
func Share(total, n int) Limits {
	each := total / max(n, 1) / SlotSize
	minutes := min(max(each/2, 60), MinuteSlots)
	return Limits{Minutes: minutes, Hours: min(max(each-minutes, 24), HourSlots)}
}

// Counters are a device's transmit counters at some time (rtnl_link_stats64).
type Counters struct {
	Index                    int // ifindex: another one means another device
	Packets, Errors, Dropped uint64
}

// History is the quality of one router interface over time. It is no good for concurrent use. Times may come out of order, and each goes into its slot.
type History struct {
	minutes, hours tier

	jitter   uint64 // J in ns/16
	lastRTT  time.Duration
	replied  bool
	counters *Counters // as last seen
	state    struct {
		ms               int64 // since 1970: when it was told
		available, known bool
	}
}

// New makes an empty History.
func New(l Limits) *History {
	h := &History{minutes: tier{width: 1}, hours: tier{width: 60}}
	h.SetLimits(l)
	return h
}

// SetLimits bounds the History anew, and drops the oldest slots over the limits.
func (h *History) SetLimits(l Limits) {
	h.minutes.limit, h.hours.limit = bounded(l.Minutes, MinuteSlots), bounded(l.Hours, HourSlots)
	h.minutes.trim()
	h.hours.trim()
}

func bounded(n, most int) int {
	if n <= 0 || n > most {
		return most
	}
	return n
}

// Probe takes the result of a request that was sent at this time; rtt counts if ok.
func (h *History) Probe(sent time.Time, rtt time.Duration, ok bool) {
	if !ok {
		h.add(sent, Slot{Sent: 1, Lost: 1})
		return
	}
	rtt = max(rtt, 0)
	if h.replied {
		d := uint64((rtt - h.lastRTT).Abs())
		h.jitter += d - (h.jitter+8)>>4 // RFC 3550, A.8
	}
	h.lastRTT, h.replied = rtt, true
	h.add(sent, reply(rtt, h.jitter))
}

// Counters takes the device's counters. The first ones, after New and after Unmarshal, are only a base. Counters that ran backwards, and those of another device, began at zero.
func (h *History) Counters(at time.Time, c Counters) {
	last := h.counters
	h.counters = &c
	if last == nil {
		return
	}
	base := *last
	if c.Index != base.Index || c.Packets < base.Packets || c.Errors < base.Errors || c.Dropped < base.Dropped {
		base = Counters{}
	}
	h.add(at, Slot{TxSent: c.Packets - base.Packets, TxFailed: add(c.Errors-base.Errors, c.Dropped-base.Dropped)})
}

// State takes the interface's state as of this time: whether it is up, and whether its health is Abnormal. Call it when either changes, and at least every
// MaxGap: the time since the last call counts as what that call said.
func (h *History) State(at time.Time, up, abnormal bool) {
	last, end := h.state, at.UnixMilli()
	h.state.ms, h.state.available, h.state.known = end, up && !abnormal, true
	if !last.known || end-last.ms > MaxGap.Milliseconds() {
		return
	}
	for from := last.ms; from < end; {
		to := min(end, (from/60_000+1)*60_000) // to the minute's end
		s := Slot{Observed: uint32(to - from)}
		if last.available {
			s.Up = s.Observed
		}
		h.add(time.UnixMilli(from), s)
		from = to
	}
}

// add puts an observation into both tiers.
func (h *History) add(at time.Time, s Slot) {
	minute := minuteOf(at)
	h.minutes.add(minute, s)
	h.hours.add(minute, s)
}
