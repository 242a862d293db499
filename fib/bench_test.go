package fib_test

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/fib"
)

// benchSet makes a Set of hops on the device east of a world.
func benchSet(b *testing.B, f *fib.FIB, w world, primary, backup string) *fib.Set {
	words := &bench{w: w, f: f}
	p, back := []fib.NextHop{words.hop(primary)}, []fib.NextHop(nil)
	if backup != "" {
		back = append(back, words.hop(backup))
	}
	set, err := f.Set(p, back)
	if err != nil {
		b.Fatal(err)
	}
	return set
}

func mustApply(b *testing.B, t *fib.Table, cs []fib.Change) {
	for _, r := range t.Apply(b.Context(), cs) {
		if r.Err != nil {
			b.Fatal(r.Err)
		}
	}
}

func with(cs []fib.Change, set *fib.Set) []fib.Change {
	out := make([]fib.Change, len(cs))
	for i, c := range cs {
		out[i] = fib.Change{Prefix: c.Prefix, Set: set}
	}
	return out
}

// BenchmarkApply measures fib's own share of adding, moving and removing 10,000 routes one by one, on a kernel that acknowledges everything.
func BenchmarkApply(b *testing.B) {
	const n = 10000
	w := newFake()
	f, err := fib.Open(fib.Config{Kernel: yes{w.Kernel}})
	noError(b, err)
	defer func() { noError(b, f.Close()) }()
	t := f.Table(table)
	add := changes(n, benchSet(b, f, w, "10.0.0.2 east", ""))
	move := with(add, benchSet(b, f, w, "10.0.0.3 east", ""))
	remove := with(add, nil)
	b.ReportAllocs()
	for b.Loop() {
		mustApply(b, t, add)
		each(b, t, move)
		each(b, t, remove)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n*3), "ns/change")
}

// yes is a kernel whose sockets acknowledge every batch. Dumps go to the kernel below, which stays empty.
type yes struct{ fib.Kernel }

func (k yes) Dial() (fib.Socket, error) {
	s, err := k.Kernel.Dial()
	return &yesSocket{Socket: s, ack: make([]byte, 36)}, err
}

type yesSocket struct {
	fib.Socket
	ack  []byte
	dump bool
}

func (s *yesSocket) Send(b []byte) error {
	ne := binary.NativeEndian
	if s.dump = ne.Uint16(b[6:])&unix.NLM_F_DUMP == unix.NLM_F_DUMP; s.dump {
		return s.Socket.Send(b)
	}
	for n := ne.Uint32(b); int(n) < len(b); n = ne.Uint32(b) {
		b = b[n:]
	}
	ne.PutUint32(s.ack, 36)
	ne.PutUint16(s.ack[4:], unix.NLMSG_ERROR)
	copy(s.ack[8:12], b[8:12])
	return nil
}

func (s *yesSocket) Receive() ([]byte, error) {
	if s.dump {
		return s.Socket.Receive()
	}
	return s.ack, nil
}

// BenchmarkApplyUnchanged measures changes that the kernel holds already.
func BenchmarkApplyUnchanged(b *testing.B) {
	const n = 10000
	w := newFake()
	f := w.open(b)
	t := f.Table(table)
	add := changes(n, benchSet(b, f, w, "10.0.0.2 east", ""))
	mustApply(b, t, add)
	b.ReportAllocs()
	for b.Loop() {
		mustApply(b, t, add)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/change")
}

// BenchmarkMemory reports the bytes a held route costs.
func BenchmarkMemory(b *testing.B) {
	for _, family := range []string{"IPv4", "IPv6"} {
		b.Run(family, func(b *testing.B) {
			w := newReal(b)
			f := w.open(b)
			hop := map[string]string{"IPv4": "10.0.0.2 east", "IPv6": "fd00::2 east"}[family]
			cs := routesOf(family, 100000, benchSet(b, f, w, hop, ""))
			id := uint32(30000)
			for b.Loop() {
				id++
				t := f.Table(id)
				before := heap()
				mustApply(b, t, cs)
				b.ReportMetric(float64(heap()-before)/float64(len(cs)), "bytes/route")
				mustApply(b, t, with(cs, nil))
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkKernel measures the real kernel through fib, in routes a second where a message goes for each route (add, replace, remove) and where
// the kernel does it by group (move, withdraw, flush) or fib does it alone (forget).
func BenchmarkKernel(b *testing.B) {
	for _, n := range []int{1000, 10000, 100000} {
		for _, family := range []string{"IPv4", "IPv6"} {
			b.Run(fmt.Sprintf("%s/routes=%d", family, n), func(b *testing.B) { benchKernel(b, family, n) })
		}
	}
}

type stopwatch map[string]time.Duration

func (s stopwatch) time(what string, do func()) {
	start := time.Now()
	do()
	s[what] += time.Since(start)
}

// each applies in calls too small for groups to go as a whole.
func each(b *testing.B, t *fib.Table, cs []fib.Change) {
	for chunk := range slices.Chunk(cs, len(cs)/2) {
		mustApply(b, t, chunk)
	}
}

func benchKernel(b *testing.B, family string, n int) {
	w := newReal(b)
	f := w.open(b)
	hops := map[string][2]string{"IPv4": {"10.0.0.2 east", "10.0.1.2 west"}, "IPv6": {"fd00::2 east", "fd00:1::2 west"}}[family]
	add := routesOf(family, n, benchSet(b, f, w, hops[0], hops[1]))
	other := with(add, benchSet(b, f, w, hops[1], ""))
	single := with(add, benchSet(b, f, w, hops[0], ""))
	remove := with(add, nil)
	t := f.Table(table)
	failing := (&bench{w: w}).hop(hops[0])
	s := stopwatch{}
	for b.Loop() {
		s.time("add", func() { mustApply(b, t, add) })
		s.time("replace", func() { each(b, t, other) })
		s.time("move", func() { mustApply(b, t, add) }) // all at once, as a whole
		s.time("audit", func() {
			if d, err := t.Audit(b.Context()); err != nil || d.Any() {
				b.Fatal(d, err)
			}
		})
		s.time("remove", func() { each(b, t, remove) })
		mustApply(b, t, single)
		s.time("withdraw", func() { mustApply(b, t, remove) })
		mustApply(b, t, single)
		s.time("flush", func() { noError(b, f.Fail(failing)) }) // no backup: the kernel drops the routes
		s.time("forget", func() { mustApply(b, t, remove) })
		noError(b, f.Restore(failing))
	}
	for _, what := range []string{"add", "replace", "move", "audit", "remove", "withdraw", "flush", "forget"} {
		b.ReportMetric(float64(n*b.N)/s[what].Seconds(), what+"/s")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFailover reports medians in microseconds: how long Fail and Restore take, and "switched", from the call of Fail until a lookup of the last
// prefix leaves by the backup. The latter is to be flat in the number of routes.
func BenchmarkFailover(b *testing.B) {
	for _, family := range []string{"IPv4", "IPv6"} {
		for _, n := range []int{1000, 10000, 100000, 500000} {
			b.Run(fmt.Sprintf("%s/backup/routes=%d", family, n), func(b *testing.B) { benchFailover(b, family, false, n) })
			b.Run(fmt.Sprintf("%s/ECMP/routes=%d", family, n), func(b *testing.B) { benchFailover(b, family, true, n) })
		}
	}
}

func benchFailover(b *testing.B, family string, ecmp bool, n int) {
	w := newReal(b)
	w.lookIn(fmt.Sprint(table))
	f := w.open(b)
	hops := map[string][2]string{"IPv4": {"10.0.0.2 east", "10.0.1.2 west"}, "IPv6": {"fd00::2 east", "fd00:1::2 west"}}[family]
	west := w.index("west")
	words := &bench{w: w, f: f}
	primary, backup := []fib.NextHop{words.hop(hops[0])}, []fib.NextHop{words.hop(hops[1])}
	if ecmp {
		primary, backup = append(primary, backup...), nil
	}
	set, err := f.Set(primary, backup)
	noError(b, err)
	add := routesOf(family, n, set)
	mustApply(b, f.Table(table), add)
	failing := (&bench{w: w}).hop(hops[0])
	var fail, switched, restore []float64
	for b.Loop() {
		seen := whenLeaves(b, add[n-1].Prefix.Addr().Next(), west)
		start := time.Now()
		noError(b, f.Fail(failing))
		fail = append(fail, float64(time.Since(start).Microseconds()))
		if at := <-seen; at.After(start) { // an ECMP lookup may have left by the other member anyway
			switched = append(switched, float64(at.Sub(start).Microseconds()))
		}
		start = time.Now()
		noError(b, f.Restore(failing))
		restore = append(restore, float64(time.Since(start).Microseconds()))
	}
	for what, all := range map[string][]float64{"fail": fail, "switched": switched, "restore": restore} {
		slices.Sort(all)
		if len(all) > 0 {
			b.ReportMetric(all[len(all)/2], what+"-µs")
		}
	}
	b.ReportMetric(0, "ns/op")
}

func routesOf(family string, n int, set *fib.Set) []fib.Change {
	out := changes(n, set)
	if family == "IPv6" {
		for i := range out {
			out[i].Prefix = prefix6(i)
		}
	}
	return out
}

func noError(b testing.TB, err error) {
	if err != nil {
		b.Fatal(err)
	}
}
