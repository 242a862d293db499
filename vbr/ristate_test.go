package vbr

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// factsOf brings about an event.
func factsOf(e riEvent) riFacts {
	f := riFacts{paired: true, up: true, clean: true, opposite: oppositePresent}
	switch e {
	case evDeleted:
		f.deleting = true
	case evGone:
		f.deleting, f.gone = true, true
	case evOff:
		f.deactivated, f.clean = true, false
	case evOffClean:
		f.deactivated = true
	case evAlone:
		f.paired, f.accepting = false, true
	case evApart:
		f.opposite, f.why = oppositeAbsent, "nobody is there"
	case evDown:
		f.up = false
	case evChanging:
		f.changing = "its limit is not there yet"
	}
	return f
}

// Every state meets every event: what follows is what docs/states.md says.
func TestTransitions(t *testing.T) {
	rows := documented(t, riEvents)
	for s := range riStates {
		for e := range riEvents {
			f := factsOf(e)
			if got, _ := f.event(); got != e {
				t.Errorf("facts of %s are %s", e, got)
			}
			got, why := s.next(&f)
			want := rows[s.String()][e]
			if want == "Connecting" && f.accepting {
				want = "AcceptingConnecting"
			}
			if got.String() != want {
				t.Errorf("%s, %s: %s, docs/states.md has %s", s, e, got, want)
			}
			if (why == "") != (e == evReady) {
				t.Errorf("%s, %s: reason %q", s, e, why)
			}
		}
	}
}

func TestEventPrecedence(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    riFacts
		want riEvent
		why  string
	}{
		{"a plain one, up", riFacts{up: true, clean: true}, evReady, ""},
		{"a plain one, down", riFacts{clean: true}, evDown, "carries no packets"},
		{"a plain one, deactivated", riFacts{up: true, clean: true, deactivated: true}, evOffClean, "it is deactivated"},
		{"accepting, without an opposite", riFacts{up: true, accepting: true}, evAlone, "names no opposite"},
		{"paired, absent", riFacts{paired: true, up: true, why: "x"}, evApart, "x"},
		{"paired, refused", riFacts{paired: true, up: true, opposite: oppositeRefused, why: "y"}, evApart, "y"},
		{"paired, opposite deactivated", riFacts{paired: true, up: true, opposite: oppositeDeactivated}, evOff, "opposite"},
		{"deactivated goes before absent", riFacts{paired: true, deactivated: true}, evOff, "it is deactivated"},
		{"absent goes before down", riFacts{paired: true, why: "z"}, evApart, "z"},
		{"a plain one, changing", riFacts{up: true, clean: true, changing: "v"}, evChanging, "v"},
		{"down goes before changing", riFacts{clean: true, changing: "v"}, evDown, "carries no packets"},
		{"deleted goes before all", riFacts{deleting: true, deactivated: true, changing: "v"}, evDeleted, "deleted"},
		{"gone goes before deleted", riFacts{deleting: true, gone: true, deactivated: true}, evGone, "nothing of it is left"},
		{"what is wanted is not gone", riFacts{up: true, gone: true}, evReady, ""},
	} {
		if e, why := tt.f.event(); e != tt.want || !strings.Contains(why, tt.why) {
			t.Errorf("%s: %s, %q", tt.name, e, why)
		}
	}
}

// Whatever the facts, settling ends, where it ends is a state that the facts keep, only ready ends in Active and only changing in Modifying.
func TestSettleProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := riState(rapid.IntRange(0, int(riStates)-1).Draw(rt, "state"))
		for range rapid.IntRange(1, 20).Draw(rt, "turns") {
			f := riFacts{
				paired: rapid.Bool().Draw(rt, "paired"), accepting: rapid.Bool().Draw(rt, "accepting"), deactivated: rapid.Bool().Draw(rt, "off"),
				deleting: rapid.IntRange(0, 9).Draw(rt, "del") == 0, up: rapid.Bool().Draw(rt, "up"), clean: rapid.Bool().Draw(rt, "clean"),
				opposite: riOpposite(rapid.IntRange(0, 3).Draw(rt, "opposite")), why: "w", gone: rapid.Bool().Draw(rt, "gone"),
				changing: rapid.SampledFrom([]string{"", "v"}).Draw(rt, "changing"),
			}
			passed, why := s.settle(&f)
			if len(passed) > 4 {
				rt.Fatalf("%s: %v", s, passed)
			}
			if len(passed) > 0 {
				s = passed[len(passed)-1]
			}
			if to, _ := s.next(&f); to != s {
				rt.Fatalf("%s is not where it stays", s)
			}
			e, _ := f.event()
			left := s == riDeleting || s == riDeleted
			if (s == riActive) != (e == evReady) && !left || (s == riModifying) != (e == evChanging) && !left {
				rt.Fatalf("%s though %s", s, e)
			}
			if (e == evDeleted || e == evGone) && !left || e == evGone && s != riDeleted {
				rt.Fatalf("%s though %s", s, e)
			}
			if (why == "") != (e == evReady) {
				rt.Fatalf("%s: %q", s, why)
			}
		}
	})
}

// The way of a pair from the first to the last day, at both ends.
func TestLifeOfAPair(t *testing.T) {
	f := riFacts{paired: true, up: true, clean: true, why: "nobody"}
	s := riIdle
	var got []string
	turn := func(what string, change func()) {
		change()
		passed, _ := s.settle(&f)
		if len(passed) > 0 {
			s = passed[len(passed)-1]
		}
		got = append(got, fmt.Sprint(what, ": ", passed))
	}
	turn("created", func() {})
	turn("the opposite shows up", func() { f.opposite, f.clean = oppositePresent, false })
	turn("it is deactivated there", func() { f.opposite = oppositeDeactivated })
	turn("the routes have left", func() { f.clean = true })
	turn("it is activated there", func() { f.opposite = oppositePresent })
	turn("its spec changes", func() { f.changing = "v" })
	turn("the kernel has it", func() { f.changing = "" })
	turn("its spec changes again", func() { f.changing = "v" })
	turn("it is deactivated meanwhile", func() { f.deactivated, f.clean = true, false })
	turn("and activated", func() { f.deactivated, f.clean = false, true })
	turn("the kernel has that too", func() { f.changing = "" })
	turn("it is deleted there", func() { f.opposite = oppositeAbsent })
	turn("it is deleted here", func() { f.deleting = true })
	turn("nothing is left", func() { f.gone = true })
	turn("whatever happens then", func() { f = riFacts{up: true} })
	want := `created: [Connecting]
the opposite shows up: [Activating Active]
it is deactivated there: [Deactivating]
the routes have left: [Inactive]
it is activated there: [Activating Active]
its spec changes: [Modifying]
the kernel has it: [Activating Active]
its spec changes again: [Modifying]
it is deactivated meanwhile: [Deactivating]
and activated: [Activating Active Modifying]
the kernel has that too: [Activating Active]
it is deleted there: [Connecting]
it is deleted here: [Deleting]
nothing is left: [Deleted]
whatever happens then: []`
	if g := strings.Join(got, "\n"); g != want {
		t.Errorf("got\n%s\nwant\n%s", g, want)
	}
}
