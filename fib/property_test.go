package fib_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/openvbr/openvbr/fib"
)

// changes returns n distinct IPv4 routes with the lengths and the scatter of the internet's, all with one Set.
func changes(n int, set *fib.Set) []fib.Change {
	rnd := rand.New(rand.NewPCG(1, 2))
	seen := make(map[netip.Prefix]bool, n)
	out := make([]fib.Change, 0, n)
	for len(out) < n {
		bits := 24
		if rnd.IntN(10) < 4 {
			bits = 16 + rnd.IntN(8)
		}
		a := netip.AddrFrom4([4]byte{byte(11 + rnd.IntN(110)), byte(rnd.UintN(256)), byte(rnd.UintN(256)), 0})
		p := netip.PrefixFrom(a, bits).Masked()
		if !seen[p] {
			seen[p] = true
			out = append(out, fib.Change{Prefix: p, Set: set})
		}
	}
	return out
}

// Words of the sequences that properties draw.
var (
	somePrefixes = []string{"10.1.0.0/16", "10.1.0.0/24", "10.2.0.0/16", "0.0.0.0/1", "10.3.3.3/32", "2001:db8::/32", "2001:db8::/64", "8000::/1"}
	someSets     = []string{"fd00::2 east", "fd00:1::2 west", "fd00::2 east | fd00:1::2 west", "fd00::2 east else fd00:1::2 west",
		"fd00:1::2 west else fd00::2 east", "fd00::3 east", "fd00::2 east *3 | fd00:1::2 west", "fd00::2 east | fd00:1::2 west *3 | fd00::3 east *200",
		"fd00::2 east *2 | fd00:1::2 west *5 else fd00::3 east", "fd00::3 east | fd00::2 east else ::ffff:192.0.2.7 vx5001 onlink"}
	someHops = []string{"fd00::2 east", "fd00:1::2 west", "fd00::3 east"}
)

// step is one thing that happens in a sequence.
type step struct {
	Do   string // apply, remove, fail, restore, down, up, pull, plant, audit, restart
	What string
}

func drawSteps(t *rapid.T, kinds ...string) []step {
	one := rapid.Custom(func(t *rapid.T) step {
		s := step{Do: rapid.SampledFrom(kinds).Draw(t, "do")}
		switch s.Do {
		case "apply":
			s.What = rapid.SampledFrom(somePrefixes).Draw(t, "prefix") + " -> " + rapid.SampledFrom(someSets).Draw(t, "set")
		case "remove", "pull", "plant":
			s.What = rapid.SampledFrom(somePrefixes).Draw(t, "prefix")
		case "fail", "restore":
			s.What = rapid.SampledFrom(someHops).Draw(t, "hop")
		case "down", "up":
			s.What = rapid.SampledFrom([]string{"east", "west"}).Draw(t, "device")
		}
		return s
	})
	return rapid.SliceOfN(one, 1, 25).Draw(t, "steps")
}

// take carries out one step and returns what it said, for comparison between worlds.
func (b *bench) take(s step) string {
	switch s.Do {
	case "apply", "remove":
		if err := b.try(s.What)[0].Err; err != nil {
			return err.Error()
		}
	case "fail":
		b.fail(s.What)
	case "restore":
		_ = b.f.Restore(b.hop(s.What)) // the device may be down
	case "down", "up":
		b.w.setUp(s.What, s.Do == "up")
	case "pull":
		if b.has(s.What) {
			b.w.pull(table, s.What, fib.Metric)
		}
	case "plant":
		if !b.has(s.What) {
			b.w.plant(table, s.What, 99, fib.Metric)
		}
	case "audit":
		d, err := b.Audit(b.t.Context())
		return fmt.Sprintf("missing %d altered %d extra %d foreign %d failed %d %v", d.Missing, d.Altered, d.Extra, d.Foreign, len(d.Failed), err)
	}
	return ""
}

// has says whether the table has a route for a prefix, ours or another's.
func (b *bench) has(prefix string) bool {
	return strings.Contains("\n"+b.w.routes(table), "\n"+prefix+" ")
}

// unplant removes a planted route.
func (b *bench) unplant(prefix string) {
	for line := range strings.Lines(b.w.routes(table)) {
		if strings.HasPrefix(line, prefix+" ") && strings.Contains(line, "proto 99 ") {
			b.w.pull(table, prefix, fib.Metric)
		}
	}
}

// TestPropertyModel: after any sequence and an audit, the kernel holds what was asked last, on the gateways that live, and nothing else of ours.
func TestPropertyModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawSteps(rt, "apply", "apply", "apply", "remove", "fail", "restore", "down", "up", "pull", "plant", "audit")
		w := newFake()
		f, err := fib.Open(fib.Config{Kernel: w.Kernel})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		b := &bench{t, w, f, f.Table(table)}
		wanted := map[string]string{}
		for _, s := range steps {
			b.take(s)
			switch s.Do {
			case "apply":
				p, set, _ := strings.Cut(s.What, " -> ")
				wanted[p] = set
			case "remove":
				delete(wanted, s.What)
			}
		}
		// The world comes to rest, and the caller tries what failed, as it must.
		for _, h := range someHops {
			b.fail(h)
			b.w.setUp("east", true)
			b.w.setUp("west", true)
			b.restore(h)
		}
		for _, p := range somePrefixes {
			b.unplant(p)
		}
		if _, err := b.Audit(b.t.Context()); err != nil {
			rt.Fatal(err)
		}
		expect := newFake()
		fe, err := fib.Open(fib.Config{Kernel: expect.Kernel})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = fe.Close() }()
		e := &bench{t, expect, fe, fe.Table(table)}
		for _, p := range slices.Sorted(maps.Keys(wanted)) {
			if r := b.try(p + " -> " + wanted[p])[0]; r.Err != nil {
				rt.Fatalf("at rest: %v", r.Err)
			}
			e.do(p + " -> " + wanted[p])
		}
		if diff := cmp.Diff(expect.routes(table), w.routes(table)); diff != "" {
			rt.Fatalf("(-want +got):\n%s\nsteps: %v", diff, steps)
		}
		if b.Len() != len(wanted) || b.Missing() != 0 {
			rt.Fatalf("Len %d, Missing %d, want %d, 0", b.Len(), b.Missing(), len(wanted))
		}
		if got, want := len(w.ids()), len(expect.ids()); got != want {
			rt.Fatalf("%d nexthop objects, want %d:\n%s", got, want, w.Nexthops())
		}
	})
}

// TestPropertyOrder: any order of changes to different prefixes, in any batches, ends in the same table.
func TestPropertyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		pick := rapid.MapOf(rapid.SampledFrom(somePrefixes), rapid.SampledFrom(append([]string{""}, someSets...)))
		first, second := pick.Draw(rt, "first"), pick.Draw(rt, "second")
		seed := rapid.Uint64().Draw(rt, "seed")
		var tables []string
		for i := range uint64(3) {
			w := newFake()
			f, err := fib.Open(fib.Config{Kernel: w.Kernel})
			if err != nil {
				rt.Fatal(err)
			}
			b := &bench{t, w, f, f.Table(table)}
			rnd := rand.New(rand.NewPCG(seed, i))
			for _, state := range []map[string]string{first, second} {
				words := slices.Sorted(maps.Keys(state))
				rnd.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
				for n := range words {
					if state[words[n]] != "" {
						words[n] += " -> " + state[words[n]]
					}
				}
				cut := rnd.IntN(len(words) + 1)
				b.do(words[:cut]...)
				b.do(words[cut:]...)
			}
			tables = append(tables, w.routes(table))
			if err := f.Close(); err != nil {
				rt.Fatal(err)
			}
		}
		if tables[0] != tables[1] || tables[0] != tables[2] {
			rt.Fatalf("orders differ:\n%s\n%s\n%s", tables[0], tables[1], tables[2])
		}
	})
}

// TestPropertyDiff: the difference of two states, applied to the old, gives the new, and is then empty.
func TestPropertyDiff(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newFake()
		f, err := fib.Open(fib.Config{Kernel: w.Kernel})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		b := &bench{t, w, f, f.Table(table)}
		pick := rapid.MapOf(rapid.SampledFrom(somePrefixes), rapid.SampledFrom(someSets))
		for i := range 3 {
			wanted := map[netip.Prefix]*fib.Set{}
			for p, s := range pick.Draw(rt, fmt.Sprint("state", i)) {
				wanted[netip.MustParsePrefix(p)] = b.set(s)
			}
			noErrors(t, b.Apply(t.Context(), fib.Diff(b.All(), wanted)))
			got := map[netip.Prefix]*fib.Set{}
			for r := range b.All() {
				got[r.Prefix] = r.Set
			}
			if !maps.Equal(got, wanted) {
				rt.Fatalf("got %v, want %v", got, wanted)
			}
			if d := fib.Diff(b.All(), wanted); len(d) != 0 {
				rt.Fatalf("a difference of nothing: %v", d)
			}
		}
	})
}

// TestPropertySameKernel: the fake and the real kernel say the same to the same sequences, and end in the same state.
func TestPropertySameKernel(t *testing.T) {
	real := newReal(t)
	draws := rapid.Custom(func(rt *rapid.T) []step {
		return drawSteps(rt, "apply", "apply", "apply", "remove", "fail", "restore", "pull", "plant", "audit")
	})
	for seed := range 6 {
		steps := draws.Example(seed)
		var said [2][]string
		var left [2]string
		for i, w := range []world{newFake(), real} {
			b := newBench(t, w)
			for _, s := range steps {
				said[i] = append(said[i], fmt.Sprint(s, ": ", b.take(s)))
			}
			left[i] = strings.ReplaceAll(w.routes(table), "dev ", "")
			if _, err := b.f.Cleanup(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, p := range somePrefixes {
				b.unplant(p)
			}
		}
		index := strings.NewReplacer(fmt.Sprintf("dev %d", real.index("east")), "dev 2", fmt.Sprintf("dev %d", real.index("west")), "dev 3")
		for i := range said[1] {
			said[1][i] = index.Replace(said[1][i])
		}
		if diff := cmp.Diff(said[0], said[1]); diff != "" {
			t.Fatalf("answers differ (-fake +kernel):\n%s", diff)
		}
		if diff := cmp.Diff(left[0], left[1]); diff != "" {
			t.Fatalf("tables differ (-fake +kernel):\n%s\n%v", diff, steps)
		}
	}
}

// prefix6 returns the i-th of many distinct IPv6 prefixes.
func prefix6(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(i >> 16), byte(i >> 8), byte(i)}), 56)
}
