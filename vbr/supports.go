package vbr

import (
	"errors"

	"github.com/openvbr/openvbr/vbr/intent"
)

// Supports asks the kernel for each kind of device that the intent needs, and says what it lacks.
func (h *Host) Supports(in *intent.Intent) error {
	need := make(map[string]bool)
	for _, r := range in.Routers {
		need["vrf"] = need["vrf"] || !r.DefaultVRF
		for _, l := range r.Links {
			need["vlan"] = need["vlan"] || l.VLAN != 0
		}
		need["bridge"] = need["bridge"] || len(r.Switches) > 0
	}
	for _, ri := range in.RouterInterfaces {
		need["vxlan"] = need["vxlan"] || ri.VNI != 0
		need["veth"] = need["veth"] || ri.Opposite != "" && in.Interface(ri.Opposite) != nil
	}
	var errs []error
	for _, kind := range []string{"vrf", "vlan", "vxlan", "bridge", "veth"} {
		if need[kind] {
			errs = append(errs, h.links.Supports(kind))
		}
	}
	return errors.Join(errs...)
}
