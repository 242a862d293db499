package gobgp

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// A neighbour whose session came up on a connection of its own, while one of ours was under way, is not dialled again.
func TestNoDiallingOnceUp(t *testing.T) {
	s, at, rec := startServer(t)
	a := bgptest.Loopback()
	l, err := net.Listen("tcp", netip.AddrPortFrom(a, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n := Neighbour{Address: a, LocalAddress: at.Addr(), Port: uint16(l.Addr().(*net.TCPAddr).Port), ASN: 65002, Families: IPv4, ConnectRetry: time.Second}
	if err := s.SetPeers([]Neighbour{n}); err != nil {
		t.Fatal(err)
	}
	ours, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // its OPEN is sent
	bgptest.Dial(t, a, at, 65002, bgptest.MP(1, 1))
	mark := rec.Wait(t, 0, "up=true")
	ours.Close()
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(4 * time.Second))
	if c, err := l.Accept(); err == nil {
		t.Errorf("dialled again from %v while the session is up", c.RemoteAddr())
		c.Close()
	}
	rec.Never(t, mark, "up=false")
}
