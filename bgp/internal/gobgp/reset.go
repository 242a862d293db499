package gobgp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/api"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

const (
	// refreshQuiet is how long no UPDATE comes when a peer has repeated all. RFC 2918 has no mark for the end.
	refreshQuiet = 2 * time.Second
	// refreshWithin is how long a peer may take to repeat all: one that never pauses has no end of it.
	refreshWithin = 5 * time.Minute
)

// Refresher is what an Events may also be, to know when a peer repeats what it has told.
type Refresher interface {
	// BeginRefresh: the peer will be asked to repeat all, and does so by UPDATEs as any others. With false it is not asked.
	BeginRefresh(peer netip.Addr) bool
	// EndRefresh: the peer has said nothing for two seconds, so it has repeated all, or has had five minutes for it. It does not come when the session ends before.
	EndRefresh(peer netip.Addr)
}

var (
	// ErrNotUp says that a neighbour has no established session.
	ErrNotUp = errors.New("no established session")
	// ErrNoRefresh says that a neighbour has not offered to repeat its routes.
	ErrNoRefresh = errors.New("it does not repeat its routes when asked (RFC 2918); a reset of its session does it")
)

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

// Refresh tells a neighbour all again, and asks it to do the same, without an interruption. It does not wait for the answer.
func (s *Server) Refresh(a netip.Addr) error {
	c := s.connOf(a)
	if c == nil {
		return ErrNotUp
	}
	c.again(c.session.Families...)
	return s.ask(c)
}

// ask has a peer asked for its routes (RFC 2918 3), unless it has been and has not come to an end.
func (s *Server) ask(c *conn) error {
	r, ok := s.events.(Refresher)
	if !ok {
		return nil
	}
	c.event(func() {
		if c.session.Refresh && !c.asking.Load() && r.BeginRefresh(c.peer) {
			c.asking.Store(true)
			s.wg.Go(func() { c.repeated(r) })
		}
	})
	if !c.session.Refresh {
		return ErrNoRefresh
	}
	return nil
}

// repeated asks and waits until all has been repeated.
func (c *conn) repeated(r Refresher) {
	defer c.asking.Store(false)
	began := time.Now()
	for _, f := range c.session.Families {
		if _, err := c.Write(wire.Refresh(f)); err != nil {
			return // the session ends
		}
	}
	look := time.NewTicker(refreshQuiet / 8)
	defer look.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-c.s.run.Done():
			return
		case now := <-look.C:
			if repeatedAll(now.Sub(began), now.Sub(time.Unix(0, c.lastUpdate.Load()))) {
				c.event(func() { r.EndRefresh(c.peer) })
				return
			}
		}
	}
}

// repeatedAll says whether a peer that was asked so long ago, and last sent an UPDATE so long ago, is taken to have repeated all.
func repeatedAll(asked, quiet time.Duration) bool {
	return asked > refreshWithin || asked > refreshQuiet && quiet > refreshQuiet
}

// connOf is the connection of a neighbour's session that is up, or nil.
func (s *Server) connOf(a netip.Addr) *conn {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	if x := s.sessions[a]; x != nil && x.up {
		return x.conn
	}
	return nil
}
