package vbr

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/openvbr/openvbr/fib/fibtest"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/events"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/link"
	"github.com/openvbr/openvbr/vbr/rib"
)

// couple are two routers of one host with a pair between them, on a kernel that does as it is told: a VBR with a line, and a VPC.
type couple struct {
	vbr, vpc *router
	peer     rib.SourceID // the VBR's customer
	kernel   *fibtest.Kernel
}

func newCouple(t *testing.T) *couple {
	f := newFakeRouter(t)
	h := f.router.host
	h.events, h.drains = events.NewLog(1000), loadDrains(t.TempDir(), h.log)
	h.routers = make(map[string]*router)
	f.kernel.AddDevice(3, "rv-line")
	f.kernel.AddDevice(4, "rv-vpc")
	c := &couple{vbr: f.router, peer: f.source, kernel: f.kernel}
	line := riSpec{name: "ri-line", owner: "acme", opposite: "ri-vpc", oppositeOwner: "acme", cable: &cable{router: "vpc-acme"}}
	vpc := riSpec{name: "ri-vpc", owner: "acme", opposite: "ri-line", oppositeOwner: "acme", accepting: true, cable: &cable{router: "vbr-acme"}}
	c.vpc = newRouter(h, &spec{kind: intent.VRouter, name: "vpc-acme", link: link.Router{Table: 10002}})
	cidr := netip.MustParsePrefix("10.100.0.0/16")
	for r, s := range map[*router]*spec{
		c.vbr: {name: "vbr-acme", asn: 64512, link: link.Router{Table: 10001, Pairs: []link.Pair{{Device: "rv-line"}}}, ris: []riSpec{line}},
		c.vpc: {
			kind: intent.VRouter, name: "vpc-acme", link: link.Router{Table: 10002, Pairs: []link.Pair{{Device: "rv-vpc"}}}, ris: []riSpec{vpc},
			cidrs: []netip.Prefix{cidr}, rules: rib.Rules{CIDRs: []netip.Prefix{cidr}},
		},
	} {
		for i := range s.ris {
			s.ris[i].link, s.ris[i].far = linkAddresses(&s.ris[i])
			s.ris[i].mac = vethMAC(s.ris[i].name, s.ris[i].opposite)
		}
		h.keepRouter(r)
		r.setReady()
		r.mu.Lock()
		r.spec = s
		r.rib.SetRules(s.rules)
		r.sessions = make(map[netip.Addr]*session)
		r.forgetSources()
		r.spec = s
		r.arrange(s, link.State{Pairs: []link.Device{{Index: 3 + boolIndex(r == c.vpc), Up: true}}})
		r.vpc[0].mated = true // nobody teaches this kernel neighbours
		r.mu.Unlock()
	}
	return c
}

// act has both actors do what there is to do, until nothing is left.
func (c *couple) act(t *testing.T) {
	for range 20 {
		for _, r := range []*router{c.vbr, c.vpc} {
			r.mu.Lock()
			r.rib.NextWindow()
			r.mu.Unlock()
			r.settleInterfaces()
			r.flush(t.Context(), mute{})
			r.settleInterfaces()
			r.endTelling()
		}
		if !c.vbr.isUnsettled() && !c.vpc.isUnsettled() && len(c.vbr.wake)+len(c.vpc.wake) == 0 {
			return
		}
		for _, r := range []*router{c.vbr, c.vpc} {
			select {
			case <-r.wake:
			default:
			}
		}
	}
	t.Fatal("no rest in sight")
}

// turnOff deactivates or activates one end, as a change of the spec does.
func (c *couple) turnOff(r *router, off bool) {
	s := *r.spec
	s.ris = slices.Clone(s.ris)
	s.ris[0].deactivated = off
	r.mu.Lock()
	r.arrange(&s, r.state)
	r.vpc[0].mated = true
	r.mu.Unlock()
}

// came are the prefixes that came through the router's end.
func came(r *router) map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]bool)
	var rows []rib.Row
	rows, _ = r.rib.Scan(1, 1<<20, &rib.Filter{Stage: rib.StageReceived, Source: r.vpc[0].ri.name}, rows)
	for _, x := range rows {
		all[x.Prefix.String()] = true
	}
	return all
}

func (c *couple) say(p netip.Prefix) {
	c.vbr.mu.Lock()
	defer c.vbr.mu.Unlock()
	c.vbr.rib.Announce(c.peer, 0, &rib.Attrs{NextHop: netip.MustParseAddr("10.0.0.2"), ASPath: []rib.Segment{{Type: rib.ASSequence, ASNs: []uint32{65001}}}}, p)
}

func TestLocalPair(t *testing.T) {
	c := newCouple(t)
	p := netip.MustParsePrefix("172.20.0.0/16")
	c.say(p)
	c.say(netip.MustParsePrefix("10.100.7.0/24")) // the VPC's own
	c.act(t)
	states := func() string {
		return c.vbr.interfaces["ri-line"].state.String() + " " + c.vpc.interfaces["ri-vpc"].state.String()
	}
	if got := states(); got != "Active Active" {
		t.Fatalf("%s: %s, %s", got, c.vbr.interfaces["ri-line"].why, c.vpc.interfaces["ri-vpc"].why)
	}
	if got := came(c.vbr); !maps.Equal(got, map[string]bool{"10.100.0.0/16": true}) {
		t.Errorf("the VBR has %v", got)
	}
	paths := c.vpc.rib.Lookup(p)
	if len(paths) != 1 || paths[0].Attrs.NextHop != c.vpc.vpc[0].ri.far || !paths[0].Best {
		t.Errorf("the VPC's path: %+v", paths)
	}
	if own := c.vpc.rib.Lookup(netip.MustParsePrefix("10.100.7.0/24")); len(own) != 0 { // the VBR itself takes it for the VPC's
		t.Errorf("%+v", own)
	}
	c.turnOff(c.vpc, true)
	c.act(t)
	if got := states(); got != "Inactive Inactive" {
		t.Errorf("deactivated at the VPC: %s", got)
	}
	if a, b := came(c.vbr), came(c.vpc); len(a)+len(b) > 0 {
		t.Errorf("left over: %v, %v", a, b)
	}
	c.turnOff(c.vpc, false)
	c.act(t)
	c.vpc.partWith(c.vpc.spec.ris)
	c.vbr.settleInterfaces()
	if got := c.vbr.interfaces["ri-line"].state; got != riConnecting || len(came(c.vbr)) > 0 {
		t.Errorf("the VPC's end is deleted: %s, %v", got, came(c.vbr))
	}
	var texts []string
	all, _ := c.vbr.host.events.After(0, 1000)
	for _, e := range all {
		if e.GetType() == vbrv1.Event_TYPE_ROUTER_INTERFACE && e.GetSubject() == "ri-line" {
			texts = append(texts, strings.SplitN(e.GetText(), ":", 2)[0])
		}
	}
	want := []string{
		"Connecting, was Idle", "Activating, was Connecting", "Active, was Activating", "Deactivating, was Active", "Inactive, was Deactivating",
		"Activating, was Inactive", "Active, was Activating", "Connecting, was Active",
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// Whatever comes and goes at either end, in the end each has what the other tells, or nothing when one is off.
func TestLocalPairProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newCouple(t)
		prefixes := []netip.Prefix{netip.MustParsePrefix("172.20.0.0/16"), netip.MustParsePrefix("172.21.0.0/16"), netip.MustParsePrefix("2001:db8:7::/48")}
		said, off := make(map[string]bool), [2]bool{}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0:
				p := rapid.SampledFrom(prefixes[:2]).Draw(rt, "prefix")
				c.say(p)
				said[p.String()] = true
			case 1:
				p := rapid.SampledFrom(prefixes).Draw(rt, "prefix")
				c.vbr.mu.Lock()
				c.vbr.rib.Withdraw(c.peer, 0, p)
				c.vbr.mu.Unlock()
				delete(said, p.String())
			case 2:
				i := rapid.IntRange(0, 1).Draw(rt, "end")
				off[i] = !off[i]
				c.turnOff([]*router{c.vbr, c.vpc}[i], off[i])
			case 3:
				r := []*router{c.vbr, c.vpc}[rapid.IntRange(0, 1).Draw(rt, "who")]
				r.settleInterfaces()
				r.flush(t.Context(), mute{})
			}
		}
		c.act(t)
		wantVPC, wantVBR := said, map[string]bool{"10.100.0.0/16": true}
		if off[0] || off[1] {
			wantVPC, wantVBR = nil, nil
		}
		if got := came(c.vpc); !maps.Equal(got, wantVPC) {
			rt.Fatalf("the VPC has %v, want %v", got, wantVPC)
		}
		if got := came(c.vbr); !maps.Equal(got, wantVBR) {
			rt.Fatalf("the VBR has %v, want %v", got, wantVBR)
		}
	})
}

// Both actors at work, and others looking on: for the race detector.
func TestLocalPairRaces(t *testing.T) {
	c := newCouple(t)
	var wg sync.WaitGroup
	until := time.Now().Add(300 * time.Millisecond)
	loop := func(f func(int)) {
		wg.Go(func() {
			for i := 0; time.Now().Before(until); i++ {
				f(i)
			}
		})
	}
	for i, r := range []*router{c.vbr, c.vpc} {
		loop(func(n int) {
			if n%10 == 0 {
				c.turnOff(r, n/10%(3+i) == 0)
			}
			r.settleInterfaces()
			r.flush(t.Context(), mute{})
			r.endTelling()
		})
		loop(func(int) { r.host.RouterStatus(r.name); r.unsettle(); time.Sleep(time.Millisecond) })
		loop(func(int) { _, _ = r.host.Explain(r.name, "10.100.0.0/16"); time.Sleep(time.Millisecond) })
	}
	loop(func(n int) {
		c.say(netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 20, byte(n), 0}), 24))
		time.Sleep(time.Millisecond)
	})
	wg.Wait()
	c.turnOff(c.vbr, false)
	c.turnOff(c.vpc, false)
	c.act(t)
	if got := came(c.vbr); !maps.Equal(got, map[string]bool{"10.100.0.0/16": true}) {
		t.Errorf("the VBR has %v", got)
	}
}

// After a restart a pair begins as the predecessor had it, for the opposite may be late; not for longer than what was adopted stays.
func TestPairResumes(t *testing.T) {
	c := newCouple(t)
	c.vbr.mu.Lock()
	c.vbr.adopted[3] = c.vbr.rib.AddSource(adoptedSource(rib.RouterInterface, 3, &c.vbr.spec.ris[0]))
	c.vbr.rib.Announce(c.vbr.adopted[3], 0, &rib.Attrs{NextHop: c.vbr.vpc[0].ri.far}, netip.MustParsePrefix("10.100.0.0/16"))
	c.vbr.mu.Unlock()
	c.vbr.settleInterfaces()
	c.vbr.flush(t.Context(), mute{})
	if x := c.vbr.interfaces["ri-line"]; x.state != riActive || c.vbr.fib.Len() != 1 {
		t.Fatalf("alone: %s %s, %d routes", x.state, x.why, c.vbr.fib.Len())
	}
	c.vbr.sweepAt = time.Now().Add(time.Minute)
	c.vbr.sweepIfDue(t.Context(), mute{})
	if c.vbr.swept {
		t.Error("swept before the opposite has told all")
	}
	c.vbr.sweepAt = time.Now().Add(-time.Second)
	c.vbr.rib.NextWindow()
	c.vbr.sweepIfDue(t.Context(), mute{})
	c.vbr.settleInterfaces()
	c.vbr.flush(t.Context(), mute{})
	if x := c.vbr.interfaces["ri-line"]; x.state != riConnecting || c.vbr.fib.Len() != 0 {
		t.Errorf("the opposite never came: %s, %d routes", x.state, c.vbr.fib.Len())
	}
	c.act(t)
	if x := c.vbr.interfaces["ri-line"]; x.state != riActive {
		t.Errorf("it came late: %s %s", x.state, x.why)
	}
}

// The far end hears that it has been told all when it has: not when the customer is through and its routes are still on their way.
func TestPairIsToldAllBeforeTheEnd(t *testing.T) {
	c := newCouple(t)
	peer, p := netip.MustParseAddr("10.0.0.2"), netip.MustParsePrefix("172.20.0.0/16")
	c.vbr.mu.Lock()
	c.vbr.sessions[peer] = &session{source: c.peer, device: 2, hops: make(map[netip.Addr]bool)}
	c.vbr.mu.Unlock()
	c.act(t)
	c.say(p)
	(*customer)(c.vbr).EndOfRIB(peer, false)
	c.vbr.endTelling()
	if c.vpc.vpc[0].synced {
		t.Error("the end was told before the route")
	}
	c.act(t)
	if !c.vpc.vpc[0].synced || !came(c.vpc)[p.String()] {
		t.Errorf("the end was told: %v, and %v came", c.vpc.vpc[0].synced, came(c.vpc))
	}
}
