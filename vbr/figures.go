package vbr

import (
	"sync/atomic"
	"time"

	"github.com/openvbr/openvbr/fib"
)

// Figures are what metrics say of a router beyond its status.
type Figures struct {
	Best    int // prefixes for which a path was chosen that the kernel should hold
	Waiting int // prefixes to be decided and taken to the kernel
	Unsaid  int // what neighbours could not be told yet, and will be told again
	BFD     int // changes of BFD sessions that the router has not looked at yet
}

// Figures are those of a router, zero if there is none of that name.
func (h *Host) Figures(name string) (f Figures) {
	r := h.router(name)
	if r == nil {
		return f
	}
	f.Unsaid, f.BFD = int(r.unsaidCount.Load()), r.bfd.size()
	r.mu.Lock()
	defer r.mu.Unlock()
	f.Best, f.Waiting = r.rib.Chosen(), r.rib.Waiting()
	return f
}

// size is how many changes wait.
func (i *inbox) size() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.last)
}

// size is how many changes for the customer and for far ends there are.
func (u *unsaid) size() (n int) {
	for _, t := range u.customer {
		n += len(t.ads) + len(t.back)
	}
	for _, l := range u.far {
		n += len(l.gained) + len(l.lost)
	}
	return n
}

// timeBuckets are the upper bounds of Times' buckets, in seconds.
var timeBuckets = [...]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// times counts how long something took. The zero value is ready; any goroutine may use it.
type times struct {
	buckets [len(timeBuckets) + 1]atomic.Uint64 // the last has what no bound holds
	sum     atomic.Int64                        // nanoseconds
}

func (t *times) since(began time.Time) {
	took := time.Since(began)
	i := 0
	for i < len(timeBuckets) && took.Seconds() > timeBuckets[i] {
		i++
	}
	t.buckets[i].Add(1)
	t.sum.Add(int64(took))
}

// Times is a histogram of durations.
type Times struct {
	Count   uint64
	Sum     float64            // seconds
	Buckets map[float64]uint64 // how many took at most so many seconds
}

func (t *times) read() Times {
	out := Times{Buckets: make(map[float64]uint64, len(timeBuckets))}
	for i := range t.buckets {
		out.Count += t.buckets[i].Load()
		if i < len(timeBuckets) {
			out.Buckets[timeBuckets[i]] = out.Count
		}
	}
	out.Sum = time.Duration(t.sum.Load()).Seconds()
	return out
}

// timings are how long the host's routers take.
type timings struct{ convergence, reconcile times }

// Timings are how long the routers of a host take, all together, and what the kernel refused.
type Timings struct {
	// Convergence: from the first of a burst of messages (of a customer, a VPC, BFD, a carrier) until the kernel holds what follows, and neighbours are told.
	Convergence Times
	// Reconcile: to compare devices and routes with what should be, and to mend.
	Reconcile Times
	Failures  []fib.Failure
}

// Timings takes no lock.
func (h *Host) Timings() Timings {
	return Timings{h.timings.convergence.read(), h.timings.reconcile.read(), h.fib.Failures()}
}

// stir notes that something comes which may change routes, before it is taken in, if nothing came since the last flush.
func (r *router) stir() { r.stirred.CompareAndSwap(0, time.Now().UnixNano()) }

// converged notes how long it took since a stir, 0 for none, when there were changes.
func (r *router) converged(stirred int64, changes bool) {
	if stirred != 0 && changes {
		r.host.timings.convergence.since(time.Unix(0, stirred))
	}
}
