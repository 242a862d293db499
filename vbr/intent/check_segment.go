package intent

import (
	"fmt"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// segments refuses a new router interface with the VNI or the route target of another owner's on another host: it would be in that owner's VPC. On one host they
// are nobody else's anyway. What is stored already stays, and so does what is nobody's: the provider knows whose VPC it joins.
func (c *checker) segments() {
	vnis, targets := map[uint32]*RouterInterface{}, map[string]*RouterInterface{}
	for i := range c.in.RouterInterfaces {
		ri := &c.in.RouterInterfaces[i]
		if c.tenantOf(ri) == "" {
			continue
		}
		if first := firstOf(vnis, ri.VNI, ri); c.intrudes(ri, first) {
			at, other := c.newcomer(ri, first)
			c.fail(at.Origin, at.label(), "vni", fmt.Sprint(at.VNI), c.holder(other.Origin, other.label(), other.Owner, "vni").taken("VNI"), "a VNI of its own")
		}
		if first := firstOf(targets, ri.RouteTarget, ri); c.intrudes(ri, first) {
			at, other := c.newcomer(ri, first)
			c.fail(at.Origin, at.label(), "route_target", source.Quote(at.RouteTarget), c.holder(other.Origin, other.label(), other.Owner, "route_target").taken("route target"),
				"a route target of its own")
		}
	}
}

// firstOf remembers who has which key first, and returns that for everyone who comes later; nil for the first, and for no key.
func firstOf[K comparable](seen map[K]*RouterInterface, key K, ri *RouterInterface) *RouterInterface {
	var none K
	if key == none {
		return nil
	}
	if seen[key] == nil {
		seen[key] = ri
		return nil
	}
	return seen[key]
}

// intrudes says whether one of two interfaces with the same segment is new and of an owner whom the other's has not joined to.
func (c *checker) intrudes(ri, first *RouterInterface) bool {
	return first != nil && c.tenantOf(ri) != c.tenantOf(first) && c.hostOf(ri) != c.hostOf(first) && (c.brought[ri.label()] || c.brought[first.label()]) &&
		!c.joinedTo(ri, first) && !c.joinedTo(first, ri)
}

// tenantOf is the owner of an interface, or of its router.
func (c *checker) tenantOf(ri *RouterInterface) string {
	if r := c.found.router[ri.Router]; ri.Owner == "" && r != nil {
		return r.Owner
	}
	return ri.Owner
}

// joinedTo says whether the interface is an end of a pair whose other end is of the tenant whom another is of.
func (c *checker) joinedTo(ri, other *RouterInterface) bool {
	o := c.opposite(ri)
	return o != nil && c.tenantOf(o) == c.tenantOf(other)
}

// newcomer is the one of two that is refused, and the other.
func (c *checker) newcomer(ri, first *RouterInterface) (at, other *RouterInterface) {
	if c.brought[ri.label()] {
		return ri, first
	}
	return first, ri
}
