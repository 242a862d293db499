package vbr

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/openvbr/openvbr/bgp/evpn"
)

// mates is where the two ends of a pair find each other that are both on this host. Its lock is a leaf: no other is taken under it.
type mates struct {
	mu  sync.Mutex
	all map[string]mate // by router interface
}

// mate is one end of a pair, and its router.
type mate struct {
	router   *router
	presence presence
}

func (m *mates) find(ri string) (mate, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x, ok := m.all[ri]
	return x, ok
}

func (m *mates) put(ri string, x mate) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all = make(map[string]mate)
	}
	m.all[ri] = x
}

// drop forgets the router interface, unless another router has it by now.
func (m *mates) drop(ri string, r *router) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all[ri].router == r {
		delete(m.all, ri)
	}
}

// poke has the router of that interface look at its opposite again; no router.mu may be held.
func (m *mates) poke(ri string) {
	if x, ok := m.find(ri); ok {
		x.router.unsettle()
	}
}

// neighbour is the far end of a local pair.
type neighbour struct {
	mates *mates
	ri    string // its router interface
}

// export puts the routes into the neighbour's rib, if its end is open; it asks again when it opens.
func (n neighbour) export(gained []evpn.Route, lost []evpn.Key) error {
	if m, ok := n.mates.find(n.ri); ok {
		m.router.take(n.ri, gained, lost)
	}
	return nil
}

// take takes in routes of the router at the other end of a local pair. That router's actor calls it.
func (r *router) take(ri string, gained []evpn.Route, lost []evpn.Key) {
	r.stir()
	r.mu.Lock()
	v := r.side(ri)
	if v == nil || v.shut {
		r.mu.Unlock()
		return
	}
	r.rib.SetNow(time.Now())
	for _, k := range lost {
		r.rib.Withdraw(v.source, 0, k.Prefix)
	}
	for i := range gained {
		g := gained[i]
		g.NextHop = v.ri.far
		r.rib.Announce(v.source, 0, vpcAttrs(&g), g.Prefix)
	}
	r.mu.Unlock()
	poke(r.wake)
}

// side is the living side of a router interface, nil for none; r.mu is held.
func (r *router) side(ri string) *vpcSide {
	i := slices.IndexFunc(r.vpc, func(v *vpcSide) bool { return v.ri.name == ri })
	if i < 0 {
		return nil
	}
	return r.vpc[i]
}

// askedAgain takes in that the far end of a local pair wants to be told all again.
func (r *router) askedAgain(ri string) {
	r.mu.Lock()
	if x := r.interfaces[ri]; x != nil { // without one it has told nothing yet, and will when it opens
		x.again, x.ended, r.unsettled = true, false, true
	}
	r.mu.Unlock()
	poke(r.wake)
}

// heardOut takes in that the router at the other end of a local pair has told all it has, and returns whether it was heard.
func (r *router) heardOut(ri string) bool {
	r.mu.Lock()
	v := r.side(ri)
	if v == nil || v.shut {
		r.mu.Unlock()
		return false
	}
	fresh := !v.synced
	v.synced = true
	r.mu.Unlock()
	if fresh {
		poke(r.wake)
	}
	return true
}

// endTelling tells the routers at the other ends of local pairs that they have been told all, once this one has heard its customer out and passed it on.
func (r *router) endTelling() {
	var ends []riSpec
	r.mu.Lock()
	for i := range r.vpc {
		ri := &r.vpc[i].ri
		if x := r.record(ri.name); ri.local() && x.told && !x.ended && r.caught {
			ends = append(ends, *ri)
		}
	}
	r.mu.Unlock()
	for _, ri := range ends {
		m, ok := r.host.mates.find(ri.opposite)
		if !ok || !m.router.heardOut(ri.opposite) {
			continue
		}
		r.mu.Lock()
		r.record(ri.name).ended = true
		r.mu.Unlock()
	}
}

// vtep is this host's address on the backbone; zero if there is none.
func (h *Host) vtep() netip.Addr {
	if h.opts.Backbone == nil {
		return netip.Addr{}
	}
	return h.opts.Backbone.VTEP
}
