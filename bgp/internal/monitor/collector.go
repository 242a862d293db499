package monitor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

const (
	dialTimeout = 10 * time.Second
	// writeTimeout is how long a collector may take for a piece of so many octets.
	writeTimeout = 30 * time.Second
	pieceOctets  = 64 << 10
	// retryFirst and retryMost bound the pause before a collector is dialled again, which doubles each time; after retryMost of connection it is the first
	// again (RFC 7854 3.2 wants a backoff).
	retryFirst, retryMost = time.Second, 2 * time.Minute
	// goodbyeTimeout bounds the Termination message.
	goodbyeTimeout = 500 * time.Millisecond
)

var errSlow = errors.New("the collector reads too slowly, and its queue is full")

// serve keeps a collector connected until the context ends.
func (h *Hub) serve(ctx context.Context, to netip.AddrPort) {
	log := h.cfg.Log.With("collector", to.String())
	what := "BMP collector " + to.String()
	h.note(what, "not connected yet")
	pause := retryFirst
	for ctx.Err() == nil {
		began := time.Now()
		err := h.connect(ctx, to, func() {
			h.note(what, "")
			log.Info("BMP collector is connected")
		})
		if ctx.Err() != nil {
			return
		}
		if h.note(what, err.Error()) { // once for each reason
			log.Warn("BMP collector is not connected", "err", err)
		}
		if time.Since(began) > retryMost {
			pause = retryFirst
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, retryMost)
	}
}

// connect is one connection: all there is, and then what happens.
func (h *Hub) connect(ctx context.Context, to netip.AddrPort, connected func()) error {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	connected()
	c := &connection{hub: h, conn: conn.(*net.TCPConn)}
	c.queue = newQueue(c.cut)
	c.out = bufio.NewWriterSize(deadlined{c.conn}, pieceOctets)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var ended = make(chan struct{})
	go func() { // a collector says nothing (RFC 7854 3.2): what it says is not kept, and its end is ours
		defer close(ended)
		cancel(fmt.Errorf("closed by the collector: %w", c.drain()))
	}()
	defer func() { _ = conn.Close(); <-ended }()
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetWriteDeadline(time.Now().Add(goodbyeTimeout)) })
	defer stop()
	h.join(c.queue)
	defer h.leave(c.queue)
	if err = c.run(ctx); c.queue.overflowed() {
		return errSlow
	}
	return err
}

// connection is a collector's.
type connection struct {
	hub   *Hub
	queue *queue
	conn  *net.TCPConn
	out   *bufio.Writer
}

// deadlined bounds the time of each write.
type deadlined struct{ *net.TCPConn }

func (d deadlined) Write(b []byte) (int, error) {
	if err := d.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return d.TCPConn.Write(b)
}

// cut ends the connection, and drops what the kernel still holds for a collector that does not take it.
func (c *connection) cut() {
	_ = c.conn.SetLinger(0)
	_ = c.conn.Close()
}

// drain reads until the end.
func (c *connection) drain() error {
	buf := make([]byte, 512)
	for {
		if _, err := c.conn.Read(buf); err != nil {
			return err
		}
	}
}

// run sends until the context ends, or something fails.
func (c *connection) run(ctx context.Context) error {
	if _, err := c.out.Write(initiation(c.hub.cfg.Name, c.hub.cfg.Description)); err != nil {
		return err
	}
	for _, s := range c.hub.sorted() {
		if err := c.tell(ctx, s); err != nil {
			return err
		}
	}
	for {
		if err := c.out.Flush(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return c.goodbye(ctx)
		}
		messages, full := c.queue.take(ctx)
		switch {
		case full:
			return errSlow
		case messages == nil:
			return c.goodbye(ctx)
		}
		for _, m := range messages {
			if _, err := c.out.Write(m); err != nil {
				return err
			}
		}
	}
}

// goodbye ends a connection in order, and returns why.
func (c *connection) goodbye(ctx context.Context) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(goodbyeTimeout))
	_, _ = c.conn.Write(termination())
	return context.Cause(ctx)
}

// tell sends all that a source has: for each session Peer Up, its routes, and End-of-RIB. What happens meanwhile waits in the queue, and comes after it. So what
// is told here may be told again, or be newer than what follows at once; in the end the collector has what is.
func (c *connection) tell(ctx context.Context, s *Source) error {
	for _, x := range s.listen(c.queue) {
		if err := c.send(ctx, s.instance.up(x)); err != nil {
			return err
		}
		for _, v6 := range []bool{false, true} {
			table, err := c.table(ctx, s, x, v6)
			if err != nil {
				return err
			}
			if err := c.send(ctx, table); err != nil {
				return err
			}
		}
	}
	return nil
}

// table are the messages with a family's routes, none if these are not kept. They are all made before one is sent, so that a slow collector keeps no other one waiting.
func (c *connection) table(ctx context.Context, s *Source, x *Session, v6 bool) ([]byte, error) {
	release, err := c.hub.alone(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	all, over := s.copy(x.Peer.Addr(), v6)
	if over { // no End-of-RIB either: this is not all there is
		return nil, nil
	}
	now := time.Now()
	var b []byte
	for paths := range slices.Chunk(all, 1000) {
		s.mu.Lock()
		messages := s.encode(x, paths, now)
		s.mu.Unlock()
		for _, m := range messages {
			b = append(b, m...)
		}
	}
	return append(b, s.instance.endOfRIB(x, family(v6), now)...), nil
}

// send sends octets piece by piece, and gives up when the queue is full.
func (c *connection) send(ctx context.Context, b []byte) error {
	for piece := range slices.Chunk(b, pieceOctets) {
		if c.queue.overflowed() {
			return errSlow
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err := c.out.Write(piece); err != nil {
			return err
		}
	}
	return nil
}
