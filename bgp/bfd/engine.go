package bfd

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is the time between two looks at the devices, Set apart.
const lookEvery = time.Second

// Config is an Engine's.
type Config struct {
	Log *slog.Logger // required
	// State is called on each Change, a session's in their order, from the session's goroutine. It must not block; it may call
	// Status, Stats and Set. A session starts Down, without a call.
	State func(Change)
}

// Engine watches over neighbours. Its methods may be called from any goroutine.
type Engine struct {
	cfg     Config
	look    chan struct{}
	drops   map[Reason]*atomic.Uint64 // never changed
	count   struct{ received, rebuilt, filtered atomic.Uint64 }
	sockets sockets // Run's goroutine's

	mu      sync.RWMutex // guards what follows; held over no I/O
	wanted  map[key]Session
	running map[key]*session
	byDiscr map[uint32]*session
	gone    counts // of sessions that ended
}

// New makes an Engine without sessions.
func New(cfg Config) *Engine {
	e := &Engine{
		cfg: cfg, look: make(chan struct{}, 1), drops: map[Reason]*atomic.Uint64{},
		wanted: map[key]Session{}, running: map[key]*session{}, byDiscr: map[uint32]*session{},
	}
	for _, r := range []Reason{DropTTL, DropVersion, DropLength, DropDetectMult, DropMultipoint, DropMyDiscr, DropState,
		DropNoSession, DropStranger, DropAuthentication, DropOverflow} {
		e.drops[r] = new(atomic.Uint64)
	}
	e.sockets.init(e)
	return e
}

// Set says which sessions there shall be, all of them, and returns at once. Sessions that are already running go on; their intervals are
// changed by a Poll Sequence. Those left out tell their neighbours AdminDown and end. It may be called again with the same, which makes the Engine look after its devices.
// A session that is not valid, or names a peer and device twice, is left out; the error, wrapping ErrInvalid, names each.
func (e *Engine) Set(all []Session) error {
	wanted := map[key]Session{}
	var errs []error
	for _, s := range all {
		k := key{s.Peer, s.Device}
		err := s.validate()
		if _, twice := wanted[k]; err == nil && twice {
			err = fmt.Errorf("twice: %w", ErrInvalid)
		}
		if err == nil && len(wanted) >= MaxSessions {
			err = fmt.Errorf("more than %d sessions: %w", MaxSessions, ErrInvalid)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("bfd: session with %v on %s: %w", s.Peer, s.Device, err))
			continue
		}
		wanted[k] = s
	}
	e.mu.Lock()
	e.wanted = wanted
	e.mu.Unlock()
	select {
	case e.look <- struct{}{}:
	default:
	}
	return errors.Join(errs...)
}

// Run works until its context ends, then tells all neighbours AdminDown and returns nil. The sockets are made in the network namespace of
// the calling goroutine's thread. It may be called once.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.sockets.open(); err != nil {
		return fmt.Errorf("bfd: %w", err)
	}
	defer e.sockets.close()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		e.reconcile()
		select {
		case <-ctx.Done():
		case <-e.look:
		case <-tick.C:
		}
	}
	for _, s := range e.take(func(*session) bool { return true }) {
		e.end(s)
	}
	return nil
}

// reconcile makes what runs what is wanted.
func (e *Engine) reconcile() {
	e.mu.RLock()
	wanted := e.wanted
	e.mu.RUnlock()
	for _, s := range e.take(func(s *session) bool { return wanted[s.key].Local != s.local }) {
		e.end(s)
	}
	var fresh []*session
	for k, cfg := range wanted {
		if s := e.find(k); s != nil {
			s.configure(cfg)
		} else if s, err := e.add(cfg); err != nil {
			e.cfg.Log.Error("bfd: start session", "peer", cfg.Peer, "device", cfg.Device, "error", err)
		} else {
			fresh = append(fresh, s)
		}
	}
	e.sockets.look(e.sessions())
	for _, s := range fresh { // with their sockets: so the first packet goes out
		go s.run()
	}
}

// take removes from the running sessions those that f picks: no packet reaches them any more.
func (e *Engine) take(f func(*session) bool) []*session {
	e.mu.Lock()
	defer e.mu.Unlock()
	var taken []*session
	for k, s := range e.running {
		if f(s) {
			taken = append(taken, s)
			delete(e.running, k)
			delete(e.byDiscr, s.discr)
		}
	}
	return taken
}

// end ends a session that take removed, and waits for it.
func (e *Engine) end(s *session) {
	s.stop()
	<-s.done
	e.sockets.release(s)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gone.sent += s.counts.sent
	e.gone.sendErrors += s.counts.sendErrors
}

func (e *Engine) add(cfg Session) (*session, error) {
	discr, err := e.discriminator()
	if err != nil {
		return nil, err
	}
	s := newSession(cfg, discr, rand.Float64, e.state)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running[s.key], e.byDiscr[discr] = s, s
	return s, nil
}

// discriminator is random, not 0, and no other session's (RFC 5880 6.8.1). Only Run's goroutine adds sessions.
func (e *Engine) discriminator() (uint32, error) {
	for {
		var b [4]byte
		if _, err := crand.Read(b[:]); err != nil {
			return 0, fmt.Errorf("discriminator: %w", err)
		}
		d := binary.BigEndian.Uint32(b[:])
		e.mu.RLock()
		_, taken := e.byDiscr[d]
		e.mu.RUnlock()
		if d != 0 && !taken {
			return d, nil
		}
	}
}

func (e *Engine) state(c Change) {
	e.cfg.Log.Info("bfd: session changed", "peer", c.Peer, "device", c.Device, "state", c.State.String(),
		"diag", c.Diag.String(), "admin_down", c.AdminDown)
	if e.cfg.State != nil {
		e.cfg.State(c)
	}
}

func (e *Engine) find(k key) *session {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.running[k]
}

func (e *Engine) sessions() []*session {
	e.mu.RLock()
	defer e.mu.RUnlock()
	all := make([]*session, 0, len(e.running))
	for _, s := range e.running {
		all = append(all, s)
	}
	return all
}

// Status is each session as it is, by device and peer.
func (e *Engine) Status() []Status {
	var all []Status
	for _, s := range e.sessions() {
		all = append(all, s.status())
	}
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), a.Peer.Compare(b.Peer))
	})
	return all
}

// Session is one session as it is; false if it does not run.
func (e *Engine) Session(device string, peer netip.Addr) (Status, bool) {
	s := e.find(key{peer, device})
	if s == nil {
		return Status{}, false
	}
	return s.status(), true
}

// Stats are the counters since New.
func (e *Engine) Stats() Stats {
	e.mu.RLock()
	st := Stats{Sent: e.gone.sent, SendErrors: e.gone.sendErrors}
	e.mu.RUnlock()
	st.Received, st.Rebuilt, st.Filtered = e.count.received.Load(), e.count.rebuilt.Load(), e.count.filtered.Load()
	st.Dropped = map[Reason]uint64{}
	for r, n := range e.drops {
		st.Dropped[r] = n.Load()
	}
	for _, s := range e.Status() {
		st.Sessions++
		if s.State == Up {
			st.Up++
		}
		st.Sent += s.Sent
		st.SendErrors += s.SendErrors
	}
	return st
}
