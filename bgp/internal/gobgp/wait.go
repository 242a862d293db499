package gobgp

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/osrg/gobgp/v4/api"
)

// waiting names the policy that keeps all we originate from neighbours that wait, and the set of these. GoBGP takes an empty set to match
// everybody: nobody is in it always.
const (
	waiting = "waiting"
	nobody  = "255.255.255.255/32"
)

// wait has a neighbour that is about to be added be told nothing before Tell; configMu is held.
func (s *Server) wait(a netip.Addr) error {
	if s.waits == nil {
		if err := s.waitPolicy(); err != nil {
			return fmt.Errorf("export policy: %w", err)
		}
		s.waits = make(map[netip.Addr]bool)
	}
	if s.waits[a] {
		return nil
	}
	s.waits[a] = true
	return s.bgp.AddDefinedSet(context.Background(), &api.AddDefinedSetRequest{DefinedSet: waitSet(hostPrefix(a))})
}

// endWait lets a neighbour be told, from now on, and says whether it waited; configMu is held.
func (s *Server) endWait(a netip.Addr) (waited bool, err error) {
	if !s.waits[a] {
		return false, nil
	}
	delete(s.waits, a)
	return true, s.bgp.DeleteDefinedSet(context.Background(), &api.DeleteDefinedSetRequest{DefinedSet: waitSet(hostPrefix(a))})
}

// Tell tells a neighbour that waits all that we originate, now if its session is up and from then on. One that does not wait is not told again.
func (s *Server) Tell(ctx context.Context, a netip.Addr) error {
	s.configMu.Lock()
	defer s.configMu.Unlock()
	waited, err := s.endWait(a)
	if err != nil {
		return fmt.Errorf("tell: %w", err)
	}
	if !waited || !s.isUp(a) {
		return nil
	}
	s.opMu.Lock()
	defer s.opMu.Unlock()
	if err := s.bgp.ResetPeer(ctx, &api.ResetPeerRequest{Address: a.String(), Soft: true, Direction: api.ResetPeerRequest_DIRECTION_OUT}); err != nil {
		return fmt.Errorf("tell: %w", err)
	}
	return nil
}

func (s *Server) waitPolicy() error {
	ctx := context.Background()
	if err := s.bgp.AddDefinedSet(ctx, &api.AddDefinedSetRequest{DefinedSet: waitSet(nobody)}); err != nil {
		return err
	}
	policy := &api.Policy{Name: waiting, Statements: []*api.Statement{{
		Name:       waiting,
		Conditions: &api.Conditions{NeighborSet: &api.MatchSet{Type: api.MatchSet_TYPE_ANY, Name: waiting}},
		Actions:    &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_REJECT},
	}}}
	if err := s.bgp.AddPolicy(ctx, &api.AddPolicyRequest{Policy: policy}); err != nil {
		return err
	}
	return s.bgp.AddPolicyAssignment(ctx, &api.AddPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
		Name:          "global",
		Direction:     api.PolicyDirection_POLICY_DIRECTION_EXPORT,
		Policies:      []*api.Policy{{Name: waiting}},
		DefaultAction: api.RouteAction_ROUTE_ACTION_ACCEPT,
	}})
}

func waitSet(neighbours ...string) *api.DefinedSet {
	return &api.DefinedSet{DefinedType: api.DefinedType_DEFINED_TYPE_NEIGHBOR, Name: waiting, List: neighbours}
}

// hostPrefix is a neighbour as a set names it.
func hostPrefix(a netip.Addr) string { return netip.PrefixFrom(a.WithZone(""), a.BitLen()).String() }
