package vbr

import (
	"slices"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/bgp/evpn"
	"github.com/openvbr/openvbr/vbr/rib"
)

// announce tells each neighbour what the kernel holds that is for it, see heard, and takes back what no longer is.
func (r *router) announce(speaker speaker, said []rib.Announcement) {
	c, out := make(forCustomer), make(outbox)
	for _, a := range said {
		r.tellCustomer(c, &a)
		for i := range r.spec.ris {
			if !r.tells(i) {
				continue
			}
			ri := &r.spec.ris[i]
			switch tell, back := r.spec.turn(&a, ri); {
			case tell:
				out.tell(r.host.far(ri), r.route(ri, a))
			case back:
				out.takeBack(r.host.far(ri), evpn.Key{RD: ri.rd, Prefix: a.Prefix})
			}
		}
	}
	r.tellNetworks(c, false)
	r.noteExports(said)
	r.speak(speaker, c, out)
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
	return (was.Kind == rib.Connected) == (now.Kind == rib.Connected) && isLastResort(was) == isLastResort(now)
}

// retell gives a new speaker what the customer had been told by the one of an earlier life.
func (r *router) retell(speaker speaker) {
	c := make(forCustomer)
	r.unsaid.customer = forCustomer{}
	r.exporter.left()
	r.mu.Lock()
	r.setNetworks()
	r.rib.Told(func(a rib.Announcement) { r.tellCustomer(c, &a) })
	r.tellNetworks(c, true)
	r.mu.Unlock()
	r.exporter.filled(r.exporter.ways)
	r.speak(speaker, c, outbox{})
}

// export tells the VPC sides of router interfaces that have just come all that they are to hear.
func (r *router) export(ris []riSpec) {
	if len(ris) == 0 {
		return
	}
	out := make(outbox)
	r.mu.Lock()
	r.rib.Told(func(a rib.Announcement) {
		for i := range ris {
			if heard(a.Source, &ris[i]) {
				out.tell(r.host.far(&ris[i]), r.route(&ris[i], a))
				r.rib.NoteExport(a.Prefix, ris[i].name, true)
			}
		}
	})
	r.mu.Unlock()
	r.speak(r.speaker, forCustomer{}, out)
}

// unexport takes back all that the VPC sides of some router interfaces were told.
func (r *router) unexport(ris []riSpec) {
	if len(ris) == 0 {
		return
	}
	out := make(outbox)
	r.mu.Lock()
	r.rib.Told(func(a rib.Announcement) {
		for i := range ris {
			if heard(a.Source, &ris[i]) {
				out.takeBack(r.host.far(&ris[i]), evpn.Key{RD: ris[i].rd, Prefix: a.Prefix})
				r.rib.NoteExport(a.Prefix, ris[i].name, false)
			}
		}
	})
	r.mu.Unlock()
	r.speak(r.speaker, forCustomer{}, out)
}

// noLonger are the routes that router interfaces were told and are to hear no longer, because these or others cease to be for transit;
// r.mu is held.
func (r *router) noLonger(after *spec) outbox {
	out := make(outbox)
	r.rib.Told(func(a rib.Announcement) {
		then := *a.Source
		if ri := after.routerInterface(then.Through()); ri != nil {
			then.Transit = ri.transit
		}
		for i := range r.spec.ris {
			before := &r.spec.ris[i]
			if now := after.routerInterface(before.name); now != nil && heard(a.Source, before) && !heard(&then, now) {
				out.takeBack(r.host.far(before), evpn.Key{RD: before.rd, Prefix: a.Prefix})
				r.rib.NoteExport(a.Prefix, before.name, false)
			}
		}
	})
	return out
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

// route is a prefix as the other side of a router interface hears it.
func (r *router) route(ri *riSpec, a rib.Announcement) evpn.Route {
	drained := r.records.drained.Load() && a.Source.Kind != rib.Connected // see arrangeLines
	x := evpn.Route{
		Key: evpn.Key{RD: ri.rd, Prefix: a.Prefix}, NextHop: r.host.vtep(), VNI: ri.vni,
		RouterMAC: evpn.MAC(ri.mac), Targets: []evpn.RouteTarget{ri.target},
		ASPath: asSequence(a.Announce.ASPath), Origin: a.Announce.Origin, MED: a.Announce.MED, HasMED: a.Announce.HasMED,
		Communities: shutdown(a.Announce.Communities, drained), LargeCommunities: r.spec.trail(a),
	}
	if a.Source.Kind != rib.Connected {
		ri.prefer(&x)
	}
	if isLastResort(a.Source) {
		ri.preferLast(&x)
	}
	if r.records.back.Load() && a.Source.Kind != rib.Connected {
		stepBack(&x)
	}
	if drained || slices.Contains(a.Announce.Communities, rib.LLGRStale) { // the latter: RFC 9494 4.6
		x.LocalPref, x.HasLocalPref = 0, true
	}
	return x
}
