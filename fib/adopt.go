package fib

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Adopt reads the routes of ours that the kernel's table holds already, left by a predecessor, as stale, and returns how many
// there are. Apply of the same route makes it fresh without a message, if its group still does what the Set asks; Sweep removes
// the others.
func (t *Table) Adopt(ctx context.Context) (n int, err error) {
	if err := t.load(ctx); err != nil {
		return 0, err
	}
	for _, e := range t.held.all() {
		if e.stale() {
			n++
		}
	}
	return n, nil
}

// sweepChunk bounds the memory a sweep needs.
const sweepChunk = 8192

// Sweep removes what is still stale and returns how many routes that were.
func (t *Table) Sweep(ctx context.Context) (n int, err error) { return t.remove(ctx, entry.stale) }

// Clear removes all our routes from the kernel's table, known or not, and returns how many.
func (t *Table) Clear(ctx context.Context) (n int, err error) {
	if err := t.load(ctx); err != nil {
		return 0, err
	}
	return t.remove(ctx, func(entry) bool { return true })
}

func (t *Table) remove(ctx context.Context, which func(entry) bool) (n int, err error) {
	var gone []Change
	for p, e := range t.held.all() {
		if which(e) {
			gone = append(gone, Change{Prefix: p})
		}
	}
	var failed []error
	for chunk := range slices.Chunk(gone, sweepChunk) {
		for _, r := range t.Apply(ctx, chunk) {
			if r.Err == nil {
				n++
			} else if len(failed) < 5 {
				failed = append(failed, r.Err)
			}
		}
	}
	if len(failed) > 0 {
		return n, fmt.Errorf("fib: sweep table %d: %w", t.id, errors.Join(failed...))
	}
	return n, nil
}

// Strays says whether there may be nexthop objects for Collect to delete. The kernel was asked for one, or to delete one, since the last Collect, and its answer
// was lost: it may have one that we do not know. Or an adopted one has lost its last route.
func (f *FIB) Strays() bool { return f.strays.Load() }

// Collect deletes the nexthop objects of a predecessor, and strays, that no route in any table uses, and returns how many. It is to be
// called when all tables are swept, and again while there are Strays: deleting an object would take routes along, and only a dump of
// all tables shows who uses it. Until then adopted objects are kept.
func (f *FIB) Collect(ctx context.Context) (n int, err error) {
	had := f.strays.Swap(false) // those from now on are for the next
	defer func() {
		if err != nil && had {
			f.strays.Store(true)
		}
	}()
	uses, err := f.uses(ctx)
	if err != nil {
		return 0, err
	}
	found, _, err := f.readAndLock()
	defer f.mu.Unlock()
	if err != nil {
		return 0, fmt.Errorf("fib: read nexthop objects: %w", err)
	}
	f.register(found)
	before := len(f.obj.indexes) + len(f.obj.groups)
	for _, g := range f.obj.groups {
		if g.adopted && uses[g.id()] == g.routes() {
			g.adopted = false
			f.obj.idle = append(f.obj.idle, g)
		}
	}
	f.collect()
	for _, gw := range f.obj.indexes {
		if gw.adopted && uses[gw.id()] == 0 {
			gw.adopted = false
			f.dropGateway(gw)
		}
	}
	n = before - len(f.obj.indexes) - len(f.obj.groups)
	return n + f.deleteStrays(found, uses), nil
}

// deleteStrays deletes gateway objects of ours that are not registered because another is the same.
func (f *FIB) deleteStrays(found map[uint32]kernelNexthop, uses map[uint32]int) (n int) {
	members := map[uint32]bool{}
	for _, k := range found {
		for _, id := range k.members {
			members[id] = true
		}
	}
	for id, k := range found {
		index := id - baseID
		if !f.mine(k) || k.members != nil || members[id] || uses[id] > 0 || f.obj.indexes[index] != nil || f.obj.groups[index] != nil {
			continue
		}
		if gw := f.obj.gateways[k.nh]; gw == nil || gw.index == 0 {
			continue // registered when found, and deleted just now
		}
		if f.one(func(e *encoder) { e.deleteNexthop(id) }) == nil {
			n++
		}
	}
	return n
}

// uses counts the routes on each nexthop object, in all tables, whoever they belong to.
func (f *FIB) uses(ctx context.Context) (uses map[uint32]int, err error) {
	err = f.everyRoute(ctx, func() { uses = map[uint32]int{} }, func(k kernelRoute) {
		if k.nhid != 0 {
			uses[k.nhid]++
		}
	})
	return uses, err
}

// everyRoute dumps all tables of both families. restart is called before each try.
func (f *FIB) everyRoute(ctx context.Context, restart func(), each func(kernelRoute)) error {
	return f.dumps.with(func(r *requester) error {
		return dumpTables(ctx, r, 0, restart, each)
	})
}
