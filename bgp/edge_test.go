package bgp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

const peerASN = 65077

// raw connects a hand-made peer with both families and the given further capabilities.
func raw(t *testing.T, n *node, edit []func(*Peer), caps ...[]byte) (*bgptest.Peer, netip.Addr) {
	t.Helper()
	a := bgptest.Loopback()
	must(t, n.SetPeers([]Peer{rawPeer(a, edit...)}))
	return redial(t, n, a, caps...), a
}

func rawPeer(a netip.Addr, edit ...func(*Peer)) Peer {
	p := Peer{Address: a, ASN: peerASN, IPv4: true, Passive: true}
	for _, e := range edit {
		e(&p)
	}
	return p
}

func redial(t *testing.T, n *node, a netip.Addr, caps ...[]byte) *bgptest.Peer {
	t.Helper()
	m := n.rec.Len()
	p := bgptest.Dial(t, a, n.at(), peerASN, append([][]byte{bgptest.MP(1, 1)}, caps...)...)
	n.rec.Wait(t, m, fmt.Sprintf("peer=%v up=true", a))
	return p
}

// TestOneUpdateTwoFamilies needs an IPv6 session: the speaker takes no IPv6 routes on another.
func TestOneUpdateTwoFamilies(t *testing.T) {
	lo := netip.IPv6Loopback()
	n := startNodeAt(t, lo, 65001)
	must(t, n.SetPeers([]Peer{rawPeer(lo, func(p *Peer) { p.IPv6 = true })}))
	p := redial(t, n, lo, bgptest.MP(2, 1))
	v4, v6 := netip.MustParseAddr("127.0.0.9"), netip.MustParseAddr("2001:db8::9")

	m := n.rec.Len()
	p.Update(bgptest.NLRI("10.9.0.0/16"), bgptest.Join(
		bgptest.Basic(netip.MustParseAddr("192.0.2.9"), peerASN),
		bgptest.Reach(2, 1, v6, bgptest.NLRI("2001:db8:1::/48", "2001:db8:2::/48")),
		bgptest.Unreach(2, 1, bgptest.NLRI("2001:db8:9::/48")),
	), bgptest.NLRI("10.1.0.0/16", "10.2.3.0/24"))
	m = n.rec.Wait(t, m, "nh=192.0.2.9 +[10.1.0.0/16 10.2.3.0/24] -[10.9.0.0/16 2001:db8:9::/48]")
	m = n.rec.Wait(t, m, "nh=2001:db8::9 +[2001:db8:1::/48 2001:db8:2::/48] -[]")

	p.Update(nil, bgptest.Join(bgptest.Basic(netip.Addr{}, peerASN),
		bgptest.Reach(2, 1, v6, bgptest.NLRI("2001:db8:1::/48"))), nil)
	m = n.rec.Wait(t, m, "nh=2001:db8::9 +[2001:db8:1::/48] -[]")
	p.Update(nil, bgptest.Join(bgptest.Basic(netip.Addr{}, peerASN),
		bgptest.Reach(1, 1, v6, bgptest.NLRI("10.5.0.0/16"))), nil) // RFC 8950
	m = n.rec.Wait(t, m, "nh=2001:db8::9 +[10.5.0.0/16] -[]")
	p.Update(nil, bgptest.Basic(v4, peerASN), bgptest.NLRI("10.6.0.0/16")) // loopback next hop: RFC 7606 withdraw
	m = n.rec.Wait(t, m, "nh= +[] -[10.6.0.0/16]")
	p.Update(nil, nil, nil)
	p.Update(nil, bgptest.Unreach(2, 1, nil), nil)
	m = n.rec.Wait(t, m, "eor peer=::1 v6=false")
	n.rec.Wait(t, m, "eor peer=::1 v6=true")
}

func TestTreatAsWithdraw(t *testing.T) {
	n := startNode(t, 65001)
	p, a := raw(t, n, nil)
	nlri := bgptest.NLRI("10.1.0.0/16")
	bad := map[string][]byte{
		"no origin":       bgptest.Join(bgptest.ASPath(peerASN), bgptest.Attr(0x40, 3, 192, 0, 2, 9)),
		"bad origin":      bgptest.Join(bgptest.Attr(0x40, 1, 7), bgptest.ASPath(peerASN), bgptest.Attr(0x40, 3, 192, 0, 2, 9)),
		"bad communities": append(bgptest.Basic(a, peerASN), bgptest.Attr(0xc0, 8, 1, 2, 3)...),
		"bad MED":         append(bgptest.Basic(a, peerASN), bgptest.Attr(0x80, 4, 1)...),
	}
	for name, attrs := range bad {
		t.Run(name, func(t *testing.T) {
			m := n.rec.Len()
			p.Update(nil, bgptest.Basic(a, peerASN), nlri)
			m = n.rec.Wait(t, m, "+[10.1.0.0/16]")
			p.Update(nil, attrs, nlri)
			n.rec.Wait(t, m, "+[] -[10.1.0.0/16]")
			n.rec.Never(t, m, "up=false")
		})
	}
	if c := strings.Count(n.log.String(), "level=WARN"); c != 1 {
		t.Errorf("%d warnings about one peer in a moment, want 1", c)
	}
}

func TestLoopedPathReplacesTheOneBefore(t *testing.T) {
	n := startNode(t, 65001)
	p, a := raw(t, n, nil)
	p.Update(nil, bgptest.Basic(a, peerASN), bgptest.NLRI("10.1.0.0/16"))
	m := n.rec.Wait(t, 0, "+[10.1.0.0/16]")
	p.Update(nil, bgptest.Basic(a, peerASN, 65001), bgptest.NLRI("10.1.0.0/16"))
	n.rec.Wait(t, m, "+[10.1.0.0/16]")
}

func TestBytesThatAreNotBGP(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	n := startNode(t, 65001)
	a := bgptest.Loopback()
	must(t, n.SetPeers([]Peer{rawPeer(a)}))
	unknown := bgptest.Message(99, nil)
	short := bytes.Clone(unknown)
	short[17] = 3
	huge := bytes.Clone(unknown)
	huge[16], huge[17] = 0xff, 0xff
	for _, b := range [][]byte{
		unknown, short, huge, []byte("GET / HTTP/1.1\r\n\r\n"), bytes.Repeat([]byte{0xff}, 200), {0xff},
		bgptest.Message(bgptest.UpdateMsg, nil),
		bgptest.Message(bgptest.Open, []byte{4, 0, 1, 0, 90, 1, 2, 3, 4, 200, 2, 255}),
		bgptest.Message(bgptest.Open, bgptest.OpenBody(peerASN+1, 9)),
	} {
		if p, err := bgptest.Connect(t, a, n.at()); err == nil {
			_, _ = p.Conn().Write(b)
			time.Sleep(20 * time.Millisecond)
			p.Close()
		}
	}
	p := redial(t, n, a)
	p.Update(nil, bgptest.Basic(a, peerASN), bgptest.NLRI("10.1.0.0/16"))
	n.rec.Wait(t, 0, "+[10.1.0.0/16]")
}

func TestReasons(t *testing.T) {
	n := startNode(t, 65001)
	text := "going \"home\"\n"
	cases := []struct {
		want string
		do   func(*bgptest.Peer)
	}{
		{`peer closed the session: cease/administrative shutdown ("going \"home\"\n")`, func(p *bgptest.Peer) {
			p.Send(bgptest.Notification, append([]byte{6, 2, byte(len(text))}, text...))
		}},
		{"peer closed the session: cease/hard reset", func(p *bgptest.Peer) { p.Send(bgptest.Notification, []byte{6, 9}) }},
		{"peer closed the session: notification 77/3", func(p *bgptest.Peer) { p.Send(bgptest.Notification, []byte{77, 3}) }},
		{"connection lost", (*bgptest.Peer).Close},
		{"closed towards the peer: message header error/bad message type", func(p *bgptest.Peer) { p.Send(66, nil) }},
		{"closed towards the peer: update message error", func(p *bgptest.Peer) { p.Send(bgptest.UpdateMsg, []byte{0xff, 0xff, 0, 0}) }},
	}
	addrs := make([]netip.Addr, len(cases))
	peers := make([]Peer, len(cases))
	for i := range cases {
		addrs[i] = bgptest.Loopback()
		peers[i] = rawPeer(addrs[i])
	}
	must(t, n.SetPeers(peers))
	for i, c := range cases {
		p := redial(t, n, addrs[i])
		m := n.rec.Len()
		c.do(p)
		n.rec.Wait(t, m, fmt.Sprintf("peer=%v up=false", addrs[i]), c.want, "hold=false")
	}
}

func TestGracefulRestartOfThePeer(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	n := startNode(t, 65001, restart)
	p, a := raw(t, n, nil, bgptest.GR(0, 60, [3]byte{1, 1, 0x80}))
	n.rec.Wait(t, 0, "up=true", "gr=ipv4 fwd=ipv4")
	m := n.rec.Len()
	p.Close()
	m = n.rec.Wait(t, m, "up=false", "connection lost", "hold=true", "gr=ipv4")
	p = redial(t, n, a, bgptest.GR(8, 60, [3]byte{1, 1, 0})) // restarted, forwarding state lost
	m = n.rec.Wait(t, m, "up=true", "gr=ipv4 fwd=")
	p.Send(bgptest.Notification, []byte{6, 2})
	m = n.rec.Wait(t, m, "up=false", "hold=false")
	p = redial(t, n, a) // now without graceful restart
	p.Close()
	n.rec.Wait(t, m, "up=false", "connection lost", "hold=false")
}

// TestNotificationBit: with the N bit at both ends a NOTIFICATION is a graceful restart and a Hard Reset is none; without it any NOTIFICATION is the end
// (RFC 8538 2 to 4).
func TestNotificationBit(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	n := startNode(t, 65001, restart)
	const nBit = 4
	p, a := raw(t, n, nil, bgptest.GR(nBit, 60, [3]byte{1, 1, 0x80}))
	m := n.rec.Wait(t, 0, "up=true", "gr=ipv4 fwd=ipv4")
	p.Send(bgptest.Notification, []byte{6, 4})
	m = n.rec.Wait(t, m, "up=false", "restarting gracefully: cease/administrative reset", "hold=true", "gr=ipv4")
	p = redial(t, n, a, bgptest.GR(nBit, 60, [3]byte{1, 1, 0x80}))
	m = n.rec.Wait(t, m, "up=true")
	p.Send(bgptest.Notification, []byte{6, 9, 6, 4}) // Hard Reset, for an administrative reset
	m = n.rec.Wait(t, m, "up=false", "cease/hard reset for cease/administrative reset", "hold=false")
	p = redial(t, n, a, bgptest.GR(0, 60, [3]byte{1, 1, 0x80}))
	m = n.rec.Wait(t, m, "up=true")
	p.Send(bgptest.Notification, []byte{6, 4})
	n.rec.Wait(t, m, "up=false", "administrative reset", "hold=false")
}

// TestOurNotificationsHold: with the N bit at both ends the peer's routes are held over NOTIFICATIONs of ours too, but not over a Hard Reset or a change of
// its configuration (RFC 8538 4).
func TestOurNotificationsHold(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	n := startNode(t, 65001, restart)
	nBit, none := bgptest.GR(4, 60, [3]byte{1, 1, 0x80}), bgptest.GR(0, 60, [3]byte{1, 1, 0x80})
	var peers []Peer
	reset := func(_ *bgptest.Peer, at *Peer) { must(t, n.Reset(t.Context(), at.Address, "test")) }
	malformed := func(p *bgptest.Peer, _ *Peer) { p.Send(bgptest.UpdateMsg, []byte{0, 9, 0, 0}) }
	for i, tt := range []struct {
		name  string
		gr    []byte
		end   func(p *bgptest.Peer, at *Peer)
		says  []byte // the NOTIFICATION
		event string
	}{
		{"reset", nBit, reset, []byte{6, 4}, "hold=true"},
		{"reset, without the N bit", none, reset, []byte{6, 4}, "hold=false"},
		{"malformed", nBit, malformed, []byte{3, 1}, "hold=true"},
		{"malformed, without the N bit", none, malformed, []byte{3, 1}, "hold=false"},
		{"changed", nBit, func(_ *bgptest.Peer, at *Peer) { at.Role = RoleCustomer; must(t, n.SetPeers(peers)) }, []byte{6, 6}, "hold=false"},
		{"over its quota", nBit, func(_ *bgptest.Peer, at *Peer) { at.Down = MaximumPrefixes; must(t, n.SetPeers(peers)) }, []byte{6, 9, 6, 1}, "hold=false"},
		{"over its quota, without the N bit", none, func(_ *bgptest.Peer, at *Peer) { at.Down = MaximumPrefixes; must(t, n.SetPeers(peers)) }, []byte{6, 1}, "hold=false"},
		{"out of service", nBit, func(_ *bgptest.Peer, at *Peer) { at.Down = AdministrativeShutdown; must(t, n.SetPeers(peers)) }, []byte{6, 9, 6, 2}, "hold=false"},
		{"removed", nBit, func(*bgptest.Peer, *Peer) { must(t, n.SetPeers(peers[:len(peers)-1])) }, []byte{6, 9, 6, 3}, "hold=false"},
	} {
		peers = append(peers, rawPeer(bgptest.Loopback()))
		must(t, n.SetPeers(peers))
		p := redial(t, n, peers[i].Address, tt.gr)
		m := n.rec.Len()
		tt.end(p, &peers[i])
		if body := notification(t, p); !bytes.HasPrefix(body, tt.says) {
			t.Errorf("%s: NOTIFICATION % d, want % d", tt.name, body, tt.says)
		}
		n.rec.Wait(t, m, fmt.Sprintf("peer=%v up=false", peers[i].Address), tt.event)
	}
	p := redial(t, n, peers[0].Address, nBit)
	go func() { _ = n.Close(true) }()
	if body := notification(t, p); !bytes.Equal(body, []byte{6, 9, 6, 2}) {
		t.Errorf("the end of the speaker: NOTIFICATION % d, want 6 9 6 2", body)
	}
}

// grCapability finds the graceful restart capability in an OPEN.
func grCapability(t *testing.T, open []byte) []byte {
	t.Helper()
	i := bytes.Index(open[10:], []byte{64, 6})
	if i < 0 {
		t.Fatalf("no graceful restart capability in %x", open)
	}
	return open[10+i+2:][:6]
}

// openFrom connects as a neighbour of a speaker that may have just started and returns the speaker's OPEN.
func openFrom(t *testing.T, n *node, a netip.Addr) (p *bgptest.Peer, open []byte) {
	t.Helper()
	// The speaker closes connections until it leaves idle.
	for end := time.Now().Add(5 * time.Second); open == nil && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var err error
		if p, err = bgptest.Connect(t, a, n.at()); err != nil {
			continue
		}
		if typ, body, err := p.Next(time.Second); err == nil && typ == bgptest.Open {
			open = body
		}
	}
	return p, open
}

func TestOurRestart(t *testing.T) {
	n := startNode(t, 65001, restart, func(c *Config) { c.Restarting, c.DeferralTime = IPv4|IPv6, 3*time.Second })
	a := bgptest.Loopback()
	must(t, n.Advertise("", []Advertisement{{Prefix: prefix("10.1.0.0/16")}}))
	must(t, n.SetPeers([]Peer{rawPeer(a)}))
	p, open := openFrom(t, n, a)
	gr := grCapability(t, open)
	if flags, secs := gr[0]>>4, binary.BigEndian.Uint16(gr)&0xfff; flags != 12 || secs != 20 || gr[5] != 0x80 {
		t.Errorf("graceful restart capability %x: want R, N and F bits and 20 s", gr)
	}
	p.Send(bgptest.Open, bgptest.OpenBody(peerASN, 9, bgptest.MP(1, 1), bgptest.GR(0, 60, [3]byte{1, 1, 0x80})))
	p.Send(bgptest.Keepalive, nil)
	n.rec.Wait(t, 0, "up=true")
	if typ, body, err := p.Next(time.Second); err == nil {
		t.Fatalf("message %d %x before our End-of-RIB", typ, body)
	}
	p.Update(nil, nil, nil) // End-of-RIB
	if body := p.Expect(bgptest.UpdateMsg); !bytes.Contains(body, bgptest.NLRI("10.1.0.0/16")) {
		t.Errorf("update %x", body)
	}
	if body := p.Expect(bgptest.UpdateMsg); !bytes.Equal(body, []byte{0, 0, 0, 0}) {
		t.Errorf("update %x, want End-of-RIB", body)
	}
}

// The R and F bits are for peers with a family of which the kernel still has our routes, and for no others (RFC 4724 3).
func TestRestartBits(t *testing.T) {
	for _, held := range []Families{0, IPv6, IPv4, IPv4 | IPv6} {
		t.Run("held "+held.String(), func(t *testing.T) {
			n := startNode(t, 65001, restart, func(c *Config) { c.Restarting = held })
			a := bgptest.Loopback()
			must(t, n.SetPeers([]Peer{rawPeer(a)}))
			_, open := openFrom(t, n, a)
			gr := grCapability(t, open)
			if r, f := gr[0]&0x80 != 0, gr[5]&0x80 != 0; r != held.Has(IPv4) || f != held.Has(IPv4) {
				t.Errorf("capability %x to a peer with IPv4: R %v, F %v", gr, r, f)
			}
		})
	}
}

// After our restart a peer without graceful restart, which may never send End-of-RIB, keeps no other waiting for longer than the deferral time, nor
// does one with it that sends none.
func TestOurRestartWithoutEndOfRIB(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	const deferral = 3 * time.Second
	n := startNode(t, 65001, restart, func(c *Config) { c.Restarting, c.DeferralTime = IPv4, deferral })
	with, without, mute := bgptest.Loopback(), bgptest.Loopback(), bgptest.Loopback()
	must(t, n.Advertise("", []Advertisement{{Prefix: prefix("10.1.0.0/16")}}))
	must(t, n.SetPeers([]Peer{rawPeer(with), rawPeer(without), rawPeer(mute)}))
	gr := bgptest.GR(0, 60, [3]byte{1, 1, 0x80})
	var peers []*bgptest.Peer
	began := time.Now()
	for _, x := range []struct {
		a    netip.Addr
		caps [][]byte
	}{{without, nil}, {mute, [][]byte{gr}}, {with, [][]byte{gr}}} {
		p, open := openFrom(t, n, x.a)
		if open == nil {
			t.Fatalf("no OPEN for %v", x.a)
		}
		p.Send(bgptest.Open, bgptest.OpenBody(peerASN, 9, append([][]byte{bgptest.MP(1, 1)}, x.caps...)...))
		p.Send(bgptest.Keepalive, nil)
		n.rec.Wait(t, 0, fmt.Sprintf("peer=%v up=true", x.a))
		peers = append(peers, p)
	}
	peers[2].Update(nil, nil, nil) // End-of-RIB
	for i, p := range peers {
		expectPrefix(t, p, "10.1.0.0/16")
		took := time.Since(began)
		t.Logf("peer %d is told after %v", i, took)
		if took > deferral+3*time.Second {
			t.Errorf("peer %d is told after %v, deferral %v", i, took, deferral)
		}
	}
}

func TestCloseGoodbye(t *testing.T) {
	n := startNode(t, 65001, restart)
	p, _ := raw(t, n, nil, bgptest.GR(0, 60, [3]byte{1, 1, 0x80}))
	p.Expect(bgptest.UpdateMsg) // End-of-RIB
	must(t, n.Close(true))
	if body := p.Expect(bgptest.Notification); body[0] != 6 || body[1] != 2 && body[1] != 3 {
		t.Errorf("notification %x, want Cease/administrative shutdown or peer deconfigured", body)
	}
	if err := n.Advertise("", []Advertisement{{Prefix: prefix("10.1.0.0/16")}}); err == nil {
		t.Error("closed speaker advertises")
	}
	must(t, n.Close(true))
}

func TestCloseAsACrash(t *testing.T) {
	n := startNode(t, 65001, restart)
	p, a := raw(t, n, nil, bgptest.GR(0, 60, [3]byte{1, 1, 0x80}))
	p.Expect(bgptest.UpdateMsg) // End-of-RIB
	must(t, n.Advertise("", []Advertisement{{Prefix: prefix("10.1.0.0/16")}}))
	p.Expect(bgptest.UpdateMsg)
	m := n.rec.Len()
	start := time.Now()
	must(t, n.Close(false))
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %v", d)
	}
	if typ, body, err := p.Next(time.Second); !errors.Is(err, bgptest.ErrClosed) {
		t.Errorf("got message %d %x, %v; want a closed connection", typ, body, err)
	}
	if l := n.rec.Lines()[m:]; len(l) != 0 {
		t.Errorf("handler called by or after Close: %q", l)
	}
	if _, err := bgptest.Connect(t, a, n.at()); err == nil {
		t.Error("still listening")
	}
}
