package bfd

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// start is when the tables' sessions begin.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const ms = time.Millisecond

func config() Session {
	return Session{
		Local: netip.MustParseAddr("10.0.0.1"), Peer: netip.MustParseAddr("10.0.0.2"), Device: "eth0",
		MinTx: 100 * ms, MinRx: 200 * ms, DetectMult: 3,
	}
}

func noJitter() float64 { return 1 }

func heard(s State) packet {
	return packet{state: s, mult: 5, my: 7, your: 1, minTx: 300 * ms, minRx: 50 * ms}
}

// in brings a session into a state, heard from a neighbour whose intervals are heard's.
func in(t *testing.T, s State) *fsm {
	t.Helper()
	f := newFSM(start, config(), 1, noJitter)
	switch s {
	case AdminDown:
		f.admin(start, false)
	case Init:
		f.receive(start, heard(Down))
	case Up:
		f.receive(start, heard(Down))
		f.receive(start, heard(Up))
		f.tick(start)
		final := heard(Up)
		final.final = true
		f.receive(start, final)
	}
	if f.state != s {
		t.Fatalf("is %v, not %v", f.state, s)
	}
	return f
}

// The table of RFC 5880 6.2 and 6.8.6: each state, each state heard.
func TestStates(t *testing.T) {
	for _, test := range []struct {
		from, heard, to State
		diag            Diag
	}{
		{Down, AdminDown, Down, DiagNone},
		{Down, Down, Init, DiagNone},
		{Down, Init, Up, DiagNone},
		{Down, Up, Down, DiagNone},
		{Init, AdminDown, Down, DiagNeighborDown},
		{Init, Down, Init, DiagNone},
		{Init, Init, Up, DiagNone},
		{Init, Up, Up, DiagNone},
		{Up, AdminDown, Down, DiagNeighborDown},
		{Up, Down, Down, DiagNeighborDown},
		{Up, Init, Up, DiagNone},
		{Up, Up, Up, DiagNone},
		{AdminDown, AdminDown, AdminDown, DiagAdminDown},
		{AdminDown, Down, AdminDown, DiagAdminDown},
		{AdminDown, Init, AdminDown, DiagAdminDown},
		{AdminDown, Up, AdminDown, DiagAdminDown},
	} {
		f := in(t, test.from)
		f.receive(start, heard(test.heard))
		if f.state != test.to || f.diag != test.diag {
			t.Errorf("%v heard %v: %v (%v), want %v (%v)", test.from, test.heard, f.state, f.diag, test.to, test.diag)
		}
		if got, want := f.adminDown(), test.heard == AdminDown; got != want {
			t.Errorf("%v heard %v: AdminDown %v", test.from, test.heard, got)
		}
		p, ok := f.tick(start)
		if changed := test.from != test.to; changed && (!ok || p.state != test.to) {
			t.Errorf("%v heard %v: the change is not sent at once: %+v, %v", test.from, test.heard, p, ok)
		}
	}
}

func TestDetection(t *testing.T) {
	const detect = 5 * 300 * ms // the neighbour's multiplier, the longer of its MinTx and our MinRx
	for _, test := range []struct {
		from, to State
		diag     Diag
	}{{Init, Down, DiagTimeExpired}, {Up, Down, DiagTimeExpired}, {AdminDown, AdminDown, DiagAdminDown}, {Down, Down, DiagNone}} {
		f := in(t, test.from)
		f.tick(start.Add(detect - 1))
		if f.state != test.from {
			t.Errorf("%v: gone too early", test.from)
		}
		f.tick(start.Add(detect))
		if f.state != test.to || f.diag != test.diag || f.remote.discr != 0 {
			t.Errorf("%v after the detection time: %v (%v), Your Discriminator %d", test.from, f.state, f.diag, f.remote.discr)
		}
	}
}

// Intervals are negotiated; the slower wins (RFC 5880 6.8.4, 6.8.7), and 1 s while not up (6.8.3).
func TestIntervals(t *testing.T) {
	for _, test := range []struct {
		name             string
		state            State
		minTx, minRx     time.Duration
		every, detection time.Duration
	}{
		{"down: 1 s", Down, 50 * ms, 50 * ms, time.Second, 1000 * ms},
		{"init: 1 s", Init, 50 * ms, 50 * ms, time.Second, 1000 * ms},
		{"up: ours", Up, 50 * ms, 50 * ms, 100 * ms, 1000 * ms},
		{"up: the neighbour's", Up, 400 * ms, 300 * ms, 300 * ms, 2000 * ms},
		{"down: the neighbour's", Down, 400 * ms, 3 * time.Second, 3 * time.Second, 2000 * ms},
		{"a neighbour's longest", Up, micros(1<<32 - 1), micros(1<<32 - 1), micros(1<<32 - 1), 5 * micros(1<<32-1)},
	} {
		f := in(t, test.state)
		p := heard(Up)
		p.minTx, p.minRx = test.minTx, test.minRx
		if test.state == Init {
			p.state = Down
		}
		f.receive(start, p)
		if f.every != test.every || f.detectTime() != test.detection {
			t.Errorf("%s: sends every %v, detects in %v, want %v and %v", test.name, f.every, f.detectTime(), test.every, test.detection)
		}
	}
}

func TestRequiredMinRxZero(t *testing.T) {
	f := in(t, Up)
	p := heard(Up)
	p.minRx = 0
	f.receive(start, p)
	if p, ok := f.tick(start.Add(time.Second)); ok {
		t.Errorf("sent %+v to a neighbour that wants none", p)
	}
	p.poll = true
	if reply, ok := f.receive(start.Add(time.Second), p); !ok || !reply.final || reply.poll {
		t.Errorf("a poll is answered all the same: %+v, %v", reply, ok)
	}
	f.receive(start.Add(time.Second), heard(Up))
	if _, ok := f.tick(start.Add(time.Second)); !ok {
		t.Error("silent after it wants some again")
	}
}

func TestPassive(t *testing.T) {
	cfg := config()
	cfg.Passive = true
	f := newFSM(start, cfg, 1, noJitter)
	if p, ok := f.tick(start); ok || !f.next().IsZero() {
		t.Errorf("spoke first: %+v, %v", p, ok)
	}
	f.receive(start, heard(Down))
	if p, ok := f.tick(start); !ok || p.your != 7 || p.state != Init {
		t.Errorf("answer %+v, %v", p, ok)
	}
	f.tick(start.Add(5 * time.Second)) // gone: its discriminator is forgotten
	if p, ok := f.tick(start.Add(10 * time.Second)); ok {
		t.Errorf("goes on speaking: %+v", p)
	}
}

func TestJitter(t *testing.T) {
	for _, test := range []struct {
		mult        uint8
		least, most time.Duration
	}{{3, 75 * ms, 100 * ms}, {1, 75 * ms, 90 * ms}} {
		for _, j := range []float64{0, 0.5, 1} {
			cfg := config()
			cfg.DetectMult = test.mult
			f := newFSM(start, cfg, 1, func() float64 { return j })
			want := test.least + time.Duration(j*float64(test.most-test.least))
			if got := f.jittered(100 * ms); got != want {
				t.Errorf("multiplier %d, %v: %v, want %v", test.mult, j, got, want)
			}
		}
	}
}

// What up means for the intervals: ours come down from 1 s, by a Poll Sequence.
func TestUpPolls(t *testing.T) {
	f := in(t, Init)
	f.tick(start)
	f.receive(start, heard(Init))
	p, ok := f.tick(start)
	want := packet{state: Up, poll: true, mult: 3, my: 1, your: 7, minTx: 100 * ms, minRx: 200 * ms}
	if diff := cmp.Diff(want, p, cmp.AllowUnexported(packet{})); !ok || diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	final := heard(Up)
	final.final = true
	f.receive(start, final)
	if p, _ := f.tick(start.Add(100 * ms)); p.poll {
		t.Error("polls after the Final")
	}
}

// Changed intervals of a session that is up (RFC 5880 6.8.3): what would break the neighbour's or our detection waits for the Final.
func TestReconfigure(t *testing.T) {
	for _, test := range []struct {
		name               string
		minTx, minRx       time.Duration
		everyBefore, every time.Duration
		before, after      time.Duration // detection times
	}{
		{"tx longer", 400 * ms, 200 * ms, 100 * ms, 400 * ms, 5 * 200 * ms, 5 * 200 * ms},
		{"tx shorter", 60 * ms, 200 * ms, 60 * ms, 60 * ms, 5 * 200 * ms, 5 * 200 * ms},
		{"rx longer", 100 * ms, 400 * ms, 100 * ms, 100 * ms, 5 * 400 * ms, 5 * 400 * ms},
		{"rx shorter", 100 * ms, 60 * ms, 100 * ms, 100 * ms, 5 * 200 * ms, 5 * 60 * ms},
	} {
		f := in(t, Up)
		p := heard(Up)
		p.minTx = 50 * ms
		f.receive(start, p)
		cfg := config()
		cfg.MinTx, cfg.MinRx = test.minTx, test.minRx
		f.configure(start, cfg)
		if f.every != test.everyBefore || f.detectTime() != test.before {
			t.Errorf("%s: before the Final: %v, %v, want %v, %v", test.name, f.every, f.detectTime(), test.everyBefore, test.before)
		}
		f.receive(start, packet{state: Up, mult: 5, my: 7, your: 1, minTx: 50 * ms, minRx: 50 * ms, final: true})
		if f.poll.active == false {
			t.Errorf("%s: a Final before our Poll ended it", test.name)
		}
		sent, ok := f.tick(start.Add(time.Second / 2))
		if !ok || !sent.poll || sent.minTx != test.minTx || sent.minRx != test.minRx {
			t.Errorf("%s: Poll %+v, %v", test.name, sent, ok)
		}
		p.final = true
		f.receive(start.Add(time.Second/2), p)
		if f.every != test.every || f.detectTime() != test.after || f.poll.active {
			t.Errorf("%s: after the Final: %v, %v, want %v, %v", test.name, f.every, f.detectTime(), test.every, test.after)
		}
	}
}

// A change while a Poll Sequence runs is confirmed by one of its own.
func TestPollAgain(t *testing.T) {
	f := in(t, Up)
	cfg := config()
	cfg.MinTx = 300 * ms
	f.configure(start, cfg)
	f.tick(start.Add(100 * ms))
	cfg.MinTx = 500 * ms
	f.configure(start.Add(100*ms), cfg)
	final := heard(Up)
	final.final = true
	f.receive(start.Add(110*ms), final)
	if f.every != 100*ms || !f.poll.active {
		t.Errorf("the Final to the first Poll confirmed the second change: %v", f.every)
	}
	f.tick(start.Add(200 * ms))
	f.receive(start.Add(210*ms), final)
	if f.every != 500*ms || f.poll.active {
		t.Errorf("after the second Final: %v, %+v", f.every, f.poll)
	}
}

// A neighbour that wants packets more often gets the next one as if it had always (RFC 5880 6.8.3).
func TestShorterAtOnce(t *testing.T) {
	f := in(t, Up)
	p := heard(Up)
	p.minRx = 10 * time.Second
	f.receive(start, p)
	f.tick(start.Add(100 * ms)) // the last of the old interval; the next would be 10 s later
	f.receive(start.Add(150*ms), heard(Up))
	if got, want := f.next(), start.Add(200*ms); !got.Equal(want) {
		t.Errorf("next after %v, want %v", got.Sub(start), want.Sub(start))
	}
}

func TestAdmin(t *testing.T) {
	f := in(t, Up)
	f.admin(start, false)
	if p, ok := f.tick(start); !ok || p.state != AdminDown || p.diag != DiagAdminDown || p.minTx != time.Second {
		t.Errorf("switched off: %+v, %v", p, ok)
	}
	if f.tick(start.Add(time.Hour)); f.state != AdminDown {
		t.Errorf("left AdminDown by itself: %v", f.state)
	}
	f.admin(start, true)
	if f.state != Down {
		t.Errorf("switched on: %v", f.state)
	}
}

func TestAdminDownOutlivesSilence(t *testing.T) {
	f := in(t, Up)
	f.receive(start, heard(AdminDown))
	f.tick(start.Add(time.Minute))
	if f.state != Down || !f.adminDown() || f.diag != DiagNeighborDown {
		t.Errorf("%v, AdminDown %v, %v", f.state, f.adminDown(), f.diag)
	}
	f.receive(start.Add(time.Hour), heard(Down))
	if f.state != Init || f.adminDown() {
		t.Errorf("when it is back: %v, AdminDown %v", f.state, f.adminDown())
	}
}

// A neighbour whose session was made again has not seen a failure: it says Down under another name, and nothing of why.
func TestAnew(t *testing.T) {
	for _, test := range []struct {
		name string
		what func(p *packet)
		want bool
	}{
		{"made again", func(p *packet) { p.my, p.your = 8, 0 }, true},
		{"the same session", func(*packet) {}, false},
		{"the same session, that has forgotten us", func(p *packet) { p.your, p.diag = 0, DiagTimeExpired }, false},
		{"made again after a failure", func(p *packet) { p.my, p.diag = 8, DiagTimeExpired }, false},
		{"switched off", func(p *packet) { p.my, p.state = 8, AdminDown }, false},
	} {
		f := in(t, Up)
		p := heard(Down)
		test.what(&p)
		f.receive(start.Add(ms), p)
		if f.anew != test.want || f.state != Down {
			t.Errorf("%s: %v, anew %v", test.name, f.state, f.anew)
		}
		f.receive(start.Add(2*ms), p)
		f.receive(start.Add(3*ms), heard(Up))
		if f.anew {
			t.Errorf("%s: still so when %v", test.name, f.state)
		}
	}
}

// The neighbour is answered by the port that it uses; where it uses both, by RFC 5881's, and the copies do not count.
func TestPortOfTheNeighbour(t *testing.T) {
	now := time.Now()
	f := newFSM(now, Session{MinTx: time.Second, MinRx: time.Second, DetectMult: 3}, 1, func() float64 { return 0 })
	from := func(after time.Duration, state State, multihop bool) {
		f.receive(now.Add(after), packet{state: state, my: 9, mult: 3, minTx: time.Second, minRx: time.Second, multihop: multihop})
	}
	for _, step := range []struct {
		after    time.Duration
		state    State
		multihop bool
		want     State
		answers  bool // by RFC 5883's port
	}{
		{0, Down, true, Init, true},
		{1, Up, false, Up, false},
		{2, Down, true, Up, false}, // a late copy
		{3 * time.Second, Up, true, Up, false},
		{bothPorts + 2, Down, true, Down, true}, // it speaks by the other port now
	} {
		from(step.after, step.state, step.multihop)
		if f.state != step.want || f.packet().multihop != step.answers {
			t.Errorf("after %v: %v, by RFC 5883's port %v", step.after, f.state, f.packet().multihop)
		}
	}
}
