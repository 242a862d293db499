package probe

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// BenchmarkThousandChecks reports what 1,000 checks at 2 s cost in percent of a core, the kernel's share and the answering side included, with real sockets
// on the loopback device. It needs CAP_NET_RAW or net.ipv4.ping_group_range; one round takes 6 s.
func BenchmarkThousandChecks(b *testing.B) {
	for range b.N {
		h := &tally{}
		p := New(h, slog.New(slog.DiscardHandler))
		var checks []Check
		for i := range 1000 {
			checks = append(checks, Check{ID: fmt.Sprint(i), Device: "lo", Target: netip.MustParseAddr("127.0.0.1")})
		}
		if err := p.Set(checks); err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(b.Context(), 6*time.Second)
		before := cpu(b)
		if err := p.Run(ctx); err != nil {
			b.Fatal(err)
		}
		cancel()
		b.ReportMetric(100*(cpu(b)-before).Seconds()/6, "%core")
		b.ReportMetric(1e6*h.meanRTT(b).Seconds(), "µs-rtt")
	}
}

// meanRTT is that of all results; a lost one ends the benchmark.
func (h *tally) meanRTT(b *testing.B) time.Duration {
	var sum time.Duration
	n := 0
	for id, results := range h.results {
		for _, r := range results {
			if !r.OK {
				b.Fatalf("check %s: %+v", id, r)
			}
			sum += r.RTT
			n++
		}
	}
	return sum / time.Duration(n)
}

// cpu is what the process has used, in user and kernel mode.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
