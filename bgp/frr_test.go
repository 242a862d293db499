package bgp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

func TestFRR(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	n := startNode(t, 65001, restart)
	a := bgptest.Loopback()
	frr := bgptest.StartFRR(t, netip.AddrPortFrom(a, bgptest.FreePort(t, a)), fmt.Sprintf(`
frr defaults datacenter
router bgp 4200000002
 bgp router-id 192.0.2.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp graceful-restart
 timers bgp 3 9
 neighbor %[1]v remote-as 65001
 neighbor %[1]v port %[2]d
 neighbor %[1]v password frr-key
 neighbor %[1]v update-source %[3]v
 neighbor %[1]v disable-connected-check
 neighbor %[1]v timers connect 1
 address-family ipv4 unicast
  network 172.16.1.0/24
  network 172.16.2.0/24
  neighbor %[1]v activate
  neighbor %[1]v route-map OUT out
 exit-address-family
route-map OUT permit 10
 set metric 50
 set community 65002:7
 set large-community 65002:1:2
`, n.addr, n.port, a))

	must(t, n.Advertise("", []Advertisement{{
		Prefix: prefix("10.100.0.0/16"), NextHop: netip.MustParseAddr("198.51.100.1"),
		ASPath: []uint32{64600}, Prepend: 2, Communities: []uint32{65001<<16 | 9},
	}}))
	must(t, n.SetPeers([]Peer{{
		Address: a, LocalAddress: n.addr, ASN: 4200000002, Password: "frr-key", IPv4: true, Passive: true,
		HoldTime: 9 * time.Second, KeepaliveInterval: 3 * time.Second,
	}}))
	n.rec.Wait(t, 0, "up=true", "asn=4200000002", "gr=ipv4")
	n.rec.Wait(t, 0, "172.16.1.0/24")
	m := n.rec.Wait(t, 0, fmt.Sprintf("eor peer=%v v6=false", a))
	frr.Wait("", "show bgp ipv4 unicast 10.100.0.0/16", "65001 65001 65001 64600", "198.51.100.1", "Community: 65001:9")

	frr.Configure("router bgp 4200000002", "address-family ipv4 unicast", "no network 172.16.2.0/24")
	n.rec.Wait(t, m, "-[172.16.2.0/24]")
	must(t, n.Withdraw("", prefixes("10.100.0.0/16")))
	frr.Wait("65001 64600", "show bgp ipv4 unicast 10.100.0.0/16", "not in table")

	frr.Show("clear bgp *")
	n.rec.Wait(t, m, "up=false", "peer closed the session: cease/hard reset for cease/administrative reset", "hold=false")
}

// TestNotificationBitWithFRR: FRR's resets, and ours, are graceful restarts when it says so, and Hard Resets are not (RFC 8538).
func TestNotificationBitWithFRR(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	n := startNode(t, 65001, restart)
	a := bgptest.Loopback()
	port := bgptest.FreePort(t, a)
	frr := bgptest.StartFRR(t, netip.AddrPortFrom(a, port), fmt.Sprintf(`
router bgp 65002
 bgp router-id 192.0.2.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 no bgp hard-administrative-reset
 bgp graceful-restart
 bgp graceful-restart notification
 neighbor %[1]v remote-as 65001
 neighbor %[1]v port %[2]d
 neighbor %[1]v update-source %[3]v
 neighbor %[1]v disable-connected-check
 neighbor %[1]v timers connect 1
 address-family ipv4 unicast
  network 172.16.1.0/24
`, n.addr, n.port, a))
	const route = "show bgp ipv4 unicast 10.100.0.0/16"
	must(t, n.Advertise("", []Advertisement{{Prefix: prefix("10.100.0.0/16"), NextHop: netip.MustParseAddr("198.51.100.1")}}))
	must(t, n.SetPeers([]Peer{{Address: a, LocalAddress: n.addr, ASN: 65002, Port: port, ConnectRetry: time.Second}}))
	m := n.rec.Wait(t, 0, "up=true", "gr=ipv4")
	frr.Wait("", route, "valid")

	frr.Show("clear bgp *")
	m = n.rec.Wait(t, m, "up=false", "restarting gracefully: cease/administrative reset", "hold=true")
	m = n.rec.Wait(t, m, "up=true")
	frr.Wait("stale", route, "valid")

	m = n.rec.Wait(t, m, "eor peer=")
	must(t, n.Reset(t.Context(), a, "ours"))
	m = n.rec.Wait(t, m, "up=false", "cease/administrative reset", "hold=true")
	m = n.rec.Wait(t, m, "up=true")
	frr.Wait("stale", route, "valid")

	frr.Configure("router bgp 65002", "bgp hard-administrative-reset")
	m = n.rec.Len()
	frr.Show("clear bgp *")
	m = n.rec.Wait(t, m, "up=false", "cease/hard reset for cease/administrative reset", "hold=false")

	n.rec.Wait(t, m, "up=true")
	frr.Wait("stale", route, "valid")
	must(t, n.SetPeers(nil)) // for good: nothing is to be held
	frr.Wait("", route, "not in table")
}
