package gobgp

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// opener is a recorder that hands on how sessions came up.
type opener struct {
	recorder
	opened chan Opened
}

func (o *opener) Opened(x Opened) { o.opened <- x }

// TestOpened: both ends know the OPEN messages of a session, whoever has dialled.
func TestOpened(t *testing.T) {
	start := func(asn uint32) (*Server, netip.AddrPort, *opener) {
		o, at := &opener{opened: make(chan Opened, 1)}, bgptest.Loopback()
		cfg := Config{ASN: asn, RouterID: at, Listen: []netip.Addr{at}, Port: bgptest.FreePort(t, at), Families: IPv4}
		s, err := Start(t.Context(), cfg, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close(true) })
		return s, netip.AddrPortFrom(at, cfg.Port), o
	}
	a, atA, fromA := start(65001)
	b, atB, fromB := start(4200000001)
	if err := b.SetPeers([]Neighbour{{Address: atA.Addr(), LocalAddress: atB.Addr(), Port: atA.Port(), ASN: 65001, Families: IPv4, Passive: true}}); err != nil {
		t.Fatal(err)
	}
	if err := a.SetPeers([]Neighbour{{Address: atB.Addr(), LocalAddress: atA.Addr(), Port: atB.Port(), ASN: 4200000001, Families: IPv4}}); err != nil {
		t.Fatal(err)
	}
	var got [2]Opened
	for i, o := range []*opener{fromA, fromB} {
		select {
		case got[i] = <-o.opened:
		case <-time.After(10 * time.Second):
			t.Fatalf("server %d: no session", i)
		}
	}
	dialler, acceptor := got[0], got[1]
	if !bytes.Equal(dialler.Sent, acceptor.Received) || !bytes.Equal(acceptor.Sent, dialler.Received) || len(dialler.Sent) < 29 || len(acceptor.Sent) < 29 {
		t.Errorf("dialler: sent %x, received %x\nacceptor: received %x, sent %x", dialler.Sent, dialler.Received, acceptor.Received, acceptor.Sent)
	}
	if dialler.Peer.Port() != atB.Port() || dialler.Local.Port() != acceptor.Peer.Port() {
		t.Errorf("ports: %v to %v, %v from %v", dialler.Local, dialler.Peer, acceptor.Local, acceptor.Peer)
	}
}
