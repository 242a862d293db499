package vbr

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/fib/fibtest"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/events"
	"github.com/openvbr/openvbr/vbr/link"
	"github.com/openvbr/openvbr/vbr/rib"
)

// observed is a fake router that its host knows, with three peers on device 2 and one router interface.
type observed struct {
	*fakeRouter
	host  *Host
	peers map[string]rib.SourceID
	vpc   rib.SourceID
}

func newObserved(t *testing.T) *observed {
	f := newFakeRouter(t)
	h := f.router.host
	o := &observed{fakeRouter: f, host: h, peers: make(map[string]rib.SourceID)}
	h.routers = make(map[string]*router)
	h.keepRouter(f.router)
	h.events, h.drains = events.NewLog(100), loadDrains(t.TempDir(), h.log)
	h.opts.Backbone = &Backbone{VTEP: netip.MustParseAddr("192.0.2.1")}
	subnet := netip.MustParsePrefix("10.0.0.0/24")
	r := f.router
	r.setReady()
	r.spec = &spec{
		name: "vbr-acme", owner: "acme", asn: 64512, routerID: netip.MustParseAddr("10.0.0.1"),
		link: link.Router{
			Table: 10001, Lines: []link.Line{{Port: "port0", Device: "port0", Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}}},
			Tunnels: []link.Tunnel{{Device: "vx-7", VNI: 7}},
		},
		lines: []line{{device: "port0", port: "pc-1", subnets: []netip.Prefix{subnet}}},
		ris:   []riSpec{{name: "ri-acme", vni: 7, target: target(t, 7), mac: routerMAC(gw1, 7)}},
	}
	r.state = link.State{Lines: []link.Device{{Index: 2, Up: true}}, Tunnels: []link.Device{{Index: 3, Up: true}}}
	r.rib.SetRules(rib.Rules{LocalASNs: []uint32{64512}, Links: []netip.Prefix{subnet}})
	r.rib.SetNow(time.Now())
	r.sessions = make(map[netip.Addr]*session)
	for i, name := range []string{"10.0.0.2", "10.0.0.3", "10.0.0.4"} {
		a := netip.MustParseAddr(name)
		id := r.rib.AddSource(rib.Source{
			Kind: rib.BGP, Name: name, Address: a, RouterID: a, ASN: uint32(65001 + i), Device: 2, Subnets: []netip.Prefix{subnet},
		})
		o.peers[name] = id
		r.spec.peers = append(r.spec.peers, peerSpec{Peer: bgp.Peer{Address: a, ASN: uint32(65001 + i), IPv4: true, HoldTime: 30 * time.Second}})
		r.sessions[a] = &session{source: id, device: 2, hops: make(map[netip.Addr]bool)}
	}
	o.vpc = r.rib.AddSource(rib.Source{Kind: rib.RouterInterface, Name: "ri-acme", Device: 2, OnLink: true})
	r.vpc = []*vpcSide{newVPCSide(r.spec.ris[0], o.vpc, 2)}
	r.lines = []rib.SourceID{r.rib.AddSource(rib.Source{Kind: rib.Connected, Name: "port0", Device: 2})}
	r.rib.Announce(r.lines[0], 0, &rib.Attrs{}, subnet)
	r.exporter.take(r.spec)
	return o
}

// up takes in that a peer's session is established.
func (o *observed) up(peer string) {
	(*customer)(o.router).PeerState(bgp.PeerState{Peer: netip.MustParseAddr(peer), Established: true, State: "established", Families: bgp.IPv4, At: time.Now()})
}

// say announces a prefix from a peer with the AS path, next hop that peer.
func (o *observed) say(peer, prefix string, path ...uint32) {
	o.tell(peer, prefix, rib.Attrs{NextHop: netip.MustParseAddr(peer), ASPath: []rib.Segment{{Type: rib.ASSequence, ASNs: path}}})
}

func (o *observed) tell(peer, prefix string, a rib.Attrs) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rib.SetNow(time.Now())
	o.rib.Announce(o.peers[peer], 0, &a, netip.MustParsePrefix(prefix))
}

func (o *observed) unsay(peer, prefix string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rib.SetNow(time.Now())
	o.rib.Withdraw(o.peers[peer], 0, netip.MustParsePrefix(prefix))
}

// explain is the answer, line by line.
func (o *observed) explain(destination string) string {
	o.t.Helper()
	e, err := o.host.Explain("vbr-acme", destination)
	if err != nil {
		o.t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", e.Prefix, e.Summary)
	for _, p := range e.Paths {
		fmt.Fprintf(&b, "path %s via %s, %s %s, %s: %s\n", p.Route.Source.Name, p.Route.NextHop, p.Route.Attributes.AsPath, p.Route.Verdict, o.since(p.Route.Since.AsTime()), p.Why)
	}
	if k := e.Kernel; k != nil {
		fmt.Fprintf(&b, "kernel %v table %d, %s: %s%s%s\n", k.Installed, k.RouteTableId, o.since(k.Since.AsTime()), hopsText("", k.NextHops), hopsText("else ", k.Backups), k.Why)
	}
	for _, t := range e.Told {
		fmt.Fprintf(&b, "told %s %v, %s: %s\n", t.Neighbour, t.Told, o.since(t.Since.AsTime()), t.Why)
	}
	if e.Next != "" {
		fmt.Fprintf(&b, "next %s\n", e.Next)
	}
	return b.String()
}

func hopsText(before string, hops []*vbrv1.KernelNextHop) (text string) {
	for _, h := range hops {
		text += before + h.Gateway + " " + h.Device + " "
	}
	return text
}

// since is how long ago.
func (o *observed) since(at time.Time) string {
	return time.Since(at).Round(100 * time.Millisecond).String()
}

func (o *observed) want(destination, want string) {
	o.t.Helper()
	if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(o.explain(destination))); diff != "" {
		o.t.Errorf("explain %s (-want +got):\n%s", destination, diff)
	}
}

func TestExplainAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserved(t)
		o.host.backbone.up[rr1] = true
		o.up("10.0.0.2")
		time.Sleep(time.Second)
		o.say("10.0.0.2", "172.20.0.0/16", 65001)
		o.act()
		time.Sleep(10 * time.Second)
		o.want("172.20.9.9", `
172.20.0.0/16: in the kernel by way of 10.0.0.2; told to 1 neighbour
path 10.0.0.2 via 10.0.0.2, 65001 accepted, 10s: best: the only accepted path
kernel true table 10001, 10s: 10.0.0.2 port0 
told ri-acme true, 10s: 
told 10.0.0.2 false, 10s: it came from the customer's side, whose routers tell each other
next no other path: packets would find no route`)
	})
}

// Two that share, one that would follow, one that is rejected, and a shorter prefix below it all.
func TestExplainManyPaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserved(t)
		o.say("10.0.0.2", "172.16.0.0/12", 65001)
		o.say("10.0.0.2", "172.20.0.0/16", 65001, 7)
		o.say("10.0.0.3", "172.20.0.0/16", 65002, 8)
		o.say("10.0.0.4", "172.20.0.0/16", 65003, 9, 9)
		o.tell("10.0.0.4", "172.20.0.0/16", rib.Attrs{NextHop: netip.MustParseAddr("10.0.0.4"), ASPath: []rib.Segment{
			{Type: rib.ASSequence, ASNs: []uint32{65003, 9}}, {Type: rib.ASSet, ASNs: []uint32{10, 11}},
		}})
		o.act()
		o.want("172.20.0.0/16", `
172.20.0.0/16: in the kernel by way of 10.0.0.2 and 1 other; told to nobody
path 10.0.0.2 via 10.0.0.2, 65001 7 accepted, 0s: best: shares the traffic with 1 other path, equal up to RFC 4271 9.1.2.2 d
path 10.0.0.3 via 10.0.0.3, 65002 8 accepted, 0s: best: shares the traffic with 1 other path, equal up to RFC 4271 9.1.2.2 d
path 10.0.0.4 via 10.0.0.4, 65003 9 {10,11} accepted, 0s: backup: loses to 10.0.0.2: AS path of 3 against 2 (shorter, RFC 4271 9.1.2.2 a)
kernel true table 10001, 0s: 10.0.0.2 port0 10.0.0.3 port0 else 10.0.0.4 port0 
told ri-acme false, 0s: no session of the backbone is established
next as long as one of 10.0.0.2, 10.0.0.3 stays, it carries all; then 10.0.0.4 via 10.0.0.4`)
		o.say("10.0.0.3", "172.20.0.0/16", 65002, 64512)
		o.unsay("10.0.0.4", "172.20.0.0/16")
		time.Sleep(time.Second)
		o.act()
		o.want("172.20.0.0/16", `
172.20.0.0/16: in the kernel by way of 10.0.0.2; told to nobody
path 10.0.0.2 via 10.0.0.2, 65001 7 accepted, 1s: best: the only accepted path
path 10.0.0.3 via 10.0.0.3, 65002 64512 as-loop, 1s: as-loop: our AS 64512 is in the AS path (RFC 4271 9.1.2)
kernel true table 10001, 0s: 10.0.0.2 port0 
told ri-acme false, 1s: no session of the backbone is established
next no other path: packets would follow 172.16.0.0/12`)
	})
}

func TestExplainRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserved(t)
		o.up("10.0.0.3")
		o.say("10.0.0.2", "172.20.0.0/16", 65009)
		time.Sleep(3 * time.Second)
		o.act()
		o.want("172.20.0.0/16", `
172.20.0.0/16: rejected: first-as of 10.0.0.2: the AS path begins with 65009, the peer's AS is 65001 (RFC 4271 6.3)
path 10.0.0.2 via 10.0.0.2, 65009 first-as, 3s: first-as: the AS path begins with 65009, the peer's AS is 65001 (RFC 4271 6.3)
kernel false table 10001, 3s: no path is accepted
told ri-acme false, 3s: no path is accepted
told 10.0.0.3 false, 3s: no path is accepted`)
	})
}

// What was withdrawn, and what waits within a window.
func TestExplainWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserved(t)
		o.say("10.0.0.2", "172.16.0.0/12", 65001)
		o.say("10.0.0.2", "172.20.0.0/16", 65001)
		o.act()
		o.unsay("10.0.0.2", "172.20.0.0/16")
		o.act() // within the window: the kernel still has it
		o.want("172.20.0.0/16", `
172.20.0.0/16: no neighbour offers it any more; it is about to leave the kernel
kernel true table 10001, 0s: 10.0.0.2 port0 
told ri-acme false, 0s: no session of the backbone is established`)
		at := time.Now()
		time.Sleep(time.Second)
		o.act()
		o.want("172.20.0.0/16", ": nothing is known of 172.20.0.0/16: no neighbour offers it; 10.0.0.2 withdrew it at "+at.UTC().Format(time.RFC3339)+"; packets follow 172.16.0.0/12")
		o.want("172.20.1.1", "172.16.0.0/12: in the kernel by way of 10.0.0.2; told to nobody"+strings.TrimPrefix(o.explain("172.16.0.0/12"), "172.16.0.0/12: in the kernel by way of 10.0.0.2; told to nobody"))
		o.want("192.168.0.0/16", ": nothing is known of 192.168.0.0/16: no neighbour offers it")
		o.want("2001:db8::1", ": nothing is known of 2001:db8::1/128: no neighbour offers it")
	})
}

func TestExplainRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserved(t)
		o.kernel.Refuse(func(q fibtest.Request) unix.Errno {
			if q.Prefix == netip.MustParsePrefix("172.20.0.0/16") {
				return unix.EBUSY
			}
			return 0
		})
		o.say("10.0.0.2", "172.20.0.0/16", 65001)
		o.act()
		time.Sleep(5 * time.Second)
		o.act()
		o.want("172.20.0.0/16", `
172.20.0.0/16: accepted from 10.0.0.2, but not in the kernel: the kernel refuses it: EBUSY: add 172.20.0.0/16 table 10001: device or resource busy
path 10.0.0.2 via 10.0.0.2, 65001 accepted, 5s: best: the only accepted path
kernel false table 10001, 5s: the kernel refuses it: EBUSY: add 172.20.0.0/16 table 10001: device or resource busy
told ri-acme false, 5s: it is not in the kernel, which refuses it
next no other path: packets would find no route`)
		if got := o.host.RouterStatus("vbr-acme"); got.Routes.Refused != 1 || got.State != vbrv1.RouterStatus_STATE_DEGRADED || !strings.Contains(got.Reasons[0], "routes: the kernel refuses 1 routes") {
			t.Errorf("status: %v", got)
		}
	})
}

// Before the actor has come to it, and while the router has no speaker.
func TestExplainNotWrittenYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserved(t)
		o.say("10.0.0.2", "172.20.0.0/16", 65001)
		if got := o.explain("172.20.0.0/16"); !strings.Contains(got, "not in the kernel: the router is not up yet") {
			t.Errorf("without a speaker: %s", got)
		}
		o.router.speaker = mute{}
		if got := o.explain("172.20.0.0/16"); !strings.Contains(got, "not in the kernel: it is about to be written") {
			t.Errorf("before its turn: %s", got)
		}
		o.act()
		o.unsay("10.0.0.2", "172.20.0.0/16")
		time.Sleep(time.Second)
		o.act()
		o.say("10.0.0.2", "172.20.0.0/16", 65001)
		o.act()
		if got := o.explain("172.20.0.0/16"); !strings.Contains(got, "it changed twice within 100ms: it waits for the next such window") {
			t.Errorf("within the window: %s", got)
		}
		o.router.speaker = nil
		o.degrade("devices", errors.New("port0: no such device"))
		if got := o.explain("172.20.0.0/16"); !strings.Contains(got, "the router is not up: port0: no such device") {
			t.Errorf("with a trouble: %s", got)
		}
		if got := o.explain("10.1.1.1"); !strings.Contains(got, "nothing is known") || !strings.Contains(got, "the router is not up: port0: no such device") {
			t.Errorf("nothing known, with a trouble: %s", got)
		}
	})
}

func TestExplainConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserved(t)
		o.host.backbone.up[rr1] = true
		o.router.records.drained.Store(true)
		o.act()
		o.want("10.0.0.77", `
10.0.0.0/24: connected: a subnet of line port0; told to 1 neighbour
path port0 via ,  accepted, 0s: best: the only accepted path
kernel true table 10001, 0s:  port0 connected: the kernel's own route
told ri-acme true, 0s: 
next no other path: packets would find no route`)
	})
}

func TestBadRequests(t *testing.T) {
	o := newObserved(t)
	none := func([]*vbrv1.Route) error { return nil }
	list := func(edit func(*vbrv1.ListRoutesRequest)) error {
		q := &vbrv1.ListRoutesRequest{Router: "vbr-acme"}
		edit(q)
		return o.host.Routes(t.Context(), q, none)
	}
	explain := func(destination string) error {
		_, err := o.host.Explain("vbr-acme", destination)
		return err
	}
	_, resetErr := o.host.ResetSession("vbr-acme", netip.MustParseAddr("10.0.0.9"), false)
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"no destination", explain(""), `destination: ""; legal: a prefix such as 10.2.3.0/24, or an address such as 10.2.3.4`},
		{"destination of words", explain("ten"), `destination: "ten"; legal: a prefix such as 10.2.3.0/24, or an address such as 10.2.3.4`},
		{"destination too long", explain("10.0.0.0/33"), `destination: "10.0.0.0/33"; legal: a prefix such as 10.2.3.0/24, or an address such as 10.2.3.4`},
		{"destination mapped", explain("::ffff:10.0.0.1"), `destination: "::ffff:10.0.0.1"; legal: a prefix such as 10.2.3.0/24, or an address such as 10.2.3.4`},
		{"destination mapped prefix", explain("::ffff:10.0.0.0/100"), `destination: "::ffff:10.0.0.0/100"; legal: a prefix such as 10.2.3.0/24, or an address such as 10.2.3.4`},
		{"destination with zone", explain("fe80::1%eth0"), `destination: "fe80::1%eth0"; legal: a prefix such as 10.2.3.0/24, or an address such as 10.2.3.4`},
		{"stage", list(func(q *vbrv1.ListRoutesRequest) { q.Stage = 99 }), `stage: "99"; legal: received, accepted, rejected, best, kernel, advertised or exported`},
		{"prefix", list(func(q *vbrv1.ListRoutesRequest) { q.Prefix = "10.0.0.1" }), `prefix: "10.0.0.1"; legal: a prefix such as 10.2.3.0/24 or 2001:db8::/32`},
		{"longer alone", list(func(q *vbrv1.ListRoutesRequest) { q.Longer = true }), `longer: "true"; legal: only together with a prefix`},
		{"family", list(func(q *vbrv1.ListRoutesRequest) { q.Family = -1 }), `family: "-1"; legal: ipv4 or ipv6`},
		{"peer", list(func(q *vbrv1.ListRoutesRequest) { q.Peer = "eth9" }), `peer: "eth9"; legal: one of 10.0.0.2, 10.0.0.3, 10.0.0.4, ri-acme`},
		{"peer told", list(func(q *vbrv1.ListRoutesRequest) { q.Stage, q.Peer = 6, "ri-acme" }), `peer: "ri-acme"; legal: one of 10.0.0.2, 10.0.0.3, 10.0.0.4`},
		{"interface told", list(func(q *vbrv1.ListRoutesRequest) { q.Stage, q.Peer = 7, "10.0.0.2" }), `peer: "10.0.0.2"; legal: one of ri-acme`},
		{"reason", list(func(q *vbrv1.ListRoutesRequest) { q.Reason = "ugly" }), `reason: "ugly"; legal: ` + strings.Join(rib.Reasons(), ", ")},
		{"reason accepted", list(func(q *vbrv1.ListRoutesRequest) { q.Reason = "accepted" }), `reason: "accepted"; legal: ` + strings.Join(rib.Reasons(), ", ")},
		{"peer to reset", resetErr, `peer: "10.0.0.9"; legal: empty for all, or one of 10.0.0.2, 10.0.0.3, 10.0.0.4`},
	} {
		if _, ok := errors.AsType[*RequestError](tt.err); !ok || tt.err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, tt.err, tt.want)
		}
	}
	for name, err := range map[string]error{
		"routes":  o.host.Routes(t.Context(), &vbrv1.ListRoutesRequest{Router: "vbr-x"}, none),
		"explain": func() error { _, err := o.host.Explain("vbr-x", "10.0.0.1"); return err }(),
		"reset":   func() error { _, err := o.host.ResetSession("vbr-x", netip.Addr{}, false); return err }(),
		"drain":   func() error { _, err := o.host.SetDrained("vbr-x", true); return err }(),
	} {
		if !errors.Is(err, ErrNoRouter) || !strings.Contains(err.Error(), "vbr-x") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if o.host.RouterStatus("vbr-x") != nil || o.host.Sessions("vbr-x") != nil {
		t.Error("a router that is not there has a status or sessions")
	}
}
