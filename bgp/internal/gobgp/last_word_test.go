package gobgp

import (
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// The hold time is over while the peer's NOTIFICATION waits to be read, as after a standstill of this process, and GoBGP's state machine gets on last of all:
// it then has as many reasons for the session's end as it has room for. The next session comes up all the same.
func TestHoldTimeOverAtBothEnds(t *testing.T) {
	s, at, rec := startServer(t, func(c *Config) { c.RestartTime = time.Minute })
	a := bgptest.Loopback()
	if err := s.SetPeers([]Neighbour{{Address: a, ASN: 65002, Families: IPv4, HoldTime: 3 * time.Second, KeepaliveInterval: time.Second, Passive: true}}); err != nil {
		t.Fatal(err)
	}
	gr := bgptest.GR(0, 60, [3]byte{0, 1, 1})
	peer := bgptest.DialHold(t, a, at, 65002, 3, bgptest.MP(1, 1), gr)
	mark := rec.Wait(t, 0, "up=true")

	s.callMu.Lock() // the reader waits to hand up an UPDATE, behind which is the NOTIFICATION
	update := bgptest.UpdateBody(nil, bgptest.Basic(a, 65002), bgptest.NLRI("10.0.0.0/8"))
	if _, err := peer.Conn().Write(bgptest.Join(bgptest.Message(bgptest.UpdateMsg, update), bgptest.Message(bgptest.Notification, []byte{4, 0}))); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	s.door.mu.Lock() // the state machine waits to close the connection
	for typ := byte(0); typ != bgptest.Notification; {
		var err error
		if typ, _, err = peer.Next(6 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	for c := range s.door.conns[a] {
		_ = c.TCPConn.Close()
	}
	time.Sleep(1500 * time.Millisecond) // the writer's next KEEPALIVE
	s.callMu.Unlock()
	time.Sleep(300 * time.Millisecond) // the reader has read all, and failed
	s.door.mu.Unlock()

	mark = rec.Wait(t, mark, "up=false")
	time.Sleep(idleAfterReset + 500*time.Millisecond)
	bgptest.Dial(t, a, at, 65002, bgptest.MP(1, 1), gr)
	rec.Wait(t, mark, "up=true")
}
