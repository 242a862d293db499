package intent

import (
	"fmt"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// checker collects problems about the resources in in.
type checker struct {
	Options
	in         *Intent
	problems   Errors
	incomplete bool            // some resource could not be read: references may point at it
	brought    map[string]bool // labels of resources from documents that are New
	found      found
	words      words
}

// all checks what concerns several fields or several resources. It also fills in what follows from them: the
// Device of each Link, and Link and Local of each Peer. It is pure: the same Intent gives the same result anywhere.
func (c *checker) all() {
	c.find()
	c.physicalConnections()
	for i := range c.in.Routers {
		c.links(&c.in.Routers[i])
		c.peers(&c.in.Routers[i])
		c.peerPolicies(&c.in.Routers[i])
	}
	c.routers()
	c.vlans()
	c.routerInterfaces()
	c.pairs()
	for i := range c.in.Routers {
		c.routerExtras(&c.in.Routers[i])
	}
	c.groups()
	c.deviceNames()
}

// fail adds a problem about the field at path of the resource with that origin and label.
func (c *checker) fail(o *Origin, label, path, value, text, legal string) {
	c.problems.Add(source.Problem{Pos: o.At(path), Path: join(label, path), Value: value, Text: text, Legal: legal})
}

func (pc *PhysicalConnection) label() string { return label("PhysicalConnection", pc.Name) }

// label names the router with its kind.
func (r *Router) label() string {
	if r.Kind == VRouter {
		return label("VRouter", r.Name)
	}
	return label("VirtualBorderRouter", r.Name)
}
func (ri *RouterInterface) label() string { return label("RouterInterface", ri.Name) }
func (g *Group) label() string            { return label("VbrHa", g.Name) }

// holder is the first resource that has something which must be unique.
type holder struct {
	label  string
	pos    source.Pos
	hidden bool // from whom the problems are for
	shared tags // of an outer VLAN's device: others with the same have it too
}

// String names the resource and, where known, the place: "RouterInterface/ri-acme at acme.yaml:3:1".
func (h holder) String() string {
	if h.pos == (source.Pos{}) {
		return h.label
	}
	return h.label + " at " + h.pos.String()
}

// taken says that the holder has it: "VNI is already that of RouterInterface/ri-acme", or no more than "VNI is in use".
func (h holder) taken(what string) string {
	if h.hidden {
		return what + " is in use"
	}
	return what + " is already that of " + h.String()
}

// on is something that must be unique on each host.
type on[K comparable] struct {
	host string
	key  K
}

// unique remembers who has which key first. It returns that holder for everyone who comes later.
func unique[K comparable](seen map[K]holder, key K, h holder) (holder, bool) {
	if first, ok := seen[key]; ok {
		return first, true
	}
	seen[key] = h
	return holder{}, false
}

// holder is what others may be told of a resource that has something at path.
func (c *checker) holder(o *Origin, label, owner, path string) holder {
	return holder{label: label, pos: o.At(path), hidden: !c.sees(owner)}
}

// routerKinds is both kinds of routers, which share their names.
const routerKinds = "VirtualBorderRouter or VRouter"

// name checks that a name is the only one of its kind, or of kinds that share their names.
func (c *checker) name(seen map[string]holder, o *Origin, label, owner, name, kind string) {
	if name == "" {
		return
	}
	if first, twice := unique(seen, name, c.holder(o, label, owner, "name")); twice {
		where := ""
		if first.pos != (source.Pos{}) && !first.hidden {
			where = ", first at " + first.pos.String()
		}
		c.fail(o, label, "name", source.Quote(name), "name is given twice"+where, "one "+kind+" of a name")
	}
}

func (c *checker) physicalConnections() {
	names, devices := map[string]holder{}, map[on[string]]holder{}
	for i := range c.in.PhysicalConnections {
		pc := &c.in.PhysicalConnections[i]
		c.name(names, pc.Origin, pc.label(), pc.Owner, pc.Name, "PhysicalConnection")
		if pc.Device == "" {
			continue
		}
		if first, twice := unique(devices, on[string]{c.host(pc.Host), pc.Device}, c.holder(pc.Origin, pc.label(), pc.Owner, "device")); twice {
			c.fail(pc.Origin, pc.label(), "device", source.Quote(pc.Device), first.taken("device"), "one PhysicalConnection a device")
		}
	}
}

func (c *checker) routers() {
	names, tables := map[string]holder{}, map[on[uint32]]holder{}
	for i := range c.in.Routers {
		r := &c.in.Routers[i]
		c.name(names, r.Origin, r.label(), r.Owner, r.Name, routerKinds)
		c.defaultVRF(r)
		if r.TableID == 0 {
			continue
		}
		if first, twice := unique(tables, on[uint32]{c.host(r.Host), r.TableID}, c.holder(r.Origin, r.label(), r.Owner, "route_table_id")); twice {
			c.fail(r.Origin, r.label(), "route_table_id", fmt.Sprint(r.TableID), first.taken("table"), "a table of its own, or none given and one is allocated")
		}
	}
}

func (c *checker) defaultVRF(r *Router) {
	first, count := c.found.first[c.host(r.Host)], c.found.count[c.host(r.Host)]
	switch {
	case r.DefaultVRF && r != first:
		text := fmt.Sprintf("%d routers are configured", count)
		if c.Sees != nil {
			text = "there are other routers on the host"
		}
		c.fail(r.Origin, r.label(), "vrf", `"default"`, text, "vrf: default only for the one router of a host")
	case first.DefaultVRF && r != first:
		text := "the host is in use"
		if h := c.holder(first.Origin, first.label(), first.Owner, "vrf"); !h.hidden {
			text = h.String() + " has vrf: default and must be the only router of its host"
		}
		c.fail(r.Origin, r.label(), "vrf", "", text, "routers on other hosts")
	}
	switch {
	case r.DefaultVRF && r.TableID != 0:
		c.fail(r.Origin, r.label(), "route_table_id", fmt.Sprint(r.TableID), "vrf: default uses the main table, 254", "no route_table_id")
	case !r.DefaultVRF && (r.Name == "all" || r.Name == "default" || r.Name == "lo"):
		c.fail(r.Origin, r.label(), "name", source.Quote(r.Name), "the kernel keeps this name for itself", "a name other than all, default, lo")
	}
}
