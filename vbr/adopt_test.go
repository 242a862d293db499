package vbr

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/fib"
	"github.com/openvbr/openvbr/vbr/link"
	"github.com/openvbr/openvbr/vbr/rib"
)

const (
	gatewayA, gatewayB = "10.0.0.2", "10.0.1.2"
	viaA               = prefix + " via " + gatewayA + " dev port0 proto 86 metric 179\n"
	viaB               = prefix + " via " + gatewayB + " dev port1 proto 86 metric 179\n"
)

// restarted is a router with a peer on each of two lines, A and B, whose predecessor left a route.
type restarted struct {
	*fakeRouter
	state link.State
}

// newRestarted has a predecessor leave the prefix with these next hops, and a life begin after what happened meanwhile.
func newRestarted(t *testing.T, primary, backup []string, meanwhile func(*restarted)) *restarted {
	r := &restarted{newFakeRouter(t), link.State{Lines: []link.Device{{Index: 2, Up: true}, {Index: 3, Up: true}}}}
	subnets := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("10.0.1.0/24")}
	r.kernel.AddDevice(3, "port1", subnets[1])
	before, err := fib.Open(fib.Config{Kernel: r.kernel})
	if err != nil {
		t.Fatal(err)
	}
	set, err := before.Set(hopsVia(primary), hopsVia(backup))
	if err != nil {
		t.Fatal(err)
	}
	if res := before.Table(10001).Apply(t.Context(), []fib.Change{{Prefix: netip.MustParsePrefix(prefix), Set: set}}); res[0].Err != nil {
		t.Fatal(res[0].Err)
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	if meanwhile != nil {
		meanwhile(r)
	}
	after, err := fib.Open(fib.Config{Kernel: r.kernel}) // with what it finds
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = after.Close() })
	h := r.router.host
	h.fib = after
	s := &spec{name: "vbr-acme", asn: 64512, link: link.Router{Table: 10001, Lines: []link.Line{{Device: "port0"}, {Device: "port1"}}}}
	for i, gateway := range []string{gatewayA, gatewayB} {
		s.lines = append(s.lines, line{device: s.link.Lines[i].Device, subnets: subnets[i : i+1]})
		s.peers = append(s.peers, peerSpec{Peer: bgp.Peer{Address: addrOf(gateway), ASN: 65001, IPv4: true}, line: i})
	}
	r.router = newRouter(h, s)
	if err := r.begin(t.Context(), r.state); err != nil {
		t.Fatal(err)
	}
	return r
}

func hopsVia(gateways []string) (hops []fib.NextHop) {
	for _, g := range gateways {
		hops = append(hops, fib.NextHop{Gateway: addrOf(g), Device: map[string]int{gatewayA: 2, gatewayB: 3}[g]})
	}
	return hops
}

// say has a peer announce the prefix, with so long an AS path.
func (r *restarted) say(peer string, length int) {
	path := bgp.Segment{Type: 2}
	for range length {
		path.ASNs = append(path.ASNs, 65001)
	}
	(*customer)(r.router).Update(bgp.Update{Peer: addrOf(peer), Announced: []netip.Prefix{netip.MustParsePrefix(prefix)},
		Attrs: &bgp.Attrs{NextHop: addrOf(peer), ASPath: []bgp.Segment{path}}})
}

// flap has A announce a prefix and withdraw it, so that the latter waits for the next window.
func (r *restarted) flap(other string) {
	p := []netip.Prefix{netip.MustParsePrefix(other)}
	(*customer)(r.router).Update(bgp.Update{Peer: addrOf(gatewayA), Announced: p,
		Attrs: &bgp.Attrs{NextHop: addrOf(gatewayA), ASPath: []bgp.Segment{{Type: 2, ASNs: []uint32{65001}}}}})
	r.flush(r.t.Context(), mute{})
	(*customer)(r.router).Update(bgp.Update{Peer: addrOf(gatewayA), Withdrawn: p})
	r.flush(r.t.Context(), mute{})
}

// turn is what the actor does when it is woken, in a window of its own.
func (r *restarted) turn() {
	r.mu.Lock()
	r.rib.NextWindow()
	r.mu.Unlock()
	r.flush(r.t.Context(), mute{})
}

// written is how many messages about routes and nexthop objects the kernel was sent.
func (r *restarted) written() (n int) {
	for _, kind := range []uint16{unix.RTM_NEWROUTE, unix.RTM_DELROUTE, unix.RTM_NEWNEXTHOP, unix.RTM_DELNEXTHOP} {
		n += r.kernel.Count(kind)
	}
	return n
}

func (r *restarted) wantKernel(what, want string) {
	r.t.Helper()
	if got := r.kernel.Routes(10001); got != want {
		r.t.Errorf("%s: the kernel has\n%swant\n%s", what, got, want)
	}
}

// What is adopted keeps its backups: nothing is written, also when the customers come back one after the other, and a line that is lost any time moves
// its routes to the other.
func TestAdoptedBackup(t *testing.T) {
	for _, tt := range []struct {
		name string
		back func(r *restarted)
	}{
		{"nobody is back", func(*restarted) {}},
		{"A is back", func(r *restarted) { r.say(gatewayA, 1); r.turn() }},
		{"both are back", func(r *restarted) { r.say(gatewayA, 1); r.turn(); r.say(gatewayB, 2); r.turn() }},
	} {
		var before int
		r := newRestarted(t, []string{gatewayA}, []string{gatewayB}, func(r *restarted) { before = r.written() })
		r.turn()
		tt.back(r)
		if n := r.written() - before; n != 0 {
			t.Errorf("%s: %d messages were written", tt.name, n)
		}
		route, ok := r.fib.Get(netip.MustParsePrefix(prefix))
		if want := hopsVia([]string{gatewayB}); !ok || len(route.Set.Backup()) != 1 || route.Set.Backup()[0] != want[0] {
			t.Errorf("%s: held as %v", tt.name, route.Set)
		}
		r.wantKernel(tt.name, viaA)
		r.kernel.SetUp(2, false)
		r.wantKernel(tt.name+", and line A is lost", viaB)
	}
}

// What was on its backup when vbrd was started again is adopted too.
func TestAdoptedAfterFailover(t *testing.T) {
	r := newRestarted(t, []string{gatewayA}, []string{gatewayB}, func(r *restarted) { r.kernel.SetUp(2, false) })
	r.wantKernel("before", viaB)
	r.turn()
	r.wantKernel("adopted", viaB)
	if paths := r.rib.Lookup(netip.MustParsePrefix(prefix)); len(paths) != 1 || !paths[0].Source.Adopted || !paths[0].Best {
		t.Errorf("the rib has %+v", paths)
	}
	r.say(gatewayB, 2)
	r.turn()
	r.swept, r.sweepAt = false, r.sweepAt.Add(-2*r.host.opts.Timers.Stale)
	r.sweepIfDue(t.Context(), mute{})
	r.wantKernel("swept", viaB)
}

// A backup that would win over the primaries in the rib, by its kind, does not come before them.
func TestAdoptedBackupOfBetterKind(t *testing.T) {
	r := newRestarted(t, []string{gatewayA}, []string{gatewayB}, nil)
	r.forgetSources()
	route, _ := r.fib.Get(netip.MustParsePrefix(prefix))
	if !r.adoptRoute(r.state, map[int]rib.Kind{2: rib.BGP, 3: rib.RouterInterface}, route) {
		t.Fatal("not adopted")
	}
	r.turn()
	r.wantKernel("", viaA)
}

// The backbone waits for what routers adopted, but for none that could not begin and has nothing.
func TestBackboneWaitsForRouters(t *testing.T) {
	for _, tt := range []struct {
		name  string
		did   func(r *router)
		holds bool
		want  time.Duration
	}{
		{"still at it", func(*router) {}, false, adoptLimit},
		{"ready", (*router).setReady, true, 0},
		{"could not begin", (*router).setTried, false, 0},
		{"could not begin, and has routes", (*router).setTried, true, adoptLimit},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRestarted(t, []string{gatewayA}, nil, nil)
			if !tt.holds {
				if _, err := r.fib.Clear(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			r.forgetSources() // of customers nothing is awaited
			h := r.router.host
			h.routers = make(map[string]*router)
			h.keepRouter(r.router)
			tt.did(r.router)
			began := time.Now()
			if h.awaitCustomers(t.Context()); time.Since(began).Round(time.Second) != tt.want {
				t.Errorf("%s: waited %v, want %v", tt.name, time.Since(began), tt.want)
			}
		})
	}
}

// The backbone's peers are let in when what was adopted has been told with its true attributes, or the customer has nothing more to say and all of
// that has been told.
func TestCaughtUp(t *testing.T) {
	heardOut := func(r *restarted) {
		for _, peer := range []string{gatewayA, gatewayB} {
			(*customer)(r.router).EndOfRIB(addrOf(peer), false)
		}
	}
	for _, tt := range []struct {
		name string
		did  func(r *restarted)
		want bool
	}{
		{"nobody is back", func(*restarted) {}, false},
		{"A has said it, B is away", func(r *restarted) { r.say(gatewayA, 1); r.turn() }, true},
		{"A has said it, and it has not been told", func(r *restarted) { r.say(gatewayA, 1) }, false},
		{"all are through, and it has not been told", func(r *restarted) { r.say(gatewayA, 1); heardOut(r) }, false},
		{"all are through, and it has been told", func(r *restarted) { r.say(gatewayA, 1); heardOut(r); r.turn() }, true},
		{"all are through, and nobody has said it", func(r *restarted) { heardOut(r); r.turn() }, true},
		{"and then another prefix flaps", func(r *restarted) { heardOut(r); r.turn(); r.flap("172.21.0.0/16") }, true},
	} {
		r := newRestarted(t, []string{gatewayA}, []string{gatewayB}, nil)
		if r.caughtUp() {
			t.Errorf("%s: before anything was told", tt.name)
		}
		r.turn()
		r.setReady()
		if tt.did(r); r.caughtUp() != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, !tt.want, tt.want)
		}
	}
}
