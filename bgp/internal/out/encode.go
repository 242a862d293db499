package out

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"unique"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// Attribute flags (RFC 4271 4.3) and types (IANA "BGP Path Attributes").
const (
	optional, transitive, extendedLength = 0x80, 0x40, 0x10

	origin, asPath, nextHop, med, localPref, communities, mpReach, mpUnreach, extended, as4Path, large, onlyCustomer = 1, 2, 3, 4, 5, 8, 14, 15, 16, 17, 32, 35
)

const (
	// defaultPref is LOCAL_PREF towards iBGP peers (RFC 4271 5.1.5) of routes that have none.
	defaultPref = 100
	// sequence is the type of a segment (RFC 4271 4.3), which holds so many numbers at most.
	sequence, segment = 2, 255
	// fixed is what an UPDATE has beside withdrawn routes, attributes and routes (RFC 4271 4.3).
	fixed = wire.HeaderLen + 4
)

// encoder makes UPDATEs for one peer. It keeps its memory from one batch to the next.
type encoder struct {
	peer    *Peer
	changes []Route
	buf     []byte
	groups  map[unique.Handle[Attrs]]int // index in lists
	lists   [][]Route
	attrs   []byte
}

// updates appends what says the changes: withdrawals first, and then the routes with each set of attributes, in the order of their first one.
func (e *encoder) updates(b []byte, f wire.Family, changes []Route) []byte {
	if e.groups == nil {
		e.groups = map[unique.Handle[Attrs]]int{}
	}
	clear(e.groups)
	count, gone := 0, []Route(nil)
	for _, r := range changes {
		if r.Attrs == withdrawn {
			gone = append(gone, r)
			continue
		}
		i, ok := e.groups[r.Attrs]
		if !ok {
			i = count
			e.groups[r.Attrs] = i
			if count++; count > len(e.lists) {
				e.lists = append(e.lists, nil)
			}
			e.lists[i] = e.lists[i][:0]
		}
		e.lists[i] = append(e.lists[i], r)
	}
	b = withdrawals(b, f, gone)
	for _, l := range e.lists[:count] {
		b = e.announcements(b, f, l)
	}
	return b
}

// announcements appends what announces routes with the same attributes. Those that the peer cannot be told are withdrawn: it may know what they replace.
func (e *encoder) announcements(b []byte, f wire.Family, routes []Route) []byte {
	a := routes[0].Attrs.Value()
	if e.peer.kept(f, &a) != "" {
		return withdrawals(b, f, routes)
	}
	hop, room, why := e.fit(f, &a)
	if why != "" {
		return e.unfit(b, f, routes, why)
	}
	classic := f == wire.IPv4 && hop.Is4()
	for len(routes) > 0 {
		n := fitting(routes, room)
		if n == 0 {
			return e.unfit(b, f, routes, TooLong)
		}
		start := len(b)
		b = append(b, header...)
		b = append(b, 0, 0, 0, 0)
		from := len(b)
		if !classic {
			b = reach(b, f, hop, routes[:n])
		}
		b = append(b, e.attrs...)
		binary.BigEndian.PutUint16(b[from-2:], uint16(len(b)-from))
		if classic {
			b = appendRoutes(b, routes[:n], false)
		}
		binary.BigEndian.PutUint16(b[start+16:], uint16(len(b)-start))
		routes = routes[n:]
	}
	return b
}

// kept says why the peer is not to be told routes with these attributes; empty if it is. RFC 1997 is the caller's, before its export policy, but for EVPN,
// which has none. EVPN routes that are stale for long are for all, with the LOCAL_PREF that they have (RFC 9494 4.6).
func (p *Peer) kept(f wire.Family, a *Attrs) string {
	for c := range a.communities() {
		if f == wire.EVPN {
			if why := wire.Withheld(c, p.IBGP); why != "" {
				return why
			}
		} else if c == llgrStale && !slices.Contains(p.LongLived, f) {
			return Stale
		}
	}
	return ""
}

// fit makes e.attrs of a set of attributes. It returns the next hop and the room for routes beside them, or why the peer can be told none.
func (e *encoder) fit(f wire.Family, a *Attrs) (hop netip.Addr, room int, why string) {
	if hop = a.NextHop; !hop.IsValid() {
		hop = e.peer.Local
	}
	classic := f == wire.IPv4 && hop.Is4()
	if f == wire.IPv4 && !classic && !e.peer.HopSix {
		return hop, 0, HopUnknown
	}
	e.attributes(a, hop, classic)
	room = wire.MaxLen - fixed - len(e.attrs)
	if !classic {
		room -= 4 + 5 + len(hop.AsSlice())
	}
	return hop, room, ""
}

// Why a peer is not told routes, beside RFC 1997.
const (
	TooLong    = "the attributes do not fit into a message"
	HopUnknown = "the next hop is IPv6, which the peer does not take for IPv4 prefixes (RFC 8950)"
	Stale      = "it is stale for long (LLGR_STALE), and the peer has no long-lived graceful restart (RFC 9494 4.3)"
)

// unfit appends what withdraws routes with the same attributes that the peer cannot be told.
func (e *encoder) unfit(b []byte, f wire.Family, routes []Route, why string) []byte {
	if e.peer.Unfit != nil {
		a := routes[0].Attrs.Value()
		e.peer.Unfit(len(routes), &a, why)
	}
	return withdrawals(b, f, routes)
}

// attributes makes e.attrs: those of a set as the peer is told them, in the order of their types, without MP_REACH_NLRI.
func (e *encoder) attributes(a *Attrs, hop netip.Addr, classic bool) {
	b := append(e.attrs[:0], transitive, origin, 1, a.Origin)
	path := a.Path
	if !e.peer.IBGP {
		path = Words(e.peer.ASN) + path
	}
	wide := false
	if e.peer.AS4 {
		b = attribute(b, transitive, asPath, segments(path, 4))
	} else {
		b = attribute(b, transitive, asPath, segments(path, 2))
		wide = hasWide(path)
	}
	if classic {
		b = attribute(b, transitive, nextHop, string(hop.AsSlice()))
	}
	if a.HasMED {
		b = attribute(b, optional, med, Words(a.MED))
	}
	if e.peer.IBGP {
		pref := uint32(defaultPref)
		if a.HasLocalPref {
			pref = a.LocalPref
		}
		b = attribute(b, transitive, localPref, Words(pref))
	}
	b = list(b, communities, a.Communities)
	b = list(b, extended, a.Extended)
	if wide {
		b = list(b, as4Path, segments(path, 4))
	}
	b = list(b, large, a.Large)
	if a.OTC != 0 {
		b = list(b, onlyCustomer, Words(a.OTC))
	}
	e.attrs = b
}

// list appends an optional transitive attribute, unless it is empty.
func list(b []byte, typ byte, value string) []byte {
	if value == "" {
		return b
	}
	return attribute(b, optional|transitive, typ, value)
}

func attribute(b []byte, flags, typ byte, value string) []byte {
	if len(value) > 255 {
		b = binary.BigEndian.AppendUint16(append(b, flags|extendedLength, typ), uint16(len(value)))
	} else {
		b = append(b, flags, typ, byte(len(value)))
	}
	return append(b, value...)
}

// segments is the value of AS_PATH with numbers of two octets or four.
func segments(path string, size int) string {
	var b []byte
	for len(path) > 0 {
		n := min(len(path)/4, segment)
		b = append(b, sequence, byte(n))
		for range n {
			if size == 2 && path[:2] != "\x00\x00" {
				b = binary.BigEndian.AppendUint16(b, wire.ASTrans)
			} else {
				b = append(b, path[4-size:4]...)
			}
			path = path[4:]
		}
	}
	return string(b)
}

// hasWide tells whether a number needs four octets.
func hasWide(path string) bool {
	for ; len(path) >= 4; path = path[4:] {
		if path[:2] != "\x00\x00" {
			return true
		}
	}
	return false
}

// reach appends MP_REACH_NLRI (RFC 4760 3), which comes first (RFC 7606 5.1).
func reach(b []byte, f wire.Family, hop netip.Addr, routes []Route) []byte {
	b = append(b, optional|extendedLength, mpReach, 0, 0)
	from := len(b)
	b = append(binary.BigEndian.AppendUint16(b, f.AFI), f.SAFI)
	b = append(append(b, byte(len(hop.AsSlice()))), hop.AsSlice()...)
	b = appendRoutes(append(b, 0), routes, false)
	binary.BigEndian.PutUint16(b[from-2:], uint16(len(b)-from))
	return b
}

// withdrawals appends what withdraws routes.
func withdrawals(b []byte, f wire.Family, routes []Route) []byte {
	room := wire.MaxLen - fixed
	if f != wire.IPv4 {
		room -= 4 + 3
	}
	for len(routes) > 0 {
		n := fitting(routes, room)
		start := len(b)
		b = append(append(b, header...), 0, 0)
		if from := len(b); f == wire.IPv4 {
			b = appendRoutes(b, routes[:n], true)
			binary.BigEndian.PutUint16(b[from-2:], uint16(len(b)-from))
			b = append(b, 0, 0)
		} else {
			b = append(b, 0, 0)
			b = unreach(b, f, routes[:n])
			binary.BigEndian.PutUint16(b[from:], uint16(len(b)-from-2))
		}
		binary.BigEndian.PutUint16(b[start+16:], uint16(len(b)-start))
		routes = routes[n:]
	}
	return b
}

// unreach appends MP_UNREACH_NLRI (RFC 4760 4).
func unreach(b []byte, f wire.Family, routes []Route) []byte {
	b = append(b, optional|extendedLength, mpUnreach, 0, 0)
	from := len(b)
	b = append(binary.BigEndian.AppendUint16(b, f.AFI), f.SAFI)
	b = appendRoutes(b, routes, true)
	binary.BigEndian.PutUint16(b[from-2:], uint16(len(b)-from))
	return b
}

// endOfRIB appends the End-of-RIB of a family (RFC 4724 2).
func endOfRIB(b []byte, f wire.Family) []byte {
	if f == wire.IPv4 {
		return append(b, wire.Frame(wire.Update, []byte{0, 0, 0, 0})...)
	}
	return append(b, wire.Frame(wire.Update, []byte{0, 0, 0, 6, optional, mpUnreach, 3, byte(f.AFI >> 8), byte(f.AFI), f.SAFI})...)
}

// header is that of an UPDATE without its length.
var header = string(wire.Frame(wire.Update, nil))
