package intent_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
)

// text draws a label with everything that YAML might take amiss.
var text = rapid.StringMatching(`([ -~äß]{0,20})|'|"|: |# |- a|\[|\{|no|null|007|1e3|~|\*a|&a|!x|%|@`)

// drawMessages draws a legal set of resources.
func drawMessages(t *rapid.T) []proto.Message {
	out := []proto.Message{&vbrv1.PhysicalConnection{Name: "pc-1", Device: "eth1", Owner: text.Draw(t, "owner"), Description: text.Draw(t, "description")}}
	n := rapid.IntRange(0, 4).Draw(t, "routers")
	for i := range n {
		v := &vbrv1.VirtualBorderRouter{Name: fmt.Sprintf("vbr-%d", i), PhysicalConnectionId: "pc-1", Owner: text.Draw(t, "owner")}
		drawLine(t, v, i)
		if rapid.Bool().Draw(t, "asn") {
			v.LocalAsn = proto.Uint32(rapid.SampledFrom([]uint32{45104, 64512, 65534, 4200000000}).Draw(t, "local"))
		}
		if rapid.Bool().Draw(t, "table") {
			v.RouteTableId = proto.Uint32(uint32(20000 + i))
		}
		if rapid.Bool().Draw(t, "second line") {
			v.AssociatedPhysicalConnections = []*vbrv1.AssociatedPhysicalConnection{{PhysicalConnectionId: "pc-1", VlanId: uint32(1000 + i),
				LocalGatewayIp: "10.9.0.1", PeerGatewayIp: "10.9.0.2", PeeringSubnetMask: "/30"}}
		}
		out = append(out, v)
		if rapid.Bool().Draw(t, "interface") {
			out = append(out, &vbrv1.RouterInterface{Name: v.Name, RouterId: v.Name, Vni: proto.Uint32(uint32(5000 + i)), RouteTarget: fmt.Sprintf("64600:%d", i)})
		}
	}
	return out
}

func drawLine(t *rapid.T, v *vbrv1.VirtualBorderRouter, i int) {
	v.VlanId = uint32(100 + i)
	bits := rapid.IntRange(24, 31).Draw(t, "mask")
	v.LocalGatewayIp, v.PeerGatewayIp, v.PeeringSubnetMask = "10.0.0.1", "10.0.0.2", fmt.Sprintf("/%d", bits)
	if bits == 31 {
		v.LocalGatewayIp = "10.0.0.3"
	}
	if rapid.Bool().Draw(t, "v6") {
		v.LocalIpv6GatewayIp, v.PeerIpv6GatewayIp = "fd00::1", "fd00::2"
		v.PeeringIpv6SubnetMask = fmt.Sprintf("/%d", rapid.IntRange(64, 126).Draw(t, "mask6"))
	}
	if rapid.Bool().Draw(t, "peer") {
		p := &vbrv1.BgpPeer{PeerIpAddress: v.PeerGatewayIp, PeerAsn: proto.Uint32(65001)}
		drawRules(t, v, p)
		if rapid.Bool().Draw(t, "timers") {
			p.Hold = proto.Uint32(rapid.Uint32Range(3, 65535).Draw(t, "hold"))
			p.Keepalive = proto.Uint32(rapid.Uint32Range(1, *p.Hold-1).Draw(t, "keepalive"))
			p.ConnectRetry = proto.Uint32(rapid.Uint32Range(1, 3600).Draw(t, "retry"))
			p.AuthKeyFile = "/etc/vbrd/keys/" + text.Draw(t, "file")
		}
		drawBFD(t, v, p)
		v.BgpPeers = append(v.BgpPeers, p)
	}
}

func drawBFD(t *rapid.T, v *vbrv1.VirtualBorderRouter, p *vbrv1.BgpPeer) {
	p.EnableBfd = rapid.Bool().Draw(t, "bfd")
	p.BfdStrict = p.EnableBfd && rapid.Bool().Draw(t, "strict")
	if p.AuthKeyFile == "" && rapid.Bool().Draw(t, "credential") {
		p.KeyCredential = "acme.key"
	}
	if rapid.Bool().Draw(t, "long-lived") {
		p.LongLivedStaleTime = proto.Uint32(rapid.Uint32Range(0, 1<<24-1).Draw(t, "stale time"))
	}
	if rapid.Bool().Draw(t, "ttl security is given") {
		p.TtlSecurity = proto.Bool(rapid.Bool().Draw(t, "ttl security"))
	}
	if rapid.Bool().Draw(t, "intervals") {
		v.MinTxInterval = proto.Uint32(rapid.Uint32Range(50, 299).Draw(t, "tx"))
		v.MinRxInterval = proto.Uint32(rapid.Uint32Range(301, 1000).Draw(t, "rx"))
		v.DetectMultiplier = proto.Uint32(rapid.Uint32Range(4, 10).Draw(t, "multiplier"))
	}
}

// TestMarshalRoundTrip: what is written reads back the same, as messages and as an Intent.
func TestMarshalRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		messages := append(drawMessages(t), drawCloud(t)...)
		yaml := intent.Marshal(messages...)
		docs, problems := intent.Parse("f", yaml)
		if problems != nil {
			t.Fatalf("%v\n%s", problems, yaml)
		}
		var back []proto.Message
		for _, d := range docs {
			back = append(back, d.Message)
		}
		if diff := cmp.Diff(messages, back, protocmp.Transform()); diff != "" {
			t.Fatalf("-want +got %s\n%s", diff, yaml)
		}
		in, problems := intent.Build(docs)
		if problems != nil {
			t.Fatalf("%v\n%s", problems, yaml)
		}
		again, problems := intent.New(in.Messages()...)
		if diff := cmp.Diff(in, again); diff != "" || problems != nil {
			t.Fatalf("%v -want +got %s", problems, diff)
		}
		canonical := intent.Marshal(in.Messages()...)
		docs, _ = intent.Parse("f", canonical)
		if in, _ = intent.Build(docs); in == nil || string(intent.Marshal(in.Messages()...)) != string(canonical) {
			t.Fatalf("not stable\n%s", canonical)
		}
	})
}

// TestHostRange: the host range that errors show is the set of addresses that are accepted.
func TestHostRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(24, 31).Draw(t, "bits")
		host := rapid.Uint8().Draw(t, "host")
		peer := netip.AddrFrom4([4]byte{10, 0, 0, host})
		subnet := netip.PrefixFrom(netip.MustParseAddr("10.0.0.1"), bits).Masked()
		size := 1 << (32 - bits)
		want := subnet.Contains(peer) && host != 1 && (bits == 31 || host != 0 && int(host) != size-1)
		_, problems := intent.New(&vbrv1.PhysicalConnection{Name: "pc", Device: "e"}, &vbrv1.VirtualBorderRouter{Name: "vbr", PhysicalConnectionId: "pc", VlanId: 1,
			LocalGatewayIp: "10.0.0.1", PeerGatewayIp: peer.String(), PeeringSubnetMask: fmt.Sprint(bits)})
		if (problems == nil) != want {
			t.Fatalf("10.0.0.1/%d and %v: %v", bits, peer, problems)
		}
	})
}

func TestNewNamesFields(t *testing.T) {
	_, problems := intent.New(&vbrv1.VirtualBorderRouter{Name: "vbr-x", PhysicalConnectionId: "pc", VlanId: 5000, LocalGatewayIp: "nope",
		BgpPeers: []*vbrv1.BgpPeer{{PeerIpAddress: "10.0.0.2", AuthKeyFile: "s3cr3t-k3y"}}}, &vbrv1.RouterInterface{Name: "ri", RouterId: "vbr-x", Vni: proto.Uint32(1), RouteTarget: "70000:70000"})
	want := `RouterInterface/ri.route_target: "70000:70000": not a route target; legal: 0..65535:0..4294967295, 65536..4294967295:0..65535 or IPV4:0..65535
VirtualBorderRouter/vbr-x.bgp_peers[0].auth_key_file: not an absolute path; legal: the path of a file that holds the key, such as /etc/vbrd/keys/acme/bgp
VirtualBorderRouter/vbr-x.bgp_peers[0].peer_asn: missing; legal: 1..4294967294 except 23456 and 65535
VirtualBorderRouter/vbr-x.local_gateway_ip: "nope": not an IPv4 address; legal: four decimal numbers such as 10.0.0.1
VirtualBorderRouter/vbr-x.peer_gateway_ip: missing; legal: local_gateway_ip, peer_gateway_ip and peering_subnet_mask together, or none of them
VirtualBorderRouter/vbr-x.peering_subnet_mask: missing; legal: local_gateway_ip, peer_gateway_ip and peering_subnet_mask together, or none of them
VirtualBorderRouter/vbr-x.physical_connection_id: "pc": no such PhysicalConnection; legal: the name of a PhysicalConnection
VirtualBorderRouter/vbr-x.vlan_id: 5000: out of range; legal: 0..4094, 0 = untagged`
	if diff := cmp.Diff(want, problems.Error()); diff != "" {
		t.Error("-want +got", diff)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(base)
	f.Add(beta)
	f.Add(cloud + other + vpcTwo)
	for _, c := range badCases() {
		f.Add(c.new + c.add)
	}
	f.Fuzz(func(t *testing.T, text string) {
		docs, problems := intent.Parse("f", []byte(text))
		in, more := intent.Build(docs)
		_, _ = problems.Error(), more.Error()
		if in == nil || problems != nil {
			return
		}
		again, more := intent.New(in.Messages()...)
		if again == nil || !again.Equal(in) {
			t.Errorf("%v\n%s", more, intent.Marshal(in.Messages()...))
		}
	})
}
