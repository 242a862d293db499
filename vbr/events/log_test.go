package events

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func say(l *Log, router string, n int) {
	for i := range n {
		l.Append(&vbrv1.Event{Router: router, Text: fmt.Sprint(i)})
	}
}

// countOf counts the events of a router.
func countOf(events []*vbrv1.Event, router string) (n int) {
	for _, e := range events {
		if e.Router == router {
			n++
		}
	}
	return n
}

func TestOrderAndLimit(t *testing.T) {
	l := NewLog(10)
	say(l, "a", 7)
	all, lost := l.After(0, 0)
	if len(all) != 7 || lost {
		t.Fatalf("%d events, lost %v", len(all), lost)
	}
	for i, e := range all {
		if e.Text != fmt.Sprint(i) || e.Time == nil || i > 0 && e.Sequence != all[i-1].Sequence+1 {
			t.Errorf("event %d: %v", i, e)
		}
	}
	some, _ := l.After(all[2].Sequence, 3)
	if len(some) != 3 || some[0] != all[3] {
		t.Errorf("after the third: %v", some)
	}
	if none, lost := l.After(all[6].Sequence, 0); len(none) != 0 || lost {
		t.Errorf("after the last: %v, lost %v", none, lost)
	}
}

// One router's storm pushes out its own events only; whoever read before the pushed out ones is told.
func TestStormOfOneRouter(t *testing.T) {
	l := NewLog(1000)
	say(l, "quiet", 10)
	quiet, _ := l.After(0, 0)
	say(l, "storm", 100_000)
	all, _ := l.After(0, 0)
	if n := countOf(all, "quiet"); n != 10 {
		t.Errorf("%d events of the quiet router stay, want 10", n)
	}
	if n := countOf(all, "storm"); n != perRouter {
		t.Errorf("%d events of the storm, want %d", n, perRouter)
	}
	if last := all[len(all)-1]; last.Text != "99999" {
		t.Errorf("the newest is %v", last)
	}
	if _, lost := l.After(quiet[9].Sequence, 0); !lost {
		t.Error("a reader from before the storm is not told that it missed some")
	}
	if _, lost := l.After(all[len(all)-1].Sequence, 0); lost {
		t.Error("a reader that is up to date is told that it missed some")
	}
}

// Who is told of some routers' or owners' events has lost something when one of these was pushed out, and nothing by others' storms.
func TestLostIsOwn(t *testing.T) {
	l := NewLog(1000)
	tell := func(router, owner string, n int) {
		for range n {
			l.Append(&vbrv1.Event{Router: router, Owner: owner})
		}
	}
	tell("vbr-a", "acme", 5)
	tell("vbr-a", "beta", 5)
	tell("vbr-b", "beta", 5)
	read, _ := l.After(0, 0)
	at := read[2].Sequence // vbr-a's third, acme's
	tell("vbr-b", "beta", 1000)
	is := func(when string, want map[string]bool) {
		t.Helper()
		for who, told := range map[string]func(router, owner string) bool{
			"all": func(string, string) bool { return true }, "none": func(string, string) bool { return false },
			"acme": func(_, owner string) bool { return owner == "acme" }, "beta": func(_, owner string) bool { return owner == "beta" },
			"vbr-a": func(router, _ string) bool { return router == "vbr-a" },
		} {
			if _, lost := l.Follow(at, 0, told); lost != want[who] {
				t.Errorf("%s: %s has lost something: %v", when, who, lost)
			}
		}
	}
	is("vbr-b storms", map[string]bool{"all": true, "beta": true})
	tell("vbr-a", "beta", perRouter-10+3)
	is("3 that were read of vbr-a go", map[string]bool{"all": true, "beta": true})
	tell("vbr-a", "beta", 1)
	is("one that was not goes", map[string]bool{"all": true, "beta": true, "acme": true, "vbr-a": true})
}

// Whose events went is known of as many routers as there can be events, the latest. What went before is everybody's loss, rather than nobody's.
func TestLostOfManyRouters(t *testing.T) {
	const capacity = 100
	l := NewLog(capacity)
	before := l.last
	for i := range 10 * capacity {
		say(l, fmt.Sprint(i), 1)
		if n := len(l.evicted.of); n > capacity {
			t.Fatalf("%d routers are remembered", n)
		}
	}
	none := func(string, string) bool { return false }
	forgotten := before + 8*capacity // then 100 that are remembered, and 100 that are there
	if _, lost := l.Follow(forgotten-1, 0, none); !lost {
		t.Error("a reader far behind is not told that it may have lost something")
	}
	if _, lost := l.Follow(forgotten, 0, none); lost {
		t.Error("one that is not so far behind has lost what it is not told of")
	}
	if _, lost := l.Follow(forgotten, 0, func(router, _ string) bool { return router == fmt.Sprint(8*capacity) }); !lost {
		t.Error("one that is not so far behind has not lost what it is told of")
	}
}

func TestCapacity(t *testing.T) {
	l := NewLog(100)
	for i := range 1000 {
		say(l, fmt.Sprint(i), 1)
	}
	all, _ := l.After(0, 0)
	if len(all) != 100 || all[0].Router != "900" || len(l.of) != 100 {
		t.Errorf("%d events from %v on, %d routers", len(all), all[0], len(l.of))
	}
}

// The numbers of a later run are higher, however many events the earlier one had, short of one a millisecond.
func TestRunsDoNotOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := NewLog(10)
		say(first, "a", 999)
		time.Sleep(time.Second)
		second := NewLog(10)
		say(second, "a", 1)
		a, _ := first.After(0, 0)
		b, _ := second.After(0, 0)
		if a[len(a)-1].Sequence >= b[0].Sequence {
			t.Errorf("%d of the first run, %d of the second", a[len(a)-1].Sequence, b[0].Sequence)
		}
	})
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLog(10)
		say(l, "a", 1)
		all, _ := l.After(0, 0)
		if err := l.Wait(t.Context(), 0); err != nil {
			t.Error(err)
		}
		woken := make(chan error, 1)
		go func() { woken <- l.Wait(t.Context(), all[0].Sequence) }()
		synctest.Wait()
		select {
		case <-woken:
			t.Fatal("woken without an event")
		default:
		}
		say(l, "b", 1)
		if err := <-woken; err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Wait(ctx, all[0].Sequence+1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with nothing new: %v", err)
		}
	})
}
