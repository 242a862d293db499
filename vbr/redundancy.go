package vbr

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/openvbr/openvbr/bgp/evpn"
	"github.com/openvbr/openvbr/vbr/rib"
)

// carried is a prefix of the customer's that a router tells the other end of a router interface.
type carried struct {
	prefix netip.Prefix
	ri     *riSpec
}

// unbacked are the prefixes that the VPC side would lose with this router, as far as this host knows, and who offers the others. Somebody else offers a prefix
//
//   - to a VRouter of this host: if it has an accepted path by another router interface;
//   - over the backbone: if another host does under the same route target, or another router of this host;
//   - in a failover group: if the group's other VBR does, on this host or on another, to the same router.
//
// The lines' own subnets do not count: they go with their line.
func (h *Host) unbacked(r *router) (lost []netip.Prefix, by []string) {
	others := make(map[string]bool)
	seen := make(map[netip.Prefix]bool)
	known := h.known(r)
	for from := uint32(1); from != 0; {
		var batch []carried
		batch, from = r.carries(from)
		for _, c := range batch {
			if who := h.backs(r, c, known); who != "" {
				others[who] = true
			} else if !seen[c.prefix] {
				seen[c.prefix] = true
				lost = append(lost, c.prefix)
			}
		}
	}
	for who := range others {
		by = append(by, who)
	}
	slices.Sort(by)
	slices.SortFunc(lost, func(a, b netip.Prefix) int { return cmp.Or(a.Addr().Compare(b.Addr()), a.Bits()-b.Bits()) })
	return lost, by
}

// missing says by router interface what nobody else offers: what redundancy would have to be there.
func (h *Host) missing(r *router) string {
	known := h.known(r)
	lost := make(map[string]*riSpec)
	for from := uint32(1); from != 0; {
		var batch []carried
		batch, from = r.carries(from)
		for _, c := range batch {
			if lost[c.ri.name] == nil && h.backs(r, c, known) == "" {
				lost[c.ri.name] = c.ri
			}
		}
	}
	r.mu.Lock()
	group := cmp.Or(r.spec.group, "none")
	r.mu.Unlock()
	var out []string
	for _, name := range slices.Sorted(maps.Keys(lost)) {
		if ri := lost[name]; ri.local() {
			out = append(out, fmt.Sprintf("router %s has them by no other router interface than %s", ri.cable.farRouter(), ri.opposite))
		} else {
			out = append(out, fmt.Sprintf("no other VBR or host offers them under the route targets of %s: %s (failover group: %s)", name, strings.Join(texts(known.targets[name]), ", "), group))
		}
	}
	return strings.Join(out, "; ")
}

// carries is what the router tells the VPC side of the next prefixes; see rib.Table.ToldSlice.
func (r *router) carries(from uint32) (out []carried, next uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next = r.rib.ToldSlice(from, scanned, func(a rib.Announcement) {
		if a.Source.Kind == rib.Connected {
			return
		}
		for i := range r.spec.ris {
			if ri := r.spec.ris[i]; r.tells(i) && heard(a.Source, &ri) {
				out = append(out, carried{a.Prefix, &ri})
			}
		}
	})
	return out, next
}

// anotherRouter is who offers the same, if that is another owner's: its name is not for whoever reads of it.
const anotherRouter = "another router"

// backs says who else offers what a router carries; empty: nobody.
func (h *Host) backs(r *router, c carried, known knowledge) string {
	if c.ri.local() {
		by := h.router(c.ri.cable.router).hasAnother(c)
		if by != "" && c.ri.cable.foreign {
			return anotherRouter
		}
		return by
	}
	targets := known.targets[c.ri.name]
	for _, t := range targets {
		if vtep, ok := known.elsewhere[offer{t, c.prefix}]; ok {
			return "the host with VTEP " + vtep.String()
		}
	}
	for _, o := range h.allRouters() {
		if o != r && !o.unserved && o.targets(targets) && o.offersNow(c.prefix) {
			if o.owner() != r.owner() {
				return anotherRouter
			}
			return o.name
		}
	}
	return ""
}

// hasAnother is the router interface, other than that of the pair, by which a VRouter has the prefix too.
func (r *router) hasAnother(c carried) string {
	if r == nil {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.rib.Lookup(c.prefix) {
		if p.Verdict == rib.Accepted && !p.Source.Adopted && p.Source.Through() != c.ri.opposite {
			return strings.TrimSpace(r.name + " " + p.Source.Through())
		}
	}
	return ""
}

func (r *router) owner() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spec.owner
}

// targets says whether a router interface of the router has one of the route targets.
func (r *router) targets(list []evpn.RouteTarget) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.spec.ris, func(ri riSpec) bool { return ri.remote() && slices.Contains(list, ri.target) })
}

// offersNow says whether the router tells its VPC side of the prefix, as one that leads to its own customer.
func (r *router) offersNow(p netip.Prefix) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.out {
		return false
	}
	return slices.ContainsFunc(r.rib.Lookup(p), func(x rib.Path) bool { return x.Best && !x.Source.Adopted && x.Source.Through() == "" })
}

// offer is a prefix under a route target.
type offer struct {
	target evpn.RouteTarget
	prefix netip.Prefix
}

// knowledge is what a host knows of those who could take over from a router.
type knowledge struct {
	targets   map[string][]evpn.RouteTarget // by router interface: its own, and those of the other member of a failover group that leads to the same router
	elsewhere map[offer]netip.Addr          // what other hosts offer under these, and their VTEPs
}

func (h *Host) known(r *router) knowledge {
	k := knowledge{targets: make(map[string][]evpn.RouteTarget)}
	r.mu.Lock()
	ris := r.spec.ris // a spec is never changed in place
	r.mu.Unlock()
	wanted := make(map[evpn.RouteTarget]bool)
	for _, ri := range ris {
		if !ri.remote() {
			continue
		}
		k.targets[ri.name] = append(h.drills.alternatives(ri.name), ri.target)
		for _, t := range k.targets[ri.name] {
			wanted[t] = true
		}
	}
	k.elsewhere = h.backbone.offers(wanted)
	return k
}

// offers is what other hosts offer under these route targets.
func (b *backbone) offers(wanted map[evpn.RouteTarget]bool) map[offer]netip.Addr {
	out := make(map[offer]netip.Addr)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.paths {
		for _, t := range p.best.route.Targets {
			if wanted[t] && !p.best.stale {
				out[offer{t, p.best.route.Prefix}] = p.best.route.NextHop
			}
		}
	}
	return out
}
