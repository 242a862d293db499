package bgp

import (
	"net/netip"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/gobgp"
	"github.com/openvbr/openvbr/bgp/internal/monitor"
	"github.com/openvbr/openvbr/bgp/internal/wire"
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

// These are of package wire.
type (
	// Attrs are the path attributes of announced prefixes. Nobody may change them: the prefixes of an UPDATE share them.
	Attrs = wire.Attrs
	// Segment is one segment of an AS path.
	Segment = wire.Segment
)

// Segment types of an AS path, RFC 4271 4.3 and RFC 5065 3.
const (
	ASSet          = wire.ASSet
	ASSequence     = wire.ASSequence
	ConfedSequence = wire.ConfedSequence
	ConfedSet      = wire.ConfedSet
)

// events turns what the server reports into handler calls.
type events struct {
	h      Handler
	source *monitor.Source // nil: there are no collectors
}

var (
	_ gobgp.Events    = events{}
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

func (e events) EndOfRIB(peer netip.Addr, f gobgp.Families) {
	e.source.EndOfRIB(peer, f == IPv6, time.Now())
	e.h.EndOfRIB(peer, f == IPv6)
}

// Update implements gobgp.Events. An UPDATE has at most two next hops: NEXT_HOP for its NLRI and the one in MP_REACH_NLRI (RFC 4760 3).
func (e events) Update(peer netip.Addr, session *wire.Session, body []byte) {
	e.source.Update(peer, session, body, time.Now())
	classic, mp := session.Routes(body)
	for _, r := range [...]*wire.Routes{&classic, &mp} {
		if !r.Empty() {
			e.h.Update(Update{Peer: peer, Attrs: r.Attrs, Announced: r.Announced, Withdrawn: r.Withdrawn})
		}
	}
}
