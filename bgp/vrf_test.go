//go:build vrf

package bgp

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", args, err, out)
	}
}

// TestVRF: two speakers on the same address and port, two customers with the same address and AS,
// each in a VRF of its own, and a key on each. It needs a kernel with VRF to itself: `make test-vrf` builds
// it, with the tag vrf.
func TestVRF(t *testing.T) {
	if os.Getenv("VBR_REQUIRE_VRF") != "1" {
		t.Fatal("not in the VRF kernel; run make test-vrf")
	}
	us, them := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	us6, them6 := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	nodes := map[int]*node{}
	for i := 1; i <= 2; i++ {
		ip(t, fmt.Sprintf("link add bgpvrf%d type vrf table %d", i, 11000+i))
		ip(t, fmt.Sprintf("netns add bgpcust%d", i))
		t.Cleanup(func() {
			ip(t, fmt.Sprintf("link del bgpvrf%d", i))
			ip(t, fmt.Sprintf("netns del bgpcust%d", i))
		})
		ip(t, fmt.Sprintf("link add bgpv%d type veth peer name eth0 netns bgpcust%d", i, i))
		ip(t, fmt.Sprintf("link set bgpv%d master bgpvrf%d", i, i))
		ip(t, fmt.Sprintf("link set bgpvrf%d up", i))
		ip(t, fmt.Sprintf("link set bgpv%d up", i))
		ip(t, fmt.Sprintf("addr add %v/30 dev bgpv%d", us, i))
		ip(t, fmt.Sprintf("addr add %v/126 dev bgpv%d", us6, i)) // with duplicate address detection
		ip(t, fmt.Sprintf("-n bgpcust%d link set lo up", i))
		ip(t, fmt.Sprintf("-n bgpcust%d link set eth0 up", i))
		ip(t, fmt.Sprintf("-n bgpcust%d addr add %v/30 dev eth0", i, them))
		ip(t, fmt.Sprintf("-n bgpcust%d addr add %v/126 dev eth0 nodad", i, them6))
	}
	for i := 1; i <= 2; i++ {
		listen := []netip.Addr{us, us6}
		if i == 2 {
			listen = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
		}
		log, text := bgptest.Log(t)
		n := &node{rec: &recorder{}, log: text}
		s, err := Start(t.Context(), Config{
			Router: fmt.Sprintf("vbr-%d", i), ASN: 65001, RouterID: us, Device: fmt.Sprintf("bgpvrf%d", i),
			Listen: listen, Log: log,
		}, n.rec)
		if err != nil {
			t.Fatal(err)
		}
		n.Speaker = s
		t.Cleanup(func() { _ = s.Close(true) })
		nodes[i] = n
	}
	for i, n := range nodes {
		bgptest.StartFRRIn(t, fmt.Sprintf("bgpcust%d", i), netip.AddrPortFrom(them, 179), fmt.Sprintf(`
frr defaults datacenter
router bgp 65002
 bgp router-id 192.0.2.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 timers bgp 3 9
 neighbor 10.0.0.1 remote-as 65001
 neighbor 10.0.0.1 password key-%[1]d
 neighbor 10.0.0.1 timers connect 1
 neighbor 10.0.1.1 remote-as 65001
 neighbor 10.0.1.1 password later
 neighbor 10.0.1.1 timers connect 1
 neighbor 2001:db8::1 remote-as 65001
 neighbor 2001:db8::1 password key6-%[1]d
 neighbor 2001:db8::1 timers connect 1
 address-family ipv4 unicast
  network 172.16.%[1]d.0/24
 exit-address-family
 address-family ipv6 unicast
  network 2001:db8:%[1]d::/48
  neighbor 2001:db8::1 activate
`, i))
		must(t, n.Advertise("", []Advertisement{{Prefix: prefix("10.100.0.0/16")}, {Prefix: prefix("2001:db8:100::/48")}}))
		must(t, n.SetPeers([]Peer{
			{Address: them, ASN: 65002, Password: fmt.Sprintf("key-%d", i), Passive: i == 1, ConnectRetry: time.Second},
			{Address: them6, ASN: 65002, Password: fmt.Sprintf("key6-%d", i), Passive: true},
		}))
	}
	for i, n := range nodes {
		n.rec.Wait(t, 0, "peer=10.0.0.2 up=true")
		n.rec.Wait(t, 0, "peer=2001:db8::2 up=true")
		n.rec.Wait(t, 0, fmt.Sprintf("nh=10.0.0.2 +[172.16.%d.0/24]", i))
		n.rec.Wait(t, 0, fmt.Sprintf("nh=2001:db8::2 +[2001:db8:%d::/48]", i))
		n.rec.Never(t, 0, fmt.Sprintf("172.16.%d.0/24", 3-i))
	}
	testLaterLine(t, nodes[2], them)
	testFarInVRF(t, nodes[1], them, them6)
	out, err := exec.Command("ss", "-Htln", "sport", "=", ":179").CombinedOutput()
	must(t, err)
	for _, l := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if !strings.Contains(l, "%bgpvrf") {
			t.Errorf("a listener outside of the VRFs: %s", l)
		}
	}
	if _, err := bgptest.Connect(t, netip.MustParseAddr("127.0.0.1"), netip.AddrPortFrom(us, 179)); err == nil {
		t.Error("reached from outside of the VRF")
	}
}

// testFarInVRF: FRR does not send with TTL 255 by itself, and is told so in its VRF, in both families.
func testFarInVRF(t *testing.T, n *node, four, six netip.Addr) {
	mark := n.rec.Len()
	must(t, n.SetPeers([]Peer{
		{Address: four, ASN: 65002, Password: "key-1", Passive: true, GTSM: true},
		{Address: six, ASN: 65002, Password: "key6-1", Passive: true, GTSM: true},
	}))
	n.rec.Wait(t, mark, "peer=10.0.0.2 up=false", "arrive with TTL 1 instead of 255")
	n.rec.Wait(t, mark, "peer=2001:db8::2 up=false", "arrive with TTL 1 instead of 255")
}

// testLaterLine gives the VRF of a speaker that listens on all addresses another one, with a key: the session there comes up from
// the customer's side, and with the key only; the others do not notice.
func testLaterLine(t *testing.T, n *node, them netip.Addr) {
	mark := n.rec.Len()
	ip(t, "-n bgpcust2 addr add 10.0.1.2/30 dev eth0")
	ip(t, "addr add 10.0.1.1/30 dev bgpv2")
	first := Peer{Address: them, ASN: 65002, Password: "key-2", Passive: false, ConnectRetry: time.Second}
	six := Peer{Address: netip.MustParseAddr("2001:db8::2"), ASN: 65002, Password: "key6-2", Passive: true}
	later := Peer{Address: netip.MustParseAddr("10.0.1.2"), LocalAddress: netip.MustParseAddr("10.0.1.1"), ASN: 65002, Password: "other", Passive: true}
	must(t, n.SetPeers([]Peer{first, six, later}))
	time.Sleep(3 * time.Second)
	n.rec.Never(t, mark, "peer=10.0.1.2 up=true")
	later.Password = "later"
	must(t, n.SetPeers([]Peer{first, six, later}))
	n.rec.Wait(t, mark, "peer=10.0.1.2 up=true")
	n.rec.Never(t, mark, "peer=10.0.0.2 up=false")
	n.rec.Never(t, mark, "peer=2001:db8::2 up=false")
}
