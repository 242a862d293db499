package intent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// found is where things are, so that no check has to search: 10,000 resources are checked in one go.
type found struct {
	port   map[string]*PhysicalConnection // the first of each name
	router map[string]*Router
	iface  map[string]*RouterInterface
	order  map[*RouterInterface]int // which comes later
	of     map[string][]string      // names of the router interfaces of a router that may be told
	first  map[string]*Router       // of each host
	count  map[string]int           // routers of each host
}

func (c *checker) find() {
	f := found{port: map[string]*PhysicalConnection{}, router: map[string]*Router{}, iface: map[string]*RouterInterface{}, order: map[*RouterInterface]int{}, of: map[string][]string{}, first: map[string]*Router{}, count: map[string]int{}}
	for i := range c.in.PhysicalConnections {
		if pc := &c.in.PhysicalConnections[i]; f.port[pc.Name] == nil {
			f.port[pc.Name] = pc
		}
	}
	for i := range c.in.Routers {
		r := &c.in.Routers[i]
		if f.router[r.Name] == nil {
			f.router[r.Name] = r
		}
		host := c.host(r.Host)
		if f.first[host] == nil {
			f.first[host] = r
		}
		f.count[host]++
	}
	for i := range c.in.RouterInterfaces {
		ri := &c.in.RouterInterfaces[i]
		if f.order[ri] = i; f.iface[ri.Name] == nil {
			f.iface[ri.Name] = ri
		}
		if c.sees(ri.Owner) {
			f.of[ri.Router] = append(f.of[ri.Router], ri.Name)
		}
	}
	c.found = f
}

// host is where a resource with that host field is.
func (c *checker) host(field string) string {
	if field == "" {
		return c.Host
	}
	return field
}

// hostOf is where a router interface is: with its router.
func (c *checker) hostOf(ri *RouterInterface) string {
	if r := c.found.router[ri.Router]; r != nil {
		return c.host(r.Host)
	}
	return c.Host
}

// sees tells whether those whom the problems are for may hear of a resource of that owner.
func (c *checker) sees(owner string) bool { return c.Sees == nil || c.Sees(owner) }

// words are the names that a problem with a reference offers.
type words struct {
	names  map[string][]string // by kind; those that may be told
	spent  int                 // comparisons made for suggestions
	places map[spot]bool       // which fields have problems
	lines  map[string]bool     // labels of routers whose lines have problems with their addresses
	read   int                 // how many problems are in places and lines
}

// maxComparisons bounds the work for "did you mean": a request may hold 10,000 wrong references.
const maxComparisons = 100_000

// namesOf lists the names of a kind that references may be told of.
func (c *checker) namesOf(kind string) []string {
	if names, ok := c.words.names[kind]; ok {
		return names
	}
	var names []string
	switch kind {
	case "PhysicalConnection":
		for i := range c.in.PhysicalConnections {
			if pc := &c.in.PhysicalConnections[i]; c.sees(pc.Owner) {
				names = append(names, pc.Name)
			}
		}
	default: // routers, or those of them that are VBRs
		for i := range c.in.Routers {
			if r := &c.in.Routers[i]; c.sees(r.Owner) && (kind == routerKinds || r.Kind == VBR) {
				names = append(names, r.Name)
			}
		}
		slices.Sort(names)
		names = slices.Compact(names)
	}
	if c.words.names == nil {
		c.words.names = map[string][]string{}
	}
	c.words.names[kind] = names
	return names
}

// noSuch says that nothing of the kind has the name, and what may have been meant.
func (c *checker) noSuch(kind, name string) string {
	text, names := "no such "+kind, c.namesOf(kind)
	if c.words.spent += len(names); c.words.spent > maxComparisons {
		return text
	}
	if s := source.Suggest(name, names); s != "" {
		text += fmt.Sprintf("; did you mean %q?", s)
	}
	return text
}

// nameOf says what a reference may be: the names there are, unless they are many or none.
func (c *checker) nameOf(kind string) string {
	names := c.namesOf(kind)
	if len(names) == 0 || len(names) > 8 {
		return "the name of a " + kind
	}
	return strings.Join(names, ", ")
}

// spot is a field of a resource and where it stands: two resources may have one label.
type spot struct {
	path string
	pos  source.Pos
}

// bad tells whether a field has a problem already.
func (c *checker) bad(o *Origin, label, path string) bool {
	c.index()
	return c.words.places[spot{join(label, path), o.At(path)}]
}

// index notes the problems that are new since it was last called.
func (c *checker) index() {
	if c.words.places == nil {
		c.words.places, c.words.lines = map[spot]bool{}, map[string]bool{}
	}
	for _, p := range c.problems[c.words.read:] {
		c.words.places[spot{p.Path, p.Pos}] = true
		label, field, _ := strings.Cut(p.Path, ".")
		if !strings.HasPrefix(field, "bgp_peers") && (strings.Contains(field, "gateway_ip") || strings.HasSuffix(field, "_mask")) {
			c.words.lines[label] = true
		}
	}
	c.words.read = len(c.problems)
}
