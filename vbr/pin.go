package vbr

import (
	"net/netip"
	"slices"
	"time"

	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/rib"
)

// pin is a route to the target of a router interface's health check, by that router interface: so its probes test it and no other, also when its
// routes have stepped back. Packets of others to that one address take it too. Nobody is told of it. Two router interfaces of a router that check
// one target share it by ECMP, and are not told apart.
type pin struct {
	source rib.SourceID // 0 for none
	prefix netip.Prefix
	hops   []netip.Addr
}

// pinOf is the pin that a router interface should have; r.mu is held.
func (r *router) pinOf(v *vpcSide) (p pin) {
	if v.ri.health == nil || v.shut || v.device == 0 || !v.someone() {
		return pin{}
	}
	target := v.ri.health.target
	return pin{prefix: netip.PrefixFrom(target, target.BitLen()), hops: r.nextHopsOf(intent.RouteHop{Interface: v.ri.name}, target.Is6())}
}

// pin makes the router interface's pin be what it should be; r.mu is held.
func (r *router) pin(v *vpcSide) {
	want := r.pinOf(v)
	to := rib.Source{Kind: rib.Static, Name: "health check of " + v.ri.name, Interface: inside, Device: v.device, OnLink: true}
	had := &v.pinned
	r.rib.SetNow(time.Now())
	switch {
	case had.source == 0 && len(want.hops) == 0:
		return
	case had.source != 0 && had.prefix == want.prefix && slices.Equal(had.hops, want.hops):
		r.rib.ChangeSource(had.source, to)
		r.rib.SetLinkUp(had.source, v.up && !r.out)
		return
	}
	r.unpin(v)
	if len(want.hops) == 0 {
		return
	}
	want.source = r.rib.AddSource(to)
	r.rib.SetLinkUp(want.source, v.up && !r.out)
	for i, hop := range want.hops {
		r.rib.Announce(want.source, uint32(i), &rib.Attrs{NextHop: hop}, want.prefix)
	}
	v.pinned = want
	poke(r.wake)
}

// unpin takes the pin away; r.mu is held.
func (r *router) unpin(v *vpcSide) {
	if v.pinned.source == 0 {
		return
	}
	r.rib.RemoveSource(v.pinned.source)
	v.pinned = pin{}
	poke(r.wake)
}

// pinAll looks after the pins of all router interfaces: gateways come and go.
func (r *router) pinAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.vpc {
		r.pin(v)
	}
}
