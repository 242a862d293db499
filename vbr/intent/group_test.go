package intent_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/vbr/intent"
)

// The other member of a failover group is an alternative for a router interface by those of its own that lead to the same router, and shows
// what it tells one of its own host's by whatever else it tells. The part of a host keeps what the whole knew.
func TestAlternatives(t *testing.T) {
	in := &intent.Intent{
		Routers: []intent.Router{{Name: "vbr-1", Host: "edge1"}, {Name: "vbr-2", Host: "edge2"}, {Name: "vpc-a", Host: "gw"}, {Name: "vpc-ops", Host: "edge1"}},
		RouterInterfaces: []intent.RouterInterface{
			{Name: "ri-1-a", Router: "vbr-1", RouteTarget: "1:1", Opposite: "ri-a-1", OppositeRouter: "vpc-a"},
			{Name: "ri-1-ops", Router: "vbr-1", Opposite: "ri-ops-1"},
			{Name: "ri-1-frr", Router: "vbr-1", RouteTarget: "1:3"},
			{Name: "ri-1-shop", Router: "vbr-1", RouteTarget: "1:4", Opposite: "ri-shop-1", OppositeRouter: "vpc-shop"},
			{Name: "ri-2-a", Router: "vbr-2", RouteTarget: "2:1", Opposite: "ri-a-2"},
			{Name: "ri-2-ops", Router: "vbr-2", RouteTarget: "2:2", Opposite: "ri-ops-2", OppositeRouter: "vpc-ops"},
			{Name: "ri-2-frr", Router: "vbr-2", RouteTarget: "2:3"},
			{Name: "ri-a-2", Router: "vpc-a", RouteTarget: "2:1", Opposite: "ri-2-a"},
			{Name: "ri-ops-1", Router: "vpc-ops", Opposite: "ri-1-ops"},
		},
		Groups: []intent.Group{{Name: "ha", VBR: "vbr-1", Peer: "vbr-2"}},
	}
	want := map[string][]string{
		"ri-1-a": {"2:1"}, "ri-1-ops": {"2:2"}, "ri-1-frr": {"2:3"},
		"ri-2-a": {"1:1"}, "ri-2-ops": {"1:1", "1:3", "1:4"}, "ri-2-frr": {"1:3"},
	}
	for _, host := range []string{"edge1", "edge2"} {
		if diff := cmp.Diff(want, in.On(host).On(host).Groups[0].Alternatives); diff != "" {
			t.Errorf("%s (-want +got):\n%s", host, diff)
		}
	}
	if n := len(in.On("gw").Groups); n != 0 {
		t.Errorf("gw has %d groups", n)
	}
}
