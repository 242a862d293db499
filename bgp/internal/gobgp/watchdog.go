package gobgp

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/api"
)

const (
	// watchEvery is how often the watchdog looks. It costs a walk over each peer's routes.
	watchEvery = 10 * time.Second
	// reasonEvery is how often new reasons for sessions that are down are looked for.
	reasonEvery = 2 * time.Second
	// stallAfter is how long a peer may take nothing of what is sent to it. At least one
	// keepalive is due in that time. RFC 9687 has the same idea.
	stallAfter = 30 * time.Second
)

// watch runs what has to happen by the clock, until ctx ends.
func (s *Server) watch(ctx context.Context) {
	look, reasons := time.NewTicker(s.cfg.watchEvery), time.NewTicker(reasonEvery)
	defer look.Stop()
	defer reasons.Stop()
	stalls := map[netip.Addr]*progress{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.ups.kick:
			s.settleSoon(ctx)
		case <-s.counted.ask:
			s.walk(ctx, func(netip.Addr, *api.Peer) {})
		case now := <-reasons.C:
			s.reportReasons(now)
		case now := <-look.C:
			s.cutStalled(ctx, now, stalls)
		}
	}
}

// reportReasons hands up what only the log tells: why a connection cannot be made.
func (s *Server) reportReasons(now time.Time) {
	for _, a := range s.down() {
		s.report(a, s.notes.lastReason(a.String()), now)
	}
}

// down lists the configured neighbours without a session.
func (s *Server) down() []netip.Addr {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	var l []netip.Addr
	for a, x := range s.sessions {
		if x.configured && !x.up {
			l = append(l, a)
		}
	}
	return l
}

// progress follows how many messages were sent to a peer on one session.
type progress struct {
	up    time.Time // since when the session is
	sent  uint64
	since time.Time
}

// stalled takes a new count and reports whether nothing was sent for longer than limit, on a session that is up since the time given.
func (p *progress) stalled(now, up time.Time, sent uint64, limit time.Duration) bool {
	if p.since.IsZero() || sent != p.sent || !up.Equal(p.up) {
		p.up, p.sent, p.since = up, sent, now
		return false
	}
	return now.Sub(p.since) > limit
}

// cutStalled resets the sessions of peers that do not read: GoBGP would queue for them without
// end, and slow down the others.
func (s *Server) cutStalled(ctx context.Context, now time.Time, stalls map[netip.Addr]*progress) {
	maps.DeleteFunc(stalls, func(a netip.Addr, _ *progress) bool { return s.upSince(a).IsZero() }) // removed
	s.walk(ctx, func(a netip.Addr, p *api.Peer) {
		hold := time.Duration(p.Timers.State.NegotiatedHoldTime) * time.Second
		if p.State.SessionState != api.PeerState_SESSION_STATE_ESTABLISHED || hold == 0 {
			delete(stalls, a)
			return
		}
		if stalls[a] == nil {
			stalls[a] = &progress{}
		}
		limit := max(s.cfg.stallAfter, 3*time.Duration(p.Timers.State.KeepaliveInterval)*time.Second)
		if !stalls[a].stalled(now, s.upSince(a), p.State.Messages.Sent.Total, limit) {
			return
		}
		delete(stalls, a)
		s.log.Warn("peer takes no data, resetting its session", "peer", a, "after", limit)
		if err := s.bgp.ResetPeer(ctx, &api.ResetPeerRequest{Address: a.String(), Communication: "you do not read"}); err != nil {
			s.log.Debug("reset of a peer that does not read", "peer", a, "err", err)
		}
	})
}

// upSince is when the neighbour's session came up, or went down.
func (s *Server) upSince(a netip.Addr) time.Time {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	if x := s.sessions[a]; x != nil {
		return x.since
	}
	return time.Time{}
}

// Peers is a snapshot of all configured neighbours, sorted by address. It walks their routes: ask
// at a human's pace.
func (s *Server) Peers() []PeerStatus {
	var l []PeerStatus
	_ = s.bgp.ListPeer(context.Background(), &api.ListPeerRequest{}, func(p *api.Peer) {
		if st, ok := s.status(p); ok {
			l = append(l, st)
		}
	})
	slices.SortFunc(l, func(a, b PeerStatus) int { return a.Peer.Compare(b.Peer) })
	return l
}

func (s *Server) status(p *api.Peer) (PeerStatus, bool) {
	a, err := netip.ParseAddr(p.State.NeighborAddress)
	if err != nil {
		return PeerStatus{}, false
	}
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	x := s.sessions[a]
	if x == nil {
		return PeerStatus{}, false
	}
	st := PeerStatus{
		Peer: a, ASN: p.Conf.PeerAsn, LocalASN: p.Conf.LocalAsn, RouterID: x.routerID,
		State: x.state, Since: x.since, Reason: x.reason, Sessions: x.count,
		Families: x.families, GracefulRestart: x.gr,
		Authenticated: p.Conf.AuthPassword != "",
		Received:      messages(p.State.Messages.Received), Sent: messages(p.State.Messages.Sent),
		Prefixes: map[Families]uint64{},
	}
	if st.Since.IsZero() {
		st.Since = x.added
	}
	st.LocalAddress, _ = netip.ParseAddr(p.Transport.LocalAddress)
	if x.up {
		st.HoldTime = time.Duration(p.Timers.State.NegotiatedHoldTime) * time.Second
		st.KeepaliveInterval = time.Duration(p.Timers.State.KeepaliveInterval) * time.Second
	}
	for _, k := range known {
		for _, af := range p.AfiSafis {
			f := af.GetConfig().GetFamily()
			if uint16(f.GetAfi()) == k.family.Afi() && uint8(f.GetSafi()) == k.family.Safi() {
				st.Prefixes[k.set] = af.GetState().GetReceived()
			}
		}
	}
	return st, true
}

func messages(m *api.Message) Messages {
	return Messages{
		Total: m.GetTotal(), Opens: m.GetOpen(), Updates: m.GetUpdate(),
		Notifications: m.GetNotification(), Keepalives: m.GetKeepalive(), Refreshes: m.GetRefresh(),
	}
}
