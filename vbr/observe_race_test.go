package vbr

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Everything is looked at while everything moves: sessions flap, prefixes come and go, the router is drained and undrained.
func TestLookWhileItMoves(t *testing.T) {
	o := newObserved(t)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	began := time.Now()
	var wg sync.WaitGroup
	loop := func(do func(i int)) {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				do(i)
			}
		})
	}
	prefix := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24)
	}
	peer := netip.MustParseAddr("10.0.0.2")
	loop(func(int) { o.flush(ctx, mute{}) })
	loop(func(i int) {
		attrs := &bgp.Attrs{NextHop: peer, ASPath: []bgp.Segment{{Type: bgp.ASSequence, ASNs: []uint32{65001, uint32(i % 9)}}}}
		(*customer)(o.router).Update(bgp.Update{Peer: peer, Attrs: attrs, Announced: []netip.Prefix{prefix(i % 5000)}, Withdrawn: []netip.Prefix{prefix((i + 99) % 5000)}})
	})
	loop(func(i int) {
		(*customer)(o.router).PeerState(bgp.PeerState{Peer: peer, Established: i%2 == 0, State: "x", Reason: "test", At: time.Now()})
		time.Sleep(5 * time.Millisecond)
	})
	loop(func(i int) {
		if _, err := o.host.SetDrained("vbr-acme", i%2 == 0); err != nil {
			t.Error(err)
		}
	})
	looks, listed := 0, 0
	loop(func(i int) {
		q := &vbrv1.ListRoutesRequest{Router: "vbr-acme", Stage: vbrv1.RouteStage(1 + i%7)}
		err := o.host.Routes(ctx, q, func(c []*vbrv1.Route) error {
			for _, m := range c {
				listed += len(m.String()) // reads all that is shared
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
		if looks++; looks >= 7 && time.Since(began) > time.Second { // every stage once, however busy the machine is
			cancel()
		}
	})
	loop(func(i int) {
		e, err := o.host.Explain("vbr-acme", prefix(i%5000).String())
		if err != nil {
			t.Error(err)
			return
		}
		_ = fmt.Sprint(e, o.host.RouterStatus("vbr-acme"), o.host.Sessions("vbr-acme"))
	})
	wg.Wait()
	if looks < 7 || listed == 0 {
		t.Errorf("%d looks, %d bytes", looks, listed)
	}
}
