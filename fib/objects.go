package fib

import (
	"errors"
	"fmt"
	"slices"
	"weak"

	"golang.org/x/sys/unix"
)

// baseID is where our nexthop ids begin; index n of ours is id baseID+n.
const baseID = 0x56000000

// gateway is one nexthop object, or the wish for one.
type gateway struct {
	nh      NextHop
	index   uint32 // 0: not in the kernel
	failed  bool   // by Fail, until Restore
	adopted bool   // made by a predecessor; others' routes may hang on it
	touched uint64 // objects.clock at the last change by us
	groups  map[*group]struct{}
}

func (g *gateway) id() uint32 { return baseID + g.index }

// group is one nexthop group. When the kernel drops it, its routes are gone too: it is then dead, keeps its index as long
// as a table remembers such routes, and never lives again, so that whoever meets an entry knows.
//
//	made or adopted --> alive --(emptied, flushed, deleted)--> dead --(no entries)--> forgotten
type group struct {
	index   uint32
	alive   bool
	adopted bool
	odd     bool       // altered or never made by us: unfit for any Set
	set     *Set       // whose routes it carries; nil: adopted, and not claimed yet
	shape   *Set       // of an unclaimed group: what it does, for display
	buckets uint16     // of its table; 0: plain multipath. It cannot change
	members []member   // as in the kernel
	names   []*gateway // all gateways that name it in their groups: members, primaries, backups
	refs    []ref
	touched uint64
}

// ref counts the entries of one table that name a group. Nearly always there is one.
type ref struct {
	table *Table
	n     int
}

func (g *group) id() uint32 { return baseID + g.index }

func (g *group) add(t *Table, n int) {
	for i := range g.refs {
		if g.refs[i].table == t {
			if g.refs[i].n += n; g.refs[i].n == 0 {
				g.refs = slices.Delete(g.refs, i, i+1)
			}
			return
		}
	}
	g.refs = append(g.refs, ref{t, n})
}

// objects is the register of nexthop objects, guarded by FIB.mu.
type objects struct {
	sets
	gateways map[NextHop]*gateway
	groups   map[uint32]*group   // by index, dead ones too
	indexes  map[uint32]*gateway // of gateways in the kernel
	next     uint32
	clock    uint64 // counts changes, see touched
	idle     []*group
	enc      encoder
	readers  int             // how many goroutines read the kernel's objects just now
	gone     map[uint32]bool // indexes of what was deleted since the first of them began, see readAndLock
}

func newObjects() objects {
	return objects{
		sets:     sets{byKey: map[string]weak.Pointer[Set]{}, prune: 64},
		gateways: map[NextHop]*gateway{}, groups: map[uint32]*group{}, indexes: map[uint32]*gateway{},
		gone: map[uint32]bool{},
	}
}

func (o *objects) living() (gateways, groups int) {
	for _, g := range o.groups {
		if g.alive {
			groups++
		}
	}
	return len(o.indexes), groups
}

// freeIndex returns the next index no object of ours uses.
func (o *objects) freeIndex() uint32 {
	for {
		o.next++
		if o.next > indexMask {
			o.next = 1
		}
		if o.groups[o.next] == nil && o.indexes[o.next] == nil {
			return o.next
		}
	}
}

func (o *objects) gateway(nh NextHop) *gateway {
	nh = nh.bare()
	g := o.gateways[nh]
	if g == nil {
		g = &gateway{nh: nh, groups: map[*group]struct{}{}}
		o.gateways[nh] = g
	}
	return g
}

// link makes g known to every gateway it names.
func (o *objects) link(g *group) {
	o.unlink(g)
	g.names = g.names[:0]
	for _, m := range g.members {
		g.names = append(g.names, m.gw)
	}
	if g.set != nil {
		for _, nh := range slices.Concat(g.set.primary, g.set.backup) {
			g.names = append(g.names, o.gateway(nh))
		}
	}
	for _, gw := range g.names {
		gw.groups[g] = struct{}{}
	}
}

func (o *objects) unlink(g *group) {
	for _, gw := range g.names {
		delete(gw.groups, g)
	}
	g.names = g.names[:0]
}

// bury marks a group that the kernel no longer has; its routes went with it.
func (f *FIB) bury(g *group) {
	if !g.alive {
		return
	}
	g.alive = false
	if g.set != nil && g.set.group == g {
		g.set.group = nil
	}
	for _, r := range g.refs {
		r.table.lost.Add(int64(r.n))
		f.count.dropped.Add(uint64(r.n))
	}
	if len(g.refs) == 0 {
		f.obj.idle = append(f.obj.idle, g)
	}
}

// lose marks a gateway that the kernel no longer has.
func (o *objects) lose(gw *gateway) {
	o.goes(gw.index)
	delete(o.indexes, gw.index)
	gw.index, gw.adopted = 0, false
	o.forgetGateway(gw)
}

// forgetGateway drops the record of a gateway that neither the kernel, nor a group, nor Fail needs.
func (o *objects) forgetGateway(gw *gateway) {
	if gw.index == 0 && !gw.failed && len(gw.groups) == 0 && o.gateways[gw.nh] == gw {
		delete(o.gateways, gw.nh)
	}
}

// one sends the single message that build encodes.
func (f *FIB) one(build func(*encoder)) error {
	f.req.begin(&f.obj.enc)
	build(&f.obj.enc)
	var refusal error
	err := f.req.exchange("fib.nexthop", &f.obj.enc, func(_ int, a answer) { refusal = a })
	if err != nil {
		f.strays.Store(true)
		return err
	}
	return refusal
}

// create sends a message that makes an object, with one id after the other until one is free: other programs may use our range.
func (f *FIB) create(build func(e *encoder, id uint32)) (index uint32, err error) {
	for range 1000 {
		index = f.obj.freeIndex()
		err = f.one(func(e *encoder) { build(e, baseID+index) })
		if !isErrno(err, unix.EEXIST) {
			delete(f.obj.gone, index)
			return index, err
		}
		f.cfg.Log.Debug("nexthop id is taken by another program", "id", baseID+index)
	}
	return 0, err
}

func isErrno(err error, errno unix.Errno) bool {
	a, ok := errors.AsType[answer](err)
	return ok && a.errno == errno
}

// raise puts a gateway object into the kernel.
func (f *FIB) raise(gw *gateway) error {
	if gw.index != 0 {
		return nil
	}
	index, err := f.create(func(e *encoder, id uint32) { e.gateway(f.cfg.Protocol, id, gw.nh) })
	if err != nil {
		return &hopError{gw.nh, err}
	}
	gw.index = index
	f.touchGateway(gw)
	f.obj.indexes[index] = gw
	return nil
}

func (f *FIB) touchGateway(gw *gateway) {
	f.obj.clock++
	gw.touched = f.obj.clock
}

func (f *FIB) touch(g *group) {
	f.obj.clock++
	g.touched = f.obj.clock
}

// errFailed is made once: Fail comes by here with the lock held.
var errFailed = fmt.Errorf("failed, and not restored: %w", unix.EHOSTUNREACH)

// raiseAll tries to have each gateway in the kernel, and returns those that are and the last reason why one is not.
func (f *FIB) raiseAll(nhs []NextHop) (live []*gateway, why error) {
	for _, nh := range nhs {
		gw := f.obj.gateway(nh)
		if gw.failed {
			why = &hopError{nh, errFailed}
			continue
		}
		if err := f.raise(gw); err != nil {
			why = err
			continue
		}
		live = append(live, gw)
	}
	return live, why
}

// errMember says that a group could not be made though its gateways are believed to be in the kernel.
var errMember = errors.New("nexthop group")

// ensure returns the Set's living group. If there is none it claims an adopted one that does the same, so that the routes on it need
// not be written again, best the one that the route at hand carries; else it makes one.
func (f *FIB) ensure(s *Set, held entry) (*group, error) {
	if s.group != nil {
		return s.group, nil
	}
	members, why := f.desired(s, s.buckets())
	if len(members) == 0 {
		f.dropGateways(s)
		return nil, why
	}
	if g := f.unclaimed(s, slices.Clone(members), held); g != nil {
		g.set, g.shape, s.group = s, nil, g
		f.obj.link(g)
		return g, nil
	}
	index, err := f.create(func(e *encoder, id uint32) { e.group(f.cfg.Protocol, id, s.buckets(), members, false) })
	if err != nil {
		f.dropGateways(s)
		return nil, fmt.Errorf("%w: %w", errMember, err)
	}
	g := &group{index: index, alive: true, set: s, buckets: s.buckets(), members: members}
	s.group = g
	f.obj.groups[index] = g
	f.obj.link(g)
	f.touch(g)
	f.obj.idle = append(f.obj.idle, g) // until a route hangs on it
	return g, nil
}

// unclaimed returns an adopted group with exactly these members, which it weighs anew, that no Set has yet: the held route's own, else the largest.
func (f *FIB) unclaimed(s *Set, members []member, held entry) (best *group) {
	for g := range members[0].gw.groups {
		if !g.alive || g.odd || g.set != nil || !s.fits(g.buckets) {
			continue
		}
		if s.weigh(members, g.buckets); !sameMembers(members, g.members) {
			continue
		}
		if g.index == held.index() {
			return g
		}
		if best == nil || g.routes() > best.routes() || g.routes() == best.routes() && g.index < best.index {
			best = g
		}
	}
	return best
}

func (g *group) routes() (n int) {
	for _, r := range g.refs {
		n += r.n
	}
	return n
}

func sameMembers(a, b []member) bool {
	if len(a) != len(b) {
		return false
	}
	for _, m := range a {
		if !slices.Contains(b, m) {
			return false
		}
	}
	return true
}

// deref counts entries of t that no longer name the group with this index.
func (f *FIB) deref(t *Table, e entry) {
	g := f.obj.groups[e.index()]
	if g == nil {
		return
	}
	g.add(t, -1)
	if !g.alive {
		t.lost.Add(-1)
	}
	if len(g.refs) == 0 {
		f.obj.idle = append(f.obj.idle, g)
	}
}

// collect deletes the objects that no route needs any more. Adopted ones stay until [FIB.Collect] has looked into all tables, and has to look again if it
// has already. As long as a table is unsure all stay: the kernel may have taken routes that we do not know of, and would delete them along.
func (f *FIB) collect() {
	for len(f.obj.idle) > 0 && f.unsure == 0 {
		g := f.obj.idle[len(f.obj.idle)-1]
		f.obj.idle = f.obj.idle[:len(f.obj.idle)-1]
		switch {
		case len(g.refs) > 0 || f.obj.groups[g.index] != g:
		case g.alive && g.adopted:
			f.strays.Store(true)
		default:
			f.dissolve(g)
		}
	}
}

// dissolve deletes a group without routes, and its gateways if they serve no other.
func (f *FIB) dissolve(g *group) {
	names := slices.Clone(g.names)
	if g.alive {
		if err := f.one(func(e *encoder) { e.deleteNexthop(g.id()) }); err != nil && !isErrno(err, unix.ENOENT) {
			f.cfg.Log.Warn("nexthop group cannot be deleted", "id", g.id(), "err", err)
		}
		if g.set != nil && g.set.group == g {
			g.set.group = nil
		}
		g.alive = false
	}
	f.obj.unlink(g)
	f.obj.goes(g.index)
	delete(f.obj.groups, g.index)
	for _, gw := range names {
		f.dropGateway(gw)
	}
}

func (f *FIB) dropGateways(s *Set) {
	for _, nh := range slices.Concat(s.primary, s.backup) {
		if gw := f.obj.gateways[nh.bare()]; gw != nil {
			f.dropGateway(gw)
		}
	}
}

// dropGateway deletes a gateway object that no group names.
func (f *FIB) dropGateway(gw *gateway) {
	if len(gw.groups) > 0 || gw.adopted {
		return
	}
	if gw.index != 0 {
		if err := f.one(func(e *encoder) { e.deleteNexthop(gw.id()) }); err != nil && !isErrno(err, unix.ENOENT) {
			f.cfg.Log.Warn("nexthop object cannot be deleted", "id", gw.id(), "err", err)
		}
		f.obj.lose(gw)
		return
	}
	f.obj.forgetGateway(gw)
}
