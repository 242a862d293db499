package bgp

import (
	"fmt"
	"net/netip"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// reach is MP_REACH_NLRI of a next hop's octets.
func reach(afi, safi byte, nh []byte, nlri ...byte) []byte {
	v := append([]byte{0, afi, safi, byte(len(nh))}, nh...)
	return bgptest.Attr(0x80, 14, append(append(v, 0), nlri...)...)
}

// mp is an UPDATE without fields outside of its attributes.
func mp(attrs ...[]byte) []byte {
	return of(nil, bgptest.Join(bgptest.Attr(0x40, 1, 0), bgptest.ASPath(peerASN), bgptest.Join(attrs...)), nil)
}

// multiprotocol: RFC 4760 7, RFC 7606 3 g, 3 j, 5.3, 7.11, 7.12, RFC 2545 3, RFC 8950 3.
func multiprotocol() []hostile {
	var l []hostile
	bad := func(name string, kind kind, send []byte, w want) { l = append(l, hostile{name, kind, send, w}) }
	good, nh := reach(2, 1, nh6.AsSlice(), victim6...), nh6.AsSlice()
	for _, flags := range []byte{0x00, 0x40, 0xc0} {
		bad(fmt.Sprintf("MP_REACH_NLRI with flags %#x", flags), six, mp(append([]byte{flags}, good[1:]...)), ends(3, 9))
		bad(fmt.Sprintf("MP_UNREACH_NLRI with flags %#x", flags), six, mp(bgptest.Attr(flags, 15, append([]byte{0, 2, 1}, victim6...)...)), ends(3, 9))
	}
	bad("MP_REACH_NLRI with unused and Partial flags", six, mp(append([]byte{0xaf &^ 0x10}, good[1:]...)), having("+[2001:db8:1::/48]"))
	for n := range 5 {
		bad(fmt.Sprintf("MP_REACH_NLRI of %d", n), six, mp(bgptest.Attr(0x80, 14, []byte{0, 2, 1, 0}[:n]...)), ends(3, 9))
	}
	l = l[:len(l)-1] // of 4 only
	for n := range 3 {
		bad(fmt.Sprintf("MP_UNREACH_NLRI of %d", n), six, mp(bgptest.Attr(0x80, 15, []byte{0, 2, 1}[:n]...)), ends(3, 9))
	}
	for _, n := range []int{0, 4, 8, 12, 15, 17, 24, 31, 33, 48} {
		bad(fmt.Sprintf("IPv6 next hop of %d", n), six, mp(reach(2, 1, append(append([]byte{}, nh...), make([]byte, 40)...)[:n], victim6...)), ends(3, 9))
	}
	for _, n := range []int{0, 3, 5, 12, 24} {
		bad(fmt.Sprintf("IPv4 next hop of %d", n), external, mp(reach(1, 1, append(append([]byte{}, nh4...), make([]byte, 40)...)[:n], victim...)), ends(3, 9))
	}
	bad("next hop longer than the attribute", six, mp(bgptest.Attr(0x80, 14, 0, 2, 1, 16, 0x20, 1)), ends(3, 9))
	bad("next hop and no reserved octet", six, mp(bgptest.Attr(0x80, 14, append([]byte{0, 2, 1, 16}, nh...)...)), ends(3, 9))
	for _, a := range []string{"::", "ff02::1", "::1"} {
		bad("next hop "+a, six, mp(reach(2, 1, netip.MustParseAddr(a).AsSlice(), victim6...)), withdrawn)
	}
	for _, p := range [][]byte{{129, 0}, {255}, {48, 0x20, 1}, {128, 1}, {1}, append([]byte{48, 0x20, 1, 0, 0, 0, 1}, 9)} {
		bad(fmt.Sprintf("IPv6 prefix %v", p), six, mp(reach(2, 1, nh, p...)), ends(3, 9))
		bad(fmt.Sprintf("withdrawn IPv6 prefix %v", p), six, of(nil, bgptest.Unreach(2, 1, p), nil), ends(3, 9))
	}
	bad("IPv4 prefix of 33 in MP_REACH_NLRI", external, mp(reach(1, 1, nh4, 33, 10, 1, 0, 0, 0)), ends(3, 9))
	bad("IPv4 in MP_REACH_NLRI", external, mp(reach(1, 1, nh4, victim...)), having("NextHop:192.0.2.9"))
	bad("MP_REACH_NLRI twice", six, mp(good, good), ends(3, 1))
	bad("MP_UNREACH_NLRI twice", six, of(nil, bgptest.Join(bgptest.Unreach(2, 1, victim6), bgptest.Unreach(2, 1, victim6)), nil), ends(3, 1))
	for _, f := range [][2]byte{{2, 1}, {1, 2}, {1, 4}, {1, 128}, {1, 133}, {25, 70}, {0, 0}, {255, 255}} {
		name := fmt.Sprintf("of family %d/%d, which the session has not", f[0], f[1])
		bad("MP_REACH_NLRI "+name, external, mp(reach(f[0], f[1], nh, 0xff, 0xff)), ignored)
		bad("MP_UNREACH_NLRI "+name, external, of(nil, bgptest.Unreach(uint16(f[0]), f[1], []byte{0xff, 0xff}), nil), ignored)
		bad("End-of-RIB "+name, external, of(nil, bgptest.Unreach(uint16(f[0]), f[1], nil), nil), ignored)
	}
	bad("IPv4 routes on a session without", onlySix, of(victim, basic(), victim), ignored)
	bad("IPv4 withdrawals on a session without are no End-of-RIB", onlySix, of(victim, nil, nil), ignored)
	for _, typ := range []byte{1, 2} {
		bad(fmt.Sprintf("MP_REACH_NLRI without attribute %d", typ), six, of(nil, append(without(typ), good...), nil), withdrawn)
	}
	bad("MP_REACH_NLRI and ORIGIN wrong", six, of(nil, bgptest.Join(bgptest.Attr(0x40, 1, 9), bgptest.ASPath(peerASN), good), nil), withdrawn)
	bad("ORIGIN wrong, both families", six, of(nil, bgptest.Join(bgptest.Attr(0x40, 1, 9), good), victim), withdrawn)
	bad("ORIGIN wrong, one family announced and the other withdrawn", six, of(nil, bgptest.Join(
		bgptest.Attr(0x40, 1, 9), reach(1, 1, nh4, victim...), bgptest.Unreach(2, 1, victim6)), nil), withdrawn)
	bad("ORIGIN wrong, same family announced and withdrawn", six, of(nil, bgptest.Join(
		bgptest.Attr(0x40, 1, 9), good, bgptest.Unreach(2, 1, bgptest.NLRI("2001:db8:2::/48"))), nil), withdrawn)
	bad("IPv4 wants NEXT_HOP beside MP_REACH_NLRI", six, of(nil, append(without(3), good...), victim), withdrawn)
	return append(l, noRoutes()...)
}

// noRoutes: UPDATEs that announce nothing, RFC 7606 5.2. Anything worse than an attribute discard ends the session.
func noRoutes() []hostile {
	var l []hostile
	bad := func(name string, kind kind, send []byte, w want) { l = append(l, hostile{name, kind, send, w}) }
	none, good6 := reach(2, 1, nh6.AsSlice()), bgptest.Unreach(2, 1, victim6)
	wrong := bgptest.Join(bgptest.Attr(0x40, 1, 9), bgptest.ASPath(peerASN))
	bad("MP_REACH_NLRI of no route", six, mp(none), ignored)
	bad("MP_REACH_NLRI of no route, an attribute discarded, is no End-of-RIB", six, mp(none, bgptest.Attr(0x40, 6, 1)), ignored)
	bad("MP_REACH_NLRI of no route, MULTI_EXIT_DISC wrong", six, mp(none, bgptest.Attr(0x40, 6, 1), bgptest.Attr(0x80, 4, 1)), ends(3, 5, 0x80, 4, 1, 1))
	bad("MP_REACH_NLRI of no route, ORIGIN wrong", six, of(nil, append(wrong, none...), nil), ends(3, 6, 0x40, 1, 1, 9))
	bad("MP_REACH_NLRI of no route, its next hop wrong", six, mp(reach(2, 1, make([]byte, 16))), ends(3, 8))
	bad("MP_REACH_NLRI of no route, IPv4 withdrawn, ORIGIN wrong", six, of(victim, append(wrong, none...), nil), ends(3, 6))
	bad("MP_REACH_NLRI of no route, IPv6 withdrawn, ORIGIN wrong", six, of(nil, bgptest.Join(wrong, none, good6), nil), ends(3, 6))
	bad("MP_REACH_NLRI of no route, IPv4 announced, ORIGIN wrong", six, of(nil, bgptest.Join(wrong, bgptest.Attr(0x40, 3, nh4...), none), victim), withdrawn)
	for _, typ := range []byte{1, 2} {
		bad(fmt.Sprintf("MP_REACH_NLRI of no route, without attribute %d", typ), six, of(nil, append(without(typ), none...), nil), ends(3, 3, typ))
	}
	bad("MP_UNREACH_NLRI and ORIGIN wrong", six, of(nil, append(wrong, good6...), nil), ends(3, 6, 0x40, 1, 1, 9))
	bad("MP_UNREACH_NLRI and an attribute discarded", six, of(nil, append(bgptest.Attr(0x40, 6, 1), good6...), nil), withdrawn)
	bad("End-of-RIB and ORIGIN wrong", six, of(nil, append(wrong, bgptest.Unreach(2, 1, nil)...), nil), ends(3, 6))
	// Of a family that the session has not.
	bad("foreign MP_UNREACH_NLRI and ORIGIN wrong", external, of(nil, append(wrong, good6...), nil), ends(3, 6))
	bad("foreign MP_REACH_NLRI of no route, ORIGIN wrong", external, of(nil, append(wrong, none...), nil), ends(3, 6))
	bad("foreign MP_REACH_NLRI and ORIGIN wrong", external, of(nil, append(wrong, reach(2, 1, nh6.AsSlice(), victim6...)...), nil), ignored)
	bad("IPv4 withdrawn on a session without, ORIGIN wrong", onlySix, of(victim, wrong, nil), ends(3, 6))
	return l
}
