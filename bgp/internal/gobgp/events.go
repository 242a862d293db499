package gobgp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/config/oc"
	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// session is what the events told about one neighbour.
type session struct {
	configured bool
	conf       Neighbour // without the password
	secured    bool      // there is one
	added      time.Time
	up         bool
	conn       *conn // of the session that is up
	state      string
	since      time.Time
	reason     string // as handed up last
	count      int
	routerID   netip.Addr
	asn        uint32
	families   Families
	gr         GracefulRestart
	peerRole   wire.Role
}

// expect notes whether the neighbour is configured, before GoBGP is told.
func (s *Server) expect(a netip.Addr, configured bool) {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	x := s.sessions[a]
	switch {
	case x == nil && configured:
		s.sessions[a] = &session{state: "idle", configured: true, added: time.Now()}
	case x != nil && !configured && !x.up:
		delete(s.sessions, a)
		delete(s.opens, a)
		delete(s.heard, a)
	case x != nil:
		x.configured = configured
	}
}

// opens are the OPEN messages of a neighbour's newest connection, whole.
type opens struct{ sent, received []byte }

// noteOpen keeps an OPEN message of a configured neighbour.
func (s *Server) noteOpen(a netip.Addr, sent bool, message []byte) {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	if s.sessions[a] == nil {
		return
	}
	o := s.opens[a]
	if sent {
		o.sent = slices.Clone(message)
	} else {
		o.received = slices.Clone(message)
	}
	s.opens[a] = o
}

// hello is our OPEN on a connection, which is noted.
func (c *conn) hello() []byte {
	n, cfg := &c.neighbour, &c.s.cfg
	h := wire.Hello{ASN: c.s.asnTo(n), HoldTime: uint16(seconds(n.HoldTime)), ID: cfg.RouterID, Families: n.Families.onWire(), Role: n.Role}
	if cfg.RestartTime > 0 {
		restarting := c.s.machines.restarting(c.peer)
		h.Restart = &wire.Restart{
			Notification: true, Time: uint16(seconds(cfg.RestartTime)), LongLived: uint32(seconds(n.LongLived)),
			Restarting: restarting, Forwarding: c.s.forwarding(n, restarting).onWire(),
		}
	}
	b := h.Encode()
	c.s.noteOpen(c.peer, true, b)
	return b
}

// forwarding are the families for which the kernel has gone on forwarding since the neighbour's last session (RFC 4724 3, the F bit): all if that was with
// this server, those that the kernel has routes of from before if it was with the one before.
func (s *Server) forwarding(n *Neighbour, restarting bool) Families {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	if x := s.sessions[n.Address]; x != nil && x.count > 0 {
		return n.Families
	}
	if restarting {
		return s.cfg.Restarting & n.Families
	}
	return 0
}

// call runs a handler call unless the server is closed.
func (s *Server) call(f func()) {
	s.callMu.Lock()
	defer s.callMu.Unlock()
	if !s.closed {
		f()
	}
}

// isUp tells whether a neighbour's session is up, as it was handed up.
func (s *Server) isUp(a netip.Addr) bool {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	x := s.sessions[a]
	return x != nil && x.up
}

func (s *Server) onPeer(ev *apiutil.WatchEventMessage_PeerEvent, at time.Time) {
	if ev.Type != apiutil.PEER_EVENT_STATE {
		return
	}
	st := &ev.Peer.State
	if st.SessionState == packet.BGP_FSM_ESTABLISHED {
		s.onEstablished(st, &ev.Peer.Transport, at)
		return
	}
	s.onNotUp(st, at)
}

func (s *Server) onEstablished(st *apiutil.PeerState, tr *apiutil.Transport, at time.Time) {
	a := st.NeighborAddress
	c := s.door.find(a, tr)
	s.stateMu.Lock()
	x := s.sessions[a]
	if x == nil || !x.configured { // removed while it came up; GoBGP will not tell its end
		s.stateMu.Unlock()
		return
	}
	s.notes.setUp(a.String(), true)
	x.up, x.state, x.since, x.reason = true, "established", at, ""
	x.count++
	x.routerID, x.asn = st.RouterID, st.PeerASN
	opens := s.opens[a]
	x.conn, x.peerRole = c, 0
	if c != nil {
		x.peerRole = c.session.PeerRole
	}
	x.families, x.gr = negotiated(st.LocalCap, st.RemoteCap)
	x.gr.limit(x.conf.LongLived)
	if s.cfg.RestartTime == 0 {
		x.gr = GracefulRestart{}
	}
	var long []wire.Family
	if c != nil && x.conf.LongLived > 0 && x.gr.Families != 0 {
		long = longLived(st.RemoteCap, c.session.Families)
	}
	own := s.asnTo(&x.conf)
	ps := x.peerState(a, at)
	s.stateMu.Unlock()
	if c != nil {
		s.startTelling(c, own, long)
	}
	if c != nil && !ps.GracefulRestart.Notification { // GoBGP remembers what the peer once had
		c.change(func(n *oc.Neighbor) { n.GracefulRestart.State.NotificationEnabled = false })
	}
	defer c.tell()
	s.call(func() {
		if o, ok := s.events.(Opener); ok {
			o.Opened(Opened{
				Peer: netip.AddrPortFrom(a, uint16(tr.RemotePort)), Local: netip.AddrPortFrom(tr.LocalAddress, uint16(tr.LocalPort)),
				ASN: ps.ASN, RouterID: ps.RouterID, Sent: opens.sent, Received: opens.received, At: at,
			})
		}
		s.events.PeerState(ps)
	})
}

func (s *Server) onNotUp(st *apiutil.PeerState, at time.Time) {
	a := st.NeighborAddress
	s.stateMu.Lock()
	x := s.sessions[a]
	if x == nil {
		s.stateMu.Unlock()
		return
	}
	wasUp := x.up
	reason, ending := x.conn.ended(st)
	x.state = stateName(st.SessionState)
	if reason == "" && wasUp {
		reason = "configuration changed"
		if !x.configured {
			reason = "removed from the configuration"
		}
	}
	if reason != "" && (wasUp || st.SessionState == packet.BGP_FSM_IDLE) {
		reason = s.notes.refine(a.String(), reason)
	}
	if reason == "" || !wasUp && (reason == x.reason || !x.configured) {
		s.stateMu.Unlock()
		return
	}
	if wasUp {
		x.up, x.conn, x.since = false, nil, at
		s.notes.setUp(a.String(), false)
	}
	x.reason = reason
	ps := x.peerState(a, at)
	ps.Ending = ending
	ps.GracefulRestart.Hold = wasUp && x.holds(st.DisconnectReason, ending, s.stood.just(time.Now()))
	if !x.configured {
		ps.State = "removed"
		delete(s.sessions, a)
		delete(s.opens, a)
		delete(s.heard, a)
	}
	s.stateMu.Unlock()
	s.call(func() { s.events.PeerState(ps) })
}

// report hands up a reason found in the log why a session does not come up, when it is new.
func (s *Server) report(a netip.Addr, reason string, at time.Time) {
	s.stateMu.Lock()
	x := s.sessions[a]
	if x == nil || x.up || !x.configured || reason == "" || reason == x.reason {
		s.stateMu.Unlock()
		return
	}
	x.reason = reason
	ps := x.peerState(a, at)
	s.stateMu.Unlock()
	s.call(func() { s.events.PeerState(ps) })
}

func (x *session) peerState(a netip.Addr, at time.Time) PeerState {
	return PeerState{
		Peer: a, Established: x.up, State: x.state, Reason: x.reason,
		RouterID: x.routerID, ASN: x.asn, Families: x.families, GracefulRestart: x.gr, At: at,
	}
}

// negotiated reads both OPENs' capabilities. GoBGP's own record is not used: it never forgets
// that a peer once had graceful restart.
func negotiated(local, remote []packet.ParameterCapabilityInterface) (Families, GracefulRestart) {
	mine, theirs := multiprotocol(local), multiprotocol(remote)
	if theirs == 0 {
		theirs = IPv4 // RFC 4760 8: without the capability, IPv4 unicast alone
	}
	both := mine & theirs
	var gr GracefulRestart
	var long *packet.CapLongLivedGracefulRestart
	for _, c := range remote {
		switch c := c.(type) {
		case *packet.CapGracefulRestart:
			gr = readRestart(c, both) // RFC 4724 3: the last one counts
		case *packet.CapLongLivedGracefulRestart:
			long = c
		}
	}
	if long != nil {
		gr.readLongLived(long)
	}
	return both, gr
}

func readRestart(c *packet.CapGracefulRestart, both Families) GracefulRestart {
	gr := GracefulRestart{Time: time.Duration(c.Time) * time.Second, Restarting: c.Flags&0x08 != 0, Notification: c.Flags&0x04 != 0}
	for _, t := range c.Tuples {
		f := familyOf(packet.NewFamily(t.AFI, t.SAFI)) & both
		gr.Families |= f
		if t.Flags&0x80 != 0 {
			gr.Forwarding |= f
		}
	}
	return gr
}

// readLongLived reads the capability of RFC 9494 3, which means nothing for families without graceful restart.
func (gr *GracefulRestart) readLongLived(c *packet.CapLongLivedGracefulRestart) {
	for _, t := range c.Tuples {
		f := familyOf(packet.NewFamily(t.AFI, t.SAFI)) & gr.Families & (IPv4 | IPv6)
		for i, of := range []Families{IPv4, IPv6} {
			if f == of {
				gr.LongLived[i] = time.Duration(t.RestartTime) * time.Second
			}
		}
		if t.Flags&0x80 != 0 {
			gr.LongLivedForwarding |= f
		}
	}
}

// limit bounds how long routes are held as a last resort.
func (gr *GracefulRestart) limit(most time.Duration) {
	for i := range gr.LongLived {
		gr.LongLived[i] = min(gr.LongLived[i], most)
	}
}

func multiprotocol(caps []packet.ParameterCapabilityInterface) (f Families) {
	for _, c := range caps {
		if m, ok := c.(*packet.CapMultiProtocol); ok {
			f |= familyOf(m.CapValue)
		}
	}
	return f
}
