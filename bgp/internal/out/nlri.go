package out

import "encoding/binary"

// Sizes of an EVPN type-5 route's fields before and behind the prefix (RFC 9136 3.1).
const (
	routeType5 = 5
	type5Len4  = 34
	type5Len6  = 58
)

// size is how many octets a route takes up in a message.
func (k *Key) size() int {
	switch {
	case k.RD == [8]byte{}:
		return 1 + (k.Prefix.Bits()+7)/8
	case k.Prefix.Addr().Is4():
		return 2 + type5Len4
	}
	return 2 + type5Len6
}

// fitting is how many of the first routes there is room for.
func fitting(routes []Route, room int) int {
	for i := range routes {
		if room -= routes[i].size(); room < 0 {
			return i
		}
	}
	return len(routes)
}

// appendRoutes appends routes as they are in a message: RFC 4271 4.3, RFC 9136 3.1. The label of one that is withdrawn is 0.
func appendRoutes(b []byte, routes []Route, gone bool) []byte {
	for i := range routes {
		if r := &routes[i]; r.RD != [8]byte{} {
			b = r.appendType5(b, gone)
		} else if bits, a := r.Prefix.Bits(), r.Prefix.Addr(); a.Is4() {
			octets := a.As4()
			b = append(append(b, byte(bits)), octets[:(bits+7)/8]...)
		} else {
			octets := a.As16()
			b = append(append(b, byte(bits)), octets[:(bits+7)/8]...)
		}
	}
	return b
}

// appendType5 appends a type-5 route in interface-less form: segment, tag and gateway are zero.
func (r *Route) appendType5(b []byte, gone bool) []byte {
	octets := r.Prefix.Addr().AsSlice()
	b = append(b, routeType5, byte(r.size()-2))
	b = append(b, r.RD[:]...)
	b = append(b, make([]byte, 10+4)...)
	b = append(append(b, byte(r.Prefix.Bits())), octets...)
	b = append(b, make([]byte, len(octets))...)
	label := r.Label
	if gone {
		label = 0
	}
	return append(b, binary.BigEndian.AppendUint32(nil, label)[1:]...)
}
