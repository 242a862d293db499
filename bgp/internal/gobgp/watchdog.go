package gobgp

import (
	"cmp"
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/api"
)

const (
	// beginEvery is how often the watchdog looks whether a peer may be told that GoBGP says no word about.
	beginEvery = 500 * time.Millisecond
	// reasonEvery is how often new reasons for sessions that are down are looked for.
	reasonEvery = 2 * time.Second
)

// watch runs what has to happen by the clock, until ctx ends.
func (s *Server) watch(ctx context.Context) {
	s.stood.look(time.Now())
	look, reasons := time.NewTicker(beginEvery), time.NewTicker(reasonEvery)
	defer look.Stop()
	defer reasons.Stop()
	defer s.far.close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.counted.ask:
			s.walk(ctx)
		case now := <-reasons.C:
			s.reportReasons(now)
		case <-look.C:
			s.stood.look(time.Now())
			s.tells.beginDue()
		}
	}
}

// standstill tells of a process that did not run for a while: it was stopped, or starved. Hold times that are over by that say nothing of the peers.
type standstill struct {
	mu         sync.Mutex
	last, over time.Time // of the last look, and of the last end of a standstill
}

const (
	// standstillLeast is shorter than any hold time (RFC 4271 4.2), and much longer than beginEvery.
	standstillLeast = 2 * time.Second
	// standstillLasts is how long after one sessions may end by it.
	standstillLasts = 5 * time.Second
)

// look is called every beginEvery.
func (s *standstill) look(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && now.Sub(s.last) >= standstillLeast {
		s.over = now
	}
	s.last = now
}

// just tells whether there was one that may have ended a session now.
func (s *standstill) just(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.last.IsZero() && now.Sub(s.last) >= standstillLeast || !s.over.IsZero() && now.Sub(s.over) < standstillLasts
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

func messages(m *api.Message) Messages {
	return Messages{
		Total: m.GetTotal(), Opens: m.GetOpen(), Updates: m.GetUpdate(),
		Notifications: m.GetNotification(), Keepalives: m.GetKeepalive(), Refreshes: m.GetRefresh(),
	}
}
