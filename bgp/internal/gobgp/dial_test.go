package gobgp

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// TestBothDial: when both ends make connections, one session comes up and stays (RFC 4271 6.8), whoever's identifier is higher.
func TestBothDial(t *testing.T) {
	for round := range 4 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			a, atA, fromA := startServer(t)
			b, atB, fromB := startServer(t)
			if err := a.SetPeers([]Neighbour{{Address: atB.Addr(), LocalAddress: atA.Addr(), Port: atB.Port(), ASN: b.cfg.ASN, Families: IPv4, ConnectRetry: time.Second}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(round) * 100 * time.Millisecond)
			if err := b.SetPeers([]Neighbour{{Address: atA.Addr(), LocalAddress: atB.Addr(), Port: atA.Port(), ASN: a.cfg.ASN, Families: IPv4, ConnectRetry: time.Second}}); err != nil {
				t.Fatal(err)
			}
			markA, markB := fromA.Wait(t, 0, "up=true"), fromB.Wait(t, 0, "up=true")
			time.Sleep(2 * dialFirst)
			fromA.Never(t, markA, "up=false")
			fromB.Never(t, markB, "up=false")
			for _, s := range []*Server{a, b} {
				if n := len(s.door.sessions()); n != 1 {
					t.Errorf("%d sessions, want 1", n)
				}
			}
		})
	}
}

// TestDialTells: why a connection of ours comes to nothing is told, whether the peer refuses it or we the peer.
func TestDialTells(t *testing.T) {
	s, at, rec := startServer(t)
	other, atOther, _ := startServer(t)
	set := func(asn uint32) {
		t.Helper()
		if err := s.SetPeers([]Neighbour{{Address: atOther.Addr(), LocalAddress: at.Addr(), Port: atOther.Port(), ASN: asn, Families: IPv4, ConnectRetry: time.Second}}); err != nil {
			t.Fatal(err)
		}
	}
	set(other.cfg.ASN + 1) // nobody lets us in there yet
	rec.Wait(t, 0, "cannot connect")
	if err := other.SetPeers([]Neighbour{{Address: at.Addr(), ASN: s.cfg.ASN, Families: IPv4, Passive: true}}); err != nil {
		t.Fatal(err)
	}
	mark := rec.Wait(t, 0, "bad peer AS")
	set(other.cfg.ASN)
	rec.Wait(t, mark, "up=true")
	for _, p := range append(s.Status(time.Second), other.Status(time.Second)...) {
		if p.Sent.Opens == 0 || p.Received.Opens == 0 {
			t.Errorf("%v: %d OPENs sent, %d received", p.Peer, p.Sent.Opens, p.Received.Opens)
		}
	}
}

// TestForwardingByFamily: the F bit is of those families of which the kernel has routes (RFC 4724 3), the R bit of the neighbour. After a session with
// us it is of all: nothing has happened to the kernel's routes.
func TestForwardingByFamily(t *testing.T) {
	at := netip.IPv6Loopback()
	rec := &recorder{}
	cfg := Config{
		ASN: 65001, RouterID: netip.MustParseAddr("192.0.2.1"), Listen: []netip.Addr{at}, Port: bgptest.FreePort(t, at), Families: IPv4 | IPv6,
		RestartTime: 30 * time.Second, Restarting: IPv6,
	}
	s, err := Start(t.Context(), cfg, rec)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(true)
	if err := s.SetPeers([]Neighbour{{Address: at, ASN: 65002, Families: IPv4 | IPv6, Passive: true}}); err != nil {
		t.Fatal(err)
	}
	peer, err := bgptest.Connect(t, at, netip.AddrPortFrom(at, cfg.Port))
	if err != nil {
		t.Fatal(err)
	}
	open := string(peer.Expect(bgptest.Open))
	if want := "\x40\x0a\xc0\x1e\x00\x01\x01\x00\x00\x02\x01\x80"; !strings.Contains(open, want) { // R and N, 30 s; IPv4, IPv6 with F
		t.Errorf("%x: no %x", open, want)
	}
	if name, err := os.Hostname(); err != nil || strings.Contains(open, name) {
		t.Errorf("the host's name %q is told: %q, %v", name, open, err)
	}
	peer.Close()
	again := bgptest.Dial(t, at, netip.AddrPortFrom(at, cfg.Port), 65002, bgptest.MP(1, 1), bgptest.MP(2, 1))
	mark := rec.Wait(t, 0, "up=true")
	again.Close()
	rec.Wait(t, mark, "up=false")
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) { // Idle for some seconds
		peer, err := bgptest.Connect(t, at, netip.AddrPortFrom(at, cfg.Port))
		if err != nil {
			t.Fatal(err)
		}
		typ, body, err := peer.Next(time.Second)
		peer.Close()
		if err == nil && typ == bgptest.Open {
			if want := "\x1e\x00\x01\x01\x80\x00\x02\x01\x80"; !strings.Contains(string(body), want) {
				t.Errorf("%x: no %x", body, want)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no OPEN: type %d, %v", typ, err)
		}
	}
}
