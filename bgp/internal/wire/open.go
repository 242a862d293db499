package wire

import "encoding/binary"

// Family is an address family: AFI and SAFI.
type Family struct {
	AFI  uint16
	SAFI uint8
}

// The families that a session may have.
var (
	IPv4 = Family{1, 1}
	IPv6 = Family{2, 1}
	EVPN = Family{25, 70}
)

// Session is what both ends agreed on, as far as it matters here.
type Session struct {
	IBGP     bool
	Loopback bool // both ends are loopback addresses; next hops may be too then, IPv4 ones if V6 is not set
	V6       bool // the session itself is over IPv6
	AS4      bool // RFC 6793
	Extended bool // RFC 8654
	Refresh  bool // the peer repeats its routes when asked (RFC 2918)
	HopSix   bool // the peer takes IPv6 next hops of IPv4 prefixes (RFC 8950)
	Families []Family

	Role       Role // ours (RFC 9234)
	StrictRole bool // the peer must have one
	PeerRole   Role // what it says that it is
}

// Has tells whether the session has the family.
func (s *Session) Has(f Family) bool {
	for _, g := range s.Families {
		if f == g {
			return true
		}
	}
	return false
}

// Capability codes (IANA "Capability Codes").
const (
	capMP        = 1
	capRefresh   = 2
	capNextHop   = 5
	capExtended  = 6
	capRole      = 9
	capGR        = 64
	capAS4       = 65
	capAddPath   = 69
	capEnhanced  = 70
	capLongLived = 71
	capCisco     = 128
)

// Open judges the body of an OPEN (RFC 4271 6.2, RFC 5492, RFC 7607) and adds to the session what the peer offers of ours. AS number,
// identifier and hold time are not compared with the configuration: GoBGP does. out is the message to be handed on, without the capabilities
// that nothing is done with; nil when body can be handed on as it is.
func (s *Session) Open(body []byte) (session Session, out []byte, v Verdict) {
	if body[0] != 4 {
		return *s, nil, reset(openError, 1, []byte{0, 4}, "version %d", body[0])
	}
	if binary.BigEndian.Uint16(body[1:]) == 0 {
		return *s, nil, reset(openError, 2, nil, "AS number 0")
	}
	params := body[10:]
	if len(params) != int(body[9]) {
		return *s, nil, reset(openError, 0, nil, "optional parameters of length %d in %d octets", body[9], len(params))
	}
	o := offer{}
	for len(params) > 0 {
		if len(params) < 2 || len(params) < 2+int(params[1]) {
			return *s, nil, reset(openError, 0, nil, "optional parameter is cut off")
		}
		if params[0] != 2 {
			return *s, nil, reset(openError, 4, params[:2+int(params[1])], "optional parameter %d", params[0])
		}
		if v := o.capabilities(params[2 : 2+int(params[1])]); v.Action != Pass {
			return *s, nil, v
		}
		params = params[2+int(params[1]):]
	}
	if !o.mp { // RFC 4760 8
		o.families = []Family{IPv4}
	}
	session, v = s.agree(&o)
	return session, o.rest(body), v
}

// offer is what a peer's capabilities say.
type offer struct {
	as4, extended, mp, refresh, hopSix bool
	families                           []Family
	roles                              []Role
	kept                               []byte // capabilities to be handed on
	stripped                           bool   // there are others
}

func (o *offer) capabilities(b []byte) Verdict {
	for len(b) > 0 {
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return reset(openError, 0, nil, "capability is cut off")
		}
		code, value := b[0], b[2:2+int(b[1])]
		if !capabilityLength(code, len(value)) {
			return reset(openError, 0, nil, "capability %d of length %d", code, len(value))
		}
		switch code {
		case capMP:
			o.mp = true
			o.families = append(o.families, Family{binary.BigEndian.Uint16(value), value[3]})
		case capExtended:
			o.extended = true
		case capRefresh:
			o.refresh = true
		case capNextHop: // an address family of two octets, a subsequent one of two, and the next hop's: RFC 8950 4
			for v := value; len(v) > 0; v = v[6:] {
				o.hopSix = o.hopSix || [6]byte(v) == [6]byte{0, 1, 0, 1, 0, 2}
			}
		case capRole:
			o.roles = append(o.roles, Role(min(value[0], 0xfe)+1))
		case capAS4:
			o.as4 = true
			if binary.BigEndian.Uint32(value) == 0 {
				return reset(openError, 2, nil, "AS number 0")
			}
		}
		if useful(code) && (code != capNextHop || len(value) > 0) { // GoBGP takes that for cut off
			o.kept = append(o.kept, b[:2+len(value)]...)
		} else {
			o.stripped = true
		}
		b = b[2+len(value):]
	}
	return Verdict{}
}

// useful tells whether something is done with a capability. Of the others, such as names, GoBGP would end the session when it cannot decode them.
func useful(code byte) bool {
	switch code {
	case capMP, capRefresh, capNextHop, capExtended, capGR, capAS4, capEnhanced, capLongLived:
		return true
	}
	return false
}

// rest is the OPEN without what was stripped. It is not longer.
func (o *offer) rest(body []byte) []byte {
	if !o.stripped {
		return nil
	}
	out := append([]byte(nil), body[:9]...)
	if len(o.kept) == 0 {
		return Frame(Open, append(out, 0))
	}
	out = append(out, byte(2+len(o.kept)), 2, byte(len(o.kept)))
	return Frame(Open, append(out, o.kept...))
}

// capabilityLength tells whether a capability may have the length. Unknown ones may have any.
func capabilityLength(code byte, n int) bool {
	switch code {
	case capMP, capAS4:
		return n == 4
	case capRefresh, capExtended, capEnhanced, capCisco:
		return n == 0
	case capRole:
		return n == 1
	case capNextHop:
		return n%6 == 0
	case capGR:
		return n%4 == 2
	case capAddPath:
		return n%4 == 0
	case capLongLived:
		return n%7 == 0
	}
	return true
}

// agree is the session with a peer that offers this; we offer AS numbers of four octets, extended messages and route refresh always.
func (s *Session) agree(o *offer) (Session, Verdict) {
	theirs, agreed := Session{Families: o.families}, *s
	agreed.AS4, agreed.Extended, agreed.Refresh, agreed.Families = o.as4, o.extended, o.refresh, nil
	for _, f := range s.Families {
		if theirs.Has(f) {
			agreed.Families = append(agreed.Families, f)
		}
	}
	agreed.HopSix = o.hopSix && agreed.Has(IPv4)
	var v Verdict
	agreed.PeerRole, v = s.pair(o.roles)
	return agreed, v
}
