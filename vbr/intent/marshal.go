package intent

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Marshal renders resources as YAML, one document each, keys in the order of the schema and text always quoted.
// Parse reads back the same messages.
func Marshal(messages ...proto.Message) []byte {
	var b bytes.Buffer
	for i, m := range messages {
		if i > 0 {
			b.WriteString("---\n")
		}
		r := m.ProtoReflect()
		fmt.Fprintf(&b, "kind: %s\n", r.Descriptor().Name())
		writeMessage(&b, r, "")
	}
	return b.Bytes()
}

func writeMessage(b *bytes.Buffer, m protoreflect.Message, indent string) {
	for i := range m.Descriptor().Fields().Len() {
		fd := m.Descriptor().Fields().Get(i)
		switch {
		case !m.Has(fd):
		case fd.IsList():
			fmt.Fprintf(b, "%s%s:\n", indent, fd.Name())
			writeList(b, m.Get(fd).List(), indent)
		case fd.Message() != nil:
			fmt.Fprintf(b, "%s%s:\n", indent, fd.Name())
			writeMessage(b, m.Get(fd).Message(), indent+"  ")
		default:
			fmt.Fprintf(b, "%s%s: %s\n", indent, fd.Name(), writeScalar(m.Get(fd)))
		}
	}
}

// writeList writes scalars or messages as items; "- " takes the place of the first key's indentation.
func writeList(b *bytes.Buffer, list protoreflect.List, indent string) {
	for i := range list.Len() {
		if _, message := list.Get(i).Interface().(protoreflect.Message); !message {
			fmt.Fprintf(b, "%s  - %s\n", indent, writeScalar(list.Get(i)))
			continue
		}
		var item bytes.Buffer
		writeMessage(&item, list.Get(i).Message(), indent+"    ")
		if item.Len() == 0 {
			fmt.Fprintf(b, "%s  - {}\n", indent)
			continue
		}
		b.WriteString(indent + "  - ")
		b.Write(item.Bytes()[len(indent)+4:])
	}
}

func writeScalar(v protoreflect.Value) string {
	if s, ok := v.Interface().(string); ok {
		return quoteYAML(s)
	}
	return v.String()
}

// quoteYAML renders text in single quotes, where only the quote itself is special; field rules keep control
// characters out of every text.
func quoteYAML(s string) string {
	if isPlain(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// isPlain tells whether text needs no quotes: words and addresses that begin with a letter and that no YAML reader
// takes for something else.
func isPlain(s string) bool {
	if s == "" || !strings.ContainsAny(s[:1], "abcdefghijklmnopqrstuvwxyz/") {
		return false
	}
	switch s {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") == ""
}

// Messages renders the resources as messages of the schema: physical connections, routers, router interfaces, groups.
// What equals a default is left out. New(in.Messages()...) gives an equal Intent.
func (in *Intent) Messages() []proto.Message {
	var out []proto.Message
	for _, pc := range in.PhysicalConnections {
		out = append(out, &vbrv1.PhysicalConnection{Name: pc.Name, Owner: pc.Owner, Description: pc.Description, Host: pc.Host, Device: pc.Device})
	}
	for i := range in.Routers {
		if in.Routers[i].Kind == VRouter {
			out = append(out, in.Routers[i].vRouterMessage())
		} else {
			out = append(out, in.Routers[i].message())
		}
	}
	for i := range in.RouterInterfaces {
		out = append(out, in.RouterInterfaces[i].message())
	}
	for _, g := range in.Groups {
		m := &vbrv1.VbrHa{Name: g.Name, Owner: g.Owner, Description: g.Description, VbrId: g.VBR, PeerVbrId: g.Peer}
		if g.Standby {
			m.Mode = "ActiveStandby"
		}
		out = append(out, m)
	}
	return out
}

func (r *Router) message() *vbrv1.VirtualBorderRouter {
	m := &vbrv1.VirtualBorderRouter{Name: r.Name, Owner: r.Owner, Description: r.Description, Host: r.Host,
		LocalAsn: unless(r.LocalASN, DefaultLocalASN), RouteTableId: unless(r.TableID, 0), Bandwidth: uint32(r.Bandwidth / 1_000_000),
		BgpNetworks: texts(r.Networks), RouteEntries: routeMessages(r.Routes), Confirmed: r.Confirmed, HealthCheck: r.Health.message()}
	r.BFD.write(m)
	if !r.Terminated.IsZero() {
		m.TerminationTime = r.Terminated.UTC().Format(time.RFC3339)
	}
	if r.DefaultVRF {
		m.Vrf = "default"
	}
	for i, l := range r.Links {
		a := l.message()
		if i > 0 {
			m.AssociatedPhysicalConnections = append(m.AssociatedPhysicalConnections, a)
			continue
		}
		m.PhysicalConnectionId, m.VlanId, m.OuterVlanId = a.PhysicalConnectionId, a.VlanId, a.OuterVlanId
		m.LocalGatewayIp, m.PeerGatewayIp, m.PeeringSubnetMask = a.LocalGatewayIp, a.PeerGatewayIp, a.PeeringSubnetMask
		m.LocalIpv6GatewayIp, m.PeerIpv6GatewayIp, m.PeeringIpv6SubnetMask = a.LocalIpv6GatewayIp, a.PeerIpv6GatewayIp, a.PeeringIpv6SubnetMask
	}
	m.RoutePolicies = policyMessages(r.Policies)
	for _, p := range r.Peers {
		m.BgpPeers = append(m.BgpPeers, p.message())
	}
	return m
}

func (l Link) message() *vbrv1.AssociatedPhysicalConnection {
	m := &vbrv1.AssociatedPhysicalConnection{PhysicalConnectionId: l.PhysicalConnection, VlanId: uint32(l.VLAN), OuterVlanId: uint32(l.OuterVLAN)}
	if a := l.IPv4; a.IsValid() {
		mask, _ := netip.AddrFrom4([4]byte{255, 255, 255, 255}).Prefix(a.Subnet.Bits())
		m.LocalGatewayIp, m.PeerGatewayIp, m.PeeringSubnetMask = a.Local.String(), a.Peer.String(), mask.Addr().String()
	}
	if a := l.IPv6; a.IsValid() {
		m.LocalIpv6GatewayIp, m.PeerIpv6GatewayIp = a.Local.String(), a.Peer.String()
		m.PeeringIpv6SubnetMask = "/" + strconv.Itoa(a.Subnet.Bits())
	}
	return m
}

func (p Peer) message() *vbrv1.BgpPeer {
	m := &vbrv1.BgpPeer{PeerIpAddress: p.Address.String(), PeerAsn: proto.Uint32(p.ASN), AuthKeyFile: p.AuthKeyFile, KeyCredential: p.Credential,
		Hold:         unless(inSeconds(p.Hold), inSeconds(DefaultHold)),
		Keepalive:    unless(inSeconds(p.Keepalive), inSeconds(defaultKeepalive(p.Hold))),
		ConnectRetry: unless(inSeconds(p.ConnectRetry), inSeconds(DefaultConnectRetry)), LongLivedStaleTime: unless(inSeconds(p.LongLived), 0),
		EnableBfd: p.BFD, BfdStrict: p.BFDStrict}
	if !p.GTSM {
		m.TtlSecurity = proto.Bool(false)
	}
	return p.Rules.fill(m)
}

func inSeconds(d time.Duration) uint32 { return uint32(d / time.Second) }

// unless returns v, or nothing when it is the default.
func unless(v, otherwise uint32) *uint32 {
	if v == otherwise {
		return nil
	}
	return &v
}
