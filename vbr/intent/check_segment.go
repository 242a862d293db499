package intent

import (
	"fmt"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// segment is one of the two things that put a router interface into a VPC, by its field.
type segment struct{ field, what, value string }

// segments are those that are given.
func (ri *RouterInterface) segments() (out []segment) {
	if ri.VNI != 0 {
		out = append(out, segment{"vni", "VNI", fmt.Sprint(ri.VNI)})
	}
	if ri.RouteTarget != "" {
		out = append(out, segment{"route_target", "route target", source.Quote(ri.RouteTarget)})
	}
	return out
}

// segmentHolders say which router interface has a segment first: on a host, and of those that are a tenant's on any.
type segmentHolders struct {
	here     map[on[segment]]holder
	anywhere map[segment]*RouterInterface
}

// ownHere refuses a router interface with the segment of another on its host, unless the two are a pair.
func (c *checker) ownHere(held segmentHolders, ri *RouterInterface, s segment) {
	if first, twice := unique(held.here, on[segment]{c.hostOf(ri), s}, c.holder(ri.Origin, ri.label(), ri.Owner, s.field)); twice && !c.ofPair(ri, first) {
		c.inSegment(ri, s, first)
	}
}

// ownAnywhere refuses a new router interface with the segment of another owner's on another host: it would be in that owner's VPC. On one host they are nobody else's
// anyway. What is stored already stays, and so does what is nobody's: the provider knows whose VPC it joins.
func (c *checker) ownAnywhere(held segmentHolders, ri *RouterInterface, s segment) {
	if c.tenantOf(ri) == "" {
		return
	}
	first := held.anywhere[s]
	if first == nil {
		held.anywhere[s] = ri
	}
	if c.intrudes(ri, first) {
		at, other := c.newcomer(ri, first)
		c.inSegment(at, s, c.holder(other.Origin, other.label(), other.Owner, s.field))
	}
}

// inSegment is the problem of a router interface in a segment that another has.
func (c *checker) inSegment(ri *RouterInterface, s segment, other holder) {
	c.fail(ri.Origin, ri.label(), s.field, s.value, other.taken(s.what), "a "+s.what+" of its own")
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
