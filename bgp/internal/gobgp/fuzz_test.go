package gobgp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// fuzzSessions are those that FuzzUpdate judges for.
var fuzzSessions = []wire.Session{
	{AS4: true, Families: []wire.Family{wire.IPv4, wire.IPv6}},
	{AS4: true, IBGP: true, Families: []wire.Family{wire.IPv4}},
	{AS4: false, Families: []wire.Family{wire.IPv4}},
	{AS4: true, Families: []wire.Family{wire.IPv6}},
}

// FuzzUpdate: what is handed on is no longer than what came, is right by the same judgement, and by GoBGP's, which would otherwise do to it
// what it likes.
func FuzzUpdate(f *testing.F) {
	attrs := bgptest.Join(bgptest.Attr(0x40, 1, 0), bgptest.ASPath(65001), bgptest.Attr(0x40, 3, 192, 0, 2, 9))
	nlri := bgptest.NLRI("10.1.0.0/16")
	f.Add(byte(0), bgptest.UpdateBody(nil, attrs, nlri))
	f.Add(byte(1), bgptest.UpdateBody(nlri, append(attrs, bgptest.Attr(0x80, 9, 1, 2, 3, 4)...), nlri))
	f.Add(byte(2), bgptest.UpdateBody(nil, append(attrs, bgptest.Attr(0xc0, 17, 2, 1, 0, 1, 0, 1)...), nlri))
	f.Add(byte(3), bgptest.UpdateBody(nil, bgptest.Unreach(2, 1, nil), nil))
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		s := fuzzSessions[int(kind)%len(fuzzSessions)]
		if len(body) < 4 || len(body) > wire.MaxLen-wire.HeaderLen {
			return
		}
		out, v := s.Update(body)
		switch {
		case v.Action == wire.Reset || v.Action == wire.Ignore:
			return
		case out == nil:
			out = wire.Frame(wire.Update, body)
		case len(out) > wire.HeaderLen+len(body)+wire.HeaderLen+4:
			t.Fatalf("%d octets of %d", len(out), wire.HeaderLen+len(body))
		}
		for len(out) > 0 {
			n := int(binary.BigEndian.Uint16(out[16:]))
			judgeAgain(t, s, out[wire.HeaderLen:n])
			out = out[n:]
		}
	})
}

func judgeAgain(t *testing.T, s wire.Session, body []byte) {
	t.Helper()
	if again, v := s.Update(bytes.Clone(body)); again != nil || v.Action != wire.Pass {
		t.Fatalf("%x: %+v the second time", body, v)
	}
	h := &packet.BGPHeader{Len: uint16(wire.HeaderLen + len(body)), Type: packet.BGP_MSG_UPDATE}
	m, err := packet.ParseBGPBody(h, body, &packet.MarshallingOption{Use2ByteAS: !s.AS4})
	if err != nil {
		t.Fatalf("%x: GoBGP: %v", body, err)
	}
	sameRoutes(t, s, body, m.Body.(*packet.BGPUpdate))
	families := map[packet.Family]packet.BGPAddPathMode{}
	for _, f := range s.Families {
		families[packet.NewFamily(f.AFI, f.SAFI)] = packet.BGP_ADD_PATH_NONE
	}
	if ok, err := packet.ValidateUpdateMsg(m.Body.(*packet.BGPUpdate), families, !s.IBGP, false, s.Loopback); !ok {
		t.Fatalf("%x: GoBGP: %v", body, err)
	}
}

// sameRoutes: what is read from an UPDATE is what GoBGP reads.
func sameRoutes(t *testing.T, s wire.Session, body []byte, u *packet.BGPUpdate) {
	t.Helper()
	var announced, withdrawn []packet.PathNLRI
	announced, withdrawn = append(announced, u.NLRI...), append(withdrawn, u.WithdrawnRoutes...)
	var path []packet.AsPathParamInterface
	for _, a := range u.PathAttributes {
		switch a := a.(type) {
		case *packet.PathAttributeMpReachNLRI:
			announced = append(announced, a.Value...)
		case *packet.PathAttributeMpUnreachNLRI:
			withdrawn = append(withdrawn, a.Value...)
		case *packet.PathAttributeAsPath:
			path = a.Value
		}
	}
	classic, mp := s.Routes(body)
	same := func(what string, got []netip.Prefix, want []packet.PathNLRI) {
		for i := range max(len(got), len(want)) {
			if len(got) != len(want) || got[i] != want[i].NLRI.(*packet.IPAddrPrefix).Prefix {
				t.Fatalf("%x: %s %v, GoBGP: %v", body, what, got, want)
			}
		}
	}
	same("announced", append(classic.Announced, mp.Announced...), announced)
	same("withdrawn", append(classic.Withdrawn, mp.Withdrawn...), withdrawn)
	for _, r := range []wire.Routes{classic, mp} {
		if (r.Attrs == nil) != (len(r.Announced) == 0) || r.Attrs != nil && !r.Attrs.NextHop.IsValid() {
			t.Fatalf("%x: %+v", body, r)
		}
		if r.Attrs == nil || !s.AS4 {
			continue
		}
		for i, p := range path {
			if g := r.Attrs.ASPath[i]; g.Type != p.GetType() || !slices.Equal(g.ASNs, p.GetAS()) {
				t.Fatalf("%x: AS path %v, GoBGP: %v", body, r.Attrs.ASPath, path)
			}
		}
	}
	if _, is := wire.EndOfRIB(body); is != isEndOfRIB(u) {
		t.Fatalf("%x: End-of-RIB %v", body, is)
	}
}

func isEndOfRIB(u *packet.BGPUpdate) bool {
	is, _ := u.IsEndOfRib()
	return is
}

// FuzzOpen: an OPEN that is let through, GoBGP can decode, and both read the same from it.
func FuzzOpen(f *testing.F) {
	f.Add(bgptest.OpenBody(65001, 90, bgptest.MP(1, 1), bgptest.MP(2, 1), []byte{6, 0}, bgptest.GR(8, 60, [3]byte{1, 1, 0x80})))
	f.Add([]byte{4, 0xfe, 0x35, 0, 90, 192, 0, 2, 99, 4, 2, 2, 200, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) < 10 || len(body) > 300 {
			return
		}
		offer := wire.Session{Families: []wire.Family{wire.IPv4, wire.IPv6}}
		s, out, v := offer.Open(body)
		if v.Action != wire.Pass {
			return
		}
		if out != nil {
			body = out[wire.HeaderLen:]
		}
		open := &packet.BGPOpen{}
		if err := open.DecodeFromBytes(body); err != nil {
			t.Fatalf("%x: GoBGP: %v", body, err)
		}
		var caps []packet.ParameterCapabilityInterface
		for _, p := range open.OptParams {
			caps = append(caps, p.(*packet.OptionParameterCapability).Capability...)
		}
		negotiated(caps, caps)
		has := func(code packet.BGPCapabilityCode) bool {
			return slices.ContainsFunc(caps, func(c packet.ParameterCapabilityInterface) bool { return c.Code() == code })
		}
		families := multiprotocol(caps)
		if !has(packet.BGP_CAP_MULTIPROTOCOL) {
			families = IPv4
		}
		families &= IPv4 | IPv6
		if has(packet.BGP_CAP_FOUR_OCTET_AS_NUMBER) != s.AS4 || has(packet.BGP_CAP_EXTENDED_MESSAGE) != s.Extended || has(packet.BGP_CAP_ROUTE_REFRESH) != s.Refresh ||
			!slices.Equal(families.onWire(), s.Families) {
			t.Fatalf("%x: %+v, GoBGP: %v", body, s, caps)
		}
	})
}

// FuzzHeader: what passes has the length that it says, within the limits.
func FuzzHeader(f *testing.F) {
	f.Add(bgptest.Message(bgptest.Keepalive, nil), false)
	f.Add(bgptest.Message(bgptest.UpdateMsg, make([]byte, 4)), true)
	f.Fuzz(func(t *testing.T, b []byte, extended bool) {
		if len(b) < wire.HeaderLen {
			return
		}
		_, n, v := wire.Header(b, extended)
		if v.Action == wire.Pass && (n < wire.HeaderLen || n > wire.MaxExtended || n > wire.MaxLen && !extended) {
			t.Fatalf("length %d", n)
		}
		if v.Action != wire.Pass && (v.Action != wire.Reset || v.Code != 1) {
			t.Fatalf("%+v", v)
		}
	})
}
