package usage

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openvbr/openvbr/internal/sealed"
)

// world is a device whose true traffic is known, its Meter and the Meter's owner, who keeps the state as package usage asks.
type world struct {
	boots, index int
	counters     Counts // the device's
	inlet        Inlet  // of a limit, Index 0: none
	inlets       int    // how many there have been
	class        Class
	truth        [classes]Counts
	m            *Meter
	kept         []byte
	now          time.Time
	seen         [classes]Counts // the greatest totals read so far
}

func newWorld() *world {
	w := &world{m: New(), now: start, index: 1}
	w.kept = w.m.Marshal()
	return w
}

func (w *world) carry(t *rapid.T) {
	small := rapid.Uint64Range(0, 1e6)
	c := Counts{small.Draw(t, "rx bytes"), small.Draw(t, "rx"), small.Draw(t, "tx bytes"), small.Draw(t, "tx")}
	w.counters = w.counters.plus(c)
	if w.inlet.Index != 0 { // a part is dropped
		c.RxBytes, c.RxPackets = rapid.Uint64Range(0, c.RxBytes).Draw(t, "bytes let in"), rapid.Uint64Range(0, c.RxPackets).Draw(t, "let in")
		w.inlet.Bytes, w.inlet.Packets = w.inlet.Bytes+c.RxBytes, w.inlet.Packets+c.RxPackets
	}
	w.truth[w.class] = w.truth[w.class].plus(c)
}

// limit sets a limit on what is received.
func (w *world) limit() {
	w.inlets++
	w.inlet = Inlet{Index: 100 + w.inlets}
}

func (w *world) keep() { w.kept = w.m.Marshal() }

func (w *world) read() {
	if _, renewed := w.m.Read(w.now, w.class, Reading{Boot: fmt.Sprint("boot-", w.boots), Index: w.index, Counts: w.counters, Inlet: w.inlet}); renewed {
		w.keep()
	}
}

// restart is the program's: it goes on from what was kept.
func (w *world) restart(t *rapid.T) {
	m, err := Unmarshal(w.kept)
	if err != nil {
		t.Fatal(err)
	}
	w.m = m
}

// forward fails if a total is less than it was.
func (w *world) forward(t *rapid.T) {
	for c := range classes {
		got := w.m.Total(c)
		if s := w.seen[c]; got.RxBytes < s.RxBytes || got.RxPackets < s.RxPackets || got.TxBytes < s.TxBytes || got.TxPackets < s.TxPackets {
			t.Fatalf("%v ran backwards: %+v, before %+v", c, got, s)
		}
		w.seen[c] = got
	}
}

// exact fails if the totals, or the hours, are not the true traffic.
func (w *world) exact(t *rapid.T) {
	hours := w.m.Between(time.Unix(0, 0), w.now.Add(1))
	for c := range classes {
		if got := w.m.Total(c); got != w.truth[c] || hours.Carried[c] != got {
			t.Fatalf("%v: total %+v, hours %+v, true %+v", c, got, hours.Carried[c], w.truth[c])
		}
	}
}

func TestTotalsAreTheTrueTraffic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		read := func(*rapid.T) { w.read() }
		t.Repeat(map[string]func(*rapid.T){
			"traffic": w.carry,
			"read":    read,
			"keep":    func(*rapid.T) { w.keep() },
			"time passes": func(t *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "seconds")) * time.Second)
			},
			"the program is killed": func(t *rapid.T) { w.restart(t) },
			"the device is made anew": func(t *rapid.T) {
				w.read()
				w.keep()
				w.index, w.counters = w.index+1, Counts{}
			},
			"a limit is set": func(*rapid.T) {
				w.read()
				w.limit()
				w.read()
				w.keep()
			},
			"the limit goes": func(*rapid.T) {
				w.read()
				w.keep()
				w.inlet = Inlet{}
				w.read()
			},
			"the counters are reset": func(t *rapid.T) {
				w.read()
				w.counters = Counts{}
				w.read()
				w.keep()
			},
			"reboot": func(t *rapid.T) {
				w.read()
				w.keep()
				w.boots, w.index, w.counters = w.boots+1, 1, Counts{}
				w.inlet = Inlet{}
				w.restart(t)
			},
			"another class": func(t *rapid.T) {
				w.read()
				w.keep()
				w.class = 1 - w.class
			},
			"": func(t *rapid.T) { // after each
				w.read()
				w.forward(t)
				w.exact(t)
			},
		})
	})
}

// Devices vanish without a last reading and the program is killed at any time: traffic may be missed, but never counted twice.
func TestNeverMoreThanTheTrueTraffic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		t.Repeat(map[string]func(*rapid.T){
			"traffic": w.carry,
			"read":    func(*rapid.T) { w.read() },
			"keep":    func(*rapid.T) { w.keep() },
			"the program is killed": func(t *rapid.T) {
				w.restart(t)
				w.seen = [classes]Counts{}
			},
			"the device is made anew": func(*rapid.T) { w.index, w.counters = w.index+1, Counts{} },
			"the counters are reset":  func(*rapid.T) { w.counters = Counts{} },
			"a limit is set":          func(*rapid.T) { w.limit(); w.read() },
			"the limit goes":          func(*rapid.T) { w.inlet = Inlet{} },
			"reboot": func(t *rapid.T) {
				w.boots, w.index, w.counters = w.boots+1, 1, Counts{}
				w.inlet = Inlet{}
				w.restart(t)
				w.seen = [classes]Counts{}
			},
			"": func(t *rapid.T) {
				w.forward(t)
				got, most := w.m.Total(w.class), w.truth[w.class]
				if got.RxBytes > most.RxBytes || got.RxPackets > most.RxPackets || got.TxBytes > most.TxBytes || got.TxPackets > most.TxPackets {
					t.Fatalf("counted %+v, true %+v", got, most)
				}
			},
		})
	})
}

func TestDamageIsSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		for range rapid.IntRange(0, 5).Draw(t, "readings") {
			w.carry(t)
			w.read()
			w.now = w.now.Add(time.Hour)
		}
		b := w.m.Marshal()
		back, err := Unmarshal(b)
		if err != nil || !bytes.Equal(b, back.Marshal()) {
			t.Fatalf("not what was written: %v", err)
		}
		b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= 4
		if _, err := Unmarshal(b); !errors.Is(err, sealed.ErrDamaged) {
			t.Fatalf("a damaged state: %v", err)
		}
	})
}

// FuzzUnmarshal reads bodies whose checksum is right.
func FuzzUnmarshal(f *testing.F) {
	m := New()
	f.Add(body(f, m))
	m.Read(start, SameRegion, Reading{Boot: "a", Index: 1, Counts: n(10)})
	m.Read(at(time.Hour), CrossRegion, Reading{Boot: "a", Index: 1, Counts: n(20)})
	f.Add(body(f, m))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Unmarshal(sealed.Seal(kind(), version, b))
		if err != nil {
			if !errors.Is(err, sealed.ErrDamaged) {
				t.Errorf("error %v", err)
			}
			return
		}
		m.Between(time.Unix(0, 0), at(time.Hour))
		again, err := Unmarshal(m.Marshal())
		if err != nil || !bytes.Equal(again.Marshal(), m.Marshal()) {
			t.Errorf("written back otherwise: %v", err)
		}
	})
}

func body(f *testing.F, m *Meter) []byte {
	_, b, err := sealed.Open(kind(), version, m.Marshal())
	if err != nil {
		f.Fatal(err)
	}
	return b
}
