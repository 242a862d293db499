package gobgp

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"time"

	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// UPDATEs of an UpdateEvents do not pass through GoBGP, whose Adj-RIB-In takes 400 octets and some 15 microseconds a route, for nothing: what a peer has
// announced is the owner's to keep. GoBGP is given what its state machine needs: End-of-RIBs, for graceful restart (RFC 4724), and KEEPALIVEs in the
// place of UPDATEs, for the hold time.

// feedEvery is how often GoBGP is given a KEEPALIVE while only UPDATEs come. The least hold time is three seconds (RFC 4271 4.2).
const feedEvery = time.Second

// heard counts what a neighbour has sent that GoBGP has not seen, what GoBGP has been given instead, and the UPDATEs that we have sent.
type heard struct{ updates, refreshes, fed, told atomic.Uint64 }

// heardOf are a neighbour's counters, as long as it is configured.
func (s *Server) heardOf(a netip.Addr) *heard {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	h := s.heard[a]
	if h == nil {
		h = &heard{}
		if s.sessions[a] != nil {
			s.heard[a] = h
		}
	}
	return h
}

// correct makes GoBGP's counters of what it has read the neighbour's.
func (h *heard) correct(m Messages) Messages {
	fed := min(h.fed.Load(), m.Keepalives, m.Total)
	updates := h.updates.Load()
	refreshes := h.refreshes.Load()
	m.Total += updates - fed
	m.Updates += updates
	m.Refreshes += refreshes
	m.Keepalives -= fed + min(refreshes, m.Keepalives-fed) // in whose place GoBGP has got one
	return m
}

// correctSent makes GoBGP's counters of what it has written those of the wire: its UPDATEs have not got there, ours have.
func (h *heard) correctSent(m Messages) Messages {
	told := h.told.Load()
	m.Total += told - min(m.Updates, m.Total)
	m.Updates = told
	return m
}

// handUp hands up UPDATEs, one or two whole messages, and returns what GoBGP is given instead, nil for nothing. It is the reader's.
func (c *conn) handUp(messages []byte) (feed []byte) {
	now := time.Now()
	c.lastUpdate.Store(now.UnixNano())
	for len(messages) > 0 {
		n := int(binary.BigEndian.Uint16(messages[16:]))
		body := messages[wire.HeaderLen:n]
		if f, is := wire.EndOfRIB(body); is {
			c.event(func() { c.s.events.EndOfRIB(c.peer, familyOf(packet.NewFamily(f.AFI, f.SAFI))) })
			feed = append(feed, messages[:n]...)
		} else {
			c.heard.updates.Add(1)
			c.event(func() { c.s.raw.Update(c.peer, &c.session, body) })
		}
		messages = messages[n:]
	}
	if feed == nil && now.Sub(c.lastFeed) >= feedEvery {
		c.heard.fed.Add(1)
		feed = wire.Frame(wire.Keepalive, nil)
	}
	if feed != nil {
		c.lastFeed = now
	}
	return feed
}

// event hands up what came on the connection, if its session is up: once that has been handed up, which follows the session's first message by some
// microseconds, and until its end is.
func (c *conn) event(f func()) {
	select {
	case <-c.told:
	case <-c.done:
		return
	}
	s := c.s
	s.callMu.Lock()
	defer s.callMu.Unlock()
	if !s.closed && s.owns(c) {
		f()
	}
}

// owns tells whether the connection is that of its neighbour's session as it was handed up.
func (s *Server) owns(c *conn) bool {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	x := s.sessions[c.peer]
	return x != nil && x.up && x.conn == c
}

// tell opens the gate of event. Only the goroutine of GoBGP's events calls it.
func (c *conn) tell() {
	if c == nil {
		return
	}
	select {
	case <-c.told:
	default:
		close(c.told)
	}
}

// notified is the NOTIFICATION that the peer has sent on the connection, if it has: its code and subcode, and of a Hard Reset (RFC 8538 3.1) those
// that it would else have had.
func (c *conn) notified() (n [4]byte, ok bool) {
	if c == nil || !c.mute.Load() {
		return n, false
	}
	binary.BigEndian.PutUint32(n[:], c.why.Load())
	return n, true
}
