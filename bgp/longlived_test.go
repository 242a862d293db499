package bgp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

func longLived(d time.Duration) func(*Peer) { return func(p *Peer) { p.LongLived = d } }

// llgr is the capability of RFC 9494 3.
func llgr(flags byte, seconds uint32, families ...[2]byte) []byte {
	out := []byte{71, byte(7 * len(families))}
	for _, f := range families {
		out = append(out, 0, f[0], f[1], flags)
		out = append(out, binary.BigEndian.AppendUint32(nil, seconds)[1:]...)
	}
	return out
}

// The peer's time counts, but no longer than ours, for families with graceful restart, and not without our consent.
func TestLongLivedNegotiation(t *testing.T) {
	both := [][2]byte{{1, 1}, {2, 1}}
	for _, tt := range []struct {
		name string
		ours time.Duration
		caps [][]byte
		want string
	}{
		{"the peer's", time.Hour, [][]byte{bgptest.GR(0, 60, [3]byte{1, 1, 0}), llgr(0x80, 600, both[0])}, "long=[10m0s 0s] longfwd=ipv4"},
		{"ours", time.Minute, [][]byte{bgptest.GR(0, 60, [3]byte{1, 1, 0}), llgr(0, 1<<24-1, both...)}, "long=[1m0s 0s] longfwd="},
		{"not asked for", 0, [][]byte{bgptest.GR(0, 60, [3]byte{1, 1, 0}), llgr(0, 600, both...)}, "long=[0s 0s]"},
		{"without graceful restart", time.Hour, [][]byte{llgr(0, 600, both...)}, "long=[0s 0s]"},
		{"not the peer's", time.Hour, [][]byte{bgptest.GR(0, 60, [3]byte{1, 1, 0})}, "long=[0s 0s]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := startNode(t, 65001, restart)
			a := bgptest.Loopback()
			must(t, n.SetPeers([]Peer{rawPeer(a, longLived(tt.ours))}))
			p, err := bgptest.Connect(t, a, n.at())
			must(t, err)
			open := p.Expect(bgptest.Open)
			if got, want := bytes.Contains(open[10:], llgr(0, uint32(tt.ours/time.Second), both[0])), tt.ours > 0; got != want {
				t.Errorf("capability in our OPEN %x: %v, want %v", open, got, want)
			}
			p.Send(bgptest.Open, bgptest.OpenBody(peerASN, 9, append([][]byte{bgptest.MP(1, 1)}, tt.caps...)...))
			p.Send(bgptest.Keepalive, nil)
			n.rec.Wait(t, 0, "up=true", tt.want)
		})
	}
}

// GoBGP's own timers for it end with the neighbour, and with the speaker.
func TestLongLivedEnds(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	n := startNode(t, 65001, restart)
	p, a := raw(t, n, []func(*Peer){longLived(time.Hour)}, bgptest.GR(0, 0, [3]byte{1, 1, 0x80}), llgr(0x80, 600, [2]byte{1, 1}))
	m := n.rec.Len() // no routes: GoBGP has a data race between its marking them and its watchers
	p.Close()
	n.rec.Wait(t, m, "up=false", "hold=true")
	time.Sleep(time.Second) // GoBGP's restart time is over
	m = n.rec.Len()
	p = redial(t, n, a, bgptest.GR(8, 0, [3]byte{1, 1, 0x80}), llgr(0x80, 600, [2]byte{1, 1}))
	p.Update(nil, nil, nil)
	n.rec.Wait(t, m, "eor")
	m = n.rec.Len()
	p.Close()
	n.rec.Wait(t, m, "up=false", "hold=true")
	time.Sleep(time.Second)
	must(t, n.SetPeers(nil)) // TestMain looks for goroutines that are left
}

// FRR with long-lived graceful restart: it says for how long we may hold its routes, and holds ours when we stay away.
func TestLongLivedWithFRR(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	n := startNode(t, 65001, func(c *Config) { c.RestartTime = time.Second })
	a := bgptest.Loopback()
	frr := bgptest.StartFRR(t, netip.AddrPortFrom(a, bgptest.FreePort(t, a)), fmt.Sprintf(`
router bgp 65002
 bgp router-id 192.0.2.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp graceful-restart
 bgp long-lived-graceful-restart stale-time 40
 neighbor %[1]v remote-as 65001
 neighbor %[1]v port %[2]d
 neighbor %[1]v update-source %[3]v
 neighbor %[1]v disable-connected-check
 neighbor %[1]v timers connect 1
 address-family ipv4 unicast
  network 172.16.1.0/24
`, n.addr, n.port, a))
	must(t, n.Advertise("", []Advertisement{{Prefix: prefix("10.100.0.0/16"), NextHop: netip.MustParseAddr("198.51.100.1")}}))
	must(t, n.SetPeers([]Peer{{Address: a, LocalAddress: n.addr, ASN: 65002, Passive: true, LongLived: 50 * time.Second}}))
	n.rec.Wait(t, 0, "up=true", "long=[40s 0s]")
	frr.Wait("", "show bgp ipv4 unicast 10.100.0.0/16", "valid")
	must(t, n.Close(false))
	frr.Wait("", "show bgp ipv4 unicast 10.100.0.0/16", "llgr-stale")
}
