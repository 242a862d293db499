package gobgp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// silent tells whether who dials from the address gets no answer at all.
func silent(from netip.Addr, to netip.AddrPort) bool {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), Timeout: 300 * time.Millisecond}
	c, err := d.Dial("tcp", to.String())
	if err == nil {
		c.Close()
	}
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// A stranger gets no answer, and no connection that is closed; nobody gets one before there are neighbours. A neighbour gets in.
func TestStrangersGetNoAnswer(t *testing.T) {
	s, at, _ := startServer(t)
	a, stranger := bgptest.Loopback(), bgptest.Loopback()
	if !silent(a, at) {
		t.Error("an answer before there are neighbours")
	}
	if err := s.SetPeers([]Neighbour{{Address: a, ASN: 65002, Families: IPv4, Passive: true}}); err != nil {
		t.Fatal(err)
	}
	if !silent(stranger, at) {
		t.Error("a stranger gets an answer")
	}
	if silent(a, at) {
		t.Error("a neighbour gets none")
	}
	if err := s.SetPeers(nil); err != nil {
		t.Fatal(err)
	}
	if !silent(a, at) {
		t.Error("who was a neighbour gets an answer")
	}
}

// Who dials while the first neighbours are being set gets an answer, waits, and has its session on that very connection: no SYN is lost, and nothing is
// closed. A stranger gets no answer then, nor a neighbour that does not sign as it should.
func TestFirstNeighboursWaitAtTheDoor(t *testing.T) {
	s, at, rec := startServer(t)
	a, signing, stranger := bgptest.Loopback(), bgptest.Loopback(), bgptest.Loopback()
	first := []Neighbour{
		{Address: a, ASN: 65002, Families: IPv4, Passive: true},
		{Address: signing, ASN: 65003, Families: IPv4, Passive: true, Password: "secret"},
	}
	want := map[netip.Addr]Neighbour{}
	for _, n := range first {
		want[n.Address] = n
	}
	if err := s.keepOut(want); err != nil { // what SetPeers begins with
		t.Fatal(err)
	}
	p, err := bgptest.Connect(t, a, at)
	if err != nil {
		t.Fatalf("the SYN got no answer: %v", err)
	}
	if typ, _, err := p.Next(200 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("before the neighbours are set: message type %d, %v; want none, and no end", typ, err)
	}
	for _, from := range []netip.Addr{signing, stranger} {
		if !silent(from, at) {
			t.Errorf("an answer for %v", from)
		}
	}
	if err := s.SetPeers(first); err != nil {
		t.Fatal(err)
	}
	if err := p.Handshake(65002, bgptest.MP(1, 1)); err != nil {
		t.Fatalf("the connection that waited: %v", err)
	}
	rec.Wait(t, 0, "up=true")
}
