package evpn

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// What would loop is withdrawn: RFC 4271 9.1.2, RFC 4456 8. ORIGINATOR_ID means nothing from an external peer.
func TestLoops(t *testing.T) {
	looped := good()
	looped.ASPath = []uint32{65001, 4294967295}
	enc := encoder{}
	p, err := enc.encode(&looped)
	if err != nil {
		t.Fatal(err)
	}
	own := bgptest.UpdateBody(nil, bgptest.Join(bgptest.Basic(netip.Addr{}, 65001), bgptest.Attr(0x80, 9, 192, 0, 2, 8),
		bgptest.Reach(25, 70, netip.MustParseAddr("192.0.2.1"), goodNLRI()), bgptest.Attr(0xc0, 16, goodCommunities()...)), nil)
	for name, c := range map[string]struct {
		internal bool
		body     []byte
		want     Reason
	}{
		"own AS in the path":                  {true, sent(p), errLoop},
		"own AS in an external peer's path":   {false, sent(p), errLoop},
		"own router id as originator":         {true, own, errOwn},
		"the same of an external peer's word": {false, own, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := *session
			s.IBGP = c.internal
			got, dropped := take(&s, slices.Clone(c.body))
			if c.want == "" {
				if len(got.Announced) != 1 || len(got.Withdrawn) != 0 {
					t.Errorf("got %+v, dropped %v", got, dropped)
				}
				return
			}
			if len(got.Announced) != 0 || len(got.Withdrawn) != 1 || dropped[c.want] != 1 {
				t.Errorf("got %+v, dropped %v", got, dropped)
			}
		})
	}
}

// A message of routes of all kinds: each is judged by itself, and what is withdrawn and announced in one is announced.
func TestMixedRoutes(t *testing.T) {
	n, igmp := goodNLRI(), []byte{6, 3, 1, 2, 3} // RFC 9251
	gone, bad, short := spoil(n, 9, 7), spoil(n, 9, 6, 0, 0, 1), append([]byte{5, 33}, n[2:35]...)
	body := bgptest.UpdateBody(nil, bgptest.Join(bgptest.Basic(netip.Addr{}, 65001),
		bgptest.Unreach(25, 70, bgptest.Join(n, igmp, gone)),
		bgptest.Reach(25, 70, netip.MustParseAddr("192.0.2.1"), bgptest.Join(igmp, n, bad, short)),
		bgptest.Attr(0xc0, 16, goodCommunities()...)), nil)
	got, dropped := take(session, body)
	other := good()
	other.RD[7] = 6
	want := Update{Peer: netip.MustParseAddr("192.0.2.9"), Withdrawn: []Key{other.Key, good().Key, {RD: RD(gone[2:]), Prefix: good().Prefix}}}
	announced := good()
	announced.ASPath = []uint32{65001}
	want.Announced = []Route{announced}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[Reason]uint64{errOtherRoute: 2, errSegment: 1, errLength: 1}, dropped); diff != "" {
		t.Errorf("dropped (-want +got)\n%s", diff)
	}
}

// sameAsGoBGP: what is read from the body is what GoBGP reads, which reads less: one malformed route spoils its whole message.
func sameAsGoBGP(t *testing.T, body []byte, got Update) {
	t.Helper()
	m, err := packet.ParseBGPBody(&packet.BGPHeader{Type: packet.BGP_MSG_UPDATE, Len: uint16(wire.HeaderLen + len(body))}, body)
	if err != nil {
		return
	}
	withdrawn, announced := map[Key]bool{}, slices.Clone(got.Announced)
	for _, k := range got.Withdrawn {
		withdrawn[k] = true
	}
	for _, a := range m.Body.(*packet.BGPUpdate).PathAttributes {
		switch a := a.(type) {
		case *packet.PathAttributeMpReachNLRI:
			for _, n := range a.Value {
				k, vni, ok := read(n.NLRI)
				switch {
				case !ok || withdrawn[k] && (len(announced) == 0 || announced[0].Key != k):
				case len(announced) == 0 || announced[0].Key != k || announced[0].VNI != vni || announced[0].NextHop != a.Nexthop:
					t.Fatalf("%x: %+v, GoBGP: %v %d %v", body, announced, k, vni, a.Nexthop)
				default:
					announced = announced[1:]
				}
			}
		case *packet.PathAttributeMpUnreachNLRI:
			for _, n := range a.Value {
				if k, _, ok := read(n.NLRI); ok && !withdrawn[k] {
					t.Fatalf("%x: %v is not withdrawn", body, k)
				}
			}
		case *packet.PathAttributeAsPath:
			var path []uint32
			for _, s := range a.Value {
				path = append(path, s.GetAS()...)
			}
			for _, r := range got.Announced {
				if !slices.Equal(r.ASPath, path) {
					t.Fatalf("%x: AS path %v, GoBGP: %v", body, r.ASPath, path)
				}
			}
		}
	}
	if len(announced) > 0 {
		t.Fatalf("%x: GoBGP does not know of %+v", body, announced)
	}
}

// read is what GoBGP has read of a type-5 route that has a key.
func read(n packet.NLRI) (k Key, vni uint32, ok bool) {
	p, ok := n.(*packet.EVPNNLRI).RouteTypeData.(*packet.EVPNIPPrefixRoute)
	if !ok {
		return k, 0, false
	}
	rd, err := p.RD.Serialize()
	if err != nil || rd[0] != 0 || rd[1] > 2 || p.IPPrefix.Is4In6() {
		return k, 0, false
	}
	prefix, err := p.IPPrefix.Prefix(int(p.IPPrefixLength))
	return Key{RD: RD(rd), EthernetTag: p.ETag, Prefix: prefix}, p.Label, err == nil
}

// FuzzType5 feeds UPDATE bodies to the judge and what it lets through to the decoder. Whatever comes out must be a route that we could have sent
// ourselves, and what GoBGP reads.
func FuzzType5(f *testing.F) {
	for _, h := range hostiles() {
		f.Add(h.body)
	}
	f.Add(bgptest.UpdateBody(nil, bgptest.Unreach(25, 70, goodNLRI()), nil))
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) < 4 || len(body) > wire.MaxExtended-wire.HeaderLen {
			return
		}
		got, _ := take(session, body)
		if body = judged(session, body); body != nil {
			if again := judged(session, body); !slices.Equal(again, body) {
				t.Fatalf("%x is let through as %x the second time", body, again)
			}
			sameAsGoBGP(t, body, got)
		}
		for _, r := range got.Announced {
			enc := encoder{}
			p, err := enc.encode(&r)
			if err != nil {
				t.Fatalf("%+v: %v", r, err)
			}
			if len(r.ASPath) > 200 || len(r.Targets)+len(r.Communities)+2*len(r.LargeCommunities) > 200 {
				continue // does not fit one message
			}
			again, dropped := take(session, sent(p))
			if diff := cmp.Diff([]Route{r.heardAs()}, again.Announced, compare); diff != "" {
				t.Fatalf("(-want +got)\n%s\ndropped %v", diff, dropped)
			}
		}
	})
}
