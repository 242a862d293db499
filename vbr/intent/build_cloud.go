package intent

import (
	"fmt"
	"net/netip"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func (c *checker) routerInterface(d *Document, m *vbrv1.RouterInterface) RouterInterface {
	ri := RouterInterface{
		Name: m.GetName(), Owner: m.GetOwner(), Description: m.GetDescription(), Router: m.GetRouterId(),
		VNI: m.GetVni(), RouteTarget: c.routeTarget(d, m.GetRouteTarget()), Accepting: m.GetRole() == "AcceptingSide",
		Opposite: m.GetOppositeInterfaceId(), OppositeRouter: m.GetOppositeRouterId(), OppositeOwner: m.GetOppositeInterfaceOwnerId(),
		OppositeRegion: m.GetOppositeRegionId(), Spec: m.GetSpec(), Transit: m.GetTransit(), Deactivated: m.GetDeactivated(),
		Preference: DefaultPreference, Health: c.healthCheck(d, m.GetHealthCheck()), Origin: d.Origin,
	}
	if m.Preference != nil {
		ri.Preference = m.GetPreference()
	}
	c.alone(d, "", "opposite_router_id", m.GetOppositeRouterId(), "opposite_interface_id", ri.Opposite)
	c.alone(d, "", "opposite_interface_owner_id", m.GetOppositeInterfaceOwnerId(), "opposite_interface_id", ri.Opposite)
	c.alone(d, "", "opposite_region_id", m.GetOppositeRegionId(), "opposite_interface_id", ri.Opposite)
	if ri.OppositeOwner == "" && ri.Opposite != "" {
		ri.OppositeOwner = ri.Owner
	}
	return ri
}

func (c *checker) vRouter(d *Document, m *vbrv1.VRouter) Router {
	r := Router{Kind: VRouter, Name: m.GetName(), Owner: m.GetOwner(), Description: m.GetDescription(), Host: m.GetHost(),
		TableID: m.GetRouteTableId(), CIDRs: c.prefixes(d, "cidr_blocks", m.GetCidrBlocks()), Routes: c.routes(d, m.GetRouteEntries()), Origin: d.Origin}
	for i, s := range m.GetVswitches() {
		r.Switches = append(r.Switches, c.vSwitch(d, s, item("vswitches", i)))
	}
	return r
}

func (c *checker) vSwitch(d *Document, m *vbrv1.VSwitch, path string) Switch {
	s := Switch{Name: m.GetName(), Devices: m.GetDevices()}
	if m.GetCidrBlock()+m.GetIpv6CidrBlock() == "" && !d.flawed(path) && !d.flaws[join(path, "cidr_block")] && !d.flaws[join(path, "ipv6_cidr_block")] {
		c.failDoc(d, path, "the vSwitch has no subnet", "cidr_block, ipv6_cidr_block or both")
	}
	c.alone(d, path, "gateway_ip", m.GetGatewayIp(), "cidr_block", m.GetCidrBlock())
	c.alone(d, path, "ipv6_gateway_ip", m.GetIpv6GatewayIp(), "ipv6_cidr_block", m.GetIpv6CidrBlock())
	s.IPv4, s.GW4 = c.subnet(d, join(path, "cidr_block"), m.GetCidrBlock(), m.GetGatewayIp())
	s.IPv6, s.GW6 = c.subnet(d, join(path, "ipv6_cidr_block"), m.GetIpv6CidrBlock(), m.GetIpv6GatewayIp())
	return s
}

// alone refuses a field that means something only beside another which is not given.
func (c *checker) alone(d *Document, path, field, value, other, otherValue string) {
	if value != "" && otherValue == "" && !d.flawed(join(path, field)) && !d.flawed(join(path, other)) {
		c.failDoc(d, join(path, field), "there is no "+other, other+" beside it, or neither")
	}
}

// subnet is one family of a vSwitch, with the default of its gateway.
func (c *checker) subnet(d *Document, path, cidr, gateway string) (netip.Prefix, netip.Addr) {
	p, err := netip.ParsePrefix(cidr)
	if err != nil || d.flawed(path) {
		return netip.Prefix{}, netip.Addr{}
	}
	if gw, err := netip.ParseAddr(gateway); err == nil && gw.Is4() == p.Addr().Is4() {
		return p, gw
	}
	if p.Addr().Is6() {
		return p, p.Addr().Next()
	}
	return p, lastAddr(p).Prev().Prev()
}

// prefixes reads a list of prefixes; those that are none have a problem already and stay zero.
func (c *checker) prefixes(d *Document, path string, list []string) (out []netip.Prefix) {
	for i, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil || d.flawed(item(path, i)) {
			p = netip.Prefix{}
		}
		out = append(out, p)
	}
	return out
}

func (c *checker) routes(d *Document, entries []*vbrv1.RouteEntry) (out []Route) {
	for i, m := range entries {
		path := item("route_entries", i)
		prefix, err := netip.ParsePrefix(m.GetDestinationCidrBlock())
		if err != nil || d.flawed(join(path, "destination_cidr_block")) {
			prefix = netip.Prefix{}
		}
		r := Route{Prefix: prefix, Priority: DefaultPriority, Description: m.GetDescription()}
		if m.Priority != nil {
			r.Priority = m.GetPriority()
		}
		for j, h := range m.GetNextHopList() {
			r.Hops = append(r.Hops, c.routeHop(d, h, item(join(path, "next_hop_list"), j)))
		}
		out = append(out, r)
	}
	return out
}

func (c *checker) routeHop(d *Document, m *vbrv1.RouteNextHop, path string) RouteHop {
	h := RouteHop{Weight: DefaultWeight}
	if m.Weight != nil && m.GetWeight() <= 255 {
		h.Weight = uint16(m.GetWeight())
	}
	address, err := netip.ParseAddr(m.GetNextHopId())
	switch {
	case m.GetNextHopType() != "IpAddress" && err != nil:
		h.Interface = m.GetNextHopId()
	case m.GetNextHopType() == "IpAddress" && err == nil:
		h.Address = address
	case d.flawed(join(path, "next_hop_id")) || m.GetNextHopId() == "":
	case err == nil:
		c.failDoc(d, join(path, "next_hop_id"), "an address, and next_hop_type is RouterInterface", "the name of a router interface, or next_hop_type IpAddress")
	default:
		c.failDoc(d, join(path, "next_hop_id"), "not an address", "an IPv4 or IPv6 address, or next_hop_type RouterInterface")
	}
	return h
}

func (c *checker) healthCheck(d *Document, m *vbrv1.HealthCheck) *HealthCheck {
	if m == nil {
		return nil
	}
	h := &HealthCheck{Interval: DefaultHcRate, Threshold: DefaultHcThreshold, ProbeOnly: m.GetProbeOnly()}
	h.Source, _ = netip.ParseAddr(m.GetSourceIp())
	h.Target, _ = netip.ParseAddr(m.GetTargetIp())
	if m.HcRate != nil {
		h.Interval = time.Duration(m.GetHcRate()) * time.Millisecond
	}
	if m.HcThreshold != nil {
		h.Threshold = int(m.GetHcThreshold())
	}
	if h.Source.IsValid() && h.Target.IsValid() && h.Source.Is4() != h.Target.Is4() {
		c.failDoc(d, "health_check.source_ip", "not of the target's family", fmt.Sprintf("an address of the family of %s", h.Target))
	}
	return h
}

// termination reads when a VBR was terminated.
func (c *checker) termination(d *Document, text string) time.Time {
	if text == "" || d.flawed("termination_time") {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		c.failDoc(d, "termination_time", "not a time", "as in 2026-01-31T12:00:00Z (RFC 3339, UTC)")
	}
	return t
}
