package bgp

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/openvbr/openvbr/bgp/internal/gobgp"
	"github.com/openvbr/openvbr/bgp/internal/monitor"
)

// Update is what one UPDATE message changed, or the part of it that has one next hop. Apply
// Withdrawn before Announced: a prefix in both is announced (RFC 4271 4.3). An UPDATE that broke
// the rules in a way that RFC 7606 calls treat-as-withdraw comes as withdrawals.
//
// Prefixes have no host bits set. They may repeat. The slices are the handler's to keep.
type Update struct {
	Peer      netip.Addr
	Attrs     *Attrs // nil when nothing is announced
	Announced []netip.Prefix
	Withdrawn []netip.Prefix
}

// Attrs are the path attributes of the announced prefixes. Nobody may change them: the prefixes of
// an UPDATE share them.
type Attrs struct {
	// NextHop is IPv6 for IPv6 prefixes, possibly IPv4-mapped, and for IPv4 prefixes under
	// RFC 8950. It is as the peer sent it: on-link or not is the user's to check. A link-local
	// address that MP_REACH_NLRI carries beside a global one (RFC 2545 3) is lost in GoBGP.
	NextHop       netip.Addr
	Origin        uint8 // 0 IGP, 1 EGP, 2 incomplete
	ASPath        []Segment
	MED           uint32 // valid with HasMED
	LocalPref     uint32 // valid with HasLocalPref; meaningless from an eBGP peer
	HasMED        bool
	HasLocalPref  bool
	AtomicAggr    bool
	Communities   []uint32    // RFC 1997
	LargeComms    [][3]uint32 // RFC 8092
	OriginatorID  netip.Addr  // RFC 4456; zero: none
	ClusterList   []netip.Addr
	OTC           uint32 // ONLY_TO_CUSTOMER, RFC 9234 5; 0: none
	AggregatorASN uint32 // 0: no AGGREGATOR
	Aggregator    netip.Addr
}

// Segment types of an AS path, RFC 4271 4.3 and RFC 5065 3.
const (
	ASSet          = 1
	ASSequence     = 2
	ConfedSequence = 3
	ConfedSet      = 4
)

// Segment is one segment of an AS path.
type Segment struct {
	Type uint8
	ASNs []uint32
}

// events turns what the server reports into handler calls.
type events struct {
	h      Handler
	source *monitor.Source // nil: there are no collectors
}

var (
	_ gobgp.Events    = events{}
	_ gobgp.Early     = events{}
	_ gobgp.Refresher = events{}
	_ gobgp.Opener    = events{}
)

// BeginRefresh implements gobgp.Refresher.
func (e events) BeginRefresh(peer netip.Addr) bool {
	r, ok := e.h.(RefreshHandler)
	return ok && r.BeginRefresh(peer)
}

// EndRefresh implements gobgp.Refresher.
func (e events) EndRefresh(peer netip.Addr) {
	if r, ok := e.h.(RefreshHandler); ok {
		r.EndRefresh(peer)
	}
}

// Opened implements gobgp.Opener.
func (e events) Opened(o gobgp.Opened) { e.source.Up(monitor.Session(o)) }

func (e events) PeerState(s gobgp.PeerState) {
	if !s.Established {
		e.source.Down(s.Peer, monitor.End{At: s.At, Removed: s.State == "removed", Lost: s.Ending.Lost, ByPeer: s.Ending.ByPeer, Code: s.Ending.Code, Subcode: s.Ending.Subcode})
	}
	e.h.PeerState(s)
}

// SessionLost implements gobgp.Early.
func (e events) SessionLost(peer netip.Addr) {
	if early, ok := e.h.(EarlyHandler); ok {
		early.SessionLost(peer)
	}
}

func (e events) EndOfRIB(peer netip.Addr, f gobgp.Families) {
	e.source.EndOfRIB(peer, f == IPv6, time.Now())
	e.h.EndOfRIB(peer, f == IPv6)
}

// Paths implements gobgp.Events.
func (e events) Paths(peer netip.Addr, paths []*apiutil.Path) {
	e.source.Paths(peer, paths, time.Now())
	e.Again(peer, paths)
}

// Again implements gobgp.Refresher, and hands up what Paths has. An UPDATE has at most two next hops: NEXT_HOP for its NLRI and
// the one in MP_REACH_NLRI (RFC 4760 3).
func (e events) Again(peer netip.Addr, paths []*apiutil.Path) {
	plain, mp := part{Update: Update{Peer: peer}}, part{Update: Update{Peer: peer}}
	for i, p := range paths {
		nlri, ok := p.Nlri.(*packet.IPAddrPrefix)
		if !ok {
			continue
		}
		u := &plain
		switch {
		case p.Withdrawal:
			u.Withdrawn = add(u.Withdrawn, nlri.Prefix, len(paths)-i)
			continue
		case hasReach(p.Attrs):
			u = &mp
		}
		if u.Attrs == nil {
			u.Attrs, u.malformed = attrs(p.Attrs)
		}
		if u.malformed {
			u.Withdrawn = add(u.Withdrawn, nlri.Prefix, len(paths)-i)
			continue
		}
		u.Announced = add(u.Announced, nlri.Prefix, len(paths)-i)
	}
	if mp.Attrs != nil && plain.Attrs == nil { // nearly always one or the other
		mp.Withdrawn, plain.Withdrawn = append(mp.Withdrawn, plain.Withdrawn...), nil
	}
	plain.clean()
	mp.clean()
	if plain.Attrs != nil || plain.Withdrawn != nil {
		e.h.Update(plain.Update)
	}
	if mp.Attrs != nil || mp.Withdrawn != nil {
		e.h.Update(mp.Update)
	}
}

// part is the part of an UPDATE that has one next hop.
type part struct {
	Update
	malformed bool // its attributes make what it announces withdrawn (RFC 7606)
}

// clean forgets attributes that nothing is announced with.
func (u *part) clean() {
	if u.Announced == nil {
		u.Attrs = nil
	}
}

// add appends, making room for all that can follow at once.
func add(l []netip.Prefix, p netip.Prefix, room int) []netip.Prefix {
	if l == nil {
		l = make([]netip.Prefix, 0, room)
	}
	return append(l, p)
}

func hasReach(l []packet.PathAttributeInterface) bool {
	for i := len(l) - 1; i >= 0; i-- { // GoBGP puts it last
		if _, ok := l[i].(*packet.PathAttributeMpReachNLRI); ok {
			return true
		}
	}
	return false
}

// attrs decodes once per UPDATE. Slices are GoBGP's own where it keeps them unchanged.
func attrs(l []packet.PathAttributeInterface) (a *Attrs, malformed bool) {
	a = &Attrs{}
	for _, x := range l {
		switch x := x.(type) {
		case *packet.PathAttributeNextHop:
			a.NextHop = x.Value
		case *packet.PathAttributeMpReachNLRI:
			a.NextHop = x.Nexthop
		case *packet.PathAttributeOrigin:
			a.Origin = x.Value
		case *packet.PathAttributeAsPath:
			a.ASPath = segments(x.Value)
		case *packet.PathAttributeMultiExitDisc:
			a.MED, a.HasMED = x.Value, true
		case *packet.PathAttributeLocalPref:
			a.LocalPref, a.HasLocalPref = x.Value, true
		case *packet.PathAttributeAtomicAggregate:
			a.AtomicAggr = true
		case *packet.PathAttributeCommunities:
			a.Communities = x.Value
		case *packet.PathAttributeLargeCommunities:
			a.LargeComms = largeCommunities(x.Values)
		case *packet.PathAttributeOriginatorId:
			a.OriginatorID = x.Value
		case *packet.PathAttributeClusterList:
			a.ClusterList = x.Value
		case *packet.PathAttributeUnknown: // GoBGP does not know RFC 9234
			if x.GetType() == attrOTC {
				a.OTC, malformed = onlyToCustomer(x.Value)
			}
		case *packet.PathAttributeAggregator:
			a.AggregatorASN, a.Aggregator = x.Value.AS, x.Value.Address
		}
	}
	return a, malformed
}

// attrOTC is the type of ONLY_TO_CUSTOMER (RFC 9234 5).
const attrOTC packet.BGPAttrType = 35

// onlyToCustomer reads ONLY_TO_CUSTOMER; one that is malformed makes the route withdrawn (RFC 9234 5).
func onlyToCustomer(value []byte) (asn uint32, malformed bool) {
	if len(value) != 4 {
		return 0, true
	}
	return binary.BigEndian.Uint32(value), false
}

func segments(l []packet.AsPathParamInterface) []Segment {
	if len(l) == 0 {
		return nil
	}
	out := make([]Segment, len(l))
	for i, p := range l {
		out[i] = Segment{Type: p.GetType(), ASNs: p.GetAS()}
	}
	return out
}

func largeCommunities(l []*packet.LargeCommunity) [][3]uint32 {
	out := make([][3]uint32, len(l))
	for i, c := range l {
		out[i] = [3]uint32{c.ASN, c.LocalData1, c.LocalData2}
	}
	return out
}
