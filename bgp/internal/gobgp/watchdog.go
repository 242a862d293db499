package gobgp

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/api"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

const (
	// backlogEvery is how often the watchdog looks at what waits to be sent.
	backlogEvery = 500 * time.Millisecond
	// queuedOctets is what a change that waits takes up: GoBGP keeps a path with attributes of its own for each peer.
	queuedOctets = 1 << 11
	// reasonEvery is how often new reasons for sessions that are down are looked for.
	reasonEvery = 2 * time.Second
)

// watch runs what has to happen by the clock, until ctx ends.
func (s *Server) watch(ctx context.Context) {
	look, reasons := time.NewTicker(backlogEvery), time.NewTicker(reasonEvery)
	defer look.Stop()
	defer reasons.Stop()
	defer s.far.close()
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
			s.cutBacklogs()
			s.forgetChanges(now)
		}
	}
}

// reportReasons hands up what only the log, or a look at the packets, tells: why a connection cannot be made.
func (s *Server) reportReasons(now time.Time) {
	s.lookFar(now)
	for _, a := range s.down() {
		s.report(a, cmp.Or(s.far.reason(a, now), s.notes.lastReason(a.String())), now)
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

// forgetChanges gives back what settle has no use for any more.
func (s *Server) forgetChanges(now time.Time) {
	if s.opMu.TryLock() { // held for as long as changes are made
		s.recent.prune(now)
		s.opMu.Unlock()
	}
}

// cutBacklogs ends the sessions of peers for which too much waits. GoBGP would queue for them without end.
func (s *Server) cutBacklogs() {
	for _, c := range s.door.sessions() {
		if backlog(c.machine)*queuedOctets > s.cfg.SendQueue {
			c.cut(wire.Verdict{Code: 6, Subcode: 8, Why: "takes data too slowly"}) // RFC 4486 4: out of resources
		}
	}
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
