package intent

import (
	"fmt"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// MaxInterfaces is how many router interfaces a router has at most (EC's quota).
const MaxInterfaces = 5

// routerInterfaces checks each router interface beside its router, and what must be its own on the host.
func (c *checker) routerInterfaces() {
	names, vnis, targets, count := map[string]holder{}, map[on[uint32]]holder{}, map[on[string]]holder{}, map[string]int{}
	for i := range c.in.RouterInterfaces {
		ri := &c.in.RouterInterfaces[i]
		c.name(names, ri.Origin, ri.label(), ri.Owner, ri.Name, "RouterInterface")
		r := c.found.router[ri.Router]
		switch {
		case ri.Router == "", r == nil && c.incomplete:
		case r == nil || c.strange(ri.label(), r.Owner):
			c.fail(ri.Origin, ri.label(), "router_id", source.Quote(ri.Router), c.noSuch(routerKinds, ri.Router), c.nameOf(routerKinds))
		default:
			count[r.Name]++
			c.onRouter(ri, r, count[r.Name])
		}
		host := c.hostOf(ri)
		if ri.VNI != 0 {
			if first, twice := unique(vnis, on[uint32]{host, ri.VNI}, c.holder(ri.Origin, ri.label(), ri.Owner, "vni")); twice && !c.ofPair(ri, first) {
				c.fail(ri.Origin, ri.label(), "vni", fmt.Sprint(ri.VNI), first.taken("VNI"), "a VNI of its own")
			}
		}
		if ri.RouteTarget != "" {
			if first, twice := unique(targets, on[string]{host, ri.RouteTarget}, c.holder(ri.Origin, ri.label(), ri.Owner, "route_target")); twice && !c.ofPair(ri, first) {
				c.fail(ri.Origin, ri.label(), "route_target", source.Quote(ri.RouteTarget), first.taken("route target"), "a route target of its own")
			}
		}
	}
}

// strange tells whether a resource is brought by those who do not see what it refers to: for them that does not exist.
func (c *checker) strange(label, owner string) bool { return c.brought[label] && !c.sees(owner) }

// onRouter checks a router interface, the nth of its router, beside that router.
func (c *checker) onRouter(ri *RouterInterface, r *Router, nth int) {
	if ri.Owner != "" && r.Owner != "" && ri.Owner != r.Owner {
		text := "not the owner of the router"
		if c.sees(r.Owner) {
			text = fmt.Sprintf("not the owner of %s, %s", r.label(), source.Quote(r.Owner))
		}
		c.fail(ri.Origin, ri.label(), "owner", source.Quote(ri.Owner), text, "the owner of the router, or none given")
	}
	c.interfaceHealth(ri, r)
	if nth > MaxInterfaces {
		c.fail(ri.Origin, ri.label(), "router_id", source.Quote(ri.Router), fmt.Sprintf("the router has %d router interfaces beside this one", nth-1),
			fmt.Sprintf("at most %d router interfaces of a router", MaxInterfaces))
	}
	if ri.Accepting && r.Kind == VBR {
		c.fail(ri.Origin, ri.label(), "role", `"AcceptingSide"`, "a VBR's interface is the initiating one", "InitiatingSide, and AcceptingSide at the VRouter's")
	}
	switch {
	case ri.Accepting && ri.Spec != "" && ri.Spec != "Negative":
		c.fail(ri.Origin, ri.label(), "spec", source.Quote(ri.Spec), "the accepting side has no specification of its own", "Negative, or none given")
	case !ri.Accepting && ri.Spec == "Negative":
		_, legal := ruleText(ri.message().ProtoReflect().Descriptor().Fields().ByName("spec"))
		c.fail(ri.Origin, ri.label(), "spec", `"Negative"`, "for the accepting side only", legal[:len(legal)-len(", Negative")])
	}
}
