package vbr

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/bgp/bfd"
	"github.com/openvbr/openvbr/vbr/events"
	"github.com/openvbr/openvbr/vbr/rib"
)

func addrOf(s string) netip.Addr { return netip.MustParseAddr(s) }

// resetting is a speaker that remembers what was reset, and why.
type resetting struct {
	mute
	mu   sync.Mutex
	said []string
}

func (s *resetting) Reset(_ context.Context, peer netip.Addr, why string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, peer.String()+": "+why)
	return nil
}

func (s *resetting) resets() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.said, ", ")
}

const (
	peerAddr = "10.0.0.2"
	prefix   = "172.20.0.0/16"
)

// watchedRouter is a fake router whose peer is watched over, with one route, and its watcher running.
type watchedRouter struct {
	*fakeRouter
	speaker *resetting
	session *session
}

func newWatchedRouter(t *testing.T, s watchSpec) *watchedRouter {
	r := &watchedRouter{fakeRouter: newFakeRouter(t), speaker: &resetting{}}
	r.host.events = events.NewLog(100)
	r.router.speaker = r.speaker
	r.spec.lines = []line{{device: "port0"}}
	r.spec.peers = []peerSpec{{Peer: bgp.Peer{Address: addrOf(peerAddr), ASN: 65001}, watch: s}}
	r.session = &session{source: r.source, device: 2, hops: make(map[netip.Addr]bool)}
	r.sessions = map[netip.Addr]*session{addrOf(peerAddr): r.session}
	r.mu.Lock()
	r.arrangeWatches(r.spec)
	r.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	wait := r.watching(ctx)
	t.Cleanup(func() { cancel(); wait() })
	return r
}

// bfd has BFD say something, and waits until the watcher has acted on it. The actor has not.
func (r *watchedRouter) bfd(c bfd.Change) {
	c.Peer, c.Device = addrOf(peerAddr), "port0"
	r.router.bfd.put(c)
	synctest.Wait()
}

var (
	isUp      = bfd.Change{State: bfd.Up}
	isDown    = bfd.Change{State: bfd.Down, Diag: bfd.DiagTimeExpired}
	isDownC   = bfd.Change{State: bfd.Down, Diag: bfd.DiagTimeExpired, Independent: true}
	adminDown = bfd.Change{State: bfd.Down, Diag: bfd.DiagNeighborDown, AdminDown: true}
)

// up establishes the session and has the peer announce its route.
func (r *watchedRouter) up() {
	(*customer)(r.router).PeerState(bgp.PeerState{Peer: addrOf(peerAddr), Established: true, At: time.Now(),
		GracefulRestart: bgp.GracefulRestart{Families: bgp.IPv4, Forwarding: bgp.IPv4, Time: time.Minute}, Families: bgp.IPv4})
	(*customer)(r.router).Update(bgp.Update{Peer: addrOf(peerAddr), Announced: []netip.Prefix{netip.MustParsePrefix(prefix)},
		Attrs: &bgp.Attrs{NextHop: addrOf(peerAddr), ASPath: []bgp.Segment{{Type: 2, ASNs: []uint32{65001}}}}})
	r.actFor(200 * time.Millisecond)
}

func (r *watchedRouter) down(hold bool) {
	(*customer)(r.router).PeerState(bgp.PeerState{Peer: addrOf(peerAddr), At: time.Now(), Reason: "connection lost",
		GracefulRestart: bgp.GracefulRestart{Families: bgp.IPv4, Time: time.Minute, Hold: hold}})
	r.actFor(200 * time.Millisecond)
}

func (r *watchedRouter) wantVerdict(want string) {
	r.t.Helper()
	r.actFor(200 * time.Millisecond)
	paths := r.rib.Lookup(netip.MustParsePrefix(prefix))
	if got := paths[0].Verdict.String(); len(paths) != 1 || got != want {
		r.t.Errorf("verdict %s, want %s", got, want)
	}
}

func (r *watchedRouter) wantResets(want string) {
	r.t.Helper()
	if got := r.speaker.resets(); got != want {
		r.t.Errorf("resets: %q, want %q", got, want)
	}
}

// wantEvents compares the texts of the events of BFD.
func (r *watchedRouter) wantEvents(want ...string) {
	r.t.Helper()
	all, _ := r.host.events.After(0, 100)
	var got []string
	for _, e := range all {
		if strings.HasPrefix(e.GetType().String(), "TYPE_BFD") {
			got = append(got, strings.TrimPrefix(e.GetType().String(), "TYPE_BFD_")+": "+e.GetText())
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		r.t.Errorf("events:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const wasReset = peerAddr + ": BFD down: control detection time expired"

// BFD's word alone takes the routes out of the kernel, before the actor or BGP has done a thing; the session is reset, and all comes back.
func TestFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newWatchedRouter(t, watchSpec{on: true})
		r.up()
		r.bfd(isUp)
		r.want("", prefix)
		r.bfd(isDown)
		r.want("") // nobody has acted
		r.wantVerdict("bfd-down")
		r.wantResets(wasReset)
		r.down(false)
		if got := r.records.sessions[addrOf(peerAddr)].lastError; got != "BFD down" {
			t.Errorf("last error %q", got)
		}
		if n := r.rib.Counts(r.source).Received; n != 0 {
			t.Errorf("%d paths are left", n)
		}
		r.up()
		r.want("", prefix)
		r.bfd(isUp)
		r.wantVerdict("accepted")
		r.wantResets(wasReset)
		r.wantEvents("UP: BFD is up", "DOWN: control detection time expired; its routes leave and its session is reset", "UP: BFD is up")
	})
}

// A peer that ends its session itself is not reset, nor is its next session.
func TestFailureThatThePeerSees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newWatchedRouter(t, watchSpec{on: true})
		for _, again := range []bool{false, true} {
			r.up()
			r.bfd(isUp)
			r.bfd(isDown)
			(*customer)(r.router).PeerState(bgp.PeerState{Peer: addrOf(peerAddr), At: time.Now(), Reason: "peer closed the session: cease/bfd down"})
			if again {
				r.up()
			}
			r.actFor(time.Second)
			r.wantResets("")
		}
	})
}

// Where the reset has no effect, the routes return with BFD.
func TestFailureWithoutReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newWatchedRouter(t, watchSpec{on: true})
		r.up()
		r.bfd(isUp)
		r.bfd(isDown)
		r.wantVerdict("bfd-down")
		r.want("")
		r.bfd(isUp)
		r.wantVerdict("accepted")
		r.want("", prefix)
	})
}

// A session that was lost for BGP's own reasons does not get its next hops back by the watch over it.
func TestLostSessionStaysLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newWatchedRouter(t, watchSpec{on: true})
		r.up()
		r.bfd(isUp)
		r.down(false)
		r.obeyAll(time.Now())
		r.want("")
		r.bfd(isDown)
		r.bfd(isUp)
		r.want("")
	})
}

func TestAdminDownIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newWatchedRouter(t, watchSpec{on: true})
		r.up()
		r.bfd(isUp)
		r.bfd(adminDown)
		r.wantVerdict("accepted")
		r.want("", prefix)
		r.wantResets("")
		r.wantEvents("UP: BFD is up", "DOWN: the peer switched BFD off; its routes stay")
	})
}

// A strict peer's routes wait for BFD, and after a failure for the hold-down.
func TestStrict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newWatchedRouter(t, watchSpec{on: true, strict: true})
		r.up()
		r.wantVerdict("bfd-down")
		r.wantResets("")
		r.bfd(isUp)
		r.wantVerdict("accepted")
		r.want("", prefix)
		r.bfd(isDown)
		r.want("")
		r.down(false)
		r.up()
		r.wantVerdict("bfd-down")
		r.bfd(isUp)
		r.wantVerdict("bfd-down")
		time.Sleep(firstHoldDown)
		r.obeyAll(time.Now()) // the actor's second
		r.wantVerdict("accepted")
		r.want("", prefix)
	})
}

// RFC 5882 4.3.2: while a peer restarts, BFD that shares the fate of its control plane says nothing of its forwarding; BFD that does not, does.
func TestFailureWhileRestarting(t *testing.T) {
	for _, strict := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newWatchedRouter(t, watchSpec{on: true, strict: strict})
			r.up()
			r.bfd(isUp)
			r.down(true)
			r.bfd(isDown)
			r.wantVerdict("accepted")
			r.want("", prefix)
			r.wantEvents("UP: BFD is up", "DOWN: control detection time expired; its routes stay while it restarts")
			r.up()
			r.want("", prefix)
			r.wantVerdict("accepted")
			r.bfd(isUp)
			r.down(true)
			r.bfd(isDownC)
			r.want("")
			r.actFor(200 * time.Millisecond)
			if n := r.rib.Counts(r.source).Received; n != 0 || !r.session.staleUntil.IsZero() {
				t.Errorf("%d paths are left until %v", n, r.session.staleUntil)
			}
			r.wantResets("")
		})
	}
}

// RFC 9494: the routes of a peer that stays away longer than its restart time become a last resort, for as long as both ends allow, and go then; what it
// announces when it is back in time counts as before. Without it they go with the restart time.
func TestLongLived(t *testing.T) {
	for _, long := range []time.Duration{0, time.Hour} {
		for _, back := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				r := newWatchedRouter(t, watchSpec{})
				r.host.opts.Timers.Stale = time.Hour
				established := func(forwards bgp.Families) {
					(*customer)(r.router).PeerState(bgp.PeerState{Peer: addrOf(peerAddr), Established: true, At: time.Now(), Families: bgp.IPv4,
						GracefulRestart: bgp.GracefulRestart{Families: bgp.IPv4, Time: time.Minute, LongLived: [2]time.Duration{long, 7 * time.Hour}, LongLivedForwarding: forwards}})
				}
				at := func(d time.Duration, communities string, prefixes ...string) {
					t.Helper()
					time.Sleep(d)
					r.expireStale(time.Now())
					r.actFor(200 * time.Millisecond)
					r.want("", prefixes...)
					if p := r.rib.Lookup(netip.MustParsePrefix(prefix)); len(p) > 0 && fmt.Sprint(p[0].Attrs.Communities) != communities {
						t.Errorf("communities %v, want %s", p[0].Attrs.Communities, communities)
					}
				}
				r.up()
				established(bgp.IPv4) // with what up does not say
				(*customer)(r.router).Update(bgp.Update{Peer: addrOf(peerAddr), Announced: []netip.Prefix{netip.MustParsePrefix(prefix)},
					Attrs: &bgp.Attrs{NextHop: addrOf(peerAddr), ASPath: []bgp.Segment{{Type: 2, ASNs: []uint32{65001}}}}})
				r.down(true)
				at(50*time.Second, "[]", prefix)
				if long == 0 {
					at(11*time.Second, "")
					return
				}
				at(11*time.Second, fmt.Sprint([]uint32{rib.LLGRStale}), prefix)
				paths := r.rib.Lookup(netip.MustParsePrefix(prefix))
				if x := r.route(&riSpec{mac: make(net.HardwareAddr, 6)}, rib.Announcement{Prefix: netip.MustParsePrefix(prefix), Announce: &paths[0].Attrs, Source: &paths[0].Source}); !x.HasLocalPref || x.LocalPref != 0 {
					t.Errorf("the VPC is told %+v", x)
				}
				at(59*time.Minute, fmt.Sprint([]uint32{rib.LLGRStale}), prefix)
				if back {
					established(bgp.IPv4)
					at(time.Second, fmt.Sprint([]uint32{rib.LLGRStale}), prefix)
					(*customer)(r.router).EndOfRIB(addrOf(peerAddr), false)
					at(time.Second, "")
					return
				}
				at(2*time.Minute, "")
				if r.session.restarting() {
					t.Error("still held")
				}
			})
		}
	}
}

// What is held for long goes at once when the peer is back and has not kept its forwarding.
func TestLongLivedWithoutForwarding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newWatchedRouter(t, watchSpec{})
		r.host.opts.Timers.Stale = time.Minute
		r.up()
		r.session.longLived = time.Hour
		r.down(true)
		time.Sleep(2 * time.Minute)
		r.expireStale(time.Now())
		r.actFor(200 * time.Millisecond)
		r.want("", prefix)
		(*customer)(r.router).PeerState(bgp.PeerState{Peer: addrOf(peerAddr), Established: true, At: time.Now(), Families: bgp.IPv4,
			GracefulRestart: bgp.GracefulRestart{Families: bgp.IPv4, Forwarding: bgp.IPv4, Time: time.Minute, LongLived: [2]time.Duration{time.Hour}}})
		r.actFor(200 * time.Millisecond)
		r.want("")
	})
}

// A failure that BGP then takes for a restart is one.
func TestFailureIsNoRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newWatchedRouter(t, watchSpec{on: true})
		r.up()
		r.bfd(isUp)
		r.bfd(isDown)
		r.down(true)
		if n := r.rib.Counts(r.source).Received; n != 0 {
			t.Errorf("%d paths are left", n)
		}
	})
}
