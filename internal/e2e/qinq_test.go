package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

// quietYAML is a second VBR on the port of the first: with two VLAN tags, for a customer without BGP, and its pair with shop's VPC.
const quietYAML = `---
kind: VirtualBorderRouter
name: vbr-shop
owner: shop
physical_connection_id: pc-1
outer_vlan_id: 7
vlan_id: 300
local_gateway_ip: 10.9.0.1
peer_gateway_ip: 10.9.0.2
peering_subnet_mask: /30
local_ipv6_gateway_ip: fd09::1
peer_ipv6_gateway_ip: fd09::2
peering_ipv6_subnet_mask: /126
route_entries:
  - {destination_cidr_block: 192.168.50.0/24, next_hop_list: [{next_hop_type: IpAddress, next_hop_id: 10.9.0.2}]}
  - {destination_cidr_block: "2001:db8:50::/64", next_hop_list: [{next_hop_type: IpAddress, next_hop_id: "fd09::2"}]}
---
kind: RouterInterface
name: ri-quiet
owner: shop
router_id: vbr-shop
opposite_interface_id: ri-shop
---
kind: RouterInterface
name: ri-shop
owner: shop
router_id: vpc-shop
role: AcceptingSide
opposite_interface_id: ri-quiet
`

// TestVRouterQuietCustomer: a customer with QinQ and static routes instead of BGP, on the port of one with BGP, in both families; and the life of a VBR from
// unconfirmed on.
func TestVRouterQuietCustomer(t *testing.T) {
	c := newCloud(t, "")
	c.idc.IP("link add link eth0 name eth0.7 type vlan proto 802.1ad id 7", "link set eth0.7 up", "link add link eth0.7 name eth0.7.300 type vlan id 300", "link set eth0.7.300 up",
		"addr add 10.9.0.2/30 dev eth0.7.300", "addr add fd09::2/126 dev eth0.7.300 nodad", "addr add 192.168.50.1/32 dev lo", "addr add 2001:db8:50::1/128 dev lo nodad",
		"route add 10.110.0.0/16 via 10.9.0.1", "route add 2001:db8:110::/48 via fd09::1")
	waiting := strings.Replace(quietYAML, "vlan_id: 300\n", "vlan_id: 300\nconfirmed: false\n", 1)
	c.resources(vbrYAML, vpcYAML, ends, shopYAML, waiting)
	lab.Eventually(t, 60*time.Second, "the other customer's pings", c.bothWays)
	quiet := func() error { return pings(c.machines["shop"], "", "", "192.168.50.1", "2001:db8:50::1") }
	if s := c.status("vbr-shop"); !strings.Contains(s, "vbr_status: unconfirmed") || strings.Contains(s, "DEGRADED") {
		t.Errorf("status:\n%s", s)
	}
	if out := c.edge.MustRun("ip", "-br", "link"); strings.Contains(out, "eth1.7") || quiet() == nil {
		t.Errorf("it works before it is confirmed:\n%s", out)
	}
	c.resources(vbrYAML, vpcYAML, ends, shopYAML, quietYAML)
	lab.Eventually(t, 30*time.Second, "pings once it is confirmed", quiet)
	if err := c.bothWays(); err != nil {
		t.Error(err)
	}
	if out := c.edge.MustRun("ip", "-d", "link", "show", "eth1.7.300"); !strings.Contains(out, "vlan protocol 802.1Q id 300") {
		t.Error(out)
	}
	if err := pings(c.machines["shop"], "", "", idcHost4); err == nil {
		t.Error("shop reaches acme's data centre")
	}
	out, err := c.edge.Run(ctl(t), "--socket", c.Dir+"/vbrd.sock", "explain", "192.168.50.1", "-r", "vbr-shop")
	if err != nil || !strings.Contains(out, "static") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, text := range []string{strings.Replace(quietYAML, "vlan_id: 300\n", "vlan_id: 300\ntermination_time: "+time.Now().UTC().Format(time.RFC3339)+"\n", 1), quietYAML} {
		c.resources(vbrYAML, vpcYAML, ends, shopYAML, text)
		lab.Eventually(t, 30*time.Second, "terminated and recovered", func() error {
			if err := quiet(); (err == nil) != (text == quietYAML) {
				kernel, _ := c.edge.Run("sh", "-c", "ip route show table all; ip nexthop; ip neigh; ip -br link; ip rule")
				return fmt.Errorf("%w: %s %s", err, c.status("vbr-shop"), kernel)
			}
			return nil
		})
	}
}
