package vbr

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/bgp/evpn"
	"github.com/openvbr/openvbr/vbr/rib"
)

// Two reflectors, two gateways.
var (
	rr1 = netip.MustParseAddr("192.0.2.254")
	rr2 = netip.MustParseAddr("192.0.2.253")
	gw1 = netip.MustParseAddr("192.0.2.11")
	gw2 = netip.MustParseAddr("192.0.2.12")
)

// scene is a backbone with routers that have no kernel: what reaches their ribs is looked at.
type scene struct {
	*testing.T
	log  bytes.Buffer
	host *Host
	b    *backbone
}

func newScene(t *testing.T) *scene {
	s := &scene{T: t}
	s.host = &Host{opts: testOptions()}
	s.host.opts.Timers.Stale = time.Minute
	s.host.log = slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.b = newBackbone(s.host)
	s.host.backbone = s.b
	return s
}

// router is a living router with one router interface a VNI, whose route targets are 64600:VNI.
func (s *scene) router(name string, vnis ...uint32) *router {
	s.Helper()
	r := &router{name: name, spec: &spec{name: name}, host: s.host, log: s.host.log, wake: make(chan struct{}, 1), look: make(chan struct{}, 1), rib: rib.New(rib.Rules{})}
	for i, vni := range vnis {
		rt := target(s, vni)
		s.b.wanted[rt] = true
		ri := riSpec{name: fmt.Sprint("ri-", vni), vni: vni, target: rt}
		r.spec.ris = append(r.spec.ris, ri)
		id := r.rib.AddSource(rib.Source{Kind: rib.RouterInterface, Name: fmt.Sprint("ri-", vni), Device: 100 + i, OnLink: true})
		r.rib.SetLinkUp(id, true)
		r.vpc = append(r.vpc, newVPCSide(ri, id, 100+i))
	}
	return r
}

func target(t testing.TB, vni uint32) evpn.RouteTarget {
	rt, err := evpn.ParseRouteTarget(fmt.Sprint("64600:", vni))
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

// route is a gateway's type-5 route with the route targets 64600:VNI, the first also its VNI.
func (s *scene) route(gw netip.Addr, prefix string, vnis ...uint32) evpn.Route {
	s.Helper()
	r := evpn.Route{
		Key: evpn.Key{RD: routeDistinguisher(gw, 1), Prefix: netip.MustParsePrefix(prefix)}, NextHop: gw, VNI: vnis[0],
		RouterMAC: evpn.MAC(routerMAC(gw, vnis[0])), ASPath: []uint32{65001},
	}
	for _, vni := range vnis {
		r.Targets = append(r.Targets, target(s, vni))
	}
	return r
}

func (s *scene) announce(peer netip.Addr, routes ...evpn.Route) {
	s.b.Update(evpn.Update{Peer: peer, Announced: routes})
}

func (s *scene) withdraw(peer netip.Addr, routes ...evpn.Route) {
	u := evpn.Update{Peer: peer}
	for _, r := range routes {
		u.Withdrawn = append(u.Withdrawn, r.Key)
	}
	s.b.Update(u)
}

// want compares what a router's rib holds, a line "PREFIX via VTEP on DEVICE" a path, with the accepted ones in any order.
func (s *scene) want(r *router, lines ...string) {
	s.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var got []string
	for _, p := range []string{"10.100.0.0/16", "10.101.0.0/16", "2001:db8:100::/48"} {
		for _, path := range r.rib.Lookup(netip.MustParsePrefix(p)) {
			got = append(got, fmt.Sprintf("%s via %s on %d", p, path.Attrs.NextHop, path.Source.Device))
		}
	}
	slices.Sort(got)
	slices.Sort(lines)
	if diff := cmp.Diff(lines, got); diff != "" {
		s.Errorf("paths of %s (-want +got):\n%s", r.spec.name, diff)
	}
}

// wantRefs compares how many routes lead to each VTEP of a router's first router interface.
func (s *scene) wantRefs(r *router, want map[netip.Addr]int) {
	s.Helper()
	got := make(map[netip.Addr]int)
	for a, v := range r.vpc[0].vteps {
		got[a] = v.refs
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		s.Errorf("references of %s's VTEPs (-want +got):\n%s", r.spec.name, diff)
	}
}

// state is a session's change; hold says that its routes are to be kept for so long.
func state(peer netip.Addr, up bool, hold time.Duration) bgp.PeerState {
	p := bgp.PeerState{Peer: peer, Established: up, ASN: 64600, RouterID: peer, Reason: "test"}
	p.Families, p.GracefulRestart.Families, p.GracefulRestart.Forwarding = evpn.EVPN, evpn.EVPN, evpn.EVPN
	p.GracefulRestart.Hold, p.GracefulRestart.Time = hold > 0, hold
	return p
}

// A route comes in by its route target and by nothing else.
func TestImportByRouteTarget(t *testing.T) {
	s := newScene(t)
	acme, beta := s.router("acme", 5001), s.router("beta", 5002)
	s.b.attach(acme, acme.vpc...)
	s.b.attach(beta, beta.vpc...)
	s.announce(rr1, s.route(gw1, "10.100.0.0/16", 5001), s.route(gw2, "10.100.0.0/16", 5002), s.route(gw1, "10.101.0.0/16", 5999))
	s.want(acme, "10.100.0.0/16 via 192.0.2.11 on 100")
	s.want(beta, "10.100.0.0/16 via 192.0.2.12 on 100")
	if n := len(s.b.paths); n != 2 {
		t.Errorf("%d paths are kept, of which one is nobody's", n)
	}
	s.withdraw(rr1, s.route(gw1, "10.100.0.0/16", 5001), s.route(gw1, "10.101.0.0/16", 5999))
	s.want(acme)
	s.want(beta, "10.100.0.0/16 via 192.0.2.12 on 100")
	s.wantRefs(acme, map[netip.Addr]int{gw1: 0})
}

// Routes with thousands of route targets that nobody here has cost little when they change: looking glass and status wait for b.mu meanwhile.
func TestManyTargetsOfOthers(t *testing.T) {
	s := newScene(t)
	acme := s.router("acme", 5001)
	s.b.attach(acme, acme.vpc...)
	vnis := []uint32{5001}
	for i := range uint32(8000) {
		vnis = append(vnis, 100_000+i)
	}
	route := s.route(gw1, "10.100.0.0/16", vnis...)
	began := time.Now()
	for i := range 200 {
		route.ASPath = []uint32{uint32(i)}
		s.announce(rr1, route)
	}
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("200 changes have taken %v", d)
	}
	s.want(acme, "10.100.0.0/16 via 192.0.2.11 on 100")
}

// IPv6 behind an IPv4 VTEP has the mapped address as its gateway.
func TestImportIPv6(t *testing.T) {
	s := newScene(t)
	acme := s.router("acme", 5001)
	s.b.attach(acme, acme.vpc...)
	s.announce(rr1, s.route(gw1, "2001:db8:100::/48", 5001))
	s.want(acme, "2001:db8:100::/48 via ::ffff:192.0.2.11 on 100")
	s.wantRefs(acme, map[netip.Addr]int{gw1: 1})
}

// A route whose route target moves leaves one router for the other; with both targets, it is in both.
func TestRouteTargetMoves(t *testing.T) {
	s := newScene(t)
	acme, beta := s.router("acme", 5001), s.router("beta", 5002)
	s.b.attach(acme, acme.vpc...)
	s.b.attach(beta, beta.vpc...)
	s.announce(rr1, s.route(gw1, "10.100.0.0/16", 5001))
	moved := s.route(gw1, "10.100.0.0/16", 5002)
	s.announce(rr1, moved)
	s.want(acme)
	s.want(beta, "10.100.0.0/16 via 192.0.2.11 on 100")
	s.wantRefs(acme, map[netip.Addr]int{gw1: 0})
	s.wantRefs(beta, map[netip.Addr]int{gw1: 1})
	nobodys := s.route(gw1, "10.100.0.0/16", 5999)
	s.announce(rr1, nobodys)
	s.want(beta)
	s.wantRefs(beta, map[netip.Addr]int{gw1: 0})
	if len(s.b.paths) != 0 {
		t.Errorf("%d paths left", len(s.b.paths))
	}
}

// One route for two router interfaces needs the VNI of each: a symmetric VNI is all that a VXLAN device of ours can reach.
func TestOtherVNI(t *testing.T) {
	s := newScene(t)
	acme := s.router("acme", 5001)
	s.b.attach(acme, acme.vpc...)
	r := s.route(gw1, "10.100.0.0/16", 5001)
	s.announce(rr1, r)
	r.VNI = 7777
	s.announce(rr1, r)
	s.want(acme)
	s.wantRefs(acme, map[netip.Addr]int{gw1: 0})
	if !strings.Contains(s.log.String(), "another VNI") || !strings.Contains(s.log.String(), "vni=7777") {
		t.Errorf("the log does not tell why:\n%s", s.log.String())
	}
	r.VNI = 5001
	s.announce(rr1, r)
	s.want(acme, "10.100.0.0/16 via 192.0.2.11 on 100")
	s.wantRefs(acme, map[netip.Addr]int{gw1: 1})
}

// Our own routes come back from a reflector and are nobody's path.
func TestOwnRoutesReflected(t *testing.T) {
	s := newScene(t)
	acme := s.router("acme", 5001)
	s.b.attach(acme, acme.vpc...)
	s.announce(rr1, s.route(ourVTEP, "10.100.0.0/16", 5001))
	s.want(acme)
	s.announce(rr1, s.route(gw1, "10.101.0.0/16", 5001))
	ours := s.route(gw1, "10.101.0.0/16", 5001)
	ours.NextHop = ourVTEP
	s.announce(rr1, ours)
	s.want(acme)
	s.wantRefs(acme, map[netip.Addr]int{gw1: 0})
}

// A gateway that moves to another VTEP takes its reference along.
func TestVTEPMoves(t *testing.T) {
	s := newScene(t)
	acme := s.router("acme", 5001)
	s.b.attach(acme, acme.vpc...)
	r := s.route(gw1, "10.100.0.0/16", 5001)
	s.announce(rr1, r, s.route(gw1, "10.101.0.0/16", 5001))
	r.NextHop = gw2
	s.announce(rr1, r)
	s.want(acme, "10.100.0.0/16 via 192.0.2.12 on 100", "10.101.0.0/16 via 192.0.2.11 on 100")
	s.wantRefs(acme, map[netip.Addr]int{gw1: 1, gw2: 1})
}

// A router that attaches late gets what there is; one that detached gets nothing more.
func TestAttachAndDetach(t *testing.T) {
	s := newScene(t)
	acme, beta := s.router("acme", 5001), s.router("beta", 5002)
	s.b.attach(beta, beta.vpc...)
	s.announce(rr1, s.route(gw1, "10.100.0.0/16", 5001))
	s.want(acme)
	s.b.attach(acme, acme.vpc...)
	s.want(acme, "10.100.0.0/16 via 192.0.2.11 on 100")
	s.b.detach(acme, acme.vpc...)
	s.announce(rr1, s.route(gw1, "10.101.0.0/16", 5001))
	s.want(acme, "10.100.0.0/16 via 192.0.2.11 on 100")
	again := s.router("acme", 5001) // its next life
	s.b.attach(again, again.vpc...)
	s.want(again, "10.100.0.0/16 via 192.0.2.11 on 100", "10.101.0.0/16 via 192.0.2.11 on 100")
	s.wantRefs(again, map[netip.Addr]int{gw1: 2})
	s.want(beta)
}

// Two router interfaces of one router: each VNI's routes go over its own tunnel.
func TestTwoRouterInterfaces(t *testing.T) {
	s := newScene(t)
	acme := s.router("acme", 5001, 5003)
	s.b.attach(acme, acme.vpc...)
	s.announce(rr1, s.route(gw1, "10.100.0.0/16", 5001), s.route(gw2, "10.101.0.0/16", 5003))
	s.want(acme, "10.100.0.0/16 via 192.0.2.11 on 100", "10.101.0.0/16 via 192.0.2.12 on 101")
}

// A session that ends without graceful restart takes its routes along, and only its own.
func TestPeerDown(t *testing.T) {
	s := newScene(t)
	acme := s.router("acme", 5001)
	s.b.attach(acme, acme.vpc...)
	s.b.PeerState(state(rr1, true, 0))
	s.b.PeerState(state(rr2, true, 0))
	s.announce(rr1, s.route(gw1, "10.100.0.0/16", 5001))
	s.announce(rr2, s.route(gw2, "10.101.0.0/16", 5001))
	s.b.PeerState(state(rr1, false, 0))
	s.want(acme, "10.101.0.0/16 via 192.0.2.12 on 100")
	for _, want := range []string{"backbone session up", "backbone session down"} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("no %q in the log", want)
		}
	}
}

// twoRoutesOfPeer is a router that rr1 has told two routes, and its End-of-RIB; kept is the one that it tells again when it is back.
func twoRoutesOfPeer(t *testing.T) (s *scene, acme *router, kept evpn.Route) {
	t.Helper()
	s = newScene(t)
	acme = s.router("acme", 5001)
	s.b.attach(acme, acme.vpc...)
	s.b.PeerState(state(rr1, true, 0))
	kept = s.route(gw1, "10.100.0.0/16", 5001)
	s.announce(rr1, kept, s.route(gw1, "10.101.0.0/16", 5001))
	s.b.EndOfRIB(rr1)
	return s, acme, kept
}

// A restarting peer's routes stay until its End-of-RIB and then those go that it has not announced again (RFC 4724 4.2).
func TestPeerRestarts(t *testing.T) {
	s, acme, kept := twoRoutesOfPeer(t)
	both := []string{"10.100.0.0/16 via 192.0.2.11 on 100", "10.101.0.0/16 via 192.0.2.11 on 100"}
	s.want(acme, both...)
	s.b.PeerState(state(rr1, false, 30*time.Second))
	s.want(acme, both...)
	s.b.PeerState(state(rr1, false, 0)) // still does not come up: nothing changes
	s.want(acme, both...)
	s.b.PeerState(state(rr1, true, 0))
	s.announce(rr1, kept)
	s.want(acme, both...)
	s.b.EndOfRIB(rr1)
	s.want(acme, both[0])
	s.wantRefs(acme, map[netip.Addr]int{gw1: 1})
}

// A peer that comes back without having kept its forwarding state loses its stale routes at once.
func TestPeerRestartsWithoutForwarding(t *testing.T) {
	s := newScene(t)
	acme := s.router("acme", 5001)
	s.b.attach(acme, acme.vpc...)
	s.b.PeerState(state(rr1, true, 0))
	s.announce(rr1, s.route(gw1, "10.100.0.0/16", 5001))
	s.b.PeerState(state(rr1, false, 30*time.Second))
	p := state(rr1, true, 0)
	p.GracefulRestart.Forwarding = 0
	s.b.PeerState(p)
	s.want(acme)
}

// A peer that comes up and falls again before its End-of-RIB loses what it has not announced in between (RFC 4724 4.2).
func TestPeerFallsAgain(t *testing.T) {
	s, acme, kept := twoRoutesOfPeer(t)
	s.b.PeerState(state(rr1, false, 30*time.Second))
	s.b.PeerState(state(rr1, true, 0))
	s.announce(rr1, kept)
	s.b.PeerState(state(rr1, false, 30*time.Second))
	s.want(acme, "10.100.0.0/16 via 192.0.2.11 on 100")
	s.b.PeerState(state(rr1, false, 30*time.Second)) // still does not come up: nothing changes
	s.want(acme, "10.100.0.0/16 via 192.0.2.11 on 100")
}

// A peer that does not come back loses its stale routes after the time it asked for, or ours if that is shorter.
func TestPeerDoesNotComeBack(t *testing.T) {
	for _, asked := range []time.Duration{30 * time.Second, time.Hour} {
		s := newScene(t)
		acme := s.router("acme", 5001)
		s.b.attach(acme, acme.vpc...)
		s.b.PeerState(state(rr1, true, 0))
		s.announce(rr1, s.route(gw1, "10.100.0.0/16", 5001))
		down := time.Now()
		s.b.PeerState(state(rr1, false, asked))
		wait := min(asked, s.host.opts.Timers.Stale)
		s.b.expireStale(down.Add(wait - time.Second))
		s.want(acme, "10.100.0.0/16 via 192.0.2.11 on 100")
		s.b.expireStale(down.Add(wait + time.Second))
		s.want(acme)
		if !strings.Contains(s.log.String(), "stale backbone routes swept") {
			t.Error("the log does not say so")
		}
	}
}

// A router counts as told all when every configured peer has said End-of-RIB, also one that attaches after that.
func TestBackboneSynced(t *testing.T) {
	s := newScene(t)
	s.b.unsynced[rr1], s.b.unsynced[rr2] = true, true
	acme, late := s.router("acme", 5001), s.router("late", 5002)
	s.b.attach(acme, acme.vpc...)
	s.b.EndOfRIB(rr1)
	s.b.EndOfRIB(rr1)
	if acme.vpcDone {
		t.Error("synced after one of two peers")
	}
	s.b.EndOfRIB(rr2)
	s.b.attach(late, late.vpc...)
	if !acme.vpcDone || !late.vpcDone {
		t.Errorf("synced: %v, attached later: %v", acme.vpcDone, late.vpcDone)
	}
}
