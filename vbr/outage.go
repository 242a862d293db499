package vbr

import (
	"net/netip"
	"slices"

	"github.com/openvbr/openvbr/bgp"
)

// setOut takes the router out of service as the loss of its lines would, or back into it: soon, by its actor.
//
// Out of service, its lines and router interfaces count as down: no route leads through it, the VPC hears that the customer's are gone, and packets
// that come all the same are dropped. Sessions with the customer end by Cease (Administrative Shutdown, RFC 4486), so that the customer's routers lose our routes
// at once, as they do when the line goes down or BFD says so: the mere loss of a TCP session would have them keep the routes for a restart (RFC
// 4724), which no failing line does. Devices stay up, and the router interfaces stay Active.
func (r *router) setOut(out bool) {
	r.mu.Lock()
	changed := r.out != out
	r.out = out
	r.mu.Unlock()
	if changed {
		r.records.turn.Store(true)
		poke(r.wake)
	}
}

// takeTurn has the router be out of service, or in it, as setOut says.
func (r *router) takeTurn(speaker speaker) {
	if !r.records.turn.Swap(false) {
		return
	}
	r.mu.Lock()
	r.setLinksUp(r.state)
	r.arrangeStatics(r.spec, r.state)
	r.mu.Unlock()
	r.setPeers(speaker, r.peersNow(r.spec))
}

// setPeers makes the speaker have sessions with these peers, each told the table that it is to be told, and empties those that none is told.
func (r *router) setPeers(speaker speaker, peers []bgp.Peer) {
	r.handed(peers)
	err := speaker.SetPeers(append(peers, r.keptDown(peers)...))
	if r.degrade("peers", err); err == nil {
		r.empty(speaker)
	}
}

// keptDown are the peers beside those admitted that are to have no session, with what they are told as the reason. One whose line is down is told nothing.
func (r *router) keptDown(admitted []bgp.Peer) (down []bgp.Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.spec.bgpPeers() {
		switch x := r.sessions[p.Address]; {
		case slices.ContainsFunc(admitted, func(a bgp.Peer) bool { return a.Address == p.Address }):
			continue
		case r.out:
			p.Down = bgp.AdministrativeShutdown
		case x != nil && !x.downUntil.IsZero():
			p.Down = bgp.MaximumPrefixes
		default:
			continue
		}
		down = append(down, p)
	}
	return down
}

// admit ends the sessions over lines that went down since the speaker was last given its peers, and lets in those over lines that are back. A
// session does not outlast its line: the peer's end is gone as well, or will be (FRR's and IOS's fast external failover, BIRD's "check link"), and
// what it told is no restart's to hold (RFC 4724). What is left of it would have the peer's new connection refused (RFC 4271 6.8).
func (r *router) admit(speaker speaker) {
	if peers := r.peersNow(r.spec); !slices.EqualFunc(peers, r.peers, func(p bgp.Peer, a netip.Addr) bool { return p.Address == a }) {
		r.setPeers(speaker, peers)
	}
}

// peersNow are the peers that the speaker is to have sessions with: none out of service, otherwise all that are not kept down and whose line is up.
func (r *router) peersNow(s *spec) []bgp.Peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.out {
		return nil
	}
	return r.withWaits(r.admitted(s))
}
