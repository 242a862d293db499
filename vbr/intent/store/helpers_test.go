package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// revision n has so many resources as a tenant would write them, each with its own addresses.
func revision(n uint64, resources int) *vbrv1.StoredRevision {
	r := &vbrv1.StoredRevision{Revision: &vbrv1.Revision{
		Number: n, CreateTime: timestamppb.New(time.Unix(1767323045, int64(n))), Author: "uid:0(root)",
		Comment: fmt.Sprint("change ", n), Resources: uint32(resources),
	}}
	for i := range resources {
		r.Resources = append(r.Resources, &vbrv1.Resource{
			Metadata: &vbrv1.Metadata{Generation: n, Source: "store", Revision: n, CreateTime: r.Revision.CreateTime},
			Resource: &vbrv1.Resource_VirtualBorderRouter{VirtualBorderRouter: testRouter(n, i)},
		})
	}
	return r
}

func mustAppend(t *testing.T, s Store, r *vbrv1.StoredRevision) {
	t.Helper()
	if err := s.Append(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func diff(t *testing.T, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
		t.Errorf("-want +got %s", d)
	}
}

func poked(t *testing.T, c <-chan struct{}, by string) {
	t.Helper()
	select {
	case _, open := <-c:
		if !open {
			t.Fatal("closed before its context has ended")
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("not poked after %s", by)
	}
}

func drain(c <-chan struct{}) {
	for {
		select {
		case <-c:
		case <-time.After(200 * time.Millisecond): // a late one
			return
		}
	}
}

func closed(t *testing.T, c <-chan struct{}) {
	t.Helper()
	for range 3 { // one poke may be in it
		select {
		case _, open := <-c:
			if !open {
				return
			}
		case <-time.After(5 * time.Second):
			t.Fatal("not closed after its context has ended")
		}
	}
}

func testRouter(n uint64, i int) *vbrv1.VirtualBorderRouter {
	return &vbrv1.VirtualBorderRouter{
		Name: fmt.Sprintf("vbr-customer-%05d", i), Owner: fmt.Sprint("tenant ", i%97), Host: "edge1",
		Description:          fmt.Sprintf("leased line %d, changed %d times", i*7919, n),
		PhysicalConnectionId: "pc-port1", VlanId: uint32(i%4094 + 1),
		LocalGatewayIp: fmt.Sprintf("10.%d.%d.1", i>>8&255, i&255), PeerGatewayIp: fmt.Sprintf("10.%d.%d.2", i>>8&255, i&255),
		PeeringSubnetMask: "255.255.255.252",
		LocalAsn:          proto.Uint32(64600),
		BgpPeers: []*vbrv1.BgpPeer{{
			PeerIpAddress: fmt.Sprintf("10.%d.%d.2", i>>8&255, i&255), PeerAsn: proto.Uint32(uint32(64700 + i)),
			AuthKeyFile: fmt.Sprintf("/etc/vbrd/keys/customer-%d", i),
		}},
	}
}
