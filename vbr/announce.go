package vbr

import (
	"errors"
	"net/netip"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/bgp/evpn"
	"github.com/openvbr/openvbr/vbr/rib"
)

// announce tells each neighbour what the kernel holds that is for it, see heard, and takes back what no longer is.
func (r *router) announce(speaker *bgp.Speaker, said []rib.Announcement) {
	var toCustomer []bgp.Advertisement
	var fromCustomer []netip.Prefix
	var toVPC []evpn.Route
	var fromVPC []evpn.Key
	for _, a := range said {
		tell, back := r.spec.turn(&a, nil)
		toCustomer, fromCustomer = r.forCustomer(a, tell, back, toCustomer, fromCustomer)
		for i := range r.spec.ris {
			ri := &r.spec.ris[i]
			switch tell, back := r.spec.turn(&a, ri); {
			case tell:
				toVPC = append(toVPC, r.route(ri, a))
			case back:
				fromVPC = append(fromVPC, evpn.Key{RD: ri.rd, Prefix: a.Prefix})
			}
		}
	}
	err := errors.Join(
		unlessEmpty(fromCustomer, speaker.Withdraw), unlessEmpty(toCustomer, speaker.Advertise),
		r.host.backbone.export(toVPC, fromVPC))
	r.degrade("announce", err)
}

// turn says whether an announcement is to be told to a neighbour, or what it was told is to be taken back; ri as with heard.
func (s *spec) turn(a *rib.Announcement, ri *riSpec) (tell, back bool) {
	was, now := heard(a.Was, ri), heard(a.Source, ri)
	return now && !(was && a.Stands && s.alike(a.Was, a.Source, ri)), was && !now
}

// alike says whether we add the same to what a neighbour hears of paths from two sources.
func (s *spec) alike(was, now *rib.Source, ri *riSpec) bool {
	if ri == nil {
		return s.standby(was) == s.standby(now)
	}
	return (was.Kind == rib.Connected) == (now.Kind == rib.Connected)
}

// retell gives a new speaker what the customer had been told by the one of an earlier life.
func (r *router) retell(speaker *bgp.Speaker) {
	var ads []bgp.Advertisement
	r.mu.Lock()
	r.rib.Told(func(a rib.Announcement) {
		ads, _ = r.forCustomer(a, heard(a.Source, nil), false, ads, nil)
	})
	r.mu.Unlock()
	r.degrade("announce", unlessEmpty(ads, speaker.Advertise))
}

// export tells the VPC sides of router interfaces that have just come all that they are to hear.
func (r *router) export(ris []riSpec) {
	if len(ris) == 0 {
		return
	}
	var routes []evpn.Route
	r.mu.Lock()
	r.rib.Told(func(a rib.Announcement) { routes = r.appendRoutes(routes, ris, a) })
	r.mu.Unlock()
	r.degrade("announce", r.host.backbone.export(routes, nil))
}

// unexport takes back all that the VPC sides of some router interfaces were told.
func (r *router) unexport(ris []riSpec) {
	if len(ris) == 0 {
		return
	}
	var keys []evpn.Key
	r.mu.Lock()
	r.rib.Told(func(a rib.Announcement) { keys = appendKeys(keys, ris, a) })
	r.mu.Unlock()
	r.degrade("announce", r.host.backbone.export(nil, keys))
}

// noLonger are the routes that router interfaces were told and are to hear no longer, because these or others cease to be for transit;
// r.mu is held.
func (r *router) noLonger(after *spec) (keys []evpn.Key) {
	r.rib.Told(func(a rib.Announcement) {
		then := *a.Source
		if ri := after.routerInterface(then.Through()); ri != nil {
			then.Transit = ri.transit
		}
		for i := range r.spec.ris {
			before := &r.spec.ris[i]
			if now := after.routerInterface(before.name); now != nil && heard(a.Source, before) && !heard(&then, now) {
				keys = append(keys, evpn.Key{RD: before.rd, Prefix: a.Prefix})
			}
		}
	})
	return keys
}

func unlessEmpty[T any](list []T, do func([]T) error) error {
	if len(list) == 0 {
		return nil
	}
	return do(list)
}

// advertisement is a VPC prefix as the customer hears it: from us, with the VPC side's AS path behind ours.
func (r *router) advertisement(a rib.Announcement) bgp.Advertisement {
	ad := bgp.Advertisement{
		Prefix: a.Prefix, ASPath: asSequence(a.Announce.ASPath), Origin: a.Announce.Origin,
		Communities: shutdown(a.Announce.Communities, r.records.drained.Load()), LargeComms: rib.WithoutTrail(a.Announce.LargeCommunities),
	}
	r.spec.yield(&ad, r.spec.standby(a.Source))
	return ad
}

// appendRoutes appends the type-5 routes of a prefix, one for each of the router interfaces that is to hear of it.
func (r *router) appendRoutes(out []evpn.Route, ris []riSpec, a rib.Announcement) []evpn.Route {
	for i := range ris {
		if heard(a.Source, &ris[i]) {
			out = append(out, r.route(&ris[i], a))
		}
	}
	return out
}

// route is a prefix as the other side of a router interface hears it.
func (r *router) route(ri *riSpec, a rib.Announcement) evpn.Route {
	drained := r.records.drained.Load() && a.Source.Kind != rib.Connected // see arrangeLines
	x := evpn.Route{
		Key: evpn.Key{RD: ri.rd, Prefix: a.Prefix}, NextHop: r.host.opts.Backbone.VTEP, VNI: ri.vni,
		RouterMAC: evpn.MAC(ri.mac), Targets: []evpn.RouteTarget{ri.target},
		ASPath: asSequence(a.Announce.ASPath), Origin: a.Announce.Origin, MED: a.Announce.MED, HasMED: a.Announce.HasMED,
		Communities: shutdown(a.Announce.Communities, drained), LargeCommunities: r.spec.trail(a),
	}
	if a.Source.Kind != rib.Connected {
		ri.prefer(&x)
	}
	if drained {
		x.LocalPref, x.HasLocalPref = 0, true
	}
	return x
}

// appendKeys appends what names these routes.
func appendKeys(out []evpn.Key, ris []riSpec, a rib.Announcement) []evpn.Key {
	for i := range ris {
		if heard(a.Source, &ris[i]) {
			out = append(out, evpn.Key{RD: ris[i].rd, Prefix: a.Prefix})
		}
	}
	return out
}
