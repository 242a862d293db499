package vbr

import (
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// describe fills in what a router interface is and how it stands; r.mu is held.
func (r *router) describe(s *vbrv1.RouterInterfaceStatus, i int) {
	ri := &r.spec.ris[i]
	if ri.remote() {
		s.RouteTarget = ri.target.String()
	}
	s.Owner, s.Role, s.Spec, s.Preference = ri.owner, role(ri), ri.size, ri.preference
	s.OppositeInterfaceId, s.OppositeRegionId = ri.opposite, ri.oppositeRegion
	s.CrossRegion = r.crossRegion(ri)
	s.HealthCheck = r.host.monitor.interfaceHealth(ri)
	s.Status = riIdle.String()
	if x := r.interfaces[ri.name]; x != nil {
		s.Status, s.Reason, s.Since = x.state.String(), x.why, stamp(x.since)
	}
}

// switchStatus needs r.mu.
func (r *router) switchStatus() (out []*vbrv1.VSwitchStatus) {
	for i, w := range r.spec.switches {
		l := r.spec.link.Switches[i]
		s := &vbrv1.VSwitchStatus{Name: w.name, Device: w.device, Addresses: texts(l.Addrs), Members: l.Ports}
		s.Up = i < len(r.state.Switches) && r.state.Switches[i].Up
		out = append(out, s)
	}
	return out
}
