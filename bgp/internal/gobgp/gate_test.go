package gobgp

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

// After a restart, who dials before there are neighbours gets no answer, and not a connection that is closed; afterwards he gets in.
func TestNobodyGetsInBeforeThePeersAreSet(t *testing.T) {
	s, at, _ := startServer(t, func(c *Config) { c.Restarting, c.RestartTime = true, time.Minute })
	var timeout net.Error
	if c, err := net.DialTimeout("tcp", at.String(), 300*time.Millisecond); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("before SetPeers: %v %v; want no answer", c, err)
	}
	if err := s.SetPeers([]Neighbour{{Address: netip.MustParseAddr("127.99.99.99"), ASN: 65002, Families: IPv4, Passive: true}}); err != nil {
		t.Fatal(err)
	}
	c, err := net.DialTimeout("tcp", at.String(), time.Second)
	if err != nil {
		t.Fatalf("after SetPeers: %v", err)
	}
	c.Close()
}
