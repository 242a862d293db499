package vbr

import (
	"net/netip"
	"slices"

	"github.com/openvbr/openvbr/bgp"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/rib"
)

// network is a prefix that the customer is told instead of the routes in it or around it (EC: BgpNetwork).
type network struct {
	prefix netip.Prefix
	// holds are the routes in it, or around it, that the customer would be told, with the preference of the standby that they lead through, 0 for none.
	holds map[netip.Prefix]uint32
	told  bool
	with  uint32 // the preference it was told with
}

// forCustomer collects what the customer is to hear.
type forCustomer struct {
	ads  []bgp.Advertisement
	back []netip.Prefix
}

// add has the customer hear an advertisement, or no longer hear of its prefix.
func (c *forCustomer) add(ad bgp.Advertisement, told bool) {
	if told {
		c.ads = append(c.ads, ad)
	} else {
		c.back = append(c.back, ad.Prefix)
	}
}

// tellCustomer puts an announcement into words for the customer: the route itself, or the networks that it concerns.
func (r *router) tellCustomer(c *forCustomer, a *rib.Announcement) {
	if len(r.networks) > 0 {
		r.noteNetworks(a)
		return
	}
	switch tell, back := r.spec.turn(a, nil); {
	case tell:
		c.add(r.exported(*a))
	case back:
		r.exporter.gone(a.Prefix)
		c.back = append(c.back, a.Prefix)
	}
}

// noteNetworks books an announcement with the networks.
func (r *router) noteNetworks(a *rib.Announcement) {
	for _, n := range r.networks {
		switch {
		case !n.prefix.Overlaps(a.Prefix):
		case heard(a.Source, nil):
			n.holds[a.Prefix] = r.spec.standby(a.Source)
		case heard(a.Was, nil):
			delete(n.holds, a.Prefix)
		}
	}
}

// tellNetworks has the customer hear of the networks that came to hold a route, or no longer do. With again it hears all that hold one.
func (r *router) tellNetworks(c *forCustomer, again bool) {
	for _, n := range r.networks {
		preference := n.preference()
		switch {
		case len(n.holds) == 0 && n.told:
			n.told = false
			r.exporter.gone(n.prefix)
			c.back = append(c.back, n.prefix)
		case len(n.holds) > 0 && (!n.told || again || n.with != preference):
			had := n.told
			ad, ok := r.exportedNetwork(n.prefix, preference)
			n.told, n.with = ok, preference
			if ok || had || again { // else it is known not to be told
				c.add(ad, ok)
			}
		}
	}
}

// networkAttrs are the attributes that the export policy judges a network by.
func networkAttrs() *rib.Attrs { return &rib.Attrs{Origin: rib.OriginIncomplete} }

// exportedNetwork is what the customer's peers are told of a network; false if their policy denies it.
func (r *router) exportedNetwork(prefix netip.Prefix, preference uint32) (bgp.Advertisement, bool) {
	a := networkAttrs()
	ad := bgp.Advertisement{Prefix: prefix, Origin: a.Origin, Communities: shutdown(nil, r.records.drained.Load())}
	r.spec.yield(&ad, preference)
	return r.judged(ad, a)
}

// preference is the standby's that all its routes lead through, the best of several, or 0.
func (n *network) preference() (best uint32) {
	for _, p := range n.holds {
		if p == 0 {
			return 0
		}
		best = max(best, p)
	}
	return best
}

// setNetworks makes the networks be those of the spec, with the routes that they hold now; r.mu is held.
func (r *router) setNetworks() {
	var all []*network
	for _, p := range r.spec.networks {
		all = append(all, &network{prefix: p, holds: make(map[netip.Prefix]uint32)})
	}
	r.networks = all
	r.exporter.forget()
	if len(all) > 0 {
		r.rib.Told(func(a rib.Announcement) { r.noteNetworks(&a) })
	}
}

// changeNetworks has the customer hear other networks than before, or the routes themselves, and no session resets.
func (r *router) changeNetworks(speaker speaker) {
	var c forCustomer
	had := r.networks
	r.mu.Lock()
	r.setNetworks()
	if len(had) == 0 || len(r.networks) == 0 {
		r.rib.Told(func(a rib.Announcement) {
			switch {
			case !heard(a.Source, nil):
			case len(r.networks) == 0:
				c.add(r.exported(a))
			case !slices.Contains(r.spec.networks, a.Prefix):
				c.back = append(c.back, a.Prefix)
			}
		})
	}
	r.tellNetworks(&c, true)
	for _, n := range had {
		if n.told && !slices.ContainsFunc(c.ads, func(ad bgp.Advertisement) bool { return ad.Prefix == n.prefix }) {
			c.back = append(c.back, n.prefix)
		}
	}
	r.mu.Unlock()
	r.speak(speaker, c, outbox{})
}

// countAdvertised is how many prefixes of a family the customer is told; r.mu is held.
func (r *router) countAdvertised(six bool) (n int) {
	if len(r.networks) == 0 {
		return r.countHeard(nil, six)
	}
	for _, x := range r.networks {
		n += boolIndex(x.told && x.prefix.Addr().Is6() == six)
	}
	return n
}

// networkRoutes are the networks that the customer is told, for those who list them; r.mu is held.
func (r *router) networkRoutes(f *rib.Filter, families [2]bool) (out []*vbrv1.Route) {
	for _, n := range r.networks {
		six := n.prefix.Addr().Is6()
		switch {
		case !n.told, !families[boolIndex(six)], f.Family == 4 && six, f.Family == 6 && !six:
			continue
		case f.Prefix.IsValid() && n.prefix != f.Prefix && !(f.Longer && f.Prefix.Bits() <= n.prefix.Bits() && f.Prefix.Contains(n.prefix.Addr())):
			continue
		}
		out = append(out, &vbrv1.Route{
			Prefix: n.prefix.String(), Source: &vbrv1.RouteSource{Type: vbrv1.RouteSource_TYPE_CONNECTED, Name: "bgp_networks"},
			Attributes: pathAttributes(r.exporter.altered(n.prefix, networkAttrs()), false), Verdict: rib.Accepted.String(), Best: true,
		})
	}
	return out
}
