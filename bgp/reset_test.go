package bgp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// refreshed is a Handler that also takes in again what peers have told.
type refreshed struct {
	*recorder
	refuse bool
}

func (r refreshed) BeginRefresh(peer netip.Addr) bool {
	r.Add("begin refresh peer=%v", peer)
	return !r.refuse
}

func (r refreshed) EndRefresh(peer netip.Addr) { r.Add("end refresh peer=%v", peer) }

func startRefreshed(t *testing.T, refuse bool) *node {
	log, text := bgptest.Log(t)
	addr := bgptest.Loopback()
	n := &node{addr: addr, port: bgptest.FreePort(t, addr), asn: 65000, rec: &recorder{}, log: text}
	s, err := Start(t.Context(), Config{
		Router: "vbr-test", ASN: n.asn, RouterID: netip.MustParseAddr("10.0.0.1"), Listen: []netip.Addr{addr}, Port: n.port, Log: log,
	}, refreshed{n.rec, refuse})
	must(t, err)
	n.Speaker = s
	t.Cleanup(func() { _ = s.Close(true) })
	return n
}

// A reset says Cease, administrative reset, to one peer; the other's session stays.
func TestResetSaysCease(t *testing.T) {
	n := startNode(t, 65000)
	one, two := bgptest.Loopback(), bgptest.Loopback()
	must(t, n.SetPeers([]Peer{{Address: one, ASN: 65001, Passive: true}, {Address: two, ASN: 65002, Passive: true}}))
	if err := n.Reset(t.Context(), one, "test"); !errors.Is(err, ErrNotUp) {
		t.Errorf("reset of a session that is not up: %v", err)
	}
	a := bgptest.Dial(t, one, n.at(), 65001, bgptest.MP(1, 1))
	b := bgptest.Dial(t, two, n.at(), 65002, bgptest.MP(1, 1))
	n.rec.Wait(t, 0, fmt.Sprintf("peer=%v up=true", one))
	n.rec.Wait(t, 0, fmt.Sprintf("peer=%v up=true", two))
	must(t, n.Reset(t.Context(), one, "test"))
	if body := notification(t, a); body[0] != 6 || body[1] != 4 {
		t.Errorf("NOTIFICATION %d/%d, want 6/4", body[0], body[1])
	}
	n.rec.Wait(t, 0, fmt.Sprintf("peer=%v up=false", one), "cease/administrative reset")
	b.Update(nil, bgptest.Basic(two, 65002), bgptest.NLRI("172.16.9.0/24"))
	n.rec.Wait(t, 0, "update peer="+two.String(), "172.16.9.0/24")
	n.rec.Never(t, 0, fmt.Sprintf("peer=%v up=false", two))
}

// notification waits for a NOTIFICATION, whatever else comes first.
func notification(t *testing.T, p *bgptest.Peer) (body []byte) {
	t.Helper()
	for {
		typ, body, err := p.Next(5 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if typ == bgptest.Notification {
			return body
		}
	}
}

// TestHoldTimeOver: that nothing is heard from the peer is told to it by a NOTIFICATION, and so is no graceful restart but with the N bit at both ends
// (RFC 4724 4, RFC 8538 4).
func TestHoldTimeOver(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	n := startNode(t, 65001, restart)
	brief := func(p *Peer) { p.HoldTime, p.KeepaliveInterval = 3*time.Second, time.Second }
	with, without := bgptest.Loopback(), bgptest.Loopback()
	must(t, n.SetPeers([]Peer{rawPeer(with, brief), rawPeer(without, brief)}))
	m := n.rec.Len()
	redial(t, n, with, bgptest.GR(4, 60, [3]byte{1, 1, 0x80}))
	redial(t, n, without, bgptest.GR(0, 60, [3]byte{1, 1, 0x80}))
	const why = "hold timer expired: nothing heard from the peer"
	n.rec.Wait(t, m, fmt.Sprintf("peer=%v up=false", with), why, "hold=true")
	n.rec.Wait(t, m, fmt.Sprintf("peer=%v up=false", without), why, "hold=false")
}

// capRefresh is the capability of route refresh (RFC 2918 2).
var capRefresh = []byte{2, 0}

// refreshedBoth waits for a ROUTE-REFRESH of IPv4 and for routes, in any order.
func refreshedBoth(t *testing.T, p *bgptest.Peer) {
	t.Helper()
	for asked, told := false, false; !asked || !told; {
		typ, body, err := p.Next(5 * time.Second)
		switch {
		case err != nil:
			t.Fatalf("asked %v, told %v: %v", asked, told, err)
		case typ == bgptest.RouteRefresh:
			asked = bytes.Equal(body, []byte{0, 1, 0, 1})
		case typ == bgptest.UpdateMsg && len(body) > 4: // not the End-of-RIB
			told = true
		}
	}
}

// A refresh asks the peer for all that it has, tells the peer what we advertise, and no session ends. It is over when the peer is quiet.
func TestRefresh(t *testing.T) {
	n := startRefreshed(t, false)
	local := bgptest.Loopback()
	must(t, n.SetPeers([]Peer{{Address: local, ASN: 65001, Passive: true}}))
	if err := n.Refresh(t.Context(), local); !errors.Is(err, ErrNotUp) {
		t.Errorf("refresh of a session that is not up: %v", err)
	}
	must(t, n.Advertise("", []Advertisement{{Prefix: prefix("10.100.0.0/16")}}))
	p := bgptest.Dial(t, local, n.at(), 65001, bgptest.MP(1, 1), capRefresh)
	p.Expect(bgptest.UpdateMsg)
	told := func() { p.Update(nil, bgptest.Basic(local, 65001), bgptest.NLRI("172.16.1.0/24", "172.16.2.0/24")) }
	told()
	mark := n.rec.Wait(t, 0, "+[172.16.1.0/24 172.16.2.0/24]")
	must(t, n.Refresh(t.Context(), local))
	mark = n.rec.Wait(t, mark, "begin refresh")
	refreshedBoth(t, p)
	must(t, n.Refresh(t.Context(), local)) // one at a time
	time.Sleep(time.Second)
	told()
	mark = n.rec.Wait(t, mark, "+[172.16.1.0/24 172.16.2.0/24]")
	n.rec.Never(t, 0, "end refresh")
	over := n.rec.Wait(t, mark, "end refresh")
	n.rec.Never(t, mark, "begin refresh")
	n.rec.Never(t, 0, "up=false")
	must(t, n.Refresh(t.Context(), local))
	n.rec.Wait(t, over, "begin refresh")
}

// A peer that its owner does not want asked, and one that cannot be, are not.
func TestRefreshRefused(t *testing.T) {
	n := startRefreshed(t, true)
	local := bgptest.Loopback()
	must(t, n.SetPeers([]Peer{{Address: local, ASN: 65001, Passive: true}}))
	bgptest.Dial(t, local, n.at(), 65001, bgptest.MP(1, 1), capRefresh)
	mark := n.rec.Wait(t, 0, "up=true")
	must(t, n.Refresh(t.Context(), local))
	n.rec.Wait(t, mark, "begin refresh")
	n.rec.Never(t, mark, "end refresh")

	n = startRefreshed(t, false)
	local = bgptest.Loopback()
	must(t, n.SetPeers([]Peer{{Address: local, ASN: 65001, Passive: true}}))
	bgptest.Dial(t, local, n.at(), 65001, bgptest.MP(1, 1))
	n.rec.Wait(t, 0, "up=true")
	if err := n.Refresh(t.Context(), local); !errors.Is(err, ErrNoRefresh) {
		t.Errorf("refresh of a peer without the capability: %v", err)
	}
	n.rec.Never(t, 0, "begin refresh")
}

// Status tells what show bgp summary has, of a session that is up and of one that is not, within its time.
func TestStatus(t *testing.T) {
	n := startNode(t, 65000)
	one, two := bgptest.Loopback(), bgptest.Loopback()
	must(t, n.SetPeers([]Peer{
		{Address: one, ASN: 65001, Passive: true, HoldTime: 90 * time.Second, KeepaliveInterval: 30 * time.Second},
		{Address: two, ASN: 65002, Passive: true, Password: "canary-1", HoldTime: 60 * time.Second, KeepaliveInterval: 20 * time.Second},
	}))
	p := bgptest.Dial(t, one, n.at(), 65001, bgptest.MP(1, 1))
	p.Update(nil, bgptest.Basic(one, 65001), bgptest.NLRI("172.16.1.0/24"))
	n.rec.Wait(t, 0, "172.16.1.0/24")
	var up, down PeerStatus
	for end := time.Now().Add(10 * time.Second); ; {
		l := n.Status(5 * time.Second)
		if len(l) != 2 {
			t.Fatalf("%d neighbours", len(l))
		}
		up, down = l[0], l[1]
		if up.Peer != one {
			up, down = down, up
		}
		if up.Received.Updates == 1 || time.Now().After(end) {
			break
		}
	}
	if up.State != "established" || up.HoldTime != 9*time.Second || up.KeepaliveInterval != 3*time.Second || up.Families != IPv4 || up.ASN != 65001 ||
		up.LocalASN != 65000 || up.LocalAddress != n.addr || up.Sessions != 1 || up.Received.Updates != 1 || up.Sent.Opens != 1 ||
		up.RouterID != netip.MustParseAddr("192.0.2.99") || time.Since(up.Since) > time.Minute {
		t.Errorf("up: %+v", up)
	}
	if down.State == "established" || down.HoldTime != 60*time.Second || down.KeepaliveInterval != 20*time.Second || down.Families != IPv4 || down.ASN != 65002 ||
		!down.Authenticated || down.Sessions != 0 || time.Since(down.Since) > time.Minute {
		t.Errorf("down: %+v", down)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.Status(0)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		t.Error("Status(0) takes a second")
	}
}
