package gobgp

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// atTheDoor is a server with a passive neighbour, and a listener where connections are to be had that the door is then asked to let in.
func atTheDoor(t *testing.T) (*Server, netip.Addr, net.Listener) {
	t.Helper()
	s, _, _ := startServer(t)
	a := bgptest.Loopback()
	if err := s.SetPeers([]Neighbour{{Address: a, ASN: 65002, Families: IPv4, Passive: true}}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return s, a, l
}

// Who gets as far as accept, as all do where there are too many neighbours for a filter, and is none of them, does not get in.
func TestOnlyNeighboursEnter(t *testing.T) {
	s, a, l := atTheDoor(t)
	stranger := bgptest.Loopback()
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

// A connection that its peer has given up does not get in: GoBGP would take it for the session.
func TestGivenUpDoesNotEnter(t *testing.T) {
	s, a, l := atTheDoor(t)
	for _, reset := range []bool{false, true} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if reset {
			_ = c.(*net.TCPConn).SetLinger(0)
		}
		_ = c.Close()
		time.Sleep(50 * time.Millisecond)
		waiting, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if in := s.door.enter(waiting.(*net.TCPConn), a); in != nil {
			t.Errorf("reset %v: it is let in", reset)
			_ = in.Close()
		}
		_ = waiting.Close()
	}
}
