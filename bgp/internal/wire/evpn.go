package wire

import (
	"encoding/binary"
	"net/netip"
)

// Overlay is what an UPDATE says of EVPN routes. All but Attrs are octets of the UPDATE's body.
type Overlay struct {
	Attrs    *Attrs // nil when nothing is announced
	Extended []byte // extended communities, eight octets each (RFC 4360 2)
	// Announced and Withdrawn are whole routes: type, length of the rest, the rest (RFC 7432 7). See Route.
	Announced, Withdrawn []byte
}

// Overlay reads the body of an UPDATE of EVPN routes that Update has judged and let through. What is inside a route is not looked at.
func (s *Session) Overlay(body []byte) (o Overlay) {
	u := update{s: s}
	if u.split(body).Action == Reset {
		return o
	}
	a, reach, unreach := s.attributes(u.attrs)
	if len(unreach) > 3 && familyOf(unreach) == EVPN {
		o.Withdrawn = unreach[3:]
	}
	if len(reach) > 4 && familyOf(reach) == EVPN {
		n := int(reach[3])
		if o.Announced = reach[5+n:]; len(o.Announced) > 0 {
			a.NextHop, _ = netip.AddrFromSlice(reach[4 : 4+n])
			o.Attrs, o.Extended = a, valueOf(u.attrs, extended)
		}
	}
	return o
}

// Route cuts the first route off octets of Overlay.
func Route(b []byte) (typ byte, value, rest []byte) {
	n := 2 + int(b[1])
	return b[0], b[2:n], b[n:]
}

// familyOf is that of an MP_REACH_NLRI or MP_UNREACH_NLRI.
func familyOf(v []byte) Family { return Family{binary.BigEndian.Uint16(v), v[2]} }

// valueOf is what the first attribute of the type holds, nil for none.
func valueOf(rest []byte, typ byte) []byte {
	for len(rest) > 0 {
		n, value := cut(rest)
		if n > len(rest) {
			return nil
		}
		if rest[1] == typ {
			return rest[value:n]
		}
		rest = rest[n:]
	}
	return nil
}
