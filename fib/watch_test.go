package fib_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/openvbr/openvbr/fib"
)

// watch starts a Watch in its own goroutine, as a daemon does, and returns its hints. Watch ends with the test.
func (b *bench) watch() <-chan fib.Hint {
	hints := make(chan fib.Hint, 10000)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- b.f.Watch(ctx, func(h fib.Hint) { hints <- h }) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("Watch: %v", err)
		}
	})
	b.expect(hints, "resync", func(h fib.Hint) bool { return h.Resync })
	return hints
}

// expect waits for a hint.
func (b *bench) expect(hints <-chan fib.Hint, what string, is func(fib.Hint) bool) {
	b.t.Helper()
	deadline := time.After(5 * time.Second)
	for {
		select {
		case h := <-hints:
			if is(h) {
				return
			}
		case <-deadline:
			b.t.Fatalf("no hint: %s", what)
		}
	}
}

// quiet fails the test if there was any hint on routes since the last. Devices and addresses that were made just before have some to say by
// themselves: their carrier, the end of duplicate address detection.
func (b *bench) quiet(hints <-chan fib.Hint) {
	b.t.Helper()
	for end := time.After(20 * time.Millisecond); ; {
		select {
		case h := <-hints:
			if h.Device == 0 || len(h.Tables) > 0 {
				b.t.Fatalf("hint without a cause: %+v", h)
			}
		case <-end:
			return
		}
	}
}

func TestWatchLinks(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		routes := []string{"10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east | 10.0.1.2 west", "10.3.0.0/16 -> 10.0.0.2 east else 10.0.1.2 west"}
		b.do(routes...)
		before := w.routes(table)
		hints := b.watch()
		w.setUp("east", false)
		b.expect(hints, "east down", func(h fib.Hint) bool {
			return h.Device == w.index("east") && !h.Up && h.Down && len(h.Tables) == 1 && h.Tables[0] == table
		})
		b.want(`
		10.2.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		10.3.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		`) // and Len agrees without an audit
		w.setUp("east", true)
		b.expect(hints, "east up", func(h fib.Hint) bool { return h.Device == w.index("east") && h.Up && !h.Down })
		for deadline := time.Now().Add(5 * time.Second); ; { // the address may come after the link
			if rs := b.try(routes...); rs[0].Err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("east does not work again")
			}
		}
		if _, err := b.Audit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.routes(table); got != before {
			t.Errorf("got\n%swant\n%s", got, before)
		}
	})
}

func TestWatchRoutes(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		hints := b.watch()
		for len(hints) > 0 {
			<-hints
		}
		b.do("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east", "2001:db8::/32 -> fd00::2 east")
		b.do("10.2.0.0/16")
		b.fail("10.0.0.2 east")
		b.restore("10.0.0.2 east")
		b.do("10.1.0.0/16 -> 10.0.0.2 east")
		w.plant(table, "10.9.0.0/16", 99, 20) // no concern of ours
		b.quiet(hints)
		for _, p := range []string{"10.1.0.0/16", "2001:db8::/32"} {
			w.pull(table, p, fib.Metric)
			b.expect(hints, p, func(h fib.Hint) bool { return h.Table == table && h.Prefix.String() == p })
		}
		w.plant(table, "10.9.0.0/16", 99, fib.Metric)
		b.expect(hints, "foreign", func(h fib.Hint) bool { return h.Prefix.String() == "10.9.0.0/16" })
		b.audit(fib.Drift{Missing: 2, Foreign: 1, Repaired: 2})
		for len(w.ids()) > 0 {
			w.pullNexthop(w.ids()[0])
		}
		b.expect(hints, "lost routes", func(h fib.Hint) bool { return len(h.Tables) == 1 && h.Tables[0] == table })
	})
}

func TestWatchOverflow(t *testing.T) {
	w := newFake()
	b := newBench(t, w)
	hints := b.watch()
	w.Overflow()
	b.expect(hints, "resync after overflow", func(h fib.Hint) bool { return h.Resync })
}

// TestWatchOverflowReal fills the monitor's socket while its reader is held up.
func TestWatchOverflowReal(t *testing.T) {
	w := newReal(t)
	b := newBench(t, w)
	held := make(chan struct{})
	seen := make(chan fib.Hint, 1<<20)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.f.Watch(ctx, func(h fib.Hint) { seen <- h; <-held }) }()
	<-seen // the first Resync; the reader waits in its callback now
	other := w.open(t)
	set, err := other.Set([]fib.NextHop{b.hop("10.0.0.2 east")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	noErrors(t, other.Table(7).Apply(t.Context(), changes(60000, set)))
	close(held)
	b.expect(seen, "resync after overflow", func(h fib.Hint) bool { return h.Resync })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestSocketsStayInNamespace: sockets that a FIB opens later, from threads elsewhere, are in the namespace it was opened in.
func TestSocketsStayInNamespace(t *testing.T) {
	w := newReal(t)
	b := newBench(t, w)
	b.do("10.1.0.0/16 -> 10.0.0.2 east")
	result := make(chan fib.Drift)
	for range 2 {
		go func() {
			runtime.Gosched()
			d, err := b.Audit(context.Background())
			if err != nil {
				t.Error(err)
			}
			result <- d
		}()
		if d := <-result; d.Any() {
			t.Errorf("drift in another namespace: %+v", d)
		}
	}
}

// TestWatchAddresses: an address is as good a reason to look again as a link, since next hops are on-link or not by it.
func TestWatchAddresses(t *testing.T) {
	w := newReal(t)
	b := newBench(t, w)
	hints := b.watch()
	for _, a := range []string{"192.0.2.1/24", "2001:db8:1::1/64"} {
		w.ip("addr", "add", a, "dev", "east")
		b.expect(hints, a, func(h fib.Hint) bool { return h.Device == w.index("east") && h.Up })
		w.ip("addr", "del", a, "dev", "east")
		b.expect(hints, "no "+a, func(h fib.Hint) bool { return h.Device == w.index("east") && !h.Down })
	}
}
