package gobgp

import (
	"net"
	"testing"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// Who gets as far as accept, as all do where there are too many neighbours for a filter, and is none of them, does not get in.
func TestOnlyNeighboursEnter(t *testing.T) {
	s, _, _ := startServer(t)
	a, stranger := bgptest.Loopback(), bgptest.Loopback()
	if err := s.SetPeers([]Neighbour{{Address: a, ASN: 65002, Families: IPv4, Passive: true}}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if in := s.door.enter(c.(*net.TCPConn), stranger); in != nil {
		in.Close()
		t.Fatal("a stranger is let in")
	}
	in := s.door.enter(c.(*net.TCPConn), a)
	if in == nil {
		t.Fatal("a neighbour is not let in")
	}
	in.Close()
}
