package vbr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/bgp/bfd"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
)

const (
	// resetPause is how long a peer that has failed has to end its session itself; resetLimit bounds the reset then.
	resetPause = 100 * time.Millisecond
	resetLimit = 2 * time.Second
)

// watchSpecOf is how a peer of the router is watched over.
func watchSpecOf(r *intent.Router, p *intent.Peer) watchSpec {
	if !p.BFD {
		return watchSpec{}
	}
	b := r.BFD.OrDefaults()
	return watchSpec{on: true, strict: p.BFDStrict, minTx: b.MinTx, minRx: b.MinRx, multiplier: b.Multiplier}
}

// bfdSessions are those of the spec.
func (s *spec) bfdSessions() (all []bfd.Session) {
	for _, p := range s.peers {
		if p.watch.on {
			all = append(all, bfd.Session{Local: p.LocalAddress, Peer: p.Address, Device: s.device(&p),
				MinTx: p.watch.minTx, MinRx: p.watch.minRx, DetectMult: p.watch.multiplier})
		}
	}
	return all
}

// watchChanges are what differs of how a peer is watched over; its session stays.
func watchChanges(before, after watchSpec) (why []string) {
	if before.on != after.on {
		return []string{change("enable_bfd", before.on, after.on)}
	}
	for _, f := range []struct {
		name          string
		before, after any
	}{
		{"bfd_strict", before.strict, after.strict}, {"min_tx_interval", before.minTx, after.minTx},
		{"min_rx_interval", before.minRx, after.minRx}, {"detect_multiplier", before.multiplier, after.multiplier},
	} {
		if f.before != f.after {
			why = append(why, change(f.name, f.before, f.after))
		}
	}
	return why
}

// arrangeWatches has BFD watch over the peers that the spec says; r.mu is held.
func (r *router) arrangeWatches(s *spec) {
	now := time.Now()
	for _, p := range s.peers {
		x := r.sessions[p.Address]
		had := x.watch.on
		x.watch.configure(p.watch, x.up, now)
		if st, ok := r.host.bfdSession(s.device(&p), p.Address); ok && x.watch.on && !had {
			x.watch.resume(st)
		}
		r.obey(x, now)
	}
	r.host.watchOver(r, s.bfdSessions())
}

// obey makes the rib and the kernel be as the watch over a session has it: a session that is up and to stay, whose line and BFD are as well, has its next hops
// in service; r.mu is held.
func (r *router) obey(s *session, now time.Time) {
	held := s.watch.held(now)
	r.rib.SetNow(now)
	r.rib.SetAnswering(s.source, !held)
	if s.up && !s.ending && !held && !r.lineIsDown(s) {
		r.unfailHops(s) // of a line, too, that was back before its session was ended
	}
}

// obeyAll lets time pass: hold-downs end.
func (r *router) obeyAll(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sessions {
		if s.watch.on {
			r.obey(s, now)
		}
	}
}

// watchPeers acts on what BFD says, beside the actor, which may be busy with many routes. Resets, which are not urgent any more, hold up nobody.
func (r *router) watchPeers(ctx context.Context) {
	var resets sync.WaitGroup
	defer resets.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.bfd.news:
		}
		r.stir()
		for _, c := range r.bfd.take() {
			if failed, session := r.peerChanged(c); failed {
				resets.Go(func() { r.resetFailed(ctx, c, session) })
			}
		}
		poke(r.wake)
	}
}

// watching starts watchPeers; what it returns waits for its end, which the context's is.
func (r *router) watching(ctx context.Context) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.watchPeers(ctx)
	}()
	return func() { <-done }
}

// peerChanged takes in what BFD says of a peer: if it failed and has a session, its routes have left the kernel when this returns true, and which
// session of its that was.
func (r *router) peerChanged(c bfd.Change) (reset bool, session uint32) {
	r.mu.Lock()
	s := r.sessions[c.Peer]
	if s == nil || !s.watch.on {
		r.mu.Unlock()
		return false, 0
	}
	now, was := time.Now(), s.watch.state
	failed, restarting := s.watch.change(c, now), false
	if failed {
		restarting = r.peerFailed(s, c, now)
	}
	r.obey(s, now)
	up, session := s.up, r.records.sessions[c.Peer].count
	r.mu.Unlock()
	r.noteWatch(c, was, restarting)
	return failed && up, session
}

// peerFailed takes a failed peer's routes out of the kernel, unless BFD is down because the peer restarts gracefully, which is only to be told where
// BFD shares the fate of its control plane (RFC 5882 4.3.2, its C bit); r.mu is held.
func (r *router) peerFailed(s *session, c bfd.Change, now time.Time) (restarting bool) {
	switch {
	case s.up:
		r.failHops(s, c.Peer)
	case s.staleUntil.IsZero():
	case !c.Independent:
		s.watch.excuse(s.staleUntil.Add(graceTime))
		return true
	default:
		r.failHops(s, c.Peer)
		r.rib.Drop(s.source)
		s.staleUntil, s.lastUntil = time.Time{}, time.Time{}
	}
	return false
}

// resetFailed ends the session with a peer that has failed, so that both ends agree, unless the peer ends it first: as FRR does, which says so by BFD
// at the same time. GoBGP would keep a reset that comes too late for the next session.
func (r *router) resetFailed(ctx context.Context, c bfd.Change, session uint32) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(resetPause):
	}
	r.mu.Lock()
	speaker, s := r.speaker, r.sessions[c.Peer]
	stands := s != nil && s.up && r.records.sessions[c.Peer].count == session
	r.mu.Unlock()
	if speaker == nil || !stands {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, resetLimit)
	defer cancel()
	if err := speaker.Reset(ctx, c.Peer, "BFD down: "+c.Diag.String()); err != nil && !errors.Is(err, bgp.ErrNotUp) && ctx.Err() == nil {
		r.log.Warn("session of a failed peer not reset", "peer", c.Peer, "err", err)
	}
}

// noteWatch logs that BFD with a peer came up or went down, and adds the event.
func (r *router) noteWatch(c bfd.Change, was bfd.State, restarting bool) {
	switch {
	case c.State == bfd.Up && was != bfd.Up:
		r.log.Info("BFD up", "peer", c.Peer)
		r.note(vbrv1.Event_TYPE_BFD_UP, c.Peer.String(), "BFD is up")
	case c.State != bfd.Up && was == bfd.Up:
		text := fmt.Sprintf("%s; its routes leave and its session is reset", c.Diag)
		switch {
		case c.AdminDown:
			text = "the peer switched BFD off; its routes stay"
		case c.Anew:
			text = "the peer's BFD began anew; its routes stay"
		case restarting:
			text = fmt.Sprintf("%s; its routes stay while it restarts", c.Diag)
		}
		r.log.Warn("BFD down", "peer", c.Peer, "text", text)
		r.note(vbrv1.Event_TYPE_BFD_DOWN, c.Peer.String(), text)
	}
}

// failedReason is why a session has ended that ended because its line or BFD is down, or else the reason it had; r.mu is held.
func (r *router) failedReason(peer netip.Addr, s *session, p bgp.PeerState) string {
	switch {
	case p.Established || !s.up:
		return p.Reason
	case r.lineIsDown(s):
		return "line " + r.spec.lines[s.line].device + " is down"
	case !s.watch.failed:
		return p.Reason
	}
	if st, ok := r.host.bfdSession(r.spec.lines[s.line].device, peer); ok {
		return "BFD down: " + st.Diag.String()
	}
	return "BFD down"
}
