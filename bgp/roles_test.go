package bgp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// TestRolesFRR: FRR in strict mode hears our role, whoever dials, and refuses the wrong one (RFC 9234 4.2).
func TestRolesFRR(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	for _, passive := range []bool{true, false} {
		t.Run(fmt.Sprintf("passive=%v", passive), func(t *testing.T) {
			n, a := startNode(t, 65001), bgptest.Loopback()
			listen := netip.AddrPortFrom(a, bgptest.FreePort(t, a))
			frr := bgptest.StartFRR(t, listen, fmt.Sprintf(`
router bgp 65002
 bgp router-id 192.0.2.2
 no bgp ebgp-requires-policy
 timers bgp 3 9
 neighbor %[1]v remote-as 65001
 neighbor %[1]v port %[2]d
 neighbor %[1]v update-source %[3]v
 neighbor %[1]v disable-connected-check
 neighbor %[1]v timers connect 1
 %[4]s
 neighbor %[1]v local-role customer strict-mode
`, n.addr, n.port, a, map[bool]string{false: fmt.Sprintf("neighbor %v passive", n.addr)}[passive]))
			peer := Peer{
				Address: a, LocalAddress: n.addr, Port: listen.Port(), ASN: 65002, IPv4: true, Passive: passive, ConnectRetry: time.Second,
				HoldTime: 9 * time.Second, KeepaliveInterval: 3 * time.Second, Role: RoleProvider, StrictRole: true,
			}
			must(t, n.SetPeers([]Peer{peer}))
			mark := n.rec.Wait(t, 0, "up=true")
			frr.Wait("", "show bgp neighbors", "Local Role: customer", "Remote Role: provider")
			if s := n.Status(time.Second); s[0].PeerRole != RoleCustomer {
				t.Errorf("the peer's role is %q", s[0].PeerRole)
			}
			peer.Role = RolePeer
			must(t, n.SetPeers([]Peer{peer}))
			mark = n.rec.Wait(t, mark, "up=false", "other configuration change")
			n.rec.Wait(t, mark, "role mismatch") // one of both sees it first
			peer.Role, peer.StrictRole = 0, false
			must(t, n.SetPeers([]Peer{peer}))
			refused := func() string { return n.Status(time.Second)[0].Reason }
			for end := time.Now().Add(20 * time.Second); !strings.Contains(refused(), "peer refused the session: open message error/role mismatch"); time.Sleep(100 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("reason %q", refused())
				}
			}
		})
	}
}
