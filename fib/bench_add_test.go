package fib_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/openvbr/openvbr/fib"
)

// BenchmarkAdd measures Apply of routes that are all new: "yes" is a kernel that acknowledges everything, and so fib's own share; "linux" the real one.
func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{10000, 100000} {
		b.Run(fmt.Sprintf("yes/routes=%d", n), func(b *testing.B) {
			w := newFake()
			benchAdd(b, w, yes{w.Kernel}, n)
		})
		b.Run(fmt.Sprintf("linux/routes=%d", n), func(b *testing.B) { benchAdd(b, newReal(b), nil, n) })
	}
}

func benchAdd(b *testing.B, w world, kernel fib.Kernel, n int) {
	f := open(b, kernel, nil)
	t := f.Table(table)
	add := changes(n, benchSet(b, f, w, "10.0.0.2 east", ""))
	remove := with(add, nil)
	b.ReportAllocs()
	for b.Loop() {
		mustApply(b, t, add)
		b.StopTimer()
		mustApply(b, t, remove)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/route")
}

// BenchmarkDiff compares tables that differ in one route of a hundred: a third each new, elsewhere and gone.
func BenchmarkDiff(b *testing.B) {
	for _, n := range []int{10000, 100000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			w := newFake()
			f := open(b, yes{w.Kernel}, nil)
			t := f.Table(table)
			here, there := benchSet(b, f, w, "10.0.0.2 east", ""), benchSet(b, f, w, "10.0.0.3 east", "")
			all := changes(n, here)
			mustApply(b, t, all[n/300:])
			wanted := make(map[netip.Prefix]*fib.Set, n)
			for i, c := range all[:n-n/300] {
				wanted[c.Prefix] = map[bool]*fib.Set{true: there, false: here}[i >= n/300 && i < 2*(n/300)]
			}
			b.ReportAllocs()
			for b.Loop() {
				if d := fib.Diff(t.All(), wanted); len(d) != 3*(n/300) {
					b.Fatalf("%d differences, want %d", len(d), 3*(n/300))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/route")
		})
	}
}
