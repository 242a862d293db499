package gobgp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// knock begins n connections from an address, and leaves them at that.
func knock(t *testing.T, n int, from netip.Addr, to netip.AddrPort) {
	t.Helper()
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			t.Cleanup(func() { unix.Close(fd) })
			err = unix.Bind(fd, &unix.SockaddrInet4{Addr: from.As4()})
		}
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
		}
		if err != nil && !errors.Is(err, unix.EINPROGRESS) {
			t.Fatal(err)
		}
	}
}

// A hundred connections of a stranger cost no goroutine and no file; a neighbour's do.
func TestStrangersCostNothing(t *testing.T) {
	s, at, _ := startServer(t)
	a, stranger := bgptest.Loopback(), bgptest.Loopback()
	if err := s.SetPeers([]Neighbour{{Address: a, ASN: 65002, Families: IPv4, Passive: true}}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	spent := func(n int, from netip.Addr) (goroutines, files int) {
		before, open := runtime.NumGoroutine(), openFiles(t)
		knock(t, n, from, at)
		time.Sleep(500 * time.Millisecond)
		return runtime.NumGoroutine() - before, openFiles(t) - open - n
	}
	if goroutines, files := spent(100, stranger); goroutines > 2 || files > 2 {
		t.Errorf("100 connections of a stranger cost %d goroutines and %d files", goroutines, files)
	}
	if goroutines, files := spent(halfOpen, a); goroutines+files < 1 {
		t.Errorf("%d of a neighbour cost %d goroutines and %d files: nothing is measured", halfOpen, goroutines, files)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	l, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(l)
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
