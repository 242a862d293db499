package bgp

import (
	"net/netip"
	"testing"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// kept is a Handler that keeps UPDATEs.
type kept struct{ all []Update }

func (k *kept) Update(u Update)         { k.all = append(k.all, u) }
func (*kept) PeerState(PeerState)       {}
func (*kept) EndOfRIB(netip.Addr, bool) {}
func (k *kept) prefixes() (l []netip.Prefix) {
	for _, u := range k.all {
		l = append(append(l, u.Announced...), u.Withdrawn...)
	}
	return l
}

// FuzzPaths: an UPDATE of a stranger's, as the guard lets it through and GoBGP reads it, is handed up with each of its prefixes once, and
// what is announced has attributes.
func FuzzPaths(f *testing.F) {
	nlri := bgptest.NLRI("10.1.0.0/16")
	f.Add(bgptest.UpdateBody(nil, basic(), nlri))
	f.Add(bgptest.UpdateBody(nlri, basic(bgptest.Attr(0xc0, 35, 0, 0, 0xfc, 0)), nlri))
	f.Add(bgptest.UpdateBody(nil, basic(bgptest.Attr(0xc0, 35, 1), bgptest.Attr(0xc0, 7, 0, 0, 0xfd, 0xe9, 10, 0, 0, 1), bgptest.Attr(0xc0, 32, make([]byte, 12)...)), nlri))
	f.Add(bgptest.UpdateBody(nil, bgptest.Join(basic(), bgptest.Reach(2, 1, nh6, victim6)), nlri))
	session := wire.Session{AS4: true, Families: []wire.Family{wire.IPv4, wire.IPv6}}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) < 4 || len(body) > wire.MaxLen-wire.HeaderLen {
			return
		}
		out, v := session.Update(body)
		if v.Action == wire.Reset || v.Action == wire.Ignore {
			return
		}
		if out != nil { // perhaps two messages: the first one does
			body = out[wire.HeaderLen : int(out[16])<<8|int(out[17])]
		}
		h := &packet.BGPHeader{Len: uint16(wire.HeaderLen + len(body)), Type: packet.BGP_MSG_UPDATE}
		m, err := packet.ParseBGPBody(h, body)
		if err != nil {
			return
		}
		paths := pathsOf(m.Body.(*packet.BGPUpdate))
		k := &kept{}
		events{h: k}.Paths(netip.MustParseAddr("10.0.0.2"), paths)
		if got := k.prefixes(); len(got) != len(paths) {
			t.Fatalf("%d prefixes handed up of %d: %+v", len(got), len(paths), k.all)
		}
		for _, u := range k.all {
			if (u.Attrs != nil) != (len(u.Announced) > 0) {
				t.Fatalf("%+v", u)
			}
		}
	})
}

// pathsOf is an UPDATE as GoBGP's watchers get it.
func pathsOf(u *packet.BGPUpdate) (paths []*apiutil.Path) {
	add := func(n packet.NLRI, withdrawal bool) {
		if _, ok := n.(*packet.IPAddrPrefix); ok {
			paths = append(paths, &apiutil.Path{Nlri: n, Withdrawal: withdrawal, Attrs: u.PathAttributes})
		}
	}
	for _, n := range u.NLRI {
		add(n.NLRI, false)
	}
	for _, n := range u.WithdrawnRoutes {
		add(n.NLRI, true)
	}
	for _, a := range u.PathAttributes {
		switch a := a.(type) {
		case *packet.PathAttributeMpReachNLRI:
			for _, n := range a.Value {
				add(n.NLRI, false)
			}
		case *packet.PathAttributeMpUnreachNLRI:
			for _, n := range a.Value {
				add(n.NLRI, true)
			}
		}
	}
	return paths
}
