package evpn

import (
	"fmt"
	"net/netip"
)

// MaxVNI is the largest VXLAN network identifier (RFC 7348 5).
const MaxVNI = 1<<24 - 1

// mostTargets is how many route targets a route may have: for each of them its routers are looked up, and 64 KB have room for 8,000.
const mostTargets = 64

// Key is what tells type-5 routes apart (RFC 9136 3.1). Comparable.
type Key struct {
	RD          RD
	EthernetTag uint32 // 0 in the interface-less form
	Prefix      netip.Prefix
}

// Route is a type-5 route in interface-less form.
type Route struct {
	Key
	NextHop      netip.Addr    // the VTEP
	VNI          uint32        // 1..MaxVNI
	RouterMAC    MAC           // inner destination address towards the VTEP
	Targets      []RouteTarget // 1 to 64, all different
	Gateway      netip.Addr    // zero in the interface-less form
	ASPath       []uint32      // flattened
	Origin       uint8         // 0 IGP, 1 EGP, 2 incomplete
	MED          uint32        // valid with HasMED
	LocalPref    uint32        // valid with HasLocalPref; not sent on eBGP
	HasMED       bool
	HasLocalPref bool
	Communities  []uint32
	// LargeCommunities are RFC 8092's: global administrator, then two words of local data.
	LargeCommunities [][3]uint32
}

// check tells what keeps a route from being sent or taken.
func (r *Route) check() error {
	switch {
	case !r.RD.IsValid():
		return errRD
	case r.EthernetTag != 0:
		return errTag
	case !r.Prefix.IsValid() || r.Prefix.Addr().Is4In6():
		return errPrefix
	case !vtep(r.NextHop):
		return errNextHop
	case r.VNI == 0 || r.VNI > MaxVNI:
		return errVNI
	case !r.RouterMAC.IsUnicast():
		return errRouterMAC
	case r.Gateway.IsValid():
		return errGateway
	case len(r.Targets) == 0:
		return errNoTarget
	case len(r.Targets) > mostTargets:
		return errTargets
	}
	return nil
}

func vtep(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast()
}

// Reason is why a received route was dropped.
type Reason string

// Error implements error.
func (r Reason) Error() string { return string(r) }

const (
	errRD         Reason = "route distinguisher of no assigned type"
	errTag        Reason = "ethernet tag is not 0"
	errSegment    Reason = "ethernet segment is not 0"
	errGateway    Reason = "gateway is not 0"
	errLength     Reason = "length is not 34 or 58 octets"
	errPrefix     Reason = "malformed prefix"
	errNextHop    Reason = "next hop is no VTEP address"
	errVNI        Reason = "VNI is not 1..16777215"
	errRouterMAC  Reason = "no unicast router MAC"
	errNoTarget   Reason = "no route target"
	errTargets    Reason = "more than 64 route targets"
	errEncap      Reason = "encapsulation is not VXLAN"
	errLoop       Reason = "own AS in the path"      // RFC 4271 9.1.2
	errOwn        Reason = "originator is ourselves" // RFC 4456 8
	errOtherRoute Reason = "not a type-5 route"      // ignored, not malformed
)

// String is for logs and tests.
func (k Key) String() string { return fmt.Sprintf("[%v]%v", k.RD, k.Prefix) }
