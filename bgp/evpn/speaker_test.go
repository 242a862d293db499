package evpn

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// GoBGP may leave behind the queue of a session that it deletes while something is to be sent.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/eapache/channels.(*InfiniteChannel).infiniteBuffer"))
}

type recorder struct{ bgptest.Recorder }

func (r *recorder) Update(u Update) {
	for _, k := range u.Withdrawn {
		r.Add("- %v peer=%v", k, u.Peer)
	}
	for _, x := range u.Announced {
		r.Add("+ %v peer=%v nh=%v vni=%d rmac=%v rt=%v path=%v lp=%d med=%d comm=%v large=%v",
			x.Key, u.Peer, x.NextHop, x.VNI, x.RouterMAC, x.Targets, x.ASPath, x.LocalPref, x.MED, x.Communities, x.LargeCommunities)
	}
}

func (r *recorder) PeerState(s PeerState) {
	r.Add("peer=%v up=%v state=%s reason=%s families=%v hold=%v", s.Peer, s.Established, s.State, s.Reason, s.Families, s.GracefulRestart.Hold)
}

func (r *recorder) EndOfRIB(peer netip.Addr) { r.Add("eor peer=%v", peer) }

type node struct {
	*Speaker
	addr netip.Addr
	port uint16
	asn  uint32
	rec  *recorder
}

func startNode(t testing.TB, asn uint32, vtep string, edit ...func(*Config)) *node {
	t.Helper()
	a := bgptest.Loopback()
	log, _ := bgptest.Log(t)
	n := &node{addr: a, port: bgptest.FreePort(t, a), asn: asn, rec: &recorder{}}
	cfg := Config{
		ASN: asn, RouterID: netip.MustParseAddr(vtep), VTEP: netip.MustParseAddr(vtep),
		Listen: []netip.Addr{a}, Port: n.port, RestartTime: 20 * time.Second, Log: log,
	}
	for _, e := range edit {
		e(&cfg)
	}
	s, err := Start(t.Context(), cfg, n.rec)
	if err != nil {
		t.Fatal(err)
	}
	n.Speaker = s
	t.Cleanup(func() { _ = s.Close(true) })
	return n
}

func (n *node) as(from *node) Peer {
	return Peer{
		Address: n.addr, LocalAddress: from.addr, Port: n.port, ASN: n.asn,
		HoldTime: 9 * time.Second, KeepaliveInterval: 3 * time.Second, ConnectRetry: time.Second,
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tenant is a route of a tenant behind the speaker; both tenants have the same prefixes.
func tenant(n int, prefix string) Route {
	r := good()
	r.NextHop = netip.Addr{} // the speaker's VTEP
	r.RD[7], r.VNI = byte(n), uint32(5000+n)
	r.Targets = []RouteTarget{{0, 2, 0xfc, 0x58, 0, 0, 0x13, byte(0x88 + n)}}
	r.Prefix = netip.MustParsePrefix(prefix)
	return r
}

func exportAndWithdraw(t *testing.T, a, b *node, via netip.Addr, attrs string) {
	t.Helper()
	r1, r2, r6 := tenant(1, "10.100.0.0/16"), tenant(2, "10.100.0.0/16"), tenant(1, "2001:db8:100::/48")
	r2.MED, r2.HasMED, r2.Communities, r2.LargeCommunities = 7, true, []uint32{65001}, [][3]uint32{{64600, 1, 4294967295}, {64600, 1, 2}}
	must(t, a.Export([]Route{r1, r2, r6}))
	line := func(rd, p string, vni int) []string {
		return []string{"+ [" + rd + "]" + p, fmt.Sprintf("peer=%v nh=192.0.2.1 vni=%d rmac=02:00:5e:00:53:01 rt=[64600:%d]", via, vni, vni), attrs}
	}
	b.rec.Wait(t, 0, line("192.0.2.1:1", "10.100.0.0/16", 5001)...)
	b.rec.Wait(t, 0, line("192.0.2.1:2", "10.100.0.0/16", 5002)...)
	b.rec.Wait(t, 0, "[192.0.2.1:2]", "med=7 comm=[65001] large=[[64600 1 ")
	m := b.rec.Wait(t, 0, line("192.0.2.1:1", "2001:db8:100::/48", 5001)...)
	r1.VNI, r1.MED, r1.HasMED = 5999, 5, true // the same key. FRR 8.4 reflects no change of the VNI alone.
	must(t, a.Export([]Route{r1}))
	m = b.rec.Wait(t, m, "+ [192.0.2.1:1]10.100.0.0/16", "vni=5999")
	must(t, a.Withdraw([]Key{r1.Key, r6.Key, tenant(9, "10.9.0.0/16").Key}))
	b.rec.Wait(t, m, "- [192.0.2.1:1]10.100.0.0/16")
	b.rec.Wait(t, m, "- [192.0.2.1:1]2001:db8:100::/48")
	b.rec.Never(t, m, "- [192.0.2.1:2]")
}

// join has two speakers speak with each other.
func join(t *testing.T, a, b *node) {
	t.Helper()
	pb := a.as(b)
	pb.Passive = true
	must(t, b.SetPeers([]Peer{pb}))
	must(t, a.SetPeers([]Peer{b.as(a)}))
	b.rec.Wait(t, 0, "up=true", "families=evpn")
	b.rec.Wait(t, 0, fmt.Sprintf("eor peer=%v", a.addr))
}

// NO_EXPORT is for the peers of our own AS, NO_ADVERTISE for none (RFC 1997).
func TestWellKnownCommunities(t *testing.T) {
	for _, asn := range []uint32{64600, 64601} {
		a, b := startNode(t, 64600, "192.0.2.1"), startNode(t, asn, "192.0.2.2")
		marked := func(n int, community uint32) Route {
			r := tenant(n, "10.100.0.0/16")
			r.Communities = []uint32{community}
			return r
		}
		internal, none, all := marked(1, 0xffffff01), marked(2, 0xffffff02), marked(3, 65001)
		must(t, a.Export([]Route{internal, none, all, marked(4, 0xffff0006)}))
		if why := a.Untold(none.Key); why != "" {
			t.Errorf("AS %d: without a session: %q", asn, why)
		}
		join(t, a, b)
		b.rec.Wait(t, 0, "+ [192.0.2.1:3]10.100.0.0/16", "comm=[65001]")
		b.rec.Wait(t, 0, "+ [192.0.2.1:4]10.100.0.0/16") // LLGR_STALE, without long-lived graceful restart: RFC 9494 4.6
		b.rec.Never(t, 0, "+ [192.0.2.1:2]")
		if asn == 64600 {
			b.rec.Wait(t, 0, "+ [192.0.2.1:1]10.100.0.0/16")
		} else {
			b.rec.Never(t, 0, "+ [192.0.2.1:1]")
		}
		if x, y, z := a.Untold(internal.Key), a.Untold(none.Key), a.Untold(all.Key); (x == "") != (asn == 64600) || !strings.Contains(y, "NO_ADVERTISE") || z != "" {
			t.Errorf("AS %d: asked: %q, %q, %q", asn, x, y, z)
		}
	}
}

func TestTwoSpeakers(t *testing.T) {
	for name, c := range map[string]struct {
		asn   uint32
		attrs string
	}{
		"iBGP": {64600, "path=[] lp=100"},
		"eBGP": {64601, "path=[64600] lp=0"},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := startNode(t, 64600, "192.0.2.1"), startNode(t, c.asn, "192.0.2.2")
			join(t, a, b)
			exportAndWithdraw(t, a, b, a.addr, c.attrs)
			if st := b.Status(5 * time.Second); len(st) != 1 || st[0].State != "established" {
				t.Errorf("peers: %+v", st)
			}
		})
	}
}

func TestFRRAsRouteReflector(t *testing.T) {
	a, b := startNode(t, 64600, "192.0.2.1"), startNode(t, 64600, "192.0.2.2")
	rr := bgptest.Loopback()
	config := "frr defaults datacenter\nrouter bgp 64600\n bgp router-id 192.0.2.254\n no bgp default ipv4-unicast\n timers bgp 3 9\n"
	for _, n := range []*node{a, b} {
		config += fmt.Sprintf(" neighbor %[1]v remote-as 64600\n neighbor %[1]v passive\n neighbor %[1]v update-source %[2]v\n", n.addr, rr)
	}
	config += " address-family l2vpn evpn\n"
	for _, n := range []*node{a, b} {
		config += fmt.Sprintf("  neighbor %[1]v activate\n  neighbor %[1]v route-reflector-client\n", n.addr)
	}
	port := bgptest.FreePort(t, rr)
	frr := bgptest.StartFRR(t, netip.AddrPortFrom(rr, port), config)
	for _, n := range []*node{a, b} {
		must(t, n.SetPeers([]Peer{{
			Address: rr, LocalAddress: n.addr, Port: port, ASN: 64600,
			HoldTime: 9 * time.Second, KeepaliveInterval: 3 * time.Second, ConnectRetry: time.Second,
		}}))
	}
	a.rec.Wait(t, 0, "up=true", "families=evpn")
	b.rec.Wait(t, 0, "up=true", "families=evpn")
	exportAndWithdraw(t, a, b, rr, "path=[] lp=100")
	frr.Wait("", "show bgp l2vpn evpn", "[5]:[0]:[16]:[10.100.0.0]", "RT:64600:5002 ET:8 Rmac:02:00:5e:00:53:01")
	a.rec.Never(t, 0, "+ [192.0.2.1") // its own routes do not come back
}

func TestHostilePeer(t *testing.T) {
	n := startNode(t, 64600, "192.0.2.1")
	a := bgptest.Loopback()
	must(t, n.SetPeers([]Peer{{Address: a, ASN: 65001, Passive: true}}))
	p := bgptest.Dial(t, a, netip.AddrPortFrom(n.addr, n.port), 65001, bgptest.MP(25, 70))
	n.rec.Wait(t, 0, "up=true")
	var bad uint64
	for _, h := range hostiles() {
		p.Send(bgptest.UpdateMsg, h.body)
		if h.want != "" && h.want != errNextHop { // that one has become a withdrawal before (package wire)
			bad++
		}
	}
	last := append(bytes.Clone(goodNLRI()[:24]), 24, 10, 77, 7, 0, 0, 0, 0, 0, 0, 0x13, 0x89)
	last = append(goodNLRI()[:24:24], last[24:]...)
	p.Send(bgptest.UpdateMsg, update("192.0.2.1", last, goodCommunities()))
	n.rec.Wait(t, 0, "+ [192.0.2.1:5]10.77.7.0/24")
	var got uint64
	for _, c := range n.Dropped() {
		got += c
	}
	if got != bad {
		t.Errorf("dropped %v, want %d", n.Dropped(), bad)
	}
	n.rec.Never(t, 0, "up=false")
}

func TestBadInput(t *testing.T) {
	n := startNode(t, 64600, "192.0.2.1")
	for name, edit := range map[string]func(*Route){
		"bad RD":      func(r *Route) { r.RD = RD{} },
		"bad tag":     func(r *Route) { r.EthernetTag = 1 },
		"bad VNI":     func(r *Route) { r.VNI = MaxVNI + 1 },
		"bad MAC":     func(r *Route) { r.RouterMAC = MAC{1} },
		"bad targets": func(r *Route) { r.Targets = []RouteTarget{{}} },
		"bad gateway": func(r *Route) { r.Gateway = netip.MustParseAddr("10.0.0.1") },
		"bad prefix":  func(r *Route) { r.Prefix = netip.Prefix{} },
		"bad nexthop": func(r *Route) { r.NextHop = netip.MustParseAddr("ff02::1") },
	} {
		r := good()
		edit(&r)
		if err := n.Export([]Route{r}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := n.Withdraw([]Key{{}}); err == nil {
		t.Error("bad key: accepted")
	}
	if _, err := Start(t.Context(), Config{ASN: 1, RouterID: n.addr}, n.rec); err == nil {
		t.Error("bad VTEP: accepted")
	}
}
