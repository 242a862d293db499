package vbr

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/openvbr/openvbr/bgp/evpn"
	"github.com/openvbr/openvbr/vbr/rib"
)

// vpcSide is one router interface of a router: the paths that came through it and the VTEPs they lead to.
type vpcSide struct {
	ri      riSpec
	source  rib.SourceID
	device  int
	up      bool // the device carries packets
	vteps   map[netip.Addr]*vtep
	shut    bool            // no route comes in, see settleInterfaces
	seen    map[uint32]seen // of a pair over the backbone: the presences, by path
	demoted bool            // see demote
	synced  bool            // of a local pair: the far end has told all it has
	mated   bool            // of a pair: the kernel knows the opposite's link address
	pinned  pin             // of one with a health check: the way to its target
	// otherVNI are the gateways of which the log says that they want another VNI than the router interface has.
	otherVNI map[netip.Addr]bool
}

// vtep is a remote tunnel end point that routes lead to.
type vtep struct {
	mac    evpn.MAC
	refs   int
	known  bool // the kernel has been told the way, or refused it
	taught bool // it has been told at least once
}

func newVPCSide(ri riSpec, source rib.SourceID, device int) *vpcSide {
	return &vpcSide{ri: ri, source: source, device: device, vteps: make(map[netip.Addr]*vtep), otherVNI: make(map[netip.Addr]bool), seen: make(map[uint32]seen)}
}

// moveTo says that the router interface has another device now, which knows no VTEP yet.
func (v *vpcSide) moveTo(device int) {
	if v.device == device {
		return
	}
	v.device, v.mated = device, false
	for _, t := range v.vteps {
		t.known, t.taught = false, false
	}
}

// lesson is a VTEP that the kernel has to learn before routes lead there.
type lesson struct {
	device int
	addr   netip.Addr
	mac    evpn.MAC
	again  bool
}

// offer takes in a type-5 route for one of the router's router interfaces, under the path id that the host gave it.
// old is the route it replaces, if any. The host calls it; nothing here waits.
func (r *router) offer(v *vpcSide, id uint32, route, old *evpn.Route) {
	ri := &v.ri
	if route != nil && route.VNI != ri.vni {
		r.otherVNI(v, route)
		route = nil
	}
	if old != nil && old.VNI != ri.vni {
		old = nil
	}
	if route == nil && old == nil {
		return
	}
	r.stir()
	r.mu.Lock()
	if isPresence(route) || isPresence(old) {
		r.see(v, id, route)
		r.mu.Unlock()
		poke(r.wake)
		return
	}
	if v.shut {
		r.mu.Unlock()
		return
	}
	r.rib.SetNow(time.Now())
	if route != nil {
		v.refer(route.NextHop, route.RouterMAC)
		r.rib.Announce(v.source, id, vpcAttrs(route), route.Prefix)
	} else {
		r.rib.Withdraw(v.source, id, old.Prefix)
	}
	if old != nil {
		v.release(old.NextHop)
	}
	r.unsettled = r.unsettled || len(r.spec.routes) > 0 // the gateways behind it may have changed
	r.mu.Unlock()
	poke(r.wake)
}

// otherVNI says that a gateway's routes are ignored: once for each gateway, since they may be many and come again and again, and of so many gateways at most.
func (r *router) otherVNI(v *vpcSide, route *evpn.Route) {
	const gateways = 64
	r.mu.Lock()
	said := v.otherVNI[route.NextHop] || len(v.otherVNI) >= gateways
	if !said {
		v.otherVNI[route.NextHop] = true
	}
	r.mu.Unlock()
	if !said {
		r.log.Warn("type-5 routes of a gateway ignored: it wants another VNI than the router interface has",
			"prefix", route.Prefix, "vtep", route.NextHop, "vni", route.VNI, "router_interface", v.ri.name, "its_vni", v.ri.vni)
	}
}

func (v *vpcSide) refer(a netip.Addr, mac evpn.MAC) {
	t := v.vteps[a]
	if t == nil {
		t = &vtep{}
		v.vteps[a] = t
	}
	if t.mac != mac {
		t.mac, t.known, t.taught = mac, false, false
	}
	t.refs++
}

func (v *vpcSide) release(a netip.Addr) {
	if t := v.vteps[a]; t != nil {
		t.refs--
	}
}

// vpcAttrs are a type-5 route's attributes as the rib wants them. The gateway of an IPv6 prefix behind an IPv4 VTEP is the mapped address.
func vpcAttrs(route *evpn.Route) *rib.Attrs {
	a := &rib.Attrs{
		NextHop: route.NextHop, Origin: route.Origin, Communities: route.Communities, LargeCommunities: route.LargeCommunities,
		MED: route.MED, HasMED: route.HasMED, LocalPref: route.LocalPref, HasLocalPref: route.HasLocalPref,
	}
	if route.Prefix.Addr().Is6() && route.NextHop.Is4() {
		a.NextHop = netip.AddrFrom16(route.NextHop.As16())
	}
	if len(route.ASPath) > 0 {
		a.ASPath = []rib.Segment{{Type: rib.ASSequence, ASNs: route.ASPath}}
	}
	return a
}

// backboneSynced takes in that the backbone's peers have said all they have.
func (r *router) backboneSynced() {
	r.mu.Lock()
	r.vpcDone, r.unsettled = true, true
	r.mu.Unlock()
	poke(r.wake)
}

// lessons are the VTEPs to teach; r.mu is held.
func (r *router) lessons() []lesson {
	var ls []lesson
	for _, v := range r.vpc {
		for addr, t := range v.vteps {
			if !t.known && t.refs > 0 {
				ls = append(ls, lesson{v.device, addr, t.mac, t.taught})
				t.known, t.taught = true, true
			}
		}
	}
	return ls
}

// teach tells the kernel the ways to VTEPs. What fails is tried again at the next inspection.
func (r *router) teach(lessons []lesson) {
	if len(lessons) == 0 {
		return
	}
	var errs []error
	for _, l := range lessons {
		err := r.host.links.SetVTEP(l.device, l.addr, net.HardwareAddr(l.mac[:]))
		if err == nil && !l.again {
			r.log.Info("gateway known", "vtep", l.addr, "router_mac", net.HardwareAddr(l.mac[:]).String(), "device", l.device)
		}
		errs = append(errs, err)
	}
	r.degrade("gateways", errors.Join(errs...))
}

// teachAgain makes the next flush teach every VTEP again, lest somebody removed an entry.
func (r *router) teachAgain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.vpc {
		v.mated = false
		for _, t := range v.vteps {
			t.known = false
		}
	}
}

// forgetVTEPs removes the ways to VTEPs that no route leads to any more.
func (r *router) forgetVTEPs() {
	var unused []lesson
	r.mu.Lock()
	for _, v := range r.vpc {
		for addr, t := range v.vteps {
			if t.refs <= 0 {
				unused = append(unused, lesson{device: v.device, addr: addr, mac: t.mac})
				delete(v.vteps, addr)
			}
		}
	}
	r.mu.Unlock()
	for _, l := range unused {
		if err := r.host.links.RemoveVTEP(l.device, l.addr, net.HardwareAddr(l.mac[:])); err != nil {
			r.log.Warn("gateway not removed", "vtep", l.addr, "err", err)
		}
	}
}
