package fib

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/internal/fault"
)

// A batch ends at whichever comes first. More messages gain nothing and make others wait longer.
const (
	batchMessages = 128
	batchBytes    = 60 << 10
)

// requester is a socket used for one request at a time.
type requester struct {
	sock  Socket
	count *counters
	seq   uint32
}

// begin empties an encoder for a new batch with sequence numbers of its own.
func (r *requester) begin(e *encoder) {
	e.reset(r.seq)
	r.seq += 2 * batchMessages
}

// exchange sends a batch and calls refused for each message that failed, in order. An error means that the fate of the
// batch's messages is unknown; no answer to them is left over then. effect is a [fault] point's.
func (r *requester) exchange(effect string, e *encoder, refused func(i int, a answer)) error {
	if e.count == 0 {
		return nil
	}
	op := operationOf(effect)
	err := fault.Around(effect, func() error {
		return r.send(e, func(i int, a answer) {
			r.count.failed.count(op, a.errno)
			refused(i, a)
		})
	})
	if err != nil {
		r.count.failed.countError(op, err)
	}
	return err
}

func (r *requester) send(e *encoder, refused func(i int, a answer)) error {
	r.count.messages.Add(uint64(e.count))
	r.count.batches.Add(1)
	if err := r.sock.Send(e.finish()); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	for {
		acked, err := r.answers(e, refused)
		if err != nil {
			r.sock.Drain()
			return err
		}
		if acked {
			return nil
		}
	}
}

// answers reads one datagram of acknowledgements; acked is true when the last message's is in it.
func (r *requester) answers(e *encoder, refused func(i int, a answer)) (acked bool, err error) {
	b, err := r.sock.Receive()
	if err != nil {
		return false, fmt.Errorf("receive: %w", err)
	}
	for len(b) > 0 {
		var m message
		if m, b, err = nextMessage(b); err != nil {
			return false, err
		}
		i := int(m.seq - e.base)
		if m.kind != unix.NLMSG_ERROR || i < 0 || i >= e.count {
			continue // left over from a batch that was given up
		}
		a, err := parseAnswer(m)
		if err != nil {
			return false, err
		}
		if a.errno != 0 {
			r.count.errors.Add(1)
			refused(i, a)
		}
		acked = acked || i == e.count-1
	}
	return acked, nil
}

// dump sends the one dump request in e and calls each for every object. interrupted means that the kernel's state changed
// meanwhile, so that objects may be missing or twice.
func (r *requester) dump(e *encoder, each func(message)) (interrupted bool, err error) {
	r.count.dumps.Add(1)
	defer func() {
		if err != nil {
			r.count.failed.countError(opDump, err)
		}
	}()
	if err := r.sock.Send(e.buf); err != nil {
		return false, fmt.Errorf("send: %w", err)
	}
	for {
		b, err := r.sock.Receive()
		if err != nil {
			return false, fmt.Errorf("receive: %w", err)
		}
		for len(b) > 0 {
			var m message
			if m, b, err = nextMessage(b); err != nil {
				return false, err
			}
			if m.seq != e.base {
				continue
			}
			interrupted = interrupted || m.flags&unix.NLM_F_DUMP_INTR != 0
			if m.kind == unix.NLMSG_DONE || m.kind == unix.NLMSG_ERROR {
				return interrupted, dumpError(m)
			}
			each(m)
		}
	}
}

// dumpError reads the end of a dump. A table or address family the kernel does not have is an empty one.
func dumpError(m message) error {
	a, err := parseAnswer(m)
	switch {
	case errors.Is(err, errTruncated) && m.kind == unix.NLMSG_DONE:
		return nil
	case err != nil:
		return err
	case a.errno == 0, a.errno == unix.ENOENT, a.errno == unix.EAFNOSUPPORT, a.errno == unix.EOPNOTSUPP:
		return nil
	}
	return a
}

// Error makes an answer an error; errors.Is finds the errno.
func (a answer) Error() string {
	if a.text == "" {
		return a.errno.Error()
	}
	return a.errno.Error() + ": " + a.text
}

func (a answer) Unwrap() error { return a.errno }

// pool lends sockets to dumps, which hold no lock and may take long.
type pool struct {
	dial  func() (Socket, error)
	count *counters
	mu    sync.Mutex
	idle  []*requester
	shut  bool
}

const poolIdle = 4

// with lends a requester to do. After an error its socket may hold leftovers and is closed.
func (p *pool) with(do func(*requester) error) error {
	r, err := p.take()
	if err != nil {
		return err
	}
	if err := do(r); err != nil {
		return errors.Join(err, r.sock.Close())
	}
	return p.put(r)
}

func (p *pool) take() (*requester, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut {
		return nil, os.ErrClosed
	}
	if n := len(p.idle); n > 0 {
		r := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return r, nil
	}
	sock, err := p.dial()
	if err != nil {
		return nil, fmt.Errorf("rtnetlink socket: %w", err)
	}
	return &requester{sock: sock, count: p.count}, nil
}

func (p *pool) put(r *requester) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut || len(p.idle) >= poolIdle {
		return r.sock.Close()
	}
	p.idle = append(p.idle, r)
	return nil
}

func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, r := range p.idle {
		errs = append(errs, r.sock.Close())
	}
	p.idle, p.shut = nil, true
	return errors.Join(errs...)
}
