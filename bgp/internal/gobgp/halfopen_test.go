package gobgp

import (
	"net"
	"testing"
	"time"
)

// A neighbour has at most four connections without a session; a closed one makes room. GoBGP closes most of them before, so the door is asked itself.
func TestHalfOpenConnectionsAreFew(t *testing.T) {
	s, a, l := atTheDoor(t)
	var in []*conn
	for range halfOpen + 3 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if c := s.door.enter(c.(*net.TCPConn), a); c != nil {
			in = append(in, c)
			defer c.Close()
		}
	}
	if len(in) != halfOpen {
		t.Fatalf("%d connections without a session, want %d", len(in), halfOpen)
	}
	in[0].Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	again := s.door.enter(c.(*net.TCPConn), a)
	if again == nil {
		t.Fatal("a closed connection makes no room")
	}
	again.Close()
}

// The limits of docs/bgp.md when nothing else is set; other tests set smaller ones.
func TestDefaults(t *testing.T) {
	var c Config
	c.limits()
	if c.SendHold != 30*time.Second || c.OpenTime != 10*time.Second || halfOpen != 4 || defaultDeferral != 15*time.Second {
		t.Errorf("%v, %v, %d, %v", c.SendHold, c.OpenTime, halfOpen, defaultDeferral)
	}
}
