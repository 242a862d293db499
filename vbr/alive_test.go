package vbr

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/vbr/events"
)

// hangs is longer than short, the limit of these tests.
const short, hangs = 20 * time.Millisecond, 40 * time.Millisecond

// living is a host with routers whose actors are to be beaten by hand.
func living(t *testing.T, names ...string) *Host {
	t.Helper()
	h := &Host{log: slog.New(slog.DiscardHandler), routers: make(map[string]*router), settled: make(chan struct{}), events: events.NewLog(16)}
	for _, n := range names {
		h.keepRouter(&router{name: n, spec: &spec{name: n}, host: h, log: h.log, reasons: make(map[string]string), tried: make(chan struct{})})
	}
	return h
}

// One hung actor of two is its router's trouble, and all of them are the host's, as is a loop of its own.
func TestAlive(t *testing.T) {
	for _, tt := range []struct {
		name string
		hang func(h *Host)
		want string // "": alive
	}{
		{"OK: nothing runs yet", func(*Host) {}, ""},
		{"OK: one actor of two hangs", func(h *Host) { h.router("a").pulse.beat(); time.Sleep(hangs); h.router("b").pulse.beat() }, ""},
		{"OK: it hung, and went on", func(h *Host) { h.pulses.monitor.beat(); time.Sleep(hangs); h.pulses.monitor.beat() }, ""},
		{"OK: waiting between two lives", func(h *Host) {
			for _, r := range h.allRouters() {
				r.pulse.beat()
			}
			time.Sleep(hangs)
			h.router("a").pulse.rest()
		}, ""},
		{"OK: one hangs, the other one cannot be served and has no actor", func(h *Host) {
			h.router("b").unserved = true
			h.router("a").pulse.beat()
		}, ""},
		{"bad: all actors hang", func(h *Host) {
			for _, r := range h.allRouters() {
				r.pulse.beat()
			}
			time.Sleep(hangs)
		}, "the actors of all 2 routers hang"},
		{"bad: the only one that is served hangs", func(h *Host) {
			h.router("b").unserved = true
			h.router("a").pulse.beat()
			time.Sleep(hangs)
		}, "the actors of all 1 routers hang"},
		{"bad: clock", func(h *Host) { h.pulses.clock.beat(); time.Sleep(hangs) }, "the host's clock hangs"},
		{"bad: carriers", func(h *Host) { h.pulses.carriers.beat(); time.Sleep(hangs) }, "the host's carrier watch hangs"},
		{"bad: monitor", func(h *Host) { h.pulses.monitor.beat(); time.Sleep(hangs) }, "the host's monitor hangs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := living(t, "a", "b")
			tt.hang(h)
			switch err := h.Alive(short); {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// A router whose actor hangs is degraded, and recovers when it goes on; the others are not.
func TestHungActorIsDegraded(t *testing.T) {
	h := living(t, "a", "b")
	a, b := h.router("a"), h.router("b")
	a.pulse.beat()
	b.pulse.beat()
	time.Sleep(hangs)
	b.pulse.beat()
	h.reportHung(short)
	if !a.ails(actorTrouble) || b.isDegraded() {
		t.Errorf("a: %v, b: %v", a.reasons, b.reasons)
	}
	a.pulse.beat()
	h.reportHung(short)
	if a.isDegraded() {
		t.Errorf("it goes on: %v", a.reasons)
	}
}

// A host is settled when all its routers serve or cannot; those without an actor are not waited for.
func TestSettled(t *testing.T) {
	h := living(t, "a", "b", "c")
	h.router("c").unserved = true
	go h.awaitRouters(t.Context().Done())
	h.router("a").setTried()
	select {
	case <-h.Settled():
		t.Fatal("settled before b")
	case <-time.After(50 * time.Millisecond):
	}
	h.router("b").setTried()
	select {
	case <-h.Settled():
	case <-time.After(5 * time.Second):
		t.Error("not settled")
	}
}
