package bgp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"unique"

	"github.com/openvbr/openvbr/bgp/internal/out"
	"github.com/openvbr/openvbr/bgp/internal/wire"
	"github.com/openvbr/openvbr/internal/fault"
)

// Advertisement is a route that we originate.
type Advertisement struct {
	Prefix netip.Prefix
	// NextHop zero: each session's own address. It must be of the prefix's family, or IPv6 for
	// an IPv4 prefix (RFC 8950).
	NextHop     netip.Addr
	ASPath      []uint32 // AS_SEQUENCEs, of 255 each as they are told, before our own AS is put in front
	Prepend     uint8    // how many more times than once Config.ASN is put in front; iBGP peers take it for a loop
	Origin      uint8    // 0 IGP, 1 EGP, 2 incomplete
	MED         uint32   // sent when HasMED
	HasMED      bool
	Communities []uint32
	LargeComms  [][3]uint32
	OTC         uint32 // ONLY_TO_CUSTOMER (RFC 9234 5); 0: none
}

// Advertise puts routes into a table: they are announced to all peers that are told it (Peer.Export) and have the route's family, now and when they come
// up. A route replaces an earlier one for the same prefix; one that equals it is not sent again. Peers see our AS in front of ASPath on eBGP. A route is
// sent even to a peer whose AS is in ASPath.
//
// Nothing is done when one advertisement is unacceptable. One whose attributes do not fit into a message (RFC 4271 4) is not told, which the log says.
func (s *Speaker) Advertise(table string, ads []Advertisement) error {
	routes := make([]out.Route, 0, len(ads))
	var last *Advertisement
	var shared unique.Handle[out.Attrs]
	for i := range ads {
		ad := &ads[i]
		if err := ad.check(); err != nil {
			return fmt.Errorf("bgp: advertise %v: %w", ad.Prefix, err)
		}
		if last == nil || !last.sameAttrs(ad) {
			last, shared = ad, ad.attrs(s.asn)
		}
		routes = append(routes, out.Route{Key: out.Key{Prefix: ad.Prefix.Masked()}, Attrs: shared})
	}
	if err := fault.Around("session.advertise", func() error { return s.server.Announce(table, routes) }); err != nil {
		return fmt.Errorf("bgp: advertise: %w", err)
	}
	return nil
}

// Withdraw takes advertisements back from a table. A prefix that is not advertised is no error.
func (s *Speaker) Withdraw(table string, prefixes []netip.Prefix) error {
	keys := make([]out.Key, 0, len(prefixes))
	for _, p := range prefixes {
		if !p.IsValid() {
			return fmt.Errorf("bgp: withdraw %v: %w", p, errPrefix)
		}
		keys = append(keys, out.Key{Prefix: p.Masked()})
	}
	if err := fault.Around("session.withdraw", func() error { return s.server.Withdraw(table, keys) }); err != nil {
		return fmt.Errorf("bgp: withdraw: %w", err)
	}
	return nil
}

var errPrefix = errors.New("no prefix")

func (ad *Advertisement) check() error {
	switch {
	case !ad.Prefix.IsValid():
		return errPrefix
	case ad.Prefix.Addr().Is4In6():
		return errors.New("IPv4-mapped prefix")
	case ad.NextHop.Is4() && !ad.Prefix.Addr().Is4():
		return fmt.Errorf("next hop %v: must be IPv6", ad.NextHop)
	case ad.Origin > 2:
		return fmt.Errorf("origin %d: must be 0..2", ad.Origin)
	}
	return nil
}

func (ad *Advertisement) sameAttrs(b *Advertisement) bool {
	return ad.NextHop == b.NextHop && ad.Prepend == b.Prepend && ad.Origin == b.Origin && ad.MED == b.MED && ad.HasMED == b.HasMED && ad.OTC == b.OTC &&
		slices.Equal(ad.ASPath, b.ASPath) && slices.Equal(ad.Communities, b.Communities) && slices.Equal(ad.LargeComms, b.LargeComms)
}

func (ad *Advertisement) attrs(own uint32) unique.Handle[out.Attrs] {
	a := out.Attrs{
		NextHop: ad.NextHop, Origin: ad.Origin, OTC: ad.OTC,
		Path:        out.Words(slices.Concat(slices.Repeat([]uint32{own}, int(ad.Prepend)), ad.ASPath)...),
		Communities: out.Words(ad.Communities...), Large: out.Triples(ad.LargeComms),
	}
	if ad.HasMED {
		a.MED, a.HasMED = ad.MED, true
	}
	return unique.Make(a)
}

// Untold says why a neighbour is not told of a prefix that is advertised in its table: what it cannot be told, and for want of long-lived graceful restart
// is not to be. It is empty if the neighbour is told, and if there is no such prefix or no session.
func (s *Speaker) Untold(peer netip.Addr, prefix netip.Prefix) string {
	return s.server.Untold(peer, out.Key{Prefix: prefix.Masked()})
}

// Withheld says why a route with these communities is not for a neighbour of another AS (RFC 1997); empty if it is. A speaker
// advertises it even so, as communities that an export policy has added are the neighbour's to obey: see evpn.Speaker.Export for those who have none.
func Withheld(communities []uint32) string {
	for _, c := range communities {
		if why := wire.Withheld(c, false); why != "" {
			return why
		}
	}
	return ""
}
