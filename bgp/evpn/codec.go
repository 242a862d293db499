package evpn

import (
	"encoding/binary"
	"slices"

	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// encapsulationVXLAN is the tunnel type in the Encapsulation extended community (RFC 8365 5.1.3).
const encapsulationVXLAN = 8

// Extended community types read or written here, as type<<8|subtype.
const (
	ecEncapsulation = 0x030c // RFC 9012 4.1
	ecRouterMAC     = 0x0603 // RFC 9135 8.1
)

// attributes are what the routes of one UPDATE share.
type attributes struct {
	route Route // without key, VNI and gateway
	// RFC 8365 5.1.3: a route may offer several encapsulations; none named means VXLAN here.
	encapsulations, vxlan bool
}

// decodeAttributes reads an UPDATE's attributes once for all its routes.
func decodeAttributes(l []packet.PathAttributeInterface) (a attributes) {
	r := &a.route
	for _, x := range l {
		switch x := x.(type) {
		case *packet.PathAttributeMpReachNLRI:
			r.NextHop = x.Nexthop
		case *packet.PathAttributeOrigin:
			r.Origin = x.Value
		case *packet.PathAttributeAsPath:
			for _, s := range x.Value {
				r.ASPath = append(r.ASPath, s.GetAS()...)
			}
		case *packet.PathAttributeMultiExitDisc:
			r.MED, r.HasMED = x.Value, true
		case *packet.PathAttributeLocalPref:
			r.LocalPref, r.HasLocalPref = x.Value, true
		case *packet.PathAttributeCommunities:
			r.Communities = x.Value
		case *packet.PathAttributeLargeCommunities:
			for _, c := range x.Values {
				r.LargeCommunities = append(r.LargeCommunities, [3]uint32{c.ASN, c.LocalData1, c.LocalData2})
			}
		case *packet.PathAttributeExtendedCommunities:
			a.extended(x.Value)
		}
	}
	return a
}

func (a *attributes) extended(l []packet.ExtendedCommunityInterface) {
	for _, c := range l {
		b, err := c.Serialize()
		if err != nil || len(b) != 8 {
			continue
		}
		switch {
		case RouteTarget(b).IsValid():
			a.route.Targets = append(a.route.Targets, RouteTarget(b))
		case binary.BigEndian.Uint16(b) == ecRouterMAC:
			a.route.RouterMAC = MAC(b[2:])
		case binary.BigEndian.Uint16(b) == ecEncapsulation:
			a.encapsulations = true
			a.vxlan = a.vxlan || binary.BigEndian.Uint16(b[6:]) == encapsulationVXLAN
		}
	}
}

// decodeKey reads what identifies a route. errOtherRoute: it is of another EVPN type.
func decodeKey(n packet.NLRI) (Key, *packet.EVPNIPPrefixRoute, error) {
	e, ok := n.(*packet.EVPNNLRI)
	if !ok {
		return Key{}, nil, errOtherRoute
	}
	p, ok := e.RouteTypeData.(*packet.EVPNIPPrefixRoute)
	if !ok {
		return Key{}, nil, errOtherRoute
	}
	rd, err := decodeRD(p.RD)
	if err != nil {
		return Key{}, nil, err
	}
	prefix, err := p.IPPrefix.Prefix(int(p.IPPrefixLength))
	if err != nil || p.IPPrefix.Is4In6() {
		return Key{}, nil, errPrefix
	}
	return Key{RD: rd, EthernetTag: p.ETag, Prefix: prefix}, p, nil
}

func decodeRD(x packet.RouteDistinguisherInterface) (RD, error) {
	if _, unknown := x.(*packet.RouteDistinguisherUnknown); unknown || x == nil {
		return RD{}, errRD // GoBGP loses its value: two of them would look alike
	}
	b, err := x.Serialize()
	if err != nil || len(b) != 8 {
		return RD{}, errRD
	}
	return RD(b), nil
}

// decode makes a Route of a prefix and its UPDATE's attributes.
func (a *attributes) decode(k Key, p *packet.EVPNIPPrefixRoute) (Route, error) {
	r := a.route
	r.Key, r.VNI = k, p.Label
	if !p.GWIPAddress.IsUnspecified() {
		r.Gateway = p.GWIPAddress
	}
	if p.ESI.Type != 0 || slices.ContainsFunc(p.ESI.Value, func(b byte) bool { return b != 0 }) {
		return Route{}, errSegment
	}
	if a.encapsulations && !a.vxlan {
		return Route{}, errEncap
	}
	if err := r.check(); err != nil {
		return Route{}, err
	}
	return r, nil
}
