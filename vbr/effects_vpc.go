package vbr

import (
	"fmt"
	"strings"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func (x *effects) interfaces(d delta) {
	for _, c := range d.risGone {
		routes := x.live.through(c.name)
		why := "is deleted"
		if c.why != "" {
			why = "is made again: " + c.why
		}
		x.add(vbrv1.Effect_TYPE_ROUTER_INTERFACE_DELETED, c.name, routes > 0, routes, "router interface %s %s%s", c.name, why, leaving(routes))
	}
	for _, c := range d.risNew {
		x.add(vbrv1.Effect_TYPE_ROUTER_INTERFACE_CREATED, c.name, false, 0, "router interface %s is created%s", c.name, reach(&c.riSpec))
	}
	for _, c := range d.risRetold {
		x.add(vbrv1.Effect_TYPE_ROUTER_INTERFACE_CHANGED, c.name, false, 0, "router interface %s stays, and what is told through it, or by others because of it, changes: %s", c.name, c.why)
	}
	for _, c := range d.risChanged {
		x.interfaceChanged(c)
	}
}

// interfaceChanged is what follows from a change of a router interface that stays.
func (x *effects) interfaceChanged(c riChange) {
	text, routes, far := fmt.Sprintf("router interface %s stays: %s", c.name, c.why), 0, 0
	if c.stops {
		routes, far = x.live.through(c.name), x.live.beyond(&c.riSpec)
		text += "; no route passes it any more" + leaving(routes)
		if far > 0 {
			text += fmt.Sprintf("; at its other end, %s of %s, %s", c.opposite, c.cable.router, leave(far, "route too", "routes too"))
		}
	}
	if c.starts {
		text += "; routes pass it again as soon as its other end agrees"
	}
	if c.slower {
		text += fmt.Sprintf("; what exceeds %s either way is dropped", mbits(c.rate()))
	}
	x.add(vbrv1.Effect_TYPE_ROUTER_INTERFACE_CHANGED, c.name, routes+far > 0 || c.slower, routes, "%s", text)
}

// reach says how a router interface reaches its other end.
func reach(ri *riSpec) string {
	switch {
	case ri.local():
		return fmt.Sprintf(", paired with %s of router %s on this host", ri.opposite, ri.cable.farRouter())
	case ri.remote() && ri.paired():
		return fmt.Sprintf(" with VNI %d and route target %s, paired with %s", ri.vni, ri.target, ri.opposite)
	case ri.remote():
		return fmt.Sprintf(" with VNI %d and route target %s", ri.vni, ri.target)
	}
	return fmt.Sprintf(", and waits for %s", orNone(ri.opposite))
}

// vpc is what a VRouter's own changes are, and the small ones of all routers.
func (x *effects) vpc(d delta) {
	for _, w := range d.switchesGone {
		text := fmt.Sprintf("vSwitch %s (%s) is deleted", w.name, list(w.subnets))
		if len(w.cut) > 0 {
			text += ": " + strings.Join(w.cut, ", ") + " cut off"
		}
		x.add(vbrv1.Effect_TYPE_V_SWITCH_DELETED, w.name, len(w.cut) > 0, 0, "%s", text)
	}
	for _, w := range d.switchesNew {
		x.add(vbrv1.Effect_TYPE_V_SWITCH_CREATED, w.name, false, 0, "vSwitch %s (%s) is created with %s", w.name, list(w.subnets), w.why)
	}
	for _, w := range d.switchesMoved {
		x.add(vbrv1.Effect_TYPE_V_SWITCH_CHANGED, w.name, w.moved || len(w.cut) > 0, 0, "vSwitch %s stays: %s", w.name, w.why)
	}
	for _, c := range d.rates {
		text := fmt.Sprintf("line %s stays: %s", c.device, c.why)
		if c.slower {
			text += "; what exceeds it either way is dropped"
		}
		x.add(vbrv1.Effect_TYPE_LINE_CHANGED, c.device, c.slower, 0, "%s", text)
	}
	for _, text := range d.others {
		x.add(vbrv1.Effect_TYPE_ROUTER_CHANGED, x.router, false, 0, "router %s stays: %s", x.router, text)
	}
}
