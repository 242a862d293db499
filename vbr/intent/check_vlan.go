package intent

import "fmt"

// tags are what the frames of a line have on its port.
type tags struct {
	port         string
	outer, inner uint16
}

// holds tells whether the router's VLANs are its own: also when it is unconfirmed, and for VLANHold after its termination.
func (c *checker) holds(r *Router) bool {
	return r.Terminated.IsZero() || c.Now.IsZero() || c.Now.Before(r.Terminated.Add(VLANHold))
}

// vlans refuses two lines with the same VLANs on one port, and an outer VLAN that is also a line's only one.
func (c *checker) vlans() {
	lines, outers := map[tags]holder{}, map[tags]holder{}
	for i := range c.in.Routers {
		if r := &c.in.Routers[i]; c.holds(r) {
			for j, l := range r.Links {
				c.vlan(lines, outers, r, l, linkPath(j))
			}
		}
	}
}

func (c *checker) vlan(lines, outers map[tags]holder, r *Router, l Link, path string) {
	inner, outer := join(path, "vlan_id"), join(path, "outer_vlan_id")
	if l.PhysicalConnection == "" || c.bad(r.Origin, r.label(), inner) || c.bad(r.Origin, r.label(), outer) {
		return
	}
	if l.OuterVLAN != 0 && l.VLAN == 0 {
		c.fail(r.Origin, r.label(), outer, fmt.Sprint(l.OuterVLAN), "there is no vlan_id inside it", "a vlan_id of 1..4094 beside it")
		return
	}
	what := "VLAN on " + l.PhysicalConnection
	if l.OuterVLAN != 0 {
		what = fmt.Sprintf("VLAN in outer VLAN %d on %s", l.OuterVLAN, l.PhysicalConnection)
	}
	first, twice := unique(lines, tags{l.PhysicalConnection, l.OuterVLAN, l.VLAN}, c.holder(r.Origin, r.label(), r.Owner, inner))
	switch outermost := (tags{l.PhysicalConnection, 0, l.OuterVLAN}); {
	case twice:
		c.fail(r.Origin, r.label(), inner, fmt.Sprint(l.VLAN), first.taken(what), "a VLAN no other line of the port has")
	case l.OuterVLAN == 0 && l.VLAN != 0:
		if first, twice := outers[tags{l.PhysicalConnection, 0, l.VLAN}]; twice {
			c.fail(r.Origin, r.label(), inner, fmt.Sprint(l.VLAN), first.taken("outer VLAN on "+l.PhysicalConnection), "a VLAN that is no line's outer one")
		}
	case l.OuterVLAN != 0:
		if first, twice := lines[outermost]; twice {
			c.fail(r.Origin, r.label(), outer, fmt.Sprint(l.OuterVLAN), first.taken("VLAN on "+l.PhysicalConnection), "an outer VLAN that is no line's only one")
			return
		}
		unique(outers, outermost, c.holder(r.Origin, r.label(), r.Owner, outer))
	}
}
