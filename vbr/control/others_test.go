package control_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// What belongs to another is to a tenant as what is not there, read by its name and in the list.
func TestOthersAreNotThere(t *testing.T) {
	h := newHost(t, &memory{}, nil)
	h.apply(t, admin, site()+line("vbr-beta", "beta", "pc-1", 200, ""))
	if _, err := h.Get(t.Context(), beta, &vbrv1.GetRequest{Kind: kindVBR, Name: "vbr-beta"}); err != nil {
		t.Error("its own:", err)
	}
	for kind, name := range map[vbrv1.Kind]string{kindVBR: "vbr-acme", kindRI: "ri-acme", kindPort: "pc-1"} {
		_, err := h.Get(t.Context(), beta, &vbrv1.GetRequest{Kind: kind, Name: name})
		wantCode(t, err, codes.NotFound, name+" not found")
		_, none := h.Get(t.Context(), beta, &vbrv1.GetRequest{Kind: kind, Name: "none"})
		if got := strings.ReplaceAll(fmt.Sprint(err), name, "none"); got != fmt.Sprint(none) {
			t.Errorf("%s, and one that is not there: %s, %v", name, got, none)
		}
	}
	if got := h.names(t, beta); got != "vbr-beta" {
		t.Errorf("beta sees %s", got)
	}
}
