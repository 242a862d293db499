package vbr

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/fib"
	"github.com/openvbr/openvbr/vbr/link"
	"github.com/openvbr/openvbr/vbr/rib"
)

// begin starts a life: it reads what the kernel holds of ours and registers the sources of paths. What the kernel
// holds becomes a source of its own, which loses to every living one and is swept when all neighbours have said what they have.
func (r *router) begin(ctx context.Context, state link.State) error {
	if _, err := r.fib.Adopt(ctx); err != nil {
		return fmt.Errorf("adopt the routes of table %d: %w", r.spec.link.Table, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rib.SetNow(time.Now())
	r.forgetSources()
	held := r.adoptRoutes(state)
	r.arrange(r.spec, state)
	r.vpcDone = !r.spec.onBackbone()
	r.swept, r.caught = false, false
	r.sweepAt = time.Now().Add(r.host.opts.Timers.Stale)
	if held > 0 {
		r.log.Info("adopted the routes that the kernel held", "routes", held, "table", r.spec.link.Table)
	}
	return nil
}

// forgetSources drops all sources of an earlier life. What the neighbours were told stays known to the rib.
func (r *router) forgetSources() {
	for _, id := range r.adopted {
		r.rib.RemoveSource(id)
	}
	for _, s := range r.sessions {
		r.restore(s)
		r.rib.RemoveSource(s.source)
	}
	for _, v := range r.vpc {
		r.unpin(v)
		r.rib.RemoveSource(v.source)
	}
	for _, id := range slices.Concat(r.lines, r.system) {
		r.rib.RemoveSource(id)
	}
	for _, x := range r.statics {
		r.rib.RemoveSource(x.source)
	}
	r.vpc, r.lines, r.system, r.owed = nil, nil, nil, false
	r.statics = make(map[string]*statics)
	r.adopted, r.sessions = make(map[int]rib.SourceID), make(map[netip.Addr]*session, len(r.spec.peers))
}

// deviceKinds are the router's own interface indexes and the kind of source behind each.
func deviceKinds(state link.State) map[int]rib.Kind {
	kinds := make(map[int]rib.Kind)
	for _, l := range state.Lines {
		kinds[l.Index] = rib.BGP
	}
	for _, s := range state.Switches {
		kinds[s.Index] = rib.Static
	}
	for _, t := range slices.Concat(state.Tunnels, state.Pairs) {
		kinds[t.Index] = rib.RouterInterface
	}
	delete(kinds, 0)
	return kinds
}

// adoptRoutes puts the kernel's routes into the rib, one source a device, and returns how many prefixes; held are their families. Routes over devices that
// are not the router's stay out: they are swept.
func (r *router) adoptRoutes(state link.State) int {
	n, kinds := 0, deviceKinds(state)
	r.held = 0
	for route := range r.fib.All() {
		if route.Set != nil && r.adoptRoute(state, kinds, route) {
			n++
			r.held |= familyOf(route.Prefix)
		}
	}
	return n
}

// backupPref is the LOCAL_PREF of what the kernel holds as a backup: less than that of the primaries, so that the rib's choice is the kernel's.
const backupPref = 1

// adoptRoute puts one of the kernel's routes into the rib as it is, with its backups, and says whether it leads over a device of the router. What is
// on its backups, as the primaries are lost, has these as primaries. A backup of a kind that would win over the primaries stays out.
func (r *router) adoptRoute(state link.State, kinds map[int]rib.Kind, route fib.Route) (known bool) {
	primary, backup := route.Set.Primary(), route.Set.Backup()
	if len(primary) == 0 {
		primary, backup = backup, nil
	}
	var worst rib.Kind
	for i, nh := range primary {
		if kind := kinds[nh.Device]; kind != 0 {
			id := r.adoptedOn(state, kind, nh.Device)
			r.rib.Announce(id, uint32(i), &rib.Attrs{NextHop: nh.Gateway, Weight: nh.Weight}, route.Prefix)
			known, worst = true, max(worst, kind)
		}
	}
	for i, nh := range backup {
		if kind := kinds[nh.Device]; kind != 0 && kind >= worst {
			id := r.adoptedOn(state, kind, nh.Device)
			attrs := rib.Attrs{NextHop: nh.Gateway, LocalPref: backupPref, HasLocalPref: true}
			r.rib.Announce(id, uint32(len(primary)+i), &attrs, route.Prefix)
			known = true
		}
	}
	return known
}

// adoptedOn is the source of what a predecessor left on a device of the router.
func (r *router) adoptedOn(state link.State, kind rib.Kind, device int) rib.SourceID {
	id, ok := r.adopted[device]
	if !ok {
		id = r.rib.AddSource(adoptedSource(kind, device, r.spec.interfaceOn(state, device)))
		r.adopted[device] = id
		r.owed = r.owed || kind == rib.BGP
	}
	return id
}

// familyOf is the family of a prefix.
func familyOf(p netip.Prefix) bgp.Families {
	if p.Addr().Is6() {
		return bgp.IPv6
	}
	return bgp.IPv4
}

// adoptedSource is what a predecessor left on a device: a line's, or with ri a router interface's.
func adoptedSource(kind rib.Kind, device int, ri *riSpec) rib.Source {
	s := rib.Source{Kind: kind, Name: fmt.Sprintf("adopted-%d", device), Adopted: true, Device: device, OnLink: kind == rib.RouterInterface}
	if ri != nil {
		s.Interface, s.Transit = ri.name, ri.transit
	}
	return s
}

// interfaceOn is the router interface on a device, nil if there is none.
func (s *spec) interfaceOn(state link.State, device int) *riSpec {
	for i := range s.ris {
		if s.riDevice(i, state).Index == device {
			return &s.ris[i]
		}
	}
	return nil
}

// sweepIfDue removes what was adopted and not announced again, once all neighbours have said End-of-RIB or the stale timer has run out.
func (r *router) sweepIfDue(ctx context.Context, speaker speaker) {
	r.mu.Lock()
	due, late := r.allSynced(), time.Now().After(r.sweepAt)
	if r.swept || !due && !late {
		r.mu.Unlock()
		return
	}
	r.swept, r.unsettled = true, true // what rested on the predecessor's word has to stand by itself now
	left := 0
	for _, id := range r.adopted {
		left += r.rib.Counts(id).Received
		r.rib.RemoveSource(id)
	}
	clear(r.adopted)
	r.mu.Unlock()
	r.flush(ctx, speaker)
	n, err := r.fib.Sweep(ctx)
	r.degrade("sweep", err)
	r.saySwept.Do(func() { r.host.swept(ctx) })
	if left+n == 0 {
		return
	}
	reason := "every neighbour has said End-of-RIB"
	if !due {
		reason = "the stale timer ran out"
	}
	r.log.Info("restart complete: adopted routes that nobody announced are gone", "reason", reason, "was_adopted", left, "swept", n)
}

// allSynced says whether every neighbour has said all it has; r.mu is held.
func (r *router) allSynced() bool {
	return r.vpcDone && !r.unsettled && r.customerSynced() && !slices.ContainsFunc(r.vpc, func(v *vpcSide) bool { return v.ri.local() && !v.shut && !v.synced })
}

// customerSynced says whether every peer of the customer has said all it has; r.mu is held.
func (r *router) customerSynced() bool {
	for _, s := range r.sessions {
		if !s.synced || s.watch.held(time.Now()) { // BFD follows within seconds
			return false
		}
	}
	return true
}

// hasExported says whether what the router adopted has been announced, or it has nothing to announce: it could not begin, and the kernel
// holds no route of it.
func (r *router) hasExported() bool { return r.isReady() || isClosed(r.tried) && r.fib.Len() == 0 }

// noteCaught notes when, for the first time in this life, every peer has said all it has and the neighbours have been told of it: nothing waits in the
// rib. The actor calls it when it has told what there was.
func (r *router) noteCaught() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.caught = r.caught || r.customerSynced() && r.rib.Waiting() == 0
}

// caughtUp says whether the VPC has been told all that the customer has said since the restart, or there is nothing of the customer's to wait for: one
// whose line was down before keeps nobody waiting, nor does one that is away when all that was adopted has been said by others.
func (r *router) caughtUp() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.owed || len(r.adopted) == 0 || r.caught || r.isReady() && r.rib.ToldAdopted() == 0
}
