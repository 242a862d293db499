package monitor

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// FuzzUpdate: what the guard lets through can be told to collectors, and each of its prefixes is kept or let go.
func FuzzUpdate(f *testing.F) {
	a, nlri := netip.MustParseAddr("192.0.2.9"), bgptest.NLRI("10.1.0.0/16", "10.2.0.0/16")
	f.Add(true, bgptest.UpdateBody(nil, bgptest.Basic(a, 65001), nlri))
	f.Add(true, bgptest.UpdateBody(nlri, bgptest.Join(bgptest.Basic(a, 65001), bgptest.Reach(2, 1, netip.MustParseAddr("2001:db8::9"), bgptest.NLRI("2001:db8::/32"))), nlri))
	f.Add(true, bgptest.UpdateBody(nil, bgptest.Unreach(2, 1, bgptest.NLRI("2001:db8::/32")), nil))
	f.Add(false, bgptest.UpdateBody(nil, bgptest.Join(bgptest.Attr(0x40, 1, 0), bgptest.Attr(0x40, 2, 2, 1, 0x5b, 0xa0), bgptest.Attr(0x40, 3, 192, 0, 2, 9),
		bgptest.Attr(0xc0, 7, 0x5b, 0xa0, 10, 0, 0, 5), bgptest.Attr(0xc0, 17, 2, 1, 0, 1, 0x11, 0x71), bgptest.Attr(0xc0, 18, 0, 1, 0x11, 0x71, 10, 0, 0, 5)), nlri))
	i := instance{router: "vbr-a", table: 1}
	x := &Session{Peer: netip.MustParseAddrPort("10.0.0.2:179"), ASN: 65001, RouterID: netip.MustParseAddr("10.0.0.2")}
	f.Fuzz(func(t *testing.T, as4 bool, body []byte) {
		session := &wire.Session{AS4: as4, Families: []wire.Family{wire.IPv4, wire.IPv6}}
		if len(body) < 4 || len(body) > wire.MaxLen-wire.HeaderLen {
			return
		}
		out, v := session.Update(body)
		if v.Action == wire.Reset || v.Action == wire.Ignore {
			return
		}
		if out == nil {
			out = wire.Frame(wire.Update, body)
		}
		var kept received
		for len(out) > 0 {
			n := int(binary.BigEndian.Uint16(out[16:]))
			paths, err := decode(session, out[wire.HeaderLen:n], time.Now())
			if err != nil {
				t.Fatalf("%x: %v", out[:n], err)
			}
			classic, mp := session.Routes(out[wire.HeaderLen:n])
			if want := len(classic.Announced) + len(classic.Withdrawn) + len(mp.Announced) + len(mp.Withdrawn); len(paths) != want {
				t.Fatalf("%x: %d paths of %d prefixes", out[:n], len(paths), want)
			}
			kept.apply(paths)
			if _, err := i.routes(x, paths, time.Now()); err != nil {
				t.Fatalf("%x: %v", out[:n], err)
			}
			out = out[n:]
		}
	})
}
