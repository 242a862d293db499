package vbr

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/openvbr/openvbr/bgp"
)

// hearFirst is how long a new session's peer is told nothing while it has not said End-of-RIB: as peers without graceful restart never do. FRR
// takes a second to say what it has (its coalesce-time).
const hearFirst = 3 * time.Second

// A peer whose session is new, or comes back with its line, is heard out before it is told of the VPC: what it sends at once would come by a line
// on which its own prefixes are not routed yet, and be dropped (rp_filter), while other ways of its serve. A restart on either side is another
// matter: routes are in place then, and held until End-of-RIB (RFC 4724).

// withWaits makes those peers wait that are not to be told yet when the speaker gets to know them; r.mu is held.
func (r *router) withWaits(peers []bgp.Peer) []bgp.Peer {
	for i := range peers {
		s := r.sessions[peers[i].Address]
		peers[i].Wait = s != nil && s.untold
	}
	return peers
}

// handed notes whom the speaker is given as peers with a session: all others are to be heard out when it gets them again.
func (r *router) handed(peers []bgp.Peer) {
	r.peers = make([]netip.Addr, len(peers))
	for i, p := range peers {
		r.peers[i] = p.Address
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for peer, s := range r.sessions {
		if !slices.Contains(r.peers, peer) {
			s.untold, s.ending = true, s.up
		}
	}
}

// dueToTell are the peers that wait and need not any longer: they have said all they have, or had the time for it.
func (r *router) dueToTell(now time.Time) (peers []netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for peer, s := range r.sessions {
		if s.untold && s.up && !s.ending && (s.synced || now.Sub(r.records.sessions[peer].since) >= hearFirst) {
			peers = append(peers, peer)
		}
	}
	return peers
}

// tell has these peers be told of the VPC. What they said is in the kernel.
func (r *router) tell(ctx context.Context, speaker speaker, peers []netip.Addr) {
	for _, peer := range peers {
		if err := speaker.Tell(ctx, peer); err != nil {
			r.log.Warn("a peer is not told of the VPC yet", "peer", peer, "err", err) // and is tried again
			continue
		}
		r.mu.Lock()
		if s := r.sessions[peer]; s != nil {
			s.untold = false
		}
		r.mu.Unlock()
	}
}
