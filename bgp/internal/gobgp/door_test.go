package gobgp

import (
	"errors"
	"net"
	"net/netip"
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
