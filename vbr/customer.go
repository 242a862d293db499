package vbr

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/fib"
	"github.com/openvbr/openvbr/vbr/rib"
)

// session is what a router knows of one BGP session with its customer.
type session struct {
	source rib.SourceID
	line   int
	device int // of the line
	up     bool
	// synced: the peer has sent End-of-RIB since the session was last established.
	synced bool
	// untold: the peer is to be heard out before it is told of the VPC, see hearFirst.
	untold bool
	// ending: the speaker has been told to end its session, and has not said yet that it has.
	ending bool
	// staleUntil: the peer is restarting and its stale paths go then at the latest; zero when it is not.
	staleUntil time.Time
	// longLived is how long its routes may be held after that as a last resort (RFC 9494), 0 for not; lastUntil: they are.
	longLived time.Duration
	lastUntil time.Time
	// hops are the next hops the peer has used since the session came up, maxHops at most; failed are those
	// taken out of service, as it was lost, its line is down or BFD says so.
	hops   map[netip.Addr]bool
	failed []fib.NextHop
	watch  watch // what BFD says of the peer
	// told are the numbers last logged, and when.
	told   rib.Counts
	toldAt time.Time
	governed
}

// customer is the router's door for its customer's BGP speaker (bgp.Handler). Nothing here waits: paths go
// into the rib, the actor is poked.
type customer router

// Update takes in one UPDATE's prefixes of one next hop.
func (c *customer) Update(u bgp.Update) {
	r := (*router)(c)
	r.stir()
	r.mu.Lock()
	r.rib.SetNow(time.Now())
	if s := r.sessions[u.Peer]; s != nil {
		r.rib.Withdraw(s.source, 0, u.Withdrawn...)
		if len(u.Announced) > 0 {
			r.rib.Announce(s.source, 0, c.attrs(u.Peer, u.Attrs), u.Announced...)
			if len(s.hops) < maxHops {
				s.hops[u.Attrs.NextHop] = true
			}
		}
	}
	r.mu.Unlock()
	poke(r.wake)
}

// maxHops bounds the next hops that are remembered for a session, so that a peer with a whole subnet of them costs no memory. Those beyond fail
// over route by route.
const maxHops = 64

// failHops takes the next hops of a session out of service at once: one message each moves all its routes to their backups, or out of the
// kernel. r.mu is held.
func (r *router) failHops(s *session, peer netip.Addr) {
	if len(s.failed) > 0 { // they are
		return
	}
	for hop := range s.hops {
		if r.inUse(hop, s) {
			continue
		}
		nh := fib.NextHop{Gateway: hop, Device: s.device}
		s.failed = append(s.failed, nh)
		if err := r.host.fib.Fail(nh); err != nil {
			r.log.Warn("next hop not taken out of service at once", "peer", peer, "next_hop", hop, "err", err)
		}
	}
}

// inUse says whether a session other than s, which is up, also uses a next hop; r.mu is held.
func (r *router) inUse(hop netip.Addr, s *session) bool {
	for _, o := range r.sessions {
		if o != s && o.up && !o.watch.failed && o.line == s.line && o.hops[hop] {
			return true
		}
	}
	return false
}

// restore is unfailHops for a session that is lost, and forgets them.
func (r *router) restore(s *session) {
	r.unfailHops(s)
	clear(s.hops)
}

// unfailHops puts the next hops of a session back into service; r.mu is held.
func (r *router) unfailHops(s *session) {
	for _, nh := range s.failed {
		if err := r.host.fib.Restore(nh); err != nil {
			r.log.Warn("next hop not put back into service", "next_hop", nh.Gateway, "err", err)
		}
	}
	s.failed = nil
}

// PeerState takes in that a session came up, went down, or still does not come up.
func (c *customer) PeerState(p bgp.PeerState) {
	r := (*router)(c)
	r.stir()
	r.mu.Lock()
	s := r.sessions[p.Peer]
	wasUp := s != nil && s.up
	if s != nil {
		r.rib.SetNow(time.Now())
		p.Reason = r.failedReason(p.Peer, s, p)
		p.GracefulRestart.Hold = p.GracefulRestart.Hold && !s.watch.failed
		r.sessionMoved(s, p)
		r.obey(s, time.Now())
		r.sessionRecorded(p, wasUp)
	}
	r.mu.Unlock()
	logSession(r.log, "session", wasUp, p)
	noteSession(r.note, wasUp, p)
	poke(r.wake)
}

// logSession says once what happened to a session.
func logSession(log *slog.Logger, what string, wasUp bool, p bgp.PeerState) {
	switch {
	case p.Established:
		log.Info(what+" up", "peer", p.Peer, "asn", p.ASN, "peer_router_id", p.RouterID, "families", p.Families,
			"graceful_restart", p.GracefulRestart.Families)
	case wasUp:
		log.Warn(what+" down", "peer", p.Peer, "asn", p.ASN, "reason", p.Reason, "routes_held", p.GracefulRestart.Hold)
	case p.Reason != "":
		log.Info(what+" does not come up", "peer", p.Peer, "state", p.State, "reason", p.Reason)
	}
}

// sessionMoved is the helper's part of graceful restart (RFC 4724 4.2); r.mu is held.
func (r *router) sessionMoved(s *session, p bgp.PeerState) {
	wasUp := s.up
	s.up, s.ending = p.Established, false
	switch {
	case p.Established:
		s.synced = false
		s.watch.established()
		r.restore(s)
		r.rib.SetRouterID(s.source, p.RouterID)
		s.longLived = p.GracefulRestart.LongLived[boolIndex(p.Peer.Is6())]
		forwards := p.GracefulRestart.Forwarding
		if !s.lastUntil.IsZero() {
			forwards = p.GracefulRestart.LongLivedForwarding
		}
		if !forwards.Has(p.Families) { // the other end does not forward for what it lost
			r.sweepSession(s)
		}
	case !wasUp:
	case p.GracefulRestart.Hold:
		if !s.staleUntil.IsZero() && s.lastUntil.IsZero() { // it fell again before it had told all; lastUntil runs on by itself (RFC 9494 4.2)
			r.sweepSession(s)
		}
		r.rib.MarkStale(s.source)
		s.staleUntil = time.Now().Add(min(p.GracefulRestart.Time, r.host.opts.Timers.Stale))
	default:
		r.failHops(s, p.Peer) // the kernel first
		r.rib.Drop(s.source)
		s.staleUntil, s.lastUntil = time.Time{}, time.Time{}
	}
}

func (r *router) sweepSession(s *session) {
	r.rib.SweepStale(s.source, false)
	r.rib.SweepStale(s.source, true)
	s.staleUntil, s.lastUntil = time.Time{}, time.Time{}
}

// restarting says whether stale routes of the peer are held.
func (s *session) restarting() bool { return !s.staleUntil.IsZero() || !s.lastUntil.IsZero() }

// EndOfRIB takes in that the peer has told all it has (RFC 4724 2).
func (c *customer) EndOfRIB(peer netip.Addr, v6 bool) {
	r := (*router)(c)
	r.stir()
	r.log.Debug("end of rib", "peer", peer, "ipv6", v6)
	r.mu.Lock()
	r.rib.SetNow(time.Now())
	if s := r.sessions[peer]; s != nil && v6 == peer.Is6() {
		s.synced = true
		r.sweepSession(s)
	}
	r.mu.Unlock()
	poke(r.wake)
}

// BeginRefresh takes in that the peer will repeat its routes (bgp.RefreshHandler). Not while it is restarting: it repeats them then.
func (c *customer) BeginRefresh(peer netip.Addr) bool {
	r := (*router)(c)
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sessions[peer]
	if s == nil || !s.up || s.restarting() {
		return false
	}
	r.rib.Recount(s.source)
	s.askedAt = time.Now()
	return true
}

// EndRefresh takes in that all has been repeated.
func (c *customer) EndRefresh(peer netip.Addr) {
	r := (*router)(c)
	r.stir()
	r.mu.Lock()
	if s := r.sessions[peer]; s != nil && s.up {
		r.counted(s, time.Now())
	}
	r.mu.Unlock()
	poke(r.wake)
}

// expireStale sweeps what restarting peers did not announce again in time, or makes it a last resort.
func (r *router) expireStale(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rib.SetNow(now)
	for peer, s := range r.sessions {
		over := func(t time.Time) bool { return !t.IsZero() && now.After(t) }
		switch {
		case over(s.lastUntil), over(s.staleUntil) && (s.up || s.longLived == 0):
			r.log.Warn("stale routes swept: the peer did not finish its restart in time", "peer", peer)
			r.sweepSession(s)
		case over(s.staleUntil):
			r.holdLong(peer, s, now)
		}
	}
}

// holdLong goes on holding the routes of a peer that has not come back within its restart time, as a last resort (RFC 9494 4.2). When it came
// back meanwhile and went again before it had told all, the time goes on.
func (r *router) holdLong(peer netip.Addr, s *session, now time.Time) {
	r.rib.HoldLong(s.source, peer.Is6())
	s.staleUntil = time.Time{}
	if s.lastUntil.IsZero() {
		s.lastUntil = now.Add(s.longLived)
	}
	r.log.Warn("stale routes are a last resort: the peer has not come back within its restart time", "peer", peer, "until", s.lastUntil)
}

// countsPause is the least time between two log lines on the numbers of one session's routes.
const countsPause = 5 * time.Second

// logCounts says how many routes each peer has announced, and how many of them are rejected for what.
func (r *router) logCounts(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for peer, s := range r.sessions {
		c := r.rib.Counts(s.source)
		if c.Equal(s.told) || now.Sub(s.toldAt) < countsPause {
			continue
		}
		s.told, s.toldAt = c, now
		level := slog.LevelInfo
		if n := len(c.Rejected); n > 1 || n == 1 && c.Rejected[rib.RejectedASLoop] == 0 { // looped paths are everyday: our own routes echoed
			level = slog.LevelWarn
		}
		r.log.Log(context.Background(), level, "routes of peer", "peer", peer, "received", c.Received, "accepted", c.Accepted,
			"rejected", c.RejectedText(), "stale", c.Stale)
	}
}

// attrs are the attributes of a peer's UPDATE. LOCAL_PREF is for within an AS: of an eBGP peer it does not count (RFC 4271 5.1.5).
func (c *customer) attrs(peer netip.Addr, a *bgp.Attrs) *rib.Attrs {
	x := customerAttrs(a)
	if p := c.spec.peer(peer); p != nil && p.ASN != c.spec.asn {
		x.LocalPref, x.HasLocalPref = 0, false
	}
	return x
}

// customerAttrs are the attributes of an UPDATE as the rib wants them. They share memory: both are read-only.
func customerAttrs(a *bgp.Attrs) *rib.Attrs {
	ra := &rib.Attrs{
		NextHop: a.NextHop, Origin: a.Origin,
		MED: a.MED, HasMED: a.HasMED, OTC: a.OTC, LocalPref: a.LocalPref, HasLocalPref: a.HasLocalPref,
		Communities: a.Communities, LargeCommunities: rib.WithoutTrail(a.LargeComms),
	}
	if len(a.ASPath) > 0 {
		ra.ASPath = make([]rib.Segment, len(a.ASPath))
		for i, s := range a.ASPath {
			ra.ASPath[i] = rib.Segment{Type: rib.SegmentType(s.Type), ASNs: s.ASNs}
		}
	}
	return ra
}

// asSequence flattens an AS_PATH for re-announcement; the members of a set follow each other.
func asSequence(path []rib.Segment) []uint32 {
	var asns []uint32
	for _, s := range path {
		if s.Type == rib.ASSequence || s.Type == rib.ASSet {
			asns = append(asns, s.ASNs...)
		}
	}
	return asns
}
