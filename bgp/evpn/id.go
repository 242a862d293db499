package evpn

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// RD is a route distinguisher (RFC 4364 4.2) as on the wire. Comparable.
type RD [8]byte

// RouteTarget is a route target extended community (RFC 4360 4) as on the wire. Comparable.
type RouteTarget [8]byte

// MAC is an Ethernet address. Comparable.
type MAC [6]byte

const routeTargetSubtype = 0x02

// ParseRD reads "65000:5001", "192.0.2.1:5001" or "4200000000:5001". An AS number up to 65535
// makes type 0, whose second number has 32 bits; else the second number has 16. "65000L:1" is the
// four-octet form of a small AS number.
func ParseRD(s string) (RD, error) {
	typ, v, err := parseID(s)
	if err != nil {
		return RD{}, fmt.Errorf("route distinguisher %q: %w", s, err)
	}
	rd := RD{1: typ}
	copy(rd[2:], v[:])
	return rd, nil
}

// String is the form that ParseRD reads.
func (rd RD) String() string { return idString(binary.BigEndian.Uint16(rd[:]), [6]byte(rd[2:])) }

// IsValid reports whether the distinguisher has one of the three assigned types.
func (rd RD) IsValid() bool { return rd.assigned() && rd != RD{} }

// assigned tells whether the type is one of those.
func (rd RD) assigned() bool { return rd[0] == 0 && rd[1] <= 2 }

// ParseRouteTarget reads the same forms as ParseRD.
func ParseRouteTarget(s string) (RouteTarget, error) {
	typ, v, err := parseID(s)
	if err != nil {
		return RouteTarget{}, fmt.Errorf("route target %q: %w", s, err)
	}
	rt := RouteTarget{typ, routeTargetSubtype}
	copy(rt[2:], v[:])
	return rt, nil
}

// String is the form that ParseRouteTarget reads.
func (rt RouteTarget) String() string { return idString(uint16(rt[0]), [6]byte(rt[2:])) }

// IsValid reports whether it is a transitive route target of one of the three assigned types.
func (rt RouteTarget) IsValid() bool {
	return rt[0] <= 2 && rt[1] == routeTargetSubtype && rt[2:] != nil && [6]byte(rt[2:]) != [6]byte{}
}

// ParseMAC reads "02:00:5e:00:53:01" and the other forms of net.ParseMAC.
func ParseMAC(s string) (MAC, error) {
	hw, err := net.ParseMAC(s)
	if err != nil || len(hw) != 6 {
		return MAC{}, fmt.Errorf("MAC address %q: want six octets", s)
	}
	return MAC(hw), nil
}

// String is the colon form.
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// IsUnicast reports whether the address may belong to one device: not zero, not a group.
func (m MAC) IsUnicast() bool { return m != MAC{} && m[0]&1 == 0 }

// parseID reads the value that distinguishers and targets share: type and six octets.
func parseID(s string) (typ byte, v [6]byte, err error) {
	admin, number, ok := strings.Cut(s, ":")
	if !ok {
		return 0, v, fmt.Errorf("want AS:number or address:number")
	}
	if a, err := netip.ParseAddr(admin); err == nil && a.Is4() {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			return 0, v, fmt.Errorf("number after an address: want 0..65535")
		}
		copy(v[:], a.AsSlice())
		binary.BigEndian.PutUint16(v[4:], uint16(n))
		return 1, v, nil
	}
	short := strings.TrimSuffix(admin, "L")
	asn, err := strconv.ParseUint(short, 10, 32)
	if err != nil {
		return 0, v, fmt.Errorf("want an AS number 0..4294967295 or an IPv4 address")
	}
	if asn <= 0xffff && short == admin {
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return 0, v, fmt.Errorf("number after a two-octet AS: want 0..4294967295")
		}
		binary.BigEndian.PutUint16(v[:], uint16(asn))
		binary.BigEndian.PutUint32(v[2:], uint32(n))
		return 0, v, nil
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return 0, v, fmt.Errorf("number after a four-octet AS: want 0..65535")
	}
	binary.BigEndian.PutUint32(v[:], uint32(asn))
	binary.BigEndian.PutUint16(v[4:], uint16(n))
	return 2, v, nil
}

func idString(typ uint16, v [6]byte) string {
	switch typ {
	case 0:
		return fmt.Sprintf("%d:%d", binary.BigEndian.Uint16(v[:]), binary.BigEndian.Uint32(v[2:]))
	case 1:
		return fmt.Sprintf("%v:%d", netip.AddrFrom4([4]byte(v[:])), binary.BigEndian.Uint16(v[4:]))
	case 2:
		asn, mark := binary.BigEndian.Uint32(v[:]), ""
		if asn <= 0xffff {
			mark = "L"
		}
		return fmt.Sprintf("%d%s:%d", asn, mark, binary.BigEndian.Uint16(v[4:]))
	default:
		return fmt.Sprintf("type %d %x", typ, v)
	}
}
