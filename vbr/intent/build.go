package intent

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// add converts a document as far as it can be: a field that has a problem stays zero, and the checks leave zero
// values alone.
func (c *checker) add(d *Document) {
	if d.New {
		c.brought[labelOf(d.Message)] = true
	}
	switch m := d.Message.(type) {
	case *vbrv1.PhysicalConnection:
		c.in.PhysicalConnections = append(c.in.PhysicalConnections, PhysicalConnection{
			Name: m.GetName(), Owner: m.GetOwner(), Description: m.GetDescription(), Host: m.GetHost(), Device: m.GetDevice(), Origin: d.Origin})
	case *vbrv1.RouterInterface:
		c.in.RouterInterfaces = append(c.in.RouterInterfaces, c.routerInterface(d, m))
	case *vbrv1.VirtualBorderRouter:
		c.in.Routers = append(c.in.Routers, c.router(d, m))
	case *vbrv1.VRouter:
		c.in.Routers = append(c.in.Routers, c.vRouter(d, m))
	case *vbrv1.VbrHa:
		c.in.Groups = append(c.in.Groups, Group{Name: m.GetName(), Owner: m.GetOwner(), Description: m.GetDescription(),
			VBR: m.GetVbrId(), Peer: m.GetPeerVbrId(), Standby: m.GetMode() == "ActiveStandby", Origin: d.Origin})
	default:
		panic(fmt.Sprintf("intent: %T is no resource", m))
	}
}

func (c *checker) router(d *Document, m *vbrv1.VirtualBorderRouter) Router {
	r := Router{Name: m.GetName(), Owner: m.GetOwner(), Description: m.GetDescription(), Host: m.GetHost(),
		DefaultVRF: m.GetVrf() == "default", TableID: m.GetRouteTableId(), LocalASN: DefaultLocalASN, Origin: d.Origin,
		Bandwidth: uint64(m.GetBandwidth()) * 1_000_000, Confirmed: m.Confirmed, Health: c.healthCheck(d, m.GetHealthCheck())}
	r.Networks = c.prefixes(d, "bgp_networks", m.GetBgpNetworks())
	r.Routes = c.routes(d, m.GetRouteEntries())
	r.BFD = bfd(m)
	r.Terminated = c.termination(d, m.GetTerminationTime())
	if m.LocalAsn != nil {
		r.LocalASN = m.GetLocalAsn()
	}
	r.Links = append(r.Links, c.link(d, m, ""))
	for i, a := range m.GetAssociatedPhysicalConnections() {
		r.Links = append(r.Links, c.link(d, a, linkPath(i+1)))
	}
	r.Policies = c.policies(d, m.GetRoutePolicies())
	for i, p := range m.GetBgpPeers() {
		r.Peers = append(r.Peers, c.peer(d, p, item("bgp_peers", i)))
	}
	return r
}

// linkPath is the path of link i: the first one's fields are the router's own.
func linkPath(i int) string {
	if i == 0 {
		return ""
	}
	return item("associated_physical_connections", i-1)
}

// lineMessage is what a VBR and an associated physical connection share.
type lineMessage interface {
	GetPhysicalConnectionId() string
	GetVlanId() uint32
	GetOuterVlanId() uint32
	GetLocalGatewayIp() string
	GetPeerGatewayIp() string
	GetPeeringSubnetMask() string
	GetLocalIpv6GatewayIp() string
	GetPeerIpv6GatewayIp() string
	GetPeeringIpv6SubnetMask() string
}

func (c *checker) link(d *Document, m lineMessage, path string) Link {
	if m.GetLocalGatewayIp()+m.GetPeerGatewayIp()+m.GetPeeringSubnetMask()+
		m.GetLocalIpv6GatewayIp()+m.GetPeerIpv6GatewayIp()+m.GetPeeringIpv6SubnetMask() == "" && !d.addressFlaw(path) {
		c.failDoc(d, path, "the line has no addresses",
			"local_gateway_ip, peer_gateway_ip and peering_subnet_mask, or their IPv6 kin, or both")
	}
	l := Link{
		PhysicalConnection: m.GetPhysicalConnectionId(),
		IPv4: c.addresses(d, path, [3]string{"local_gateway_ip", "peer_gateway_ip", "peering_subnet_mask"},
			[3]string{m.GetLocalGatewayIp(), m.GetPeerGatewayIp(), m.GetPeeringSubnetMask()}),
		IPv6: c.addresses(d, path, [3]string{"local_ipv6_gateway_ip", "peer_ipv6_gateway_ip", "peering_ipv6_subnet_mask"},
			[3]string{m.GetLocalIpv6GatewayIp(), m.GetPeerIpv6GatewayIp(), m.GetPeeringIpv6SubnetMask()}),
	}
	if m.GetVlanId() <= 4094 {
		l.VLAN = uint16(m.GetVlanId())
	}
	if m.GetOuterVlanId() <= 4094 {
		l.OuterVLAN = uint16(m.GetOuterVlanId())
	}
	return l
}

// addressFlaw tells whether one of the address fields of a line was written and refused for its type.
func (d *Document) addressFlaw(path string) bool {
	for flaw := range d.flaws {
		if parent(flaw) == path && (strings.HasSuffix(flaw, "_ip") || strings.HasSuffix(flaw, "_mask")) {
			return true
		}
	}
	return false
}

// addresses converts one family of a line. A family is given whole or not at all.
func (c *checker) addresses(d *Document, path string, keys, values [3]string) Addresses {
	if values == ([3]string{}) {
		return Addresses{}
	}
	whole := true
	for i, v := range values {
		at := join(path, keys[i])
		if v == "" && !d.flawed(at) {
			c.failDoc(d, at, "missing", fmt.Sprintf("%s, %s and %s together, or none of them", keys[0], keys[1], keys[2]))
		}
		whole = whole && v != "" && !d.flawed(at)
	}
	if !whole {
		return Addresses{}
	}
	local, _ := netip.ParseAddr(values[0])
	peer, _ := netip.ParseAddr(values[1])
	subnet, _ := local.Prefix(maskBits(values[2]))
	return Addresses{Local: local, Peer: peer, Subnet: subnet}
}

// maskBits reads "255.255.255.252", "/30" or "30"; -1 for anything else.
func maskBits(s string) int {
	if bits, err := strconv.Atoi(strings.TrimPrefix(s, "/")); err == nil {
		return bits
	}
	mask, err := netip.ParseAddr(s)
	if err != nil || !mask.Is4() {
		return -1
	}
	for bits := range 33 {
		if p, err := netip.AddrFrom4([4]byte{255, 255, 255, 255}).Prefix(bits); err == nil && p.Addr() == mask {
			return bits
		}
	}
	return -1
}

func (c *checker) peer(d *Document, m *vbrv1.BgpPeer, path string) Peer {
	address, _ := netip.ParseAddr(m.GetPeerIpAddress())
	p := Peer{Address: address, Link: -1, ASN: m.GetPeerAsn(), AuthKeyFile: m.GetAuthKeyFile(), Credential: m.GetKeyCredential(),
		Hold: seconds(m.Hold, DefaultHold), ConnectRetry: seconds(m.ConnectRetry, DefaultConnectRetry),
		BFD: m.GetEnableBfd(), BFDStrict: m.GetBfdStrict(),
		GTSM: m.TtlSecurity == nil || *m.TtlSecurity, LongLived: seconds(m.LongLivedStaleTime, 0)}
	p.Keepalive = seconds(m.Keepalive, defaultKeepalive(p.Hold))
	p.Rules = c.peerRules(d, m, path)
	if d.flawed(path) || d.flawed(join(path, "peer_ip_address")) {
		p.Address = netip.Addr{}
	}
	if d.flawed(join(path, "hold")) || d.flawed(join(path, "keepalive")) {
		p.Hold, p.Keepalive = DefaultHold, defaultKeepalive(DefaultHold)
	}
	return p
}

func seconds(v *uint32, otherwise time.Duration) time.Duration {
	if v == nil {
		return otherwise
	}
	return time.Duration(*v) * time.Second
}

// routeTarget returns the canonical form, "" for what is none (RFC 4360 section 3, RFC 5668 section 2).
func (c *checker) routeTarget(d *Document, s string) string {
	if s == "" || d.flawed("route_target") {
		return ""
	}
	rt, ok := canonicalRouteTarget(s)
	if !ok {
		_, legal := ruleText(d.Message.ProtoReflect().Descriptor().Fields().ByName("route_target"))
		c.failDoc(d, "route_target", "not a route target", legal)
	}
	return rt
}

func canonicalRouteTarget(s string) (string, bool) {
	admin, number, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return "", false
	}
	if ip, err := netip.ParseAddr(admin); err == nil && ip.Is4() {
		return fmt.Sprintf("%s:%d", ip, n), n <= 0xffff
	}
	asn, err := strconv.ParseUint(admin, 10, 32)
	if err != nil {
		return "", false
	}
	return fmt.Sprintf("%d:%d", asn, n), asn <= 0xffff || n <= 0xffff
}

// failDoc adds a problem about a field of a document.
func (c *checker) failDoc(d *Document, path, text, legal string) {
	c.fail(d.Origin, labelOf(d.Message), path, d.value(path), text, legal)
	d.flaw(path)
}

// value renders a field's value for a problem.
func (d *Document) value(path string) string {
	if d.Origin != nil {
		return d.Origin.value(path)
	}
	return scalarAt(d.Message, path)
}

// scalarAt renders a top-level text field of a message that came without text.
func scalarAt(m proto.Message, path string) string {
	r := m.ProtoReflect()
	if fd := r.Descriptor().Fields().ByTextName(path); fd != nil && r.Has(fd) && !fd.IsList() {
		return strconv.Quote(r.Get(fd).String())
	}
	return ""
}
