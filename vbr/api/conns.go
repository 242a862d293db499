package api

import (
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxPeers is how many callers are remembered before those that are away and rested are forgotten.
const maxPeers = 1024

// peers counts connections and calls of each caller.
type peers struct {
	log    *slog.Logger
	rate   int
	mu     sync.Mutex
	byName map[string]*peer
	noisy  rate.Sometimes // for what strangers can cause
}

// peer is one caller with all its connections, or one address whose connections have not shown a certificate yet.
type peer struct {
	name    string
	conns   int           // guarded by peers.mu
	limiter *rate.Limiter // of calls
	flood   *rate.Limiter // of calls that were refused
	refused refusals
}

func newPeers(log *slog.Logger, perSecond int) *peers {
	return &peers{log: log, rate: perSecond, byName: make(map[string]*peer), noisy: rate.Sometimes{Interval: time.Second}}
}

// take counts one more connection of a caller, or fails.
func (ps *peers) take(name string) (*peer, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.byName[name]
	if p == nil {
		ps.forget()
		p = &peer{name: name, limiter: rate.NewLimiter(rate.Limit(ps.rate), 2*ps.rate), flood: rate.NewLimiter(rate.Limit(10*ps.rate), MaxRefused)}
		ps.byName[name] = p
	}
	if p.conns >= MaxConnsCaller {
		return nil, fmt.Errorf("%s has %d connections already; legal: %d", name, p.conns, MaxConnsCaller)
	}
	p.conns++
	return p, nil
}

func (ps *peers) release(p *peer) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p.conns--
}

// forget drops those whose counters say nothing anymore, when there are many.
func (ps *peers) forget() {
	if len(ps.byName) < maxPeers {
		return
	}
	for name, p := range ps.byName {
		if p.conns == 0 && p.limiter.Tokens() >= float64(p.limiter.Burst()) {
			delete(ps.byName, name)
		}
	}
}

// warn logs what a stranger did, at most once a second.
func (ps *peers) warn(msg string, args ...any) {
	ps.noisy.Do(func() { ps.log.Warn(msg, args...) })
}

// listener accepts at most MaxConns connections at once and closes the others.
type listener struct {
	net.Listener
	peers *peers
	owner func(net.Conn) (*identity, error) // of a door: who connects, where the kernel knows; nil: counted by address
	mu    sync.Mutex
	open  int
}

// conn is a connection that gives back what it holds when it is closed.
type conn struct {
	net.Conn
	l       *listener
	mu      sync.Mutex
	closed  bool
	holds   *peer       // counted for: first its address, then its caller
	owner   *identity   // as the listener's owner has it
	waiting *time.Timer // closes it unless a call comes
}

// Accept returns the next connection that there is room for.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.admit(raw); c != nil {
			return c, nil
		}
		raw.Close()
	}
}

func (l *listener) admit(raw net.Conn) *conn {
	l.mu.Lock()
	full := l.open >= MaxConns
	if !full {
		l.open++
	}
	l.mu.Unlock()
	if full {
		l.peers.warn("api: connection refused", "listener", l.Addr().String(), "err", fmt.Sprintf("there are %d; legal: %d", MaxConns, MaxConns))
		return nil
	}
	c := &conn{Conn: raw, l: l}
	err := c.count()
	if err != nil {
		l.peers.warn("api: connection refused", "listener", l.Addr().String(), "err", err)
		l.leave()
		return nil
	}
	return c
}

// count counts a new connection for the address that it comes from, or at a door for its owner.
func (c *conn) count() (err error) {
	name := ""
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		name = "address " + tcp.IP.String()
	}
	if c.l.owner != nil {
		if c.owner, err = c.l.owner(c.Conn); err != nil {
			return err
		}
		name = "door: " + c.owner.name
	}
	if name != "" {
		c.holds, err = c.l.peers.take(name)
	}
	return err
}

func (l *listener) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
}

// belongsTo counts the connection for its caller instead of its address.
func (c *conn) belongsTo(p *peer, firstCall time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		c.l.peers.release(p)
		return
	}
	if c.holds != nil {
		c.l.peers.release(c.holds)
	}
	c.holds = p
	c.waiting = time.AfterFunc(firstCall, func() { _ = c.Close() })
}

// called says that a call came.
func (c *conn) called() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting != nil {
		c.waiting.Stop()
	}
}

// Close closes the connection; once is enough.
func (c *conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	if c.waiting != nil {
		c.waiting.Stop()
	}
	if c.holds != nil {
		c.l.peers.release(c.holds)
	}
	c.mu.Unlock()
	c.l.leave()
	return c.Conn.Close()
}
