package vbr

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	// actorLimit is how long one turn of a router's actor may take before the router is said to be degraded. The longest honest
	// ones, over a million routes, take a tenth of it.
	actorLimit = 20 * time.Second
	// settleLimit is how long Settled waits for slow routers.
	settleLimit = 20 * time.Second
)

// clock is where pulses count from; it does not jump with the time of day.
var clock = time.Now()

// pulse says of a loop whether it turns. The zero one is at rest. Its loop writes it, anybody reads it.
type pulse struct {
	last atomic.Int64 // when the loop last began a turn, in ns since clock; 0: at rest
}

// beat notes that a turn begins, or goes forward.
func (p *pulse) beat() { p.last.Store(max(1, int64(time.Since(clock)))) }

// rest notes that the loop waits for as long as it takes, or has ended.
func (p *pulse) rest() { p.last.Store(0) }

// silent is how long ago the last beat was; 0 at rest.
func (p *pulse) silent() time.Duration {
	last := p.last.Load()
	if last == 0 {
		return 0
	}
	return time.Since(clock) - time.Duration(last)
}

// pulses are those of the host's own loops, which all routers need.
type pulses struct{ clock, carriers, monitor pulse }

// Alive is nil while the host's own loops turn: each has begun a turn within the limit, which is to be several seconds. One router's actor that hangs is
// that router's trouble (see reportHung); when all actors do, it is the host's. It takes no lock that is held over I/O, and may be called at any time.
func (h *Host) Alive(limit time.Duration) error {
	var errs []error
	for _, l := range []struct {
		name  string
		pulse *pulse
	}{{"clock", &h.pulses.clock}, {"carrier watch", &h.pulses.carriers}, {"monitor", &h.pulses.monitor}} {
		if silent := l.pulse.silent(); silent > limit {
			errs = append(errs, fmt.Errorf("the host's %s hangs, for %v now", l.name, silent.Round(time.Second)))
		}
	}
	served, hung := 0, 0
	for _, r := range h.allRouters() {
		if r.unserved {
			continue
		}
		served++
		if r.pulse.silent() > limit {
			hung++
		}
	}
	if served > 0 && hung == served {
		errs = append(errs, fmt.Errorf("the actors of all %d routers hang", served))
	}
	return errors.Join(errs...)
}

// reportHung degrades routers whose actor has not turned for longer than the limit, and lets them recover when it goes on. It is called by the monitor.
func (h *Host) reportHung(limit time.Duration) {
	for _, r := range h.allRouters() {
		if r.pulse.silent() > limit {
			r.degrade(actorTrouble, fmt.Errorf("its actor has not finished a turn for more than %v: nothing of this router changes; what the kernel holds goes on forwarding", limit))
		} else if r.ails(actorTrouble) {
			r.degrade(actorTrouble, nil)
		}
	}
}

// actorTrouble is what a router is degraded by whose actor hangs.
const actorTrouble = "actor"

// Serving is closed when Run knows all routers of its intent and what the kernel holds of each, so that what the host tells of itself is whole.
// It is never closed if Run ends before.
func (h *Host) Serving() <-chan struct{} { return h.serving }

// Settled is closed when Run has made of the kernel, and of what a predecessor left in it, what the intent says: every router serves or has been found not to be
// able to. Routers that take longer than 20 seconds are not waited for. It is never closed if Run ends before.
func (h *Host) Settled() <-chan struct{} { return h.settled }

// Adopting says whether some router holds routes of a predecessor that nobody has announced again yet.
func (h *Host) Adopting() bool { return h.unswept.Load() > 0 }

// awaitRouters closes settled in time; done ends it early.
func (h *Host) awaitRouters(done <-chan struct{}) {
	limit := time.After(settleLimit)
	for _, r := range h.allRouters() {
		if r.unserved {
			continue
		}
		select {
		case <-r.tried:
		case <-limit:
			h.log.Warn("not waiting for slow routers any longer", "router", r.name)
			close(h.settled)
			return
		case <-done:
			return
		}
	}
	close(h.settled)
}
