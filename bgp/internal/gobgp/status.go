package gobgp

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/api"
)

// countShare bounds what Status costs: GoBGP walks a peer's routes to tell its counters, so after a walk comes a pause of so many times its length,
// and of a second at least.
const countShare = 20

// counted is what the last walk over GoBGP's peers found. Only the watchdog's goroutine walks.
type counted struct {
	ask chan struct{} // for a walk; capacity 1

	mu    sync.Mutex
	peers map[netip.Addr]count
	next  time.Time     // not before
	done  chan struct{} // closed by the end of the next walk
}

type count struct {
	local           netip.Addr
	received, sent  Messages
	hold, keepalive time.Duration
}

func newCounted() counted {
	return counted{ask: make(chan struct{}, 1), done: make(chan struct{})}
}

// walk looks at GoBGP's peers and keeps their counters.
func (s *Server) walk(ctx context.Context) {
	began := time.Now()
	peers := make(map[netip.Addr]count)
	_ = s.bgp.ListPeer(ctx, &api.ListPeerRequest{}, func(p *api.Peer) {
		a, err := netip.ParseAddr(p.State.NeighborAddress)
		if err != nil {
			return
		}
		local, _ := netip.ParseAddr(p.Transport.LocalAddress)
		peers[a] = count{
			local:    local,
			received: s.heardOf(a).correct(messages(p.State.Messages.Received)), sent: s.heardOf(a).correctSent(messages(p.State.Messages.Sent)),
			hold:      time.Duration(p.Timers.State.NegotiatedHoldTime) * time.Second,
			keepalive: time.Duration(p.Timers.State.KeepaliveInterval) * time.Second,
		}
	})
	c := &s.counted
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peers, c.next = peers, time.Now().Add(max(time.Second, countShare*time.Since(began)))
	close(c.done)
	c.done = make(chan struct{})
}

// counts are the counters of the last walk, or of a new one if that comes to its end within the time.
func (c *counted) counts(within time.Duration) map[netip.Addr]count {
	c.mu.Lock()
	peers, done, fresh := c.peers, c.done, time.Now().Before(c.next)
	c.mu.Unlock()
	if fresh {
		return peers
	}
	select {
	case c.ask <- struct{}{}:
	default:
	}
	limit := time.NewTimer(within)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peers
}

// Status is a snapshot of all configured neighbours, sorted by address. It returns within the time: counters of messages may then be those of
// a few seconds ago.
func (s *Server) Status(within time.Duration) []PeerStatus {
	counts := s.counted.counts(within)
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	var l []PeerStatus
	for _, a := range slices.SortedFunc(maps.Keys(s.sessions), netip.Addr.Compare) {
		if x := s.sessions[a]; x.configured {
			l = append(l, s.snapshot(a, x, counts[a]))
		}
	}
	return l
}

// snapshot needs stateMu.
func (s *Server) snapshot(a netip.Addr, x *session, c count) PeerStatus {
	st := PeerStatus{
		Peer: a, LocalAddress: x.conf.LocalAddress, ASN: x.conf.ASN, LocalASN: x.conf.LocalASN, RouterID: x.routerID,
		State: x.state, Since: x.since, Reason: x.reason, Sessions: x.count,
		HoldTime: x.conf.HoldTime, KeepaliveInterval: x.conf.KeepaliveInterval, Families: x.conf.Families,
		Authenticated: x.secured, Received: c.received, Sent: c.sent,
	}
	if st.LocalASN == 0 {
		st.LocalASN = s.cfg.ASN
	}
	if st.Since.IsZero() {
		st.Since = x.added
	}
	if !x.up {
		return st
	}
	st.Families, st.GracefulRestart = x.families, x.gr
	if c.local.IsValid() && !c.local.IsUnspecified() {
		st.LocalAddress = c.local
	}
	if c.hold > 0 {
		st.HoldTime, st.KeepaliveInterval = c.hold, c.keepalive
	}
	return st
}

// configured notes a neighbour's configuration for snapshots.
func (s *Server) configured(n Neighbour) {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	if x := s.sessions[n.Address]; x != nil {
		x.secured = n.Password != ""
		n.Password = ""
		x.conf = n
	}
}
