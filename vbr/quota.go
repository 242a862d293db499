package vbr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/openvbr/openvbr/bgp"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/events"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/rib"
)

// quotaLevel is how a peer's routes of a family stand against its quota.
type quotaLevel uint8

const (
	quotaFine quotaLevel = iota
	quotaNear            // 80 percent are used, or were, and it is not below 70 yet
	quotaOver            // there are more than places, or were, and it is not below 95 percent yet
)

// event is the id of the event that a peer has come to a level.
func (l quotaLevel) event() string {
	return [...]string{quotaFine: events.QuotaClear, quotaNear: events.QuotaWarn, quotaOver: events.QuotaExceeded}[l]
}

// levelOf says how n routes stand against a limit, 0 for none, after they stood as was says: going down takes more than going up.
func levelOf(was quotaLevel, n, limit int) quotaLevel {
	switch {
	case limit == 0:
		return quotaFine
	case n > limit || was == quotaOver && n*100 >= limit*95:
		return quotaOver
	case n*100 >= limit*80 || was >= quotaNear && n*100 >= limit*70:
		return quotaNear
	}
	return quotaFine
}

const (
	// againPause is the least time between two times that a peer is asked to repeat its routes; what takes long is asked for less often.
	againPause = 30 * time.Second
	againShare = 20        // the asking takes at most one of so many parts of the time
	mutePause  = time.Hour // and that long for one that does not repeat its routes
	// A peer that announces so many times its quota, and at least leastCeiling, is cut off whatever the action: none is kept, but reading them takes time.
	ceilingFactor = 100
	leastCeiling  = 100_000
)

// ceiling is how many routes a peer may announce before its session ends; 0: any number.
func (x *peerRules) ceiling() int {
	if x.Quota == 0 || x.QuotaAction == intent.QuotaWarn {
		return 0
	}
	return max(ceilingFactor*int(x.Quota), leastCeiling)
}

// quotaTurn is what has to be done for quotas, found under the lock and done without.
type quotaTurn struct {
	notes []quotaNote
	again []netip.Addr // to be asked again
	peers bool         // other peers are let in
}

type quotaNote struct {
	peer  netip.Addr
	level quotaLevel
	text  string
}

// watchQuotas says once when a peer comes near its quota, goes beyond it or is well within it again, and does what its rules say.
func (r *router) watchQuotas(ctx context.Context, speaker speaker, now time.Time) {
	var turn quotaTurn
	r.mu.Lock()
	for peer, s := range r.sessions {
		r.watchQuota(&turn, peer, s, now)
	}
	r.mu.Unlock()
	for _, n := range turn.notes {
		r.noteAs(n.level.event(), vbrv1.Event_TYPE_ROUTE_QUOTA, n.peer.String(), n.text)
	}
	if turn.peers {
		r.setPeers(speaker, r.peersNow(r.spec))
	}
	for _, peer := range turn.again {
		r.askAgain(ctx, speaker, peer)
	}
}

// watchQuota looks at one session; r.mu is held.
func (r *router) watchQuota(turn *quotaTurn, peer netip.Addr, s *session, now time.Time) {
	if !s.downUntil.IsZero() {
		if !now.Before(s.downUntil) {
			s.downUntil, s.exact = time.Time{}, 0
			turn.peers = true
		}
		return
	}
	if !s.up {
		return
	}
	over := 0 // routes of a family with too many
	for family := range s.levels {
		use := r.rib.QuotaUse(s.source, family == 1)
		n := use.Used + use.Over + use.Forgotten
		level := levelOf(s.levels[family], n, use.Limit)
		if level != s.levels[family] {
			s.levels[family] = level
			turn.notes = append(turn.notes, quotaNote{peer, level, quotaText(level, family == 1, n, use, s.rules.QuotaAction)})
		}
		if n > use.Limit && use.Limit > 0 {
			over = n
		}
	}
	received, ceiling := r.rib.Counts(s.source).Received, s.rules.ceiling()
	beyond := ceiling > 0 && received > ceiling
	switch {
	case over > 0 && s.rules.QuotaAction == intent.QuotaTeardown:
		r.cutOff(turn, peer, s, now, fmt.Sprintf("%d routes are more than its route_quota of %d", over, s.rules.Quota))
	case beyond && s.exact > ceiling:
		r.cutOff(turn, peer, s, now, fmt.Sprintf("%d routes are more than anything its route_quota of %d lets expect", received, s.rules.Quota))
	case (beyond || r.rib.Incomplete(s.source)) && now.After(s.again):
		turn.again = append(turn.again, peer)
	}
}

// cutOff keeps a session down for a while; r.mu is held.
func (r *router) cutOff(turn *quotaTurn, peer netip.Addr, s *session, now time.Time, why string) {
	s.downUntil = now.Add(s.rules.QuotaRestart)
	turn.peers = true
	turn.notes = append(turn.notes, quotaNote{peer, quotaOver, fmt.Sprintf("%s: the session ends for %s", why, s.rules.QuotaRestart)})
}

func quotaText(level quotaLevel, six bool, n int, use rib.QuotaUse, action string) string {
	text := fmt.Sprintf("%d %s routes of %d", n, familyName(six), use.Limit)
	switch level {
	case quotaFine:
		return text + ": well within route_quota again"
	case quotaNear:
		return text + ": near route_quota"
	}
	switch action {
	case intent.QuotaWarn:
		return text + ": over route_quota; all are accepted"
	case intent.QuotaTeardown:
		return text + ": over route_quota"
	}
	return fmt.Sprintf("%s: over route_quota; %d are accepted, %d wait, %d are not kept", text, use.Used, use.Over, use.Forgotten)
}

// admitted are the peers of a spec but for those kept down and those whose line is down; r.mu is held.
func (r *router) admitted(s *spec) (peers []bgp.Peer) {
	for _, p := range s.bgpPeers() {
		if x := r.sessions[p.Address]; x == nil || x.downUntil.IsZero() && !r.lineIsDown(x) {
			peers = append(peers, p)
		}
	}
	return peers
}

// askAgain has a peer repeat what it has told, since some of it was not kept and there is room for it now.
func (r *router) askAgain(ctx context.Context, speaker speaker, peer netip.Addr) {
	err := speaker.Refresh(ctx, peer)
	r.log.Info("routes that were beyond the quota are asked for again", "peer", peer, "err", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.sessions[peer]; s != nil {
		s.again = time.Now().Add(againPause)
		if errors.Is(err, bgp.ErrNoRefresh) { // nobody will know better
			s.exact, s.again = r.rib.Counts(s.source).Received, time.Now().Add(mutePause)
		}
	}
}

// counted notes how many routes a peer really has, when it has repeated all; r.mu is held.
func (r *router) counted(s *session, now time.Time) {
	s.exact = r.rib.Counts(s.source).Received
	s.again = now.Add(againPause)
	if took := now.Sub(s.askedAt); took < time.Hour {
		s.again = now.Add(max(againPause, againShare*took))
	}
}

// letIn ends the time for which sessions are kept down, of these peers; r.mu is held.
func (r *router) letIn(peers []netip.Addr) {
	for _, a := range peers {
		if s := r.sessions[a]; s != nil && !s.downUntil.IsZero() {
			s.downUntil = time.Unix(0, 0)
		}
	}
}

// quotaStatus fills in how a session stands against its quota, and what judges its routes; r.mu is held.
func (r *router) quotaStatus(b *vbrv1.BgpSession, s *session) {
	b.RouteQuota, b.ImportPolicy, b.ExportPolicy, b.HeldDownUntil = s.rules.Quota, s.rules.importName(), s.rules.exportName(), stamp(s.downUntil)
	for _, six := range []bool{false, true} {
		use := r.rib.QuotaUse(s.source, six)
		b.RouteQuotaUsed += uint32(use.Used)
		b.RouteQuotaOver += uint32(use.Over + use.Forgotten)
		b.ForgottenRouteCount += uint32(use.Unkept())
	}
}

// overflowing says whose routes of a family are not all kept, since they are beyond the quota; r.mu is held.
func (r *router) overflowing(six bool) (out []string) {
	for i := range r.spec.peers {
		s := r.sessions[r.spec.peers[i].Address]
		if s == nil {
			continue
		}
		if use := r.rib.QuotaUse(s.source, six); use.Unkept() > 0 {
			out = append(out, fmt.Sprintf("%s is far over its route_quota of %d, and about %d of its routes are not kept", r.spec.peers[i].Address, use.Limit, use.Unkept()))
		}
	}
	return out
}
