package fib

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Cleanup removes every route of our protocol, at any metric and in every table, and every nexthop object of our protocol, and nothing
// else. It returns how many routes and objects went. Objects that foreign routes or groups use stay, since the kernel would delete those
// along, and are an error. No other method may run meanwhile, and no Table may be used afterwards.
func (f *FIB) Cleanup(ctx context.Context) (n int, err error) {
	var foreign map[uint32]bool
	var ours []kernelRoute
	restart := func() { foreign, ours = map[uint32]bool{}, nil }
	err = f.everyRoute(ctx, restart, func(k kernelRoute) {
		switch {
		case k.protocol == f.cfg.Protocol:
			ours = append(ours, k)
		case k.nhid != 0:
			foreign[k.nhid] = true
		}
	})
	if err != nil {
		return 0, err
	}
	found, err := f.readObjects()
	if err != nil {
		return 0, fmt.Errorf("fib: read nexthop objects: %w", err)
	}
	f.lockBulk()
	defer f.unlockBulk()
	routes, errRoutes := f.deleteRoutes(ctx, ours)
	objects, errObjects := f.deleteObjects(found, foreign)
	return routes + objects, errors.Join(errRoutes, errObjects)
}

// deleteRoutes removes routes one by one, in batches.
func (f *FIB) deleteRoutes(ctx context.Context, routes []kernelRoute) (n int, err error) {
	var e encoder
	var first error
	flush := func() error {
		n += e.count
		return f.req.exchange("fib.cleanup", &e, func(_ int, a answer) {
			if a.errno != unix.ESRCH && first == nil {
				first = a
			}
			n--
		})
	}
	f.req.begin(&e)
	for _, k := range routes {
		if err := done(ctx); err != nil {
			return n, err
		}
		c := f.cfg
		c.Metric = k.metric
		e.route(unix.RTM_DELROUTE, 0, &c, k.table, k.prefix, 0)
		if e.full() {
			if err := flush(); err != nil {
				return n, fmt.Errorf("fib: cleanup: %w", err)
			}
			f.req.begin(&e)
		}
	}
	if err := flush(); err != nil {
		return n, fmt.Errorf("fib: cleanup: %w", err)
	}
	if first != nil {
		return n, fmt.Errorf("fib: cleanup: %w", first)
	}
	return n, nil
}

// deleteObjects removes groups, then gateways, except those others use.
func (f *FIB) deleteObjects(found map[uint32]kernelNexthop, foreign map[uint32]bool) (n int, err error) {
	for _, k := range found {
		if k.protocol != f.cfg.Protocol || foreign[k.id] {
			for _, id := range k.members {
				foreign[id] = true
			}
		}
	}
	var errs []error
	for _, groups := range []bool{true, false} {
		for id, k := range found {
			if k.protocol != f.cfg.Protocol || (k.members != nil) != groups {
				continue
			}
			if foreign[id] {
				errs = append(errs, fmt.Errorf("fib: cleanup: nexthop %d stays: routes or groups of others use it", id))
				continue
			}
			switch err := f.one(func(e *encoder) { e.deleteNexthop(id) }); {
			case err == nil:
				n++
			case !isErrno(err, unix.ENOENT):
				errs = append(errs, fmt.Errorf("fib: cleanup: nexthop %d: %w", id, err))
			}
		}
	}
	return n, errors.Join(errs...)
}
