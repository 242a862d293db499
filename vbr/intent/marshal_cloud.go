package intent

import (
	"net/netip"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func (ri *RouterInterface) message() *vbrv1.RouterInterface {
	m := &vbrv1.RouterInterface{Name: ri.Name, Owner: ri.Owner, Description: ri.Description, RouterId: ri.Router,
		Vni: unless(ri.VNI, 0), RouteTarget: ri.RouteTarget, OppositeInterfaceId: ri.Opposite, OppositeRouterId: ri.OppositeRouter,
		OppositeRegionId: ri.OppositeRegion, Spec: ri.Spec, Transit: ri.Transit, Deactivated: ri.Deactivated,
		Preference: unless(ri.Preference, DefaultPreference), HealthCheck: ri.Health.message()}
	if ri.OppositeOwner != ri.Owner {
		m.OppositeInterfaceOwnerId = ri.OppositeOwner
	}
	if ri.Accepting {
		m.Role = "AcceptingSide"
	}
	return m
}

func (r *Router) vRouterMessage() *vbrv1.VRouter {
	m := &vbrv1.VRouter{Name: r.Name, Owner: r.Owner, Description: r.Description, Host: r.Host, CidrBlocks: texts(r.CIDRs),
		RouteTableId: unless(r.TableID, 0), RouteEntries: routeMessages(r.Routes)}
	for _, s := range r.Switches {
		m.Vswitches = append(m.Vswitches, s.message())
	}
	return m
}

func (s Switch) message() *vbrv1.VSwitch {
	m := &vbrv1.VSwitch{Name: s.Name, Devices: s.Devices}
	if s.IPv4.IsValid() {
		m.CidrBlock = s.IPv4.String()
		if s.GW4 != lastAddr(s.IPv4).Prev().Prev() {
			m.GatewayIp = s.GW4.String()
		}
	}
	if s.IPv6.IsValid() {
		m.Ipv6CidrBlock = s.IPv6.String()
		if s.GW6 != s.IPv6.Addr().Next() {
			m.Ipv6GatewayIp = s.GW6.String()
		}
	}
	return m
}

func routeMessages(routes []Route) (out []*vbrv1.RouteEntry) {
	for _, r := range routes {
		m := &vbrv1.RouteEntry{DestinationCidrBlock: r.Prefix.String(), Priority: unless(r.Priority, DefaultPriority), Description: r.Description}
		for _, h := range r.Hops {
			hop := &vbrv1.RouteNextHop{NextHopId: h.Interface, Weight: unless(uint32(h.Weight), DefaultWeight)}
			if h.Address.IsValid() {
				hop.NextHopType, hop.NextHopId = "IpAddress", h.Address.String()
			}
			m.NextHopList = append(m.NextHopList, hop)
		}
		out = append(out, m)
	}
	return out
}

func (h *HealthCheck) message() *vbrv1.HealthCheck {
	if h == nil {
		return nil
	}
	m := &vbrv1.HealthCheck{ProbeOnly: h.ProbeOnly,
		HcRate:      unless(uint32(h.Interval/time.Millisecond), uint32(DefaultHcRate/time.Millisecond)),
		HcThreshold: unless(uint32(h.Threshold), DefaultHcThreshold)}
	if h.Source.IsValid() {
		m.SourceIp = h.Source.String()
	}
	if h.Target.IsValid() {
		m.TargetIp = h.Target.String()
	}
	return m
}

func texts(list []netip.Prefix) (out []string) {
	for _, p := range list {
		out = append(out, p.String())
	}
	return out
}
