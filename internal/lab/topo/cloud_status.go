package topo

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Decode runs vbrctl, as the host's administrator, for one message as JSON.
func (h *Host) Decode(into proto.Message, args ...string) error {
	out, err := h.Ctl(append(args, "-o", "json")...)
	if err != nil {
		return err
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(out), into); err != nil {
		return fmt.Errorf("vbrctl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// Router is a router's status.
func (h *Host) Router(name string) (*vbrv1.RouterStatus, error) {
	r := new(vbrv1.RouterStatus)
	return r, h.Decode(r, "show", "router", name)
}

// InterfaceIs is nil when a router interface is in a state; the error tells which it is in, and why.
func (h *Host) InterfaceIs(router, ri, want string) error {
	r, err := h.Router(router)
	if err != nil {
		return err
	}
	for _, i := range r.GetRouterInterfaces() {
		switch {
		case i.GetName() != ri:
		case i.GetStatus() != want:
			return fmt.Errorf("%s is %s (%s), not %s", ri, i.GetStatus(), i.GetReason(), want)
		default:
			return nil
		}
	}
	return fmt.Errorf("%s has no router interface %s", router, ri)
}

// Hops is nil when a router's kernel table leads to prefix by so many next hops.
func (h *Host) Hops(router, prefix string, want int) error {
	r, err := h.Router(router)
	if err != nil {
		return err
	}
	hops, err := h.NS.NextHops(prefix, "vrf "+r.GetVrf())
	if err == nil && len(hops) != want {
		err = fmt.Errorf("%s of %s leads by %q, not by %d next hops", prefix, router, hops, want)
	}
	return err
}
