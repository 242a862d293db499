package bgp

import (
	"fmt"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// moreAttributes: the optional ones. RFC 7606 7.8 to 7.10, 7.14, 7.15; RFC 7311, 8092, 9012, 9234; and unknown ones, RFC 4271 6.3 and 9.
func moreAttributes() []hostile {
	var l []hostile
	add := func(name string, kind kind, send []byte, w want) { l = append(l, hostile{name, kind, send, w}) }
	for _, c := range []struct {
		name string
		typ  byte
		bad  []int
	}{
		{"COMMUNITIES", 8, []int{0, 1, 3, 5, 7}}, {"EXTENDED COMMUNITIES", 16, []int{0, 1, 7, 9}},
		{"IPV6 EXTENDED COMMUNITIES", 25, []int{0, 1, 19, 21}}, {"LARGE COMMUNITIES", 32, []int{0, 1, 11, 13, 16}}, {"ONLY_TO_CUSTOMER", 35, []int{0, 3, 5}},
	} {
		for _, n := range c.bad {
			add(fmt.Sprintf("%s of %d", c.name, n), external, plus(bgptest.Attr(0xc0, c.typ, make([]byte, n)...)), withdrawn)
		}
		for _, flags := range []byte{0x40, 0x80} {
			add(fmt.Sprintf("%s with flags %#x", c.name, flags), external, plus(bgptest.Attr(flags, c.typ, make([]byte, 240)...)), withdrawn)
		}
	}
	for _, c := range []struct {
		name string
		typ  byte
		bad  []int
		has  string
	}{
		{"ORIGINATOR_ID", 9, []int{0, 3, 5, 8}, "OriginatorID:10.0.0.7"}, {"CLUSTER_LIST", 10, []int{0, 1, 3, 5}, "ClusterList:[10.0.0.7]"},
	} {
		for _, n := range c.bad {
			attr := bgptest.Attr(0x80, c.typ, make([]byte, n)...)
			add(fmt.Sprintf("%s of %d from inside", c.name, n), internal, plus(attr), withdrawn)
			add(fmt.Sprintf("%s of %d", c.name, n), external, plus(attr), fine)
		}
		for _, flags := range []byte{0x40, 0xc0} {
			add(fmt.Sprintf("%s with flags %#x", c.name, flags), internal, plus(bgptest.Attr(flags, c.typ, 10, 0, 0, 7)), withdrawn)
		}
		add(c.name+" from outside", external, plus(bgptest.Attr(0x80, c.typ, 10, 0, 0, 7)), lacking("10.0.0.7"))
		add(c.name+" from inside", internal, plus(bgptest.Attr(0x80, c.typ, 10, 0, 0, 7)), having(c.has))
	}
	return append(l, useless()...)
}

// useless are attributes that nothing is done with: what is wrong with them must not cost more than they are worth.
func useless() []hostile {
	var l []hostile
	bad := func(name string, send []byte, w want) { l = append(l, hostile{name, external, send, w}) }
	for name, v := range map[string][]byte{
		"of no TLV": {}, "cut off": {1, 0}, "TLV longer than it": {1, 0, 11, 0}, "TLV of length 0": {1, 0, 0}, "metric of 4": {1, 0, 7, 0, 0, 0, 1},
		"well-formed": {1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1},
	} {
		bad("AIGP "+name, plus(bgptest.Attr(0x80, 26, v...)), fine)
	}
	for name, v := range map[string][]byte{"cut off": {0, 8}, "TLV longer than it": {0, 8, 0, 9, 1}, "with unknown sub-TLVs": {0, 8, 0, 4, 200, 2, 1, 1}} {
		bad("TUNNEL_ENCAP "+name, plus(bgptest.Attr(0xc0, 23, v...)), fine)
	}
	bad("PMSI_TUNNEL of 4", plus(bgptest.Attr(0xc0, 22, 0, 0, 0, 0)), withdrawn)
	bad("PMSI_TUNNEL of an unknown type", plus(bgptest.Attr(0xc0, 22, 0, 200, 0, 0, 0, 1)), fine)
	for _, typ := range []byte{28, 29, 34, 40, 128} { // BGP Entropy Label, BGP-LS, BGPsec_PATH, Prefix-SID, ATTR_SET
		bad(fmt.Sprintf("attribute %d of junk", typ), plus(bgptest.Attr(0xc0, typ, 0xff, 0xff, 0xff, 0, 1)), fine)
		bad(fmt.Sprintf("attribute %d of 0", typ), plus(bgptest.Attr(0xc0, typ)), fine)
	}
	for _, flags := range []byte{0x80, 0xa0, 0xc0, 0xe0} {
		bad(fmt.Sprintf("unknown attribute with flags %#x", flags), plus(bgptest.Attr(flags, 200, 1, 2, 3)), fine)
	}
	for _, flags := range []byte{0x00, 0x40} {
		unknown := bgptest.Attr(flags, 200, 1, 2, 3)
		bad(fmt.Sprintf("unknown well-known attribute with flags %#x", flags), plus(unknown), ends(3, 2, unknown...))
	}
	bad("unknown well-known attribute of type 0", plus(bgptest.Attr(0x40, 0)), ends(3, 2, 0x40, 0, 0))
	bad("unknown attribute twice", plus(bgptest.Attr(0xc0, 200, 1), bgptest.Attr(0xc0, 200, 2)), fine)
	bad("COMMUNITIES twice", plus(bgptest.Attr(0xc0, 8, 0, 0, 0, 5), bgptest.Attr(0xc0, 8, 0, 0, 0, 6)), having("Communities:[5]"))
	bad("COMMUNITIES twice, the second malformed", plus(bgptest.Attr(0xc0, 8, 0, 0, 0, 5), bgptest.Attr(0xc0, 8, 1)), having("Communities:[5]"))
	bad("COMMUNITIES with Partial flag", plus(bgptest.Attr(0xe0, 8, 0, 0, 0, 5)), having("Communities:[5]"))
	var many []byte
	for typ := range 100 {
		many = append(many, bgptest.Attr(0xc0, byte(100+typ), 1)...)
	}
	bad("a hundred unknown attributes", plus(many), fine)
	return l
}
