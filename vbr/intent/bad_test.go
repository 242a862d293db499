package intent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/vbr/intent"
)

// base is a correct set of resources; each bad case changes a line of it or adds to it.
const base = `kind: PhysicalConnection
name: pc-1
device: eth1
---
kind: VirtualBorderRouter
name: vbr-acme
owner: acme
physical_connection_id: pc-1
vlan_id: 100
local_gateway_ip: 10.0.0.1
peer_gateway_ip: 10.0.0.2
peering_subnet_mask: 255.255.255.252
local_ipv6_gateway_ip: 2001:db8::1
peer_ipv6_gateway_ip: 2001:db8::2
peering_ipv6_subnet_mask: /126
associated_physical_connections:
  - {physical_connection_id: pc-1, vlan_id: 101, local_gateway_ip: 10.0.1.1, peer_gateway_ip: 10.0.1.2, peering_subnet_mask: /30}
local_asn: 45104
bgp_peers:
  - {peer_ip_address: 10.0.0.2, peer_asn: 65001, hold: 30, keepalive: 10, connect_retry: 5}
---
kind: RouterInterface
name: ri-acme
router_id: vbr-acme
vni: 5001
route_target: "64600:5001"
---
`

// beta is a second VBR and router interface that overlap with base in everything they may.
const beta = `kind: VirtualBorderRouter
name: vbr-beta
physical_connection_id: pc-1
vlan_id: 200
local_gateway_ip: 10.0.0.1
peer_gateway_ip: 10.0.0.2
peering_subnet_mask: 255.255.255.252
route_table_id: 10007
---
kind: RouterInterface
name: ri-beta
router_id: vbr-beta
vni: 5002
route_target: "64600:5002"
---
`

// badCase replaces old by new in base (once), and appends add.
type badCase struct {
	name, old, new, add string
	want                string
}

func (c badCase) text(t *testing.T) string {
	t.Helper()
	if !strings.Contains(base, c.old) {
		t.Fatalf("base has no %q", c.old)
	}
	return strings.Replace(base, c.old, c.new, 1) + c.add
}

func load(t *testing.T, files map[string]string) (*intent.Intent, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in, problems := intent.Load(dir)
	if (in == nil) != (len(problems) > 0) {
		t.Errorf("intent %v beside %d problems", in, len(problems))
	}
	return in, strings.ReplaceAll(problems.Error(), dir+"/", "")
}

func TestBadResources(t *testing.T) {
	for _, c := range badCases() {
		t.Run(c.name, func(t *testing.T) {
			_, got := load(t, map[string]string{"r.yaml": c.text(t)})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
}
