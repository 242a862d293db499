package bgp

import (
	"fmt"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// instead is an UPDATE of the victim with another attribute in the place of the mandatory one of its type.
func instead(attr []byte) []byte { return announce(without(attr[1]), attr) }

// path is an AS_PATH with these octets.
func path(b ...byte) []byte { return bgptest.Attr(0x40, 2, b...) }

// attributes: the well-known ones and those of RFC 4271, RFC 7606 7.1 to 7.7. Peer's AS is 0xfe35.
func attributes() []hostile {
	var l []hostile
	bad := func(name string, send []byte, w want) { l = append(l, hostile{name, external, send, w}) }
	for _, flags := range []byte{0x00, 0x80, 0xc0} {
		bad(fmt.Sprintf("ORIGIN with flags %#x", flags), instead(bgptest.Attr(flags, 1, 0)), withdrawn)
		bad(fmt.Sprintf("AS_PATH with flags %#x", flags), instead(bgptest.Attr(flags, 2, 2, 1, 0, 0, 0xfe, 0x35)), withdrawn)
		bad(fmt.Sprintf("NEXT_HOP with flags %#x", flags), instead(bgptest.Attr(flags, 3, nh4...)), withdrawn)
		bad(fmt.Sprintf("LOCAL_PREF with flags %#x", flags), plus(bgptest.Attr(flags, 5, 0, 0, 0, 1)), withdrawn)
		bad(fmt.Sprintf("ATOMIC_AGGREGATE with flags %#x", flags), plus(bgptest.Attr(flags, 6)), withdrawn)
	}
	for _, flags := range []byte{0x00, 0x40, 0xc0} {
		bad(fmt.Sprintf("MULTI_EXIT_DISC with flags %#x", flags), plus(bgptest.Attr(flags, 4, 0, 0, 0, 1)), withdrawn)
	}
	for _, flags := range []byte{0x00, 0x40, 0x80} {
		bad(fmt.Sprintf("AGGREGATOR with flags %#x", flags), plus(bgptest.Attr(flags, 7, 0, 0, 0, 9, 10, 0, 0, 9)), withdrawn)
	}
	bad("ORIGIN with unused and Partial flags", instead(bgptest.Attr(0x6f, 1, 1)), having("Origin:1"))
	bad("ORIGIN with a long length", instead([]byte{0x50, 1, 0, 1, 2}), having("Origin:2"))
	bad("MULTI_EXIT_DISC with Partial flag", plus(bgptest.Attr(0xa0, 4, 0, 0, 0, 77)), having("MED:77"))
	for _, n := range []int{0, 2, 255} {
		bad(fmt.Sprintf("ORIGIN of %d", n), instead(bgptest.Attr(0x40, 1, make([]byte, n)...)), withdrawn)
	}
	for _, v := range []byte{3, 128, 255} {
		bad(fmt.Sprintf("ORIGIN %d", v), instead(bgptest.Attr(0x40, 1, v)), withdrawn)
	}
	l = append(l, asPaths()...)
	for _, n := range []int{0, 1, 3, 5, 16} {
		bad(fmt.Sprintf("NEXT_HOP of %d", n), instead(bgptest.Attr(0x40, 3, append(nh4, make([]byte, 12)...)[:n]...)), withdrawn)
	}
	for _, a := range [][]byte{{0, 0, 0, 0}, {0, 1, 2, 3}, {224, 0, 0, 1}, {240, 0, 0, 1}, {255, 255, 255, 255}} {
		bad(fmt.Sprintf("NEXT_HOP %v", a), instead(bgptest.Attr(0x40, 3, a...)), withdrawn)
	}
	for _, n := range []int{0, 3, 5, 8} {
		bad(fmt.Sprintf("MULTI_EXIT_DISC of %d", n), plus(bgptest.Attr(0x80, 4, make([]byte, n)...)), withdrawn)
		bad(fmt.Sprintf("LOCAL_PREF of %d", n), plus(bgptest.Attr(0x40, 5, make([]byte, n)...)), lacking("HasLocalPref:true"))
		l = append(l, hostile{fmt.Sprintf("LOCAL_PREF of %d from inside", n), internal, plus(bgptest.Attr(0x40, 5, make([]byte, n)...)), withdrawn})
	}
	bad("LOCAL_PREF", plus(bgptest.Attr(0x40, 5, 0, 0, 0, 200)), lacking("LocalPref:200"))
	l = append(l, hostile{"LOCAL_PREF from inside", internal, plus(bgptest.Attr(0x40, 5, 0, 0, 0, 200)), having("LocalPref:200")})
	for _, n := range []int{1, 4} {
		bad(fmt.Sprintf("ATOMIC_AGGREGATE of %d", n), plus(bgptest.Attr(0x40, 6, make([]byte, n)...)), lacking("AtomicAggr:true"))
	}
	for _, n := range []int{0, 5, 6, 7, 9, 12} {
		bad(fmt.Sprintf("AGGREGATOR of %d", n), plus(bgptest.Attr(0xc0, 7, append([]byte{0, 0, 0, 9, 10, 0, 0, 9}, make([]byte, 4)...)[:n]...)), lacking("AggregatorASN:9"))
	}
	bad("AGGREGATOR of AS 0", plus(bgptest.Attr(0xc0, 7, 0, 0, 0, 0, 10, 0, 0, 9)), lacking("10.0.0.9"))
	for _, typ := range []byte{1, 2, 3} {
		bad(fmt.Sprintf("attribute %d twice", typ), announce(basic(), bgptest.Attr(0x40, typ, 9, 9, 9)), having("NextHop:192.0.2.9 Origin:0"))
	}
	bad("MULTI_EXIT_DISC twice", plus(bgptest.Attr(0x80, 4, 0, 0, 0, 5), bgptest.Attr(0x80, 4, 0, 0, 0, 6)), having("MED:5"))
	bad("malformed and discarded", plus(bgptest.Attr(0x40, 6, 1), bgptest.Attr(0x80, 4, 1)), withdrawn)
	bad("attributes in reverse order", announce(bgptest.Attr(0x40, 3, nh4...), bgptest.ASPath(peerASN), bgptest.Attr(0x40, 1, 0)), fine)
	return l
}

// as4Paths: AS4_PATH and AS4_AGGREGATOR, RFC 6793 4 and 6.
func as4Paths() (l []hostile) {
	add := func(name string, kind kind, send []byte, w want) { l = append(l, hostile{name, kind, send, w}) }
	old := func(more ...[]byte) []byte {
		return announce(bgptest.Attr(0x40, 1, 0), bgptest.Attr(0x40, 2, 2, 1, 0x5b, 0xa0), bgptest.Attr(0x40, 3, nh4...), bgptest.Join(more...))
	}
	as4path := bgptest.Attr(0xc0, 17, 2, 1, 0, 1, 0, 1)
	add("AS4_PATH", twoOctet, old(as4path), having("65537"))
	add("AS4_PATH between new speakers", external, plus(as4path), lacking("65537"))
	for name, v := range map[string][]byte{"empty": {}, "cut off": {2, 2, 0, 1, 0, 1}, "of no segment": {9, 1, 0, 1, 0, 1}, "of AS 0": {2, 1, 0, 0, 0, 0}} {
		add("AS4_PATH "+name, twoOctet, old(bgptest.Attr(0xc0, 17, v...)), having("ASNs:[23456]"))
	}
	add("AS4_PATH with flags 0x80", twoOctet, old(bgptest.Attr(0x80, 17, 2, 1, 0, 1, 0, 1)), withdrawn)
	add("AS_PATH of four octets on an old session", twoOctet, instead(path(2, 1, 0, 0, 0xfe, 0x35)), withdrawn)
	as4aggregator := bgptest.Attr(0xc0, 18, 0, 1, 0, 2, 10, 0, 0, 9)
	aggregator := bgptest.Attr(0xc0, 7, 0x5b, 0xa0, 10, 0, 0, 9)
	add("AS4_AGGREGATOR", twoOctet, old(aggregator, as4aggregator), having("AggregatorASN:65538"))
	add("AS4_AGGREGATOR without AGGREGATOR", twoOctet, old(as4aggregator), lacking("65538"))
	add("AS4_AGGREGATOR between new speakers", external, plus(as4aggregator), lacking("65538"))
	add("AS4_AGGREGATOR of 7", twoOctet, old(aggregator, bgptest.Attr(0xc0, 18, 0, 1, 0, 2, 10, 0, 0)), having("AggregatorASN:23456"))
	add("AS4_AGGREGATOR of AS 0", twoOctet, old(aggregator, bgptest.Attr(0xc0, 18, 0, 0, 0, 0, 10, 0, 0, 9)), having("AggregatorASN:23456"))
	add("AGGREGATOR of 8 on an old session", twoOctet, old(bgptest.Attr(0xc0, 7, 0, 0, 0, 9, 10, 0, 0, 9)), lacking("10.0.0.9"))
	return l
}

// onlyPaths: AS_PATH, RFC 7606 7.2, RFC 5065 5, RFC 7607 2.
func onlyPaths() (l []hostile) {
	for name, v := range map[string][]byte{
		"segment type 0": {0, 1, 0, 0, 0xfe, 0x35}, "segment type 5": {5, 1, 0, 0, 0xfe, 0x35}, "segment type 255": {255, 1, 0, 0, 0xfe, 0x35},
		"segment of no AS": {2, 0}, "empty segment after a good one": {2, 1, 0, 0, 0xfe, 0x35, 1, 0}, "one octet": {2},
		"segment longer than the attribute": {2, 2, 0, 0, 0xfe, 0x35}, "segment of 255": {2, 255, 0, 0, 0xfe, 0x35},
		"octet left over": {2, 1, 0, 0, 0xfe, 0x35, 2}, "two-octet numbers": {2, 1, 0xfe, 0x35}, "confederation sequence": {3, 1, 0, 0, 0xfe, 0x35},
		"confederation set": {2, 1, 0, 0, 0xfe, 0x35, 4, 1, 0, 0, 0, 7}, "AS 0": {2, 2, 0, 0, 0xfe, 0x35, 0, 0, 0, 0}, "AS 0 in a set": {2, 1, 0, 0, 0xfe, 0x35, 1, 1, 0, 0, 0, 0},
	} {
		l = append(l, hostile{"AS_PATH: " + name, external, instead(path(v...)), withdrawn})
	}
	return append(l,
		hostile{"AS_PATH: confederation from inside", internal, instead(path(3, 1, 0, 0, 0xfe, 0x35)), withdrawn},
		hostile{"AS_PATH: empty from inside", internal, instead(path()), fine},
		hostile{"AS_PATH: set", external, instead(path(2, 1, 0, 0, 0xfe, 0x35, 1, 2, 0, 0, 0, 7, 0, 0, 0, 8)), having("ASNs:[7 8]")},
	)
}

func asPaths() []hostile { return append(onlyPaths(), as4Paths()...) }
