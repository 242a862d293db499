package bgp

import (
	"fmt"
	"net/netip"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// mixed: UPDATEs with several errors, of which the strongest action counts (RFC 7606 3 h), and what is cut off after routes (4).
func mixed() []hostile {
	var l []hostile
	bad := func(name string, kind kind, send []byte, w want) { l = append(l, hostile{name, kind, send, w}) }
	good, gone := reach(2, 1, nh6.AsSlice(), victim6...), bgptest.Unreach(2, 1, victim6)
	wrong, rest := bgptest.Attr(0x40, 1, 9), bgptest.ASPath(peerASN)
	for _, c := range []struct {
		name string
		attr []byte
		want want
	}{
		{"MP_REACH_NLRI of a bad length", bgptest.Attr(0x80, 14, 0, 2, 1), ends(3, 9, 0x80, 14, 3, 0, 2, 1)},
		{"MP_UNREACH_NLRI of a bad length", bgptest.Attr(0x80, 15, 0, 2), ends(3, 9, 0x80, 15, 2, 0, 2)},
		{"an unknown well-known attribute", bgptest.Attr(0x40, 200, 1), ends(3, 2, 0x40, 200, 1, 1)},
		{"MP_REACH_NLRI twice", bgptest.Join(good, good), ends(3, 1)},
	} {
		bad("ORIGIN wrong, then "+c.name, six, of(nil, bgptest.Join(wrong, rest, c.attr), victim), c.want)
		bad("ORIGIN wrong after "+c.name, six, of(nil, bgptest.Join(c.attr, wrong, rest), victim), c.want)
	}
	bad("ORIGIN wrong, and a prefix of 33", six, of(nil, bgptest.Join(wrong, rest, good), []byte{33, 10, 1, 0, 0, 0}), ends(3, 10))
	for _, cut := range [][]byte{{0xc0}, {0xc0, 8}, {0xc0, 8, 8, 0}, {0xd0, 8, 0}, {0xd0, 8, 0xff, 0xff, 0}} {
		bad(fmt.Sprintf("%v is cut off after MP_REACH_NLRI", cut), six, mp(good, cut), withdrawn)
		bad(fmt.Sprintf("%v is cut off after MP_REACH_NLRI of no route", cut), six, mp(reach(2, 1, nh6.AsSlice()), cut), ends(3, 5))
		bad(fmt.Sprintf("%v is cut off after MP_UNREACH_NLRI", cut), six, of(nil, append(gone, cut...), nil), ends(3, 5))
	}
	bad("ORIGIN wrong and one cut off after MP_REACH_NLRI", six, of(nil, bgptest.Join(wrong, good, []byte{0xc0, 8, 8}), nil), withdrawn)
	return l
}

// nextHops: those of MP_REACH_NLRI that are good. RFC 2545 3, RFC 7606 7.11, RFC 8950 3. And where the attribute stands, RFC 7606 5.1.
func nextHops() []hostile {
	var l []hostile
	good := func(name string, kind kind, send []byte, w want) { l = append(l, hostile{name, kind, send, w}) }
	local := netip.MustParseAddr("fe80::9").AsSlice()
	both := append(nh6.AsSlice(), local...)
	good("IPv6 next hop of 32", six, mp(reach(2, 1, both, victim6...)), having("NextHop:2001:db8::9"))
	good("IPv6 next hop, link-local alone", six, mp(reach(2, 1, local, victim6...)), having("NextHop:fe80::9"))
	for i, name := range []string{"over IPv4", "over IPv6"} {
		kind := []kind{external, six}[i]
		good("IPv4 with an IPv6 next hop "+name, kind, mp(reach(1, 1, nh6.AsSlice(), victim...)), having("NextHop:2001:db8::9"))
		good("IPv4 with an IPv6 next hop of 32 "+name, kind, mp(reach(1, 1, both, victim...)), having("NextHop:2001:db8::9"))
		good("IPv4 with a next hop that is link-local alone "+name, kind, mp(reach(1, 1, local, victim...)), having("NextHop:fe80::9"))
	}
	good("IPv4 in MP_UNREACH_NLRI", external, of(nil, bgptest.Unreach(1, 1, victim), nil), withdrawn)
	good("IPv4 prefix of 33 in MP_UNREACH_NLRI", external, of(nil, bgptest.Unreach(1, 1, []byte{33, 10, 1, 0, 0, 0}), nil), ends(3, 9))
	r, attrs := reach(2, 1, nh6.AsSlice(), victim6...), bgptest.Join(bgptest.Attr(0x40, 1, 2), bgptest.ASPath(peerASN))
	good("MP_REACH_NLRI first", six, of(nil, append(r, attrs...), nil), having("Origin:2"))
	good("MP_REACH_NLRI last", six, of(nil, append(attrs, r...), nil), having("Origin:2"))
	two := of(nil, bgptest.Join(attrs, bgptest.Attr(0x40, 3, nh4...), r), victim)
	good("two families announced: IPv4", six, two, having("+[10.1.0.0/16] -[] &{NextHop:192.0.2.9 Origin:2"))
	good("two families announced: IPv6", six, two, having("+[2001:db8:1::/48] -[] &{NextHop:2001:db8::9 Origin:2"))
	foreign := reach(1, 128, nh4, 0xff)
	good("foreign MP_REACH_NLRI twice", external, mp(foreign, foreign), ends(3, 1))
	good("foreign MP_UNREACH_NLRI twice", external, of(nil, bgptest.Join(bgptest.Unreach(1, 128, nil), bgptest.Unreach(1, 128, nil)), nil), ends(3, 1))
	good("End-of-RIB of IPv4 on a session without", onlySix, of(nil, nil, nil), ignored)
	return l
}

// wrongFlags: Optional and Transitive flags of attributes that little or nothing is done with, RFC 7606 3 c. AIGP with the Transitive flag is discarded (RFC
// 7311 3.2). ORIGINATOR_ID and CLUSTER_LIST from outside are discarded too (RFC 7606 7.9, 7.10), but of two errors the stronger action counts (3 h).
func wrongFlags() []hostile {
	var l []hostile
	for _, c := range []struct {
		name  string
		right byte
		typ   byte
		value []byte
	}{
		{"ORIGINATOR_ID from outside", 0x80, 9, []byte{10, 0, 0, 7}}, {"CLUSTER_LIST from outside", 0x80, 10, []byte{10, 0, 0, 7}},
		{"AS4_AGGREGATOR", 0xc0, 18, []byte{0, 1, 0, 2, 10, 0, 0, 9}}, {"PMSI_TUNNEL", 0xc0, 22, []byte{0, 200, 0, 0, 0, 1}},
		{"TUNNEL_ENCAP", 0xc0, 23, []byte{0, 8, 0, 0}}, {"AIGP", 0x80, 26, []byte{1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1}},
	} {
		for _, flags := range []byte{0x00, 0x40, 0x80, 0xc0} {
			w := withdrawn
			switch {
			case flags == c.right:
				continue
			case c.name == "AIGP" && flags&0x40 != 0:
				w = fine
			}
			l = append(l, hostile{fmt.Sprintf("%s with flags %#x", c.name, flags), external, plus(bgptest.Attr(flags, c.typ, c.value...)), w})
		}
	}
	// RFC 4271 5.1.5 wants LOCAL_PREF from inside, and RFC 7606 3 d withdraws for those alone that are called mandatory: it is taken for the default.
	return append(l, hostile{"no LOCAL_PREF from inside", internal, plus(), lacking("HasLocalPref:true")})
}
