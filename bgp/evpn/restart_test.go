package evpn

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// peering is a session of ours with a peer that the test plays.
type peering struct {
	*bgptest.Peer
	n *node
	a netip.Addr
}

// dial begins the session, of a peer that has graceful restart with these flags and keeps its forwarding.
func (p *peering) dial(t *testing.T, flags byte) {
	t.Helper()
	m := p.n.rec.Len()
	p.Peer = bgptest.Dial(t, p.a, netip.AddrPortFrom(p.n.addr, p.n.port), 65001, bgptest.MP(25, 70), bgptest.GR(flags, 60, [3]byte{25, 70, 0x80}))
	p.n.rec.Wait(t, m, "up=true", "families=evpn")
}

// says announces a route with the distinguisher's last octet.
func (p *peering) says(rd byte) {
	p.Send(bgptest.UpdateMsg, update("192.0.2.1", spoil(goodNLRI(), 9, rd), goodCommunities()))
}

// endOfRIB is one of the family.
func (p *peering) endOfRIB(t *testing.T) {
	t.Helper()
	m := p.n.rec.Len()
	p.Update(nil, nil, nil) // of IPv4, which the session does not have
	p.says(99)              // comes after it
	p.n.rec.Wait(t, m, "+ [192.0.2.1:99]")
	p.n.rec.Never(t, m, "eor")
	p.Send(bgptest.UpdateMsg, bgptest.UpdateBody(nil, bgptest.Unreach(25, 70, nil), nil))
	p.n.rec.Wait(t, m, "eor", p.a.String())
}

func play(t *testing.T, edit ...func(*Config)) *peering {
	t.Helper()
	p := &peering{n: startNode(t, 64600, "192.0.2.254", edit...), a: bgptest.Loopback()}
	must(t, p.n.Export([]Route{tenant(1, "10.100.0.0/16")}))
	must(t, p.n.SetPeers([]Peer{{Address: p.a, ASN: 65001, Passive: true}}))
	return p
}

// A peer's graceful restart (RFC 4724): its routes are to be held when its session breaks, and what Again tells is of the session that is up.
func TestGracefulRestartOfThePeer(t *testing.T) {
	p := play(t)
	p.dial(t, 0)
	p.says(5)
	p.endOfRIB(t)
	m := p.n.rec.Len()
	p.Close()
	m = p.n.rec.Wait(t, m, "up=false", "connection lost", "hold=true")
	p.n.Again(good().Targets)
	p.n.rec.Never(t, m, "+ ")
	p.dial(t, 8)
	p.says(6)
	p.endOfRIB(t)
	m = p.n.rec.Len()
	p.n.Again(good().Targets)
	p.n.rec.Wait(t, m, "+ [192.0.2.1:6]10.100.0.0/16")
	p.n.rec.Never(t, m, "[192.0.2.1:5]")
	p.Send(bgptest.Notification, []byte{6, 9, 6, 4}) // Hard Reset
	p.n.rec.Wait(t, m, "up=false", "hold=false")
}

// After our own restart we say nothing before the peer's End-of-RIB, which GoBGP waits for (RFC 4724 4.1).
func TestOurRestart(t *testing.T) {
	p := play(t, func(c *Config) { c.Restarting, c.DeferralTime = true, time.Minute })
	p.dial(t, 0)
	p.says(5)
	if typ, body, err := p.Next(1500 * time.Millisecond); err == nil && typ == bgptest.UpdateMsg {
		t.Fatalf("an UPDATE before End-of-RIB: %x", body)
	}
	p.endOfRIB(t)
	if got := fmt.Sprintf("%x", p.Expect(bgptest.UpdateMsg)); !strings.Contains(got, "100a640000") {
		t.Errorf("update %s: want 10.100.0.0/16", got)
	}
}
