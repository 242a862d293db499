package fib

import (
	"context"
	"fmt"
	"net/netip"
)

// Drift is what an Audit found different from what was acknowledged, and what became of it.
type Drift struct {
	Missing  int // ours, and not in the kernel
	Altered  int // ours, with another nexthop
	Extra    int // of our protocol and metric, and not asked for: removed
	Foreign  int // routes of others at our metric: left alone
	Nexthops int // nexthop objects made again or set right
	Repaired int // of Missing, Altered and Extra
	// Failed has the routes that could not be repaired, with the reason. The table no longer counts them as held: the caller
	// applies them again, as after a failed Apply.
	Failed []Result
}

// Any says whether there was any drift besides foreign routes, which are only observed.
func (d Drift) Any() bool { return d.Missing+d.Altered+d.Extra+d.Nexthops > 0 }

// Audit compares the table with a strict dump of the kernel's and repairs what differs: nexthop objects first, then routes.
// Foreign routes at our metric are reported, and neither overwritten nor deleted.
func (t *Table) Audit(ctx context.Context) (Drift, error) {
	d := Drift{}
	n, err := t.fib.reconcile(ctx)
	if d.Nexthops = n; err != nil {
		return d, fmt.Errorf("fib: audit: %w", err)
	}
	a := audit{t: t, d: &d}
	if err := t.scan(ctx, a.restart, a.see); err != nil {
		return d, err
	}
	t.fib.mu.Lock()
	t.setUnsure(false)
	t.fib.mu.Unlock()
	a.missing()
	a.repair(ctx)
	d.Foreign = len(t.foreign)
	t.fib.collectAll()
	return d, nil
}

func (f *FIB) collectAll() {
	f.lockBulk()
	defer f.unlockBulk()
	f.collect()
}

type audit struct {
	t       *Table
	d       *Drift
	altered map[netip.Prefix]uint32 // index of the group it really has
	extra   []Change
	changes []Change
}

func (a *audit) restart() {
	a.t.held.unsee()
	clear(a.t.foreign)
	a.altered, a.extra = map[netip.Prefix]uint32{}, nil
}

// see takes in one route of the kernel.
func (a *audit) see(k kernelRoute) {
	t := a.t
	if k.protocol != t.fib.cfg.Protocol {
		t.foreign[k.prefix] = k.protocol
		return
	}
	e, known := t.held.get(k.prefix)
	if !known {
		a.extra = append(a.extra, Change{Prefix: k.prefix})
		return
	}
	t.held.set(k.prefix, e|seenFlag)
	t.fib.mu.Lock()
	index := t.indexOf(k)
	t.fib.mu.Unlock()
	if index != e.index() {
		a.altered[k.prefix] = index
	}
}

// missing turns all that differs into changes, and makes the table remember what the kernel really has.
func (a *audit) missing() {
	for p, e := range a.t.held.all() {
		if _, altered := a.altered[p]; altered || !e.seen() {
			a.differs(p, e)
		}
	}
	a.t.fib.mu.Lock()
	for _, c := range a.extra {
		a.t.put(c.Prefix, 0)
	}
	a.t.fib.mu.Unlock()
	a.d.Extra = len(a.extra)
	a.changes = append(a.changes, a.extra...)
	a.t.held.unsee()
}

// differs handles one entry that the kernel has not, or not so.
func (a *audit) differs(p netip.Prefix, e entry) {
	a.t.fib.mu.Lock()
	defer a.t.fib.mu.Unlock()
	index, altered := a.altered[p]
	if g := a.t.fib.obj.groups[e.index()]; !e.stale() && g != nil && g.set != nil {
		a.changes = append(a.changes, Change{Prefix: p, Set: g.set})
	}
	switch {
	case altered:
		a.t.put(p, entry(index)|e&staleFlag) // 0 is something, to be replaced
	default:
		a.t.drop(p, e)
	}
	switch {
	case e.stale():
	case altered:
		a.d.Altered++
	default:
		a.d.Missing++
	}
}

func (a *audit) repair(ctx context.Context) {
	for _, r := range a.t.Apply(ctx, a.changes) {
		if r.Err != nil {
			a.d.Failed = append(a.d.Failed, r)
		} else {
			a.d.Repaired++
		}
	}
}
