package bgp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

func gtsm(p *Peer) { p.GTSM = true }

// dialTTL connects with a TTL, and takes answers with no less than least.
func dialTTL(from netip.Addr, to netip.AddrPort, ttl, least int) (net.Conn, error) {
	d := net.Dialer{
		LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), Timeout: 500 * time.Millisecond,
		Control: func(_, _ string, c syscall.RawConn) (err error) {
			e := c.Control(func(fd uintptr) { err = setTTLs(int(fd), from.Is4(), ttl, least) })
			if e != nil {
				return e
			}
			return err
		},
	}
	return d.DialContext(context.Background(), "tcp", to.String())
}

func setTTLs(fd int, v4 bool, ttl, least int) error {
	level, send, take := unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, unix.IPV6_MINHOPCOUNT
	if v4 {
		level, send, take = unix.IPPROTO_IP, unix.IP_TTL, unix.IP_MINTTL
	}
	if err := unix.SetsockoptInt(fd, level, send, ttl); err != nil {
		return err
	}
	return unix.SetsockoptInt(fd, level, take, least)
}

// guarded runs a test in each family, on a node whose one peer is at from and has GTSM.
func guarded(t *testing.T, test func(t *testing.T, n *node, from netip.Addr)) {
	for _, at := range []netip.Addr{bgptest.Loopback(), netip.IPv6Loopback()} {
		t.Run(at.String(), func(t *testing.T) {
			n, from := startNodeAt(t, at, 65001), at
			if at.Is4() {
				from = bgptest.Loopback()
			}
			must(t, n.SetPeers([]Peer{rawPeer(from, gtsm)}))
			test(t, n, from)
		})
	}
}

// With GTSM a packet that has passed a router reaches nothing: not the listener, not the session. Our answers leave with 255, the
// first one too. A neighbour without GTSM is not touched by that of another.
func TestGTSMPassive(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	guarded(t, func(t *testing.T, n *node, from netip.Addr) {
		if c, err := dialTTL(from, n.at(), 254, 0); err == nil {
			t.Error("let in with TTL 254")
			c.Close()
		}
		c, err := dialTTL(from, n.at(), 255, 255)
		must(t, err)
		defer c.Close()
		_, err = c.Write(bgptest.Join(
			bgptest.Message(bgptest.Open, bgptest.OpenBody(peerASN, 9, bgptest.MP(1, 1))), bgptest.Message(bgptest.Keepalive, nil)))
		must(t, err)
		n.rec.Wait(t, 0, "up=true")
		raw, err := c.(*net.TCPConn).SyscallConn()
		must(t, err)
		must(t, raw.Control(func(fd uintptr) { err = setTTLs(int(fd), from.Is4(), 254, 255) }))
		must(t, err)
		_, err = c.Write(bgptest.Message(bgptest.UpdateMsg, bgptest.UpdateBody(nil, basic(), victim)))
		must(t, err)
		time.Sleep(500 * time.Millisecond)
		n.rec.Never(t, 0, "+[10.1.0.0/16]")
		must(t, raw.Control(func(fd uintptr) { err = setTTLs(int(fd), from.Is4(), 255, 255) }))
		must(t, err)
		n.rec.Wait(t, 0, "+[10.1.0.0/16]") // TCP sends it again
	})
}

// Both ends with GTSM, one dials; and with GTSM at one end alone, since the other sends with TTL 255 all the same.
func TestGTSMPair(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	for _, v6 := range []bool{false, true} {
		t.Run(fmt.Sprint("v6 ", v6), func(t *testing.T) {
			at, bt := bgptest.Loopback(), bgptest.Loopback()
			if v6 {
				at, bt = netip.IPv6Loopback(), netip.IPv6Loopback()
			}
			a, b := startNodeAt(t, at, 65001), startNodeAt(t, bt, 65002)
			pair(t, a, b, []func(*Peer){gtsm, password("key")}, []func(*Peer){gtsm, password("key")})
			m := b.rec.Len()
			must(t, a.SetPeers([]Peer{b.as(from(a), password("key"))})) // no GTSM at one end any more
			m = b.rec.Wait(t, m, down(a)...)
			b.rec.Wait(t, m, "up=true")
		})
	}
}

// A neighbour that does not send with TTL 255 is told by that, whichever end dials.
func TestGTSMReason(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	guarded(t, func(t *testing.T, n *node, from netip.Addr) {
		const reason = "arrive with TTL 3 instead of 255"
		for range 12 {
			if c, err := dialTTL(from, n.at(), 3, 0); err == nil {
				t.Error("let in with TTL 3")
				c.Close()
			}
		}
		n.rec.Wait(t, 0, reason)
	})
	t.Run("its answers", func(t *testing.T) {
		n, from := startNodeAt(t, bgptest.Loopback(), 65001), bgptest.Loopback()
		l, err := net.Listen("tcp4", netip.AddrPortFrom(from, 0).String())
		must(t, err)
		defer l.Close() // answers leave with 64
		p := rawPeer(from, gtsm)
		p.Passive, p.Port, p.ConnectRetry = false, uint16(l.Addr().(*net.TCPAddr).Port), time.Second
		must(t, n.SetPeers([]Peer{p}))
		n.rec.Wait(t, 0, "arrive with TTL 64 instead of 255")
	})
	t.Run("nobody there", func(t *testing.T) {
		n, from := startNodeAt(t, bgptest.Loopback(), 65001), bgptest.Loopback()
		p := rawPeer(from, gtsm)
		p.Passive, p.Port, p.ConnectRetry = false, bgptest.FreePort(t, from), time.Second
		must(t, n.SetPeers([]Peer{p}))
		time.Sleep(7 * time.Second) // the host's RST leaves with 64
		n.rec.Never(t, 0, "instead of 255")
	})
}

// FRR with ttl-security and a key: it dials us, and we dial it.
func TestGTSMWithFRR(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	for _, passive := range []bool{true, false} {
		t.Run(fmt.Sprint("passive ", passive), func(t *testing.T) {
			n := startNode(t, 65001)
			a := bgptest.Loopback()
			port := bgptest.FreePort(t, a)
			bgptest.StartFRR(t, netip.AddrPortFrom(a, port), fmt.Sprintf(`
router bgp 65002
 bgp router-id 192.0.2.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor %[1]v remote-as 65001
 neighbor %[1]v port %[2]d
 neighbor %[1]v password frr-key
 neighbor %[1]v update-source %[3]v
 neighbor %[1]v ttl-security hops 1
 neighbor %[1]v timers connect 1
 %[4]s
 address-family ipv4 unicast
  network 172.16.1.0/24
`, n.addr, n.port, a, map[bool]string{true: "", false: fmt.Sprintf("neighbor %v passive", n.addr)}[passive]))
			must(t, n.SetPeers([]Peer{{
				Address: a, LocalAddress: n.addr, Port: port, ASN: 65002, Password: "frr-key", Passive: passive, GTSM: true, ConnectRetry: time.Second,
			}}))
			n.rec.Wait(t, 0, "172.16.1.0/24")
		})
	}
}
