package evpn

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// typePrefix is the route type of an IP prefix (RFC 9136 3).
const typePrefix = 5

// encapsulationVXLAN is the tunnel type in the Encapsulation extended community (RFC 8365 5.1.3).
const encapsulationVXLAN = 8

// Extended community types read here, as type<<8|subtype.
const (
	ecEncapsulation = 0x030c // RFC 9012 4.1
	ecRouterMAC     = 0x0603 // RFC 9135 8.1
)

// Where the fields of a type-5 route are (RFC 9136 3.1): distinguisher, segment, tag, length of the prefix, prefix, gateway, label of three octets.
const (
	atSegment   = 8
	atTag       = 18
	atBits      = 22
	atPrefix    = 23
	withoutIP   = 26 // what two addresses are added to
	length4     = withoutIP + 2*4
	length6     = withoutIP + 2*16
	labelOctets = 3
)

// prefixRoute is a type-5 route as it is on the wire, without attributes.
type prefixRoute struct {
	Key
	vni   uint32
	fault Reason // what keeps it from being announced, not from being withdrawn; "": nothing
}

// readPrefix reads the octets of a type-5 route. With an error not even its key is of use.
func readPrefix(b []byte) (r prefixRoute, err error) {
	if len(b) != length4 && len(b) != length6 {
		return r, errLength
	}
	gateway := atPrefix + (len(b)-withoutIP)/2
	label := len(b) - labelOctets
	r.RD = RD(b)
	a, _ := netip.AddrFromSlice(b[atPrefix:gateway])
	if r.Prefix, err = a.Prefix(int(b[atBits])); err != nil || a.Is4In6() {
		return r, errPrefix
	}
	if !r.RD.assigned() {
		return r, errRD
	}
	r.EthernetTag = binary.BigEndian.Uint32(b[atTag:])
	r.vni = uint32(b[label])<<16 | uint32(b[label+1])<<8 | uint32(b[label+2])
	switch {
	case !zero(b[atSegment:atTag]):
		r.fault = errSegment
	case !zero(b[gateway:label]):
		r.fault = errGateway
	}
	return r, nil
}

// describe is for logs: the key if it can be read, else the octets.
func describe(value []byte) string {
	if p, err := readPrefix(value); err == nil {
		return p.Key.String()
	}
	return fmt.Sprintf("%x", value)
}

func zero(b []byte) bool { return !slices.ContainsFunc(b, func(x byte) bool { return x != 0 }) }

// attributes are what the announced routes of one UPDATE share.
type attributes struct {
	route Route  // without key and VNI
	fault Reason // what keeps all of them from being taken; "": nothing
}

// readAttributes reads an UPDATE's attributes once for all its routes.
func (e *events) readAttributes(o *wire.Overlay) *attributes {
	a := &attributes{route: Route{
		NextHop: o.Attrs.NextHop, Origin: o.Attrs.Origin,
		MED: o.Attrs.MED, HasMED: o.Attrs.HasMED, LocalPref: o.Attrs.LocalPref, HasLocalPref: o.Attrs.HasLocalPref,
		Communities: o.Attrs.Communities, LargeCommunities: o.Attrs.LargeComms,
	}}
	for _, s := range o.Attrs.ASPath {
		a.route.ASPath = append(a.route.ASPath, s.ASNs...)
	}
	encapsulation := a.extended(o.Extended)
	switch {
	case !encapsulation:
		a.fault = errEncap
	case slices.Contains(a.route.ASPath, e.asn):
		a.fault = errLoop
	case o.Attrs.OriginatorID == e.id:
		a.fault = errOwn
	}
	return a
}

// extended reads the extended communities, and tells whether VXLAN is offered. RFC 8365 5.1.3: a route may offer several encapsulations; none named means
// VXLAN here. A route target that is said twice is one. Of too many one more than may be is kept, for which check refuses the routes.
func (a *attributes) extended(b []byte) bool {
	named, vxlan := false, false
	for ; len(b) >= 8; b = b[8:] {
		switch c := RouteTarget(b); {
		case c.IsValid():
			if len(a.route.Targets) <= mostTargets && !slices.Contains(a.route.Targets, c) {
				a.route.Targets = append(a.route.Targets, c)
			}
		case binary.BigEndian.Uint16(b) == ecRouterMAC:
			a.route.RouterMAC = MAC(b[2:])
		case binary.BigEndian.Uint16(b) == ecEncapsulation:
			named = true
			vxlan = vxlan || binary.BigEndian.Uint16(b[6:]) == encapsulationVXLAN
		}
	}
	return vxlan || !named
}

// with makes a Route of the attributes and a route's own part.
func (a *attributes) with(k Key, vni uint32) Route {
	r := a.route
	r.Key, r.VNI = k, vni
	return r
}

// announce makes a Route, or tells what is wrong with it.
func (a *attributes) announce(p *prefixRoute) (Route, error) {
	for _, fault := range []Reason{p.fault, a.fault} {
		if fault != "" {
			return Route{}, fault
		}
	}
	r := a.with(p.Key, p.vni)
	return r, r.check()
}
