package gobgp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

const (
	// readBuffer holds several messages: GoBGP alone would read from the kernel twice for each.
	readBuffer = 8 << 10
	// sayWithin is how long a NOTIFICATION may take to be sent.
	sayWithin = time.Second
)

// conn stands between GoBGP and a neighbour's connection. What is read is judged first (package wire); what is written must get away in time (RFC
// 9687); a session that does not come up in time is cut.
//
// One goroutine of GoBGP reads at a time. The states are those of RFC 4271 8.2.2, by the numbers of RFC 6608.
type conn struct {
	*net.TCPConn
	s         *Server
	peer      netip.Addr
	neighbour Neighbour   // as it was when the connection was made
	ours      bool        // we made it
	given     atomic.Bool // GoBGP has it, which a connection of ours has only once its OPEN has come

	// The reader's.
	r         *bufio.Reader
	session   wire.Session
	state     byte
	buf       []byte
	have      int    // octets of the next message in buf
	out       []byte // what GoBGP has not taken yet
	refreshes refreshes

	machine reflect.Value // of the neighbour; set before the session is up
	up      atomic.Bool
	mute    atomic.Bool   // a NOTIFICATION came: nothing is said to that (RFC 4271 6)
	why     atomic.Uint32 // its code and subcode, and in a Hard Reset's data another two: an octet each
	slow    *time.Timer   // ends a session that does not come up

	writing    sync.Mutex    // one write after another: each has its own time
	said       atomic.Uint32 // the code of GoBGP's NOTIFICATION, after which nothing more is sent, see write; 0: none yet. Set under writing
	deadlineMu sync.Mutex
	limited    bool // GoBGP has set a deadline for writing

	told     chan struct{} // closed when the session's beginning has been handed up
	lastFeed time.Time     // when GoBGP was last given a message; the reader's
	heard    *heard

	lastUpdate atomic.Int64 // when the newest UPDATE came, in nanoseconds of Unix time
	asking     atomic.Bool  // the peer repeats its routes

	teller teller

	once sync.Once
	done chan struct{} // closed
}

const (
	openSent    = 1
	openConfirm = 2
	established = 3
)

func (s *Server) newConn(tcp *net.TCPConn, n Neighbour, ours bool) *conn {
	c := &conn{
		TCPConn: tcp, s: s, peer: n.Address, neighbour: n, ours: ours, r: bufio.NewReaderSize(tcp, readBuffer), session: s.offer(&n, tcp), state: openSent,
		buf: make([]byte, wire.HeaderLen, wire.MaxLen), done: make(chan struct{}), told: make(chan struct{}), heard: s.heardOf(n.Address),
	}
	c.given.Store(!ours)
	c.slow = time.AfterFunc(s.cfg.OpenTime, c.tooSlow)
	return c
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.done)
		c.slow.Stop()
		c.s.door.left(c)
	})
	return c.TCPConn.Close()
}

// Read implements net.Conn: whole messages, as wire lets them through.
func (c *conn) Read(p []byte) (int, error) {
	for len(c.out) == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

// next takes in one message.
func (c *conn) next() error {
	if c.mute.Load() { // what follows a NOTIFICATION is not heard
		return c.drain()
	}
	c.tellKept()
	if err := c.fill(wire.HeaderLen); err != nil {
		return err
	}
	typ, n, v := wire.Header(c.buf, c.session.Extended)
	if v.Action == wire.Reset {
		return c.end(v)
	}
	if err := c.fill(n); err != nil {
		return err
	}
	c.have = 0
	out, v := c.judge(typ, c.buf[wire.HeaderLen:n])
	if v.Action == wire.Reset {
		return c.end(v)
	}
	if v.Why != "" {
		c.s.complain(c.peer, v)
	}
	if out == nil {
		out = c.buf[:n]
	}
	switch {
	case v.Action == wire.Ignore:
		out = wire.Frame(wire.Keepalive, nil) // the neighbour lives
	case typ == wire.Update:
		out = c.handUp(out)
	}
	c.out = out
	return nil
}

// fill reads until buf holds the first n octets of a message. It goes on where a deadline interrupted it.
func (c *conn) fill(n int) error {
	if n > cap(c.buf) {
		c.buf = append(make([]byte, 0, wire.MaxExtended), c.buf...)
	}
	c.buf = c.buf[:n]
	for c.have < n {
		m, err := c.r.Read(c.buf[c.have:n])
		if err != nil {
			return err
		}
		c.have += m
	}
	return nil
}

func (c *conn) judge(typ byte, body []byte) ([]byte, wire.Verdict) {
	var out []byte
	var v wire.Verdict
	switch {
	case typ == wire.Notification:
		c.why.Store(binary.BigEndian.Uint32(append(body[:len(body):len(body)], 0, 0)))
		c.mute.Store(true)
		if c.state != established {
			c.blame("peer refused the session: ", body[0], body[1])
		}
	case c.state == openSent && typ == wire.Open:
		c.s.noteOpen(c.peer, false, wire.Frame(wire.Open, body))
		if c.session, out, v = c.session.Open(body); v.Action == wire.Pass {
			c.state = openConfirm
		}
	case c.state == openConfirm && typ == wire.Keepalive:
		c.state = established
	case c.state != established || typ == wire.Open:
		v = wire.Unexpected(c.state, typ)
	case typ == wire.Update:
		return c.session.Update(body)
	case typ == wire.RouteRefresh:
		return nil, c.askedAgain(body)
	}
	return out, v
}

// end is the reader's quit. It returns when the connection is closed, or told to stop.
func (c *conn) end(v wire.Verdict) error {
	if c.quit(v) {
		return c.drain()
	}
	return io.ErrUnexpectedEOF
}

// quit ends the session and says why, or closes a connection without one and returns false.
func (c *conn) quit(v wire.Verdict) bool {
	c.s.complain(c.peer, v)
	if !c.up.Load() {
		c.say(v)
		return false
	}
	notify(c.machine, v)
	return true
}

// drain reads on, for nothing, until GoBGP closes the connection. An error before would look like a broken connection.
func (c *conn) drain() error {
	_, err := io.Copy(io.Discard, c.r)
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// say sends the NOTIFICATION of a session that is not up, and closes.
func (c *conn) say(v wire.Verdict) {
	c.blame("closed towards the peer: ", v.Code, v.Subcode)
	_ = c.SetWriteDeadline(time.Now().Add(sayWithin))
	_, _ = c.TCPConn.Write(wire.Frame(wire.Notification, append([]byte{v.Code, v.Subcode}, v.Data...)))
	_ = c.Close()
}

// blame notes why a connection without a session ends: GoBGP, if it has it, only sees that it does.
func (c *conn) blame(what string, code, subcode byte) {
	reason := what + notificationText(code, subcode)
	if c.given.Load() {
		c.s.notes.blame(c.peer.String(), reason)
	} else {
		c.s.notes.failed(c.peer.String(), reason)
	}
}

// tooSlow cuts a session that is not up yet.
func (c *conn) tooSlow() {
	if !c.up.Load() {
		c.say(wire.Verdict{Code: 4})
	}
}

// establish is called when the session comes up, on the goroutine of its state machine.
func (c *conn) establish(machine reflect.Value) {
	c.machine = machine
	_ = c.SetWriteDeadline(time.Time{}) // GoBGP's is for the KEEPALIVE before; it takes it off later
	c.up.Store(true)
	c.slow.Stop()
}

// SetWriteDeadline implements net.Conn. GoBGP sets one for what it says before and after a session.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.deadlineMu.Lock()
	defer c.deadlineMu.Unlock()
	c.limited = !t.IsZero()
	if !c.limited && c.up.Load() { // a write may be under way
		t = time.Now().Add(c.s.cfg.SendHold)
	}
	return c.TCPConn.SetWriteDeadline(t)
}

// hold limits the time for the next write, unless GoBGP has.
func (c *conn) hold() {
	c.deadlineMu.Lock()
	defer c.deadlineMu.Unlock()
	if !c.limited {
		_ = c.TCPConn.SetWriteDeadline(time.Now().Add(c.s.cfg.SendHold))
	}
}

func (c *conn) isLimited() bool {
	c.deadlineMu.Lock()
	defer c.deadlineMu.Unlock()
	return c.limited
}

// Write implements net.Conn. A message that does not get away within the send hold time ends the session: RFC 9687 3.
func (c *conn) Write(b []byte) (int, error) {
	if c.mute.Load() {
		return len(b), nil
	}
	if !c.up.Load() && len(b) > wire.HeaderLen && b[wire.HeaderLen-1] == wire.Open {
		return c.open(len(b))
	}
	if c.up.Load() && len(b) > wire.HeaderLen && b[wire.HeaderLen-1] == wire.Update {
		c.begin(b)
		return len(b), nil
	}
	if farewell := c.farewell(wire.BareCease(b)); farewell != nil {
		if _, err := c.write(wire.Frame(wire.Notification, farewell)); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	return c.write(b)
}

// write is Write of whole messages, GoBGP's or ours. They may come from several goroutines.
//
// After a NOTIFICATION nothing more is sent, and nothing fails. GoBGP's state machine has room for three reasons why its session ends, which it takes itself;
// when its hold time is over it adds a fourth. If till then its writer has failed, the peer's NOTIFICATION has come and its reader has failed, as after a
// standstill of this process, it waits for itself for good, and the neighbour never gets a session again.
func (c *conn) write(b []byte) (int, error) {
	c.writing.Lock()
	if c.said.Load() != 0 {
		c.writing.Unlock()
		return len(b), nil
	}
	if b[wire.HeaderLen-1] == wire.Notification {
		c.said.Store(uint32(b[wire.HeaderLen]))
	}
	c.hold()
	n, err := c.TCPConn.Write(b)
	c.writing.Unlock()
	if errors.Is(err, os.ErrDeadlineExceeded) && c.up.Load() && !c.isLimited() {
		c.cut(wire.Verdict{Code: 8, Why: "takes no data"})
		<-c.done // an error before would look like a broken connection
	}
	return n, err
}

// cut ends a session whose peer does not read. What the kernel still holds for it is dropped.
func (c *conn) cut(v wire.Verdict) {
	c.s.complain(c.peer, wire.Verdict{Action: wire.Reset, Code: v.Code, Subcode: v.Subcode, Why: v.Why})
	_ = c.SetLinger(0)
	notify(c.machine, v)
}

// open sends our OPEN in the place of GoBGP's, which has n octets.
func (c *conn) open(n int) (int, error) {
	if _, err := c.TCPConn.Write(c.hello()); err != nil {
		return 0, err
	}
	return n, nil
}
