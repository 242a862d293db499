package bfd

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// inbox is how many packets wait for a session.
const inbox = 64

// How often a session may change: so many times a second, and so many at once. One that comes and goes with every packet is read that slowly,
// the rest is dropped: it costs its owner no more than that.
const (
	changesPerSecond = 10
	changesAtOnce    = 20
)

// farewells is how many packets tell the neighbour of a session that ends: they come at once, so this is against loss only.
const farewells = 3

// link is where a session's packets go and come from.
type link interface {
	send(b []byte, multihop bool) error // does not block
	drain()                             // delivers what has come and was not read yet
}

// key names a session.
type key struct {
	peer   netip.Addr
	device string
}

// session runs an fsm: its goroutine is the only one to move it.
type session struct {
	key    key
	local  netip.Addr
	discr  uint32
	notify func(Change)
	in     chan packet
	poke   chan struct{}
	pace   *rate.Limiter   // of changes
	ctx    context.Context // run's
	stop   context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex // guards what follows; held for no longer than it takes to send a packet
	fsm    *fsm
	link   link   // nil: none at present
	err    string // why
	told   told
	counts counts
}

// told is what makes a Change when it changes.
type told struct {
	state     State
	adminDown bool
}

type counts struct{ received, sent, sendErrors, overflowed uint64 }

func newSession(cfg Session, discr uint32, jitter func() float64, notify func(Change)) *session {
	s := &session{
		key: key{cfg.Peer, cfg.Device}, local: cfg.Local, discr: discr, notify: notify,
		in: make(chan packet, inbox), poke: make(chan struct{}, 1), pace: rate.NewLimiter(changesPerSecond, changesAtOnce), done: make(chan struct{}),
		fsm: newFSM(time.Now(), cfg, discr, jitter),
	}
	s.ctx, s.stop = context.WithCancel(context.Background()) // whoever starts run calls stop and waits for done
	s.told.state = Down
	return s
}

// run lives until stop, and then tells the neighbour that this is no failure.
func (s *session) run() {
	defer close(s.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			s.farewell()
			return
		case <-s.poke:
		case p := <-s.in:
			s.receive(p)
		case <-timer.C:
		}
		s.tick()
		if at := s.next(); at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(at))
		}
	}
}

func (s *session) next() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fsm.next()
}

func (s *session) receive(p packet) {
	s.mu.Lock()
	s.counts.received++
	reply, ok := s.fsm.receive(time.Now(), p)
	if ok {
		s.send(reply)
	}
	s.unlockAndTell()
}

// tick does what is due. Before it believes that the neighbour fell silent it reads what may have come while this process did not run.
func (s *session) tick() {
	s.mu.Lock()
	if link := s.link; s.fsm.expired(time.Now()) {
		s.mu.Unlock()
		s.catchUp(link)
		s.mu.Lock()
	}
	if p, ok := s.fsm.tick(time.Now()); ok {
		s.send(p)
	}
	s.unlockAndTell()
}

func (s *session) catchUp(l link) {
	if l != nil {
		l.drain()
	}
	for range inbox {
		select {
		case p := <-s.in:
			s.receive(p)
		default:
			return
		}
	}
}

// send is called with mu held. Without a link nothing is sent, and the timers go on. As long as nothing was heard the neighbour is spoken to by both ports:
// it may wait for us, as FRR does after it was told AdminDown.
func (s *session) send(p packet) {
	if s.link == nil {
		return
	}
	b, err := p.encode()
	if err == nil {
		err = s.link.send(b, p.multihop)
	}
	if err == nil && s.fsm.heard.IsZero() {
		err = s.link.send(b, !p.multihop)
	}
	if err != nil {
		s.counts.sendErrors++
		return
	}
	s.counts.sent++
}

// unlockAndTell releases mu and reports the change, if there is one: the owner may then ask for the status.
func (s *session) unlockAndTell() {
	f := s.fsm
	now := told{f.state, f.adminDown()}
	change := Change{
		Peer: s.key.peer, Local: s.local, Device: s.key.device, State: f.state, RemoteState: f.remote.state,
		Diag: f.diag, Since: f.since, AdminDown: now.adminDown, Independent: f.remote.independent, Anew: f.anew,
	}
	news := now != s.told
	s.told = now
	s.mu.Unlock()
	if news {
		s.notify(change)
		_ = s.pace.Wait(s.ctx) // fails when the session ends, as run does next
	}
}

func (s *session) farewell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fsm.admin(time.Now(), false)
	for range farewells {
		if !s.fsm.silent() {
			s.send(s.fsm.packet())
		}
	}
}

// deliver hands the session a packet; false: it does not keep up.
func (s *session) deliver(p packet) bool {
	select {
	case s.in <- p:
		return true
	default:
		s.mu.Lock()
		s.counts.overflowed++
		s.mu.Unlock()
		return false
	}
}

// configure takes changed intervals, multiplier or role.
func (s *session) configure(cfg Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fsm.cfg != cfg {
		s.fsm.configure(time.Now(), cfg)
		s.wake()
	}
}

// connect gives the session another link; nil, and why: none. It tells whether that is a new reason.
func (s *session) connect(l link, err error) bool {
	text := ""
	if err != nil {
		text = err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	news := text != s.err
	s.link, s.err = l, text
	return news
}

func (s *session) wake() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

func (s *session) status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.fsm
	st := Status{
		Session: f.cfg, State: f.state, RemoteState: f.remote.state, AdminDown: f.adminDown(), Since: f.since,
		Diag: f.why, RemoteDiag: f.remote.diag, Discriminator: s.discr, RemoteDiscr: f.remote.discr,
		DetectTime: f.detectTime(), RemoteMinTx: f.remote.minTx, RemoteMinRx: f.remote.minRx, RemoteDetectMult: f.remote.mult, Independent: f.remote.independent,
		Polling: f.poll.active, Heard: f.heard, Downs: f.downs, Err: s.err,
		Received: s.counts.received, Sent: s.counts.sent, Overflowed: s.counts.overflowed, SendErrors: s.counts.sendErrors,
	}
	if f.remote.minRx != 0 {
		st.TxInterval = f.every
	}
	return st
}
