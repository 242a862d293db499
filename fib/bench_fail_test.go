package fib_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openvbr/openvbr/fib"
)

// BenchmarkFailWithoutBackup reports medians in microseconds of a failure that takes all routes of a next hop out of the kernel: how long the kernel
// takes for the message, how long Fail takes in all (nearly the time it holds the lock), and, less the kernel's, what is our own.
func BenchmarkFailWithoutBackup(b *testing.B) {
	for _, n := range []int{1000, 10000, 100000, 500000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			w := newReal(b)
			linux, err := fib.NewLinux(0)
			noError(b, err)
			clock := &clock{Kernel: linux}
			f := w.open(b, func(c *fib.Config) { c.Kernel = clock })
			t := f.Table(table)
			add := changes(n, benchSet(b, f, w, "10.0.0.2 east", ""))
			hop := (&bench{w: w}).hop("10.0.0.2 east")
			var kernel, own []float64
			for b.Loop() {
				b.StopTimer()
				mustApply(b, t, add)
				clock.spent = 0
				b.StartTimer()
				start := time.Now()
				noError(b, f.Fail(hop))
				took := time.Since(start)
				b.StopTimer()
				kernel, own = append(kernel, micros(clock.spent)), append(own, micros(took-clock.spent))
				mustApply(b, t, with(add, nil))
				noError(b, f.Restore(hop))
				b.StartTimer()
			}
			b.ReportMetric(median(kernel), "kernel-µs")
			b.ReportMetric(median(own), "own-µs")
		})
	}
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// clock is a kernel that measures the time spent in it by its requests.
type clock struct {
	fib.Kernel
	spent time.Duration
}

func (k *clock) Dial() (fib.Socket, error) {
	s, err := k.Kernel.Dial()
	return &clockSocket{s, k}, err
}

type clockSocket struct {
	fib.Socket
	clock *clock
}

func (s *clockSocket) Send(b []byte) error {
	start := time.Now()
	defer func() { s.clock.spent += time.Since(start) }()
	return s.Socket.Send(b)
}

func (s *clockSocket) Receive() ([]byte, error) {
	start := time.Now()
	defer func() { s.clock.spent += time.Since(start) }()
	return s.Socket.Receive()
}
