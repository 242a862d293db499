package probe

import (
	"container/heap"
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

const (
	// grace is how long after its timeout a request is held to be lost, at the latest when the next is due: a reply in time may still wait in a queue.
	grace      = 50 * time.Millisecond
	replyQueue = 1024
	lostInTime = "timeout"
)

// place is what the checks of one socket have in common.
type place struct {
	device string
	source netip.Addr
	v4     bool
}

// conn is an ICMP socket at a place. Only receive runs in a goroutine of its own.
type conn interface {
	// send sends or says why not, at once.
	send(request) error
	// receive hands over the replies to the socket's own requests, with the time each came, until close or a failure.
	receive(deliver func(reply, time.Time))
	// stale says that the socket is of no use any more: its device is gone or another, or it failed.
	stale() bool
	close()
}

type opener func(place) (conn, error)

// line is a conn with what is in flight on it.
type line struct {
	conn
	flying map[uint16]*task
	seq    uint16
}

// arrival is a reply on its way from a line's goroutine to the engine's.
type arrival struct {
	line  *line
	reply reply
	at    time.Time
}

// engine is the state of Run. One goroutine owns it.
type engine struct {
	*Prober
	tasks    map[string]*task
	queue    queue
	lines    map[place]*line
	failing  map[place]string // why the place has no line, as logged
	arrivals chan arrival
	done     chan struct{}
	readers  sync.WaitGroup
}

func newEngine(p *Prober) *engine {
	return &engine{
		Prober: p, tasks: map[string]*task{}, lines: map[place]*line{}, failing: map[place]string{},
		arrivals: make(chan arrival, replyQueue), done: make(chan struct{}),
	}
}

func (e *engine) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.poke:
			e.reconcile(time.Now())
		case a := <-e.arrivals:
			e.arrived(a)
		case <-timer.C:
			e.due(time.Now())
		}
		timer.Reset(e.pause(time.Now()))
	}
}

func (e *engine) close() {
	close(e.done)
	for p := range e.lines {
		e.shut(p)
	}
	e.readers.Wait()
}

// pause is how long nothing is to be done.
func (e *engine) pause(now time.Time) time.Duration {
	if len(e.queue) == 0 {
		return MaxInterval
	}
	return max(0, e.queue[0].when.Sub(now))
}

// reconcile makes the tasks those that are wanted.
func (e *engine) reconcile(now time.Time) {
	e.mu.Lock()
	wanted := e.wanted
	e.mu.Unlock()
	for id, t := range e.tasks {
		if wanted[id] != t.Check {
			e.land(t)
			heap.Remove(&e.queue, t.at)
			delete(e.tasks, id)
		}
	}
	used := map[place]bool{}
	for id, c := range wanted {
		used[placeOf(c)] = true
		if e.tasks[id] == nil {
			t := &task{Check: c, when: now.Add(rand.N(c.Interval))}
			e.tasks[id] = t
			heap.Push(&e.queue, t)
		}
	}
	e.tidy(used)
}

// tidy closes and forgets the places that are not used.
func (e *engine) tidy(used map[place]bool) {
	for p := range e.lines {
		if !used[p] {
			e.shut(p)
		}
	}
	for p := range e.failing {
		if !used[p] {
			delete(e.failing, p)
		}
	}
}

// due does what is to be done by now, once the replies that are here have been heard.
func (e *engine) due(now time.Time) {
	for n := len(e.arrivals); n > 0; n-- {
		e.arrived(<-e.arrivals)
	}
	for len(e.queue) > 0 && !e.queue[0].when.After(now) {
		t := e.queue[0]
		if t.line != nil {
			e.finish(t, Result{Sent: t.sent, Err: lostInTime}, now)
		} else {
			e.launch(t)
		}
	}
}

// launch sends a task's next request.
func (e *engine) launch(t *task) {
	now := time.Now()
	t.plan(now)
	l, err := e.line(placeOf(t.Check))
	if err == nil {
		err = e.send(l, t)
	}
	if err != nil {
		e.finish(t, Result{Sent: now, Err: err.Error()}, now)
		return
	}
	t.when = earlier(t.sent.Add(t.Timeout+grace), t.next)
	heap.Fix(&e.queue, t.at)
}

func (e *engine) send(l *line, t *task) error {
	seq, ok := l.free()
	if !ok {
		return errors.New("too many requests in flight")
	}
	t.seq, t.nonce, t.sent = seq, rand.Uint64(), time.Now()
	if err := l.send(request{target: t.Target, seq: seq, nonce: t.nonce, size: t.Size}); err != nil {
		return err
	}
	t.line, l.flying[seq] = l, t
	return nil
}

// arrived matches a reply with the request in flight.
func (e *engine) arrived(a arrival) {
	t := a.line.flying[a.reply.seq]
	if t == nil || t.nonce != a.reply.nonce || t.Target.WithZone("") != a.reply.from {
		return
	}
	r := Result{Sent: t.sent, RTT: max(0, a.at.Sub(t.sent)), OK: true}
	if r.RTT > t.Timeout {
		r = Result{Sent: t.sent, Err: lostInTime}
	}
	e.finish(t, r, time.Now())
}

// finish reports a task's result and lets it wait for its next request.
func (e *engine) finish(t *task, r Result, now time.Time) {
	e.land(t)
	t.when = later(t.next, now)
	heap.Fix(&e.queue, t.at)
	e.handler.Result(t.ID, r)
}

// land takes a task's request out of the air.
func (e *engine) land(t *task) {
	if t.line != nil {
		delete(t.line.flying, t.seq)
		t.line = nil
	}
}
