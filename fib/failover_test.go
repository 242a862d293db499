package fib_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/fib"
)

func (b *bench) fail(hop string) {
	b.t.Helper()
	if err := b.f.Fail(b.hop(hop)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) restore(hop string) {
	b.t.Helper()
	if err := b.f.Restore(b.hop(hop)); err != nil {
		b.t.Fatal(err)
	}
}

func TestFailAndRestore(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		const east, west = "10.0.0.2 east", "10.0.1.2 west"
		routes := []string{"10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east | 10.0.1.2 west", "10.3.0.0/16 -> 10.0.0.2 east else 10.0.1.2 west",
			"10.4.0.0/16 -> 10.0.1.2 west else 10.0.0.2 east", "2001:db8::/32 -> ::ffff:192.0.2.7 vx5001 onlink else fd00:1::2 west"}
		b.do(routes...)
		b.fail(east)
		b.fail(east)
		b.want(`
		10.2.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		10.3.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		10.4.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		2001:db8::/32 via ::ffff:192.0.2.7 dev vx5001 onlink proto 86 metric 179
		`)
		if _, ok := b.Get(netip.MustParsePrefix("10.1.0.0/16")); ok || b.Missing() != 1 {
			t.Errorf("a route the kernel dropped is still there, Missing is %d", b.Missing())
		}
		b.fail("::ffff:192.0.2.7 vx5001 onlink")
		re := routeError(t, b.try("10.1.0.0/16 -> 10.0.0.2 east")[0].Err)
		if re.Retry() != fib.RetryOnLink {
			t.Errorf("got %v", re)
		}
		b.do("10.5.0.0/16 -> 10.0.0.2 east else 10.0.1.2 west") // lands on the backup at once
		b.fail(west)
		b.want(`
		2001:db8::/32 via fd00:1::2 dev west proto 86 metric 179
		`)
		b.restore(west)
		b.restore(east)
		b.restore("::ffff:192.0.2.7 vx5001 onlink")
		b.do(routes...)
		b.want(`
		10.1.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		10.2.0.0/16 proto 86 metric 179
			nexthop via 10.0.0.2 dev east
			nexthop via 10.0.1.2 dev west
		10.3.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		10.4.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		2001:db8::/32 via ::ffff:192.0.2.7 dev vx5001 onlink proto 86 metric 179
		`)
		for _, p := range []string{"10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16", "10.5.0.0/16", "2001:db8::/32"} {
			b.do(p)
		}
		if ids := w.ids(); len(ids) != 0 || b.Missing() != 0 {
			t.Errorf("objects are left: %v, %d missing", ids, b.Missing())
		}
	})
}

func TestRestoreMovesBackWithoutRewriting(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		b.do("10.2.0.0/16 -> 10.0.0.2 east | 10.0.1.2 west", "10.3.0.0/16 -> 10.0.0.2 east else 10.0.1.2 west")
		for range 3 {
			b.fail("10.0.0.2 east")
			before := b.messages()
			b.restore("10.0.0.2 east")
			if n := b.messages() - before; n != 3 { // one gateway, two groups
				t.Errorf("restore took %d messages, want 3", n)
			}
			b.want(`
		10.2.0.0/16 proto 86 metric 179
			nexthop via 10.0.0.2 dev east
			nexthop via 10.0.1.2 dev west
		10.3.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		`)
		}
	})
}

// TestLinkDownNeedsNobody: when the primaries' device goes, the kernel itself moves the routes to the backups.
func TestLinkDownNeedsNobody(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		b.do("10.3.0.0/16 -> 10.0.0.2 east | 10.0.0.3 east else 10.0.1.2 west", "2001:db8::/32 -> fd00::2 east else fd00:1::2 west")
		w.setUp("east", false)
		const onBackup = `
		10.3.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		2001:db8::/32 via fd00:1::2 dev west proto 86 metric 179
		`
		b.want(onBackup)
		b.audit(fib.Drift{Nexthops: 2})
		b.want(onBackup)
		w.setUp("east", true)
		b.audit(fib.Drift{Nexthops: 2})
		b.want(`
		10.3.0.0/16 proto 86 metric 179
			nexthop via 10.0.0.2 dev east
			nexthop via 10.0.0.3 dev east
		2001:db8::/32 via fd00::2 dev east proto 86 metric 179
		`)
	})
}

func TestManyBackups(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		b.do("10.3.0.0/16 -> 10.0.0.2 east else 10.0.1.2 west | 10.0.1.3 west | 10.0.1.4 west")
		b.want("10.3.0.0/16 via 10.0.0.2 dev east proto 86 metric 179\n")
		b.fail("10.0.0.2 east")
		b.want(`
		10.3.0.0/16 proto 86 metric 179
			nexthop via 10.0.1.2 dev west
			nexthop via 10.0.1.3 dev west
			nexthop via 10.0.1.4 dev west
		`)
		b.fail("10.0.1.2 west")
		b.restore("10.0.0.2 east")
		b.want("10.3.0.0/16 via 10.0.0.2 dev east proto 86 metric 179\n")
	})
}

// TestBuckets asks the real kernel who gets the traffic of groups with standbys: as long as one primary is left, never a standby, and all primaries the
// same.
func TestBuckets(t *testing.T) {
	w := newReal(t)
	b := newBench(t, w)
	for _, primaries := range []int{1, 3, 16} {
		for _, backups := range []int{1, 2, 16} {
			var words []string
			for i := range primaries {
				words = append(words, fmt.Sprintf("10.0.0.%d east", i+10))
			}
			var standby []string
			for i := range backups {
				standby = append(standby, fmt.Sprintf("10.0.1.%d west", i+10))
			}
			b.do("10.3.0.0/16 -> " + strings.Join(words, " | ") + " else " + strings.Join(standby, " | "))
			even := w.buckets()
			if len(even) != primaries || slices.Max(slices.Collect(maps.Values(even))) != slices.Min(slices.Collect(maps.Values(even))) {
				t.Errorf("%d primaries, %d backups: buckets are shared %v", primaries, backups, even)
			}
			for i, p := range words {
				b.fail(p)
				for hop := range w.buckets() {
					if (i == primaries-1) != strings.HasSuffix(hop, "west") {
						t.Errorf("%d of %d primaries left, %d backups: buckets are at %s", primaries-i-1, primaries, backups, hop)
					}
				}
			}
			for _, p := range words {
				b.restore(p)
			}
			if diff := cmp.Diff(even, w.buckets()); diff != "" {
				t.Errorf("after restoring (-want +got):\n%s", diff)
			}
			b.do("10.3.0.0/16")
		}
	}
}

// buckets counts the buckets each gateway has in the namespace's resilient groups.
func (w *real) buckets() map[string]int {
	nexthops := w.nexthops()
	var list []struct{ Bucket struct{ Nhid uint32 } }
	w.decode(w.ip("-N", "-j", "nexthop", "bucket"), &list)
	count := map[string]int{}
	for _, x := range list {
		n := nexthops[x.Bucket.Nhid]
		count[n.Gateway+" "+n.Dev]++
	}
	return count
}

// TestBookkeepingAfterFail: after a failover the routes are given the Set of what is left, which costs no message for each, and a restart sees
// nothing to do.
func TestBookkeepingAfterFail(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		for _, tt := range [][2]string{
			{"10.0.0.2 east else 10.0.1.2 west", "10.0.1.2 west"}, {"10.0.0.2 east | 10.0.1.2 west", "10.0.1.2 west"},
			{"10.0.0.2 east else 10.0.1.2 west | 10.0.1.3 west", "10.0.1.2 west else 10.0.1.3 west"},
		} {
			b := newBench(t, w)
			noErrors(t, b.Apply(t.Context(), changes(1000, b.set(tt[0]))))
			b.fail("10.0.0.2 east")
			before := b.messages()
			after := changes(1000, b.set(tt[1]))
			noErrors(t, b.Apply(t.Context(), after))
			if n := b.messages() - before; n > 2 {
				t.Errorf("%s to %s: %d messages", tt[0], tt[1], n)
			}
			if strings.Count(w.routes(table), " via 10.0.1.2 dev west") != 1000 {
				t.Errorf("%s to %s: got %.200s", tt[0], tt[1], w.routes(table))
			}
			b.audit(fib.Drift{})
			c := b.restart()
			c.adopt(1000)
			noErrors(t, c.Apply(t.Context(), after))
			if n := c.messages(); n != 0 {
				t.Errorf("%s to %s: restart took %d messages", tt[0], tt[1], n)
			}
			c.sweep(0)
			c.collect(0)
			noErrors(t, c.Apply(t.Context(), withdrawn(after)))
			if ids := w.ids(); len(ids) != 0 {
				t.Errorf("objects are left: %v", ids)
			}
		}
	})
}

func withdrawn(cs []fib.Change) []fib.Change {
	out := make([]fib.Change, len(cs))
	for i, c := range cs {
		out[i].Prefix = c.Prefix
	}
	return out
}

// TestFailIsFlat counts messages: they follow the Sets, not the routes, and so does the bookkeeping of a withdrawal.
func TestFailIsFlat(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		for _, n := range []int{10, 1000} {
			b := newBench(t, w)
			var add, remove []fib.Change
			for i := range n {
				p := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, 1, byte(i >> 8), byte(i)}), 32)
				set := b.set([]string{"10.0.0.2 east else 10.0.1.2 west", "10.0.0.2 east", "10.0.0.2 east | 10.0.1.2 west"}[i%3])
				add, remove = append(add, fib.Change{Prefix: p, Set: set}), append(remove, fib.Change{Prefix: p})
			}
			noErrors(t, b.Apply(t.Context(), add))
			before := b.messages()
			b.fail("10.0.0.2 east")
			if got := b.messages() - before; got != 1 { // the gateway away
				t.Errorf("%d routes: failover took %d messages, want 1", n, got)
			}
			if want := n - (n+1)/3; b.Len() != want {
				t.Errorf("%d routes: Len is %d, want %d", n, b.Len(), want)
			}
			before = b.messages()
			for i := 1; i < n; i += 3 {
				noErrors(t, b.Apply(t.Context(), remove[i:i+1]))
			}
			if got := b.messages() - before; got != 0 {
				t.Errorf("%d routes: forgetting dropped routes took %d messages", n, got)
			}
			noErrors(t, b.Apply(t.Context(), remove))
			b.restore("10.0.0.2 east")
			if ids := w.ids(); len(ids) != 0 {
				t.Errorf("objects are left: %v", ids)
			}
		}
	})
}

// TestFailWhileOthersWrite fails and restores a gateway while tables with it are written.
func TestFailWhileOthersWrite(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		set := b.set("10.0.0.2 east else 10.0.1.2 west")
		hop := b.hop("10.0.0.2 east")
		var wg sync.WaitGroup
		errs := make(chan error, 1000)
		for id := range uint32(4) {
			wg.Go(func() {
				tab := b.f.Table(20000 + id)
				for i := range 2000 {
					c := fib.Change{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(id), 9, byte(i % 200)}), 32), Set: set}
					if i%3 == 2 {
						c.Set = nil
					}
					for _, r := range tab.Apply(t.Context(), []fib.Change{c}) {
						if r.Err != nil {
							errs <- fmt.Errorf("table %d: %w", id, r.Err)
							return
						}
					}
				}
			})
		}
		wg.Go(func() {
			for range 100 {
				if err := b.f.Fail(hop); err != nil {
					errs <- err
				}
				if err := b.f.Restore(hop); err != nil {
					errs <- err
				}
			}
		})
		wg.Wait()
		close(errs)
		for err := range errs {
			t.Error(err)
		}
		for id := range uint32(4) {
			c := &bench{t, w, b.f, b.f.Table(20000 + id)}
			c.audit(fib.Drift{})
			for r := range c.All() {
				if r.Set != set {
					t.Fatalf("%v", r)
				}
			}
		}
	})
}
