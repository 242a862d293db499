package intent

import (
	"fmt"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// MaxInterfaces is how many router interfaces a router has at most (EC's quota).
const MaxInterfaces = 5

// routerInterfaces checks each router interface beside its router, and that nobody else is in its segments.
func (c *checker) routerInterfaces() {
	names, count := map[string]holder{}, map[string]int{}
	held := segmentHolders{here: map[on[segment]]holder{}, anywhere: map[segment]*RouterInterface{}}
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
		for _, s := range ri.segments() {
			c.ownHere(held, ri, s)
			c.ownAnywhere(held, ri, s)
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
