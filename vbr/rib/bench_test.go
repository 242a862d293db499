package rib

import (
	"net/netip"
	"runtime"
	"testing"
)

// manyPrefixes are n distinct prefixes, shuffled by construction.
func manyPrefixes(n int) []netip.Prefix {
	ps := make([]netip.Prefix, n)
	for i := range ps {
		v := uint32(i) * 2654435761 // Knuth's multiplier: distinct and spread
		a := netip.AddrFrom4([4]byte{20 + byte(v>>24)%100, byte(v >> 16), byte(v >> 8), byte(v)})
		ps[i] = netip.PrefixFrom(a, 32)
	}
	return ps
}

// offers is what a peer announces: 1 to 12 prefixes to an attribute set, 6.5 on average.
type offers struct {
	attrs    []*Attrs
	prefixes [][]netip.Prefix
}

func manyOffers(prefixes []netip.Prefix, nextHop string) (o offers) {
	for n := 0; len(prefixes) > 0; n++ {
		size := min(1+n*7%12, len(prefixes))
		o.attrs = append(o.attrs, via(nextHop, 65001, uint32(n), uint32(n+1), 65010))
		o.prefixes = append(o.prefixes, prefixes[:size])
		prefixes = prefixes[size:]
	}
	return o
}

func (o offers) announce(tab *Table, id SourceID) {
	for i, a := range o.attrs {
		tab.Announce(id, 0, a, o.prefixes[i]...)
	}
	drainAll(tab)
}

// BenchmarkLearn takes in a peer's table and confirms it.
func BenchmarkLearn(b *testing.B) {
	const n = 100_000
	o := manyOffers(manyPrefixes(n), "10.0.0.2")
	b.ReportAllocs()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		tab := New(testRules())
		o.announce(tab, tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30")))
	}
	runtime.ReadMemStats(&after)
	routes := float64(b.N) * n
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/routes, "ns/route")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/routes, "allocs/route")
}

// BenchmarkMemory reports the heap that a path costs, its attributes included: of one peer's table, and of two peers' with the same prefixes.
func BenchmarkMemory(b *testing.B) {
	b.Run("one", func(b *testing.B) { benchmarkMemory(b, 200_000, "10.0.0.2") })
	b.Run("few", func(b *testing.B) { benchmarkMemory(b, 120_000, "10.0.0.2") }) // just after the maps have grown
	b.Run("two", func(b *testing.B) { benchmarkMemory(b, 200_000, "10.0.0.2", "10.0.0.1") })
}

func benchmarkMemory(b *testing.B, n int, peers ...string) {
	prefixes := manyPrefixes(n)
	for b.Loop() {
		before := heap()
		tab := New(testRules())
		for _, p := range peers {
			manyOffers(prefixes, p).announce(tab, tab.AddSource(customer(p, 1, "10.0.0.0/30")))
		}
		b.ReportMetric(float64(heap()-before)/float64(n*len(peers)), "B/path")
		runtime.KeepAlive(tab)
	}
	runtime.KeepAlive(prefixes)
}

// BenchmarkAll measures what concerns all paths of one of two peers, without the decisions that follow.
func BenchmarkAll(b *testing.B) {
	const n = 100_000
	o := manyOffers(manyPrefixes(n), "10.0.0.2")
	other := manyOffers(manyPrefixes(n), "10.0.0.1")
	for _, bb := range []struct {
		name string
		do   func(*Table, SourceID)
	}{
		{"Drop", (*Table).Drop},
		{"SetLinkUp", func(t *Table, id SourceID) { t.SetLinkUp(id, false) }},
		{"MarkStale", (*Table).MarkStale},
	} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				tab := New(testRules())
				id := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
				o.announce(tab, id)
				other.announce(tab, tab.AddSource(customer("10.0.0.1", 1, "10.0.0.0/30")))
				b.StartTimer()
				bb.do(tab, id)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/route")
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // what the first one only unmarks, as sync.Pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func drainAll(tab *Table) {
	var batch []Change
	for waiting := 1; waiting > 0; {
		batch = batch[:0]
		if tab.Deferred() > 0 {
			tab.NextWindow()
		}
		waiting = tab.Changes(4096, func(c Change) { batch = append(batch, c) })
		for _, c := range batch {
			tab.Confirm(c, true)
		}
	}
}
