package vbr

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/vbr/intent"
)

var ourVTEP = netip.MustParseAddr("192.0.2.1")

func testOptions() Options {
	return Options{Backbone: &Backbone{ASN: 64600, RouterID: ourVTEP, VTEP: ourVTEP, Reserved: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}
}

// parsed is the intent of a YAML text.
func parsed(t *testing.T, text string) *intent.Intent {
	t.Helper()
	docs, problems := intent.Parse("test.yaml", []byte(text))
	if len(problems) == 0 {
		var in *intent.Intent
		if in, problems = intent.Build(docs); len(problems) == 0 {
			return in
		}
	}
	t.Fatalf("resources: %v", problems)
	return nil
}

const acmeYAML = `kind: PhysicalConnection
name: pc-1
device: eth1
---
kind: VirtualBorderRouter
name: vbr-acme
physical_connection_id: pc-1
vlan_id: 100
local_gateway_ip: 10.0.0.1
peer_gateway_ip: 10.0.0.2
peering_subnet_mask: /30
local_ipv6_gateway_ip: fd00::1
peer_ipv6_gateway_ip: fd00::2
peering_ipv6_subnet_mask: /126
associated_physical_connections:
  - physical_connection_id: pc-1
    vlan_id: 0
    local_gateway_ip: 10.0.0.5
    peer_gateway_ip: 10.0.0.6
    peering_subnet_mask: /30
bgp_peers:
  - {peer_ip_address: 10.0.0.2, peer_asn: 65001, hold: 9, keepalive: 3, connect_retry: 1, auth_key_file: KEY}
  - {peer_ip_address: 10.0.0.6, peer_asn: 65001}
  - {peer_ip_address: "fd00::2", peer_asn: 65001, ttl_security: false, long_lived_stale_time: 60}
---
kind: RouterInterface
name: ri-acme
router_id: vbr-acme
vni: 5001
route_target: "64600:5001"
`

func acmeSpec(t *testing.T, key string) (*spec, error) {
	t.Helper()
	in := parsed(t, strings.ReplaceAll(acmeYAML, "KEY", key))
	opts := testOptions()
	opts.Keys = intent.KeyDir(filepath.Dir(key))
	return newSpec(in, &in.Routers[0], opts, loadedIDs(t, t.TempDir()))
}

func TestSpec(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("swordfish\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := acmeSpec(t, key)
	if err != nil {
		t.Fatal(err)
	}
	if s.link.VRF != "vbr-acme" || s.link.Table != firstTable || s.asn != intent.DefaultLocalASN || s.routerID.String() != "10.0.0.1" {
		t.Errorf("VRF %q, table %d, AS %d, router id %v", s.link.VRF, s.link.Table, s.asn, s.routerID)
	}
	type peer struct {
		Address, Local, Password string
		Line                     int
		Hold, Retry, LongLived   time.Duration
		IPv4, IPv6, GTSM         bool
	}
	var peers []peer
	for _, p := range s.peers {
		peers = append(peers, peer{p.Address.String(), p.LocalAddress.String(), p.Password, p.line, p.HoldTime, p.ConnectRetry, p.LongLived, p.IPv4, p.IPv6, p.GTSM})
	}
	want := []peer{
		{"10.0.0.2", "10.0.0.1", "swordfish", 0, 9 * time.Second, time.Second, 0, true, false, true},
		{"10.0.0.6", "10.0.0.5", "", 1, intent.DefaultHold, intent.DefaultConnectRetry, 0, true, false, true},
		{"fd00::2", "fd00::1", "", 0, intent.DefaultHold, intent.DefaultConnectRetry, time.Minute, false, true, false},
	}
	if diff := cmp.Diff(want, peers); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
	var lines []string
	for _, l := range s.link.Lines {
		lines = append(lines, l.Port+" "+l.Device)
		for _, a := range l.Addrs {
			lines = append(lines, a.String())
		}
	}
	if diff := cmp.Diff([]string{"eth1 eth1.100", "10.0.0.1/30", "fd00::1/126", "eth1 eth1", "10.0.0.5/30"}, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if len(s.rules.Links) != 3 || len(s.rules.Backbone) != 1 || len(s.rules.LocalASNs) != 1 {
		t.Errorf("rules: %+v", s.rules)
	}
	ri := s.ris[0]
	if ri.rd.String() != "192.0.2.1:1" || ri.target.String() != "64600:5001" || s.link.Tunnels[0].Device != "vx5001" || s.link.Tunnels[0].MAC.String() != ri.mac.String() {
		t.Errorf("router interface %+v, tunnel %+v", ri, s.link.Tunnels[0])
	}
}

// A key that cannot be read is an error that names the peer and the file.
func TestSpecKeyMissing(t *testing.T) {
	_, err := acmeSpec(t, "/nonexistent/key")
	if err == nil || !strings.Contains(err.Error(), "10.0.0.2") || !strings.Contains(err.Error(), "/nonexistent/key") {
		t.Errorf("%v", err)
	}
}

// A router interface on a host without a backbone is an error.
func TestSpecWithoutBackbone(t *testing.T) {
	in := parsed(t, strings.ReplaceAll(acmeYAML, ", auth_key_file: KEY", ""))
	_, err := newSpec(in, &in.Routers[0], Options{}, loadedIDs(t, t.TempDir()))
	if err == nil || !strings.Contains(err.Error(), "ri-acme") || !strings.Contains(err.Error(), "backbone") {
		t.Errorf("%v", err)
	}
}

// A router in the default VRF uses the main table and makes no VRF device.
func TestSpecDefaultVRF(t *testing.T) {
	text := strings.ReplaceAll(acmeYAML, ", auth_key_file: KEY", "")
	in := parsed(t, strings.Replace(text, "name: vbr-acme\n", "name: vbr-acme\nvrf: default\n", 1))
	s, err := newSpec(in, &in.Routers[0], testOptions(), loadedIDs(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	if s.link.VRF != "" || s.link.Table != mainTable {
		t.Errorf("VRF %q, table %d", s.link.VRF, s.link.Table)
	}
}

// Type 1 of RFC 4364 4.2: two octets 1, the router id, the number.
func TestRouteDistinguisher(t *testing.T) {
	rd := routeDistinguisher(netip.MustParseAddr("192.0.2.1"), 258)
	if want := [8]byte{0, 1, 192, 0, 2, 1, 1, 2}; rd != want {
		t.Errorf("%v, want %v", rd, want)
	}
	if rd.String() != "192.0.2.1:258" || !rd.IsValid() {
		t.Errorf("%v", rd)
	}
}

// The router MAC is unicast, locally administered, stable over versions of the program, and differs by VTEP and VNI.
func TestRouterMAC(t *testing.T) {
	seen := make(map[string]string)
	for _, a := range []string{"192.0.2.1", "192.0.2.2", "2001:db8::1"} {
		for _, vni := range []uint32{1, 5001, 5002, 1<<24 - 1} {
			mac := routerMAC(netip.MustParseAddr(a), vni)
			if len(mac) != 6 || mac[0]&3 != 2 {
				t.Errorf("%s, VNI %d: %v is no locally administered unicast address", a, vni, mac)
			}
			if other := seen[mac.String()]; other != "" {
				t.Errorf("%s, VNI %d: %v is also that of %s", a, vni, mac, other)
			}
			seen[mac.String()] = a
			if again := routerMAC(netip.MustParseAddr(a), vni); again.String() != mac.String() {
				t.Errorf("%v, then %v", mac, again)
			}
		}
	}
}

// Without IPv4 on any line the router id is made from the name, out of 100.64.0.0/10.
func TestRouterID(t *testing.T) {
	four := intent.Link{IPv4: intent.Addresses{Local: netip.MustParseAddr("10.9.9.9"), Peer: netip.MustParseAddr("10.9.9.10"), Subnet: netip.MustParsePrefix("10.9.9.8/30")}}
	six := intent.Link{IPv6: intent.Addresses{Local: netip.MustParseAddr("fd00::1"), Peer: netip.MustParseAddr("fd00::2"), Subnet: netip.MustParsePrefix("fd00::/126")}}
	s := new(spec)
	if id := s.chooseRouterID(&intent.Router{Name: "a", Links: []intent.Link{six, four}}); id.String() != "10.9.9.9" {
		t.Errorf("%v, want the IPv4 address of the second line", id)
	}
	shared := netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	a, b := s.chooseRouterID(&intent.Router{Name: "a", Links: []intent.Link{six}}), s.chooseRouterID(&intent.Router{Name: "b", Links: []intent.Link{six}})
	if !shared.Contains(a) || !shared.Contains(b) || a == b || a != s.chooseRouterID(&intent.Router{Name: "a"}) {
		t.Errorf("%v, %v", a, b)
	}
}

// A router that asks for a table gets it, also when another, which takes any, stands before it.
func TestSpecsAskedTablesFirst(t *testing.T) {
	const router = "kind: VirtualBorderRouter\nname: NAME\nphysical_connection_id: pc-1\nvlan_id: VLAN\nlocal_gateway_ip: 10.0.0.1\npeer_gateway_ip: 10.0.0.2\n" +
		"peering_subnet_mask: /30\n"
	any := strings.NewReplacer("NAME", "vbr-any", "VLAN", "100").Replace(router)
	asking := strings.NewReplacer("NAME", "vbr-asking", "VLAN", "200").Replace(router) + "route_table_id: 10000\n"
	in := parsed(t, "kind: PhysicalConnection\nname: pc-1\ndevice: eth1\n---\n"+any+"---\n"+asking)
	specs, refused := newSpecs(in, testOptions(), loadedIDs(t, t.TempDir()))
	if len(refused) > 0 {
		t.Fatal(refused)
	}
	tables := map[string]uint32{}
	for _, s := range specs {
		tables[s.name] = s.link.Table
	}
	if tables["vbr-any"] != 10001 || tables["vbr-asking"] != 10000 {
		t.Errorf("tables: %v", tables)
	}
}

// A router that cannot be served is named with the reason; the others are served.
func TestOneBadRouterStopsNoOther(t *testing.T) {
	const router = "kind: VirtualBorderRouter\nname: NAME\nphysical_connection_id: pc-1\nvlan_id: VLAN\nlocal_gateway_ip: 10.0.0.1\npeer_gateway_ip: 10.0.0.2\npeering_subnet_mask: /30\n" +
		"bgp_peers: [{peer_ip_address: 10.0.0.2, peer_asn: 65001}]\n"
	good := strings.NewReplacer("NAME", "vbr-good", "VLAN", "100").Replace(router)
	bad := strings.NewReplacer("NAME", "vbr-bad", "VLAN", "200").Replace(router) + "route_table_id: 10007\n"
	in := parsed(t, "kind: PhysicalConnection\nname: pc-1\ndevice: eth1\n---\n"+bad+"---\n"+good)
	x := loadedIDs(t, t.TempDir())
	x.Tables["vbr-gone"] = 10007
	specs, refused := newSpecs(in, testOptions(), x)
	if len(specs) != 1 || specs[0].name != "vbr-good" || refused["vbr-bad"] == nil || !strings.Contains(refused["vbr-bad"].Error(), "10007") {
		t.Errorf("specs: %d, refused: %v", len(specs), refused)
	}
}
