package kernel

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is two namespaces with two cables between them.
func pair(t *testing.T) (dut, src *Namespace) {
	t.Helper()
	dut, src = namespace(t, "dut"), namespace(t, "src")
	for i := range 2 {
		dev := fmt.Sprintf("eth%d", i)
		must(t, Cable(End{dut, dev, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 255, byte(i), 1}), 30)},
			End{src, dev, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 255, byte(i), 2}), 30)}))
	}
	return dut, src
}

func namespace(t *testing.T, name string) *Namespace {
	t.Helper()
	n, err := NewNamespace(fmt.Sprintf("vbr-bench-test-%d-%s", os.Getpid(), name))
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// routes are n /24s.
func routes(n int) (out []netip.Prefix) {
	for i := range n {
		out = append(out, netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24))
	}
	return out
}

// via makes the namespace's routes to prefixes lead through a cable.
func via(t *testing.T, n *Namespace, cable int, prefixes []netip.Prefix) {
	t.Helper()
	must(t, n.Do(func() error {
		for _, p := range prefixes {
			if err := netlink.RouteReplace(route(p, cable)); err != nil {
				return err
			}
		}
		return nil
	}))
}

func route(p netip.Prefix, cable int) *netlink.Route {
	return &netlink.Route{
		Dst: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)}, Gw: net.IPv4(10, 255, byte(cable), 2), Protocol: 12,
	}
}

func TestObserver(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	dut, _ := pair(t)
	o, err := dut.Observe()
	must(t, err)
	defer o.Close()
	want := routes(300)
	done := make(chan struct{})
	go func() {
		defer close(done)
		via(t, dut, 0, want)
	}()
	m, err := o.Wait(ctx, len(want), want[len(want)-1:])
	must(t, err)
	<-done
	if m.Looks == 0 || m.At.IsZero() {
		t.Errorf("moment %+v", m)
	}
	must(t, o.Confirm(want))
	if o.Confirm(want[1:]) == nil || o.Confirm(append(want, netip.MustParsePrefix("30.0.0.0/24"))) == nil || o.Confirm(nil) == nil {
		t.Error("a wrong table is confirmed")
	}
	// A device that goes down takes its routes along, without a notification for each.
	must(t, dut.Do(func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(link)
	}))
	o.base = 0
	left, err := o.Count()
	must(t, err)
	if left > 20 {
		t.Errorf("%d prefixes left of a device that is down", left)
	}
}

func TestObserverTellsPrefixesFromWhatCoversThem(t *testing.T) {
	dut, _ := pair(t)
	o, err := dut.Observe()
	must(t, err)
	defer o.Close()
	p := netip.MustParsePrefix("20.1.2.0/24")
	for i, cover := range []string{"", "20.1.0.0/16", "20.1.2.0/24"} {
		if cover != "" {
			via(t, dut, 0, []netip.Prefix{netip.MustParsePrefix(cover)})
		}
		has, err := o.Has(p)
		must(t, err)
		if has != (i == 2) {
			t.Errorf("with %q: has %v", cover, has)
		}
	}
}

func TestTables(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	dut, _ := pair(t)
	w, err := dut.Watch()
	must(t, err)
	defer w.Close()
	all := routes(40)
	want := []Content{NewContent(3001, all[:20]...), NewContent(3000, all[20:]...)}
	short, end := context.WithTimeout(ctx, 50*time.Millisecond)
	defer end()
	if _, err := w.Wait(short, want, time.Millisecond); err == nil {
		t.Error("waited for tables that are not there without complaint")
	}
	put := func(table int, prefixes ...netip.Prefix) {
		must(t, dut.Do(func() error {
			for _, p := range prefixes {
				r := route(p, 0)
				r.Table = table
				if err := netlink.RouteReplace(r); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		put(3000, all[20:]...)
		put(3001, all[:20]...)
		must(t, dut.Addresses("eth0", netip.MustParsePrefix("10.9.9.1/24"), netip.MustParsePrefix("10.9.8.1/24")))
		put(3002, all[0])
	}()
	m, err := w.Wait(ctx, append(want, NewContent(3002, all[0])), time.Millisecond)
	must(t, err)
	<-done
	if m.Looks < 3 || m.Error <= 0 || w.Addresses != 2 || w.LastAddress.After(m.At) {
		t.Errorf("moment %+v, %d addresses, the last at %v", m, w.Addresses, w.LastAddress)
	}
	must(t, w.Confirm(want))
	put(3001, all[30])
	if err := w.Confirm(want); err == nil {
		t.Error("a table with a route too many is confirmed")
	}
}

func TestWaitEnds(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	dut, _ := pair(t)
	o, err := dut.Observe()
	must(t, err)
	defer o.Close()
	if _, err := o.Wait(ctx, 1, routes(1)); err == nil {
		t.Error("waited for nothing without complaint")
	}
	if _, err := o.Wait(ctx, 1, nil); err == nil {
		t.Error("waited for nothing without complaint")
	}
}

func TestProber(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	dut, src := pair(t)
	want := routes(8)
	via(t, dut, 0, want)
	index, err := src.Index("eth1")
	must(t, err)
	out, err := dut.Index("eth1")
	must(t, err)
	p, err := NewProber(dut, src, index, want)
	must(t, err)
	defer p.Close()
	var first, last time.Time // when the first seven began to move, and when the eighth, which only does once they all have
	took, err := p.Run(ctx, func() time.Time {
		first = time.Now()
		via(t, dut, 1, want[:7])
		for ctx.Err() == nil && p.open() > 1 {
			time.Sleep(probeEvery)
		}
		last = time.Now()
		via(t, dut, 1, want[7:])
		return first
	})
	must(t, err)
	for i, d := range took {
		if moved := first.Add(d); moved.Before(first) || i < 7 && moved.After(last) || i == 7 && moved.Before(last) {
			t.Errorf("prefix %d moved after %v, the last was made to after %v", i, d, last.Sub(first))
		}
	}
	o, err := dut.Observe()
	must(t, err)
	defer o.Close()
	n, err := o.Elsewhere(want, out)
	must(t, err)
	if n != 0 {
		t.Errorf("%d elsewhere", n)
	}
	via(t, dut, 0, want[:3])
	if n, err = o.Elsewhere(want, out); err != nil || n != 3 {
		t.Errorf("%d elsewhere (%v), want 3", n, err)
	}
}
