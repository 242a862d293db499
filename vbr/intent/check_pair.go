package intent

import (
	"fmt"
	"net/netip"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// opposite returns the interface at the other end, if there is one that names this one back.
func (c *checker) opposite(ri *RouterInterface) *RouterInterface {
	if o := c.found.iface[ri.Opposite]; ri.Opposite != "" && o != nil && o != ri && o.Opposite == ri.Name {
		return o
	}
	return nil
}

// ofPair tells whether the holder is the other end of the pair that the interface is of.
func (c *checker) ofPair(ri *RouterInterface, h holder) bool {
	o := c.opposite(ri)
	return o != nil && o.label() == h.label
}

// cabled tells whether both ends of a pair are on one host.
func (c *checker) cabled(ri *RouterInterface) bool {
	o := c.opposite(ri)
	return o != nil && c.hostOf(o) == c.hostOf(ri)
}

// pairs checks router interfaces beside their opposites. What is wrong with a pair is told once: at the later end.
func (c *checker) pairs() {
	joined := map[[2]string]*RouterInterface{}
	for i := range c.in.RouterInterfaces {
		ri := &c.in.RouterInterfaces[i]
		c.segment(ri)
		if ri.Opposite == "" || c.itself(ri) {
			continue
		}
		o := c.opposite(ri)
		later := o != nil && c.found.order[o] < i
		if later && c.agreed(ri, o) {
			c.ends(ri, o)
			c.apart(ri, o)
		}
		c.second(joined, ri, o)
	}
}

// segment checks that vni and route_target are given where they are needed.
func (c *checker) segment(ri *RouterInterface) {
	switch legal := "vni and route_target together, or neither between two routers of one host"; {
	case ri.Opposite == "":
		c.missing(ri, ri.VNI == 0, "vni", "")
		c.missing(ri, ri.RouteTarget == "", "route_target", "")
	case ri.VNI != 0 || ri.RouteTarget != "":
		c.missing(ri, ri.VNI == 0, "vni", legal)
		c.missing(ri, ri.RouteTarget == "", "route_target", legal)
	case !c.incomplete:
		host, known := c.farHost(ri)
		c.missing(ri, !known && c.brought[ri.label()], "vni", "vni and route_target, since the other end is not known to be on this host")
		c.missing(ri, known && host != c.hostOf(ri), "vni", "vni and route_target, since the other end is on another host")
	}
}

// missing says that a field is; no legal text: that of the field's rule.
func (c *checker) missing(ri *RouterInterface, is bool, field, legal string) {
	if !is || c.bad(ri.Origin, ri.label(), field) {
		return
	}
	if legal == "" {
		_, legal = ruleText(ri.message().ProtoReflect().Descriptor().Fields().ByTextName(field))
	}
	c.fail(ri.Origin, ri.label(), field, "", "missing", legal)
}

// farHost is where the other end of a pair is, if that is known: by its interface, or else, of one that is brought, by its router. Whoever
// does not see the other end knows of it when it names them. Once there, a name alone keeps nobody from moving the router.
func (c *checker) farHost(ri *RouterInterface) (host string, known bool) {
	if o := c.opposite(ri); o != nil && (!c.strange(ri.label(), o.Owner) || o.OppositeOwner == ri.Owner) {
		return c.hostOf(o), true
	}
	r := c.found.router[ri.OppositeRouter]
	if r == nil || !c.brought[ri.label()] || c.strange(ri.label(), r.Owner) {
		return "", false
	}
	return c.host(r.Host), true
}

// itself refuses a pair that is no pair: an interface with itself, or two of one router.
func (c *checker) itself(ri *RouterInterface) bool {
	o := c.found.iface[ri.Opposite]
	switch {
	case ri.Opposite == ri.Name:
		c.fail(ri.Origin, ri.label(), "opposite_interface_id", source.Quote(ri.Opposite), "the interface itself", "an interface of another router")
	case ri.OppositeRouter == ri.Router && ri.Router != "":
		c.fail(ri.Origin, ri.label(), "opposite_router_id", source.Quote(ri.OppositeRouter), "the router itself", "another router")
	case o != nil && o.Router == ri.Router && ri.Router != "" && !c.strange(ri.label(), o.Owner):
		c.fail(ri.Origin, ri.label(), "opposite_interface_id", source.Quote(ri.Opposite), o.label()+" is of the same router, "+ri.Router, "an interface of another router")
	default:
		return false
	}
	return true
}

// agreed checks that each end is the one whose owner the other names. The problem is the accepting end's, unless only the other is new.
func (c *checker) agreed(ri, o *RouterInterface) bool {
	if ri.OppositeOwner == o.Owner && o.OppositeOwner == ri.Owner {
		return true
	}
	at, other := ri, o
	if o.Accepting && !ri.Accepting && (c.Sees == nil || c.brought[o.label()]) {
		at, other = o, ri
	}
	if other.OppositeOwner != at.Owner {
		c.fail(at.Origin, at.label(), "opposite_interface_id", source.Quote(at.Opposite), fmt.Sprintf("not an interface that owner %s may be joined to", source.Quote(at.Owner)),
			"an interface whose opposite_interface_owner_id is the owner of this one")
		return false
	}
	c.fail(at.Origin, at.label(), "opposite_interface_owner_id", source.Quote(at.OppositeOwner), "not the owner of the other end", "the owner of "+at.Opposite)
	return false
}

// ends compares what must be the same at both ends, or must not.
func (c *checker) ends(ri, o *RouterInterface) {
	if ri.Accepting == o.Accepting {
		side := "initiating"
		if ri.Accepting {
			side = "accepting"
		}
		c.fail(ri.Origin, ri.label(), "role", ri.Origin.value("role"), "both ends are the "+side+" side", "InitiatingSide at one end, AcceptingSide at the other")
	}
	if ri.OppositeRouter != "" && o.Router != "" && ri.OppositeRouter != o.Router {
		c.fail(ri.Origin, ri.label(), "opposite_router_id", source.Quote(ri.OppositeRouter), c.than("the router", o, source.Quote(o.Router)), "the router of "+o.Name+", or none given")
	}
	if o.OppositeRouter != "" && ri.Router != "" && o.OppositeRouter != ri.Router {
		c.fail(ri.Origin, ri.label(), "router_id", source.Quote(ri.Router), c.than("the opposite_router_id", o, source.Quote(o.OppositeRouter)), "the router that "+o.Name+" names, or none named")
	}
	if (ri.VNI != o.VNI) && !c.bad(ri.Origin, ri.label(), "vni") && !c.bad(o.Origin, o.label(), "vni") {
		c.fail(ri.Origin, ri.label(), "vni", ri.Origin.value("vni"), c.than("the VNI", o, none(fmt.Sprint(o.VNI), o.VNI == 0)), "the same VNI at both ends")
	}
	if (ri.RouteTarget != o.RouteTarget) && !c.bad(ri.Origin, ri.label(), "route_target") && !c.bad(o.Origin, o.label(), "route_target") {
		c.fail(ri.Origin, ri.label(), "route_target", ri.Origin.value("route_target"), c.than("the route target", o, none(source.Quote(o.RouteTarget), o.RouteTarget == "")), "the same route target at both ends")
	}
}

func none(value string, is bool) string {
	if is {
		return "none"
	}
	return value
}

// than says that something is not the other end's, and what that is to those who see it.
func (c *checker) than(what string, o *RouterInterface, is string) string {
	if !c.sees(o.Owner) {
		return "not " + what + " of the other end"
	}
	return fmt.Sprintf("not %s of %s, %s", what, o.label(), is)
}

// apart refuses to join two routers with overlapping prefixes. Both owners have named each other, so that both prefixes may be told.
func (c *checker) apart(ri, o *RouterInterface) {
	here, there := c.found.router[ri.Router], c.found.router[o.Router]
	if here == nil || there == nil || here == there {
		return
	}
	for _, p := range here.prefixes() {
		for _, q := range there.prefixes() {
			if p.Overlaps(q) {
				c.fail(ri.Origin, ri.label(), "opposite_interface_id", source.Quote(ri.Opposite),
					fmt.Sprintf("%s of this router, %s, overlaps %s of the other end's, %s", p, here.Name, q, there.Name), "routers whose prefixes do not overlap")
				return
			}
		}
	}
}

// prefixes are what a router tells a VRouter or keeps from it: a VPC's prefixes, a VBR's link subnets.
func (r *Router) prefixes() []netip.Prefix {
	if r.Kind == VRouter {
		return validPrefixes(r.CIDRs)
	}
	var out []netip.Prefix
	for _, n := range r.subnets() {
		out = append(out, n.prefix)
	}
	return out
}

// second refuses another pair between two routers that have one.
func (c *checker) second(joined map[[2]string]*RouterInterface, ri, o *RouterInterface) {
	far := ri.OppositeRouter
	if o != nil && !c.strange(ri.label(), o.Owner) {
		far = o.Router
	}
	if ri.Router == "" || far == "" {
		return
	}
	first := joined[[2]string{ri.Router, far}]
	if first == nil {
		joined[[2]string{ri.Router, far}] = ri
		return
	}
	if o != nil && c.found.order[o] < c.found.order[ri] && c.bad(o.Origin, o.label(), "opposite_interface_id") {
		return // told at the other end
	}
	c.fail(ri.Origin, ri.label(), "opposite_interface_id", source.Quote(ri.Opposite), c.holder(first.Origin, first.label(), first.Owner, "name").joins(ri.Router, far),
		"one pair between two routers")
}

// joins says that the holder joins two routers.
func (h holder) joins(router, far string) string {
	if h.hidden {
		return "the two routers are joined already"
	}
	return fmt.Sprintf("%s joins %s and %s already", h, router, far)
}
