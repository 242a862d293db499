package intent

import "github.com/openvbr/openvbr/vbr/intent/source"

// routerHealth checks the health checks of a router and of its interfaces.
func (c *checker) routerHealth(r *Router) {
	if c.lineUnclear(r) {
		return
	}
	if r.Health != nil {
		c.probe(r, r.Health, r.Origin, r.label())
		if t := r.Health.Target; t.IsValid() && !c.bad(r.Origin, r.label(), "health_check.target_ip") {
			if _, ok := r.in(t); !ok && r.reach() != "" {
				c.fail(r.Origin, r.label(), "health_check.target_ip", source.Quote(t.String()), "outside the router: on none of its lines", r.reach())
			}
		}
	}
}

// interfaceHealth checks the probes through a router interface: what they are for is beyond it.
func (c *checker) interfaceHealth(ri *RouterInterface, r *Router) {
	if ri.Health == nil || c.lineUnclear(r) {
		return
	}
	c.probe(r, ri.Health, ri.Origin, ri.label())
	t := ri.Health.Target
	if !t.IsValid() || c.bad(ri.Origin, ri.label(), "health_check.target_ip") {
		return
	}
	for _, p := range r.prefixes() {
		if p.Contains(t) {
			c.fail(ri.Origin, ri.label(), "health_check.target_ip", source.Quote(t.String()), "inside the interface's own router: "+p.String()+" is this side's", "an address at the other end")
			return
		}
	}
}

// probe checks where probes come from, and that they go elsewhere.
func (c *checker) probe(r *Router, h *HealthCheck, o *Origin, label string) {
	const from, target = "health_check.source_ip", "health_check.target_ip"
	switch {
	case h.Target.IsValid() && r.owns(h.Target):
		c.fail(o, label, target, source.Quote(h.Target.String()), "the router's own address", "an address that is not the router's")
	case h.Source.IsValid() && !r.owns(h.Source) && !c.bad(o, label, from):
		c.fail(o, label, from, source.Quote(h.Source.String()), "not an address of the router", r.addresses())
	case !h.Source.IsValid() && h.Target.IsValid() && !r.has(h.Target.Is4()) && r.addresses() != "":
		c.fail(o, label, target, source.Quote(h.Target.String()), "the router has no address of this family", "a target of the family of "+r.addresses())
	}
}

// addresses renders the router's own.
func (r *Router) addresses() string {
	text := ""
	for i, n := range r.subnets() {
		if i > 0 {
			text += ", "
		}
		text += n.own.String()
	}
	return text
}

// has tells whether the router has an address of a family.
func (r *Router) has(ipv4 bool) bool {
	for _, n := range r.subnets() {
		if n.own.Is4() == ipv4 {
			return true
		}
	}
	return false
}
