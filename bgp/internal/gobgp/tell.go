package gobgp

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/pkg/config/oc"
	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/openvbr/openvbr/bgp/internal/out"
	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// What we tell goes around GoBGP, whose table is empty: a session's writer tells its peer what is in the Adj-RIB-Out (package out), beside GoBGP, which
// says the rest on the same connection. When to begin is GoBGP's to say, whose graceful restart defers that (RFC 4724 4.1): it then writes an End-of-RIB of
// each family, which goes no further than conn.Write. With a peer that has never had graceful restart it writes none, and is asked.

// tells are what the neighbours are told, as long as they are configured. Its lock comes before package out's.
type tells struct {
	mu sync.Mutex
	of map[netip.Addr]*telling
}

// telling is what one neighbour is told.
type telling struct {
	table   string
	waits   bool         // it is told nothing before Tell
	session *out.Session // nil: its session is not up
	conn    *conn        // that session's
}

// Announce puts routes into a table, for all neighbours that are told it, now and when they come up. A route replaces an earlier one of the same key; one
// that equals it is not told again.
func (s *Server) Announce(table string, routes []out.Route) error {
	if s.run.Err() != nil {
		return errClosed
	}
	s.rib.Announce(table, routes)
	return nil
}

// Withdraw takes routes out of a table. One that is not there is no error.
func (s *Server) Withdraw(table string, keys []out.Key) error {
	if s.run.Err() != nil {
		return errClosed
	}
	s.rib.Withdraw(table, keys)
	return nil
}

var errClosed = errors.New("the speaker is closed")

// Tell tells a neighbour that waits all of its table, now if its session is up and from then on. One that does not wait is not told again.
func (s *Server) Tell(a netip.Addr) {
	s.tells.mu.Lock()
	defer s.tells.mu.Unlock()
	if t := s.tells.of[a]; t != nil {
		t.waits = false
		if t.session != nil {
			t.session.Tell()
		}
	}
}

// Untold says why a neighbour is not told a route that its table has; empty if it is told, or is to be, and if there is no such route or no session.
func (s *Server) Untold(a netip.Addr, k out.Key) string {
	s.tells.mu.Lock()
	defer s.tells.mu.Unlock()
	if t := s.tells.of[a]; t != nil && t.session != nil {
		return t.session.Untold(k)
	}
	return ""
}

// UntoldToAll says why no neighbour is told a route that the table has; empty if one is told, or is to be, and if there is no such route or no session.
func (s *Server) UntoldToAll(k out.Key) (why string) {
	s.tells.mu.Lock()
	defer s.tells.mu.Unlock()
	for _, t := range s.tells.of {
		if t.session == nil {
			continue
		}
		if why = t.session.Untold(k); why == "" {
			return ""
		}
	}
	return why
}

// expect notes a neighbour that is about to be configured. wait is for a new one.
func (t *tells) expect(a netip.Addr, wait bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[netip.Addr]*telling{}
	}
	t.of[a] = &telling{waits: wait}
}

// use sets the table of a neighbour that is configured.
func (t *tells) use(a netip.Addr, table string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x := t.of[a]; x != nil && x.table != table {
		x.table = table
		if x.session != nil {
			x.session.Use(table)
		}
	}
}

func (t *tells) forget(a netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.of, a)
}

// startTelling has a session that has come up told, on a goroutine of its own that ends with the connection.
func (s *Server) startTelling(c *conn, asn uint32, longLived []wire.Family) {
	local := c.LocalAddr().(*net.TCPAddr).AddrPort().Addr()
	p := out.Peer{Session: c.session, ASN: asn, Local: local.Unmap().WithZone(""), LongLived: longLived}
	p.Unfit = func(n int, _ *out.Attrs, why string) {
		text := "routes are not told: " + why
		if s.notes.mayRepeat(record{message: text, peer: c.peer.String()}, time.Now()) {
			s.log.Error(text, "peer", c.peer, "routes", n)
		}
	}
	s.tells.mu.Lock()
	defer s.tells.mu.Unlock()
	t := s.tells.of[c.peer]
	if t == nil {
		return // removed meanwhile
	}
	t.session, t.conn = s.rib.Open(p, t.table, t.waits), c
	c.toldBy(t.session)
	t.begin(true)
	session := t.session
	s.writers.Go(func() {
		c.tellPeer(session)
		s.tells.mu.Lock()
		defer s.tells.mu.Unlock()
		if t.conn == c {
			t.session, t.conn = nil, nil
		}
	})
}

// begin begins what GoBGP says no word about: once it does not defer any more. While the session is young it may still be about to.
func (t *telling) begin(young bool) {
	if t.session == nil || t.session.Begun() {
		return
	}
	gr := t.conn.config().GracefulRestart.State
	if gr.LocalRestarting || young && gr.Enabled {
		return
	}
	for _, f := range t.conn.session.Families {
		t.session.Begin(f, gr.Enabled)
	}
}

// beginDue is begin for all.
func (t *tells) beginDue() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.of {
		x.begin(false)
	}
}

// teller is the part of a conn that tells the peer.
type teller struct {
	mu      sync.Mutex
	session *out.Session
	early   []wire.Family // that GoBGP has had begun before there was a session
}

// toldBy has a connection's End-of-RIBs, of now and from before, begin the session's families.
func (c *conn) toldBy(s *out.Session) {
	c.teller.mu.Lock()
	defer c.teller.mu.Unlock()
	c.teller.session = s
	for _, f := range c.teller.early {
		s.Begin(f, true)
	}
}

// begin takes an UPDATE of GoBGP's, which is an End-of-RIB: GoBGP has no route.
func (c *conn) begin(message []byte) {
	f, is := wire.EndOfRIB(message[wire.HeaderLen:])
	if !is {
		return
	}
	c.teller.mu.Lock()
	defer c.teller.mu.Unlock()
	if c.teller.session != nil {
		c.teller.session.Begin(f, true)
	} else {
		c.teller.early = append(c.teller.early, f)
	}
}

// again tells a family once more, if the session has begun.
func (c *conn) again(families ...wire.Family) {
	c.teller.mu.Lock()
	defer c.teller.mu.Unlock()
	for _, f := range families {
		if c.teller.session != nil {
			c.teller.session.Again(f)
		}
	}
}

// telling tells whether the peer is still being told all of a family.
func (c *conn) telling(f wire.Family) bool {
	c.teller.mu.Lock()
	defer c.teller.mu.Unlock()
	return c.teller.session != nil && c.teller.session.Telling(f)
}

// tellPeer writes what the session has to say, until the connection or the server ends.
func (c *conn) tellPeer(s *out.Session) {
	defer s.Close()
	for {
		select {
		case <-c.done:
			return
		case <-c.s.run.Done():
			return
		case <-s.Ready():
		}
		for b := s.Next(); b != nil; b = s.Next() {
			if !c.writeUpdates(b) {
				return
			}
		}
	}
}

// writeOctets is how much of what is told is written at once, unless one message is longer: that has to get away within the send hold time.
const writeOctets = 16 << 10

// writeUpdates writes UPDATEs. It reports false when the session has ended.
func (c *conn) writeUpdates(b []byte) bool {
	for len(b) > 0 {
		n, count := 0, uint64(0)
		for n < len(b) {
			next := n + int(binary.BigEndian.Uint16(b[n+16:]))
			if n > 0 && next > writeOctets {
				break
			}
			n, count = next, count+1
		}
		if c.mute.Load() || c.isLimited() || c.s.run.Err() != nil { // the last word has been said
			return false
		}
		if _, err := c.write(b[:n]); err != nil {
			return false
		}
		c.heard.told.Add(count)
		b = b[n:]
	}
	return true
}

// config is what GoBGP holds of the neighbour of a session that is up.
func (c *conn) config() *oc.Neighbor { return innerConfig(c.machine).Load() }

// longLived are the families of a session of which the peer has long-lived graceful restart (RFC 9494 4.3).
func longLived(remote []packet.ParameterCapabilityInterface, families []wire.Family) (l []wire.Family) {
	for _, c := range remote {
		if c, ok := c.(*packet.CapLongLivedGracefulRestart); ok {
			for _, t := range c.Tuples {
				if f := (wire.Family{AFI: t.AFI, SAFI: t.SAFI}); slices.Contains(families, f) {
					l = append(l, f)
				}
			}
		}
	}
	return l
}
