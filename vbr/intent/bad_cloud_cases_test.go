package intent_test

import (
	"fmt"
	"strings"
)

// six is six more router interfaces of vbr-acme.
func six() string {
	var b strings.Builder
	for i := range 6 {
		fmt.Fprintf(&b, "kind: RouterInterface\nname: ri-%d\nrouter_id: vbr-acme\nvni: %d\nroute_target: '1:%d'\n---\n", i, 10+i, i)
	}
	return b.String()
}

// badCloud lists every bad input of VPCs, pairs and what belongs to them, with the exact words an operator reads.
func badCloud() []badCase {
	return []badCase{
		{name: "OK: as it is", add: other},
		{name: "OK: two owners, local pair", add: vpcTwo},
		{name: "bad: a VRouter named as a VBR", old: "name: vpc-acme\nowner", new: "name: vbr-acme\nowner",
			want: `r.yaml:20:7: VRouter/vbr-acme.name: "vbr-acme": name is given twice, first at r.yaml:6:7; legal: one VirtualBorderRouter or VRouter of a name
r.yaml:27:71: VRouter/vbr-acme.route_entries[0].next_hop_list[0].next_hop_id: "ri-vpc": RouterInterface/ri-vpc is of another router, vpc-acme; legal: ri-vbr
r.yaml:39:12: RouterInterface/ri-vpc.router_id: "vpc-acme": no such VirtualBorderRouter or VRouter; did you mean "vbr-acme"?; legal: vbr-acme`},
		{name: "bad: unknown specification", old: "spec: Small.1", new: "spec: Small.7",
			want: `r.yaml:34:7: RouterInterface/ri-vbr.spec: "Small.7": not a specification; legal: Mini.2, Mini.5, Small.1, Small.2, Small.5, Middle.1, Middle.2, Middle.5, Large.1, Large.2, Large.5, Xlarge.1, Negative`},
		{name: "bad: interface to itself", old: "opposite_interface_id: ri-vpc\nopp", new: "opposite_interface_id: ri-vbr\nopp",
			want: `r.yaml:32:24: RouterInterface/ri-vbr.opposite_interface_id: "ri-vbr": the interface itself; legal: an interface of another router
r.yaml:37:1: RouterInterface/ri-vpc.vni: missing; legal: vni and route_target, since the other end is not known to be on this host`},
		{name: "bad: both ends on one router", old: "router_id: vpc-acme\nrole: AcceptingSide", new: "router_id: vbr-acme",
			want: `r.yaml:27:71: VRouter/vpc-acme.route_entries[0].next_hop_list[0].next_hop_id: "ri-vpc": RouterInterface/ri-vpc is of another router, vbr-acme; legal: a RouterInterface whose router_id is vpc-acme
r.yaml:32:24: RouterInterface/ri-vbr.opposite_interface_id: "ri-vpc": RouterInterface/ri-vpc is of the same router, vbr-acme; legal: an interface of another router
r.yaml:40:24: RouterInterface/ri-vpc.opposite_interface_id: "ri-vbr": RouterInterface/ri-vbr is of the same router, vbr-acme; legal: an interface of another router`},
		{name: "bad: opposite router is its own", old: "opposite_router_id: vpc-acme", new: "opposite_router_id: vbr-acme",
			want: `r.yaml:33:21: RouterInterface/ri-vbr.opposite_router_id: "vbr-acme": the router itself; legal: another router
r.yaml:39:12: RouterInterface/ri-vpc.router_id: "vpc-acme": not the opposite_router_id of RouterInterface/ri-vbr, "vbr-acme"; legal: the router that ri-vbr names, or none named`},
		{name: "bad: another router than the opposite's", old: "opposite_router_id: vpc-acme", new: "opposite_router_id: vbr-two", add: other,
			want: `r.yaml:39:12: RouterInterface/ri-vpc.router_id: "vpc-acme": not the opposite_router_id of RouterInterface/ri-vbr, "vbr-two"; legal: the router that ri-vbr names, or none named`},
		{name: "bad: opposite's router named otherwise", old: "role: AcceptingSide\n", new: "role: AcceptingSide\nopposite_router_id: vbr-two\n", add: other,
			want: `r.yaml:41:21: RouterInterface/ri-vpc.opposite_router_id: "vbr-two": not the router of RouterInterface/ri-vbr, "vbr-acme"; legal: the router of ri-vbr, or none given`},
		{name: "bad: second pair between two routers", add: "kind: RouterInterface\nname: ri-x\nrouter_id: vbr-acme\nvni: 9\nroute_target: '1:9'\nopposite_interface_id: ri-y\n---\nkind: RouterInterface\nname: ri-y\nrouter_id: vpc-acme\nrole: AcceptingSide\nvni: 9\nroute_target: '1:9'\nopposite_interface_id: ri-x\n",
			want: `r.yaml:48:24: RouterInterface/ri-x.opposite_interface_id: "ri-y": RouterInterface/ri-vbr at r.yaml:30:7 joins vbr-acme and vpc-acme already; legal: one pair between two routers`},
		{name: "bad: second interface to a router", add: "kind: RouterInterface\nname: ri-x\nrouter_id: vbr-acme\nvni: 9\nroute_target: '1:9'\nopposite_interface_id: ri-y\nopposite_router_id: vpc-acme\n",
			want: `r.yaml:48:24: RouterInterface/ri-x.opposite_interface_id: "ri-y": RouterInterface/ri-vbr at r.yaml:30:7 joins vbr-acme and vpc-acme already; legal: one pair between two routers`},
		{name: "bad: accept by the wrong owner", old: "opposite_interface_owner_id: beta", new: "opposite_interface_owner_id: gamma", add: vpcTwo,
			want: `r.yaml:53:24: RouterInterface/ri-b.opposite_interface_id: "ri-a": not an interface that owner "beta" may be joined to; legal: an interface whose opposite_interface_owner_id is the owner of this one`},
		{name: "bad: accept for the wrong owner", old: "opposite_interface_owner_id: acme", new: "opposite_interface_owner_id: gamma", add: vpcTwo,
			want: `r.yaml:54:30: RouterInterface/ri-b.opposite_interface_owner_id: "gamma": not the owner of the other end; legal: the owner of ri-a`},
		{name: "bad: owner is not the router's", old: "name: ri-vbr\n", new: "name: ri-vbr\nowner: beta\nopposite_interface_owner_id: ''\n",
			want: `r.yaml:31:8: RouterInterface/ri-vbr.owner: "beta": not the owner of VirtualBorderRouter/vbr-acme, "acme"; legal: the owner of the router, or none given
r.yaml:43:24: RouterInterface/ri-vpc.opposite_interface_id: "ri-vbr": not an interface that owner "" may be joined to; legal: an interface whose opposite_interface_owner_id is the owner of this one`},
		{name: "bad: a VBR accepts", old: "spec: Small.1", new: "role: AcceptingSide",
			want: `r.yaml:34:7: RouterInterface/ri-vbr.role: "AcceptingSide": a VBR's interface is the initiating one; legal: InitiatingSide, and AcceptingSide at the VRouter's
r.yaml:40:7: RouterInterface/ri-vpc.role: "AcceptingSide": both ends are the accepting side; legal: InitiatingSide at one end, AcceptingSide at the other`},
		{name: "bad: both initiate", old: "role: AcceptingSide\n", new: "role: InitiatingSide\n",
			want: `r.yaml:40:7: RouterInterface/ri-vpc.role: "InitiatingSide": both ends are the initiating side; legal: InitiatingSide at one end, AcceptingSide at the other`},
		{name: "bad: specification of the accepting side", old: "role: AcceptingSide\n", new: "role: AcceptingSide\nspec: Mini.2\n",
			want: `r.yaml:41:7: RouterInterface/ri-vpc.spec: "Mini.2": the accepting side has no specification of its own; legal: Negative, or none given`},
		{name: "bad: Negative at the initiating side", old: "spec: Small.1", new: "spec: Negative",
			want: `r.yaml:34:7: RouterInterface/ri-vbr.spec: "Negative": for the accepting side only; legal: Mini.2, Mini.5, Small.1, Small.2, Small.5, Middle.1, Middle.2, Middle.5, Large.1, Large.2, Large.5, Xlarge.1`},
		{name: "bad: too many interfaces", add: six(),
			want: `r.yaml:69:12: RouterInterface/ri-4.router_id: "vbr-acme": the router has 5 router interfaces beside this one; legal: at most 5 router interfaces of a router
r.yaml:75:12: RouterInterface/ri-5.router_id: "vbr-acme": the router has 6 router interfaces beside this one; legal: at most 5 router interfaces of a router`},
		{name: "bad: VNI without route target", old: "spec: Small.1", new: "vni: 7",
			want: `r.yaml:29:1: RouterInterface/ri-vbr.route_target: missing; legal: vni and route_target together, or neither between two routers of one host
r.yaml:37:1: RouterInterface/ri-vpc.vni: not the VNI of RouterInterface/ri-vbr, 7; legal: the same VNI at both ends`},
		{name: "bad: route target at one end", old: "role: AcceptingSide\n", new: "role: AcceptingSide\nvni: 7\nroute_target: '1:7'\n",
			want: `r.yaml:41:6: RouterInterface/ri-vpc.vni: 7: not the VNI of RouterInterface/ri-vbr, none; legal: the same VNI at both ends
r.yaml:42:15: RouterInterface/ri-vpc.route_target: "1:7": not the route target of RouterInterface/ri-vbr, none; legal: the same route target at both ends`},
		{name: "bad: opposite unknown, no VNI", old: "name: ri-vpc\n", new: "name: ri-vcp\n",
			want: `r.yaml:27:71: VRouter/vpc-acme.route_entries[0].next_hop_list[0].next_hop_id: "ri-vpc": no such RouterInterface of this router; legal: ri-vcp
r.yaml:37:1: RouterInterface/ri-vcp.vni: missing; legal: vni and route_target, since the other end is not known to be on this host`},
		{name: "bad: opposite router without opposite", old: "opposite_interface_id: ri-vpc\n", new: "vni: 7\nroute_target: '1:7'\n",
			want: `r.yaml:34:21: RouterInterface/ri-vbr.opposite_router_id: "vpc-acme": there is no opposite_interface_id; legal: opposite_interface_id beside it, or neither
r.yaml:38:1: RouterInterface/ri-vpc.vni: missing; legal: vni and route_target, since the other end is not known to be on this host`},
		{name: "bad: no VNI and no opposite", old: "opposite_interface_id: ri-vpc\nopposite_router_id: vpc-acme\n", new: "",
			want: `r.yaml:29:1: RouterInterface/ri-vbr.route_target: missing; legal: 0..65535:0..4294967295, 65536..4294967295:0..65535 or IPV4:0..65535
r.yaml:29:1: RouterInterface/ri-vbr.vni: missing; legal: 1..16777215
r.yaml:35:1: RouterInterface/ri-vpc.vni: missing; legal: vni and route_target, since the other end is not known to be on this host`},
		{name: "bad: overlapping VPCs", old: "cidr_blocks: [172.17.0.0/16]", new: "cidr_blocks: [172.16.128.0/17]", add: vpcTwo,
			want: `r.yaml:60:24: RouterInterface/ri-a.opposite_interface_id: "ri-b": 172.16.0.0/16 of this router, vpc-acme, overlaps 172.16.128.0/17 of the other end's, vpc-two; legal: routers whose prefixes do not overlap`},
		{name: "bad: VPC overlaps a line", old: "cidr_blocks: [172.16.0.0/16, ", new: "cidr_blocks: [172.16.0.0/16, 10.0.0.0/24, ",
			want: `r.yaml:41:24: RouterInterface/ri-vpc.opposite_interface_id: "ri-vbr": 10.0.0.0/24 of this router, vpc-acme, overlaps 10.0.0.0/30 of the other end's, vbr-acme; legal: routers whose prefixes do not overlap`},
		{name: "bad: VPC blocks overlap", old: "cidr_blocks: [172.16.0.0/16, ", new: "cidr_blocks: [172.16.0.0/16, 172.16.8.0/24, ",
			want: `r.yaml:22:30: VRouter/vpc-acme.cidr_blocks[1]: "172.16.8.0/24": overlaps 172.16.0.0/16 of this VRouter; legal: prefixes that do not overlap`},
		{name: "bad: VPC blocks that are no VPC's", old: "cidr_blocks: [172.16.0.0/16, ", new: "cidr_blocks: [172.16.0.0/16, 127.1.0.0/16, 169.254.1.0/24, 0.0.0.0/0, 'fe80::/64', 240.0.0.0/8, ",
			want: `r.yaml:22:30: VRouter/vpc-acme.cidr_blocks[1]: "127.1.0.0/16": not addresses a VPC may have: 127.0.0.0/8 has other uses; legal: unicast prefixes, not loopback or link-local
r.yaml:22:44: VRouter/vpc-acme.cidr_blocks[2]: "169.254.1.0/24": not addresses a VPC may have: 169.254.0.0/16 has other uses; legal: unicast prefixes, not loopback or link-local
r.yaml:22:60: VRouter/vpc-acme.cidr_blocks[3]: "0.0.0.0/0": not addresses a VPC may have: 0.0.0.0/8 has other uses; legal: unicast prefixes, not loopback or link-local
r.yaml:22:60: VRouter/vpc-acme.cidr_blocks[3]: "0.0.0.0/0": overlaps 172.16.0.0/16 of this VRouter; legal: prefixes that do not overlap
r.yaml:22:71: VRouter/vpc-acme.cidr_blocks[4]: "fe80::/64": not addresses a VPC may have: fe80::/10 has other uses; legal: unicast prefixes, not loopback or link-local
r.yaml:22:84: VRouter/vpc-acme.cidr_blocks[5]: "240.0.0.0/8": not addresses a VPC may have: 224.0.0.0/3 has other uses; legal: unicast prefixes, not loopback or link-local
r.yaml:22:84: VRouter/vpc-acme.cidr_blocks[5]: "240.0.0.0/8": overlaps 0.0.0.0/0 of this VRouter; legal: prefixes that do not overlap
r.yaml:41:24: RouterInterface/ri-vpc.opposite_interface_id: "ri-vbr": 0.0.0.0/0 of this router, vpc-acme, overlaps 10.0.0.0/30 of the other end's, vbr-acme; legal: routers whose prefixes do not overlap`},
		{name: "bad: no block", old: "cidr_blocks: [172.16.0.0/16, 'fd00:1::/56']", new: "cidr_blocks: []",
			want: `r.yaml:22:14: VRouter/vpc-acme.cidr_blocks: not the prefixes of a VPC; legal: 1..16 IPv4 and IPv6 prefixes without host bits`},
		{name: "bad: host bits in a block", old: "172.16.0.0/16, ", new: "172.16.0.1/16, ",
			want: `r.yaml:22:14: VRouter/vpc-acme.cidr_blocks: not the prefixes of a VPC; legal: 1..16 IPv4 and IPv6 prefixes without host bits`},
		{name: "bad: vSwitch outside", old: "cidr_block: 172.16.1.0/24", new: "cidr_block: 172.18.1.0/24",
			want: `r.yaml:24:29: VRouter/vpc-acme.vswitches[0].cidr_block: "172.18.1.0/24": in none of the VRouter's cidr_blocks; legal: a subnet of 172.16.0.0/16, fd00:1::/56`},
		{name: "bad: vSwitches overlap", old: "cidr_block: 172.16.1.0/24", new: "cidr_block: 172.16.2.0/25",
			want: `r.yaml:25:28: VRouter/vpc-acme.vswitches[1].cidr_block: "172.16.2.0/24": overlaps 172.16.2.0/25 of vSwitch web; legal: a subnet of its own for each vSwitch`},
		{name: "bad: vSwitch name twice", old: "name: db", new: "name: web",
			want: `r.yaml:25:12: VRouter/vpc-acme.vswitches[1].name: "web": name is given twice, first as vswitches[0]; legal: one vSwitch of a name`},
		{name: "bad: vSwitch gateway outside", old: "gateway_ip: 172.16.2.1", new: "gateway_ip: 172.16.3.1",
			want: `r.yaml:25:55: VRouter/vpc-acme.vswitches[1].gateway_ip: "172.16.3.1": outside the subnet 172.16.2.0/24; legal: 172.16.2.1..172.16.2.254`},
		{name: "bad: vSwitch gateway is the broadcast address", old: "gateway_ip: 172.16.2.1", new: "gateway_ip: 172.16.2.255",
			want: `r.yaml:25:55: VRouter/vpc-acme.vswitches[1].gateway_ip: "172.16.2.255": the broadcast address of 172.16.2.0/24; legal: 172.16.2.1..172.16.2.254`},
		{name: "bad: gateway without subnet", old: "cidr_block: 172.16.2.0/24, ", new: "",
			want: `r.yaml:25:28: VRouter/vpc-acme.vswitches[1].gateway_ip: "172.16.2.1": there is no cidr_block; legal: cidr_block beside it, or neither`},
		{name: "bad: vSwitch without subnet", old: "{name: web, cidr_block: 172.16.1.0/24,", new: "{name: web,",
			want: `r.yaml:24:6: VRouter/vpc-acme.vswitches[0]: the vSwitch has no subnet; legal: cidr_block, ipv6_cidr_block or both`},
		{name: "bad: device in two vSwitches", old: "ipv6_cidr_block: ", new: "devices: [tap2], ipv6_cidr_block: ",
			want: `r.yaml:25:77: VRouter/vpc-acme.vswitches[1].devices[0]: "tap2": device is already that of VRouter/vpc-acme at r.yaml:24:60; legal: a device in one vSwitch only, that is no port and none of vbrd's`},
		{name: "bad: device is a port", old: "[tap1, tap2]", new: "[tap1, eth1]",
			want: `r.yaml:24:60: VRouter/vpc-acme.vswitches[0].devices[1]: "eth1": device is already that of PhysicalConnection/pc-1 at r.yaml:3:9; legal: a device in one vSwitch only, that is no port and none of vbrd's`},
		{name: "bad: device is a line's, or the kernel's", old: "[tap1, tap2]", new: "[eth1.7.100, eth1.7, lo]",
			want: `r.yaml:24:54: VRouter/vpc-acme.vswitches[0].devices[0]: "eth1.7.100": device is already that of VirtualBorderRouter/vbr-acme at r.yaml:10:10; legal: a device in one vSwitch only, that is no port and none of vbrd's
r.yaml:24:66: VRouter/vpc-acme.vswitches[0].devices[1]: "eth1.7": device is already that of VirtualBorderRouter/vbr-acme at r.yaml:9:16; legal: a device in one vSwitch only, that is no port and none of vbrd's
r.yaml:24:74: VRouter/vpc-acme.vswitches[0].devices[2]: "lo": the kernel keeps this device for itself; legal: a device in one vSwitch only, that is no port and none of vbrd's`},
		{name: "bad: outer VLAN alone", old: "vlan_id: 7\nvlan_id: 100\n", new: "vlan_id: 7\n",
			want: `r.yaml:9:16: VirtualBorderRouter/vbr-acme.outer_vlan_id: 7: there is no vlan_id inside it; legal: a vlan_id of 1..4094 beside it`},
		{name: "bad: QinQ taken", old: "vlan_id: 200", new: "outer_vlan_id: 7\nvlan_id: 100", add: other,
			want: `r.yaml:48:10: VirtualBorderRouter/vbr-two.vlan_id: 100: VLAN in outer VLAN 7 on pc-1 is already that of VirtualBorderRouter/vbr-acme at r.yaml:10:10; legal: a VLAN no other line of the port has`},
		{name: "bad: plain VLAN is an outer one", old: "vlan_id: 200", new: "vlan_id: 7", add: other,
			want: `r.yaml:47:10: VirtualBorderRouter/vbr-two.vlan_id: 7: outer VLAN on pc-1 is already that of VirtualBorderRouter/vbr-acme at r.yaml:9:16; legal: a VLAN that is no line's outer one`},
		{name: "bad: outer VLAN is a plain one", old: "vlan_id: 200", new: "vlan_id: 8\nassociated_physical_connections: [{physical_connection_id: pc-1, outer_vlan_id: 8, vlan_id: 1, local_gateway_ip: 10.0.0.9, peer_gateway_ip: 10.0.0.10, peering_subnet_mask: /30}]", add: other,
			want: `r.yaml:48:81: VirtualBorderRouter/vbr-two.associated_physical_connections[0].outer_vlan_id: 8: VLAN on pc-1 is already that of VirtualBorderRouter/vbr-two at r.yaml:47:10; legal: an outer VLAN that is no line's only one`},
		{name: "OK: inner VLANs apart", old: "vlan_id: 200", new: "outer_vlan_id: 7\nvlan_id: 101", add: other},
		{name: "bad: VLAN of an unconfirmed VBR", old: "vlan_id: 200", new: "confirmed: false\nvlan_id: 200", add: other + strings.Replace(beta, "64600:5002", "64600:5003", 1),
			want: `r.yaml:68:10: VirtualBorderRouter/vbr-beta.vlan_id: 200: VLAN on pc-1 is already that of VirtualBorderRouter/vbr-two at r.yaml:48:10; legal: a VLAN no other line of the port has
r.yaml:77:6: RouterInterface/ri-beta.vni: 5002: VNI is already that of RouterInterface/ri-two at r.yaml:56:6; legal: a VNI of its own`},
		{name: "bad: route to a foreign interface", old: "next_hop_id: ri-vbr,", new: "next_hop_id: ri-vpc,",
			want: `r.yaml:16:127: VirtualBorderRouter/vbr-acme.route_entries[0].next_hop_list[1].next_hop_id: "ri-vpc": RouterInterface/ri-vpc is of another router, vpc-acme; legal: ri-vbr`},
		{name: "bad: route to no interface", old: "next_hop_id: ri-vbr,", new: "next_hop_id: ri-vbx,",
			want: `r.yaml:16:127: VirtualBorderRouter/vbr-acme.route_entries[0].next_hop_list[1].next_hop_id: "ri-vbx": no such RouterInterface of this router; legal: ri-vbr`},
		{name: "bad: route to an address elsewhere", old: "next_hop_id: 10.0.0.2}", new: "next_hop_id: 10.0.9.2}",
			want: `r.yaml:16:102: VirtualBorderRouter/vbr-acme.route_entries[0].next_hop_list[0].next_hop_id: "10.0.9.2": in none of the router's subnets; legal: 10.0.0.1..10.0.0.2`},
		{name: "bad: route to itself", old: "next_hop_id: 10.0.0.2}", new: "next_hop_id: 10.0.0.1}",
			want: `r.yaml:16:102: VirtualBorderRouter/vbr-acme.route_entries[0].next_hop_list[0].next_hop_id: "10.0.0.1": the router's own address; legal: 10.0.0.1..10.0.0.2`},
		{name: "bad: route to the other family", old: "next_hop_id: 10.0.0.2}", new: "next_hop_id: '2001:db8::1'}",
			want: `r.yaml:16:102: VirtualBorderRouter/vbr-acme.route_entries[0].next_hop_list[0].next_hop_id: "2001:db8::1": not of the family of 192.168.0.0/24; legal: an address of the same family`},
		{name: "bad: address as an interface", old: "{next_hop_type: IpAddress, next_hop_id: 10.0.0.2}", new: "{next_hop_id: 10.0.0.2}",
			want: `r.yaml:16:76: VirtualBorderRouter/vbr-acme.route_entries[0].next_hop_list[0].next_hop_id: "10.0.0.2": an address, and next_hop_type is RouterInterface; legal: the name of a router interface, or next_hop_type IpAddress`},
		{name: "bad: interface as an address", old: "{next_hop_id: ri-vpc}", new: "{next_hop_type: IpAddress, next_hop_id: ri-vpc}",
			want: `r.yaml:27:97: VRouter/vpc-acme.route_entries[0].next_hop_list[0].next_hop_id: "ri-vpc": not an address; legal: an IPv4 or IPv6 address, or next_hop_type RouterInterface`},
		{name: "bad: next hop twice", old: "{next_hop_id: ri-vpc}", new: "{next_hop_id: ri-vpc}, {next_hop_id: ri-vpc, weight: 3}",
			want: `r.yaml:27:94: VRouter/vpc-acme.route_entries[0].next_hop_list[1].next_hop_id: "ri-vpc": given twice; legal: each next hop once, with a weight`},
		{name: "bad: route to a System route", old: "destination_cidr_block: 0.0.0.0/0", new: "destination_cidr_block: 172.16.1.0/24",
			want: `r.yaml:27:30: VRouter/vpc-acme.route_entries[0].destination_cidr_block: "172.16.1.0/24": a System route: it is a subnet of the router's own; legal: another destination`},
		{name: "bad: route twice", old: "route_entries:\n  - {destination_cidr_block: 0.0.0.0/0, next_hop_list: [{next_hop_id: ri-vpc}]}", new: "route_entries:\n  - {destination_cidr_block: 0.0.0.0/0, next_hop_list: [{next_hop_id: ri-vpc}]}\n  - {destination_cidr_block: 0.0.0.0/0, priority: 100, next_hop_list: [{next_hop_id: ri-vpc}]}",
			want: `r.yaml:28:30: VRouter/vpc-acme.route_entries[1].destination_cidr_block: "0.0.0.0/0": given twice with priority 100, first as route_entries[0]; legal: one entry for a destination and priority, with several next hops`},
		{name: "bad: BGP network twice", old: "bgp_networks: [172.16.0.0/16]", new: "bgp_networks: [172.16.0.0/16, 10.9.0.0/16, 172.16.0.0/16]",
			want: `r.yaml:14:44: VirtualBorderRouter/vbr-acme.bgp_networks[2]: "172.16.0.0/16": given twice, first as bgp_networks[0]; legal: each prefix once`},
		{name: "bad: VBR's probe goes outside", old: "health_check: {target_ip: 10.0.0.2}", new: "health_check: {target_ip: 10.9.0.2}",
			want: `r.yaml:17:27: VirtualBorderRouter/vbr-acme.health_check.target_ip: "10.9.0.2": outside the router: on none of its lines; legal: 10.0.0.1..10.0.0.2`},
		{name: "bad: probe to itself", old: "health_check: {target_ip: 10.0.0.2}", new: "health_check: {target_ip: 10.0.0.1}",
			want: `r.yaml:17:27: VirtualBorderRouter/vbr-acme.health_check.target_ip: "10.0.0.1": the router's own address; legal: an address that is not the router's`},
		{name: "bad: probe from a foreign address", old: "health_check: {target_ip: 10.0.0.2}", new: "health_check: {source_ip: 10.0.0.2, target_ip: 10.0.0.2}",
			want: `r.yaml:17:27: VirtualBorderRouter/vbr-acme.health_check.source_ip: "10.0.0.2": not an address of the router; legal: 10.0.0.1`},
		{name: "bad: probe of the other family", old: "{target_ip: 172.16.1.253}", new: "{target_ip: 'fd00:1::1'}",
			want: `r.yaml:35:27: RouterInterface/ri-vbr.health_check.target_ip: "fd00:1::1": the router has no address of this family; legal: a target of the family of 10.0.0.1`},
		{name: "bad: probe of mixed families", old: "{target_ip: 172.16.1.253}", new: "{source_ip: 10.0.0.1, target_ip: 'fd00:1::1'}",
			want: `r.yaml:35:27: RouterInterface/ri-vbr.health_check.source_ip: "10.0.0.1": not of the target's family; legal: an address of the family of fd00:1::1`},
		{name: "bad: interface's probe stays inside", old: "{target_ip: 172.16.1.253}", new: "{target_ip: 10.0.0.2}",
			want: `r.yaml:35:27: RouterInterface/ri-vbr.health_check.target_ip: "10.0.0.2": inside the interface's own router: 10.0.0.0/30 is this side's; legal: an address at the other end`},
		{name: "bad: probe without target", old: "{target_ip: 172.16.1.253}", new: "{source_ip: 10.0.0.1}",
			want: `r.yaml:35:16: RouterInterface/ri-vbr.health_check.target_ip: missing; legal: an IPv4 or IPv6 address without zone`},
		{name: "bad: group of one", old: "peer_vbr_id: vbr-two", new: "peer_vbr_id: vbr-acme", add: other,
			want: `r.yaml:62:14: VbrHa/ha-acme.peer_vbr_id: "vbr-acme": the same VBR as vbr_id; legal: another VBR`},
		{name: "bad: group of a VRouter", old: "peer_vbr_id: vbr-two", new: "peer_vbr_id: vpc-acme", add: other,
			want: `r.yaml:62:14: VbrHa/ha-acme.peer_vbr_id: "vpc-acme": no such VirtualBorderRouter; did you mean "vbr-acme"?; legal: vbr-acme, vbr-two`},
		{name: "bad: group of nobody", old: "peer_vbr_id: vbr-two", new: "peer_vbr_id: vbr-tow", add: other,
			want: `r.yaml:62:14: VbrHa/ha-acme.peer_vbr_id: "vbr-tow": no such VirtualBorderRouter; did you mean "vbr-two"?; legal: vbr-acme, vbr-two`},
		{name: "bad: group of two owners", old: "name: vbr-two\nowner: acme", new: "name: vbr-two\nowner: beta", add: other,
			want: `r.yaml:62:14: VbrHa/ha-acme.peer_vbr_id: "vbr-two": VirtualBorderRouter/vbr-two is of owner "beta", the group of "acme"; legal: a VBR of the group's owner`},
		{name: "bad: VBR in two groups", add: other + "kind: VbrHa\nname: ha-2\nowner: acme\nvbr_id: vbr-two\npeer_vbr_id: vbr-acme\n",
			want: `r.yaml:67:9: VbrHa/ha-2.vbr_id: "vbr-two": the VBR is in VbrHa/ha-acme at r.yaml:62:14 already; legal: a VBR that is in no other group
r.yaml:68:14: VbrHa/ha-2.peer_vbr_id: "vbr-acme": the VBR is in VbrHa/ha-acme at r.yaml:61:9 already; legal: a VBR that is in no other group`},
		{name: "bad: group's mode", old: "vbr_id: vbr-acme\n", new: "vbr_id: vbr-acme\nmode: Both\n", add: other,
			want: `r.yaml:62:7: VbrHa/ha-acme.mode: "Both": not a mode; legal: ECMP, ActiveStandby`},
		{name: "bad: termination time", old: "vlan_id: 200", new: "termination_time: yesterday\nvlan_id: 200", add: other,
			want: `r.yaml:47:19: VirtualBorderRouter/vbr-two.termination_time: "yesterday": not a time; legal: as in 2026-01-31T12:00:00Z (RFC 3339, UTC)`},
		{name: "bad: termination time that is none", old: "vlan_id: 200", new: "termination_time: 2026-19-39T29:59:59Z\nvlan_id: 200", add: other,
			want: `r.yaml:47:19: VirtualBorderRouter/vbr-two.termination_time: "2026-19-39T29:59:59Z": not a time; legal: as in 2026-01-31T12:00:00Z (RFC 3339, UTC)`},
		{name: "bad: confirmed", old: "vlan_id: 200", new: "confirmed: maybe\nvlan_id: 200", add: other,
			want: `r.yaml:47:12: VirtualBorderRouter/vbr-two.confirmed: "maybe": not a truth value; legal: true, false`},
	}
}
