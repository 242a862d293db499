package vbr

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openvbr/openvbr/bgp"
)

// backUp establishes the session again, with all forwarding kept, and has the peer announce nothing.
func (r *watchedRouter) backUp() {
	(*customer)(r.router).PeerState(bgp.PeerState{Peer: addrOf(peerAddr), Established: true, At: time.Now(), Families: bgp.IPv4, GracefulRestart: bgp.GracefulRestart{
		Families: bgp.IPv4, Forwarding: bgp.IPv4, Time: time.Minute, LongLived: [2]time.Duration{r.session.longLived}, LongLivedForwarding: bgp.IPv4}})
	r.actFor(200 * time.Millisecond)
}

// RFC 4724 4.2: a peer that comes up and falls again before its End-of-RIB loses what it has not announced in between; what it has is held anew. One that
// does not come up loses nothing by that. What is held for long goes when its own time is over (RFC 9494 4.2).
func TestPeerOfALineFallsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newWatchedRouter(t, watchSpec{})
		r.host.opts.Timers.Stale = time.Minute
		r.up()
		r.down(true)
		r.down(true)
		r.want("", prefix)
		r.up() // it announces its route again
		time.Sleep(50 * time.Second)
		r.down(true)
		r.want("", prefix)
		if left := time.Until(r.session.staleUntil); left < 59*time.Second {
			t.Errorf("it is held for %v", left)
		}
		r.backUp()
		r.want("", prefix)
		r.down(true)
		r.want("")
		if n := r.rib.Counts(r.source).Received; n != 0 {
			t.Errorf("%d paths are left", n)
		}
	})
}

func TestPeerFallsAgainWhileHeldForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newWatchedRouter(t, watchSpec{})
		r.host.opts.Timers.Stale = time.Minute
		r.up()
		r.session.longLived = time.Hour
		r.down(true)
		time.Sleep(2 * time.Minute)
		r.expireStale(time.Now())
		until := r.session.lastUntil
		for range 3 {
			r.backUp()
			r.down(true)
			r.want("", prefix)
		}
		if r.session.lastUntil != until {
			t.Errorf("held until %v, before until %v", r.session.lastUntil, until)
		}
		time.Sleep(time.Until(until) + time.Second)
		r.expireStale(time.Now())
		r.actFor(200 * time.Millisecond)
		r.want("")
		if paths := r.rib.Lookup(netip.MustParsePrefix(prefix)); len(paths) != 0 {
			t.Errorf("%d paths are left", len(paths))
		}
	})
}
