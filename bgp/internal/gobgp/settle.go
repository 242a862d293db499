package gobgp

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// When a session comes up, GoBGP sends the new peer its table, reports the session, and only
// then marks it as established; what is advertised or withdrawn between the first and the last of
// these never reaches that peer. The gap is microseconds, or a scheduling delay. So changes
// made shortly after a session came up are made once more a little later.

// settleWindow is how long after its report a session may still not be marked.
const settleWindow = 100 * time.Millisecond

// recent remembers the changes of the last moments, oldest first.
type recent struct {
	ops []op
}

type op struct {
	at   time.Time
	path *apiutil.Path
}

func (r *recent) record(now time.Time, paths []*apiutil.Path) {
	r.prune(now)
	for _, p := range paths {
		r.ops = append(r.ops, op{now, p})
	}
}

// prune forgets what no later session can have missed.
func (r *recent) prune(now time.Time) {
	keep := 0
	for keep < len(r.ops) && now.Sub(r.ops[keep].at) > 10*settleWindow {
		keep++
	}
	if keep == len(r.ops) {
		r.ops = nil
		return
	}
	r.ops = r.ops[keep:]
}

// missed lists the changes made from first until the window after last that are still the last
// word about their route.
func (r *recent) missed(first, last time.Time) (add, del []*apiutil.Path) {
	risky := func(o op) bool { return !o.at.Before(first) && o.at.Sub(last) <= settleWindow }
	if !slices.ContainsFunc(r.ops, risky) {
		return nil, nil
	}
	final := make(map[string]int, len(r.ops))
	for i, o := range r.ops {
		final[o.route()] = i
	}
	for i, o := range r.ops {
		switch {
		case !risky(o) || final[o.route()] != i:
		case o.path.Withdrawal:
			del = append(del, o.path)
		default:
			add = append(add, o.path)
		}
	}
	return add, del
}

func (o op) route() string { return o.path.Family.String() + " " + o.path.Nlri.String() }

// ups collects the sessions that came up, for the goroutine that settles.
type ups struct {
	mu          sync.Mutex
	peers       []netip.Addr
	first, last time.Time
	kick        chan struct{}
}

func (u *ups) note(peer netip.Addr, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.peers) == 0 {
		u.first = at
	}
	u.peers, u.last = append(u.peers, peer), at
	select {
	case u.kick <- struct{}{}:
	default:
	}
}

// take returns what was collected once its window is over; before that, how long to wait.
func (u *ups) take(now time.Time) (peers []netip.Addr, first, last time.Time, wait time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.peers) == 0 {
		return
	}
	if wait = u.last.Add(settleWindow).Sub(now); wait > 0 {
		return
	}
	peers, u.peers = u.peers, nil
	return peers, u.first, u.last, 0
}

// settleSoon waits out the window and repeats what sessions that came up may have missed.
func (s *Server) settleSoon(ctx context.Context) {
	for {
		peers, first, last, wait := s.ups.take(time.Now())
		if wait <= 0 {
			if len(peers) > 0 {
				s.settle(ctx, peers, first, last)
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// settle repeats changes. The table is sent again to the peers that may have missed an addition;
// adding the same once more would not send it. A withdrawal can only be repeated by advertising
// the route for a moment.
func (s *Server) settle(ctx context.Context, peers []netip.Addr, first, last time.Time) {
	s.opMu.Lock()
	defer s.opMu.Unlock()
	add, del := s.recent.missed(first, last)
	s.recent.prune(time.Now())
	var errs []error
	for b := range slices.Chunk(del, batch) {
		errs = append(errs, s.addBatch(revived(b)), s.deleteBatch(b))
	}
	for _, a := range peers {
		if len(add) > 0 {
			errs = append(errs, s.bgp.ResetPeer(ctx, &api.ResetPeerRequest{
				Address: a.String(), Soft: true, Direction: api.ResetPeerRequest_DIRECTION_OUT,
			}))
		}
	}
	if err := errors.Join(errs...); err != nil {
		s.log.Debug("repeating changes after a session came up", "err", err)
	}
}

// revived makes announcements of withdrawals, with nothing but a next hop.
func revived(del []*apiutil.Path) []*apiutil.Path {
	out := make([]*apiutil.Path, len(del))
	for i, p := range del {
		c := *p
		c.Withdrawal = false
		c.Attrs = []packet.PathAttributeInterface{packet.NewPathAttributeOrigin(packet.BGP_ORIGIN_ATTR_TYPE_INCOMPLETE)}
		for _, a := range p.Attrs {
			if a.GetType() == packet.BGP_ATTR_TYPE_NEXT_HOP {
				c.Attrs = append(c.Attrs, a)
			}
		}
		out[i] = &c
	}
	return out
}
