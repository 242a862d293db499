package evpn

import (
	"errors"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// slow is a Handler that waits with the first UPDATE.
type slow struct {
	recorder
	wait    chan struct{}
	updates atomic.Int64
}

func (s *slow) Update(Update) {
	<-s.wait
	s.updates.Add(1)
}

// A peer that is faster than its handler waits, by TCP: nothing piles up here, and nothing is lost.
func TestFastPeerWaits(t *testing.T) {
	at, a := bgptest.Loopback(), bgptest.Loopback()
	h := &slow{wait: make(chan struct{})}
	cfg := Config{ASN: 64600, RouterID: at, VTEP: at, Listen: []netip.Addr{at}, Port: bgptest.FreePort(t, at)}
	s, err := Start(t.Context(), cfg, h)
	must(t, err)
	t.Cleanup(func() { _ = s.Close(true) })
	must(t, s.SetPeers([]Peer{{Address: a, ASN: 65001, Passive: true}}))
	p := bgptest.DialHold(t, a, netip.AddrPortFrom(at, cfg.Port), 65001, 60, bgptest.MP(25, 70))
	h.Wait(t, 0, "up=true")

	message := bgptest.Message(bgptest.UpdateMsg, update("192.0.2.1", goodNLRI(), goodCommunities()))
	const most = 64 << 20 // more than the kernel takes for a connection
	var said []byte
	for len(said) < most {
		said = append(said, message...)
	}
	must(t, p.Conn().SetWriteDeadline(time.Now().Add(time.Second)))
	n, err := p.Conn().Write(said)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d octets taken: %v", n, err)
	}
	t.Logf("%d octets taken", n)
	close(h.wait)
	must(t, p.Conn().SetWriteDeadline(time.Time{}))
	rest := (len(message) - n%len(message)) % len(message)
	if _, err := p.Conn().Write(said[n : n+rest]); err != nil {
		t.Fatal(err)
	}
	want := int64((n + rest) / len(message))
	for end := time.Now().Add(20 * time.Second); h.updates.Load() < want && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if got := h.updates.Load(); got != want {
		t.Errorf("%d UPDATEs, want %d", got, want)
	}
	h.Never(t, 0, "up=false")
}
