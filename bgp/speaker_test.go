package bgp

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// GoBGP may leave behind the queue of a session that it deletes while something is to be sent.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // see inOwnProcess
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/eapache/channels.(*InfiniteChannel).infiniteBuffer"))
}

// recorder is a Handler that writes lines.
type recorder struct{ bgptest.Recorder }

func (r *recorder) Update(u Update) {
	nh, otc := "", uint32(0)
	if u.Attrs != nil {
		nh, otc = u.Attrs.NextHop.String(), u.Attrs.OTC
	}
	r.Add("update peer=%v nh=%s +%v -%v otc=%d", u.Peer, nh, u.Announced, u.Withdrawn, otc)
}

func (r *recorder) PeerState(s PeerState) {
	r.Add("peer=%v up=%v state=%s reason=%s asn=%d families=%v hold=%v gr=%v fwd=%v long=%v longfwd=%v",
		s.Peer, s.Established, s.State, s.Reason, s.ASN, s.Families,
		s.GracefulRestart.Hold, s.GracefulRestart.Families, s.GracefulRestart.Forwarding, s.GracefulRestart.LongLived, s.GracefulRestart.LongLivedForwarding)
}

func (r *recorder) EndOfRIB(peer netip.Addr, v6 bool) { r.Add("eor peer=%v v6=%v", peer, v6) }

// node is a speaker with what tests need around it.
type node struct {
	*Speaker
	addr netip.Addr
	port uint16
	asn  uint32
	rec  *recorder
	log  *bgptest.LogText
}

func startNode(t testing.TB, asn uint32, edit ...func(*Config)) *node {
	t.Helper()
	return startNodeAt(t, bgptest.Loopback(), asn, edit...)
}

func startNodeAt(t testing.TB, addr netip.Addr, asn uint32, edit ...func(*Config)) *node {
	t.Helper()
	log, text := bgptest.Log(t)
	n := &node{addr: addr, port: bgptest.FreePort(t, addr), asn: asn, rec: &recorder{}, log: text}
	cfg := Config{
		Router: "vbr-test", ASN: asn, RouterID: netip.AddrFrom4([4]byte{10, 0, byte(asn >> 8), byte(asn)}),
		Listen: []netip.Addr{addr}, Port: n.port, Log: log,
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

func (n *node) at() netip.AddrPort { return netip.AddrPortFrom(n.addr, n.port) }

// as is n as another node's peer.
func (n *node) as(edit ...func(*Peer)) Peer {
	p := Peer{
		Address: n.addr, Port: n.port, ASN: n.asn,
		HoldTime: 9 * time.Second, KeepaliveInterval: 3 * time.Second, ConnectRetry: time.Second,
	}
	for _, e := range edit {
		e(&p)
	}
	return p
}

func from(n *node) func(*Peer)      { return func(p *Peer) { p.LocalAddress = n.addr } }
func passive(p *Peer)               { p.Passive = true }
func password(s string) func(*Peer) { return func(p *Peer) { p.Password = s } }
func restart(c *Config)             { c.RestartTime = 20 * time.Second }
func prefix(s string) netip.Prefix  { return netip.MustParsePrefix(s) }
func prefixes(l ...string) (p []netip.Prefix) {
	for _, s := range l {
		p = append(p, prefix(s))
	}
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func up(n *node) []string   { return []string{fmt.Sprintf("peer=%v ", n.addr), "up=true"} }
func down(n *node) []string { return []string{fmt.Sprintf("peer=%v ", n.addr), "up=false"} }

// pair connects two nodes and waits until both see the session.
func pair(t testing.TB, a, b *node, ea, eb []func(*Peer)) {
	t.Helper()
	must(t, a.SetPeers([]Peer{b.as(append(ea, from(a))...)}))
	must(t, b.SetPeers([]Peer{a.as(append(eb, from(b), passive)...)}))
	a.rec.Wait(t, 0, up(b)...)
	b.rec.Wait(t, 0, up(a)...)
}

func TestTwoSpeakers(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	a, b := startNode(t, 65001, restart), startNode(t, 4200000001, restart)
	must(t, a.Advertise("", []Advertisement{{
		Prefix: prefix("10.1.0.0/16"), ASPath: []uint32{65010, 65011}, Origin: 2, MED: 7, HasMED: true,
		Communities: []uint32{65001<<16 | 5}, LargeComms: [][3]uint32{{65001, 1, 2}}, OTC: 65001,
	}}))
	pair(t, a, b, nil, nil)

	m := b.rec.Wait(t, 0, fmt.Sprintf("update peer=%v nh=%v +[10.1.0.0/16] -[] otc=65001", a.addr, a.addr))
	b.rec.Wait(t, 0, fmt.Sprintf("eor peer=%v v6=false", a.addr))
	must(t, a.Advertise("", []Advertisement{{Prefix: prefix("10.2.0.0/16"), NextHop: netip.MustParseAddr("192.0.2.9")}}))
	m = b.rec.Wait(t, m, "nh=192.0.2.9 +[10.2.0.0/16]")
	must(t, a.Withdraw("", prefixes("10.1.0.0/16", "10.99.0.0/16")))
	b.rec.Wait(t, m, "nh= +[] -[10.1.0.0/16]")

	st := b.Status(5 * time.Second)
	if len(st) != 1 || st[0].State != "established" || st[0].HoldTime != 9*time.Second || st[0].ASN != 65001 ||
		st[0].Received.Updates < 3 || st[0].Families != IPv4 || st[0].Sessions != 1 {
		t.Errorf("peers: %+v", st)
	}
}

func TestIPv6NextHopIsTheSessionsOwn(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	lo := netip.IPv6Loopback()
	a, b := startNodeAt(t, lo, 65001), startNodeAt(t, lo, 65002)
	both := func(p *Peer) { p.IPv4, p.IPv6 = true, true }
	pair(t, a, b, []func(*Peer){both}, []func(*Peer){both})
	must(t, a.Advertise("", []Advertisement{{Prefix: prefix("2001:db8:1::/48")}, {Prefix: prefix("10.1.0.0/16")}}))
	b.rec.Wait(t, 0, "nh=::1 +[2001:db8:1::/48]")
	b.rec.Wait(t, 0, "nh=::1 +[10.1.0.0/16]") // RFC 8950
}

func TestNothingIsPassedOnBetweenPeers(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	a, hub, c := startNode(t, 65001), startNode(t, 65002), startNode(t, 65003)
	must(t, hub.SetPeers([]Peer{a.as(from(hub), passive), c.as(from(hub), passive)}))
	must(t, a.SetPeers([]Peer{hub.as(from(a))}))
	must(t, c.SetPeers([]Peer{hub.as(from(c))}))
	c.rec.Wait(t, 0, up(hub)...)
	must(t, a.Advertise("", []Advertisement{{Prefix: prefix("10.1.0.0/16")}}))
	hub.rec.Wait(t, 0, "+[10.1.0.0/16]")
	must(t, hub.Advertise("", []Advertisement{{Prefix: prefix("10.2.0.0/16")}})) // a marker behind it
	c.rec.Wait(t, 0, "+[10.2.0.0/16]")
	c.rec.Never(t, 0, "10.1.0.0/16")
}

func TestSetPeersLeavesUnchangedAlone(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	a, b := startNode(t, 65001), startNode(t, 65002)
	pair(t, a, b, nil, nil)
	m := a.rec.Len()
	for range 3 {
		must(t, a.SetPeers([]Peer{b.as(from(a))}))
	}
	slow := func(p *Peer) { p.HoldTime = 30 * time.Second; p.KeepaliveInterval = 10 * time.Second }
	must(t, a.SetPeers([]Peer{b.as(from(a), slow)}))
	must(t, b.Advertise("", []Advertisement{{Prefix: prefix("10.1.0.0/16")}}))
	a.rec.Wait(t, m, "+[10.1.0.0/16]")
	a.rec.Never(t, m, "up=false")

	must(t, a.SetPeers([]Peer{b.as(from(a), slow, func(p *Peer) { p.LocalASN = 65009 })}))
	a.rec.Wait(t, m, append(down(b), "configuration changed")...)
	a.rec.Wait(t, m, append(down(b), "peer refused the session: open message error/bad peer AS")...)
	b.rec.Wait(t, 0, append(down(a), "bad peer AS")...)

	must(t, a.SetPeers(nil))
	if st := a.Status(5 * time.Second); len(st) != 0 {
		t.Errorf("peers after removal: %+v", st)
	}
}

func TestRemovedPeerGetsCease(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	a, b := startNode(t, 65001), startNode(t, 65002)
	pair(t, a, b, nil, nil)
	must(t, a.SetPeers(nil))
	a.rec.Wait(t, 0, append(down(b), "state=removed", "removed from the configuration")...)
	b.rec.Wait(t, 0, append(down(a), "peer closed the session: cease/peer deconfigured", "hold=false")...)
}

func TestBadInput(t *testing.T) {
	n := startNode(t, 65001)
	ok := Peer{Address: netip.MustParseAddr("127.0.0.1"), ASN: 65002, Passive: true}
	for name, edit := range map[string]func(*Peer){
		"bad address":       func(p *Peer) { p.Address = netip.Addr{} },
		"bad AS":            func(p *Peer) { p.ASN = 0 },
		"bad local address": func(p *Peer) { p.LocalAddress = netip.IPv6Loopback() },
		"bad family":        func(p *Peer) { p.IPv6 = true },
		"bad hold time":     func(p *Peer) { p.HoldTime = time.Second },
		"bad password":      func(p *Peer) { p.Password = string(make([]byte, 81)) },
	} {
		p := ok
		edit(&p)
		if err := n.SetPeers([]Peer{p}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := n.SetPeers([]Peer{ok, ok}); err == nil {
		t.Error("bad duplicate: accepted")
	}
	for name, ad := range map[string]Advertisement{
		"bad prefix":   {},
		"bad next hop": {Prefix: prefix("2001:db8::/32"), NextHop: netip.MustParseAddr("192.0.2.1")},
		"bad origin":   {Prefix: prefix("10.0.0.0/8"), Origin: 3},
	} {
		if err := n.Advertise("", []Advertisement{ad}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, c := range map[string]Config{
		"bad AS":        {RouterID: n.addr},
		"bad router id": {ASN: 1, RouterID: netip.IPv6Loopback()},
		"bad device":    {ASN: 1, RouterID: n.addr, Device: "nosuchdev0"},
		"bad restart":   {ASN: 1, RouterID: n.addr, RestartTime: 2 * time.Hour},
		"bad port":      {ASN: 1, RouterID: n.addr, Listen: []netip.Addr{n.addr}, Port: n.port}, // taken
	} {
		s, err := Start(context.Background(), c, n.rec)
		if err == nil {
			t.Errorf("%s: accepted", name)
			_ = s.Close(true)
		}
	}
	if len(n.Status(5*time.Second)) != 0 {
		t.Error("a refused peer was configured")
	}
}
