package vbr

import (
	"context"
	"fmt"
	"time"

	"github.com/openvbr/openvbr/fib"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/link"
	"github.com/openvbr/openvbr/vbr/rib"
)

const (
	// batch is how many changes go to the kernel at a time.
	batch = 4096
	// cachedSets bounds the translation of choices of next hops; beyond it, it starts anew.
	cachedSets = 4096
)

// installer is what an actor keeps between two flushes.
type installer struct {
	changes []rib.Change
	routes  []fib.Change
	sets    map[*rib.Hops]*fib.Set
	refused refusals
	unsaid  unsaid
	// leftover are lines of earlier specs, as long as devices could not be pruned.
	leftover []link.Line
	// windowAt is when the rib's window began.
	windowAt time.Time
}

func newInstaller() installer {
	return installer{sets: make(map[*rib.Hops]*fib.Set), refused: newRefusals()}
}

// flush takes the rib's changes to the kernel, batch by batch, and tells the neighbours what the kernel took. It ends when the rib has no more.
func (r *router) flush(ctx context.Context, speaker speaker) {
	r.pace()
	r.tellAgain(ctx, speaker)
	r.fill(speaker)
	r.speakAgain(speaker)
	if r.refused.due(time.Now()) {
		r.retry(passing)
	}
	stirred, changed := r.stirred.Swap(0), false
	for ctx.Err() == nil {
		r.pulse.beat() // a batch is a step forward, however many there are
		r.changes = r.changes[:0]
		r.mu.Lock()
		r.rib.SetNow(time.Now())
		lessons, meetings := r.lessons(), r.meetings()
		r.rib.Changes(batch, func(c rib.Change) { r.changes = append(r.changes, c) })
		r.mu.Unlock()
		if len(r.changes) == 0 && len(lessons)+len(meetings) == 0 {
			break
		}
		r.teach(lessons)
		r.meet(meetings)
		held := r.install(ctx)
		r.announce(speaker, r.confirm(held))
		changed = changed || len(held) > 0
	}
	r.noteCaught()
	r.converged(stirred, changed)
	r.removeAgain(ctx)
	r.refused.plan(time.Now(), r.host.opts.Timers.Audit)
	r.reportRefused()
	r.forgetVTEPs()
}

// window is the least time between two writes of one prefix, on average: a prefix that flaps costs ten a second.
const window = 100 * time.Millisecond

// pace begins a new window of the rib when the last one is over.
func (r *router) pace() {
	if time.Since(r.windowAt) < window {
		return
	}
	r.windowAt = time.Now()
	r.mu.Lock()
	r.rib.NextWindow()
	r.mu.Unlock()
}

// deferred says whether prefixes wait for the next window, or refused routes for another try, and how long.
func (r *router) deferred() (pause time.Duration, waiting bool) {
	r.mu.Lock()
	waiting = r.rib.Deferred() > 0
	r.mu.Unlock()
	pause = time.Until(r.windowAt.Add(window))
	if r.refused.passing > 0 {
		if retry := time.Until(r.refused.at); !waiting || retry < pause {
			pause = retry
		}
		waiting = true
	}
	return pause, waiting
}

// install writes r.changes to the kernel and returns, for each, whether the kernel holds it now.
func (r *router) install(ctx context.Context) []bool {
	held := make([]bool, len(r.changes))
	r.routes = r.routes[:0]
	sent := make([]int, 0, len(r.changes))
	for i, c := range r.changes {
		set, err := r.set(c.Hops)
		if err != nil {
			r.refused.note(c.Prefix, err, false)
			continue
		}
		r.routes = append(r.routes, fib.Change{Prefix: c.Prefix, Set: set})
		sent = append(sent, i)
	}
	for j, res := range r.fib.Apply(ctx, r.routes) {
		held[sent[j]] = res.Err == nil
		r.refused.note(res.Prefix, res.Err, r.routes[j].Set == nil)
	}
	return held
}

// set is the fib's name for a choice of next hops, nil for none.
func (r *router) set(h *rib.Hops) (*fib.Set, error) {
	if h == nil {
		return nil, nil
	}
	if s := r.sets[h]; s != nil {
		return s, nil
	}
	s, err := r.host.fib.Set(nextHops(h.Primary), nextHops(h.Backup))
	if err != nil {
		return nil, err
	}
	if len(r.sets) >= cachedSets {
		clear(r.sets)
	}
	r.sets[h] = s
	return s, nil
}

func nextHops(hs []rib.NextHop) []fib.NextHop {
	out := make([]fib.NextHop, len(hs))
	for i, h := range hs {
		out[i] = fib.NextHop(h)
	}
	return out
}

// reportDrift says what an audit found that is not as it was acknowledged, and has what could not be repaired tried again.
func (r *router) reportDrift(d fib.Drift) {
	if d.Any() {
		r.log.Warn("the kernel's table had drifted", "missing", d.Missing, "altered", d.Altered, "extra", d.Extra,
			"nexthops", d.Nexthops, "repaired", d.Repaired, "failed", len(d.Failed))
	}
	if d.Foreign > 0 {
		r.log.Debug("others have routes at our metric", "routes", d.Foreign, "metric", fib.Metric)
	}
	if n := d.Missing + d.Altered + d.Extra; n > 0 {
		r.note(vbrv1.Event_TYPE_DRIFT, "", fmt.Sprintf("of the kernel's routes %d were missing, %d altered, %d unknown; %d repaired",
			d.Missing, d.Altered, d.Extra, d.Repaired))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records.drift += uint64(d.Missing + d.Altered + d.Extra)
	for _, f := range d.Failed {
		r.rib.Retry(f.Prefix)
	}
}

// confirm gives the changes back to the rib and returns what the neighbours should be told.
func (r *router) confirm(held []bool) []rib.Announcement {
	var said []rib.Announcement
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rib.SetNow(time.Now())
	for i, c := range r.changes {
		if a := r.rib.Confirm(c, held[i]); a.Any() {
			said = append(said, a)
		}
	}
	return said
}
