package out

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"strings"
	"unique"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// Key tells routes apart: a prefix without host bits, and of an EVPN type-5 route its route distinguisher (RFC 9136 3.1), which of others is zero.
type Key struct {
	Prefix netip.Prefix
	RD     [8]byte
}

// family is the route's. Its table is of that family alone.
func (k *Key) family() wire.Family {
	switch {
	case k.RD != [8]byte{}:
		return wire.EVPN
	case k.Prefix.Addr().Is4():
		return wire.IPv4
	}
	return wire.IPv6
}

// Route is one that we originate.
type Route struct {
	Key
	Label uint32 // EVPN: the VNI
	Attrs unique.Handle[Attrs]
}

// withdrawn is the Attrs of a route that is not there.
var withdrawn unique.Handle[Attrs]

// Attrs are path attributes, without what a session adds. Lists are octets as on the wire: see Words.
type Attrs struct {
	NextHop                      netip.Addr // zero: each session's own address
	Path                         string     // four-octet numbers, told as AS_SEQUENCEs of 255, before a session's own AS is put in front
	Communities, Extended, Large string
	MED, LocalPref, OTC          uint32 // valid with HasMED, HasLocalPref; OTC (RFC 9234 5) unless 0. LOCAL_PREF is for iBGP, 100 there without one.
	Origin                       uint8
	HasMED, HasLocalPref         bool
}

// Words are numbers of four octets as they are on the wire.
func Words(l ...uint32) string {
	var b strings.Builder
	b.Grow(4 * len(l))
	for _, w := range l {
		var octets [4]byte
		binary.BigEndian.PutUint32(octets[:], w)
		b.Write(octets[:])
	}
	return b.String()
}

// Triples are large communities as they are on the wire (RFC 8092 3).
func Triples(l [][3]uint32) string {
	words := make([]uint32, 0, 3*len(l))
	for _, t := range l {
		words = append(words, t[:]...)
	}
	return Words(words...)
}

// llgrStale is the community of a route that its peer's restart outlived (RFC 9494 3.3): it is for peers with long-lived graceful restart only (4.3).
const llgrStale = 0xffff0006

// communities are the numbers on the wire.
func (a *Attrs) communities() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for c := a.Communities; len(c) >= 4; c = c[4:] {
			if !yield(uint32(c[0])<<24 | uint32(c[1])<<16 | uint32(c[2])<<8 | uint32(c[3])) {
				return
			}
		}
	}
}
