package gobgp

import (
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// Who is quiet has repeated all, and who never is has after a time.
func TestRepeatedAll(t *testing.T) {
	for _, tt := range []struct {
		asked, quiet time.Duration
		want         bool
	}{{time.Second, time.Hour, false}, {3 * time.Second, time.Second, false}, {3 * time.Second, 3 * time.Second, true}, {6 * time.Minute, 0, true}} {
		if got := repeatedAll(tt.asked, tt.quiet); got != tt.want {
			t.Errorf("asked %v ago, quiet for %v: %v", tt.asked, tt.quiet, got)
		}
	}
}

// A peer that asks for all again and again, or does not read, gets it once a second, and at last.
func TestRefreshesAreFew(t *testing.T) {
	session := &wire.Session{Families: []wire.Family{wire.IPv4}}
	ask4, ask6 := wire.IPv4, wire.IPv6
	busy := func(is bool) func(wire.Family) bool { return func(wire.Family) bool { return is } }
	now := time.Unix(1000, 0)
	var r refreshes
	passed := 0
	for range 1000 {
		if v := r.ask(ask4, session, false, now); v.Action == wire.Pass {
			passed++
		}
	}
	if passed != 1 {
		t.Errorf("%d of 1000 at once, want 1", passed)
	}
	if v := r.ask(ask6, session, false, now); v.Action != wire.Ignore || r.pending[wire.IPv6] {
		t.Errorf("of a family that the session has not: %+v", v)
	}
	_, early := r.due(busy(false), now.Add(refreshEvery/2))
	if _, ok := r.due(busy(true), now.Add(2*refreshEvery)); ok || early {
		t.Error("handed on too early, or while the answer waits")
	}
	if f, ok := r.due(busy(false), now.Add(refreshEvery)); !ok || f != wire.IPv4 {
		t.Errorf("kept: %v %v", f, ok)
	}
	if _, ok := r.due(busy(false), now.Add(time.Hour)); ok {
		t.Error("handed on twice")
	}
	if v := r.ask(ask4, session, true, now.Add(time.Hour)); v.Action != wire.Ignore || !r.pending[wire.IPv4] {
		t.Errorf("while the answer waits: %+v", v)
	}
}
