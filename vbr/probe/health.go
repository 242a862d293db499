package probe

import "time"

// DefaultThreshold is HcThreshold and HealthyThreshold as Express Connect advises them.
const DefaultThreshold = 8

// Status is Express Connect's HealthCheckStatus, as far as probes decide it. The owner of a router interface adds NoRedundantRoute and NoHealthCheckConfig.
type Status string

// The statuses.
const (
	Normal   Status = "Normal"
	Abnormal Status = "Abnormal"
)

// Health judges a row of results with hysteresis. Its legal transitions:
//
//	Normal, unknown --a reply--> Normal --Threshold losses in a row--> Abnormal --HealthyThreshold replies in a row--> Normal
//	Normal, unknown --Threshold losses in a row--> Abnormal
//
// The zero Health is ready, with the default thresholds. It is no good for concurrent use, and has no clock.
type Health struct {
	Threshold        int // losses in a row that make it Abnormal; 0 means DefaultThreshold
	HealthyThreshold int // replies in a row that make it Normal again; 0 means DefaultThreshold

	abnormal bool
	known    bool
	row      int // results in a row that speak against the status
	since    time.Time
}

// Observe takes a result, of a time that is used for Since only. It says whether Status or Known changed.
func (h *Health) Observe(ok bool, now time.Time) (changed bool) {
	if ok != h.abnormal { // what is expected
		h.row = 0
		if ok && !h.known {
			h.turn(false, now)
			return true
		}
		return false
	}
	h.row++
	if h.row < h.needed() {
		return false
	}
	h.turn(!h.abnormal, now)
	return true
}

func (h *Health) turn(abnormal bool, now time.Time) {
	h.abnormal, h.known, h.row, h.since = abnormal, true, 0, now
}

// needed is how many results in a row turn the status.
func (h *Health) needed() int {
	n := h.Threshold
	if h.abnormal {
		n = h.HealthyThreshold
	}
	if n <= 0 {
		return DefaultThreshold
	}
	return n
}

// Status is Normal until losses say otherwise.
func (h *Health) Status() Status {
	if h.abnormal {
		return Abnormal
	}
	return Normal
}

// Known is false as long as Normal is an assumption: before the first reply, and before Threshold losses.
func (h *Health) Known() bool { return h.known }

// Since is when Status or Known last changed; the zero Time if never.
func (h *Health) Since() time.Time { return h.since }
