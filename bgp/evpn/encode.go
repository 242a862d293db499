package evpn

import (
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// nlri encodes the key; the VNI is not part of it but travels with it.
func (k Key) nlri(vni uint32) (packet.NLRI, error) {
	gateway := netip.IPv6Unspecified()
	if k.Prefix.Addr().Is4() {
		gateway = netip.IPv4Unspecified()
	}
	return packet.NewEVPNIPPrefixRoute(packet.GetRouteDistinguisher(k.RD[:]),
		packet.EthernetSegmentIdentifier{Value: make([]byte, 9)}, k.EthernetTag,
		uint8(k.Prefix.Bits()), k.Prefix.Addr(), gateway, vni)
}

// encoder makes the paths that announce routes. Routes in a row with the same attributes share
// them.
type encoder struct {
	last  *Route
	attrs []packet.PathAttributeInterface
	now   int64
}

func (e *encoder) encode(r *Route) (*apiutil.Path, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	k := r.Key
	k.Prefix = k.Prefix.Masked()
	nlri, err := k.nlri(r.VNI)
	if err != nil {
		return nil, err
	}
	if e.last == nil || !e.last.sameAttributes(r) {
		if e.attrs, err = r.attributes(); err != nil {
			return nil, err
		}
		e.last = r
	}
	return &apiutil.Path{Family: packet.RF_EVPN, Nlri: nlri, Attrs: e.attrs, Age: e.now}, nil
}

func (r *Route) sameAttributes(o *Route) bool {
	return r.NextHop == o.NextHop && r.RouterMAC == o.RouterMAC && r.Origin == o.Origin &&
		r.MED == o.MED && r.HasMED == o.HasMED && r.LocalPref == o.LocalPref && r.HasLocalPref == o.HasLocalPref &&
		slices.Equal(r.Targets, o.Targets) && slices.Equal(r.ASPath, o.ASPath) && slices.Equal(r.Communities, o.Communities) &&
		slices.Equal(r.LargeCommunities, o.LargeCommunities)
}

func (r *Route) attributes() ([]packet.PathAttributeInterface, error) {
	nextHop, err := packet.NewPathAttributeNextHop(r.NextHop) // GoBGP makes MP_REACH_NLRI of it
	if err != nil {
		return nil, err
	}
	communities, err := r.extended()
	if err != nil {
		return nil, err
	}
	l := []packet.PathAttributeInterface{packet.NewPathAttributeOrigin(r.Origin)}
	if len(r.ASPath) > 0 {
		l = append(l, packet.NewPathAttributeAsPath([]packet.AsPathParamInterface{
			packet.NewAs4PathParam(packet.BGP_ASPATH_ATTR_TYPE_SEQ, slices.Clone(r.ASPath)),
		}))
	}
	l = append(l, nextHop)
	if r.HasMED {
		l = append(l, packet.NewPathAttributeMultiExitDisc(r.MED))
	}
	if r.HasLocalPref {
		l = append(l, packet.NewPathAttributeLocalPref(r.LocalPref))
	}
	if len(r.Communities) > 0 {
		l = append(l, packet.NewPathAttributeCommunities(slices.Clone(r.Communities)))
	}
	l = append(l, packet.NewPathAttributeExtendedCommunities(communities))
	if len(r.LargeCommunities) > 0 {
		large := make([]*packet.LargeCommunity, len(r.LargeCommunities))
		for i, c := range r.LargeCommunities {
			large[i] = packet.NewLargeCommunity(c[0], c[1], c[2])
		}
		l = append(l, packet.NewPathAttributeLargeCommunities(large))
	}
	return l, nil
}

func (r *Route) extended() (l []packet.ExtendedCommunityInterface, err error) {
	for _, rt := range r.Targets {
		if !rt.IsValid() {
			return nil, errNoTarget
		}
		c, err := packet.ParseExtended(rt[:])
		if err != nil {
			return nil, err
		}
		l = append(l, c)
	}
	return append(l,
		packet.NewEncapExtended(packet.TUNNEL_TYPE_VXLAN),
		&packet.RouterMacExtended{Mac: slices.Clone(r.RouterMAC[:])}), nil
}
