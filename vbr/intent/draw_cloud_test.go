package intent_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
)

// drawCloud draws a legal set of VPCs, a VBR, pairs and a failover group beside the VBRs of drawMessages.
func drawCloud(t *rapid.T) []proto.Message {
	out := []proto.Message{&vbrv1.PhysicalConnection{Name: "pc-2", Device: "eth2"}}
	for i := range 2 {
		out = append(out, drawCloudVBR(t, i))
	}
	n := rapid.IntRange(1, 4).Draw(t, "vpcs")
	for i := range n {
		out = append(out, drawVRouter(t, i))
		if i > 0 {
			out = append(out, drawPair(t, i)...)
		}
	}
	if rapid.Bool().Draw(t, "group") {
		out = append(out, &vbrv1.VbrHa{Name: "ha", VbrId: "line-0", PeerVbrId: "line-1", Description: text.Draw(t, "text"),
			Mode: rapid.SampledFrom([]string{"", "ECMP", "ActiveStandby"}).Draw(t, "mode")})
	}
	return out
}

func drawCloudVBR(t *rapid.T, i int) *vbrv1.VirtualBorderRouter {
	v := &vbrv1.VirtualBorderRouter{Name: fmt.Sprintf("line-%d", i), PhysicalConnectionId: "pc-2", OuterVlanId: rapid.SampledFrom([]uint32{0, 7}).Draw(t, "outer"), VlanId: uint32(8 + i),
		LocalGatewayIp: "10.255.0.1", PeerGatewayIp: "10.255.0.2", PeeringSubnetMask: "/30", Bandwidth: rapid.Uint32Range(0, 400000).Draw(t, "bandwidth"),
		BgpNetworks:     rapid.SampledFrom([][]string{nil, {"10.0.0.0/8", "fd00::/16"}}).Draw(t, "networks"),
		TerminationTime: rapid.SampledFrom([]string{"", "2026-01-31T12:00:00Z"}).Draw(t, "terminated")}
	if rapid.Bool().Draw(t, "another's") {
		v.Confirmed = proto.Bool(rapid.Bool().Draw(t, "confirmed"))
	}
	if rapid.Bool().Draw(t, "check") {
		v.HealthCheck = drawHealthCheck(t, rapid.SampledFrom([]string{"", "10.255.0.1"}).Draw(t, "source"), "10.255.0.2")
	}
	for j := range rapid.IntRange(0, 3).Draw(t, "routes") {
		v.RouteEntries = append(v.RouteEntries, &vbrv1.RouteEntry{DestinationCidrBlock: "192.168.0.0/16", Priority: proto.Uint32(uint32(99 + j)), Description: text.Draw(t, "text"),
			NextHopList: []*vbrv1.RouteNextHop{{NextHopType: "IpAddress", NextHopId: "10.255.0.2", Weight: proto.Uint32(rapid.Uint32Range(1, 255).Draw(t, "weight"))}}})
	}
	return v
}

func drawHealthCheck(t *rapid.T, from, to string) *vbrv1.HealthCheck {
	h := &vbrv1.HealthCheck{SourceIp: from, TargetIp: to, ProbeOnly: rapid.Bool().Draw(t, "only")}
	if rapid.Bool().Draw(t, "rate") {
		h.HcRate, h.HcThreshold = proto.Uint32(rapid.Uint32Range(100, 60000).Draw(t, "rate")), proto.Uint32(rapid.Uint32Range(1, 100).Draw(t, "threshold"))
	}
	return h
}

func drawVRouter(t *rapid.T, i int) *vbrv1.VRouter {
	v := &vbrv1.VRouter{Name: fmt.Sprintf("vpc-%d", i), Description: text.Draw(t, "text"), CidrBlocks: []string{fmt.Sprintf("10.%d.0.0/16", i), fmt.Sprintf("fd00:%d::/48", i)}}
	if rapid.Bool().Draw(t, "table") {
		v.RouteTableId = proto.Uint32(uint32(30000 + i))
	}
	for j := range rapid.IntRange(0, 3).Draw(t, "vSwitches") {
		s := &vbrv1.VSwitch{Name: fmt.Sprintf("vsw-%d", j), CidrBlock: fmt.Sprintf("10.%d.%d.0/24", i, j)}
		if rapid.Bool().Draw(t, "gateway") {
			s.GatewayIp = fmt.Sprintf("10.%d.%d.%d", i, j, rapid.IntRange(1, 254).Draw(t, "gateway"))
		}
		if rapid.Bool().Draw(t, "v6") {
			s.Ipv6CidrBlock, s.Ipv6GatewayIp = fmt.Sprintf("fd00:%d:0:%d::/64", i, j), rapid.SampledFrom([]string{"", fmt.Sprintf("fd00:%d:0:%d::1", i, j), fmt.Sprintf("fd00:%d:0:%d::9", i, j)}).Draw(t, "gateway")
		}
		for k := range rapid.IntRange(0, 2).Draw(t, "devices") {
			s.Devices = append(s.Devices, fmt.Sprintf("tap%d.%d.%d", i, j, k))
		}
		v.Vswitches = append(v.Vswitches, s)
	}
	return v
}

// drawPair joins a VPC to the one before it.
func drawPair(t *rapid.T, i int) []proto.Message {
	a := &vbrv1.RouterInterface{Name: fmt.Sprintf("a-%d", i), RouterId: fmt.Sprintf("vpc-%d", i-1), OppositeInterfaceId: fmt.Sprintf("b-%d", i), OppositeRegionId: rapid.SampledFrom([]string{"", "north"}).Draw(t, "region"),
		OppositeRouterId: rapid.SampledFrom([]string{"", fmt.Sprintf("vpc-%d", i)}).Draw(t, "router"),
		Spec:             rapid.SampledFrom([]string{"", "Mini.2", "Xlarge.1"}).Draw(t, "spec"), Transit: rapid.Bool().Draw(t, "transit"), Deactivated: rapid.Bool().Draw(t, "deactivated")}
	b := &vbrv1.RouterInterface{Name: fmt.Sprintf("b-%d", i), RouterId: fmt.Sprintf("vpc-%d", i), OppositeInterfaceId: a.Name, Role: "AcceptingSide", Spec: rapid.SampledFrom([]string{"", "Negative"}).Draw(t, "spec")}
	if rapid.Bool().Draw(t, "vni") {
		for _, ri := range []*vbrv1.RouterInterface{a, b} {
			ri.Vni, ri.RouteTarget = proto.Uint32(uint32(7000+i)), fmt.Sprintf("64600:%d", 7000+i)
		}
	}
	if rapid.Bool().Draw(t, "owners") {
		a.Owner, a.OppositeInterfaceOwnerId, b.Owner, b.OppositeInterfaceOwnerId = "acme", "beta", "beta", "acme"
	}
	if rapid.Bool().Draw(t, "preference") {
		a.Preference = proto.Uint32(rapid.Uint32Range(1, 100).Draw(t, "preference"))
	}
	return []proto.Message{a, b}
}

// The two ends of a pair may come in either order, and a set of resources is legal in any.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		messages := rapid.Permutation(drawCloud(t)).Draw(t, "order")
		in, problems := intent.New(messages...)
		if problems != nil {
			t.Fatalf("%v\n%s", problems, intent.Marshal(messages...))
		}
		again, problems := intent.New(in.Messages()...)
		if problems != nil || !again.Equal(in) {
			t.Fatalf("%v -want +got %s", problems, cmp.Diff(in, again))
		}
	})
}

// Two resources of any kind differ in no field if and only if they are equal.
func TestCloudDiffIsComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawCloud(t), drawCloud(t)
		for i := range min(len(a), len(b)) {
			if a[i].ProtoReflect().Descriptor() != b[i].ProtoReflect().Descriptor() || name(a[i]) != name(b[i]) {
				continue
			}
			if changes := intent.Diff(a[i], b[i]); (len(changes) == 0) != proto.Equal(a[i], b[i]) {
				t.Fatalf("%v\n%v\ndiffer in %v", a[i], b[i], changes)
			}
		}
	})
}

func name(m proto.Message) string { return m.(vbrv1.Content).GetName() }

// Those who see one end of a pair learn nothing of the other but what its owner lets them know.
func TestPairsTellNothingOfOthers(t *testing.T) {
	const hidden = `kind: VRouter
name: vpc-hidden
owner: acme
cidr_blocks: [172.16.0.0/16]
---
kind: RouterInterface
name: ri-hidden
owner: acme
router_id: vpc-hidden
vni: 7
route_target: '1:7'
opposite_interface_id: ri-beta
opposite_interface_owner_id: OPPOSITE
---
kind: VRouter
name: vpc-beta
owner: beta
cidr_blocks: [172.17.0.0/16]
---
`
	accept := func(fields string) string {
		return "kind: RouterInterface\nname: ri-beta\nowner: beta\nrouter_id: vpc-beta\nrole: AcceptingSide\nopposite_interface_id: ri-hidden\nopposite_interface_owner_id: acme\n" + fields
	}
	const same = "vni: 7\nroute_target: '1:7'\n"
	for _, tt := range []struct{ name, opposite, brings, want string }{
		{"OK: accept", "beta", accept(same), ""},
		{"bad: accept by the wrong owner", "gamma", accept(same), `RouterInterface/ri-beta.opposite_interface_id: "ri-hidden": not an interface that owner "beta" may be joined to; legal: an interface whose opposite_interface_owner_id is the owner of this one`},
		{"bad: other numbers", "beta", accept("vni: 8\nroute_target: '1:8'\n"), `RouterInterface/ri-beta.route_target: not the route target of the other end; legal: the same route target at both ends
RouterInterface/ri-beta.vni: not the VNI of the other end; legal: the same VNI at both ends`},
		{"bad: another router", "beta", accept(same + "opposite_router_id: vpc-x\n"), `RouterInterface/ri-beta.opposite_router_id: "vpc-x": not the router of the other end; legal: the router of ri-hidden, or none given`},
		{"bad: no numbers for a router that is not seen", "gamma", "kind: RouterInterface\nname: ri-b2\nowner: beta\nrouter_id: vpc-beta\nopposite_interface_id: ri-h2\nopposite_router_id: vpc-hidden\nopposite_interface_owner_id: acme\n",
			`RouterInterface/ri-b2.vni: missing; legal: vni and route_target, since the other end is not known to be on this host`},
		{"bad: route to another's interface", "gamma", "kind: VRouter\nname: vpc-b2\nowner: beta\ncidr_blocks: [172.18.0.0/16]\nroute_entries: [{destination_cidr_block: 10.0.0.0/8, next_hop_list: [{next_hop_id: ri-hidden}]}]\n",
			`VRouter/vpc-b2.route_entries[0].next_hop_list[0].next_hop_id: "ri-hidden": no such RouterInterface of this router; legal: a RouterInterface whose router_id is vpc-b2`},
		{"bad: group of another's VBRs", "gamma", "kind: VbrHa\nname: ha-b\nowner: beta\nvbr_id: vpc-hidden\npeer_vbr_id: vbr-x\n", `VbrHa/ha-b.peer_vbr_id: "vbr-x": no such VirtualBorderRouter; legal: the name of a VirtualBorderRouter
VbrHa/ha-b.vbr_id: "vpc-hidden": no such VirtualBorderRouter; legal: the name of a VirtualBorderRouter`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			docs := onHosts(t, strings.Replace(hidden, "OPPOSITE", tt.opposite, 1)+tt.brings)
			docs[len(docs)-1].New = true
			_, problems := intent.Options{Sees: func(owner string) bool { return owner == "beta" }}.Build(docs)
			if diff := cmp.Diff(tt.want, problems.Error()); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
}
