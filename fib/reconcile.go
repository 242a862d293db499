package fib

import (
	"context"
	"fmt"
	"slices"
)

// readObjects dumps all nexthop objects, by id. No lock is needed.
func (f *FIB) readObjects() (map[uint32]kernelNexthop, error) {
	var found map[uint32]kernelNexthop
	err := f.dumps.with(func(r *requester) error {
		var e encoder
		for range dumpTries {
			found = map[uint32]kernelNexthop{}
			r.begin(&e)
			e.dumpNexthops()
			again, err := r.dump(&e, func(m message) {
				if n, ok := parseNexthop(m.body); ok {
					found[n.id] = n
				}
			})
			if !again || err != nil {
				return err
			}
		}
		return nil // changing all the time: what was touched meanwhile is judged next time
	})
	return found, err
}

// dumpTries is how often a dump is repeated that the kernel calls inconsistent.
const dumpTries = 4

// readAndLock reads the nexthop objects and locks mu, also when it fails; before is what objects.clock was when it began. What others of us deleted meanwhile
// it leaves out, since it may have been read before and is not to be taken for a predecessor's.
func (f *FIB) readAndLock() (found map[uint32]kernelNexthop, before uint64, err error) {
	o := &f.obj
	f.mu.Lock()
	before = o.clock
	o.readers++
	f.mu.Unlock()
	found, err = f.readObjects()
	f.mu.Lock()
	for index := range o.gone {
		delete(found, baseID+index)
	}
	if o.readers--; o.readers == 0 {
		clear(o.gone)
	}
	return found, before, err
}

// goes notes for those who are reading that an object of ours is deleted.
func (o *objects) goes(index uint32) {
	if o.readers > 0 {
		o.gone[index] = true
	}
}

// adoptObjects registers what a predecessor left.
func (f *FIB) adoptObjects() error {
	found, err := f.readObjects()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.register(found)
	return nil
}

// mine says whether a nexthop object is one we could have made.
func (f *FIB) mine(n kernelNexthop) bool {
	return n.protocol == f.cfg.Protocol && n.id > baseID && n.id <= baseID+indexMask
}

// register adds objects of ours that are not known yet: gateways first, since groups name them.
func (f *FIB) register(found map[uint32]kernelNexthop) {
	for id, n := range found {
		index := id - baseID
		if !f.mine(n) || n.members != nil || n.odd || f.obj.indexes[index] != nil {
			continue
		}
		gw := f.obj.gateway(n.nh)
		if gw.index == 0 {
			gw.index, gw.adopted = index, true
			f.obj.indexes[index] = gw
		}
	}
	for id, n := range found {
		index := id - baseID
		if f.mine(n) && n.members != nil && f.obj.groups[index] == nil {
			f.registerGroup(index, n)
		}
	}
}

func (f *FIB) registerGroup(index uint32, n kernelNexthop) {
	g := &group{index: index, alive: true, adopted: true}
	f.obj.groups[index] = g
	f.view(g, n)
	if !g.odd {
		g.shape = f.obj.intern(hops(g.members, false), hops(g.members, true))
	}
	f.obj.link(g)
}

// hops returns the next hops of the members that are on standby, or those that are not, with their weights.
func hops(members []member, standby bool) (nhs []NextHop) {
	for _, m := range members {
		if m.standby == standby {
			nh := m.gw.nh
			nh.Weight = uint16(m.weight) + 1
			nhs = append(nhs, nh)
		}
	}
	slices.SortFunc(nhs, compareNextHops)
	reduce(nhs)
	return nhs
}

// view copies a group's members from the kernel.
func (f *FIB) view(g *group, n kernelNexthop) {
	g.members, g.odd, g.buckets = nil, n.odd, n.buckets
	for i, id := range n.members {
		m := member{gw: f.obj.indexes[id-baseID], standby: n.buckets > 0 && n.weights[i] == standbyWeight, weight: n.weights[i]}
		if m.gw == nil || id <= baseID {
			g.odd = true
			continue
		}
		g.members = append(g.members, m)
	}
}

// reconcile compares the register with the kernel's nexthop objects and repairs: objects the kernel flushed are made again, groups get
// the members their Sets desire. Groups that vanished are dead: their routes come back by Apply or Audit. It costs per object, not per route.
func (f *FIB) reconcile(ctx context.Context) (repaired int, err error) {
	if err := done(ctx); err != nil {
		return 0, err
	}
	found, before, err := f.readAndLock()
	defer f.mu.Unlock()
	if err != nil {
		return 0, fmt.Errorf("read nexthop objects: %w", err)
	}
	f.compareGateways(found, before)
	altered := f.compareGroups(found, before)
	f.register(found)
	groups := make([]*group, 0, len(f.obj.groups))
	for _, g := range f.obj.groups {
		groups = append(groups, g)
	}
	n, err := f.realign(groups)
	f.collect()
	return max(n, altered), err
}

// compareGateways finds the gateways the kernel no longer has, or has as something else.
func (f *FIB) compareGateways(found map[uint32]kernelNexthop, before uint64) {
	for _, gw := range f.obj.indexes {
		n, ok := found[gw.id()]
		if gw.touched <= before && (!ok || !f.mine(n) || n.odd || n.members != nil || n.nh != gw.nh) {
			f.obj.lose(gw)
		}
	}
}

// compareGroups does the same for groups, and takes over the members the kernel has. It returns how many differed.
func (f *FIB) compareGroups(found map[uint32]kernelNexthop, before uint64) (n int) {
	for _, g := range f.obj.groups {
		if !g.alive || g.touched > before {
			continue
		}
		k, ok := found[g.id()]
		if !ok || !f.mine(k) || k.members == nil || k.buckets != g.buckets {
			f.bury(g)
			n++
			continue
		}
		was := g.members
		f.view(g, k)
		if g.odd || !sameMembers(was, g.members) {
			n++
		}
		if g.odd && g.set != nil { // hold something again that realign sees as different
			g.odd, g.members = false, nil
		}
	}
	return n
}
