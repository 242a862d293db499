package quality

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/openvbr/openvbr/internal/sealed"
)

// probe is one raw observation.
type probe struct {
	at  time.Time
	rtt time.Duration
	ok  bool
}

func genProbes(t *rapid.T) []probe {
	now := start
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) probe {
		now = now.Add(time.Duration(rapid.IntRange(100, 200_000).Draw(t, "pause")) * time.Millisecond)
		return probe{now, time.Duration(rapid.Int64Range(0, 2e9).Draw(t, "rtt")), rapid.IntRange(0, 3).Draw(t, "reply") > 0}
	}), 1, 60).Draw(t, "probes")
}

// aggregate is what raw observations come to, by the definitions and without slots.
func aggregate(probes []probe, from, to time.Time) (s Slot) {
	var j uint64
	var last *probe
	for i, p := range probes {
		inside := !p.at.Before(from) && p.at.Before(to)
		if p.ok && last != nil {
			d := max(p.rtt-last.rtt, last.rtt-p.rtt)
			j = j + uint64(d) - (j+8)/16
		}
		if p.ok {
			last = &probes[i]
		}
		if !inside {
			continue
		}
		s.Sent++
		if !p.ok {
			s.Lost++
			continue
		}
		u := uint32(p.rtt / 100)
		if s.replies() == 1 || u < s.RTTMin {
			s.RTTMin = u
		}
		s.RTTMax = max(s.RTTMax, u)
		s.RTTSum += uint64(p.rtt)
		s.JitterSum += j
	}
	return s
}

func TestMergedSlotsAreTheRawAggregated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		probes := genProbes(t)
		h := New(Limits{Minutes: rapid.IntRange(1, 200).Draw(t, "minutes")})
		for _, p := range probes {
			h.Probe(p.at, p.rtt, p.ok)
		}
		a := rapid.IntRange(0, 100).Draw(t, "from")
		b := rapid.IntRange(0, 300).Draw(t, "for")
		r := h.Report(at(time.Duration(a)*time.Minute), at(time.Duration(a+b)*time.Minute))
		if diff := cmp.Diff(aggregate(probes, r.From, r.To), r.Slot); diff != "" {
			t.Fatalf("by %v (-raw +slots):\n%s", r.Resolution, diff)
		}
	})
}

func genSlot(t *rapid.T) Slot {
	small := rapid.Uint32Range(0, 1000)
	s := Slot{Lost: small.Draw(t, "lost"), Up: small.Draw(t, "up"), TxSent: rapid.Uint64().Draw(t, "tx"), TxFailed: uint64(small.Draw(t, "failed"))}
	s.Observed = s.Up + small.Draw(t, "down")
	replies := small.Draw(t, "replies")
	s.Sent = s.Lost + replies
	if replies > 0 {
		s.RTTMin = small.Draw(t, "min")
		s.RTTMax = s.RTTMin + small.Draw(t, "more")
		s.RTTSum, s.JitterSum = uint64(small.Draw(t, "sum")), uint64(small.Draw(t, "jitter"))
	}
	return s
}

func TestMergeIsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := genSlot(t), genSlot(t), genSlot(t)
		if a.Merge(b) != b.Merge(a) || a.Merge(b).Merge(c) != a.Merge(b.Merge(c)) || a.Merge(Slot{}) != a {
			t.Fatalf("merging %+v, %+v, %+v depends on the order", a, b, c)
		}
		if !a.Merge(b).valid() {
			t.Fatalf("%+v and %+v make no valid slot", a, b)
		}
	})
}

func TestMarshalUnmarshal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := New(Limits{Minutes: 20, Hours: 3})
		for _, p := range genProbes(t) {
			h.Probe(p.at, p.rtt, p.ok)
			h.Counters(p.at, Counters{Packets: uint64(p.rtt)})
			h.State(p.at, p.ok, false)
		}
		b := h.Marshal()
		back, err := Unmarshal(b, Limits{Minutes: 20, Hours: 3})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b, back.Marshal()); diff != "" {
			t.Fatalf("(-before +after):\n%s", diff)
		}
		b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= 0x40
		if _, err := Unmarshal(b, Limits{}); !errors.Is(err, sealed.ErrDamaged) {
			t.Fatalf("a damaged file: %v", err)
		}
	})
}

func TestUnmarshalRefusesWhatMakesNoSense(t *testing.T) {
	good := dated{start: 60, Slot: Slot{Sent: 2, Lost: 1, RTTMin: 1, RTTMax: 2, RTTSum: 200, Observed: 5, Up: 5}}
	with := func(edit func(*dated)) []dated {
		d := good
		edit(&d)
		return []dated{d}
	}
	for _, c := range []struct {
		name           string
		minutes, hours []dated
		ok             bool
	}{
		{"OK", with(func(*dated) {}), with(func(*dated) {}), true},
		{"OK empty", nil, nil, true},
		{"bad: an hour that begins within", nil, with(func(d *dated) { d.start = 61 }), false},
		{"bad: twice", []dated{good, good}, nil, false},
		{"bad: more lost than sent", with(func(d *dated) { d.Lost = 3 }), nil, false},
		{"bad: up for longer than observed", with(func(d *dated) { d.Up = 6 }), nil, false},
		{"bad: least over greatest", with(func(d *dated) { d.RTTMin = 3 }), nil, false},
		{"bad: a round trip without reply", with(func(d *dated) { d.Lost = 2 }), nil, false},
		{"bad: more than are kept", make([]dated, MinuteSlots+1), nil, false},
	} {
		h := New(Limits{})
		h.minutes.slots, h.hours.slots = c.minutes, c.hours
		if _, err := Unmarshal(h.Marshal(), Limits{}); (err == nil) != c.ok || err != nil && !errors.Is(err, sealed.ErrDamaged) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// FuzzUnmarshal reads bodies whose checksum is right: what is accepted is written back as it was.
func FuzzUnmarshal(f *testing.F) {
	h := New(Limits{})
	for _, minute := range []time.Duration{0, 1, 61} { // small, for the fuzzer's sake
		h.Probe(at(minute*time.Minute), time.Millisecond, true)
		h.Probe(at(minute*time.Minute), 0, false)
	}
	_, body, err := sealed.Open(kind(), version, h.Marshal())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add(make([]byte, 16))
	f.Fuzz(func(t *testing.T, body []byte) {
		data := sealed.Seal(kind(), version, body)
		h, err := Unmarshal(data, Limits{})
		if err != nil {
			if !errors.Is(err, sealed.ErrDamaged) {
				t.Errorf("error %v", err)
			}
			return
		}
		if !bytes.Equal(data, h.Marshal()) {
			t.Errorf("written back otherwise: % x", body)
		}
		h.Report(start, at(time.Hour))
		h.Series(Jitter, time.Unix(0, 0), at(time.Hour), 50)
	})
}
