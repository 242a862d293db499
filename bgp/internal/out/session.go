package out

import (
	"net/netip"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// Peer is what a session has to know of its ends.
type Peer struct {
	wire.Session
	ASN       uint32        // our own towards the peer, to be put in front of AS paths on eBGP
	Local     netip.Addr    // the session's own address, the next hop of routes that name none
	LongLived []wire.Family // of which the peer has long-lived graceful restart, and we for it (RFC 9494)
	// Unfit is told how many routes the peer cannot be told with these attributes, and why. They are withdrawn instead.
	Unfit func(routes int, a *Attrs, why string)
}

// Session tells one peer a table, from the beginning of its BGP session to the end. One goroutine calls Next.
type Session struct {
	rib   *RIB
	peer  Peer
	table string
	waits bool // nothing is told yet but End-of-RIBs
	feeds []*feed
	ready chan struct{}
	enc   encoder
}

// batch is how many changes of a family Next takes at most: what they take up encoded is what is held for a peer that does not read.
const batch = 1024

// Open makes the session of a peer that is told a table. Nothing is told of a family before Begin, and with waits not before Tell.
func (r *RIB) Open(p Peer, table string, waits bool) *Session {
	s := &Session{rib: r, peer: p, table: table, waits: waits, ready: make(chan struct{}, 1)}
	s.enc.peer = &s.peer
	for _, f := range p.Families {
		s.feeds = append(s.feeds, &feed{s: s, family: f})
	}
	return s
}

// Close ends it. It may be called twice.
func (s *Session) Close() {
	s.rib.mu.Lock()
	defer s.rib.mu.Unlock()
	for _, f := range s.feeds {
		f.close(s.rib)
	}
	s.feeds = nil
}

// Ready receives when Next may have something.
func (s *Session) Ready() <-chan struct{} { return s.ready }

func (s *Session) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Begin has the peer be told a family, and then, if marked, that this is all (End-of-RIB, RFC 4724 2). A family that the session does not have, and one
// that has begun, is ignored. A peer that waits is told the End-of-RIB now, and once more after all.
func (s *Session) Begin(family wire.Family, marked bool) {
	s.rib.mu.Lock()
	defer s.rib.mu.Unlock()
	for _, f := range s.feeds {
		if f.family == family && !f.begun {
			f.begun, f.marked = true, marked
			f.dump = true
			if !s.waits {
				f.open(s.rib.table(tableKey{s.table, f.family}))
			}
		}
	}
	s.wake()
}

// Begun tells whether all families have begun.
func (s *Session) Begun() bool {
	s.rib.mu.Lock()
	defer s.rib.mu.Unlock()
	for _, f := range s.feeds {
		if !f.begun {
			return false
		}
	}
	return true
}

// Tell ends the waiting.
func (s *Session) Tell() {
	s.rib.mu.Lock()
	defer s.rib.mu.Unlock()
	if !s.waits {
		return
	}
	s.waits = false
	for _, f := range s.feeds {
		if f.begun {
			f.open(s.rib.table(tableKey{s.table, f.family}))
		}
	}
	s.wake()
}

// Again has the peer be told all of a family once more, if it has been told it at all.
func (s *Session) Again(family wire.Family) {
	s.rib.mu.Lock()
	defer s.rib.mu.Unlock()
	for _, f := range s.feeds {
		if f.family == family && f.t != nil {
			f.again()
		}
	}
	s.wake()
}

// Use has the peer be told another table from now on: only what differs.
func (s *Session) Use(table string) {
	s.rib.mu.Lock()
	defer s.rib.mu.Unlock()
	s.table = table
	for _, f := range s.feeds {
		if f.t != nil {
			f.use(s.rib, s.rib.table(tableKey{table, f.family}))
		}
	}
	s.wake()
}

// Telling tells whether the peer is being told all of a family.
func (s *Session) Telling(family wire.Family) bool {
	s.rib.mu.Lock()
	defer s.rib.mu.Unlock()
	for _, f := range s.feeds {
		if f.family == family {
			return f.t != nil && f.dump
		}
	}
	return false
}

// Next is what is to be said now, whole UPDATEs of a bounded number of changes; nil when all has been said. It is good until the next call.
func (s *Session) Next() []byte {
	for {
		out := s.enc.buf[:0]
		for i := 0; ; i++ {
			changes, family, ended, ok := s.take(i)
			if !ok {
				break
			}
			out = s.enc.updates(out, family, changes)
			if ended {
				out = endOfRIB(out, family)
			}
		}
		if len(out) > 0 {
			s.enc.buf = out
			return out
		}
		if !s.pending() { // else there were marks of others, or what the peer never knew
			s.enc = encoder{peer: &s.peer} // an idle session holds nothing
			return nil
		}
	}
}

// take takes changes of the i-th family.
func (s *Session) take(i int) (changes []Route, family wire.Family, ended, ok bool) {
	s.rib.mu.Lock()
	defer s.rib.mu.Unlock()
	if i >= len(s.feeds) {
		return nil, family, false, false
	}
	f := s.feeds[i]
	switch {
	case f.t != nil:
		s.enc.changes, ended = f.take(batch, s.enc.changes[:0])
		return s.enc.changes, f.family, ended && f.marked, true
	case f.dump: // it waits
		f.dump = false
		return nil, f.family, f.marked, true
	}
	return nil, f.family, false, true
}

// pending tells whether there is something to take.
func (s *Session) pending() bool {
	s.rib.mu.Lock()
	defer s.rib.mu.Unlock()
	for _, f := range s.feeds {
		if f.t != nil && (len(f.extra) > 0 || f.ahead() <= f.t.version) {
			return true
		}
	}
	return false
}
