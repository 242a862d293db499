package vbr

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/openvbr/openvbr/bgp/evpn"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Every state of a failover test meets every event: what follows is what docs/states.md says, and what is refused says when it is legal.
func TestDrillTransitions(t *testing.T) {
	rows := documented(t, drillEvents)
	for e := range drillEvents {
		for s := range drillStates {
			if got := drillTransitions[s][e].String(); rows[s.String()] == nil || got != rows[s.String()][e] {
				t.Errorf("%s, %s: %s, docs/states.md has %v", s, e, got, rows[s.String()])
			}
			to, err := s.on("ft-1", e)
			var refused *RefusedError
			if (err != nil) != (drillTransitions[s][e] == drillRefuses) || err != nil && (to != s || !errors.As(err, &refused)) {
				t.Errorf("%s, %s: %s, %v", s, e, to, err)
			}
		}
	}
	_, err := drillTesting.on("ft-1", drillDelete)
	if want := "failover test ft-1 is Testing: delete is for one that is Init or Stopped"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// spared is a router that can be spared: another host offers all that it carries, by this route.
func spared(t *testing.T) (*observed, *evpn.Route) {
	o, _ := monitored(t)
	o.up("10.0.0.2")
	o.say("10.0.0.2", "172.20.0.0/16", 65001)
	o.act()
	b := o.host.backbone
	b.wanted[target(t, 7)] = true
	route := &evpn.Route{Key: evpn.Key{RD: routeDistinguisher(gw1, 1), Prefix: netip.MustParsePrefix("172.20.0.0/16")}, NextHop: gw1, VNI: 7, Targets: []evpn.RouteTarget{target(t, 7)}}
	b.mu.Lock()
	b.replace(rr1, route.Key, route)
	b.mu.Unlock()
	return o, route
}

// serves has the host be one that runs, until the test ends.
func (o *observed) serves() {
	o.host.mu.Lock()
	o.host.running = o.t.Context()
	o.host.mu.Unlock()
	o.host.applying.turn = make(chan struct{}, 1)
}

// isOut says whether a failover test has taken the router out.
func (r *router) isOut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out
}

// ends stops a test and does what its router's actor has to, until it has ended.
func (o *observed) ends(id string) {
	o.host.drills.mu.Lock()
	x := o.host.drills.running[id]
	o.host.drills.mu.Unlock()
	close(x.stop)
	for {
		o.router.takeTurn(mute{})
		o.act()
		select {
		case <-x.done:
			o.router.takeTurn(mute{})
			o.act()
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// The way of a test that starts later, with each thing that is refused on it.
func TestFailoverTestLater(t *testing.T) {
	o, _ := spared(t)
	h := o.host
	test, err := h.CreateFailoverTest(&vbrv1.CreateFailoverTestRequest{Router: "vbr-acme", DurationMinutes: 5}, anyOwner)
	if err != nil || test.GetStatus() != testInit || test.GetJobType() != startLater || test.GetStartTime() != nil || test.GetOwner() != "acme" || o.router.isOut() {
		t.Fatalf("%v %v", test, err)
	}
	id := test.GetId()
	var refused *RefusedError
	if _, err := h.StopFailoverTest(id); !errors.As(err, &refused) || !strings.Contains(err.Error(), "is Init: stop is for one that is Testing") {
		t.Error("stop:", err)
	}
	at := timestamppb.New(time.Now().Add(time.Hour))
	test, err = h.UpdateFailoverTest(&vbrv1.UpdateFailoverTestRequest{Id: id, ObjectiveMs: 500, StartTime: at}, anyOwner)
	if err != nil || test.GetDurationMinutes() != 5 || test.GetObjectiveMs() != 500 || test.GetId() != id || test.GetEndTime().AsTime() != at.AsTime().Add(5*time.Minute) {
		t.Fatalf("%v %v", test, err)
	}
	h.drills = loadDrills(h) // vbrd begins anew
	if got := h.FailoverTests(); len(got) != 1 || got[0].GetStatus() != testInit || !got[0].GetStartTime().AsTime().Equal(at.AsTime()) {
		t.Errorf("after a restart: %v", got)
	}
	if test, err = h.UpdateFailoverTest(&vbrv1.UpdateFailoverTestRequest{Id: id, Unscheduled: true}, anyOwner); err != nil || test.GetStartTime() != nil {
		t.Errorf("%v %v", test, err)
	}
	if _, err := h.StartFailoverTest(&vbrv1.StartFailoverTestRequest{Id: id}, anyOwner); !errors.Is(err, ErrNotRunning) {
		t.Error("started by a host that does not run:", err)
	}
	o.serves()
	if test, err = h.StartFailoverTest(&vbrv1.StartFailoverTestRequest{Id: id}, anyOwner); err != nil || test.GetStatus() != testTesting || test.GetId() != id || test.GetJobType() != startLater {
		t.Fatalf("%v %v", test, err)
	}
	for what, do := range map[string]func() error{
		"start": func() error {
			_, err := h.StartFailoverTest(&vbrv1.StartFailoverTestRequest{Id: id}, anyOwner)
			return err
		},
		"update": func() error {
			_, err := h.UpdateFailoverTest(&vbrv1.UpdateFailoverTestRequest{Id: id}, anyOwner)
			return err
		},
		"delete": func() error { _, err := h.DeleteFailoverTest(id); return err },
	} {
		if err := do(); !errors.As(err, &refused) || !strings.Contains(err.Error(), "is Testing: "+what) {
			t.Errorf("%s while it runs: %v", what, err)
		}
	}
	o.ends(id)
	if got := h.FailoverTests(); len(got) != 1 || got[0].GetStatus() != testStopped {
		t.Errorf("%v", got)
	}
	if _, err := h.StartFailoverTest(&vbrv1.StartFailoverTestRequest{Id: id}, anyOwner); !errors.As(err, &refused) || !strings.Contains(err.Error(), "is Stopped: start is for one that is Init") {
		t.Error("started again:", err)
	}
	if _, err := h.DeleteFailoverTest(id); err != nil || len(h.FailoverTests()) != 0 {
		t.Errorf("%v %v", err, h.FailoverTests())
	}
	if _, err := h.DeleteFailoverTest(id); !errors.Is(err, ErrNoTest) {
		t.Error("deleted twice:", err)
	}
	if got := loadDrills(h).tests; len(got) != 0 {
		t.Errorf("still in the file: %v", got)
	}
}

// What cannot be planned.
func TestPlanRefused(t *testing.T) {
	o, _ := spared(t)
	h := o.host
	for want, req := range map[string]*vbrv1.CreateFailoverTestRequest{
		"no such router":          {Router: "vbr-nono"},
		"start_time":              {Router: "vbr-acme", StartTime: timestamppb.New(time.Now().Add(-time.Second))},
		"within 365 days":         {Router: "vbr-acme", StartTime: timestamppb.New(time.Now().Add(366 * 24 * time.Hour))},
		"legal: 1..4320":          {Router: "vbr-acme", DurationMinutes: 4321},
		"legal: 100..60000":       {Router: "vbr-acme", ObjectiveMs: 60001},
		"probes[0]: \"10.0.0.1->": {Router: "vbr-acme", Probes: []string{"10.0.0.1->10.9.9.9"}},
	} {
		if _, err := h.CreateFailoverTest(req, anyOwner); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", req, err, want)
		}
	}
	if test, err := h.CreateFailoverTest(&vbrv1.CreateFailoverTestRequest{Router: "vbr-acme", DryRun: true}, anyOwner); err != nil || !strings.Contains(test.GetFindings()[0], gw1.String()) {
		t.Errorf("%v %v", test, err)
	}
	for i := range plansAtOnce {
		if _, err := h.CreateFailoverTest(&vbrv1.CreateFailoverTestRequest{Router: "vbr-acme"}, anyOwner); err != nil {
			t.Fatal(i, err)
		}
	}
	var refused *RefusedError
	if _, err := h.CreateFailoverTest(&vbrv1.CreateFailoverTestRequest{Router: "vbr-acme"}, anyOwner); !errors.As(err, &refused) || len(h.FailoverTests()) != plansAtOnce {
		t.Error("one too many:", err)
	}
	var bad *RequestError
	id := h.FailoverTests()[0].GetId()
	if _, err := h.UpdateFailoverTest(&vbrv1.UpdateFailoverTestRequest{Id: id, Unscheduled: true, StartTime: timestamppb.New(time.Now().Add(time.Hour))}, anyOwner); !errors.As(err, &bad) {
		t.Error("both:", err)
	}
	if _, err := h.StartFailoverTest(&vbrv1.StartFailoverTestRequest{Id: id, Router: "vbr-acme"}, anyOwner); !errors.As(err, &bad) || bad.Field != "id" {
		t.Error("both:", err)
	}
}

// One owner's plans leave the others room. The provider is held to the host's limit alone, also for the owner's routers.
func TestPlansOfOneOwner(t *testing.T) {
	o, _ := spared(t)
	h := o.host
	create := func(owner string, mayProbe func(string) bool) error {
		o.router.mu.Lock()
		o.router.spec.owner = owner
		o.router.mu.Unlock()
		_, err := h.CreateFailoverTest(&vbrv1.CreateFailoverTestRequest{Router: "vbr-acme"}, mayProbe)
		return err
	}
	tenant := func(owner string) error { return create(owner, func(o string) bool { return o == owner }) }
	for i := range plansOfOne {
		if err := tenant("acme"); err != nil {
			t.Fatal(i, err)
		}
	}
	const want = `10 failover tests of routers of owner "acme" are to start later, and 10 is the limit of an owner; wait until one has started, or delete one`
	var refused *RefusedError
	if err := tenant("acme"); !errors.As(err, &refused) || err.Error() != want || len(h.FailoverTests()) != plansOfOne {
		t.Errorf("one too many: %v\nwant %s", err, want)
	}
	if err := tenant("beta"); err != nil {
		t.Error("another owner's:", err)
	}
	if err := create("acme", anyOwner); err != nil {
		t.Error("the provider's:", err)
	}
	for _, test := range h.FailoverTests()[2:4] { // two of 11 that are acme's
		if _, err := h.DeleteFailoverTest(test.GetId()); err != nil {
			t.Fatal(err)
		}
	}
	if err := tenant("acme"); err != nil {
		t.Error("after two were deleted:", err)
	}
}

// One owner's running tests leave the others room, and so do those that have ended in the record.
func TestDrillsOfOneOwner(t *testing.T) {
	h := &Host{opts: testOptions(), log: slog.New(slog.DiscardHandler)}
	d := &drills{host: h, path: filepath.Join(t.TempDir(), testsFile), running: make(map[string]*drill), changed: make(chan struct{}, 1)}
	n := 0
	begin := func(owner string) error {
		n++
		test := &vbrv1.FailoverTest{Id: fmt.Sprint(n), Owner: owner, Status: testTesting}
		return d.begin(&drill{router: &router{name: fmt.Sprint("vbr-", n)}, test: test}, nil)
	}
	for range testsOfOne {
		for _, owner := range []string{"acme", ""} {
			if err := begin(owner); err != nil {
				t.Fatal(err)
			}
		}
	}
	const want = `4 failover tests of routers of owner "acme" run, which is the limit of an owner; wait until one has ended, or stop one`
	if err := begin("acme"); err == nil || err.Error() != want {
		t.Errorf("one too many: %v\nwant %s", err, want)
	}
	for _, owner := range []string{"beta", "", ""} {
		if err := begin(owner); err != nil {
			t.Errorf("%q: %v", owner, err)
		}
	}
	ended := func(owner string, count int) {
		d.mu.Lock()
		defer d.mu.Unlock()
		for range count {
			n++
			d.tests = append(d.tests, &vbrv1.FailoverTest{Id: fmt.Sprint(n), Owner: owner, Status: testStopped, EndTime: timestamppb.Now()})
		}
		if err := d.save(); err != nil {
			t.Fatal(err)
		}
	}
	ended("beta", 3)
	ended("acme", maxTests)
	kept := make(map[string]int)
	for _, x := range d.tests {
		kept[x.GetOwner()+" "+x.GetStatus()]++
	}
	if kept["beta "+testStopped] != 3 || len(d.tests) != maxTests || kept["acme "+testTesting] != testsOfOne {
		t.Errorf("kept: %v", kept)
	}
}

// A test starts by itself when it is time; one that is refused for a minute, or whose time passed without vbrd, ends and says why.
func TestFailoverTestAlone(t *testing.T) {
	o, _ := spared(t)
	h := o.host
	o.serves()
	at := time.Now().Add(time.Hour)
	plan := func() string {
		test, err := h.CreateFailoverTest(&vbrv1.CreateFailoverTestRequest{Router: "vbr-acme", StartTime: timestamppb.New(at)}, anyOwner)
		if err != nil {
			t.Fatal(err)
		}
		return test.GetId()
	}
	status := func(id string) string {
		for _, x := range h.FailoverTests() {
			if x.GetId() == id {
				return fmt.Sprint(x.GetStatus(), " ", x.GetVerdict(), " ", x.GetFindings()[len(x.GetFindings())-1])
			}
		}
		return ""
	}
	id := plan()
	if pause := h.startDue(at.Add(-time.Second)); pause != time.Second || !strings.HasPrefix(status(id), testInit) {
		t.Errorf("a second before: %v, %s", pause, status(id))
	}
	if pause := h.startDue(at.Add(-time.Hour)); pause != lookAgain {
		t.Errorf("an hour before: %v", pause)
	}
	h.startDue(at)
	if !strings.HasPrefix(status(id), testTesting) {
		t.Errorf("at its time: %s", status(id))
	}
	o.ends(id)

	o.say("10.0.0.2", "172.21.0.0/16", 65001) // nobody else has that
	o.act()
	id = plan()
	if pause := h.startDue(at); pause != lateRetry || !strings.HasPrefix(status(id), testInit) {
		t.Errorf("refused: %v, %s", pause, status(id))
	}
	h.startDue(at.Add(lateLimit - time.Second))
	want := "Stopped Aborted it could not start at " + at.UTC().Format(time.RFC3339) + ": no redundancy: no other VBR or host offers them under the route targets of ri-acme: 64600:7 (failover group: none); " +
		"without router vbr-acme nothing that this host knows of would carry 172.21.0.0/16; the router was not taken out"
	if got := status(id); got != want || o.router.isOut() {
		t.Errorf("refused for a minute: %s\nwant %s", got, want)
	}
	id = plan()
	h.startDue(at.Add(lateLimit))
	if got := status(id); !strings.Contains(got, "vbrd did not run then") {
		t.Errorf("too late: %s", got)
	}
	if kept := loadDrills(h); kept.tests[len(kept.tests)-1].GetVerdict() != testAborted {
		t.Errorf("not kept: %v", kept.tests)
	}
}

// A test that was planned for a router is none of another owner's that has its name later: for who planned it there is no router.
func TestPlanOfAnotherOwner(t *testing.T) {
	o, _ := spared(t)
	h := o.host
	o.serves()
	at := time.Now().Add(time.Hour)
	var ids []string
	for _, start := range []*timestamppb.Timestamp{nil, timestamppb.New(at)} {
		test, err := h.CreateFailoverTest(&vbrv1.CreateFailoverTestRequest{Router: "vbr-acme", StartTime: start}, anyOwner)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, test.GetId())
	}
	o.router.mu.Lock()
	o.router.spec.owner = "beta"
	o.router.mu.Unlock()
	for _, dryRun := range []bool{true, false} {
		if test, err := h.StartFailoverTest(&vbrv1.StartFailoverTestRequest{Id: ids[0], DryRun: dryRun}, anyOwner); !errors.Is(err, ErrNoRouter) {
			t.Errorf("started, dry run %v: %v %v", dryRun, test, err)
		}
	}
	if test, err := h.UpdateFailoverTest(&vbrv1.UpdateFailoverTestRequest{Id: ids[0], DurationMinutes: 7}, anyOwner); !errors.Is(err, ErrNoRouter) {
		t.Errorf("changed: %v %v", test, err)
	}
	h.startDue(at)
	h.startDue(at.Add(lateLimit - time.Second))
	for _, test := range h.FailoverTests() {
		if test.GetStatus() == testTesting || test.GetOwner() != "acme" || test.GetId() == ids[1] && test.GetVerdict() != testAborted {
			t.Errorf("at its time: %v", test)
		}
	}
	if o.router.isOut() {
		t.Error("the other owner's router is out of service")
	}
	if _, err := h.DeleteFailoverTest(ids[0]); err != nil {
		t.Error(err)
	}
}

// The reason of a refusal names what redundancy would have to be there: with a pair on the host, the VPC's other way.
func TestFailoverTestNoRedundancy(t *testing.T) {
	c := newCouple(t)
	h := c.vbr.host
	h.monitor = newMonitor(h)
	h.opts.StateDir = t.TempDir()
	h.drills = loadDrills(h)
	c.say(netip.MustParsePrefix("172.20.0.0/16"))
	c.act(t)
	_, err := h.StartFailoverTest(&vbrv1.StartFailoverTestRequest{Router: "vbr-acme"}, anyOwner)
	var refused *RefusedError
	const want = "no redundancy: router vpc-acme has them by no other router interface than ri-vpc; without router vbr-acme nothing that this host knows of would carry 172.20.0.0/16"
	if !errors.As(err, &refused) || refused.Why != want || c.vbr.isOut() || len(h.FailoverTests()) != 0 {
		t.Errorf("%v\nwant %s", err, want)
	}
}
