package vbr

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/openvbr/openvbr/bgp"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/rib"
)

// network is a prefix that the customer is told instead of the routes in it or around it (EC: BgpNetwork).
type network struct {
	prefix netip.Prefix
	// holds are the routes in it, or around it, that the customer would be told, with the preference of the standby that they lead through, 0 for none.
	holds map[netip.Prefix]uint32
	told  atomic.Bool // in all ways that do not deny it
	with  uint32      // the preference it was told with
}

// forCustomer collects what the customer is to hear, by the speaker's table.
type forCustomer map[string]*forTable

type forTable struct {
	ads  []bgp.Advertisement
	back []netip.Prefix
}

func (c forCustomer) to(table string) *forTable {
	t := c[table]
	if t == nil {
		t = new(forTable)
		c[table] = t
	}
	return t
}

// add has peers hear an advertisement, or no longer hear of its prefix.
func (c forCustomer) add(w *way, ad bgp.Advertisement, told bool) {
	if t := c.to(w.table); told {
		t.ads = append(t.ads, ad)
	} else {
		t.back = append(t.back, ad.Prefix)
	}
}

// takeBack has peers no longer hear of a prefix.
func (c forCustomer) takeBack(ways []*way, prefix netip.Prefix) {
	for _, w := range ways {
		t := c.to(w.table)
		t.back = append(t.back, prefix)
	}
}

// tellCustomer puts an announcement into words for the customer: the route itself, or the networks that it concerns.
func (r *router) tellCustomer(c forCustomer, a *rib.Announcement) {
	if len(r.networks) > 0 {
		r.noteNetworks(a)
		return
	}
	ways := r.exporter.of(a.Prefix)
	switch tell, back := r.spec.turn(a, nil); {
	case len(ways) == 0:
	case tell:
		r.tellRoute(c, a, ways)
	case back:
		r.noMore(c, a.Prefix)
	}
}

// noMore has the customer no longer hear of a prefix that is not for it any more.
func (r *router) noMore(c forCustomer, prefix netip.Prefix) {
	ways := r.exporter.of(prefix)
	for _, w := range ways {
		r.exporter.gone(w, prefix)
	}
	c.takeBack(ways, prefix)
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
func (r *router) tellNetworks(c forCustomer, again bool) {
	for _, n := range r.networks {
		preference := n.preference()
		switch told := n.told.Load(); {
		case len(n.holds) == 0 && told:
			n.told.Store(false)
			r.noMore(c, n.prefix)
		case len(n.holds) > 0 && (!told || again || n.with != preference):
			n.told.Store(true)
			n.with = preference
			r.tellNetwork(c, n, r.exporter.of(n.prefix))
		}
	}
}

// networkAttrs are the attributes that the export policy judges a network by.
func networkAttrs() *rib.Attrs { return &rib.Attrs{Origin: rib.OriginIncomplete} }

// tellNetwork has the customer's peers hear of a network in these ways, each as its policy has it.
func (r *router) tellNetwork(c forCustomer, n *network, ways []*way) {
	a := networkAttrs()
	ad := bgp.Advertisement{Prefix: n.prefix, Origin: a.Origin, Communities: shutdown(nil, r.records.drained.Load())}
	r.spec.yield(&ad, n.with)
	for _, w := range ways {
		mine, told := r.judged(w, ad, a)
		c.add(w, mine, told)
	}
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
	c := make(forCustomer)
	had := r.networks
	r.mu.Lock()
	r.setNetworks()
	if len(had) == 0 || len(r.networks) == 0 {
		r.rib.Told(func(a rib.Announcement) {
			switch {
			case !heard(a.Source, nil):
			case len(r.networks) == 0:
				r.tellRoute(c, &a, r.exporter.of(a.Prefix))
			case !slices.Contains(r.spec.networks, a.Prefix):
				c.takeBack(r.exporter.of(a.Prefix), a.Prefix)
			}
		})
	}
	r.tellNetworks(c, true)
	for _, n := range had {
		for _, w := range r.exporter.of(n.prefix) {
			if n.told.Load() && !slices.ContainsFunc(c.to(w.table).ads, func(ad bgp.Advertisement) bool { return ad.Prefix == n.prefix }) {
				c.takeBack([]*way{w}, n.prefix)
			}
		}
	}
	r.mu.Unlock()
	r.speak(speaker, c, outbox{})
}

// countAdvertised is how many prefixes of a family are told in at least one of these ways; r.mu is held.
func (r *router) countAdvertised(six bool, ways []*way) (n int) {
	switch {
	case len(ways) == 0:
		return 0
	case len(r.networks) == 0:
		return max(r.countHeard(nil, six)-r.exporter.untold(ways), 0)
	}
	for _, x := range r.networks {
		n += boolIndex(x.told.Load() && x.prefix.Addr().Is6() == six && r.exporter.tells(ways, x.prefix))
	}
	return n
}

// networkRoutes are the networks that the customer is told in these ways, for those who list them; r.mu is held.
func (r *router) networkRoutes(f *rib.Filter, ways [2][]*way) (out []*vbrv1.Route) {
	for _, n := range r.networks {
		six := n.prefix.Addr().Is6()
		a := altered(n.prefix, networkAttrs(), ways[boolIndex(six)], r.spec.asn)
		switch {
		case !n.told.Load(), a == nil, f.Family == 4 && six, f.Family == 6 && !six:
			continue
		case f.Prefix.IsValid() && n.prefix != f.Prefix && !(f.Longer && f.Prefix.Bits() <= n.prefix.Bits() && f.Prefix.Contains(n.prefix.Addr())):
			continue
		}
		out = append(out, &vbrv1.Route{
			Prefix: n.prefix.String(), Source: &vbrv1.RouteSource{Type: vbrv1.RouteSource_TYPE_CONNECTED, Name: "bgp_networks"},
			Attributes: pathAttributes(a, false), Verdict: rib.Accepted.String(), Best: true,
		})
	}
	return out
}
