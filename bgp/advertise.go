package bgp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/openvbr/openvbr/internal/fault"
)

// Advertisement is a route that we originate.
type Advertisement struct {
	Prefix netip.Prefix
	// NextHop zero: each session's own address. It must be of the prefix's family, or IPv6 for
	// an IPv4 prefix (RFC 8950).
	NextHop     netip.Addr
	ASPath      []uint32 // an AS_SEQUENCE, before our own AS is put in front of it
	Prepend     uint8    // how many more times than once Config.ASN is put in front; iBGP peers take it for a loop
	Origin      uint8    // 0 IGP, 1 EGP, 2 incomplete
	MED         uint32   // sent when HasMED
	HasMED      bool
	Communities []uint32
	LargeComms  [][3]uint32
	OTC         uint32 // ONLY_TO_CUSTOMER (RFC 9234 5); 0: none
}

// Advertise announces routes to all peers of their family, now and when they come up. A route
// replaces an earlier one for the same prefix; one that equals it is not sent again. Peers see
// our AS in front of ASPath on eBGP. A route is sent even to a peer whose AS is in ASPath.
//
// Nothing is done when one advertisement is unacceptable.
func (s *Speaker) Advertise(ads []Advertisement) error {
	paths := make([]*apiutil.Path, 0, len(ads))
	var last *Advertisement
	var shared []packet.PathAttributeInterface
	now := time.Now().Unix()
	for i := range ads {
		ad := &ads[i]
		nlri, err := ad.check()
		if err != nil {
			return fmt.Errorf("bgp: advertise %v: %w", ad.Prefix, err)
		}
		if last == nil || !last.sameAttrs(ad) {
			last, shared = ad, ad.attrs(s.asn)
		}
		paths = append(paths, &apiutil.Path{Family: family(ad.Prefix), Nlri: nlri, Attrs: shared, Age: now})
	}
	if err := fault.Around("session.advertise", func() error { return s.server.Add(paths) }); err != nil {
		return fmt.Errorf("bgp: advertise: %w", err)
	}
	return nil
}

// Withdraw takes advertisements back. A prefix that is not advertised is no error.
func (s *Speaker) Withdraw(prefixes []netip.Prefix) error {
	paths := make([]*apiutil.Path, 0, len(prefixes))
	now := time.Now().Unix()
	for _, p := range prefixes {
		nlri, err := packet.NewIPAddrPrefix(p)
		if err != nil {
			return fmt.Errorf("bgp: withdraw %v: %w", p, err)
		}
		paths = append(paths, &apiutil.Path{
			Family: family(p), Nlri: nlri, Withdrawal: true, Age: now,
			Attrs: []packet.PathAttributeInterface{nextHop(netip.Addr{}, p)},
		})
	}
	if err := fault.Around("session.withdraw", func() error { return s.server.Delete(paths) }); err != nil {
		return fmt.Errorf("bgp: withdraw: %w", err)
	}
	return nil
}

func (ad *Advertisement) check() (*packet.IPAddrPrefix, error) {
	nlri, err := packet.NewIPAddrPrefix(ad.Prefix)
	switch {
	case err != nil:
		return nil, err
	case ad.Prefix.Addr().Is4In6():
		return nil, fmt.Errorf("IPv4-mapped prefix")
	case ad.NextHop.Is4() && !ad.Prefix.Addr().Is4():
		return nil, fmt.Errorf("next hop %v: must be IPv6", ad.NextHop)
	case ad.Origin > 2:
		return nil, fmt.Errorf("origin %d: must be 0..2", ad.Origin)
	case len(ad.ASPath)+int(ad.Prepend) > 254: // one segment, with room for our own AS
		return nil, fmt.Errorf("AS path of %d: 254 at most", len(ad.ASPath)+int(ad.Prepend))
	}
	return nlri, nil
}

func (ad *Advertisement) sameAttrs(b *Advertisement) bool {
	return ad.NextHop == b.NextHop && ad.Prepend == b.Prepend && ad.Origin == b.Origin && ad.MED == b.MED && ad.HasMED == b.HasMED && ad.OTC == b.OTC &&
		ad.Prefix.Addr().Is4() == b.Prefix.Addr().Is4() && slices.Equal(ad.ASPath, b.ASPath) &&
		slices.Equal(ad.Communities, b.Communities) && slices.Equal(ad.LargeComms, b.LargeComms)
}

func (ad *Advertisement) attrs(own uint32) []packet.PathAttributeInterface {
	l := []packet.PathAttributeInterface{packet.NewPathAttributeOrigin(ad.Origin)}
	if path := slices.Concat(slices.Repeat([]uint32{own}, int(ad.Prepend)), ad.ASPath); len(path) > 0 {
		l = append(l, packet.NewPathAttributeAsPath([]packet.AsPathParamInterface{
			packet.NewAs4PathParam(packet.BGP_ASPATH_ATTR_TYPE_SEQ, path),
		}))
	}
	l = append(l, nextHop(ad.NextHop, ad.Prefix))
	if ad.HasMED {
		l = append(l, packet.NewPathAttributeMultiExitDisc(ad.MED))
	}
	if len(ad.Communities) > 0 {
		l = append(l, packet.NewPathAttributeCommunities(slices.Clone(ad.Communities)))
	}
	if len(ad.LargeComms) > 0 {
		var lc []*packet.LargeCommunity
		for _, c := range ad.LargeComms {
			lc = append(lc, &packet.LargeCommunity{ASN: c[0], LocalData1: c[1], LocalData2: c[2]})
		}
		l = append(l, packet.NewPathAttributeLargeCommunities(lc))
	}
	if ad.OTC != 0 {
		flags := packet.BGP_ATTR_FLAG_OPTIONAL | packet.BGP_ATTR_FLAG_TRANSITIVE
		l = append(l, packet.NewPathAttributeUnknown(flags, attrOTC, binary.BigEndian.AppendUint32(nil, ad.OTC)))
	}
	return l
}

// attrOTC is the type of ONLY_TO_CUSTOMER (RFC 9234 5), which GoBGP does not know.
const attrOTC packet.BGPAttrType = 35

// nextHop makes the attribute from which GoBGP takes a path's next hop. The unspecified address
// stands for the session's own.
func nextHop(a netip.Addr, p netip.Prefix) packet.PathAttributeInterface {
	if !a.IsValid() {
		a = netip.IPv6Unspecified()
		if p.Addr().Is4() {
			a = netip.IPv4Unspecified()
		}
	}
	attr, err := packet.NewPathAttributeNextHop(a)
	if err != nil { // only for an invalid address
		panic(err)
	}
	return attr
}

func family(p netip.Prefix) packet.Family {
	if p.Addr().Is4() {
		return packet.RF_IPv4_UC
	}
	return packet.RF_IPv6_UC
}
