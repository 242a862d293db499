package bgp

import (
	"fmt"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// openOf is the body of an OPEN.
func openOf(version byte, asn, hold uint16, id []byte, params ...[]byte) []byte {
	p := bgptest.Join(params...)
	b := append([]byte{version, byte(asn >> 8), byte(asn), byte(hold >> 8), byte(hold)}, id...)
	return append(append(b, byte(len(p))), p...)
}

// param is an optional parameter; type 2 holds capabilities (RFC 5492).
func param(typ byte, value ...byte) []byte { return append([]byte{typ, byte(len(value))}, value...) }

var (
	id99 = []byte{192, 0, 2, 99}
	as4  = []byte{65, 4, 0, 0, 0xfe, 0x35} // peerASN
)

// with is an OPEN that is fine but for its parameters.
func with(params ...[]byte) []byte {
	return msg(bgptest.Open, openOf(4, peerASN, 90, id99, params...)...)
}

func capability(b ...byte) []byte { return with(param(2, append(b, as4...)...)) }

// opens: RFC 4271 6.2, RFC 5492, RFC 6286, RFC 6608, RFC 7607; and what comes instead of an OPEN or a KEEPALIVE.
func opens() []hostile {
	var l []hostile
	bad := func(name string, send []byte, w want) { l = append(l, hostile{name, before, send, w}) }
	for _, v := range []byte{0, 1, 3, 5, 255} {
		bad(fmt.Sprintf("version %d", v), msg(1, openOf(v, peerASN, 90, id99)...), ends(2, 1, 0, 4))
	}
	for _, hold := range []uint16{1, 2} {
		bad(fmt.Sprintf("hold time %d", hold), msg(1, openOf(4, peerASN, hold, id99)...), ends(2, 6))
	}
	bad("AS 0", msg(1, openOf(4, 0, 90, id99)...), ends(2, 2))
	bad("AS of another", msg(1, openOf(4, 65078, 90, id99)...), ends(2, 2))
	bad("AS_TRANS without four octets", msg(1, openOf(4, 23456, 90, id99)...), ends(2, 2))
	bad("four-octet AS 0", with(param(2, 65, 4, 0, 0, 0, 0)), ends(2, 2))
	bad("four-octet AS of another", with(param(2, 65, 4, 0, 1, 0xfe, 0x35)), ends(2, 2))
	bad("identifier 0.0.0.0", msg(1, openOf(4, peerASN, 90, make([]byte, 4))...), ends(2, 3))
	bad("parameters longer than the message", msg(1, append(openOf(4, peerASN, 90, id99)[:9], 20, 2, 0)...), ends(2, 0))
	bad("parameters shorter than the message", msg(1, append(openOf(4, peerASN, 90, id99), 2, 0)...), ends(2, 0))
	bad("parameter of one octet", with([]byte{2}), ends(2, 0))
	bad("parameter cut off", with([]byte{2, 9, 1, 4}), ends(2, 0))
	bad("second parameter cut off", with(param(2, as4...), []byte{2, 255, 1}), ends(2, 0))
	for _, typ := range []byte{0, 1, 3, 254, 255} {
		bad(fmt.Sprintf("parameter %d", typ), with(param(typ, 1, 2, 3)), ends(2, 4, typ, 3, 1, 2, 3))
	}
	bad("capability of one octet", with(param(2, 1)), ends(2, 0))
	bad("capability cut off", with(param(2, 1, 4, 0, 1)), ends(2, 0))
	bad("unknown capability cut off", with(param(2, 200, 255)), ends(2, 0))
	for _, c := range []struct {
		name  string
		value []byte
	}{
		{"multiprotocol of 0", []byte{1, 0}}, {"multiprotocol of 3", []byte{1, 3, 0, 1, 0}}, {"multiprotocol of 5", []byte{1, 5, 0, 1, 0, 1, 0}},
		{"route refresh of 1", []byte{2, 1, 0}}, {"next hops of 5", []byte{5, 5, 0, 1, 0, 1, 0}}, {"extended message of 1", []byte{6, 1, 0}},
		{"graceful restart of 0", []byte{64, 0}}, {"graceful restart of 1", []byte{64, 1, 0}}, {"graceful restart of 5", []byte{64, 5, 0, 0, 0, 1, 1}},
		{"four-octet AS of 2", []byte{65, 2, 0xfe, 0x35}}, {"four-octet AS of 0", []byte{65, 0}}, {"add-path of 3", []byte{69, 3, 0, 1, 1}},
		{"enhanced refresh of 1", []byte{70, 1, 0}}, {"long-lived graceful restart of 6", []byte{71, 6, 0, 1, 1, 0, 0, 0}},
	} {
		bad(c.name, capability(c.value...), ends(2, 0))
	}
	for _, typ := range []byte{2, 4, 5} {
		body := make([]byte, map[byte]int{2: 4, 4: 0, 5: 4}[typ])
		bad(fmt.Sprintf("type %d instead", typ), msg(typ, body...), ends(5, 1, typ))
	}
	bad("NOTIFICATION instead", msg(3, 6, 2), want{outcome: silence})
	l = append(l,
		hostile{"OPEN instead of KEEPALIVE", halfway, msg(1, bgptest.OpenBody(peerASN, 90)...), ends(5, 2, 1)},
		hostile{"UPDATE instead of KEEPALIVE", halfway, plus(), ends(5, 2, 2)},
		hostile{"ROUTE-REFRESH instead of KEEPALIVE", halfway, msg(5, 0, 1, 0, 1), ends(5, 2, 5)},
		hostile{"NOTIFICATION instead of KEEPALIVE", halfway, msg(3, 2, 7), want{outcome: silence}},
		hostile{"KEEPALIVE too long", halfway, header(20, 4, 0), ends(1, 2, 0, 20)},
		hostile{"hold time 0", opening, msg(1, openOf(4, peerASN, 0, id99, param(2, as4...))...), ignored},
		hostile{"our own identifier", opening, msg(1, openOf(4, peerASN, 90, []byte{10, 0, 0, 1}, param(2, as4...))...), ignored}, // RFC 6286 2.3
		hostile{"graceful restart twice", opening, capability(append(bgptest.GR(0, 120, [3]byte{1, 1}), bgptest.GR(0, 60)...)...), ignored},
		hostile{"two roles, and we have none", opening, capability(9, 1, 0, 9, 1, 3), ignored},
		hostile{"OPEN on a session", external, msg(1, bgptest.OpenBody(peerASN, 90)...), ends(5, 3, 1)},
	)
	return l
}
