package fib

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// scan dumps this table, both families, and calls each for every route at our metric. It holds no lock. restart is called
// when the kernel says that a dump was inconsistent, before it is taken again.
func (t *Table) scan(ctx context.Context, restart func(), each func(kernelRoute)) error {
	return t.fib.dumps.with(func(r *requester) error {
		return dumpTables(ctx, r, t.id, restart, func(k kernelRoute) {
			if k.table == t.id && k.metric == t.fib.cfg.Metric && k.tos == 0 {
				each(k)
			}
		})
	})
}

// dumpTables dumps one table, or with 0 all, in both families.
func dumpTables(ctx context.Context, r *requester, table uint32, restart func(), each func(kernelRoute)) error {
	for range dumpTries {
		restart()
		again := false
		for _, fam := range []byte{unix.AF_INET, unix.AF_INET6} {
			if err := done(ctx); err != nil {
				return err
			}
			interrupted, err := dumpTable(r, fam, 0, table, each)
			if err != nil {
				return fmt.Errorf("fib: dump routes of table %d: %w", table, err)
			}
			again = again || interrupted
		}
		if !again {
			return nil
		}
	}
	return nil // inconsistent to the last: the best there is
}

func dumpTable(r *requester, fam, protocol byte, table uint32, each func(kernelRoute)) (interrupted bool, err error) {
	var e encoder
	r.begin(&e)
	e.dumpRoutes(fam, protocol, table)
	return r.dump(&e, func(m message) {
		if k, ok := parseRoute(m.body); ok && !k.cloned {
			each(k)
		}
	})
}

// load takes over what the kernel holds of ours: unknown routes as stale, known ones with the group they really have. It
// leaves alone what is remembered and not there: that is Audit's.
func (t *Table) load(ctx context.Context) error {
	clear(t.foreign)
	err := t.scan(ctx, func() {}, func(k kernelRoute) {
		if k.protocol != t.fib.cfg.Protocol {
			t.foreign[k.prefix] = k.protocol
			return
		}
		t.fib.mu.Lock()
		defer t.fib.mu.Unlock()
		e, known := t.held.get(k.prefix)
		index := t.indexOf(k)
		switch {
		case !known:
			t.put(k.prefix, entry(index)|staleFlag)
		case e.index() != index:
			t.put(k.prefix, entry(index)|e&staleFlag)
		}
	})
	if err == nil {
		t.fib.mu.Lock()
		t.setUnsure(false)
		t.fib.mu.Unlock()
	}
	return err
}

// indexOf returns the index of the group a kernel route hangs on, 0 if that is not a living one of ours. It needs FIB.mu.
func (t *Table) indexOf(k kernelRoute) uint32 {
	if index := k.nhid - baseID; k.nhid > baseID && index <= indexMask {
		if g := t.fib.obj.groups[index]; g != nil && g.alive {
			return index
		}
	}
	return 0
}
