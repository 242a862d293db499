package vbr

import (
	"net/netip"
	"slices"

	"github.com/openvbr/openvbr/vbr/link"
	"github.com/openvbr/openvbr/vbr/rib"
)

// arrange makes the router's sources of paths be those of a spec on these devices, and the spec the router's own. What both
// specs have keeps its source and with it its paths, be it on another device. r.mu is held.
func (r *router) arrange(s *spec, state link.State) {
	r.rib.SetRules(s.rules)
	r.arrangeLines(s, state)
	r.arrangeSessions(s, state)
	r.arrangeVPC(s, state)
	r.exporter.take(s)
	r.arrangeInterfaces(s, state)
	r.devices = map[int]bool{state.VRF.Index: true}
	for index := range deviceKinds(state) {
		r.devices[index] = true
	}
	r.spec, r.state = s, state
	r.setLinksUp(state)
	r.arrangeWatches(s)
	r.arrangeStatics(s, state)
}

// arrangeLines offers the lines' subnets: the kernel routes them itself, the VPC hears of them. It needs them for health checks of the
// customer's gateway and for traceroute. They also keep FRR 8.4's gateways whole, which drop
// the neighbour entry of a tunnel once every type-5 route over it has changed its attributes: these never do.
func (r *router) arrangeLines(s *spec, state link.State) {
	had, was := r.lines, r.spec
	r.lines = make([]rib.SourceID, len(s.lines))
	for i, l := range s.lines {
		to := rib.Source{Kind: rib.Connected, Name: l.device, Device: state.Lines[i].Index}
		j := slices.IndexFunc(was.lines, func(o line) bool { return o.device == l.device })
		if j < 0 || j >= len(had) {
			r.lines[i] = r.rib.AddSource(to)
			r.rib.Announce(r.lines[i], 0, &rib.Attrs{}, l.subnets...)
			continue
		}
		r.lines[i], had[j] = had[j], 0
		r.moveAdopted(r.state.Lines[j].Index, adoptedSource(rib.BGP, to.Device, nil))
		r.rib.ChangeSource(r.lines[i], to)
		for _, p := range was.lines[j].subnets {
			if !slices.Contains(l.subnets, p) {
				r.rib.Withdraw(r.lines[i], 0, p)
			}
		}
		for _, p := range l.subnets {
			if !slices.Contains(was.lines[j].subnets, p) {
				r.rib.Announce(r.lines[i], 0, &rib.Attrs{}, p)
			}
		}
	}
	for j, id := range had {
		if id != 0 {
			r.rib.RemoveSource(id)
			r.dropAdopted(r.state.Lines[j].Index)
		}
	}
}

func (r *router) arrangeSessions(s *spec, state link.State) {
	for _, p := range s.peers {
		to := peerSource(s, p, state)
		x := r.sessions[p.Address]
		law := govern(x, &p, &to)
		if x == nil {
			x = &session{source: r.rib.AddSource(to), device: to.Device, hops: make(map[netip.Addr]bool), untold: len(r.adopted) == 0}
			r.sessions[p.Address] = x
		}
		if x.device != to.Device && len(x.failed) > 0 {
			r.restore(x)
		}
		r.rib.ChangeSource(x.source, to)
		x.line, x.device, x.governed = p.line, to.Device, law
	}
	for a, x := range r.sessions {
		if s.peer(a) == nil {
			r.rib.RemoveSource(x.source)
			r.restore(x)
			delete(r.sessions, a)
		}
	}
}

func peerSource(s *spec, p peerSpec, state link.State) rib.Source {
	l := s.lines[p.line]
	return rib.Source{
		Kind: rib.BGP, Name: p.Address.String(), Address: p.Address, ASN: p.ASN, Internal: p.ASN == s.asn,
		Device: state.Lines[p.line].Index, Subnets: l.subnets, Own: l.own,
	}
}

func (r *router) arrangeInterfaces(s *spec, state link.State) {
	had := r.vpc
	r.vpc = make([]*vpcSide, len(s.ris))
	for i, ri := range s.ris {
		d := s.riDevice(i, state)
		r.limited(s, i, d.Err)
		to := ri.source(d.Index)
		j := slices.IndexFunc(had, func(v *vpcSide) bool { return v != nil && v.ri.same(&ri) })
		if j < 0 {
			r.vpc[i] = newVPCSide(ri, r.rib.AddSource(to), to.Device)
			r.vpc[i].shut = true
			continue
		}
		r.vpc[i], had[j] = had[j], nil
		r.vpc[i].ri = ri
		r.moveAdopted(r.vpc[i].device, adoptedSource(rib.RouterInterface, to.Device, &ri))
		r.rib.ChangeSource(r.vpc[i].source, to)
		r.vpc[i].moveTo(to.Device)
	}
	for _, v := range had {
		if v != nil {
			r.unpin(v)
			r.rib.RemoveSource(v.source)
			r.dropAdopted(v.device)
		}
	}
	r.vpcDone = r.vpcDone || !s.onBackbone()
	r.unsettled = true
}

// moveAdopted makes what a predecessor left on a device be as what would be left now, over the device that took its place.
func (r *router) moveAdopted(from int, to rib.Source) {
	id, ok := r.adopted[from]
	if !ok {
		return
	}
	delete(r.adopted, from)
	if to.Device == 0 {
		r.rib.RemoveSource(id)
		return
	}
	r.adopted[to.Device] = id
	r.rib.ChangeSource(id, to)
}

func (r *router) dropAdopted(device int) {
	if id, ok := r.adopted[device]; ok {
		r.rib.RemoveSource(id)
		delete(r.adopted, device)
	}
}

// setLinksUp tells the rib which lines and tunnels carry packets: first of the customer's routes, which others wait to hear of; r.mu is held.
func (r *router) setLinksUp(state link.State) {
	for _, s := range r.sessions {
		r.rib.SetLinkUp(s.source, state.Lines[s.line].Up && !r.out)
	}
	for i, id := range r.lines {
		r.rib.SetLinkUp(id, state.Lines[i].Up && !r.out)
	}
	for i, v := range r.vpc {
		v.up = r.spec.riDevice(i, state).Up
		r.rib.SetLinkUp(v.source, v.up && !r.out)
		r.pin(v)
	}
}
