package vbr

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/openvbr/openvbr/bgp/evpn"
	"github.com/openvbr/openvbr/vbr/rib"
)

// vpcPath is one type-5 route, however many of the backbone's peers tell of it: with two route reflectors the routes of one gateway come in twice, and
// are one path to it. As RFC 4271 9.1.2.2 has it, what is used of a route distinguisher and prefix is one peer's word.
type vpcPath struct {
	id     uint32
	offers []*vpcOffer // one a peer, in the order of their coming
	best   *vpcOffer   // the one in use
}

// vpcOffer is what one peer says of it. Only stale is ever changed.
type vpcOffer struct {
	peer  netip.Addr
	route evpn.Route
	stale bool // the peer is restarting
}

// compare is negative when o is to be used rather than x: what a peer says that is there, and then RFC 4271 9.1.2.2 a to c.
func (o *vpcOffer) compare(x *vpcOffer) int {
	return cmp.Or(
		o.age()-x.age(), cmp.Compare(x.localPref(), o.localPref()), cmp.Compare(len(o.route.ASPath), len(x.route.ASPath)),
		cmp.Compare(o.route.Origin, x.route.Origin), cmp.Compare(o.route.MED, x.route.MED))
}

// age is 1 for what a peer said before its restart, else 0.
func (o *vpcOffer) age() int {
	if o.stale {
		return 1
	}
	return 0
}

func (o *vpcOffer) localPref() uint32 {
	if o.route.HasLocalPref {
		return o.route.LocalPref
	}
	return rib.DefaultLocalPref
}

// choose makes the best offer the one in use. Of equal ones the used one stays (RFC 5004), and else the oldest is used.
func (p *vpcPath) choose() {
	if !slices.Contains(p.offers, p.best) {
		p.best = nil
	}
	for _, o := range p.offers {
		if p.best == nil || o.compare(p.best) < 0 {
			p.best = o
		}
	}
}

// replace puts route, nil for none, in the place of what the peer offered under this key; b.mu is held.
func (b *backbone) replace(peer netip.Addr, k evpn.Key, route *evpn.Route) {
	if route != nil && !b.useful(route) {
		route = nil
	}
	p := b.paths[k]
	if p == nil && route == nil {
		return
	}
	if p == nil {
		b.lastID++
		p = &vpcPath{id: b.lastID}
		b.paths[k] = p
	}
	used := p.best
	i := slices.IndexFunc(p.offers, func(o *vpcOffer) bool { return o.peer == peer })
	switch {
	case route == nil && i < 0:
		return
	case route == nil:
		p.offers = slices.Delete(p.offers, i, i+1)
		b.received[peer]--
	case i < 0:
		p.offers = append(p.offers, &vpcOffer{peer: peer, route: *route})
		b.received[peer]++
	default:
		o := &vpcOffer{peer: peer, route: *route}
		if p.offers[i] == used {
			p.best = o
		}
		p.offers[i] = o
	}
	b.settle(k, p, used)
}

// settle tells the routers if another offer of a path is in use now than the one given; b.mu is held.
func (b *backbone) settle(k evpn.Key, p *vpcPath, used *vpcOffer) {
	p.choose()
	var route, old *evpn.Route
	if used != nil {
		old = &used.route
	}
	if p.best == nil {
		delete(b.paths, k)
	} else {
		route = &p.best.route
	}
	if p.best != used {
		b.deliver(p.id, route, old)
	}
}

// drop takes back offers; b.mu is held.
func (b *backbone) drop(which func(*vpcOffer) bool) {
	for k, p := range b.paths {
		for _, o := range slices.Clone(p.offers) {
			if which(o) {
				b.replace(o.peer, k, nil)
			}
		}
	}
}

// outdate marks what a restarting peer said: what another one says of the same counts for more. b.mu is held.
func (b *backbone) outdate(peer netip.Addr) {
	for k, p := range b.paths {
		for _, o := range p.offers {
			if o.peer == peer {
				o.stale = true
				b.settle(k, p, p.best)
			}
		}
	}
}
