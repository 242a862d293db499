package bfd

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// wire is a link to another session, with the time of each packet.
type wire struct {
	to *session

	mu   sync.Mutex
	cut  bool
	held []packet // when stalled: in the receiving socket's buffer
	at   []time.Time
	sent []packet
	hold bool
}

func (w *wire) send(b []byte, multihop bool) error {
	if multihop { // the other session hears of the other port only
		return nil
	}
	p, reason := decode(b)
	if reason != "" {
		return errors.New(string(reason))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.sent = append(w.at, time.Now()), append(w.sent, p)
	switch {
	case w.cut:
	case w.hold:
		w.held = append(w.held, p)
	default:
		w.to.deliver(p)
	}
	return nil
}

func (w *wire) drain() {}

// back is a link whose drain delivers what the other direction holds.
type back struct {
	*wire
	from *wire
}

func (b back) drain() {
	b.from.mu.Lock()
	defer b.from.mu.Unlock()
	for _, p := range b.from.held {
		b.from.to.deliver(p)
	}
	b.from.held = nil
}

// pair is two sessions on a cable.
type pair struct {
	a, b   *session
	ab, ba *wire
	mu     sync.Mutex
	heard  map[string][]Change // by "a", "b"
}

func newPair(t *testing.T, a, b Session) *pair {
	p := &pair{heard: map[string][]Change{}}
	note := func(who string) func(Change) {
		return func(c Change) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.heard[who] = append(p.heard[who], c)
		}
	}
	p.a, p.b = newSession(a, 1, rand.Float64, note("a")), newSession(b, 2, rand.Float64, note("b"))
	p.ab, p.ba = &wire{to: p.b}, &wire{to: p.a}
	p.a.connect(back{p.ab, p.ba}, nil)
	p.b.connect(back{p.ba, p.ab}, nil)
	for _, s := range []*session{p.a, p.b} {
		go s.run()
		t.Cleanup(func() { s.stop(); <-s.done })
	}
	return p
}

func (p *pair) last(who string) Change {
	p.mu.Lock()
	defer p.mu.Unlock()
	if all := p.heard[who]; len(all) > 0 {
		return all[len(all)-1]
	}
	return Change{}
}

func TestComesUpAndDetects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, config(), config())
		time.Sleep(3 * time.Second)
		if st := p.a.status(); st.State != Up || st.TxInterval != 200*ms || st.DetectTime != 600*ms || st.Polling || st.Diag != DiagNone {
			t.Fatalf("after 3 s: %+v", st)
		}
		p.ba.mu.Lock()
		p.ba.cut = true
		last := p.ba.at[len(p.ba.at)-1]
		p.ba.mu.Unlock()
		time.Sleep(time.Second)
		c := p.last("a")
		if took := c.Since.Sub(last); c.State != Down || c.Diag != DiagTimeExpired || c.AdminDown || took != 600*ms {
			t.Errorf("%v after the last packet: %+v", took, c)
		}
		if c := p.last("b"); c.State != Down || c.Diag != DiagNeighborDown || c.AdminDown {
			t.Errorf("the other end: %+v", c)
		}
	})
}

// Both ends speak with jitter, never slower than agreed, and slowly while down.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, config(), config())
		p.ba.mu.Lock()
		p.ba.cut = true
		p.ba.mu.Unlock()
		p.ab.mu.Lock()
		p.ab.cut = true
		p.ab.mu.Unlock()
		time.Sleep(20 * time.Second)
		p.ab.pace(t, 750*ms, time.Second)
		p.ab.mu.Lock()
		p.ab.cut, p.ab.at = false, nil
		p.ab.mu.Unlock()
		p.ba.mu.Lock()
		p.ba.cut = false
		p.ba.mu.Unlock()
		time.Sleep(5 * time.Second)
		p.ab.mu.Lock()
		p.ab.at = nil
		p.ab.mu.Unlock()
		time.Sleep(20 * time.Second)
		p.ab.pace(t, 150*ms, 200*ms)
	})
}

func (w *wire) pace(t *testing.T, least, most time.Duration) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	gaps := map[time.Duration]bool{}
	for i := 1; i < len(w.at); i++ {
		gap := w.at[i].Sub(w.at[i-1])
		gaps[gap] = true
		if gap < least || gap > most {
			t.Errorf("packet %d after %v, want %v to %v", i, gap, least, most)
		}
	}
	if len(gaps) < 10 {
		t.Errorf("%d different gaps among %d packets: no jitter", len(gaps), len(w.at))
	}
}

func TestChangedTimersArePolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, config(), config())
		time.Sleep(3 * time.Second)
		cfg := config()
		cfg.MinTx, cfg.MinRx, cfg.DetectMult = 500*ms, 50*ms, 10
		p.a.configure(cfg)
		time.Sleep(3 * time.Second)
		a, b := p.a.status(), p.b.status()
		if a.TxInterval != 500*ms || a.DetectTime != 3*100*ms || a.Polling || b.TxInterval != 100*ms || b.DetectTime != 10*500*ms {
			t.Errorf("negotiated %+v\n%+v", a, b)
		}
		if a.Downs+b.Downs != 0 {
			t.Error("flapped")
		}
	})
}

// A session that ends says AdminDown, which is no failure.
func TestFarewell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, config(), config())
		time.Sleep(3 * time.Second)
		p.a.stop()
		<-p.a.done
		synctest.Wait()
		if c := p.last("b"); c.State != Down || !c.AdminDown || c.RemoteState != AdminDown {
			t.Errorf("heard %+v", c)
		}
		time.Sleep(time.Minute)
		if st := p.b.status(); !st.AdminDown || st.Downs != 1 {
			t.Errorf("a minute later %+v", st)
		}
	})
}

// What waits in the socket is read before the neighbour is given up: after a stop of this process it has not failed.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, config(), config())
		time.Sleep(3 * time.Second)
		p.ba.mu.Lock()
		p.ba.hold = true
		p.ba.mu.Unlock()
		before := p.a.status().Received
		time.Sleep(10 * time.Second) // only what drain delivers arrives, when the detection time is over
		if st := p.a.status(); st.Received < before+20 || st.Downs != 0 {
			t.Errorf("%d packets before; %+v", before, st)
		}
	})
}

// A neighbour faster than we read loses packets, and nothing else.
func TestOverflow(t *testing.T) {
	s := newSession(config(), 1, noJitter, func(Change) {})
	for range inbox {
		if !s.deliver(heard(Down)) {
			t.Fatal("full too early")
		}
	}
	if s.deliver(heard(Down)) || s.status().Overflowed != 1 {
		t.Error("the queue is not bounded")
	}
}

// A neighbour that comes and goes with every packet is followed no faster than changesPerSecond.
func TestToggling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changes := 0
		s := newSession(config(), 1, noJitter, func(Change) { changes++ })
		go s.run()
		for range 10000 { // for 10 s
			for _, state := range []State{Down, Init, Down} { // Init, Up, Down
				s.deliver(heard(state))
			}
			time.Sleep(time.Millisecond)
		}
		s.stop()
		<-s.done
		if changes < 50 || changes > 10*changesPerSecond+changesAtOnce+10 { // what was let through may change twice or thrice, and a few are on their way when it ends
			t.Errorf("%d changes in 10 s", changes)
		}
	})
}
