package api

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Of a router that is one's own, an interface that is another's is not there: neither its usage nor its quality.
func TestMeasuredOfGuests(t *testing.T) {
	w := start(t, options{})
	w.host.guest = "beta"
	for who, want := range map[string]int{"noc": 4, "spiffe://example.net/acme": 1} {
		usages, n := routers(w.as(who)), 0
		stream, err := usages.ListUsage(ask(t), &vbrv1.ListUsageRequest{})
		for err == nil {
			var m *vbrv1.ListUsageResponse
			if m, err = stream.Recv(); err == nil {
				n += len(m.GetUsages())
			}
		}
		if n != want {
			t.Errorf("%s: usage of %d interfaces, want %d", who, n, want)
		}
	}
	if _, err := routers(w.as("noc")).GetQuality(ask(t), &vbrv1.GetQualityRequest{RouterInterface: "ri-guest"}); err != nil {
		t.Error(err)
	}
	if _, err := routers(w.as("spiffe://example.net/acme")).GetQuality(ask(t), &vbrv1.GetQualityRequest{RouterInterface: "ri-guest"}); status.Code(err) != codes.NotFound {
		t.Error("quality of another's:", err)
	}
}
