package fib

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Fail takes a next hop out of service, in one message: the kernel moves the traffic of Sets that have other live primaries to
// these, that of Sets without to their backups, and drops the routes of Sets without either, so that less specific ones take over. That costs
// time for routes dropped, and none for routes moved.
//
// It lasts until Restore, also for routes applied later. Only then should the bookkeeping follow by Apply. Fail waits
// for one batch of another goroutine at most. Failing twice is one failure.
func (f *FIB) Fail(nh NextHop) error {
	nh.Gateway = nh.Gateway.WithZone("")
	if err := f.regroupAgain(f.takeDown(nh)); err != nil {
		return fmt.Errorf("fib: fail %s: %w", nh, err)
	}
	return nil
}

func (f *FIB) takeDown(nh NextHop) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	gw := f.obj.gateway(nh)
	gw.failed = true
	groups := living(gw)
	err := f.takeOut(gw)
	if err == nil {
		_, err = f.realign(groups) // those on their backups now may want more of them
	}
	f.collect()
	return err
}

// regroupAgain looks at what the kernel has when a group could not get its members: another of them is gone unnoticed.
func (f *FIB) regroupAgain(err error) error {
	if errors.Is(err, errRegroup) {
		_, err = f.reconcile(context.Background())
	}
	return err
}

// Restore ends a failure: Sets with this next hop use it again, in one message per Set. Routes the kernel dropped
// meanwhile come back by Apply or Audit. For a next hop that will never come back, Restore makes the FIB forget it.
func (f *FIB) Restore(nh NextHop) error {
	nh.Gateway = nh.Gateway.WithZone("")
	if err := f.regroupAgain(f.bringBack(nh.bare())); err != nil {
		return fmt.Errorf("fib: restore %s: %w", nh, err)
	}
	return nil
}

func (f *FIB) bringBack(nh NextHop) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	gw := f.obj.gateways[nh]
	if gw == nil || !gw.failed {
		return nil
	}
	gw.failed = false
	if len(gw.groups) == 0 {
		f.dropGateway(gw)
		return nil
	}
	if err := f.raise(gw); err != nil {
		return err
	}
	_, err := f.realign(living(gw))
	return err
}

// living returns the living groups that name a gateway.
func living(gw *gateway) []*group {
	var out []*group
	for g := range gw.groups {
		if g.alive {
			out = append(out, g)
		}
	}
	return out
}

// regroup is a group and what it shall hold.
type regroup struct {
	g    *group
	want []member
}

// takeOut deletes a gateway's object.
func (f *FIB) takeOut(gw *gateway) error {
	if gw.index == 0 {
		return nil
	}
	if err := f.one(func(e *encoder) { e.deleteNexthop(gw.id()) }); err != nil && !isErrno(err, unix.ENOENT) {
		return err
	}
	f.deleted(gw)
	return nil
}

// deleted follows what the kernel does when a gateway object goes: it leaves its groups, and groups left empty go with their
// routes (net/ipv4/nexthop.c, remove_nexthop_from_groups).
func (f *FIB) deleted(gw *gateway) {
	f.obj.lose(gw)
	for _, g := range living(gw) {
		was := len(g.members)
		g.members = slices.DeleteFunc(slices.Clone(g.members), func(m member) bool { return m.gw == gw })
		if len(g.members) == was {
			continue
		}
		f.touch(g)
		if len(g.members) == 0 {
			f.bury(g)
		}
	}
}

// realign gives each group what its Set desires, where it differs. It returns how many changed.
func (f *FIB) realign(groups []*group) (n int, err error) {
	var moves []regroup
	for _, g := range groups {
		if !g.alive || g.set == nil {
			continue
		}
		if want, _ := f.desired(g.set, g.buckets); len(want) > 0 && !sameMembers(want, g.members) {
			moves = append(moves, regroup{g, want})
		}
	}
	return f.replaceGroups(moves)
}

// errRegroup says that a group could not get its new members: most likely the kernel dropped one.
var errRegroup = errors.New("replace nexthop group")

// replaceGroups changes the members of groups, many in a batch. A group the kernel does not have any more is buried.
func (f *FIB) replaceGroups(moves []regroup) (n int, err error) {
	for batch := range slices.Chunk(moves, batchMessages) {
		e := &f.obj.enc
		f.req.begin(e)
		for _, m := range batch {
			e.group(f.cfg.Protocol, m.g.id(), m.g.buckets, m.want, true)
		}
		refused := make(map[int]answer)
		if errBatch := f.req.exchange("fib.groups", e, func(i int, a answer) { refused[i] = a }); errBatch != nil {
			return n, errBatch
		}
		for i, m := range batch {
			a, bad := refused[i]
			switch {
			case !bad:
				m.g.members = m.want
				f.touch(m.g)
				n++
			case a.errno == unix.ENOENT:
				f.bury(m.g)
			default:
				err = fmt.Errorf("%w %d: %w", errRegroup, m.g.id(), a)
			}
		}
	}
	return n, err
}
