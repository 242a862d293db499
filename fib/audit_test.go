package fib_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/fib"
	"github.com/openvbr/openvbr/fib/fibtest"
)

func TestAudit(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		b.do("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east", "10.3.0.0/16 -> 10.0.0.2 east", "10.4.0.0/16 -> 10.0.0.2 east | 10.0.1.2 west",
			"2001:db8:1::/48 -> fd00::2 east", "2001:db8:2::/48 -> fd00::2 east")
		b.audit(fib.Drift{})
		before := w.routes(table)
		w.pull(table, "10.1.0.0/16", fib.Metric)
		w.pull(table, "2001:db8:1::/48", fib.Metric)
		w.plant(table, "10.2.0.0/16", fib.Protocol, fib.Metric) // altered
		w.plant(table, "10.7.0.0/16", fib.Protocol, fib.Metric) // extra
		w.plant(table, "10.8.0.0/16", unix.RTPROT_STATIC, fib.Metric)
		b.audit(fib.Drift{Missing: 2, Altered: 1, Extra: 1, Foreign: 1, Repaired: 4})
		b.audit(fib.Drift{Foreign: 1})
		w.pull(table, "10.8.0.0/16", fib.Metric)
		if got := w.routes(table); got != before {
			t.Errorf("got\n%swant\n%s", got, before)
		}
	})
}

func TestAuditForeignInOurPlace(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		b.do("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east")
		w.pull(table, "10.1.0.0/16", fib.Metric)
		w.plant(table, "10.1.0.0/16", unix.RTPROT_ZEBRA, fib.Metric)
		failed := b.audit(fib.Drift{Missing: 1, Foreign: 1})
		if len(failed) != 1 || routeError(t, failed[0].Err).Holder != unix.RTPROT_ZEBRA {
			t.Errorf("failed: %v", failed)
		}
		b.want(`
		10.1.0.0/16 via 10.0.0.9 dev east proto 11 metric 179
		10.2.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		`)
		b.do("10.1.0.0/16") // no longer ours to remove
	})
}

func TestAuditNexthopsDeletedByHand(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		b.do("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east | 10.0.1.2 west", "10.3.0.0/16 -> 10.0.1.2 west else 10.0.0.2 east")
		before := w.routes(table)
		w.pullNexthop(w.ids()[0])
		b.audit(fib.Drift{Nexthops: 3, Missing: 1, Repaired: 1})
		if got := w.routes(table); got != before {
			t.Errorf("got\n%swant\n%s", got, before)
		}
		for len(w.ids()) > 0 {
			w.pullNexthop(w.ids()[0])
		}
		b.audit(fib.Drift{Nexthops: 3, Missing: 3, Repaired: 3})
		if got := w.routes(table); got != before {
			t.Errorf("got\n%swant\n%s", got, before)
		}
	})
}

func TestLinkDownAndUp(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		b.do("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east | 10.0.1.2 west", "10.3.0.0/16 -> 10.0.1.2 west else 10.0.0.2 east",
			"2001:db8::/32 -> fd00::2 east")
		before := w.routes(table)
		w.setUp("east", false)
		failed := b.audit(fib.Drift{Missing: 2, Nexthops: 4})
		if len(failed) != 2 || routeError(t, failed[0].Err).Errno != unix.ENETDOWN || routeError(t, failed[0].Err).Retry() != fib.RetryOnLink {
			t.Errorf("failed: %v", failed)
		}
		b.want(`
		10.2.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		10.3.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		`)
		w.setUp("east", true)
		b.do("10.1.0.0/16 -> 10.0.0.2 east", "2001:db8::/32 -> fd00::2 east")
		b.audit(fib.Drift{Nexthops: 2})
		if got := w.routes(table); got != before {
			t.Errorf("got\n%swant\n%s", got, before)
		}
	})
}

// TestLinkFlapUnseen: the device is back before anybody looked. Writing another route on the same Set finds out.
func TestLinkFlapUnseen(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		b.do("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east else 10.0.1.2 west", "2001:db8::/32 -> fd00::2 east")
		w.setUp("east", false)
		w.setUp("east", true)
		b.do("10.4.0.0/16 -> 10.0.0.2 east", "10.5.0.0/16 -> 10.0.0.2 east | 10.0.1.2 west")
		if b.Missing() != 2 { // the route with a backup is on it
			t.Errorf("Missing is %d, want 2", b.Missing())
		}
		b.do("10.1.0.0/16 -> 10.0.0.2 east") // no longer believed to be there
		b.audit(fib.Drift{Missing: 1, Repaired: 1})
		b.want(`
		10.1.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		10.2.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		10.4.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		10.5.0.0/16 proto 86 metric 179
			nexthop via 10.0.0.2 dev east
			nexthop via 10.0.1.2 dev west
		2001:db8::/32 via fd00::2 dev east proto 86 metric 179
		`)
	})
}

// TestReplaceOfDeleted: a route of ours was deleted by hand, and is then to be changed.
func TestReplaceOfDeleted(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		b.do("10.1.0.0/16 -> 10.0.0.2 east", "2001:db8::/32 -> fd00::2 east", "10.2.0.0/16 -> 10.0.0.2 east")
		w.pull(table, "10.1.0.0/16", fib.Metric)
		w.pull(table, "2001:db8::/32", fib.Metric)
		w.pull(table, "10.2.0.0/16", fib.Metric)
		b.do("10.1.0.0/16 -> 10.0.1.2 west", "2001:db8::/32 -> fd00:1::2 west", "10.2.0.0/16")
		b.want(`
		10.1.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		2001:db8::/32 via fd00:1::2 dev west proto 86 metric 179
		`)
	})
}

// TestRemoveSparesForeign: a foreign route took the place of ours, which is then withdrawn.
func TestRemoveSparesForeign(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		b.do("10.1.0.0/16 -> 10.0.0.2 east", "2001:db8::/32 -> fd00::2 east")
		for _, p := range []string{"10.1.0.0/16", "2001:db8::/32"} {
			w.pull(table, p, fib.Metric)
			w.plant(table, p, 99, fib.Metric)
			w.plant(table, p, 99, 1000)
		}
		before := w.routes(table)
		b.do("10.1.0.0/16", "2001:db8::/32")
		if got := w.routes(table); got != before {
			t.Errorf("got\n%swant\n%s", got, before)
		}
	})
}

// TestLostAcknowledgement: a batch's fate is unknown. Its changes fail, and the next Apply finds out first.
func TestLostAcknowledgement(t *testing.T) {
	w := newFake()
	b := newBench(t, w)
	b.do("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east", "10.9.0.0/16 -> 10.0.1.2 west")
	w.DropAcks(1)
	for _, r := range b.try("10.1.0.0/16 -> 10.0.1.2 west", "10.2.0.0/16", "10.3.0.0/16 -> 10.0.0.2 east") {
		if re := routeError(t, r.Err); re.Errno != unix.ENOBUFS || re.Retry() != fib.RetrySoon {
			t.Errorf("got %v", re)
		}
	}
	b.do("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16", "10.3.0.0/16")
	b.want(`
		10.1.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		10.9.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		`)
	b.audit(fib.Drift{})
}

// TestLostAcknowledgementOfMove: routes may hang on a group that nobody knows to have any. It stays, or they would go with it; so does the one they
// hung on before. Once it is known which of them they have, the other goes.
func TestLostAcknowledgementOfMove(t *testing.T) {
	w := newFake()
	b := newBench(t, w)
	b.do("10.1.0.0/16 -> 10.0.0.2 east | 10.0.1.2 west")
	w.DropAckOf(unix.RTM_NEWROUTE)
	if r := b.try("10.1.0.0/16 -> 10.0.0.2 east"); r[0].Err == nil {
		t.Fatal("no error")
	}
	const moved = "10.1.0.0/16 via 10.0.0.2 dev east proto 86 metric 179\n"
	other := b.f.Table(table + 1)
	noErrors(t, other.Apply(t.Context(), []fib.Change{b.change("10.2.0.0/16 -> 10.0.1.2 west")})) // another table's work does not take it along either
	noErrors(t, other.Apply(t.Context(), []fib.Change{b.change("10.2.0.0/16")}))
	if got := w.routes(table); got != moved {
		t.Fatalf("the kernel has\n%s", got)
	}
	b.do("10.1.0.0/16 -> 10.0.0.2 east")
	b.want("\n\t\t" + moved)
	b.audit(fib.Drift{})
	if n := len(w.NexthopIDs()); n != 2 {
		t.Errorf("%d nexthop objects, want a gateway and a group", n)
	}
}

// TestRefusedByErrno: what the kernel says of one route reaches its result, and the others go on.
func TestRefusedByErrno(t *testing.T) {
	for errno, retry := range map[unix.Errno]fib.Retry{
		unix.EBUSY: fib.RetrySoon, unix.ENOMEM: fib.RetrySoon, unix.EPERM: fib.RetryNever, unix.ENETUNREACH: fib.RetryOnLink,
		unix.ENODEV: fib.RetryOnLink, unix.EINVAL: fib.RetryNever, unix.EHOSTUNREACH: fib.RetryOnLink,
	} {
		w := newFake()
		b := newBench(t, w)
		w.Refuse(func(r fibtest.Request) unix.Errno {
			if r.Prefix == b.change("10.2.0.0/16").Prefix {
				return errno
			}
			return 0
		})
		rs := b.try("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east", "10.3.0.0/16 -> 10.0.0.2 east")
		noErrors(t, []fib.Result{rs[0], rs[2]})
		if re := routeError(t, rs[1].Err); re.Errno != errno || re.Retry() != retry {
			t.Errorf("got %v, retry %v, want %v, %v", re, re.Retry(), errno, retry)
		}
		w.Refuse(nil)
		b.do("10.2.0.0/16 -> 10.0.0.2 east")
		b.audit(fib.Drift{})
	}
}

// TestLostAcknowledgementOfObject: the kernel has made an object, but nobody knows. Another one carries the route; the first goes with the next Collect.
func TestLostAcknowledgementOfObject(t *testing.T) {
	w := newFake()
	b := newBench(t, w)
	b.do("10.9.0.0/16 -> 10.0.1.2 west")
	if b.f.Strays() {
		t.Error("strays of nothing")
	}
	w.DropAckOf(unix.RTM_NEWNEXTHOP)
	if r := b.try("10.1.0.0/16 -> 10.0.0.2 east"); r[0].Err == nil {
		t.Fatal("no error")
	}
	b.do("10.1.0.0/16 -> 10.0.0.2 east")
	if n := len(w.NexthopIDs()); n != 5 || !b.f.Strays() {
		t.Fatalf("%d nexthop objects, want two gateways, two groups and a stray; Strays is %v", n, b.f.Strays())
	}
	before := w.routes(table)
	b.collect(1)
	if n := len(w.NexthopIDs()); n != 4 || b.f.Strays() || w.routes(table) != before {
		t.Errorf("%d nexthop objects, want 4; Strays is %v; routes\n%s", n, b.f.Strays(), w.routes(table))
	}
	b.audit(fib.Drift{})
}
