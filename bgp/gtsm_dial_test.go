package bgp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// Of a connection that we dial, the answer to our SYN counts only with TTL 255: with less there is no connection, in either family.
func TestGTSMDialled(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	for _, at := range []netip.Addr{bgptest.Loopback(), netip.IPv6Loopback()} {
		t.Run(at.String(), func(t *testing.T) {
			n, from := startNodeAt(t, at, 65001), at
			if at.Is4() {
				from = bgptest.Loopback()
			}
			var config net.ListenConfig
			config.SetMultipathTCP(false) // it has no TTL
			l, err := config.Listen(t.Context(), "tcp", netip.AddrPortFrom(from, 0).String())
			must(t, err)
			defer l.Close()
			tcp := l.(*net.TCPListener)
			must(t, n.SetPeers([]Peer{rawPeer(from, gtsm, func(p *Peer) {
				p.Passive, p.Port, p.ConnectRetry, p.LocalAddress = false, l.Addr().(*net.TCPAddr).AddrPort().Port(), time.Second, n.addr
			})}))
			must(t, tcp.SetDeadline(time.Now().Add(4*time.Second))) // the first SYN comes within two seconds
			if c, err := tcp.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a connection though our answers have TTL 64: %v, %v", c, err)
			}
			raw, err := tcp.SyscallConn()
			must(t, err)
			must(t, raw.Control(func(fd uintptr) { err = setTTLs(int(fd), from.Is4(), 255, 0) }))
			must(t, err)
			must(t, tcp.SetDeadline(time.Now().Add(20*time.Second)))
			c, err := tcp.Accept()
			must(t, err)
			c.Close()
		})
	}
}
