package evpn

import (
	"net/netip"
	"slices"
)

// chunk is how many routes Again hands up between two events.
const chunk = 256

// held is what the peers whose sessions are up have announced and not withdrawn, as far as it can be used: for routes of which the handler had no use
// when they came. A route takes 75 to 150 octets, with its share of the table's spare room; the attributes are its UPDATE's.
type held map[netip.Addr]map[Key]heldRoute

type heldRoute struct {
	*attributes
	vni uint32
}

// update takes in what a peer says; a are the attributes of what it announces.
func (h held) update(u *Update, a *attributes) {
	routes := h[u.Peer]
	for _, k := range u.Withdrawn {
		delete(routes, k)
	}
	if routes == nil && len(u.Announced) > 0 {
		routes = make(map[Key]heldRoute)
		h[u.Peer] = routes
	}
	for i := range u.Announced {
		r := &u.Announced[i]
		routes[r.Key] = heldRoute{a, r.VNI}
	}
	if len(routes) == 0 { // the room of a map is free with the map only
		delete(h, u.Peer)
	}
}

// with lists the routes that have one of the targets, by peer.
func (h held) with(targets []RouteTarget) map[netip.Addr][]Key {
	found := make(map[netip.Addr][]Key)
	for peer, routes := range h {
		for k, r := range routes {
			if slices.ContainsFunc(r.route.Targets, func(t RouteTarget) bool { return slices.Contains(targets, t) }) {
				found[peer] = append(found[peer], k)
			}
		}
	}
	return found
}

// those are of these routes of a peer's the ones that are still there, as they are now.
func (h held) those(peer netip.Addr, keys []Key) (l []Route) {
	for _, k := range keys {
		if r, ok := h[peer][k]; ok {
			l = append(l, r.with(k, r.vni))
		}
	}
	return l
}

// Again has the handler told once more, by Update, of all routes that the established peers hold announced with one of the targets,
// as if they had just announced them: for a handler that let them pass when they came. Events wait while all that the peers hold is looked
// through, some 0.3 s a million routes, and then no longer than the handler takes for 256. The handler must not call it.
func (s *Speaker) Again(targets []RouteTarget) {
	var found map[netip.Addr][]Key
	s.server.Between(func() { found = s.events.held.with(targets) })
	for peer, keys := range found {
		for some := range slices.Chunk(keys, chunk) {
			s.server.Between(func() {
				if routes := s.events.held.those(peer, some); len(routes) > 0 {
					s.events.h.Update(Update{Peer: peer, Announced: routes})
				}
			})
		}
	}
}
