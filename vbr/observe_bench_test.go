package vbr

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/rib"
)

// manyRoutes is a host with one router that holds n prefixes from each of two peers, as if the kernel had taken them all.
func manyRoutes(b *testing.B, n int) *Host {
	r := &router{name: acme, spec: &spec{name: acme}, log: slog.New(slog.DiscardHandler), rib: rib.New(rib.Rules{}), installer: newInstaller()}
	h := &Host{log: r.log, routers: map[string]*router{acme: r}}
	h.backbone, r.host = newBackbone(h), h
	r.rib.SetNow(time.Now())
	for p := range 2 {
		gateway := netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + p)})
		id := r.rib.AddSource(rib.Source{
			Kind: rib.BGP, Name: gateway.String(), Address: gateway, ASN: 65001, Device: 2, Subnets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")},
		})
		for i := 0; i < n; i += 7 { // prefixes to an attribute set
			a := &rib.Attrs{NextHop: gateway, ASPath: []rib.Segment{{Type: rib.ASSequence, ASNs: []uint32{65001, uint32(i), 65010, 65020}}}}
			for j := i; j < min(i+7, n); j++ {
				r.rib.Announce(id, 0, a, netip.PrefixFrom(netip.AddrFrom4([4]byte{20 + byte(j>>16), byte(j >> 8), byte(j), 0}), 24))
			}
		}
	}
	var changes []rib.Change
	for waiting := 1; waiting > 0; {
		changes = changes[:0]
		waiting = r.rib.Changes(batch, func(c rib.Change) { changes = append(changes, c) })
		for _, c := range changes {
			r.rib.Confirm(c, true)
		}
	}
	return h
}

// BenchmarkRoutes lists all paths of a router, and reports how long the router's lock was held at most, as another that wants it sees it.
func BenchmarkRoutes(b *testing.B) {
	for _, n := range []int{50_000, 250_000} { // of two peers each
		h := manyRoutes(b, n)
		b.Run(fmt.Sprint(2*n), func(b *testing.B) {
			b.ReportAllocs()
			waits := watchLock(h.router(acme))
			got := 0
			for b.Loop() {
				got = 0
				if err := h.Routes(b.Context(), &vbrv1.ListRoutesRequest{Router: acme}, func(c []*vbrv1.Route) error { got += len(c); return nil }); err != nil {
					b.Fatal(err)
				}
			}
			if got != 2*n {
				b.Fatalf("%d routes", got)
			}
			l := waits()
			b.ReportMetric(float64(l[len(l)-1].Microseconds()), "µs-lock-max")
			b.ReportMetric(float64(l[len(l)*99/100].Microseconds()), "µs-lock-p99")
		})
	}
}

// watchLock takes a router's lock again and again until it is asked for the times that took, sorted.
func watchLock(r *router) (waits func() []time.Duration) {
	var stop atomic.Bool
	done := make(chan []time.Duration)
	go func() {
		var l []time.Duration
		for !stop.Load() {
			began := time.Now()
			r.mu.Lock()
			l = append(l, time.Since(began))
			r.mu.Unlock()
			time.Sleep(100 * time.Microsecond)
		}
		slices.Sort(l)
		done <- l
	}()
	return func() []time.Duration {
		stop.Store(true)
		return <-done
	}
}

// BenchmarkRoutesOnePrefix looks one prefix of many up.
func BenchmarkRoutesOnePrefix(b *testing.B) {
	h := manyRoutes(b, 100_000)
	q := &vbrv1.ListRoutesRequest{Router: acme, Prefix: "20.1.2.0/24"}
	for b.Loop() {
		got := 0
		if err := h.Routes(b.Context(), q, func(c []*vbrv1.Route) error { got += len(c); return nil }); err != nil || got != 2 {
			b.Fatalf("%d routes, %v", got, err)
		}
	}
}

// BenchmarkExplain explains an address by longest match, and a prefix that is not known, among 100,000.
func BenchmarkExplain(b *testing.B) {
	h := manyRoutes(b, 100_000)
	for _, destination := range []string{"20.1.2.3", "20.1.2.0/24", "2001:db8::1", "192.0.2.0/24"} {
		b.Run(destination, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.Explain(acme, destination); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
