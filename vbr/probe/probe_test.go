package probe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var target = netip.MustParseAddr("192.0.2.1")

// fakeConn is a place's far end.
type fakeConn struct {
	net    *fakeNet
	place  place
	out    chan reply
	closed chan struct{}
	old    bool
}

// fakeNet opens fakeConns and answers after delay.
type fakeNet struct {
	mu       sync.Mutex
	delay    time.Duration
	silent   bool
	missing  bool
	mangle   func(*reply)
	opened   []*fakeConn
	open     int
	requests int
}

func (n *fakeNet) opener(p place) (conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.missing {
		return nil, errors.New("no such device")
	}
	c := &fakeConn{net: n, place: p, out: make(chan reply, MaxChecks), closed: make(chan struct{})}
	n.opened = append(n.opened, c)
	n.open++
	return c, nil
}

func (c *fakeConn) send(r request) error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	c.net.requests++
	if c.net.silent {
		return nil
	}
	a := reply{from: r.target, seq: r.seq, nonce: r.nonce}
	if c.net.mangle != nil {
		c.net.mangle(&a)
	}
	time.AfterFunc(c.net.delay, func() { c.out <- a })
	return nil
}

func (c *fakeConn) receive(deliver func(reply, time.Time)) {
	for {
		select {
		case r := <-c.out:
			deliver(r, time.Now())
		case <-c.closed:
			return
		}
	}
}

func (c *fakeConn) stale() bool {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	return c.old
}

func (c *fakeConn) close() {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	c.net.open--
	close(c.closed)
}

// set changes the net under its lock.
func (n *fakeNet) set(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
}

// tally counts results.
type tally struct {
	mu      sync.Mutex
	results map[string][]Result
}

func (h *tally) Result(id string, r Result) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.results == nil {
		h.results = map[string][]Result{}
	}
	h.results[id] = append(h.results[id], r)
}

// take gives a check's results and forgets them.
func (h *tally) take(id string) []Result {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.results[id]
	delete(h.results, id)
	return r
}

// running runs body beside a Prober on a fake net, with a fake clock.
func running(t *testing.T, n *fakeNet, body func(*testing.T, *Prober, *tally)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &tally{}
		p := New(h, slog.New(slog.DiscardHandler))
		p.open = n.opener
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		body(t, p, h)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n.open != 0 {
			t.Errorf("%d sockets left open", n.open)
		}
		time.Sleep(time.Hour) // late answers go nowhere
	})
}

func set(t *testing.T, p *Prober, checks ...Check) {
	t.Helper()
	if err := p.Set(checks); err != nil {
		t.Fatal(err)
	}
}

func TestRepliesCountWithTheirRoundTrip(t *testing.T) {
	n := &fakeNet{delay: 30 * time.Millisecond}
	running(t, n, func(t *testing.T, p *Prober, h *tally) {
		set(t, p, Check{ID: "a", Device: "vrf-a", Target: target})
		time.Sleep(20*time.Second + 100*time.Millisecond)
		got := h.take("a")
		if len(got) != 10 && len(got) != 11 { // the first is sent at a random time of the first 2 s
			t.Fatalf("%d results in 20.1 s, want 10 or 11", len(got))
		}
		for i, r := range got {
			if !r.OK || r.RTT != 30*time.Millisecond || r.Err != "" || i > 0 && r.Sent.Sub(got[i-1].Sent) != 2*time.Second {
				t.Errorf("result %d: %+v", i, r)
			}
		}
	})
}

func TestLostRequests(t *testing.T) {
	for _, c := range []struct {
		name string
		net  *fakeNet
		want string
	}{
		{"no reply", &fakeNet{silent: true}, "timeout"},
		{"too late a reply", &fakeNet{delay: 600 * time.Millisecond}, "timeout"},
		{"late but within the grace", &fakeNet{delay: 420 * time.Millisecond}, "timeout"},
		{"another nonce", &fakeNet{mangle: func(r *reply) { r.nonce++ }}, "timeout"},
		{"another sequence number", &fakeNet{mangle: func(r *reply) { r.seq++ }}, "timeout"},
		{"another host's", &fakeNet{mangle: func(r *reply) { r.from = r.from.Next() }}, "timeout"},
		{"no device", &fakeNet{missing: true}, "no such device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			running(t, c.net, func(t *testing.T, p *Prober, h *tally) {
				set(t, p, Check{ID: "a", Device: "vrf-a", Target: target, Interval: 500 * time.Millisecond, Timeout: 400 * time.Millisecond})
				time.Sleep(10*time.Second + 100*time.Millisecond)
				got := h.take("a")
				if len(got) < 19 || len(got) > 21 {
					t.Errorf("%d results in 10 s, want about 20: the beat is kept", len(got))
				}
				for _, r := range got {
					if r.OK || r.Err != c.want || r.RTT != 0 {
						t.Fatalf("%+v, want %s", r, c.want)
					}
				}
			})
		})
	}
}

func TestSetIsLevelTriggered(t *testing.T) {
	n := &fakeNet{}
	running(t, n, func(t *testing.T, p *Prober, h *tally) {
		a, b := Check{ID: "a", Device: "vrf-a", Target: target}, Check{ID: "b", Device: "vrf-b", Target: target}
		set(t, p, a, b)
		time.Sleep(3 * time.Second)
		before := h.take("a")
		h.take("b")
		set(t, p, a)
		set(t, p, a)
		time.Sleep(10 * time.Second)
		after := h.take("a")
		if len(before) == 0 || len(after) < 5 || after[0].Sent.Sub(before[len(before)-1].Sent) != 2*time.Second {
			t.Errorf("an unchanged check lost its beat: %v then %v", before, after)
		}
		if got := h.take("b"); len(got) != 0 {
			t.Errorf("%d results of a check that is not wanted", len(got))
		}
		n.set(func() {
			if n.open != 1 {
				t.Errorf("%d sockets for one place", n.open)
			}
		})
		a.Size = 1000
		set(t, p, a)
		time.Sleep(4 * time.Second)
		if got := h.take("a"); len(got) < 1 || len(got) > 2 {
			t.Errorf("%d results of a changed check in 4 s", len(got))
		}
	})
}

func TestDeviceMadeAnewGetsANewSocket(t *testing.T) {
	n := &fakeNet{}
	running(t, n, func(t *testing.T, p *Prober, h *tally) {
		set(t, p, Check{ID: "a", Device: "vrf-a", Target: target})
		time.Sleep(3 * time.Second)
		n.set(func() { n.opened[0].old, n.missing = true, true })
		h.take("a")
		time.Sleep(4 * time.Second)
		for _, r := range h.take("a") {
			if r.OK {
				t.Errorf("without device: %+v", r)
			}
		}
		n.set(func() { n.missing = false })
		time.Sleep(4 * time.Second)
		got := h.take("a")
		if len(got) != 2 || !got[0].OK || len(n.opened) != 2 {
			t.Errorf("with the new device: %+v, %d sockets opened", got, len(n.opened))
		}
	})
}

func TestFiveThousandChecksAreSpread(t *testing.T) {
	n := &fakeNet{delay: 5 * time.Millisecond}
	running(t, n, func(t *testing.T, p *Prober, h *tally) {
		var checks []Check
		for i := range MaxChecks {
			checks = append(checks, Check{ID: fmt.Sprint(i), Device: fmt.Sprintf("vrf-%d", i%32), Target: target})
		}
		set(t, p, checks...)
		last := 0
		for range 20 {
			time.Sleep(100 * time.Millisecond)
			n.set(func() {
				if got := n.requests - last; got > 500 {
					t.Errorf("%d requests in 100 ms, want about 250", got)
				}
				last = n.requests
			})
		}
		time.Sleep(100 * time.Millisecond)
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(n.opened) != 32 || len(h.results) != MaxChecks {
			t.Errorf("%d sockets, %d checks with a result", len(n.opened), len(h.results))
		}
	})
}

func TestBadChecksAreLeftOut(t *testing.T) {
	good := Check{ID: "good", Target: target}
	for _, c := range []struct {
		name, want string
		edit       func(*Check)
	}{
		{"bad: no id", "no id", func(c *Check) { c.ID = "" }},
		{"bad: an id twice", "another of this id", func(c *Check) { c.ID = "good" }},
		{"bad: device's name too long", "no device's name", func(c *Check) { c.Device = "0123456789abcdef" }},
		{"bad: no target", "no unicast", func(c *Check) { c.Target = netip.Addr{} }},
		{"bad: multicast target", "no unicast", func(c *Check) { c.Target = netip.MustParseAddr("ff02::1") }},
		{"bad: families mixed", "one family", func(c *Check) { c.Source = netip.MustParseAddr("2001:db8::1") }},
		{"bad: too often", "interval", func(c *Check) { c.Interval = time.Millisecond }},
		{"bad: too seldom", "interval", func(c *Check) { c.Interval = time.Hour }},
		{"bad: timeout over the interval", "timeout", func(c *Check) { c.Timeout = 3 * time.Second }},
		{"bad: no room for the nonce", "size", func(c *Check) { c.Size = 7 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := Check{ID: "bad", Target: target}
			c.edit(&bad)
			p := New(&tally{}, slog.New(slog.DiscardHandler))
			err := p.Set([]Check{good, bad})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
			if len(p.wanted) != 1 || p.wanted["good"].Target != target {
				t.Errorf("wanted: %v", p.wanted)
			}
		})
	}
	p := New(&tally{}, slog.New(slog.DiscardHandler))
	checks := make([]Check, MaxChecks+1)
	for i := range checks {
		checks[i] = Check{ID: fmt.Sprint(i), Target: target}
	}
	if err := p.Set(checks); err == nil || len(p.wanted) != MaxChecks {
		t.Errorf("one check too many: %v, %d wanted", err, len(p.wanted))
	}
}
