package bgp

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// heap is what lives, in octets.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// alive sends KEEPALIVEs until the test ends.
func alive(t *testing.T, p *bgptest.Peer) {
	done := make(chan struct{})
	stopped := make(chan struct{})
	t.Cleanup(func() { close(done); <-stopped })
	go func() {
		defer close(stopped)
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Second):
				_, _ = p.Conn().Write(bgptest.Message(bgptest.Keepalive, nil))
			}
		}
	}()
}

// many are advertisements with nothing in common.
func many(from, n, pathLen int) []Advertisement {
	l := make([]Advertisement, n)
	for i := range l {
		k := from + i
		path := make([]uint32, pathLen)
		for j := range path {
			path[j] = uint32(k + j + 1)
		}
		l[i] = Advertisement{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(k >> 16), byte(k >> 8), byte(k)}), 32), ASPath: path}
	}
	return l
}

// deaf connects a peer that sends KEEPALIVEs and does not read.
func deaf(t *testing.T, n *node, a netip.Addr, caps ...[]byte) *bgptest.Peer {
	t.Helper()
	p := redial(t, n, a, caps...)
	alive(t, p)
	return p
}

// A peer that takes nothing is cut by the send hold timer (RFC 9687), graceful restart or not, and its routes are not held; another
// peer of the same speaker gets what is advertised, before the cut and after.
func TestPeerThatDoesNotReadIsCut(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	n := startNode(t, 65001, restart, func(c *Config) { c.SendHold = 3 * time.Second })
	a, b := bgptest.Loopback(), bgptest.Loopback()
	must(t, n.SetPeers([]Peer{rawPeer(a), rawPeer(b)}))
	deaf(t, n, a, bgptest.GR(0, 60, [3]byte{1, 1, 0x80}))
	reader := redial(t, n, b)
	alive(t, reader)
	mark := n.rec.Len()
	start := time.Now()
	must(t, n.Advertise("", many(0, 6000, 250))) // one message each, 6 MB
	expectPrefix(t, reader, "20.0.23.111/32")
	n.rec.Wait(t, mark, fmt.Sprintf("peer=%v up=false", a), "send hold timer expired", "hold=false")
	if d := time.Since(start); d < 3*time.Second || d > 60*time.Second {
		t.Errorf("cut after %v", d)
	}
	must(t, n.Advertise("", many(10000, 1, 1)))
	expectPrefix(t, reader, "20.0.39.16/32")
	n.rec.Never(t, mark, fmt.Sprintf("peer=%v up=false", b))
}

// expectPrefix reads UPDATEs until one announces the prefix.
func expectPrefix(t *testing.T, p *bgptest.Peer, prefix string) {
	t.Helper()
	want := string(bgptest.NLRI(prefix))
	for {
		if typ, body, err := p.Next(20 * time.Second); err != nil {
			t.Fatalf("no %s: %v", prefix, err)
		} else if typ == bgptest.UpdateMsg && strings.Contains(string(body), want) {
			return
		}
	}
}

// For a peer that reads too slowly, or not at all, next to nothing is held, however often its routes change: it is told the newest of each when it reads.
func TestSlowPeerCostsNothing(t *testing.T) {
	const bound = 4 << 20
	n := startNode(t, 65001, func(c *Config) { c.Log = nil })
	a := bgptest.Loopback()
	must(t, n.SetPeers([]Peer{rawPeer(a)}))
	must(t, n.Advertise("", many(0, 1000, 20)))
	p := deaf(t, n, a)
	idle, most := heap(), 0
	mark := n.rec.Len()
	for i := 1; i < 200; i++ {
		must(t, n.Advertise("", many(0, 1000, 20+i%2))) // the same prefixes over again
		must(t, n.Advertise("", many(10000*i, 1000, 20)))
		must(t, n.Withdraw("", prefixesOf(many(10000*i, 1000, 20)))) // and others that come and go
		most = max(most, heap()-idle)
	}
	t.Logf("at most %d KiB for a peer that does not read", most>>10)
	if most > bound {
		t.Errorf("%d MiB for a peer that does not read", most>>20)
	}
	must(t, n.Advertise("", many(0, 1000, 3)))
	last := many(1<<22, 1, 1)
	must(t, n.Advertise("", last))
	for got := range 200_000 { // of 600,000 changes; the kernel's buffers hold some 50,000
		typ, body, err := p.Next(20 * time.Second)
		must(t, err)
		if typ == bgptest.UpdateMsg && strings.Contains(string(body), string(bgptest.NLRI(last[0].Prefix.String()))) {
			t.Logf("after %d messages all is told", got)
			n.rec.Never(t, mark, "up=false")
			return
		}
	}
	t.Error("told each change")
}

func prefixesOf(ads []Advertisement) (l []netip.Prefix) {
	for _, ad := range ads {
		l = append(l, ad.Prefix)
	}
	return l
}

// Who does not bring up a session in time is cut: silent, octet by octet, after its OPEN; also on a connection that we dialled.
func TestConnectionsWithoutASessionAreCut(t *testing.T) {
	open := bgptest.Message(bgptest.Open, bgptest.OpenBody(peerASN, 9, bgptest.MP(1, 1)))
	for name, talk := range map[string]func(net.Conn){
		"silent":            func(net.Conn) {},
		"half a header":     func(c net.Conn) { _, _ = c.Write(open[:10]) },
		"OPEN alone":        func(c net.Conn) { _, _ = c.Write(open) },
		"octet after octet": dribble(open),
	} {
		for _, passive := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, passive %v", name, passive), func(t *testing.T) {
				t.Parallel()
				n := startNode(t, 65001, func(c *Config) { c.OpenTime = 2 * time.Second })
				c := connected(t, n, passive)
				defer c.Close()
				start := time.Now()
				stopped := make(chan struct{})
				go func() { talk(c); close(stopped) }()
				drained(c)
				<-stopped
				if d := time.Since(start); d < time.Second || d > 8*time.Second {
					t.Errorf("cut after %v, want about 2 s", d)
				}
				n.rec.Never(t, 0, "up=true")
			})
		}
	}
}

func dribble(b []byte) func(net.Conn) {
	return func(c net.Conn) {
		for i := range b {
			if _, err := c.Write(b[i : i+1]); err != nil {
				return
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
}

// connected is a TCP connection with the speaker: the peer's, or the speaker's own.
func connected(t *testing.T, n *node, passive bool) net.Conn {
	t.Helper()
	a := bgptest.Loopback()
	if passive {
		must(t, n.SetPeers([]Peer{rawPeer(a)}))
		p, err := bgptest.Connect(t, a, n.at())
		must(t, err)
		return p.Conn()
	}
	l, err := net.Listen("tcp", netip.AddrPortFrom(a, 0).String())
	must(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	must(t, n.SetPeers([]Peer{rawPeer(a, func(p *Peer) { p.Passive, p.Port, p.LocalAddress = false, port, n.addr })}))
	c, err := l.Accept()
	must(t, err)
	return c
}

// drained reads until the connection ends.
func drained(c net.Conn) {
	b := make([]byte, 4096)
	_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}
