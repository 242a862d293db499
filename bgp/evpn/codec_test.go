package evpn

import (
	"bytes"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
	"github.com/openvbr/openvbr/bgp/internal/out"
	"github.com/openvbr/openvbr/bgp/internal/wire"
)

var compare = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmpopts.EquateEmpty(),
}

func TestParseForms(t *testing.T) {
	for _, c := range []struct {
		name, in string
		rd       RD
	}{
		{"OK two octets", "65000:5001", RD{0, 0, 0xfd, 0xe8, 0, 0, 0x13, 0x89}},
		{"OK two octets, large number", "1:4294967295", RD{0, 0, 0, 1, 255, 255, 255, 255}},
		{"OK address", "192.0.2.1:7", RD{0, 1, 192, 0, 2, 1, 0, 7}},
		{"OK four octets", "4200000000:9", RD{0, 2, 0xfa, 0x56, 0xea, 0, 0, 9}},
		{"OK four octets, small", "65000L:9", RD{0, 2, 0, 0, 0xfd, 0xe8, 0, 9}},
		{"bad empty", "", RD{}},
		{"bad no number", "65000", RD{}},
		{"bad AS", "4294967296:1", RD{}},
		{"bad number after address", "192.0.2.1:65536", RD{}},
		{"bad number after four octets", "4200000000:65536", RD{}},
		{"bad IPv6", "2001:db8::1:1", RD{}},
		{"bad sign", "+65000:1", RD{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rd, err := ParseRD(c.in)
			rt, errRT := ParseRouteTarget(c.in)
			if (err == nil) != (c.name[:2] == "OK") || (errRT == nil) != (err == nil) {
				t.Fatalf("%q: %v, %v", c.in, err, errRT)
			}
			if err != nil {
				return
			}
			if rd != c.rd || rd.String() != c.in || !rd.IsValid() {
				t.Errorf("%q: %x %q", c.in, rd, rd)
			}
			if want := (RouteTarget{c.rd[1], 2, c.rd[2], c.rd[3], c.rd[4], c.rd[5], c.rd[6], c.rd[7]}); rt != want || rt.String() != c.in {
				t.Errorf("%q: %x %q", c.in, rt, rt)
			}
		})
	}
	if m, err := ParseMAC("02:00:5e:00:53:01"); err != nil || m.String() != "02:00:5e:00:53:01" || !m.IsUnicast() {
		t.Errorf("MAC %v %v", m, err)
	}
	if _, err := ParseMAC("02:00:5e:00:53:01:00:00"); err == nil {
		t.Error("bad MAC of eight octets: accepted")
	}
}

func bytesOf(t *rapid.T, name string, n int) []byte {
	return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, name)
}

func drawRD(t *rapid.T) RD {
	rd := RD(bytesOf(t, "rd", 8))
	rd[0], rd[1] = 0, rd[1]%3
	rd[7] |= 1 // not all zero
	return rd
}

func drawRoute(t *rapid.T) Route {
	r := Route{
		VNI:          rapid.Uint32Range(1, MaxVNI).Draw(t, "vni"),
		NextHop:      netip.AddrFrom4([4]byte{192, 0, 2, rapid.Byte().Draw(t, "vtep")}),
		RouterMAC:    MAC(bytesOf(t, "mac", 6)),
		ASPath:       rapid.SliceOfN(rapid.Uint32(), 0, 20).Draw(t, "path"),
		Origin:       rapid.Byte().Draw(t, "origin") % 3,
		HasMED:       rapid.Bool().Draw(t, "hasmed"),
		HasLocalPref: rapid.Bool().Draw(t, "haslocalpref"),
		Communities:  rapid.SliceOfN(rapid.Uint32(), 0, 5).Draw(t, "communities"),
	}
	for range rapid.IntRange(0, 9).Draw(t, "large") {
		r.LargeCommunities = append(r.LargeCommunities, [3]uint32{rapid.Uint32().Draw(t, "admin"), rapid.Uint32().Draw(t, "one"), rapid.Uint32().Draw(t, "two")})
	}
	r.RD = drawRD(t)
	r.RouterMAC[0] = r.RouterMAC[0]&^1 | 2
	if rapid.Bool().Draw(t, "v6vtep") {
		r.NextHop = netip.MustParseAddr("2001:db8::7")
	}
	if r.HasMED {
		r.MED = rapid.Uint32().Draw(t, "med")
	}
	if r.HasLocalPref {
		r.LocalPref = rapid.Uint32().Draw(t, "localpref")
	}
	for range rapid.IntRange(1, 4).Draw(t, "targets") {
		rt := RouteTarget(bytesOf(t, "rt", 8))
		rt[0], rt[1], rt[7] = rt[0]%3, routeTargetSubtype, rt[7]|1
		if !slices.Contains(r.Targets, rt) {
			r.Targets = append(r.Targets, rt)
		}
	}
	a := netip.AddrFrom4([4]byte(bytesOf(t, "v4", 4)))
	if rapid.Bool().Draw(t, "v6") {
		b := [16]byte(bytesOf(t, "v6addr", 16))
		b[0] |= 0x20 // not IPv4-mapped
		a = netip.AddrFrom16(b)
	}
	r.Prefix = netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")).Masked()
	return r
}

// sent is the body of the UPDATE that an iBGP peer is sent for a route.
func sent(r out.Route) []byte {
	rib := out.New()
	rib.Announce("", []out.Route{r})
	s := rib.Open(out.Peer{Session: wire.Session{IBGP: true, AS4: true, Families: []wire.Family{wire.EVPN}}}, "", false)
	s.Begin(wire.EVPN, false)
	return s.Next()[wire.HeaderLen:]
}

// heardAs is a route as an iBGP peer hears it: always with LOCAL_PREF (RFC 4271 5.1.5).
func (r Route) heardAs() Route {
	if !r.HasLocalPref {
		r.LocalPref, r.HasLocalPref = 100, true
	}
	return r
}

// catcher is a Handler that keeps Updates.
type catcher struct{ got []Update }

func (c *catcher) Update(u Update)     { c.got = append(c.got, u) }
func (c *catcher) PeerState(PeerState) {}
func (c *catcher) EndOfRIB(netip.Addr) {}

// session is one of an internal peer.
var session = &wire.Session{AS4: true, IBGP: true, Extended: true, Families: []wire.Family{wire.EVPN}}

// judged is the body of what is let through, nil for nothing. An UPDATE of one family is one.
func judged(s *wire.Session, body []byte) []byte {
	body = slices.Clone(body)
	out, v := s.Update(body)
	switch {
	case v.Action == wire.Reset || v.Action == wire.Ignore:
		return nil
	case out != nil:
		body = out[wire.HeaderLen:]
	}
	if _, is := wire.EndOfRIB(body); is {
		return nil
	}
	return body
}

// take has a body come from a peer of the session, as far as it is let through.
func take(s *wire.Session, body []byte) (Update, map[Reason]uint64) {
	log, _ := bgptest.Log(nil)
	c := &catcher{}
	e := newEvents(c, log, 4294967295, netip.MustParseAddr("192.0.2.8"))
	if body = judged(s, body); body != nil {
		e.Update(netip.MustParseAddr("192.0.2.9"), s, body)
	}
	if len(c.got) == 0 {
		return Update{}, e.dropped
	}
	return c.got[0], e.dropped
}

// TestRoundTrip: what is exported comes out of the wire as it went in.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawRoute(t)
		for i, a := range want.ASPath {
			want.ASPath[i] = 1 + a%4294967294 // not our own AS, nor 0
		}
		enc := encoder{}
		p, err := enc.encode(&want)
		if err != nil {
			t.Fatal(err)
		}
		got, dropped := take(session, sent(p))
		if diff := cmp.Diff([]Route{want.heardAs()}, got.Announced, compare); diff != "" || len(dropped) > 0 {
			t.Fatalf("(-want +got)\n%s\ndropped %v", diff, dropped)
		}
	})
}

func TestTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rd := drawRD(t)
		if back, err := ParseRD(rd.String()); err != nil || back != rd {
			t.Fatalf("%x %q: %x %v", rd, rd, back, err)
		}
		rt := RouteTarget{rd[1], routeTargetSubtype, rd[2], rd[3], rd[4], rd[5], rd[6], rd[7]}
		if back, err := ParseRouteTarget(rt.String()); err != nil || back != rt {
			t.Fatalf("%x %q: %x %v", rt, rt, back, err)
		}
	})
}

// TestWireForm holds one announcement against the bytes that the RFCs ask for.
func TestWireForm(t *testing.T) {
	r := good()
	enc := encoder{}
	p, err := enc.encode(&r)
	if err != nil {
		t.Fatal(err)
	}
	b := sent(p)
	if !bytes.Contains(b, goodNLRI()) {
		t.Errorf("no NLRI %x in %x", goodNLRI(), b)
	}
	if want := bgptest.Attr(0xc0, 16, goodCommunities()...); !bytes.Contains(b, want) {
		t.Errorf("no extended communities %x in %x", want, b)
	}
}

func good() Route {
	return Route{
		Key:       Key{RD: RD{0, 1, 192, 0, 2, 1, 0, 5}, Prefix: netip.MustParsePrefix("10.100.0.0/16")},
		NextHop:   netip.MustParseAddr("192.0.2.1"),
		VNI:       5001,
		RouterMAC: MAC{2, 0, 0x5e, 0, 0x53, 1},
		Targets:   []RouteTarget{{0, 2, 0xfc, 0x58, 0, 0, 0x13, 0x89}}, // 64600:5001
	}
}

func goodNLRI() []byte {
	return []byte{
		5, 34, // IP prefix route
		0, 1, 192, 0, 2, 1, 0, 5, // RD 192.0.2.1:5
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // ESI
		0, 0, 0, 0, // Ethernet tag
		16, 10, 100, 0, 0, // prefix
		0, 0, 0, 0, // gateway
		0, 0x13, 0x89, // VNI 5001
	}
}

func goodCommunities() []byte {
	return []byte{
		0, 2, 0xfc, 0x58, 0, 0, 0x13, 0x89, // route target 64600:5001
		3, 0x0c, 0, 0, 0, 0, 0, 8, // encapsulation VXLAN
		6, 3, 2, 0, 0x5e, 0, 0x53, 1, // router's MAC
	}
}

// update is an UPDATE with one type-5 route, to be spoilt.
func update(nextHop string, nlri, communities []byte) []byte {
	attrs := bgptest.Join(bgptest.Basic(netip.Addr{}, 65001),
		bgptest.Reach(25, 70, netip.MustParseAddr(nextHop), nlri))
	if communities != nil {
		attrs = append(attrs, bgptest.Attr(0xc0, 16, communities...)...)
	}
	return bgptest.UpdateBody(nil, attrs, nil)
}

func spoil(b []byte, at int, v ...byte) []byte {
	b = append([]byte(nil), b...)
	copy(b[at:], v)
	return b
}

type hostile struct {
	name  string
	body  []byte
	want  Reason // "": taken
	noKey bool   // not even a withdrawal can be made of it
}

func hostiles() []hostile {
	n, c := goodNLRI(), goodCommunities()
	mapped := bgptest.Join([]byte{5, 58}, n[2:24], []byte{128}, make([]byte, 10), []byte{255, 255, 192, 0, 2, 7}, make([]byte, 16), n[33:])
	body := func(n, c []byte) []byte { return update("192.0.2.1", n, c) }
	return []hostile{
		{"OK as FRR sends it", body(n, c), "", false},
		{"OK without encapsulation", body(n, append(append([]byte(nil), c[:8]...), c[16:]...)), "", false},
		{"OK with a second encapsulation", body(n, append([]byte{3, 0x0c, 0, 0, 0, 0, 0, 2}, c...)), "", false},
		{"OK with a target twice", body(n, append(bytes.Clone(c[:8]), c...)), "", false},
		{"OK with 64 targets", body(n, append(targets(63), c...)), "", false},
		{"bad 65 targets", body(n, append(targets(64), c...)), errTargets, false},
		{"bad RD type", body(spoil(n, 2, 0, 9), c), errRD, true},
		{"bad segment", body(spoil(n, 14, 1), c), errSegment, false},
		{"bad tag", body(spoil(n, 23, 1), c), errTag, false},
		{"bad gateway", body(spoil(n, 29, 10, 0, 0, 1), c), errGateway, false},
		{"bad VNI 0", body(spoil(n, 33, 0, 0, 0), c), errVNI, false},
		{"bad encapsulation", body(n, spoil(c, 15, 2)), errEncap, false},
		{"bad no communities", body(n, nil), errRouterMAC, false},
		{"bad no router MAC", body(n, c[:16]), errRouterMAC, false},
		{"bad group MAC", body(n, spoil(c, 18, 3)), errRouterMAC, false},
		{"bad zero MAC", body(n, spoil(c, 18, 0, 0, 0, 0, 0, 0)), errRouterMAC, false},
		{"bad no target", body(n, c[8:]), errNoTarget, false},
		{"bad target not transitive", body(n, spoil(c, 0, 0x40)), errNoTarget, false},
		{"bad next hop", update("224.0.0.1", n, c), errNextHop, false},
		{"bad next hop 0", update("0.0.0.0", n, c), errNextHop, false},
		{"other type", body(append([]byte{3, 17, 0, 1, 192, 0, 2, 1, 0, 5, 0, 0, 0, 0, 32}, 192, 0, 2, 1), c), errOtherRoute, true},
		{"other type that nobody knows", body([]byte{200, 3, 1, 2, 3}, c), errOtherRoute, true},
		{"bad length", body(append([]byte{5, 33}, n[2:35]...), c), errLength, true},
		{"bad prefix of 33 bits", body(spoil(n, 24, 33), c), errPrefix, true},
		{"bad mapped prefix", body(mapped, c), errPrefix, true},
	}
}

// targets are so many route targets, all different, and none of them goodCommunities'.
func targets(n int) (b []byte) {
	for i := range n {
		b = append(b, 0, 2, 0xfc, 0x59, 0, 0, byte(i>>8), byte(i))
	}
	return b
}

// A route target that is said twice is one: who is attached to it is told once. Too many are said once in the log, however many routes have them.
func TestTargets(t *testing.T) {
	c := goodCommunities()
	got, _ := take(session, update("192.0.2.1", goodNLRI(), bgptest.Join(c[:8], targets(1), c[:8], c)))
	if want := []RouteTarget{{0, 2, 0xfc, 0x58, 0, 0, 0x13, 0x89}, {0, 2, 0xfc, 0x59}}; len(got.Announced) != 1 || !slices.Equal(got.Announced[0].Targets, want) {
		t.Errorf("got %+v, want the targets %v", got.Announced, want)
	}
	var log strings.Builder
	e := newEvents(&catcher{}, slog.New(slog.NewTextHandler(&log, nil)), 64600, netip.MustParseAddr("192.0.2.8"))
	for range 3 {
		e.Update(netip.MustParseAddr("192.0.2.9"), session, update("192.0.2.1", goodNLRI(), append(targets(7000), c...)))
	}
	if n := strings.Count(log.String(), string(errTargets)); n != 1 || e.dropped[errTargets] != 3 {
		t.Errorf("%d lines, dropped %v:\n%s", n, e.dropped, log.String())
	}
}

func TestHostileRoutes(t *testing.T) {
	for _, h := range hostiles() {
		t.Run(h.name, func(t *testing.T) {
			got, dropped := take(session, h.body)
			if h.want == "" {
				if len(got.Announced) != 1 || got.Announced[0].check() != nil || len(dropped) != 0 {
					t.Errorf("got %+v, dropped %v", got, dropped)
				}
				return
			}
			if h.want == errNextHop { // that one has become a withdrawal before (package wire)
				dropped[errNextHop]++
			}
			if len(got.Announced) != 0 || dropped[h.want] != 1 {
				t.Errorf("got %+v, dropped %v; want %q", got, dropped, h.want)
			}
			if want := !h.noKey; (len(got.Withdrawn) == 1) != want {
				t.Errorf("withdrawn %v, want one: %v", got.Withdrawn, want)
			}
		})
	}
}
