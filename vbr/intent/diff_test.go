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

func peer(address string, hold uint32) *vbrv1.BgpPeer {
	return &vbrv1.BgpPeer{PeerIpAddress: address, PeerAsn: proto.Uint32(65001), Hold: proto.Uint32(hold)}
}

func TestDiff(t *testing.T) {
	vbr := func(description string, peers ...*vbrv1.BgpPeer) *vbrv1.VirtualBorderRouter {
		return &vbrv1.VirtualBorderRouter{Name: "vbr-acme", Description: description, BgpPeers: peers}
	}
	for _, tt := range []struct {
		name          string
		before, after proto.Message
		want          string
	}{
		{"nothing", nil, nil, ""},
		{"the same", vbr("a", peer("10.0.0.2", 30)), vbr("a", peer("10.0.0.2", 30)), ""},
		{"created", nil, &vbrv1.PhysicalConnection{Name: "pc-1", Device: "eth1", Owner: "Acme & Co"}, "owner:  -> 'Acme & Co'\ndevice:  -> eth1\n"},
		{"deleted", &vbrv1.RouterInterface{Name: "ri-1", Vni: proto.Uint32(7)}, nil, "vni: 7 -> \n"},
		{"changed", vbr("a", peer("10.0.0.2", 30)), vbr("", peer("10.0.0.2", 0)), "description: a -> \nbgp_peers[0].hold: 30 -> 0\n"},
		{"first peer deleted", vbr("", peer("10.0.0.2", 30), peer("10.0.0.6", 30)), vbr("", peer("10.0.0.6", 9)),
			"bgp_peers[0].hold: 30 -> 9\nbgp_peers[0].peer_ip_address: '10.0.0.2' -> \nbgp_peers[0].peer_asn: 65001 -> \nbgp_peers[0].hold: 30 -> \n"},
		{"peers swapped", vbr("", peer("10.0.0.2", 30), peer("10.0.0.6", 30)), vbr("", peer("10.0.0.6", 30), peer("10.0.0.2", 30)),
			"bgp_peers: [10.0.0.2, 10.0.0.6] -> [10.0.0.6, 10.0.0.2]\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got strings.Builder
			for _, c := range intent.Diff(tt.before, tt.after) {
				fmt.Fprintf(&got, "%s: %s -> %s\n", c.Path, c.Before, c.After)
			}
			if diff := cmp.Diff(tt.want, got.String()); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
}

// Two resources differ in no field if and only if they are equal.
func TestDiffIsComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) *vbrv1.VirtualBorderRouter {
			m := &vbrv1.VirtualBorderRouter{Name: "vbr-acme", VlanId: rapid.Uint32Range(0, 2).Draw(t, label)}
			if rapid.Bool().Draw(t, label) {
				m.LocalAsn = proto.Uint32(rapid.Uint32Range(0, 1).Draw(t, label))
			}
			for range rapid.IntRange(0, 3).Draw(t, label) {
				m.BgpPeers = append(m.BgpPeers, peer(rapid.SampledFrom([]string{"10.0.0.2", "10.0.0.6", "10.0.0.10"}).Draw(t, label), rapid.Uint32Range(3, 4).Draw(t, label)))
			}
			return m
		}
		a, b := draw("a"), draw("b")
		if changes := intent.Diff(a, b); (len(changes) == 0) != proto.Equal(a, b) {
			t.Fatalf("%v\n%v\ndiffer in %v", a, b, changes)
		}
	})
}
