package vbr

import (
	"time"

	"github.com/openvbr/openvbr/bgp/bfd"
)

const (
	// firstHoldDown is how long BFD has to be up again after a failure for a strict peer's routes to count; each further failure doubles it, to
	// longestHoldDown. After calmTime without one it begins anew.
	firstHoldDown   = time.Second
	longestHoldDown = 30 * time.Second
	calmTime        = 2 * time.Minute
	// graceTime is how long a strict peer's routes count without BFD where that has had no time to come up: see watch.excuse.
	graceTime = 10 * time.Second
)

// watchSpec is how a peer is watched over by BFD; the zero value: not at all.
type watchSpec struct {
	on, strict   bool
	minTx, minRx time.Duration
	multiplier   uint8
}

// watch is what BFD means for the routes of one peer (RFC 5882): pure, its caller brings what happens and the time.
//
// Not strict, a peer's routes go when BFD was up and fails, and may come again with BFD or with a new BGP session. Strict, they count while BFD is
// up. A peer that says AdminDown has not failed (RFC 5882 3.2), strict or not, nor has one whose BFD
// begins anew.
type watch struct {
	on, strict bool
	state      bfd.State
	adminDown  bool
	failed     bool      // it was up and failed, and neither it nor the session has come up again
	grace      time.Time // till then strict counts for nothing
	until      time.Time // strict: not to be trusted before
	failures   int       // in a row, see calmTime
	failedAt   time.Time
}

// configure makes the watch be as the spec says. A session that is up does not suffer from it: BFD has graceTime to come up.
func (w *watch) configure(s watchSpec, sessionUp bool, now time.Time) {
	switch {
	case !s.on:
		*w = watch{}
		return
	case !w.on:
		*w = watch{on: true, state: bfd.Down}
	}
	if s.strict && !w.strict && sessionUp && w.state != bfd.Up {
		w.excuse(now.Add(graceTime))
	}
	w.strict = s.strict
}

// resume takes over the state of a session that has run before.
func (w *watch) resume(s bfd.Status) {
	w.state, w.adminDown = s.State, s.AdminDown
}

// change takes in a change and says whether the peer has failed by it.
func (w *watch) change(c bfd.Change, now time.Time) (failed bool) {
	was := w.state
	w.state, w.adminDown = c.State, c.AdminDown
	switch {
	case !w.on:
	case c.State == bfd.Up:
		w.failed, w.grace = false, time.Time{}
		if w.failures > 0 && now.Sub(w.failedAt) < calmTime && was != bfd.Up {
			w.until = now.Add(holdDown(w.failures))
		}
	case c.AdminDown:
		w.failed = false
	case was == bfd.Up && c.Anew:
		w.excuse(now.Add(graceTime))
	case was == bfd.Up:
		w.fail(now)
		return true
	}
	return false
}

func (w *watch) fail(now time.Time) {
	if now.Sub(w.failedAt) >= calmTime {
		w.failures = 0
	}
	w.failures++
	w.failed, w.failedAt, w.grace = true, now, time.Time{}
}

// holdDown is how long BFD has to be up after so many failures in a row.
func holdDown(failures int) time.Duration {
	return min(firstHoldDown<<min(failures-1, 10), longestHoldDown)
}

// excuse lets the peer's routes count until then, though BFD is down: it fails because the peer restarts, or has had no time to come up.
func (w *watch) excuse(until time.Time) {
	w.failed, w.grace = false, until
}

// established takes in that the session came up: who speaks BGP is there.
func (w *watch) established() { w.failed = false }

// held says whether the peer's routes do not count now.
func (w *watch) held(now time.Time) bool {
	switch {
	case !w.on, w.adminDown, now.Before(w.grace):
		return false
	case w.strict:
		return w.state != bfd.Up || now.Before(w.until)
	}
	return w.failed
}
