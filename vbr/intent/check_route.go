package intent

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// customRoutes checks the custom routes of a router.
func (c *checker) customRoutes(r *Router) {
	type entry struct {
		prefix   netip.Prefix
		priority uint32
	}
	first := map[entry]int{}
	for i, route := range r.Routes {
		path := item("route_entries", i)
		if route.Prefix.IsValid() {
			c.destination(r, route.Prefix, join(path, "destination_cidr_block"))
			e := entry{route.Prefix, route.Priority}
			if j, twice := first[e]; twice {
				c.fail(r.Origin, r.label(), join(path, "destination_cidr_block"), source.Quote(e.prefix.String()),
					fmt.Sprintf("given twice with priority %d, first as route_entries[%d]", e.priority, j), "one entry for a destination and priority, with several next hops")
			} else {
				first[e] = i
			}
		}
		c.nextHops(r, route, join(path, "next_hop_list"))
	}
}

// destination refuses what is a System route: packets for a subnet of the router's own go there.
func (c *checker) destination(r *Router, p netip.Prefix, at string) {
	for _, n := range r.subnets() {
		if n.prefix == p {
			c.fail(r.Origin, r.label(), at, source.Quote(p.String()), "a System route: it is a subnet of the router's own", "another destination")
			return
		}
	}
}

func (c *checker) nextHops(r *Router, route Route, path string) {
	for j, h := range route.Hops {
		at := join(item(path, j), "next_hop_id")
		same := func(o RouteHop) bool { return o.Interface == h.Interface && o.Address == h.Address }
		switch {
		case h.Interface == "" && !h.Address.IsValid():
		case slices.IndexFunc(route.Hops, same) < j:
			c.fail(r.Origin, r.label(), at, source.Quote(h.String()), "given twice", "each next hop once, with a weight")
		case h.Address.IsValid():
			c.nextAddress(r, route.Prefix, h.Address, at)
		default:
			c.nextInterface(r, h.Interface, at)
		}
	}
}

// String is the next hop as resources name it.
func (h RouteHop) String() string {
	if h.Address.IsValid() {
		return h.Address.String()
	}
	return h.Interface
}

func (c *checker) nextAddress(r *Router, to netip.Prefix, a netip.Addr, at string) {
	n, ok := r.in(a)
	text := ""
	switch {
	case to.IsValid() && to.Addr().Is4() != a.Is4():
		c.fail(r.Origin, r.label(), at, source.Quote(a.String()), "not of the family of "+to.String(), "an address of the same family")
		return
	case !ok && (c.lineUnclear(r) || r.reach() == ""), c.bad(r.Origin, r.label(), at):
		return
	case !ok:
		text = "in none of the router's subnets"
	case n.own == a:
		text = "the router's own address"
	default:
		text, _ = notHost(a, n.prefix)
	}
	if text != "" {
		c.fail(r.Origin, r.label(), at, source.Quote(a.String()), text, r.reach())
	}
}

// nextInterface checks that a router interface is the router's own.
func (c *checker) nextInterface(r *Router, name, at string) {
	ri := c.found.iface[name]
	switch {
	case ri == nil && c.incomplete, ri != nil && ri.Router == r.Name:
	case ri != nil && c.sees(ri.Owner) && ri.Router != "":
		c.fail(r.Origin, r.label(), at, source.Quote(name), fmt.Sprintf("%s is of another router, %s", ri.label(), ri.Router), c.ownInterfaces(r))
	default:
		c.fail(r.Origin, r.label(), at, source.Quote(name), "no such RouterInterface of this router", c.ownInterfaces(r))
	}
}

// ownInterfaces says which router interfaces a custom route may name.
func (c *checker) ownInterfaces(r *Router) string {
	names := c.found.of[r.Name]
	if len(names) == 0 || len(names) > 8 {
		return "a RouterInterface whose router_id is " + r.Name
	}
	return strings.Join(names, ", ")
}
