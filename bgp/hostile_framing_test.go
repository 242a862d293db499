package bgp

import (
	"fmt"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

func update(body ...byte) []byte { return msg(bgptest.UpdateMsg, body...) }

// of is an UPDATE with the fields as they are.
func of(withdrawn, attrs, nlri []byte) []byte {
	return update(bgptest.UpdateBody(withdrawn, attrs, nlri)...)
}

// framing: how an UPDATE is cut into fields and attributes, RFC 7606 3 and 4, and prefixes outside of attributes, 5.3.
func framing() []hostile {
	var l []hostile
	bad := func(name string, send []byte, w want) { l = append(l, hostile{name, external, send, w}) }
	for _, n := range []byte{1, 4, 255} {
		bad(fmt.Sprintf("withdrawn routes longer by %d", n), update(0, n, 0, 0), ends(3, 1))
		bad(fmt.Sprintf("path attributes longer by %d", n), update(0, 0, 0, n), ends(3, 1))
	}
	bad("withdrawn routes of 65535", update(0xff, 0xff, 0, 0), ends(3, 1))
	bad("path attributes of 65535", update(0, 0, 0xff, 0xff), ends(3, 1))
	bad("no length of path attributes", update(0, 3, 16, 10, 1), ends(3, 1))
	bad("half a length of path attributes", update(0, 3, 16, 10, 1, 0), ends(3, 1))
	for _, p := range [][]byte{{33, 10, 1, 0, 0, 0}, {64, 1, 2, 3, 4, 5, 6, 7, 8}, {255}, {128}, {24, 10, 1}, {1}, {32, 10, 1, 0}, {16, 10, 1, 8}} {
		bad(fmt.Sprintf("withdrawn prefix %v", p), of(p, nil, nil), ends(3, 10))
		bad(fmt.Sprintf("prefix %v", p), of(nil, basic(), p), ends(3, 10))
	}
	for n := 1; n <= 2; n++ {
		bad(fmt.Sprintf("%d octets of an attribute", n), announce(basic([]byte{0xc0, 8}[:n])), withdrawn)
	}
	bad("attribute without its second length octet", announce(basic([]byte{0xd0, 8, 0})), withdrawn)
	bad("attribute longer than the rest", announce(basic([]byte{0xc0, 8, 8, 0, 0, 0, 1})), withdrawn)
	bad("unknown attribute longer than the rest", announce(basic([]byte{0xc0, 200, 8, 0, 0, 0, 1})), withdrawn)
	bad("extended attribute longer than the rest", announce(basic([]byte{0xd0, 8, 0xff, 0xff, 0, 0, 0, 1})), withdrawn)
	bad("first attribute longer than the rest", announce([]byte{0x40, 1, 255, 0}), withdrawn)
	bad("attribute longer than the rest, nothing announced", of(nil, []byte{0xc0, 8, 8, 0}, nil), ends(3, 5))
	bad("attribute longer than the rest, only withdrawals", of(victim, []byte{0xc0, 8, 8, 0}, nil), ends(3, 5))
	bad("MP_REACH_NLRI longer than the rest", announce(basic([]byte{0x80, 14, 30, 0, 1, 1})), ends(3, 9))
	bad("MP_UNREACH_NLRI longer than the rest", announce(basic([]byte{0x80, 15, 30, 0, 1, 1})), ends(3, 9))
	bad("nothing announced, ORIGIN wrong", of(nil, bgptest.Attr(0x40, 1, 9), nil), ends(3, 6))
	bad("only withdrawals, ORIGIN wrong", of(victim, bgptest.Attr(0x40, 1, 9), nil), ends(3, 6))
	bad("only withdrawals, ATOMIC_AGGREGATE wrong", of(victim, bgptest.Attr(0x40, 6, 9), nil), withdrawn)
	bad("only withdrawals, no attribute", of(victim, nil, nil), withdrawn)
	bad("attributes without routes", of(nil, basic(), nil), ignored)
	bad("ATOMIC_AGGREGATE alone and wrong is no End-of-RIB", of(nil, bgptest.Attr(0x40, 6, 9), nil), ignored)
	bad("unknown attribute alone is no End-of-RIB", of(nil, bgptest.Attr(0xc0, 200, 9), nil), ignored)
	bad("LOCAL_PREF alone is no End-of-RIB", of(nil, bgptest.Attr(0x40, 5, 0, 0, 0, 1), nil), ignored)
	bad("prefix with bits after its length", of(nil, basic(), []byte{15, 10, 1}), having("+[10.0.0.0/15]"))
	bad("same prefix withdrawn and announced", of(victim, basic(), victim), having("+[10.1.0.0/16]"))
	bad("same prefix twice", of(nil, basic(), bgptest.Join(victim, victim)), having("10.1.0.0/16 10.1.0.0/16"))
	bad("default route", of(nil, basic(), []byte{0}), having("+[0.0.0.0/0]"))
	for _, typ := range []byte{1, 2, 3} {
		bad(fmt.Sprintf("attribute %d missing", typ), announce(without(typ)), withdrawn)
	}
	bad("no attribute at all", announce(), withdrawn)
	return l
}

// without is the mandatory attributes without one.
func without(typ byte) []byte {
	var b []byte
	for i, a := range [][]byte{bgptest.Attr(0x40, 1, 0), bgptest.ASPath(peerASN), bgptest.Attr(0x40, 3, nh4...)} {
		if byte(i+1) != typ {
			b = append(b, a...)
		}
	}
	return b
}
