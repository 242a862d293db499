package intent_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/vbr/intent"
)

// cloud is a correct VBR and VPC joined by a pair; each bad case changes a line of it or adds to it.
const cloud = `kind: PhysicalConnection
name: pc-1
device: eth1
---
kind: VirtualBorderRouter
name: vbr-acme
owner: acme
physical_connection_id: pc-1
outer_vlan_id: 7
vlan_id: 100
local_gateway_ip: 10.0.0.1
peer_gateway_ip: 10.0.0.2
peering_subnet_mask: /30
bgp_networks: [172.16.0.0/16]
route_entries:
  - {destination_cidr_block: 192.168.0.0/24, next_hop_list: [{next_hop_type: IpAddress, next_hop_id: 10.0.0.2}, {next_hop_id: ri-vbr, weight: 7}]}
health_check: {target_ip: 10.0.0.2}
---
kind: VRouter
name: vpc-acme
owner: acme
cidr_blocks: [172.16.0.0/16, 'fd00:1::/56']
vswitches:
  - {name: web, cidr_block: 172.16.1.0/24, devices: [tap1, tap2]}
  - {name: db, cidr_block: 172.16.2.0/24, gateway_ip: 172.16.2.1, ipv6_cidr_block: 'fd00:1::/64'}
route_entries:
  - {destination_cidr_block: 0.0.0.0/0, next_hop_list: [{next_hop_id: ri-vpc}]}
---
kind: RouterInterface
name: ri-vbr
router_id: vbr-acme
opposite_interface_id: ri-vpc
opposite_router_id: vpc-acme
spec: Small.1
health_check: {target_ip: 172.16.1.253}
---
kind: RouterInterface
name: ri-vpc
router_id: vpc-acme
role: AcceptingSide
opposite_interface_id: ri-vbr
---
`

// other is a second VBR, of another owner, with a plain router interface, and a failover group.
const other = `kind: VirtualBorderRouter
name: vbr-two
owner: acme
physical_connection_id: pc-1
vlan_id: 200
local_gateway_ip: 10.0.0.5
peer_gateway_ip: 10.0.0.6
peering_subnet_mask: /30
---
kind: RouterInterface
name: ri-two
router_id: vbr-two
vni: 5002
route_target: "64600:5002"
---
kind: VbrHa
name: ha-acme
owner: acme
vbr_id: vbr-acme
peer_vbr_id: vbr-two
---
`

// vpcTwo is a VRouter beside vpc-acme, with one of the ends of a pair.
const vpcTwo = `kind: VRouter
name: vpc-two
owner: beta
cidr_blocks: [172.17.0.0/16]
---
kind: RouterInterface
name: ri-b
owner: beta
router_id: vpc-two
role: AcceptingSide
opposite_interface_id: ri-a
opposite_interface_owner_id: acme
---
kind: RouterInterface
name: ri-a
owner: acme
router_id: vpc-acme
opposite_interface_id: ri-b
opposite_interface_owner_id: beta
---
`

func TestBadCloud(t *testing.T) {
	for _, c := range badCloud() {
		t.Run(c.name, func(t *testing.T) {
			text := cloud + c.add
			if !strings.Contains(text, c.old) {
				t.Fatalf("no %q", c.old)
			}
			_, got := load(t, map[string]string{"r.yaml": strings.Replace(text, c.old, c.new, 1)})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
}

// A terminated VBR's VLAN is its own for seven days.
func TestVLANHold(t *testing.T) {
	text := strings.Replace(base, "vlan_id: 100\n", "vlan_id: 100\ntermination_time: '2026-01-01T00:00:00Z'\n", 1) + strings.Replace(beta, "vlan_id: 200", "vlan_id: 100", 1)
	for _, tt := range []struct {
		now  string
		free bool
	}{{"", false}, {"2026-01-07T23:59:59Z", false}, {"2026-01-08T00:00:00Z", true}} {
		docs, _ := intent.Parse("r.yaml", []byte(text))
		now, _ := time.Parse(time.RFC3339, tt.now)
		if _, problems := (intent.Options{Now: now}).Build(docs); (problems == nil) != tt.free {
			t.Errorf("at %q: %v", tt.now, problems)
		}
	}
	docs, _ := intent.Parse("r.yaml", []byte(strings.Replace(text, "termination_time: '2026-01-01T00:00:00Z'", "confirmed: false", 1)))
	if _, problems := intent.Build(docs); problems == nil {
		t.Error("an unconfirmed VBR does not hold its VLAN")
	}
}
