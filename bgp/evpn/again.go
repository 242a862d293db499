package evpn

import (
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
)

// again follows a look at what the peers have announced: what they say meanwhile is newer than the look, or will be said once more.
type again struct {
	routes map[source]bool
	peers  map[netip.Addr]bool // whose sessions came or went
}

// source tells routes of different peers apart.
type source struct {
	peer netip.Addr
	Key
}

func (a *again) update(u *Update) {
	if a == nil {
		return
	}
	for _, k := range u.Withdrawn {
		a.routes[source{u.Peer, k}] = true
	}
	for i := range u.Announced {
		a.routes[source{u.Peer, u.Announced[i].Key}] = true
	}
}

func (a *again) peerState(p PeerState) {
	if a != nil {
		a.peers[p.Peer] = true
	}
}

// Again has the handler told once more, by Update, of all routes that the established peers hold announced with one of the targets,
// as if they had just announced them: for a handler that let them pass when they came. It takes time in proportion to all
// routes received; other events go on meanwhile. A session that comes or goes during the call tells its routes itself.
func (s *Speaker) Again(targets []RouteTarget) {
	s.againMu.Lock()
	defer s.againMu.Unlock()
	var seen *again
	if !s.server.Between(func() {
		seen = &again{routes: map[source]bool{}, peers: map[netip.Addr]bool{}}
		s.events.again = seen
	}) {
		return // closed
	}
	defer s.server.Between(func() { s.events.again = nil })
	for _, peer := range s.server.Established() {
		paths, err := s.server.Received(peer, EVPN)
		if err != nil {
			continue // it has just been removed
		}
		routes := s.events.wanted(paths, targets)
		s.server.Between(func() {
			u := Update{Peer: peer, Announced: slices.DeleteFunc(routes, func(r Route) bool { return seen.routes[source{peer, r.Key}] })}
			if len(u.Announced) > 0 && !seen.peers[peer] {
				s.events.h.Update(u)
			}
		})
	}
}

// wanted decodes the paths that can be used and have one of the targets.
func (e *events) wanted(paths []*apiutil.Path, targets []RouteTarget) (routes []Route) {
	for _, p := range paths {
		key, data, err := decodeKey(p.Nlri)
		if err != nil {
			continue
		}
		a := decodeAttributes(p.Attrs)
		r, err := a.decode(key, data)
		if err != nil || slices.Contains(r.ASPath, e.asn) {
			continue
		}
		if slices.ContainsFunc(r.Targets, func(t RouteTarget) bool { return slices.Contains(targets, t) }) {
			routes = append(routes, r)
		}
	}
	return routes
}
