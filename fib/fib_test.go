package fib_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/fib"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const table = 10001

// bench is a world with a FIB and one table, and short words for tests.
type bench struct {
	t *testing.T
	w world
	f *fib.FIB
	*fib.Table
}

func newBench(t *testing.T, w world) *bench {
	t.Helper()
	f := w.open(t)
	return &bench{t, w, f, f.Table(table)}
}

// restart is what a new process sees: another FIB on the same kernel.
func (b *bench) restart() *bench { b.t.Helper(); return newBench(b.t, b.w) }

// hop reads "10.0.0.2 east", "10.0.0.2 east *3" with a weight, or "::ffff:192.0.2.7 vx5001 onlink".
func (b *bench) hop(s string) fib.NextHop {
	words := strings.Fields(s)
	nh := fib.NextHop{Gateway: netip.MustParseAddr(words[0]), Device: b.w.index(words[1])}
	for _, w := range words[2:] {
		if weight, ok := strings.CutPrefix(w, "*"); ok {
			n, err := strconv.Atoi(weight)
			if err != nil {
				b.t.Fatal(err)
			}
			nh.Weight = uint16(n)
		}
		nh.OnLink = nh.OnLink || w == "onlink"
	}
	return nh
}

// set reads "A | B else C".
func (b *bench) set(s string) *fib.Set {
	b.t.Helper()
	var halves [2][]fib.NextHop
	for i, half := range strings.SplitN(s, " else ", 2) {
		for _, h := range strings.Split(half, " | ") {
			halves[i] = append(halves[i], b.hop(h))
		}
	}
	set, err := b.f.Set(halves[0], halves[1])
	if err != nil {
		b.t.Fatal(err)
	}
	return set
}

// change reads "10.1.0.0/16 -> SET" or, to remove, "10.1.0.0/16".
func (b *bench) change(s string) fib.Change {
	b.t.Helper()
	prefix, set, found := strings.Cut(s, " -> ")
	c := fib.Change{Prefix: netip.MustParsePrefix(prefix)}
	if found {
		c.Set = b.set(set)
	}
	return c
}

func (b *bench) try(changes ...string) []fib.Result {
	b.t.Helper()
	cs := make([]fib.Change, len(changes))
	for i, s := range changes {
		cs[i] = b.change(s)
	}
	return b.Apply(context.Background(), cs)
}

func (b *bench) do(changes ...string) {
	b.t.Helper()
	noErrors(b.t, b.try(changes...))
}

func noErrors(t *testing.T, rs []fib.Result) {
	t.Helper()
	for _, r := range rs {
		if r.Err != nil {
			t.Fatalf("%s: %v", r.Prefix, r.Err)
		}
	}
}

// want compares the kernel's table with a literal block, and the number of routes in it that are ours with Len.
func (b *bench) want(block string) {
	b.t.Helper()
	block = strings.TrimPrefix(strings.ReplaceAll(block, "\n\t\t", "\n"), "\n")
	block = strings.TrimRight(block, "\t")
	if diff := cmp.Diff(block, b.w.routes(b.ID())); diff != "" {
		b.t.Fatalf("table %d (-want +got):\n%s", b.ID(), diff)
	}
	if ours := strings.Count(block, "proto 86 metric 179"); ours != b.Len() {
		b.t.Fatalf("Len is %d, the kernel has %d", b.Len(), ours)
	}
}

func (b *bench) messages() uint64 { return b.f.Counters().Messages }

// audit audits and compares what it says, without Failed.
func (b *bench) audit(want fib.Drift) []fib.Result {
	b.t.Helper()
	got, err := b.Audit(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	failed := got.Failed
	got.Failed = nil
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Fatalf("drift (-want +got):\n%s\nfailed: %v", diff, failed)
	}
	return failed
}

func routeError(t *testing.T, err error) *fib.RouteError {
	t.Helper()
	var re *fib.RouteError
	if !errors.As(err, &re) {
		t.Fatalf("got %v, want a RouteError", err)
	}
	return re
}

func TestApply(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		b.do("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east | 10.0.1.2 west", "0.0.0.0/0 -> 10.0.1.2 west",
			"2001:db8:1::/48 -> fd00::2 east", "2001:db8:2::/48 -> fd00::2 east | fd00:1::2 west", "::/0 -> fd00::2 east",
			"10.3.0.0/16 -> fd00::2 east", // RFC 8950
			"10.4.0.0/16 -> 192.0.2.7 vx5001 onlink", "2001:db8:4::/48 -> ::ffff:192.0.2.7 vx5001 onlink",
			"10.1.1.1/32 -> 10.0.0.2 east", "2001:db8::1/128 -> fd00::2 east")
		b.want(`
		default via 10.0.1.2 dev west proto 86 metric 179
		10.1.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		10.1.1.1/32 via 10.0.0.2 dev east proto 86 metric 179
		10.2.0.0/16 proto 86 metric 179
			nexthop via 10.0.0.2 dev east
			nexthop via 10.0.1.2 dev west
		10.3.0.0/16 via fd00::2 dev east proto 86 metric 179
		10.4.0.0/16 via 192.0.2.7 dev vx5001 onlink proto 86 metric 179
		default via fd00::2 dev east proto 86 metric 179
		2001:db8::1/128 via fd00::2 dev east proto 86 metric 179
		2001:db8:1::/48 via fd00::2 dev east proto 86 metric 179
		2001:db8:2::/48 proto 86 metric 179
			nexthop via fd00:1::2 dev west
			nexthop via fd00::2 dev east
		2001:db8:4::/48 via ::ffff:192.0.2.7 dev vx5001 onlink proto 86 metric 179
		`)
		b.do("10.1.0.0/16 -> 10.0.1.2 west", "10.2.0.0/16", "2001:db8:2::/48 -> fd00:1::2 west", "0.0.0.0/0", "::/0", "10.9.0.0/16",
			"10.3.0.0/16", "10.1.1.1/32", "2001:db8::1/128", "10.4.0.0/16", "2001:db8:4::/48")
		b.want(`
		10.1.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		2001:db8:1::/48 via fd00::2 dev east proto 86 metric 179
		2001:db8:2::/48 via fd00:1::2 dev west proto 86 metric 179
		`)
		if n := len(w.ids()); n != 6 {
			t.Errorf("%d nexthop objects are left, want 3 gateways and 3 groups: %v", n, w.ids())
		}
		before := b.messages()
		b.do("10.1.0.0/16 -> 10.0.1.2 west", "2001:db8:1::/48 -> fd00::2 east")
		if n := b.messages() - before; n != 0 {
			t.Errorf("asking for what is held took %d messages", n)
		}
		b.do("10.1.0.0/16", "2001:db8:1::/48", "2001:db8:2::/48")
		if ids := w.ids(); len(ids) != 0 {
			t.Errorf("nexthop objects are left: %v", ids)
		}
	})
}

func TestTables(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		c := &bench{t, w, b.f, b.f.Table(4294967295)}
		b.do("10.1.0.0/16 -> 10.0.0.2 east")
		c.do("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east")
		b.do("10.1.0.0/16")
		b.want("")
		c.want(`
		10.1.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		10.2.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		`)
	})
}

func TestSamePrefixTwice(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		b.do("10.1.0.0/16 -> 10.0.0.2 east", "10.1.0.0/16", "10.2.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.1.2 west",
			"10.3.0.0/16", "10.3.0.0/16 -> 10.0.0.2 east", "10.3.0.0/16", "10.3.0.0/16 -> 10.0.1.2 west")
		b.want(`
		10.2.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		10.3.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		`)
	})
}

func TestRefused(t *testing.T) {
	tests := []struct {
		name, change string
		errno        unix.Errno
		retry        fib.Retry
		text         string
	}{
		{"bad: gateway off the link", "10.1.0.0/16 -> 10.0.9.9 east", unix.ENETUNREACH, fib.RetryOnLink, "Nexthop has invalid gateway"},
		{"bad: no such device", "10.1.0.0/16 -> 10.0.0.2 none", unix.EINVAL, fib.RetryOnLink, "Invalid device index"},
		{"bad: device down", "10.1.0.0/16 -> 10.0.1.2 west", unix.ENETDOWN, fib.RetryOnLink, "Nexthop device is not up"},
		{"bad: IPv6 over IPv4", "2001:db8::/32 -> 10.0.0.2 east", unix.EINVAL, fib.RetryNever, "IPv4 next hop"},
		{"bad: host bits", "10.1.0.1/16 -> 10.0.0.2 east", unix.EINVAL, fib.RetryNever, "host bits"},
		{"bad: mapped prefix", "::ffff:10.1.0.0/112 -> fd00::2 east", unix.EINVAL, fib.RetryNever, "not a prefix"},
	}
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		w.setUp("west", false)
		for _, tt := range tests {
			var c fib.Change
			if strings.HasSuffix(tt.change, "none") {
				set, err := b.f.Set([]fib.NextHop{{Gateway: netip.MustParseAddr("10.0.0.2"), Device: 999}}, nil)
				if err != nil {
					t.Fatal(err)
				}
				c = fib.Change{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Set: set}
			} else {
				c = b.change(tt.change)
			}
			rs := b.Apply(t.Context(), []fib.Change{b.change("10.7.0.0/16 -> 10.0.0.2 east"), c, b.change("10.7.0.0/16")})
			noErrors(t, []fib.Result{rs[0], rs[2]})
			re := routeError(t, rs[1].Err)
			if re.Errno != tt.errno || re.Retry() != tt.retry || !strings.Contains(re.Error(), tt.text) {
				t.Errorf("%s: got %v (errno %v, retry %v), want %v, %v, %q", tt.name, re, re.Errno, re.Retry(), tt.errno, tt.retry, tt.text)
			}
		}
		b.want("")
		if ids := w.ids(); len(ids) != 0 {
			t.Errorf("nexthop objects are left: %v", ids)
		}
	})
}

func TestPartlyUsableSet(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		w.setUp("west", false)
		b.do("10.1.0.0/16 -> 10.0.0.2 east | 10.0.1.2 west", "10.2.0.0/16 -> 10.0.1.2 west else 10.0.0.2 east")
		b.want(`
		10.1.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		10.2.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		`)
		w.setUp("west", true)
		b.audit(fib.Drift{Nexthops: 2})
		b.want(`
		10.1.0.0/16 proto 86 metric 179
			nexthop via 10.0.0.2 dev east
			nexthop via 10.0.1.2 dev west
		10.2.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		`)
	})
}

func TestForeignRoute(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		w.plant(table, "10.1.0.0/16", unix.RTPROT_ZEBRA, fib.Metric)
		w.plant(table, "2001:db8::/32", 99, fib.Metric)
		w.plant(table, "10.2.0.0/16", unix.RTPROT_ZEBRA, 20) // another metric: no clash
		for range 2 {                                        // the second time without a dump
			rs := b.try("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east", "2001:db8::/32 -> fd00::2 east")
			noErrors(t, rs[1:2])
			if re := routeError(t, rs[0].Err); re.Holder != unix.RTPROT_ZEBRA || re.Retry() != fib.RetryOnRoute ||
				re.Error() != "add 10.1.0.0/16 table 10001: file exists: held by protocol zebra (11)" {
				t.Errorf("got %q", re)
			}
			if re := routeError(t, rs[2].Err); re.Holder != 99 {
				t.Errorf("got %q", re)
			}
		}
		b.do("10.1.0.0/16") // not ours: nothing to remove
		b.want(`
		10.1.0.0/16 via 10.0.0.9 dev east proto 11 metric 179
		10.2.0.0/16 via 10.0.0.9 dev east proto 11 metric 20
		10.2.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		2001:db8::/32 via fd00::9 dev east proto 99 metric 179
		`)
		b.audit(fib.Drift{Foreign: 2})
		w.pull(table, "10.1.0.0/16", fib.Metric)
		w.pull(table, "2001:db8::/32", fib.Metric)
		b.do("10.1.0.0/16 -> 10.0.0.2 east", "2001:db8::/32 -> fd00::2 east")
	})
}

func TestMidBatchFailure(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		set := b.set("10.0.0.2 east")
		var changes []fib.Change
		for i := range 400 {
			changes = append(changes, fib.Change{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 7, byte(i >> 8), byte(i)}), 32), Set: set})
		}
		blocked := map[int]bool{0: true, 64: true, 65: true, 127: true, 128: true, 399: true}
		for i := range blocked {
			w.plant(table, changes[i].Prefix.String(), 99, fib.Metric)
		}
		for i, r := range b.Apply(t.Context(), changes) {
			if (r.Err != nil) != blocked[i] || r.Prefix != changes[i].Prefix {
				t.Fatalf("change %d: %v", i, r)
			}
		}
		if b.Len() != 400-len(blocked) {
			t.Errorf("Len is %d", b.Len())
		}
		b.audit(fib.Drift{Foreign: len(blocked)})
	})
}

func TestNexthopIDClash(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		for i := range uint32(3) {
			w.plantNexthop(0x56000001+i, unix.RTPROT_ZEBRA, "10.0.0.9", "east")
		}
		b.do("10.1.0.0/16 -> 10.0.0.2 east")
		b.want("10.1.0.0/16 via 10.0.0.2 dev east proto 86 metric 179\n")
		b.do("10.1.0.0/16")
		if diff := cmp.Diff([]uint32{0x56000001, 0x56000002, 0x56000003}, w.ids()); diff != "" {
			t.Errorf("objects left (-want +got):\n%s", diff)
		}
	})
}

func TestNexthopIDStolen(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		b.do("10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.1.2 west")
		w.plantNexthop(w.ids()[0], unix.RTPROT_ZEBRA, "10.0.0.9", "east") // overwrites a gateway object of ours
		b.audit(fib.Drift{Nexthops: 1})
		b.want(`
		10.1.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		10.2.0.0/16 via 10.0.1.2 dev west proto 86 metric 179
		`)
	})
}

func TestContextEnds(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("enough"))
		rs := b.Apply(ctx, []fib.Change{b.change("10.1.0.0/16 -> 10.0.0.2 east")})
		if rs[0].Err == nil || rs[0].Err.Error() != "enough" {
			t.Errorf("got %v", rs[0].Err)
		}
		b.want("")
	})
}

func TestGetAll(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		b.do("10.1.0.0/16 -> 10.0.0.2 east | 10.0.1.2 west", "2001:db8::/32 -> fd00::2 east")
		want := fib.Route{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Set: b.set("10.0.1.2 west | 10.0.0.2 east | 10.0.0.2 east")}
		if got, ok := b.Get(want.Prefix); !ok || got != want {
			t.Errorf("got %v %v, want %v", got, ok, want)
		}
		if _, ok := b.Get(netip.MustParsePrefix("10.1.0.0/17")); ok {
			t.Error("a prefix that is not held was found")
		}
		n := 0
		for r := range b.All() {
			if got, ok := b.Get(r.Prefix); !ok || got != r {
				t.Errorf("All says %v, Get %v", r, got)
			}
			n++
		}
		if n != b.Len() || n != 2 {
			t.Errorf("All yields %d routes, Len is %d", n, b.Len())
		}
	})
}

func TestSetErrors(t *testing.T) {
	f := newFake().open(t)
	many := make([]fib.NextHop, 17)
	for i := range many {
		many[i] = fib.NextHop{Gateway: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), Device: 2}
	}
	for name, tt := range map[string][2][]fib.NextHop{
		"bad: none":          {nil, many[:1]},
		"bad: too many":      {many, nil},
		"bad: backups":       {many[:1], append(many, fib.NextHop{Gateway: netip.MustParseAddr("10.0.1.1"), Device: 2})},
		"bad: no device":     {{{Gateway: netip.MustParseAddr("10.0.0.1")}}, nil},
		"bad: no gateway":    {{{Device: 2}}, nil},
		"bad: multicast":     {{{Gateway: netip.MustParseAddr("ff02::1"), Device: 2}}, nil},
		"bad: a bad backup":  {many[:1], []fib.NextHop{{}}},
		"bad: weight":        {{{Gateway: netip.MustParseAddr("10.0.0.1"), Device: 2, Weight: 257}}, nil},
		"bad: unspecified":   {{{Gateway: netip.IPv4Unspecified(), Device: 2}}, nil},
		"bad: mapped, and 0": {{{Gateway: netip.MustParseAddr("::ffff:1.2.3.4")}}, nil},
	} {
		if _, err := f.Set(tt[0], tt[1]); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	mapped, err := f.Set([]fib.NextHop{{Gateway: netip.MustParseAddr("::ffff:10.0.0.2"), Device: 2}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := f.Set([]fib.NextHop{{Gateway: netip.MustParseAddr("10.0.0.2"), Device: 2}}, nil)
	if err != nil || plain == mapped {
		t.Errorf("a mapped gateway is the same as a plain one (%v)", err)
	}
	if got, want := fmt.Sprint(mapped), "via ::ffff:10.0.0.2 dev 2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
