package vbr

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/link"
	"github.com/openvbr/openvbr/vbr/rib"
)

// statics are the custom routes that leave by one device: a line, a vSwitch or a router interface.
type statics struct {
	source  rib.SourceID
	offered map[staticPath]rib.Attrs
}

// staticPath is one path of a custom route.
type staticPath struct {
	id     uint32
	prefix netip.Prefix
}

// exit is where a custom route's next hop leaves the router.
type exit struct {
	source rib.Source
	up     bool // its device carries packets
	usable bool // its router interface is in use
	offers map[staticPath]rib.Attrs
}

// arrangeStatics offers the custom routes to the rib as they lead now; r.mu is held. It is called again whenever next hops may have come or gone.
func (r *router) arrangeStatics(s *spec, state link.State) {
	exits := make(map[string]*exit)
	for i, route := range s.routes {
		for j, hop := range route.Hops {
			e := r.exitOf(exits, s, state, hop)
			for k, via := range r.nextHopsOf(hop, route.Prefix.Addr().Is6()) {
				a := rib.Attrs{NextHop: via, Weight: hop.Weight, Priority: uint16(route.Priority), Origin: rib.OriginIncomplete}
				e.offers[staticPath{uint32(i<<16 | j<<8 | k), route.Prefix}] = a
			}
		}
	}
	for name, e := range exits {
		x := r.statics[name]
		if x == nil {
			x = &statics{source: r.rib.AddSource(e.source), offered: make(map[staticPath]rib.Attrs)}
			r.statics[name] = x
		}
		r.rib.ChangeSource(x.source, e.source)
		r.rib.SetLinkUp(x.source, e.up && !r.out)
		r.rib.SetUsable(x.source, e.usable)
		r.offerStatics(x, e.offers)
	}
	for name, x := range r.statics {
		if exits[name] == nil {
			r.rib.RemoveSource(x.source)
			delete(r.statics, name)
		}
	}
}

func (r *router) offerStatics(x *statics, offers map[staticPath]rib.Attrs) {
	for p := range x.offered {
		if _, ok := offers[p]; !ok {
			r.rib.Withdraw(x.source, p.id, p.prefix)
		}
	}
	for p, a := range offers {
		if had, ok := x.offered[p]; !ok || had.NextHop != a.NextHop || had.Weight != a.Weight || had.Priority != a.Priority {
			r.rib.Announce(x.source, p.id, &a, p.prefix)
		}
	}
	x.offered = offers
}

// exitOf is where a next hop leaves, made if it is new. What is on none of the router's devices leaves nowhere: the rib says so.
func (r *router) exitOf(exits map[string]*exit, s *spec, state link.State, hop intent.RouteHop) *exit {
	e := exit{source: rib.Source{Kind: rib.Static}, usable: true, offers: make(map[staticPath]rib.Attrs)}
	if hop.Interface != "" {
		r.throughInterface(&e, s, state, hop.Interface)
	} else {
		overDevice(&e, s, state, hop.Address)
	}
	if had := exits[e.source.Name]; had != nil {
		return had
	}
	exits[e.source.Name] = &e
	return &e
}

func (r *router) throughInterface(e *exit, s *spec, state link.State, name string) {
	e.source.Name, e.source.Interface, e.source.OnLink = "route via "+name, name, true
	i := slices.IndexFunc(s.ris, func(ri riSpec) bool { return ri.name == name })
	if i < 0 {
		e.usable = false
		return
	}
	d := s.riDevice(i, state)
	e.source.Device, e.source.Transit, e.up = d.Index, s.ris[i].transit, d.Up
	v := r.side(name)
	e.usable = v != nil && !v.shut && !v.demoted && v.someone()
}

// overDevice finds the line or vSwitch in whose subnet a gateway is.
func overDevice(e *exit, s *spec, state link.State, gateway netip.Addr) {
	e.source.Name = fmt.Sprintf("route via %s", gateway)
	has := func(p netip.Prefix) bool { return p.Contains(gateway) }
	for i, l := range s.lines {
		if slices.ContainsFunc(l.subnets, has) {
			e.source.Name, e.source.Subnets, e.source.Own = "route over "+l.device, l.subnets, l.own
			e.source.Device, e.up = state.Lines[i].Index, state.Lines[i].Up
		}
	}
	for i, w := range s.switches {
		if slices.ContainsFunc(w.subnets, has) {
			e.source.Name, e.source.Subnets, e.source.Own = "route over "+w.device, w.subnets, w.own
			e.source.Device, e.up = state.Switches[i].Index, state.Switches[i].Up
		}
	}
}

// nextHopsOf are the gateways of a next hop: itself, the link address at the far end of a pair, or the VTEPs known behind a router interface
// without an opposite. One that leads to nobody is the zero address, which is rejected.
func (r *router) nextHopsOf(hop intent.RouteHop, six bool) []netip.Addr {
	if hop.Interface == "" {
		return []netip.Addr{hop.Address}
	}
	v := r.side(hop.Interface)
	if v == nil || !v.someone() {
		return []netip.Addr{{}}
	}
	behind := []netip.Addr{v.ri.far}
	if !v.ri.paired() {
		behind = v.gateways()
	}
	for i, a := range behind {
		if six && a.Is4() {
			behind[i] = netip.AddrFrom16(a.As16())
		}
	}
	return behind[:min(len(behind), rib.MaxPaths)]
}

// someone says whether anybody is known behind the router interface.
func (v *vpcSide) someone() bool { return v.ri.paired() || len(v.gateways()) > 0 }

// gateways are the VTEPs that routes lead to, sorted.
func (v *vpcSide) gateways() (all []netip.Addr) {
	for _, a := range slices.SortedFunc(maps.Keys(v.vteps), netip.Addr.Compare) {
		if v.vteps[a].refs > 0 {
			all = append(all, a)
		}
	}
	return all
}

// demote makes the routes by a router interface step back behind others', and takes custom routes that lead there out of service, or no longer: for
// health checks. Any goroutine may call it. An unknown router interface is ignored.
func (r *router) demote(ri string, demoted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v := r.side(ri); v != nil && v.demoted != demoted {
		v.demoted, r.unsettled = demoted, true
		r.rib.SetNow(time.Now())
		r.rib.Demote(v.source, demoted)
		poke(r.wake)
	}
}
