package vbr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/openvbr/openvbr/fib"
)

// firstRetry is the pause before a route that the kernel refused for a passing reason is tried again. It doubles up to the
// time between audits, and begins anew with every newly refused route and with every event of the kernel's (see inspect).
const firstRetry = time.Second

// refusals are what the kernel did not take, and when that is tried again. It belongs to the actor's goroutine, but for what others read
// under mu: see get and size.
type refusals struct {
	mu      sync.Mutex // held by the actor while it writes to all
	all     map[netip.Prefix]refusal
	passing int           // of all, those whose reason may pass by itself
	example netip.Prefix  // of all, the one that is reported: it stays the same as long as it is refused
	fresh   bool          // noted since plan, and not only again
	retried bool          // tried again since plan
	pause   time.Duration // until at, when it was planned
	at      time.Time     // of the next try; for passing > 0
}

type refusal struct {
	err     error
	since   time.Time
	removal bool // the kernel did not let go of the route
	again   bool // it is being tried again
}

func newRefusals() refusals { return refusals{all: make(map[netip.Prefix]refusal)} }

// passing says that the kernel may take the same route later, be it without an event that tells so.
func passing(err error) bool {
	e, ok := errors.AsType[*fib.RouteError](err)
	return ok && (e.Retry() == fib.RetrySoon || e.Retry() == fib.RetryOnLink)
}

// note takes in that the kernel refused a prefix, or with nil that it did not.
func (f *refusals) note(p netip.Prefix, err error, removal bool) {
	old, known := f.all[p]
	if known && passing(old.err) {
		f.passing--
	}
	if err == nil && !known {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		delete(f.all, p)
		return
	}
	if !known {
		old.since = time.Now()
	}
	f.all[p] = refusal{err: err, removal: removal, since: old.since}
	f.fresh = f.fresh || !known
	if passing(err) {
		f.passing++
	}
}

// get returns the refusal of a prefix, if it was refused. Any goroutine may call it.
func (f *refusals) get(p netip.Prefix) (refusal, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x, ok := f.all[p]
	return x, ok
}

// size is how many prefixes are refused. Any goroutine may call it.
func (f *refusals) size() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.all)
}

// due says whether it is time to try again what was refused for a passing reason.
func (f *refusals) due(now time.Time) bool { return f.passing > 0 && !now.Before(f.at) }

// plan sets the time of the next try, after one or after new refusals. limit bounds the pause.
func (f *refusals) plan(now time.Time, limit time.Duration) {
	switch {
	case f.fresh:
		f.pause, f.at = firstRetry, now.Add(firstRetry)
	case f.retried:
		f.pause = min(max(2*f.pause, firstRetry), max(limit, firstRetry))
		f.at = now.Add(f.pause)
	}
	f.fresh, f.retried = false, false
}

// err sums up what is refused, nil for nothing.
func (f *refusals) err() error {
	if len(f.all) == 0 {
		return nil
	}
	if _, ok := f.all[f.example]; !ok {
		for f.example = range f.all {
			break
		}
	}
	return fmt.Errorf("the kernel refuses %d routes, among them %s: %w", len(f.all), f.example, f.all[f.example].err)
}

func (r *router) reportRefused() { r.degrade("routes", r.refused.err()) }

// retryRefused tries all again that the kernel did not take, since something changed.
func (r *router) retryRefused() {
	r.retry(func(error) bool { return true })
	r.refused.pause = 0
}

// retry has the rib say again those refused prefixes whose error qualifies. What the rib no longer knows is left to removeAgain.
func (r *router) retry(which func(error) bool) {
	r.refused.retried = true
	n := 0
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, x := range r.refused.all {
		if !which(x.err) {
			continue
		}
		x.again = true
		r.refused.mu.Lock()
		r.refused.all[p] = x
		r.refused.mu.Unlock()
		r.rib.Retry(p)
		if n++; n%batch == 0 { // let the sessions in
			r.mu.Unlock()
			r.mu.Lock()
		}
	}
}

// removeAgain removes what the kernel did not let go of, and the rib has forgotten: nobody else would. It follows the rib's changes, so
// that a prefix which came back meanwhile is kept.
func (r *router) removeAgain(ctx context.Context) {
	if !r.refused.retried {
		return
	}
	r.routes = r.routes[:0]
	for p, x := range r.refused.all {
		switch {
		case !x.again:
		case x.removal:
			r.routes = append(r.routes, fib.Change{Prefix: p})
		default: // the rib said nothing: it wants the prefix no longer, or as the kernel has it
			r.refused.note(p, nil, false)
		}
	}
	if len(r.routes) == 0 {
		return
	}
	for _, res := range r.fib.Apply(ctx, r.routes) {
		r.refused.note(res.Prefix, res.Err, true)
	}
}
