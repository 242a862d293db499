package vbr

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/evpn"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/probe"
)

func anyOwner(string) bool { return true }

// What cannot be a failover test, and one that would lose routes.
func TestFailoverTestRefused(t *testing.T) {
	o, _ := monitored(t)
	o.up("10.0.0.2")
	for _, p := range []string{"172.20.0.0/16", "172.21.0.0/16", "172.22.0.0/16", "172.23.0.0/16", "172.24.0.0/16", "172.25.0.0/16", "172.26.0.0/16", "172.27.0.0/16", "172.28.0.0/16"} {
		o.say("10.0.0.2", p, 65001)
	}
	o.act()
	for _, tt := range []struct {
		req  *vbrv1.StartFailoverTestRequest
		want string
	}{
		{&vbrv1.StartFailoverTestRequest{Router: "vbr-nono"}, "no such router"},
		{&vbrv1.StartFailoverTestRequest{Router: "vbr-acme", DurationMinutes: 4321}, "legal: 1..4320"},
		{&vbrv1.StartFailoverTestRequest{Router: "vbr-acme", ObjectiveMs: 99}, "legal: 100..60000"},
		{&vbrv1.StartFailoverTestRequest{Router: "vbr-acme"}, "would carry 172.20.0.0/16, 172.21.0.0/16, 172.22.0.0/16, 172.23.0.0/16, 172.24.0.0/16, 172.25.0.0/16, 172.26.0.0/16, 172.27.0.0/16 and 1 more"},
	} {
		if _, err := o.host.StartFailoverTest(tt.req, anyOwner); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %s", tt.req, err, tt.want)
		}
	}
	o.router.spec.kind = intent.VRouter
	var bad *RequestError
	if _, err := o.host.StartFailoverTest(&vbrv1.StartFailoverTestRequest{Router: "vbr-acme"}, anyOwner); !errors.As(err, &bad) || bad.Field != "router" {
		t.Error("a VRouter is taken out:", err)
	}
	if len(o.host.FailoverTests()) != 0 {
		t.Error("refused ones are recorded")
	}
}

// Another host's VBR offers all under the same route target: then the router can be spared.
func TestFailoverTestDryRun(t *testing.T) {
	o, offered := spared(t)
	b := o.host.backbone
	req := &vbrv1.StartFailoverTestRequest{Router: "vbr-acme", DryRun: true}
	test, err := o.host.StartFailoverTest(req, anyOwner)
	if err != nil || test.GetStatus() != testInit || test.GetDurationMinutes() != 10 || test.GetObjectiveMs() != 1000 || !strings.Contains(test.GetFindings()[0], gw1.String()) {
		t.Errorf("%v %v", test, err)
	}
	for _, minutes := range []uint32{1, 4320} {
		req.DurationMinutes = minutes
		if test, err := o.host.StartFailoverTest(req, anyOwner); err != nil || test.GetDurationMinutes() != minutes {
			t.Errorf("%d minutes: %v %v", minutes, test, err)
		}
	}
	req.Probes = []string{"10.9.9.9->172.20.0.1"}
	if _, err := o.host.StartFailoverTest(req, anyOwner); err == nil || !strings.Contains(err.Error(), "probes[0]") {
		t.Error("a probe from nowhere:", err)
	}
	o.say("10.0.0.2", "172.21.0.0/16", 65001)
	o.act()
	of := *offered // the failover group's other VBR, on another host, under a route target of its own pair
	of.Prefix, of.Targets = netip.MustParsePrefix("172.21.0.0/16"), []evpn.RouteTarget{target(t, 8)}
	in := &intent.Intent{Routers: []intent.Router{{Name: "vbr-acme", Host: "edge1"}, {Name: "vbr-two", Host: "edge2"}},
		RouterInterfaces: []intent.RouterInterface{{Name: "ri-acme", Router: "vbr-acme", RouteTarget: "64600:7"}, {Name: "ri-two", Router: "vbr-two", RouteTarget: "64600:8"}},
		Groups:           []intent.Group{{Name: "ha", VBR: "vbr-two", Peer: "vbr-acme"}}}
	o.host.drills.group(in.On("edge1").On("edge1"))
	b.want(o.host.targets([]*spec{o.router.spec}, nil))
	b.mu.Lock()
	b.replace(rr1, of.Key, &of)
	b.mu.Unlock()
	if _, err := o.host.StartFailoverTest(&vbrv1.StartFailoverTestRequest{Router: "vbr-acme", DryRun: true}, anyOwner); err != nil {
		t.Error("with the group's other VBR:", err)
	}
	in.RouterInterfaces[1].OppositeRouter, in.RouterInterfaces[1].Opposite = "vpc-shop", "ri-shop" // to another VPC it is nobody's help
	o.host.drills.group(in.On("edge1"))
	if _, err := o.host.StartFailoverTest(&vbrv1.StartFailoverTestRequest{Router: "vbr-acme", DryRun: true}, anyOwner); err == nil || !strings.HasSuffix(err.Error(), "would carry 172.21.0.0/16") {
		t.Error("by a router interface to another VPC:", err)
	}
	o.host.drills.group(&intent.Intent{})
	if _, err := o.host.StartFailoverTest(req, anyOwner); err == nil || !strings.HasSuffix(err.Error(), "would carry 172.21.0.0/16") {
		t.Error(err)
	}
}

// The record: a test that ran when the process ended is aborted, what is older than a year goes, a damaged one is set aside.
func TestFailoverTestRecord(t *testing.T) {
	o, _ := monitored(t)
	d := o.host.drills
	now := time.Now()
	d.tests = []*vbrv1.FailoverTest{
		{Id: "old", Status: testStopped, EndTime: stamp(now.Add(-366 * 24 * time.Hour))},
		{Id: "almost", Status: testStopped, EndTime: stamp(now.Add(-364 * 24 * time.Hour))},
		{Id: "done", Router: "vbr-acme", Status: testStopped, Verdict: testPassed, EndTime: stamp(now)},
		{Id: "runs", Router: "vbr-acme", Status: testTesting, EndTime: stamp(now.Add(time.Hour))},
	}
	if err := d.save(); err != nil {
		t.Fatal(err)
	}
	o.host.drills = loadDrills(o.host)
	tests := o.host.FailoverTests()
	if len(tests) != 3 || tests[2].GetId() != "almost" || tests[0].GetId() != "runs" || tests[0].GetVerdict() != testAborted || tests[0].GetStatus() != testStopped || tests[0].GetEndTime().AsTime().After(now.Add(time.Minute)) {
		t.Errorf("%v", tests)
	}
	if said := o.said(vbrv1.Event_TYPE_FAILOVER_TEST); len(said) != 1 {
		t.Errorf("said %q", said)
	}
	if again := loadDrills(o.host); again.tests[2].GetVerdict() != testAborted {
		t.Errorf("not kept: %v", again.tests)
	}
	var refused *RefusedError
	if _, err := o.host.StopFailoverTest("done"); !errors.As(err, &refused) {
		t.Error(err)
	}
	if _, err := o.host.StopFailoverTest("nono"); !errors.Is(err, ErrNoTest) {
		t.Error(err)
	}
	if err := os.WriteFile(d.path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d := loadDrills(o.host); len(d.tests) != 0 || len(o.said(vbrv1.Event_TYPE_STORE)) != 1 {
		t.Errorf("%v %q", d.tests, o.said(vbrv1.Event_TYPE_STORE))
	}
}

// An outage is the time between two answered requests, less the interval; one that lasts counts from when the next but one is due.
func TestOutage(t *testing.T) {
	m := &monitor{}
	x := &measurement{check: probe.Check{Interval: 100 * time.Millisecond}, parts: make(map[string]*part)}
	at := time.Unix(1_000_000, 0)
	result := func(ok bool) {
		x.observe(probe.Result{Sent: at, OK: ok})
		at = at.Add(100 * time.Millisecond)
	}
	result(true)
	x.phase = "out"
	result(false)
	result(false)
	if got := m.outage(x, at); got != 100*time.Millisecond {
		t.Errorf("while it lasts %v", got)
	}
	result(true)
	if got := m.outage(x, at); got != 200*time.Millisecond {
		t.Errorf("after it %v", got)
	}
	x.phase = "back"
	result(true)
	if got := m.outage(x, at); got != 0 {
		t.Errorf("in the next phase %v", got)
	}
	got := m.measurements(x)
	if len(got) != 2 || got[0].GetSent() != 3 || got[0].GetLost() != 2 || got[0].GetConvergenceMs() != 200 || got[1].GetSent() != 1 || got[1].GetLost() != 0 {
		t.Errorf("%v", got)
	}
}

// Out of service, nothing leads through the router, its peers go, and all comes back.
func TestOutOfService(t *testing.T) {
	o, _ := monitored(t)
	r := o.router
	o.up("10.0.0.2")
	o.say("10.0.0.2", "172.20.0.0/16", 65001)
	o.vpcSays("10.7.0.0/16")
	o.act()
	kernel := func() int { return len(r.rib.Best()) }
	before := kernel()
	r.setOut(true)
	r.takeTurn(mute{})
	o.act()
	if got := kernel(); got != 0 || len(r.peersNow(r.spec)) != 0 {
		t.Errorf("out of service: %d routes, %d peers", got, len(r.peersNow(r.spec)))
	}
	r.setOut(false)
	r.takeTurn(mute{})
	o.act()
	if got := kernel(); got != before || before == 0 || len(r.peersNow(r.spec)) != 3 {
		t.Errorf("back: %d routes of %d, %d peers", got, before, len(r.peersNow(r.spec)))
	}
}
