package fib

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// Change asks for one route, or with a nil Set for its absence.
type Change struct {
	Prefix netip.Prefix
	Set    *Set
}

// Result is what became of one Change.
type Result struct {
	Prefix netip.Prefix
	Err    error // nil: the kernel holds exactly what was asked; a *RouteError, or the context's error if it was not tried
}

// Apply carries changes out, in order, in batches, and returns one Result for each, in the same order. It keeps going on errors;
// a refused change leaves what was there. What the kernel holds already costs no message. A foreign route at our metric
// is never overwritten: it is EEXIST, with its protocol. If the context ends, the rest is not tried.
func (t *Table) Apply(ctx context.Context, changes []Change) []Result {
	a := &apply{t: t, ctx: ctx, changes: changes, results: make([]Result, len(changes))}
	for i, c := range changes {
		a.results[i].Prefix = c.Prefix
	}
	a.run()
	t.fib.lockBulk()
	t.fib.collect()
	t.fib.unlockBulk()
	return a.results
}

// apply is one call of Apply.
type apply struct {
	t       *Table
	ctx     context.Context
	changes []Change
	results []Result
	scanned bool              // the kernel's table was read in this call
	aligned int               // how often its nexthop objects were read
	fresh   bool              // the round of repeats under way has not read the nexthop objects yet
	bulk    map[uint32]*tally // groups that change as a whole, by index
	broken  map[*Set]error    // Sets whose group could not be made in this call
}

func (a *apply) run() {
	for next := 0; next < len(a.changes); {
		err := done(a.ctx)
		if err == nil && a.t.unsure {
			err = a.t.load(a.ctx)
		}
		if next == 0 && err == nil {
			a.wholes()
		}
		if err != nil {
			a.abandon(next, err)
			return
		}
		next = a.step(next)
	}
}

func (a *apply) abandon(next int, err error) {
	for i := next; i < len(a.results); i++ {
		if a.results[i].Err = err; a.ctx.Err() == nil {
			a.results[i].Err = routeError("apply", a.changes[i].Prefix, a.t.id, err)
		}
	}
}

// step sends one batch, beginning with change next, and sees to what the kernel refused for reasons that can be mended before
// it returns, so that no later change of the same prefix is overtaken. It returns the next change.
func (a *apply) step(next int) int {
	b := &a.t.batch
	a.t.fib.lockBulk()
	b.begin(a.t.fib.req)
	for next < len(a.changes) && !b.enc.full() && !b.has(a.changes[next].Prefix) {
		if a.asWhole(a.changes[next]) {
			if len(b.ops)+len(b.redo) > 0 {
				break // what comes before goes before
			}
			a.goWhole(a.changes[next])
		}
		a.plan(next)
		next++
	}
	a.flush()
	a.t.fib.unlockBulk()
	for range 3 {
		if len(b.redo) == 0 {
			break
		}
		a.again()
	}
	return next
}

// again repeats what was refused, after reading what the kernel really has.
func (a *apply) again() {
	b := &a.t.batch
	work := slices.Clone(b.redo)
	a.fresh = true
	for _, r := range work {
		a.mend(r)
	}
	a.t.fib.lockBulk()
	defer a.t.fib.unlockBulk()
	b.begin(a.t.fib.req)
	for _, r := range work {
		if r.cause == causeForeign && a.t.isForeign(a.changes[r.change].Prefix) {
			continue // its result says so already
		}
		a.plan(r.change)
	}
	a.flush()
}

// alignTries is how often one call reads the nexthop objects because a group or gateway turned out to be gone.
const alignTries = 8

// mend does what may let a refused change succeed.
func (a *apply) mend(r redo) {
	var err error
	switch {
	case r.cause == causeForeign && !a.scanned && !a.t.isForeign(a.changes[r.change].Prefix):
		a.scanned = true
		err = a.t.load(a.ctx)
	case r.cause == causeNexthop && a.fresh:
		a.fresh = false
		a.aligned++
		clear(a.broken)
		_, err = a.t.fib.reconcile(a.ctx)
	}
	if err != nil {
		a.t.fib.cfg.Log.Warn("what the kernel holds cannot be read", "table", a.t.id, "err", err)
	}
	if r.cause == causeForeign {
		p := a.changes[r.change].Prefix
		if e, ok := errors.AsType[*RouteError](a.results[r.change].Err); ok {
			e.Holder = a.t.foreign[p]
		}
	}
}

// isForeign says that a foreign route was seen in a prefix's place.
func (t *Table) isForeign(p netip.Prefix) bool {
	_, ok := t.foreign[p]
	return ok
}

// plan adds the message for change i to the batch, if it needs one.
func (a *apply) plan(i int) {
	t, c := a.t, a.changes[i]
	a.results[i].Err = nil
	if err := check(c, t.id); err != nil {
		a.results[i].Err = err
		return
	}
	old, known := t.held.get(c.Prefix)
	want, err := a.want(c, old)
	if err != nil {
		a.results[i].Err = routeError("add", c.Prefix, t.id, err)
		if a.aligned < alignTries && errors.Is(err, errMember) {
			t.batch.again(i, c.Prefix, causeNexthop)
		}
		return
	}
	switch act := decide(old, known, known && t.alive(old), want); act {
	case actNothing:
	case actAdopt:
		t.put(c.Prefix, entry(want))
	case actForget:
		t.drop(c.Prefix, old)
	default:
		t.batch.add(op{change: i, act: act, old: old, known: known, want: entry(want)}, c.Prefix, t)
	}
}

// check refuses what needs no kernel to be known wrong.
func check(c Change, table uint32) error {
	text := ""
	switch {
	case !c.Prefix.IsValid() || c.Prefix != c.Prefix.Masked() || c.Prefix.Addr().Is4In6():
		text = "not a prefix of IPv4 or IPv6 with host bits zero"
	case c.Set != nil && c.Prefix.Addr().Is6() && !c.Set.only6:
		text = "an IPv6 route cannot use an IPv4 next hop" // net/ipv4/nexthop.c, fib6_check_nexthop
	default:
		return nil
	}
	return &RouteError{Op: "add", Prefix: c.Prefix, Table: table, Errno: unix.EINVAL, Text: text}
}

// want returns the index of the group that a change asks for.
func (a *apply) want(c Change, old entry) (uint32, error) {
	if c.Set == nil {
		return 0, nil
	}
	if g := c.Set.group; g != nil {
		return g.index, nil
	}
	if err := a.broken[c.Set]; err != nil {
		return 0, err
	}
	g, err := a.t.fib.ensure(c.Set, old)
	if err != nil {
		if a.broken == nil {
			a.broken = map[*Set]error{}
		}
		a.broken[c.Set] = err
		return 0, err
	}
	return g.index, nil
}

// flush sends the batch and settles every operation in it.
func (a *apply) flush() {
	b := &a.t.batch
	if len(b.ops) == 0 {
		return
	}
	if err := a.t.fib.req.exchange("fib.routes", &b.enc, b.refuse); err != nil {
		a.t.setUnsure(true)
		for _, o := range b.ops {
			p := a.changes[o.change].Prefix
			a.results[o.change].Err = routeError(o.act.String(), p, a.t.id, err)
		}
		return
	}
	for _, o := range b.ops {
		a.settle(o)
	}
}

// settle books what the kernel said to one operation.
func (a *apply) settle(o op) {
	t, p := a.t, a.changes[o.change].Prefix
	switch {
	case o.refused.errno == 0 && o.act == actRemove, o.refused.errno == unix.ESRCH && o.act == actRemove:
		t.drop(p, o.old)
	case o.refused.errno == 0:
		t.put(p, o.want)
		if len(t.foreign) > 0 {
			delete(t.foreign, p)
		}
	default:
		a.results[o.change].Err = routeError(o.act.String(), p, t.id, o.refused)
		a.diagnose(o, p)
	}
}

// diagnose decides whether a refused operation is worth another try at once.
func (a *apply) diagnose(o op, p netip.Prefix) {
	switch {
	case o.refused.errno == unix.EEXIST && o.act == actAdd:
		a.t.batch.again(o.change, p, causeForeign)
	case o.refused.errno == unix.ENOENT && o.act == actReplace: // deleted by another hand
		a.t.drop(p, o.old)
		a.t.batch.again(o.change, p, causeGone)
	case o.act != actRemove && a.aligned < alignTries && nexthopTrouble(o.refused.errno):
		a.t.batch.again(o.change, p, causeNexthop)
	}
}

// nexthopTrouble says that an error may come from a group the kernel dropped without a word. "Nexthop id does not exist" is EINVAL.
func nexthopTrouble(e unix.Errno) bool {
	return e == unix.EINVAL || e == unix.ENOENT || e == unix.ENODEV || e == unix.ENETDOWN || e == unix.ENETUNREACH
}
