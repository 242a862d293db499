package vbr

import (
	"net/netip"
	"slices"

	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/link"
	"github.com/openvbr/openvbr/vbr/rib"
)

// vswitch is one subnet of a VRouter: a bridge.
type vswitch struct {
	name    string
	device  string
	subnets []netip.Prefix
	own     []netip.Addr // the gateways in them
}

// addVPC translates what a VRouter has and a VBR has not.
func (s *spec) addVPC(r *intent.Router) {
	s.cidrs = r.CIDRs
	s.rules.CIDRs = r.CIDRs
	for _, w := range r.Switches {
		v := vswitch{name: w.Name, device: intent.SwitchDeviceName(r.Name, w.Name)}
		l := link.Switch{Device: v.device, Ports: w.Devices}
		for _, f := range []struct {
			subnet  netip.Prefix
			gateway netip.Addr
		}{{w.IPv4, w.GW4}, {w.IPv6, w.GW6}} {
			if !f.subnet.IsValid() {
				continue
			}
			l.Addrs = append(l.Addrs, netip.PrefixFrom(f.gateway, f.subnet.Bits()))
			v.subnets, v.own = append(v.subnets, f.subnet), append(v.own, f.gateway)
			s.rules.Links = append(s.rules.Links, f.subnet)
		}
		s.switches, s.link.Switches = append(s.switches, v), append(s.link.Switches, l)
	}
}

// What a VRouter's own routes are called where operators see them.
const (
	cidrSource = "cidr_blocks"
	// inside is in the place of a router interface for the vSwitches' subnets: nobody is told of them, but of the CIDR blocks around them.
	inside = "inside the VPC"
)

// arrangeVPC offers the VPC's CIDR blocks to the other ends of its router interfaces: where no vSwitch has an address, the VRF's unreachable
// default answers for the rest. The vSwitches' subnets are the kernel's own; they stay inside. r.mu is held.
func (r *router) arrangeVPC(s *spec, state link.State) {
	had, was := r.system, r.spec
	r.system = nil
	if s.kind != intent.VRouter {
		return
	}
	if len(had) == 0 {
		had, was = []rib.SourceID{r.rib.AddSource(rib.Source{Kind: rib.Connected, Name: cidrSource})}, &spec{}
	}
	r.offerSystem(had[0], &rib.Attrs{HasLocalPref: true, LocalPref: 2 * rib.DefaultLocalPref}, was.cidrs, s.cidrs) // before a vSwitch as large
	r.system = had[:1:1]
	left := had[1:]
	for i, w := range s.switches {
		to := rib.Source{Kind: rib.Connected, Name: w.device, Interface: inside, Device: state.Switches[i].Index}
		j := slices.IndexFunc(was.switches, func(o vswitch) bool { return o.device == w.device })
		if j < 0 || j >= len(left) {
			id := r.rib.AddSource(to)
			r.offerSystem(id, &rib.Attrs{}, nil, w.subnets)
			r.system = append(r.system, id)
			continue
		}
		r.rib.ChangeSource(left[j], to)
		r.offerSystem(left[j], &rib.Attrs{}, was.switches[j].subnets, w.subnets)
		r.system = append(r.system, left[j])
	}
	for _, id := range left {
		if !slices.Contains(r.system, id) {
			r.rib.RemoveSource(id)
		}
	}
}

// offerSystem makes what a source of the router's own offers be want, where it was had.
func (r *router) offerSystem(id rib.SourceID, a *rib.Attrs, had, want []netip.Prefix) {
	for _, p := range had {
		if !slices.Contains(want, p) {
			r.rib.Withdraw(id, 0, p)
		}
	}
	for _, p := range want {
		if !slices.Contains(had, p) {
			r.rib.Announce(id, 0, a, p)
		}
	}
}
