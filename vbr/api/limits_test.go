package api

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Who calls too often is told when to try again; the next caller does not feel it; the audit has it in few lines.
func TestRate(t *testing.T) {
	w := start(t, options{rate: 5})
	c := w.as("noc")
	var refused int
	for range 60 {
		_, err := resources(c).Confirm(ask(t), &vbrv1.ConfirmRequest{})
		if err == nil {
			continue
		}
		refused++
		var retry *errdetails.RetryInfo
		for _, d := range status.Convert(err).Details() {
			retry, _ = d.(*errdetails.RetryInfo)
		}
		if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "legal: 5 a second, 10 at once; try again in") || retry.GetRetryDelay().AsDuration() <= 0 {
			t.Fatal(err, retry)
		}
	}
	if refused < 40 {
		t.Errorf("only %d of 60 calls were refused", refused)
	}
	if _, err := routers(w.as("viewer")).GetHost(ask(t), &vbrv1.GetHostRequest{}); err != nil {
		t.Error("another caller:", err)
	}
	counted := func() (n, lines int) {
		for _, a := range w.logs.audits(t) {
			if a["code"] == "ResourceExhausted" {
				n, lines = n+int(a["calls"].(float64)), lines+1
			}
		}
		return n, lines
	}
	eventually(t, "all refusals counted", func() bool { n, _ := counted(); return n == refused })
	if _, lines := counted(); lines > 5 {
		t.Errorf("%d audit lines for a flood", lines)
	}
	other := w.as("noc")
	if _, err := routers(other).GetHost(ask(t), &vbrv1.GetHostRequest{}); err == nil {
		_, err = routers(other).GetHost(ask(t), &vbrv1.GetHostRequest{})
		for i := 0; err == nil && i < 12; i++ {
			_, err = routers(other).GetHost(ask(t), &vbrv1.GetHostRequest{})
		}
		if status.Code(err) != codes.ResourceExhausted {
			t.Error("a second connection has a rate of its own:", err)
		}
	}
}

// Who does not stop loses the connection.
func TestFloodLosesConnection(t *testing.T) {
	w := start(t, options{rate: 1})
	r := newRaw(t, "unix", w.socket(), nil)
	var err error
	for i := 0; i < MaxRefused+1000 && err == nil; i++ {
		id := r.open("/vbr.v1.RouterService/GetHost")
		r.fr.WriteData(id, true, []byte{0, 0, 0, 0, 0})
		for _, ok := r.status[id]; !ok && err == nil; _, ok = r.status[id] {
			err = r.read()
		}
	}
	if err == nil {
		t.Error("still connected")
	}
}

// One connection has 64 calls at once; the 65th is refused and the others go on.
func TestStreamLimit(t *testing.T) {
	w := start(t, options{})
	r := newRaw(t, "unix", w.socket(), nil)
	for range MaxStreams {
		r.send(r.open("/vbr.v1.ResourceService/Watch"), nil)
	}
	eventually(t, "64 watchers", func() bool { return len(w.controller.noted()) == MaxStreams })
	extra := r.open("/vbr.v1.ResourceService/Watch")
	r.send(extra, nil)
	if got := r.ended(extra); got != "REFUSED_STREAM" {
		t.Errorf("65th stream: %s", got)
	}
	w.lives()
}

// A watcher that does not read is dropped, and what it held is given back.
func TestSlowReader(t *testing.T) {
	w := start(t, options{limits: func(l *limits) { l.message = 300 * time.Millisecond }})
	ended := make(chan error, 1)
	w.controller.watch = func(_ context.Context, yield func(*vbrv1.WatchResponse) error) error {
		var err error
		for err == nil {
			err = yield(&vbrv1.WatchResponse{ResumeToken: strings.Repeat("x", 100_000)})
		}
		ended <- err
		return err
	}
	r := newRaw(t, "unix", w.socket(), nil)
	r.send(r.open("/vbr.v1.ResourceService/Watch"), nil)
	select {
	case err := <-ended:
		if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "too slowly") {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the watcher is served forever")
	}
	w.lives()
}

// A request that never comes, and an answer that is never taken, end at their times.
func TestSlowUnary(t *testing.T) {
	w := start(t, options{limits: func(l *limits) { l.message = 200 * time.Millisecond }})
	r := newRaw(t, "unix", w.socket(), nil)
	id := r.open("/vbr.v1.ResourceService/Apply")
	r.data(id, []byte{0, 0, 0, 0, 9, 1}, false)
	if got := r.ended(id); got != "4" {
		t.Errorf("status %s, want 4 (DEADLINE_EXCEEDED)", got)
	}
}

// Calls with one answer have a deadline, and not one that is too long; a caller who goes away ends the call.
func TestDeadlines(t *testing.T) {
	w := start(t, options{limits: func(l *limits) { l.deadline, l.maxDeadline = 300*time.Millisecond, 2*time.Second }})
	left := make(chan time.Duration, 10)
	w.controller.apply = func(ctx context.Context, _ *vbrv1.ApplyRequest) (*vbrv1.ApplyResponse, error) {
		d, _ := ctx.Deadline()
		left <- time.Until(d)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	c := resources(w.root())
	if _, err := c.Apply(context.Background(), &vbrv1.ApplyRequest{}); status.Code(err) != codes.DeadlineExceeded {
		t.Error("none:", err)
	}
	if d := <-left; d > 300*time.Millisecond {
		t.Errorf("default deadline %v", d)
	}
	if _, err := c.Apply(ask(t), &vbrv1.ApplyRequest{}); status.Code(err) != codes.DeadlineExceeded {
		t.Error("too long:", err)
	}
	if d := <-left; d > 2*time.Second || d < 300*time.Millisecond {
		t.Errorf("longest deadline %v", d)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-left; cancel() }()
	if _, err := c.Apply(ctx, &vbrv1.ApplyRequest{}); status.Code(err) != codes.Canceled {
		t.Error("cancelled:", err)
	}
	eventually(t, "the audit says that it was cancelled", func() bool {
		a := w.logs.audits(t)
		return a[len(a)-1]["code"] == "Canceled"
	})
	w.lives()
}

// A panic of a handler is the end of that call only.
func TestPanic(t *testing.T) {
	w := start(t, options{})
	_, err := resources(w.root()).Get(ask(t), &vbrv1.GetRequest{Name: "panic"})
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "boom") {
		t.Error(err)
	}
	if l := w.logs.String(); !strings.Contains(l, "boom") || !strings.Contains(l, "fakes_test.go") {
		t.Error("the log does not have it:", l)
	}
	w.lives()
}

// Garbage on the ports, before TLS and after, costs its connection.
func TestGarbage(t *testing.T) {
	w := start(t, options{})
	noise := make([]byte, 4096)
	random := rand.NewChaCha8([32]byte{1})
	inside := func() net.Conn {
		cfg := w.client(issue(t, w.ca, "noc", time.Hour))
		cfg.NextProtos = []string{"h2"}
		c, err := tls.Dial("tcp", w.tcp(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for i := range 60 {
		random.Read(noise)
		var c net.Conn
		var err error
		switch i % 3 {
		case 0:
			c, err = net.Dial("tcp", w.tcp())
		case 1:
			c, err = net.Dial("unix", w.socket())
		default:
			c = inside()
		}
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 1 {
			io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		}
		c.Write(noise)
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Error("not closed:", err)
		}
		c.Close()
	}
	w.lives()
}

// Connections beyond the limits are closed at once: of one caller, and of strangers who say nothing. Others get in.
func TestConnectionFlood(t *testing.T) {
	w := start(t, options{})
	closedAtOnce := func(c net.Conn) bool {
		c.SetReadDeadline(time.Now().Add(time.Second))
		_, err := io.Copy(io.Discard, c)
		return err == nil || !strings.Contains(err.Error(), "timeout")
	}
	var open []net.Conn
	for range MaxConnsCaller {
		r := newRaw(t, "unix", w.socket(), nil)
		if err := r.read(); err != nil { // the server's settings: it knows who this is
			t.Fatal(err)
		}
		open = append(open, r.conn)
	}
	c, err := net.Dial("unix", w.socket())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !closedAtOnce(c) {
		t.Error("a caller's 17th connection was let in")
	}
	var wg sync.WaitGroup
	for range 400 {
		wg.Go(func() {
			if c, err := net.Dial("tcp", w.tcp()); err == nil {
				defer c.Close()
				time.Sleep(300 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	for _, c := range open {
		c.Close()
	}
	eventually(t, "all given back", func() bool {
		w.server.shake.peers.mu.Lock()
		defer w.server.shake.peers.mu.Unlock()
		for _, p := range w.server.shake.peers.byName {
			if p.conns != 0 {
				return false
			}
		}
		return true
	})
	w.lives()
	if _, err := routers(w.as("viewer")).GetHost(ask(t), &vbrv1.GetHostRequest{}); err != nil {
		t.Error(err)
	}
	if n := strings.Count(w.logs.String(), "connection refused"); n == 0 || n > 10 {
		t.Errorf("%d lines in the log about a flood", n)
	}
}

// A listener is full at MaxConns, whoever they are.
func TestListenerFull(t *testing.T) {
	w := start(t, options{})
	l := w.server.listeners[0].(*listener)
	l.mu.Lock()
	l.open = MaxConns
	l.mu.Unlock()
	c, err := net.Dial("unix", w.socket())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Error("let in:", err)
	}
	l.mu.Lock()
	l.open = 0
	l.mu.Unlock()
	w.lives()
}

// Who connects and says nothing is let go.
func TestSilentCaller(t *testing.T) {
	w := start(t, options{limits: func(l *limits) { l.firstCall = 200 * time.Millisecond }})
	r := newRaw(t, "unix", w.socket(), nil)
	began, late := time.Now(), time.AfterFunc(5*time.Second, func() { _ = r.conn.Close() }) // a server without the limit would leave read waiting
	for r.read() == nil {
	}
	if late.Stop(); time.Since(began) >= 5*time.Second {
		t.Fatal("still connected")
	}
	r = newRaw(t, "unix", w.socket(), nil)
	r.send(r.open("/vbr.v1.ResourceService/Watch"), nil)
	time.Sleep(400 * time.Millisecond)
	id := r.open("/vbr.v1.RouterService/GetHost")
	r.send(id, nil)
	if got := r.ended(id); got != "0" {
		t.Errorf("a caller with a call was let go: %s", got)
	}
}

// The server stops within a second, with watchers, calls in progress and a reader that does not read.
func TestStop(t *testing.T) {
	w := start(t, options{})
	w.controller.apply = func(ctx context.Context, _ *vbrv1.ApplyRequest) (*vbrv1.ApplyResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	r := newRaw(t, "unix", w.socket(), nil)
	r.send(r.open("/vbr.v1.ResourceService/Watch"), nil)
	c := w.root()
	s, err := resources(c).Watch(ask(t), &vbrv1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err != nil {
		t.Fatal(err)
	}
	follow, err := routers(c).ListEvents(ask(t), &vbrv1.ListEventsRequest{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	applied := make(chan error, 1)
	go func() {
		_, err := resources(c).Apply(context.Background(), &vbrv1.ApplyRequest{})
		applied <- err
	}()
	eventually(t, "calls in progress", func() bool { return len(w.controller.noted()) == 3 })
	began := time.Now()
	w.end()
	if took := time.Since(began); took > time.Second {
		t.Errorf("stopped in %v", took)
	}
	if _, err := s.Recv(); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "vbrd is stopping") {
		t.Error("watcher:", err)
	}
	if _, err := follow.Recv(); status.Code(err) != codes.Unavailable {
		t.Error("follower:", err)
	}
	if err := <-applied; status.Code(err) != codes.Unavailable && status.Code(err) != codes.Canceled {
		t.Error("apply:", err)
	}
}
