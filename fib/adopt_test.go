package fib_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/fib"
)

func (b *bench) adopt(want int) {
	b.t.Helper()
	if n, err := b.Adopt(b.t.Context()); n != want || err != nil {
		b.t.Fatalf("adopted %d (%v), want %d", n, err, want)
	}
}

func (b *bench) sweep(want int) {
	b.t.Helper()
	if n, err := b.Sweep(b.t.Context()); n != want || err != nil {
		b.t.Fatalf("swept %d (%v), want %d", n, err, want)
	}
}

func (b *bench) collect(want int) {
	b.t.Helper()
	if n, err := b.f.Collect(b.t.Context()); n != want || err != nil {
		b.t.Fatalf("collected %d (%v), want %d", n, err, want)
	}
}

func TestAdoptWithoutChange(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		routes := []string{"10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east | 10.0.1.2 west", "10.3.0.0/16 -> 10.0.0.2 east else 10.0.1.2 west",
			"10.4.0.0/16 -> 10.0.0.2 east", "2001:db8::/32 -> ::ffff:192.0.2.7 vx5001 onlink"}
		a := newBench(t, w)
		a.do(routes...)
		w.plant(table, "10.9.0.0/16", unix.RTPROT_ZEBRA, fib.Metric)
		before, ids := w.routes(table), w.ids()

		b := a.restart()
		b.adopt(5)
		if r, ok := b.Get(b.change("10.2.0.0/16").Prefix); !ok || !r.Stale || r.Set != b.set("10.0.0.2 east | 10.0.1.2 west") {
			t.Errorf("adopted route is %v %v", r, ok)
		}
		b.do(routes...)
		if n := b.messages(); n != 0 {
			t.Errorf("taking over what is there took %d messages", n)
		}
		b.sweep(0)
		b.collect(0)
		if diff := cmp.Diff(before, w.routes(table)); diff != "" {
			t.Errorf("routes changed (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(ids, w.ids()); diff != "" {
			t.Errorf("objects changed (-want +got):\n%s", diff)
		}
		b.audit(fib.Drift{Foreign: 1})
		b.fail("10.0.0.2 east") // backups are known again
		b.want(`
		10.2.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		10.3.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		10.9.0.0/16 via 10.0.0.9 dev east proto 11 metric 179
		2001:db8::/32 via ::ffff:192.0.2.7 dev vx5001 onlink proto 86 metric 179
		`)
		b.do("10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16", "2001:db8::/32")
		if ids := w.ids(); len(ids) != 0 {
			t.Errorf("objects are left: %v", ids)
		}
	})
}

func TestAdoptWithChanges(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		a := newBench(t, w)
		a.do("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east", "10.3.0.0/16 -> 10.0.1.2 west", "10.4.0.0/16 -> 10.0.1.2 west",
			"2001:db8::/32 -> fd00::2 east")
		other := &bench{t, w, a.f, a.f.Table(10002)}
		other.do("10.3.0.0/16 -> 10.0.1.2 west")

		b := a.restart()
		b.adopt(5)
		b.do("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.3 east", "10.5.0.0/16 -> 10.0.0.2 east")
		b.sweep(3)
		b.want(`
		10.1.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		10.2.0.0/16 via 10.0.0.3 dev east proto 86 metric 179
		10.5.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		`)
		b.collect(2) // the IPv6 gateway and its group; west's serve a table that was not adopted
		other = &bench{t, w, b.f, b.f.Table(10002)}
		other.adopt(1)
		other.sweep(1)
		b.collect(2)
		b.do("10.1.0.0/16", "10.2.0.0/16", "10.5.0.0/16")
		if ids := w.ids(); len(ids) != 0 {
			t.Errorf("objects are left: %v", ids)
		}
	})
}

// TestAdoptedLater: when all tables but one were swept a group was in use that nobody of this process knew to be. It goes when its last route has.
func TestAdoptedLater(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		const route = "10.1.0.0/16 -> 10.0.0.2 east"
		a := newBench(t, w)
		a.do(route)
		(&bench{t, w, a.f, a.f.Table(10002)}).do(route)

		b := a.restart()
		b.adopt(1)
		b.do(route)
		b.collect(0)
		other := &bench{t, w, b.f, b.f.Table(10002)}
		other.adopt(1)
		other.sweep(1)
		if b.f.Strays() {
			t.Error("Strays, and all objects are in use")
		}
		b.do("10.1.0.0/16")
		if !b.f.Strays() {
			t.Error("no Strays, and a group has no routes any more")
		}
		b.collect(2)
		if ids := w.ids(); len(ids) != 0 || b.f.Strays() {
			t.Errorf("objects are left: %v; Strays is %v", ids, b.f.Strays())
		}
	})
}

// TestApplyWithoutAdopt finds a predecessor's routes in its way, which are ours by protocol.
func TestApplyWithoutAdopt(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		a := newBench(t, w)
		a.do("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east", "10.3.0.0/16 -> 10.0.0.2 east")
		b := a.restart()
		b.do("10.1.0.0/16 -> 10.0.1.2 west", "10.2.0.0/16 -> 10.0.0.2 east")
		b.want(`
		10.1.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		10.2.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		10.3.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		`)
		b.sweep(1)
	})
}

// TestAdoptPlainRoutes takes over routes of our protocol that are no nexthop routes, as another version might leave.
func TestAdoptPlainRoutes(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		w.plant(table, "10.1.0.0/16", fib.Protocol, fib.Metric)
		w.plant(table, "10.2.0.0/16", fib.Protocol, fib.Metric)
		w.plant(table, "10.3.0.0/16", fib.Protocol, 20) // not our metric: not ours
		b := newBench(t, w)
		b.adopt(2)
		b.do("10.1.0.0/16 -> 10.0.0.2 east")
		b.sweep(1)
		b.want(`
		10.1.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		10.3.0.0/16 via 10.0.0.9 dev east proto 86 metric 20
		`)
	})
}

func TestCleanup(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		w.plantNexthop(7, unix.RTPROT_ZEBRA, "10.0.0.9", "east")
		w.plant(table, "10.9.0.0/16", unix.RTPROT_ZEBRA, fib.Metric)
		w.plant(table, "10.8.0.0/16", fib.Protocol, 20)
		a := newBench(t, w)
		a.do("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east | 10.0.1.2 west", "2001:db8::/32 -> fd00::2 east")
		(&bench{t, w, a.f, a.f.Table(254)}).do("10.1.0.0/16 -> 10.0.0.2 east")

		f := w.open(t)
		n, err := f.Cleanup(t.Context())
		if n != 11 || err != nil { // 5 routes, 3 gateways, 3 groups
			t.Errorf("cleaned up %d (%v), want 11", n, err)
		}
		if got, want := w.routes(table), "10.9.0.0/16 via 10.0.0.9 dev east proto 11 metric 179\n"; got != want {
			t.Errorf("left %s, want %s", got, want)
		}
		if diff := cmp.Diff([]uint32{7}, w.ids()); diff != "" {
			t.Errorf("objects (-want +got):\n%s", diff)
		}
		if n, err := f.Cleanup(t.Context()); n != 0 || err != nil {
			t.Errorf("a second cleanup removed %d (%v)", n, err)
		}
	})
}

// TestCleanupSparesWhatOthersUse: a foreign route on an object of ours would go with it.
func TestCleanupSparesWhatOthersUse(t *testing.T) {
	w := newReal(t)
	b := newBench(t, w)
	b.do("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.1.2 west")
	group := ""
	for id, n := range w.nexthops() {
		if n.Group != nil && w.nexthops()[n.Group[0].ID].Dev == "east" {
			group = fmt.Sprint(id)
		}
	}
	w.ip("route", "add", "10.9.0.0/16", "nhid", group, "proto", "99", "table", fmt.Sprint(table))
	n, err := b.f.Cleanup(t.Context())
	if n != 4 || err == nil || !strings.Contains(err.Error(), "others use it") {
		t.Errorf("cleaned up %d (%v), want 4 and an error", n, err)
	}
	if got, want := w.routes(table), "10.9.0.0/16 via 10.0.0.2 dev east proto 99 metric 0\n"; got != want {
		t.Errorf("left %s, want %s", got, want)
	}
}

// TestAdoptAfterFailover: a predecessor died after its failover; the next one brings the primary back.
func TestAdoptAfterFailover(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		a := newBench(t, w)
		a.do("10.1.0.0/16 -> 10.0.0.2 east else 10.0.1.2 west")
		a.fail("10.0.0.2 east")
		b := a.restart()
		b.adopt(1)
		b.do("10.1.0.0/16 -> 10.0.0.2 east else 10.0.1.2 west")
		b.want("10.1.0.0/16 via 10.0.0.2 dev east proto 86 metric 179\n")
		b.sweep(0)
		b.collect(1) // the group left behind
		b.audit(fib.Drift{})
	})
}
