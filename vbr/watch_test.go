package vbr

import (
	"fmt"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/bfd"
)

// Each line is a history: seconds, what happens, and whether the peer's routes are held then ("!" if it has failed by that).
func TestWatch(t *testing.T) {
	type step struct {
		at   float64
		what string
		want string // "held", "", "held!": see above
	}
	for _, tt := range []struct {
		name   string
		strict bool
		steps  []step
	}{
		{"not up yet is no failure", false, []step{{0, "init", ""}, {60, "down", ""}, {61, "init", ""}}},
		{"a failure holds until BFD is back", false, []step{{0, "up", ""}, {9, "down", "held!"}, {10, "init", "held"}, {11, "up", ""}}},
		{"a failure holds until BGP is back", false, []step{{0, "up", ""}, {9, "down", "held!"}, {15, "established", ""}, {16, "init", ""}, {17, "up", ""}, {18, "down", "held!"}}},
		{"admin down is no failure", false, []step{{0, "up", ""}, {9, "admin", ""}, {99, "down", ""}, {100, "up", ""}}},
		{"switched off after a failure", false, []step{{0, "up", ""}, {9, "down", "held!"}, {10, "admin", ""}}},
		{"a restart excuses", false, []step{{0, "up", ""}, {9, "down", "held!"}, {9, "excuse", ""}, {30, "established", ""}, {31, "up", ""}, {40, "down", "held!"}}},
		{"begins anew at the other end", false, []step{{0, "up", ""}, {9, "anew", ""}, {99, "init", ""}, {100, "up", ""}}},
		{"taken away", false, []step{{0, "up", ""}, {9, "down", "held!"}, {10, "off", ""}}},

		{"strict waits for BFD", true, []step{{0, "established", "held"}, {1, "init", "held"}, {2, "up", ""}, {3, "down", "held!"}, {9, "established", "held"}}},
		{"strict accepts that BFD is switched off", true, []step{{0, "established", "held"}, {1, "admin", ""}, {2, "down", "held"}, {3, "up", ""}, {4, "admin", ""}}},
		{"strict holds down, longer each time", true, []step{
			{0, "up", ""}, {10, "down", "held!"}, {11, "up", "held"}, {11.9, "", "held"}, {12, "", ""},
			{20, "down", "held!"}, {21, "up", "held"}, {22.9, "", "held"}, {23, "", ""},
			{30, "down", "held!"}, {31, "up", "held"}, {34.9, "", "held"}, {35, "", ""},
			{36, "down", "held!"}, {37, "up", "held"}, {40, "down", "held!"}, {41, "up", "held"}, {56.9, "", "held"}, {57, "", ""},
			{60, "down", "held!"}, {61, "up", "held"}, {62, "down", "held!"}, {63, "up", "held"}, {92.9, "", "held"}, {93, "", ""}, // not beyond 30 s
			{300, "down", "held!"}, {301, "up", "held"}, {302, "", ""}, // begins anew after two calm minutes
		}},
		{"strict, up again after two calm minutes", true, []step{{0, "up", ""}, {10, "down", "held!"}, {200, "up", ""}}},
		{"strict excuses what begins anew, for a time", true, []step{{0, "up", ""}, {9, "anew", ""}, {18, "init", ""}, {20, "", "held"}, {21, "up", ""}}},
		{"strict excuses a restart, for a time", true, []step{{0, "up", ""}, {9, "down", "held!"}, {9, "excuse", ""}, {38, "established", ""}, {39, "", "held"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Unix(1e9, 0)
			on := watchSpec{on: true, strict: tt.strict}
			var w watch
			w.configure(on, false, start)
			for _, s := range tt.steps {
				now := start.Add(time.Duration(s.at * float64(time.Second)))
				failed := false
				switch s.what {
				case "up":
					failed = w.change(bfd.Change{State: bfd.Up, RemoteState: bfd.Up}, now)
				case "init":
					failed = w.change(bfd.Change{State: bfd.Init, RemoteState: bfd.Down}, now)
				case "down":
					failed = w.change(bfd.Change{State: bfd.Down, RemoteState: bfd.Up, Diag: bfd.DiagTimeExpired}, now)
				case "admin":
					failed = w.change(bfd.Change{State: bfd.Down, AdminDown: true, Diag: bfd.DiagNeighborDown}, now)
				case "anew":
					failed = w.change(bfd.Change{State: bfd.Down, Anew: true, Diag: bfd.DiagNeighborDown}, now)
				case "established":
					w.established()
				case "excuse":
					w.excuse(now.Add(30 * time.Second))
				case "off":
					w.configure(watchSpec{}, true, now)
				}
				got := ""
				if w.held(now) {
					got = "held"
				}
				if failed {
					got += "!"
				}
				if got != s.want {
					t.Errorf("at %v s, %q: %q, want %q: %+v", s.at, s.what, got, s.want, w)
				}
			}
		})
	}
}

// Switching strict BFD on does not cost a session that is up its routes, unless BFD does not come up.
func TestWatchConfigure(t *testing.T) {
	start := time.Unix(1e9, 0)
	after := func(d time.Duration) time.Time { return start.Add(d) }
	strict := watchSpec{on: true, strict: true}
	for _, tt := range []struct {
		name string
		do   func(w *watch)
		want string // held after 0, 5 and 20 s
	}{
		{"on, with the session up", func(w *watch) { w.configure(strict, true, start) }, "false false true"},
		{"on, before the session", func(w *watch) { w.configure(strict, false, start) }, "true true true"},
		{"strict, with BFD up", func(w *watch) {
			w.configure(watchSpec{on: true}, true, start)
			w.change(bfd.Change{State: bfd.Up}, start)
			w.configure(strict, true, start)
		}, "false false false"},
		{"other intervals", func(w *watch) {
			w.configure(strict, true, start)
			w.configure(watchSpec{on: true, strict: true, minTx: 1}, true, after(9*time.Second))
		}, "false false true"},
		{"no longer strict", func(w *watch) {
			w.configure(strict, false, start)
			w.configure(watchSpec{on: true}, true, start)
		}, "false false false"},
		{"resumed", func(w *watch) {
			w.configure(strict, false, start)
			w.resume(bfd.Status{State: bfd.Up})
		}, "false false false"},
	} {
		var w watch
		tt.do(&w)
		if got := fmt.Sprint(w.held(start), w.held(after(5*time.Second)), w.held(after(20*time.Second))); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// A failure is not lost behind what follows it, however many changes come before anybody looks.
func TestInbox(t *testing.T) {
	peer, other := addrOf("10.0.0.2"), addrOf("10.0.0.6")
	up := func(c bfd.Change) bfd.Change { c.State = bfd.Up; return c }
	i := newInbox()
	down := bfd.Change{Peer: peer, State: bfd.Down}
	for range 100 {
		i.put(down)
		i.put(up(down))
	}
	i.put(bfd.Change{Peer: other, State: bfd.Down, AdminDown: true})
	got := i.take()
	if len(got) != 3 || got[0] != down || len(i.take()) != 0 {
		t.Errorf("%+v", got)
	}
	i.put(down)
	if got := i.take(); len(got) != 1 || got[0] != down {
		t.Errorf("%+v", got)
	}
}
