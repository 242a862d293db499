package monitor

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// receivedOctets bounds what is kept of one session, by weigh: some 120,000 ordinary routes. It is the only bound here, since it is before any quota.
const receivedOctets = 64 << 20

// received are the routes that a peer has announced and not withdrawn, of IPv4 and of IPv6: its Adj-RIB-In, before any policy (RFC 4271 1.1).
// Nobody else keeps it, and it takes some 400 octets a route. Of a peer whose routes are too much none is kept until its session begins anew.
type received struct {
	routes [2]map[netip.Prefix]*apiutil.Path
	octets int
	over   bool
}

// apply takes in what an UPDATE says, and tells whether that has become too much.
func (r *received) apply(paths []*apiutil.Path) (tooMuch bool) {
	if r.over {
		return false
	}
	for _, p := range paths {
		nlri, ok := p.Nlri.(*bgp.IPAddrPrefix)
		if !ok {
			continue
		}
		of := &r.routes[index(p.Family == bgp.RF_IPv6_UC)]
		if old := (*of)[nlri.Prefix]; old != nil {
			r.octets -= weigh(old)
			delete(*of, nlri.Prefix)
		}
		if p.Withdrawal {
			continue
		}
		if *of == nil {
			*of = make(map[netip.Prefix]*apiutil.Path)
		}
		(*of)[nlri.Prefix] = p
		if r.octets += weigh(p); r.octets > receivedOctets {
			*r = received{over: true}
			return true
		}
	}
	return false
}

// weigh is what a path takes of memory, in octets, and rather too much: it counts attributes as if no other prefix of the UPDATE had them too.
func weigh(p *apiutil.Path) int {
	n := 240
	for _, a := range p.Attrs {
		n += 48
		switch a := a.(type) {
		case *bgp.PathAttributeAsPath:
			n += 16 * cap(a.Value)
			for _, s := range a.Value {
				n += 48 + 4*len(s.GetAS())
			}
		case *bgp.PathAttributeCommunities:
			n += 4 * cap(a.Value)
		case *bgp.PathAttributeLargeCommunities:
			n += 8*cap(a.Values) + 20*len(a.Values)
		default:
			n += 8 * a.Len() // CLUSTER_LIST takes the most, 24 octets for 4 and room to grow
		}
	}
	return n
}

func index(v6 bool) int {
	if v6 {
		return 1
	}
	return 0
}

// Update tells what an UPDATE says that has been judged and let through.
func (s *Source) Update(peer netip.Addr, session *wire.Session, body []byte, at time.Time) {
	if s == nil {
		return
	}
	paths, err := decode(session, body, at)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.complain(peer, err)
		return
	}
	s.Paths(peer, paths, at)
}

// decode makes paths of an UPDATE: withdrawn ones first.
func decode(session *wire.Session, body []byte, at time.Time) ([]*apiutil.Path, error) {
	h := &bgp.BGPHeader{Type: bgp.BGP_MSG_UPDATE, Len: uint16(bgp.BGP_HEADER_LENGTH + len(body))}
	m, err := bgp.ParseBGPBody(h, slices.Clone(body), &bgp.MarshallingOption{Use2ByteAS: !session.AS4, ExtendedMessage: true})
	if err != nil {
		return nil, fmt.Errorf("UPDATE: %w", err)
	}
	u := m.Body.(*bgp.BGPUpdate)
	var paths []*apiutil.Path
	add := func(nlri []bgp.PathNLRI, family bgp.Family, attrs []bgp.PathAttributeInterface) {
		for _, n := range nlri {
			paths = append(paths, &apiutil.Path{Nlri: n.NLRI, Family: family, Attrs: attrs, Withdrawal: attrs == nil, Age: at.Unix()})
		}
	}
	add(u.WithdrawnRoutes, bgp.RF_IPv4_UC, nil)
	attrs := u.PathAttributes
	if !session.AS4 {
		attrs = widened(attrs, session, body)
	}
	common := slices.DeleteFunc(slices.Clone(attrs), func(a bgp.PathAttributeInterface) bool {
		switch a := a.(type) {
		case *bgp.PathAttributeMpUnreachNLRI:
			add(a.Value, bgp.NewFamily(a.AFI, a.SAFI), nil)
			return true
		case *bgp.PathAttributeMpReachNLRI:
			return true
		case *bgp.PathAttributeUnknown:
			a.Value = slices.Clone(a.Value) // else it would keep the whole message
		}
		return false
	})
	add(u.NLRI, bgp.RF_IPv4_UC, common)
	for _, a := range attrs {
		if mp, ok := a.(*bgp.PathAttributeMpReachNLRI); ok {
			if err := reach(mp, common, add); err != nil {
				return nil, err
			}
		}
	}
	return paths, nil
}

// reach gives each prefix of MP_REACH_NLRI one of its own, as whoever reads a path expects.
func reach(mp *bgp.PathAttributeMpReachNLRI, common []bgp.PathAttributeInterface, add func([]bgp.PathNLRI, bgp.Family, []bgp.PathAttributeInterface)) error {
	common = slices.DeleteFunc(slices.Clone(common), func(a bgp.PathAttributeInterface) bool { return a.GetType() == bgp.BGP_ATTR_TYPE_NEXT_HOP })
	hops := []netip.Addr{mp.Nexthop}
	if mp.LinkLocalNexthop.IsValid() {
		hops = append(hops, mp.LinkLocalNexthop)
	}
	family := bgp.NewFamily(mp.AFI, mp.SAFI)
	for _, n := range mp.Value {
		own, err := bgp.NewPathAttributeMpReachNLRI(family, []bgp.PathNLRI{n}, hops...)
		if err != nil {
			return fmt.Errorf("announcement of %v: %w", n.NLRI, err)
		}
		add([]bgp.PathNLRI{n}, family, append(slices.Clip(common), own))
	}
	return nil
}

// widened are the attributes of a session of two-octet AS numbers with numbers of four (RFC 6793 4.2.3).
func widened(attrs []bgp.PathAttributeInterface, session *wire.Session, body []byte) (out []bgp.PathAttributeInterface) {
	classic, mp := session.Routes(body)
	a := classic.Attrs
	if a == nil {
		a = mp.Attrs
	}
	for _, x := range attrs {
		switch x.(type) {
		case *bgp.PathAttributeAs4Path, *bgp.PathAttributeAs4Aggregator:
			continue
		case *bgp.PathAttributeAsPath:
			if a != nil {
				x = bgp.NewPathAttributeAsPath(segments(a.ASPath))
			}
		case *bgp.PathAttributeAggregator:
			if a != nil {
				if wide, err := bgp.NewPathAttributeAggregator(a.AggregatorASN, a.Aggregator); err == nil {
					x = wide
				}
			}
		}
		out = append(out, x)
	}
	return out
}

func segments(path []wire.Segment) []bgp.AsPathParamInterface {
	l := make([]bgp.AsPathParamInterface, 0, len(path))
	for _, s := range path {
		l = append(l, bgp.NewAs4PathParam(s.Type, s.ASNs))
	}
	return l
}
