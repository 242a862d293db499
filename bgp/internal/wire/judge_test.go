package wire

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
)

// announcing is the body of an UPDATE with these attributes and routes.
func announcing(nlri []byte, attrs ...[]byte) []byte { return body(nil, bytes.Join(attrs, nil), nlri) }

// reachOf is MP_REACH_NLRI of IPv6.
func reachOf(nextHop string, nlri ...byte) []byte {
	v := append([]byte{0, 2, 1, 16}, netip.MustParseAddr(nextHop).AsSlice()...)
	return attr(optional, mpReach, append(append(v, 0), nlri...)...)
}

// TestJudge: what is wrong with an UPDATE, one thing at a time, and what becomes of it. TestHostile of package bgp has each of them, and more, on live sessions.
func TestJudge(t *testing.T) {
	nlri, nlri6 := []byte{16, 10, 1}, []byte{32, 0x20, 1, 0xd, 0xb8}
	igp, path, hop := attr(transitive, origin, 0), attr(transitive, asPath, 2, 1, 0, 0, 0xfe, 0x35), attr(transitive, nextHop, 192, 0, 2, 9)
	six := reachOf("2001:db8::9", nlri6...)
	pathOf := func(v ...byte) []byte { return announcing(nlri, igp, attr(transitive, asPath, v...), hop) }
	hopOf := func(v ...byte) []byte { return announcing(nlri, igp, path, attr(transitive, nextHop, v...)) }
	with := func(more []byte) []byte { return announcing(nlri, igp, path, hop, more) }
	for _, x := range []struct {
		name    string
		body    []byte
		only6   bool
		want    Action
		subcode uint8 // of UPDATE Message Error
	}{
		{"OK", announcing(nlri, igp, path, hop), false, Pass, 0},
		{"OK: IPv6", announcing(nil, igp, path, six), false, Pass, 0},
		{"bad: MP_REACH_NLRI twice", announcing(nil, igp, path, six, six), false, Reset, 1},
		{"bad: ORIGIN twice", with(igp), false, Discard, 0},
		{"bad: flags of ORIGIN", announcing(nlri, attr(optional, origin, 0), path, hop), false, Withdraw, 4},
		{"bad: ORIGIN", announcing(nlri, attr(transitive, origin, 3), path, hop), false, Withdraw, 6},
		{"bad: no ORIGIN", announcing(nlri, path, hop), false, Withdraw, 3},
		{"bad: no AS_PATH", announcing(nlri, igp, hop), false, Withdraw, 3},
		{"bad: no NEXT_HOP", announcing(nlri, igp, path), false, Withdraw, 3},
		{"bad: LOCAL_PREF from outside", with(attr(transitive, localPref, 0, 0, 0, 200)), false, Discard, 0},
		{"bad: ORIGINATOR_ID from outside", with(attr(optional, originatorID, 192, 0, 2, 1)), false, Discard, 0},
		{"bad: flags of AIGP", with(attr(optional|transitive, aigp, 1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1)), false, Discard, 4},
		{"bad: End-of-RIB of IPv4 where there is none", announcing(nil), true, Ignore, 0},
		{"bad: cut off", with([]byte{optional, med, 5, 0}), false, Withdraw, 5},
		{"bad: next hop, this network", hopOf(0, 1, 2, 3), false, Withdraw, 8},
		{"bad: next hop, loopback", hopOf(127, 0, 0, 1), false, Withdraw, 8},
		{"bad: next hop, multicast", hopOf(224, 0, 0, 1), false, Withdraw, 8},
		{"bad: next hop, reserved", hopOf(255, 255, 255, 255), false, Withdraw, 8},
		{"bad: IPv6 next hop, unspecified", announcing(nil, igp, path, reachOf("::", nlri6...)), false, Withdraw, 8},
		{"bad: IPv6 next hop, loopback", announcing(nil, igp, path, reachOf("::1", nlri6...)), false, Withdraw, 8},
		{"bad: IPv6 next hop, multicast", announcing(nil, igp, path, reachOf("ff02::1", nlri6...)), false, Withdraw, 8},
		{"bad: AS 0", pathOf(2, 2, 0, 0, 0xfe, 0x35, 0, 0, 0, 0), false, Withdraw, 11},
		{"bad: confederation sequence", pathOf(3, 1, 0, 0, 0xfe, 0x35), false, Withdraw, 11},
		{"bad: confederation set", pathOf(2, 1, 0, 0, 0xfe, 0x35, 4, 1, 0, 0, 0, 7), false, Withdraw, 11},
		{"bad: another family", announcing(nil, igp, path, attr(optional, mpReach, 0, 1, 128, 4, 192, 0, 2, 9, 0, 0xff, 0xff)), false, Discard, 0},
		{"bad: another family withdrawn", announcing(nil, attr(optional, mpUnreach, 0, 1, 2, 0xff, 0xff)), false, Ignore, 0},
		{"bad: IPv4 where there is none", announcing(nlri, igp, path, hop), true, Discard, 0},
		{"bad: prefix of 33", announcing([]byte{33, 10, 1, 0, 0, 0}, igp, path, hop), false, Reset, 10},
		{"bad: IPv6 prefix of 129", announcing(nil, igp, path, reachOf("2001:db8::9", append([]byte{129}, make([]byte, 17)...)...)), false, Reset, 9},
		{"bad: no route, and MULTI_EXIT_DISC", announcing(nil, igp, path, reachOf("2001:db8::9"), attr(optional, med, 1)), false, Reset, 5},
		{"bad: no route, and no ORIGIN", announcing(nil, path, reachOf("2001:db8::9")), false, Reset, 3},
		{"bad: another family withdrawn, and ORIGIN", announcing(nil, attr(transitive, origin, 3), attr(optional, mpUnreach, 0, 1, 2, 0xff, 0xff)), false, Reset, 6},
		{"bad: nothing left", announcing(nil, attr(optional, aigp, 1)), false, Ignore, 9},
	} {
		s := Session{AS4: true, Families: []Family{IPv4, IPv6}}
		if x.only6 {
			s.Families = []Family{IPv6}
		}
		_, v := s.Update(bytes.Clone(x.body))
		if v.Action != x.want || v.Subcode != x.subcode || x.subcode != 0 && v.Code != updateError {
			t.Errorf("%s: %+v, want action %d, subcode %d", x.name, v, x.want, x.subcode)
		}
	}
}

// TestHeader: how long a message may be (RFC 4271 4.1, RFC 8654 4).
func TestHeader(t *testing.T) {
	for _, x := range []struct {
		typ      byte
		length   int
		extended bool
		ok       bool
	}{
		{Update, 23, false, true}, {Update, 22, false, false}, {Update, MaxLen, false, true}, {Update, MaxLen + 1, false, false},
		{Update, MaxLen + 1, true, true}, {Update, MaxExtended, true, true}, {Open, MaxLen + 1, true, false}, {Keepalive, HeaderLen, false, true}, {Keepalive, HeaderLen + 1, true, false},
	} {
		h := Frame(x.typ, nil)
		binary.BigEndian.PutUint16(h[16:], uint16(x.length))
		_, n, v := Header(h, x.extended)
		if x.ok && (v.Action != Pass || n != x.length) || !x.ok && (v.Action != Reset || v.Code != headerError || v.Subcode != 2) {
			t.Errorf("%+v: %d, %+v", x, n, v)
		}
	}
}

// TestOpenOfHopSix: RFC 8950 4, the capability is of several families perhaps, and of use with IPv4 alone.
func TestOpenOfHopSix(t *testing.T) {
	for name, x := range map[string]struct {
		families []Family
		value    []byte
		want     bool
	}{
		"OK": {[]Family{IPv4, IPv6}, []byte{0, 1, 0, 1, 0, 2}, true}, "OK: second": {[]Family{IPv4}, []byte{0, 1, 0, 128, 0, 2, 0, 1, 0, 1, 0, 2}, true},
		"another family": {[]Family{IPv4}, []byte{0, 1, 0, 128, 0, 2}, false}, "another next hop": {[]Family{IPv4}, []byte{0, 1, 0, 1, 0, 1}, false},
		"empty": {[]Family{IPv4}, nil, false}, "no IPv4": {[]Family{IPv6}, []byte{0, 1, 0, 1, 0, 2}, false},
	} {
		capabilities := slices.Concat([]byte{capMP, 4, 0, 1, 0, 1, capMP, 4, 0, 2, 0, 1, capNextHop, byte(len(x.value))}, x.value)
		s := Session{Families: x.families}
		agreed, _, v := s.Open(slices.Concat([]byte{4, 0, 7, 0, 90, 192, 0, 2, 1, byte(2 + len(capabilities)), 2, byte(len(capabilities))}, capabilities))
		if v.Action != Pass || agreed.HopSix != x.want {
			t.Errorf("%s: %+v, %+v", name, agreed, v)
		}
	}
}

// TestOpenOfAS0: RFC 7607 2, in both of the places where an OPEN has the AS number.
func TestOpenOfAS0(t *testing.T) {
	open := func(asn byte, capability ...byte) []byte {
		return slices.Concat([]byte{4, 0, asn, 0, 90, 192, 0, 2, 1, byte(2 + len(capability)), 2, byte(len(capability))}, capability)
	}
	for name, x := range map[string]struct {
		body []byte
		want Action
	}{
		"OK": {open(7, capAS4, 4, 0, 0, 0, 7), Pass}, "bad: in the message": {open(0, capAS4, 4, 0, 0, 0, 7), Reset}, "bad: in the capability": {open(7, capAS4, 4, 0, 0, 0, 0), Reset},
	} {
		s := Session{Families: []Family{IPv4}}
		if _, _, v := s.Open(x.body); v.Action != x.want || v.Action == Reset && (v.Code != openError || v.Subcode != 2) {
			t.Errorf("%s: %+v", name, v)
		}
	}
}
