package monitor

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/packet/bmp"
)

// mostNLRI is how many prefixes a message has: with the longest of IPv6 and usual attributes it stays below 4096 octets.
const mostNLRI = 100

// Session is one that is up.
type Session struct {
	Peer, Local    netip.AddrPort
	ASN            uint32
	RouterID       netip.Addr // IPv4
	Sent, Received []byte     // the OPEN messages as they were on the wire
	At             time.Time
}

// End is why a session has ended.
type End struct {
	At            time.Time
	Removed       bool // the peer is not configured any more
	Lost          bool // the connection broke
	ByPeer        bool // the NOTIFICATION is the peer's
	Code, Subcode byte // of the NOTIFICATION; 0: none
}

// instance is a router as collectors know it.
type instance struct {
	router string
	table  uint32 // 0: the host's own
}

// header is the common header of a message with what follows it (RFC 7854 4.1).
func header(kind byte, parts ...[]byte) []byte {
	n := bmp.BMP_HEADER_SIZE
	for _, p := range parts {
		n += len(p)
	}
	b := make([]byte, 0, n)
	b = append(b, bmp.BMP_VERSION)
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = append(b, kind)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// perPeer is the header of messages about a peer (RFC 7854 4.2). Its distinguisher is the route distinguisher 0:table of type 0, which no VPN has, since AS 0
// is nobody's (RFC 7607): unique on the host, and kept over restarts.
func (i instance) perPeer(s *Session, at time.Time) []byte {
	kind, distinguisher := bmp.BMP_PEER_TYPE_L3VPN, uint64(i.table)
	if i.table == 0 {
		kind = bmp.BMP_PEER_TYPE_GLOBAL
	}
	b, _ := bmp.NewBMPPeerHeader(kind, 0, distinguisher, s.Peer.Addr().WithZone(""), s.ASN, s.RouterID, 0).Serialize() // its float has no room for microseconds
	binary.BigEndian.PutUint32(b[34:], uint32(at.Unix()))
	binary.BigEndian.PutUint32(b[38:], uint32(at.Nanosecond()/1000))
	return b
}

// tlv is an information TLV (RFC 7854 4.4).
func tlv(kind uint16, value string) []byte {
	b := binary.BigEndian.AppendUint16(nil, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}

// initiation says who we are (RFC 7854 4.3).
func initiation(name, description string) []byte {
	return header(bmp.BMP_MSG_INITIATION, tlv(bmp.BMP_INIT_TLV_TYPE_SYS_DESCR, description), tlv(bmp.BMP_INIT_TLV_TYPE_SYS_NAME, name))
}

// termination says goodbye (RFC 7854 4.5).
func termination() []byte {
	return header(bmp.BMP_MSG_TERMINATION, []byte{0, byte(bmp.BMP_TERM_TLV_TYPE_REASON), 0, 2, 0, bmp.BMP_TERM_REASON_ADMIN})
}

// up is the Peer Up Notification (RFC 7854 4.10) with the router's name (RFC 9736 2, RFC 9069 5.2.1).
func (i instance) up(s *Session) []byte {
	local := make([]byte, 16, 20)
	if a := s.Local.Addr().Unmap(); a.Is4() {
		copy(local[12:], a.AsSlice())
	} else {
		copy(local, a.AsSlice())
	}
	local = binary.BigEndian.AppendUint16(local, s.Local.Port())
	local = binary.BigEndian.AppendUint16(local, s.Peer.Port())
	return header(bmp.BMP_MSG_PEER_UP_NOTIFICATION, i.perPeer(s, s.At), local, s.Sent, s.Received, tlv(bmp.BMP_INIT_TLV_TYPE_VRF_TABLE_NAME, i.router))
}

// down is the Peer Down Notification (RFC 7854 4.9). A NOTIFICATION's data are not known any more.
func (i instance) down(s *Session, e End) []byte {
	var body []byte
	switch {
	case e.Removed:
		body = []byte{bmp.BMP_PEER_DOWN_REASON_PEER_DE_CONFIGURED}
	case e.Code != 0:
		body = []byte{bmp.BMP_PEER_DOWN_REASON_LOCAL_BGP_NOTIFICATION}
		if e.ByPeer {
			body[0] = bmp.BMP_PEER_DOWN_REASON_REMOTE_BGP_NOTIFICATION
		}
		n, _ := bgp.NewBGPNotificationMessage(e.Code, e.Subcode, nil).Serialize()
		body = append(body, n...)
	case e.Lost:
		body = []byte{bmp.BMP_PEER_DOWN_REASON_REMOTE_NO_NOTIFICATION}
	default:
		body = []byte{bmp.BMP_PEER_DOWN_REASON_LOCAL_NO_NOTIFICATION, 0, 0} // by no event of RFC 4271 8.1 that is known
	}
	return header(bmp.BMP_MSG_PEER_DOWN_NOTIFICATION, i.perPeer(s, e.At), body)
}

// routes are Route Monitoring messages (RFC 7854 4.6), each with an UPDATE of AS numbers of four octets.
func (i instance) routes(s *Session, paths []*apiutil.Path, at time.Time) (messages [][]byte, err error) {
	peer := i.perPeer(s, at)
	for len(paths) > 0 {
		n := alike(paths)
		update, failed := updateOf(paths[:n])
		if failed != nil {
			err = failed
		} else {
			messages = append(messages, header(bmp.BMP_MSG_ROUTE_MONITORING, peer, update))
		}
		paths = paths[n:]
	}
	return messages, err
}

// endOfRIB says that a family is complete (RFC 7854 5, RFC 4724 2).
func (i instance) endOfRIB(s *Session, family bgp.Family, at time.Time) []byte {
	b, _ := bgp.NewEndOfRib(family).Serialize()
	return header(bmp.BMP_MSG_ROUTE_MONITORING, i.perPeer(s, at), b)
}

// alike counts the paths at the beginning that one UPDATE can have.
func alike(paths []*apiutil.Path) int {
	first, n := paths[0], 1
	for n < len(paths) && n < mostNLRI && paths[n].Family == first.Family && paths[n].Withdrawal == first.Withdrawal && (first.Withdrawal || sameAttrs(paths[n].Attrs, first.Attrs)) {
		n++
	}
	return n
}

// sameAttrs says whether two paths share their attributes, as those of one UPDATE do.
func sameAttrs(a, b []bgp.PathAttributeInterface) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] == b[i] {
			continue
		}
		x, ok1 := a[i].(*bgp.PathAttributeMpReachNLRI) // each path has its own, with its prefix
		y, ok2 := b[i].(*bgp.PathAttributeMpReachNLRI)
		if !ok1 || !ok2 || x.Nexthop != y.Nexthop || x.LinkLocalNexthop != y.LinkLocalNexthop {
			return false
		}
	}
	return true
}

// updateOf is the UPDATE message that says what the paths, which are alike, say.
func updateOf(paths []*apiutil.Path) ([]byte, error) {
	family := paths[0].Family
	nlri := make([]bgp.PathNLRI, len(paths))
	for i, p := range paths {
		nlri[i] = bgp.PathNLRI{NLRI: p.Nlri}
	}
	var m *bgp.BGPMessage
	switch {
	case paths[0].Withdrawal && family == bgp.RF_IPv4_UC:
		m = bgp.NewBGPUpdateMessage(nlri, nil, nil)
	case paths[0].Withdrawal:
		un, err := bgp.NewPathAttributeMpUnreachNLRI(family, nlri)
		if err != nil {
			return nil, fmt.Errorf("withdrawal of %v: %w", paths[0].Nlri, err)
		}
		m = bgp.NewBGPUpdateMessage(nil, []bgp.PathAttributeInterface{un}, nil)
	default:
		attrs, classic, err := announcing(paths[0].Attrs, family, nlri)
		if err != nil {
			return nil, fmt.Errorf("announcement of %v: %w", paths[0].Nlri, err)
		}
		if !classic {
			nlri = nil
		}
		m = bgp.NewBGPUpdateMessage(nil, attrs, nlri)
	}
	b, err := m.Serialize(&bgp.MarshallingOption{ExtendedMessage: true})
	if err != nil {
		return nil, fmt.Errorf("UPDATE of %v: %w", paths[0].Nlri, err)
	}
	return b, nil
}

// announcing are a path's attributes with MP_REACH_NLRI, if it has that, for the prefixes; classic means that the prefixes stand at the UPDATE's end.
func announcing(attrs []bgp.PathAttributeInterface, family bgp.Family, nlri []bgp.PathNLRI) (out []bgp.PathAttributeInterface, classic bool, err error) {
	classic = true
	for _, a := range attrs {
		if mp, ok := a.(*bgp.PathAttributeMpReachNLRI); ok {
			classic = false
			hops := []netip.Addr{mp.Nexthop}
			if mp.LinkLocalNexthop.IsValid() {
				hops = append(hops, mp.LinkLocalNexthop)
			}
			if a, err = bgp.NewPathAttributeMpReachNLRI(family, nlri, hops...); err != nil {
				return nil, false, err
			}
		}
		out = append(out, a)
	}
	return out, classic, nil
}
