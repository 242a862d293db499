package gobgp

import (
	"cmp"
	"context"
	"net/netip"
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
			s.walk(ctx)
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

func messages(m *api.Message) Messages {
	return Messages{
		Total: m.GetTotal(), Opens: m.GetOpen(), Updates: m.GetUpdate(),
		Notifications: m.GetNotification(), Keepalives: m.GetKeepalive(), Refreshes: m.GetRefresh(),
	}
}
