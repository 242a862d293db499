package vbr

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/openvbr/openvbr/bgp/evpn"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// backbone is the host's door for its EVPN speaker (evpn.Handler): it holds the type-5 routes that carry the route
// target of one of our router interfaces and hands them to the routers attached. Import is by route target only.
type backbone struct {
	host *Host

	mu       sync.Mutex
	speaker  *evpn.Speaker
	wanted   map[evpn.RouteTarget]bool         // of all router interfaces in the intent
	attached map[evpn.RouteTarget][]attachment // of those whose router lives
	paths    map[evpn.Key]*vpcPath
	received map[netip.Addr]int // how many routes are a peer's
	lastID   uint32
	up       map[netip.Addr]bool      // which sessions are
	unsynced map[netip.Addr]bool      // peers that have not said End-of-RIB since we started
	stale    map[netip.Addr]time.Time // restarting peers, and when their stale paths go
	trouble  string                   // why its peers are not set
}

// attachment is a router interface of a living router.
type attachment struct {
	router *router
	side   *vpcSide
}

func newBackbone(h *Host) *backbone {
	return &backbone{
		host: h, wanted: make(map[evpn.RouteTarget]bool), attached: make(map[evpn.RouteTarget][]attachment),
		paths: make(map[evpn.Key]*vpcPath), received: make(map[netip.Addr]int), up: make(map[netip.Addr]bool), unsynced: make(map[netip.Addr]bool), stale: make(map[netip.Addr]time.Time),
	}
}

// attach hands the router all routes of these of its router interfaces, and from now on every change: of those that are shut, presences only.
func (b *backbone) attach(r *router, sides ...*vpcSide) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range sides {
		if v.ri.target.IsValid() {
			b.attached[v.ri.target] = append(b.attached[v.ri.target], attachment{r, v})
			b.repeat(r, v, func(*evpn.Route) bool { return true })
		}
	}
	if len(b.unsynced) == 0 {
		r.backboneSynced()
	}
}

// repeat offers one router interface what there is already, as far as it is wanted; b.mu is held.
func (b *backbone) repeat(r *router, v *vpcSide, wanted func(*evpn.Route) bool) {
	for _, p := range b.paths {
		if route := &p.best.route; wanted(route) && slices.Contains(route.Targets, v.ri.target) {
			r.offer(v, p.id, route, nil)
		}
	}
}

// open has the routes of an attached router interface come in: those that are there, and from now on every change.
func (b *backbone) open(r *router, v *vpcSide) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.mu.Lock()
	v.shut = false
	r.mu.Unlock()
	b.repeat(r, v, func(route *evpn.Route) bool { return !isPresence(route) })
}

// detach hands the router nothing more for these of its router interfaces.
func (b *backbone) detach(r *router, sides ...*vpcSide) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range sides {
		if !v.ri.target.IsValid() {
			continue
		}
		rest := slices.DeleteFunc(b.attached[v.ri.target], func(a attachment) bool { return a.router == r && a.side == v })
		if b.attached[v.ri.target] = rest; len(rest) == 0 {
			delete(b.attached, v.ri.target)
		}
	}
}

// setTrouble notes why its peers could not be set, nil for all is well.
func (b *backbone) setTrouble(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trouble = ""; err != nil {
		b.trouble = "backbone peers not set: " + err.Error()
	}
}

func (b *backbone) troubleNow() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.trouble
}

// want makes the backbone keep the routes of these route targets and no others. What peers said of a new one before is found again.
func (b *backbone) want(targets map[evpn.RouteTarget]bool) {
	b.mu.Lock()
	var fresh []evpn.RouteTarget
	for t := range targets {
		if !b.wanted[t] {
			fresh = append(fresh, t)
		}
	}
	b.wanted = targets
	b.drop(func(o *vpcOffer) bool { return !b.useful(&o.route) })
	speaker := b.speaker
	b.mu.Unlock()
	if speaker != nil && len(fresh) > 0 {
		speaker.Again(fresh)
	}
}

// Update takes in one UPDATE of a backbone peer.
func (b *backbone) Update(u evpn.Update) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range u.Withdrawn {
		b.replace(u.Peer, k, nil)
	}
	for i := range u.Announced {
		b.replace(u.Peer, u.Announced[i].Key, &u.Announced[i])
	}
}

// deliver tells the routers attached to the old or the new route's targets.
func (b *backbone) deliver(id uint32, route, old *evpn.Route) {
	if route != nil {
		for _, t := range route.Targets {
			for _, a := range b.attached[t] {
				if old != nil && slices.Contains(old.Targets, t) {
					a.router.offer(a.side, id, route, old)
				} else {
					a.router.offer(a.side, id, route, nil)
				}
			}
		}
	}
	if old == nil {
		return
	}
	for _, t := range old.Targets {
		as := b.attached[t]
		if len(as) == 0 || route != nil && slices.Contains(route.Targets, t) {
			continue
		}
		for _, a := range as {
			a.router.offer(a.side, id, nil, old)
		}
	}
}

// useful says whether the route is for one of our router interfaces, and not our own come back from a route reflector.
func (b *backbone) useful(route *evpn.Route) bool {
	if route.NextHop == b.host.vtep() {
		return false
	}
	return slices.ContainsFunc(route.Targets, func(t evpn.RouteTarget) bool { return b.wanted[t] })
}

// PeerState takes in that a backbone session came up or went down; see router.sessionMoved for the rules.
func (b *backbone) PeerState(p evpn.PeerState) {
	b.mu.Lock()
	wasUp := b.up[p.Peer]
	b.up[p.Peer] = p.Established
	switch {
	case p.Established:
		if !p.GracefulRestart.Forwarding.Has(p.Families) {
			b.sweep(p.Peer)
		}
	case !wasUp:
	case p.GracefulRestart.Hold:
		b.sweep(p.Peer) // it fell again before it had told all
		b.outdate(p.Peer)
		b.stale[p.Peer] = time.Now().Add(min(p.GracefulRestart.Time, b.host.opts.Timers.Stale))
	default:
		b.drop(func(o *vpcOffer) bool { return o.peer == p.Peer })
		delete(b.stale, p.Peer)
	}
	b.mu.Unlock()
	logSession(b.host.log, "backbone session", wasUp, p)
	noteSession(func(typ vbrv1.Event_Type, subject, text string) { b.host.note(typ, "", "", subject, "backbone: "+text) }, wasUp, p)
}

// EndOfRIB takes in that a backbone peer has told all it has.
func (b *backbone) EndOfRIB(peer netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep(peer)
	if !b.unsynced[peer] {
		return
	}
	delete(b.unsynced, peer)
	if len(b.unsynced) > 0 {
		return
	}
	for _, as := range b.attached {
		for _, a := range as {
			a.router.backboneSynced()
		}
	}
}

// sweep removes a peer's stale paths; b.mu is held.
func (b *backbone) sweep(peer netip.Addr) {
	if _, restarting := b.stale[peer]; !restarting {
		return
	}
	delete(b.stale, peer)
	b.drop(func(o *vpcOffer) bool { return o.peer == peer && o.stale })
}

// expireStale sweeps what restarting peers did not announce again in time.
func (b *backbone) expireStale(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for peer, until := range b.stale {
		if now.After(until) {
			b.host.log.Warn("stale backbone routes swept: the peer did not finish its restart in time", "peer", peer)
			b.sweep(peer)
		}
	}
}

// export tells the backbone what a router's kernel table gained and lost.
func (b *backbone) export(gained []evpn.Route, lost []evpn.Key) error {
	b.mu.Lock()
	speaker := b.speaker
	b.mu.Unlock()
	if speaker == nil {
		return nil
	}
	return errors.Join(unlessEmpty(lost, speaker.Withdraw), unlessEmpty(gained, speaker.Export))
}

// untold says why no gateway is told a route that was exported, see evpn.Speaker.Untold.
func (b *backbone) untold(k evpn.Key) string {
	b.mu.Lock()
	speaker := b.speaker
	b.mu.Unlock()
	if speaker == nil {
		return ""
	}
	return speaker.Untold(k)
}

func unlessEmpty[T any](list []T, do func([]T) error) error {
	if len(list) == 0 {
		return nil
	}
	return do(list)
}
