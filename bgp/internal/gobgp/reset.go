package gobgp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Refresher is what an Events may also be, to take in again what a peer has told.
type Refresher interface {
	// BeginRefresh: Again will repeat all that the peer has told and not withdrawn. With false nothing is repeated.
	BeginRefresh(peer netip.Addr) bool
	// Again is Paths, of what it has had before.
	Again(peer netip.Addr, paths []*apiutil.Path)
	// EndRefresh: what was not repeated, the peer does not offer. It does not come when the repetition broke off.
	EndRefresh(peer netip.Addr)
}

// ErrNotUp says that a neighbour has no established session.
var ErrNotUp = errors.New("no established session")

// Reset ends a neighbour's session by a Cease with the subcode Administrative Reset (RFC 4486 4). It comes up again after five
// seconds or when the peer dials. The peer is told why (RFC 9003).
func (s *Server) Reset(ctx context.Context, a netip.Addr, why string) error {
	if !s.isUp(a) {
		return ErrNotUp
	}
	if err := s.bgp.ResetPeer(ctx, &api.ResetPeerRequest{Address: a.String(), Communication: why}); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	return nil
}

// Refresh tells a neighbour all again, and takes in again all that it has told, without an interruption. GoBGP cannot ask for it
// (RFC 2918), but has kept it: what the peer says now, had it been asked, it has said before.
func (s *Server) Refresh(ctx context.Context, a netip.Addr) error {
	if !s.isUp(a) {
		return ErrNotUp
	}
	if err := s.repeatIn(a); err != nil {
		return fmt.Errorf("take in again: %w", err)
	}
	s.opMu.Lock()
	defer s.opMu.Unlock()
	err := s.bgp.ResetPeer(ctx, &api.ResetPeerRequest{Address: a.String(), Soft: true, Direction: api.ResetPeerRequest_DIRECTION_OUT})
	if err != nil {
		return fmt.Errorf("tell again: %w", err)
	}
	return nil
}

// repeatIn hands up the neighbour's Adj-RIB-In. No other call is made meanwhile: what GoBGP has taken in before the copy was made may be
// handed up after it, in order, which ends in the same.
func (s *Server) repeatIn(a netip.Addr) error {
	r, ok := s.events.(Refresher)
	if !ok {
		return nil
	}
	s.callMu.Lock()
	defer s.callMu.Unlock()
	if s.closed || !s.isUp(a) || !r.BeginRefresh(a) {
		return nil
	}
	for _, f := range s.familiesOf(a).list() {
		err := s.bgp.ListPath(apiutil.ListPathRequest{
			TableType: api.TableType_TABLE_TYPE_ADJ_IN, Name: a.String(), Family: f,
		}, func(_ packet.NLRI, paths []*apiutil.Path) {
			for i := range paths {
				if !s.closing.Load() {
					r.Again(a, paths[i:i+1])
				}
			}
		})
		if err != nil {
			return err
		}
	}
	if !s.closing.Load() {
		r.EndRefresh(a)
	}
	return nil
}

// familiesOf are the families of a neighbour's session.
func (s *Server) familiesOf(a netip.Addr) Families {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	if x := s.sessions[a]; x != nil {
		return x.families
	}
	return 0
}
