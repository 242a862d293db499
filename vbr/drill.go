package vbr

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
)

// The verdicts of a failover test; its states are those of drillTransitions.
const (
	testPassed  = "Passed"  // others carried all, with no outage beyond the objective
	testFailed  = "Failed"  // an outage on the way back was longer, or the router did not come back whole
	testAborted = "Aborted" // ended before its time: by an outage beyond the objective, lost redundancy, or the end of vbrd
)

// Bounds and defaults of a failover test (parity with EC's JobDuration; the objective is ours).
const (
	defaultTestMinutes, maxTestMinutes                  = 10, 4320
	defaultObjective, minObjective, maxObjective uint32 = 1000, 100, 60_000 // ms
	maxTestProbes                                       = 8
	namedPrefixes                                       = 8 // of those that would be lost
)

const (
	testTick     = 50 * time.Millisecond
	recheckEvery = time.Second
	baselineTime = 3 * time.Second
	returnLimit  = time.Minute     // for the sessions to come up again
	settleTime   = 3 * time.Second // measured after that
	testsAtOnce  = 16
	testsOfOne   = 4 // of them, of one owner's routers
)

// RefusedError says that something that was asked for rightly is not done, because of how things stand.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string { return e.Why }

// drill is a failover test that runs.
type drill struct {
	host      *Host
	router    *router
	test      *vbrv1.FailoverTest // guarded by drills.mu
	probes    []*measurement
	objective time.Duration
	length    time.Duration
	stop      chan struct{} // closed by StopFailoverTest
	done      chan struct{} // closed when it has ended
	stopped   bool          // stop is closed; guarded by drills.mu
	sessions  uint32        // that were established before
	carried   int           // routes that the VPC side was told before, each as often as it was told
}

// StartFailoverTest takes a VBR out of service as a failure would, for a time, and measures; see router.setOut for what that is and drill.run for the order
// of things. With dry_run it is only said whether it could be done. With an id it starts the test in Init of that id. The error is a *RequestError, a *RefusedError,
// wraps ErrNoRouter, ErrNoTest or ErrNotRunning, or says why the record could not be written. mayProbe says whether the caller may send probes from a router of that owner.
func (h *Host) StartFailoverTest(req *vbrv1.StartFailoverTestRequest, mayProbe func(owner string) bool) (*vbrv1.FailoverTest, error) {
	planned := (*vbrv1.FailoverTest)(nil)
	asked := &vbrv1.FailoverTest{Router: req.GetRouter(), DurationMinutes: req.GetDurationMinutes(), ObjectiveMs: req.GetObjectiveMs(), Probes: req.GetProbes(), JobType: startNow}
	if req.GetId() != "" {
		if req.GetRouter() != "" || req.GetDurationMinutes()+req.GetObjectiveMs() != 0 || len(req.GetProbes()) > 0 {
			return nil, &RequestError{"id", req.GetId(), "alone: the test starts as it was created; or none, and the router"}
		}
		var err error
		if planned, err = h.drills.in(req.GetId(), drillStart); err != nil {
			return nil, err
		}
		asked = planned
	}
	return h.startDrill(asked, planned, req.GetDryRun(), mayProbe)
}

// startDrill starts what was asked for, which is the planned test or a new one.
func (h *Host) startDrill(asked, planned *vbrv1.FailoverTest, dryRun bool, mayProbe func(string) bool) (*vbrv1.FailoverTest, error) {
	d, err := h.newDrill(asked)
	if err != nil {
		return nil, err
	}
	if err := d.precheck(); err != nil {
		return nil, err
	}
	if err := d.aim(asked.GetProbes(), mayProbe); err != nil {
		return nil, err
	}
	if dryRun {
		return d.test, nil
	}
	if !h.isRunning() {
		return nil, ErrNotRunning
	}
	select { // see Host.stop: nothing begins once the host waits for the end of all
	case h.applying.turn <- struct{}{}:
		defer func() { <-h.applying.turn }()
	case <-h.stopped():
		return nil, ErrNotRunning
	}
	now := time.Now()
	d.test.Status, d.test.StartTime, d.test.EndTime = testTesting, stamp(now), stamp(now.Add(d.length))
	if err := h.drills.begin(d, planned); err != nil {
		return nil, err
	}
	h.monitor.setTests(d.test.GetId(), d.probes)
	d.note("begins: " + strings.Join(d.test.GetFindings(), "; "))
	answer := h.drills.copyOf(d.test)
	running := h.running
	h.wg.Go(func() { d.run(running) })
	return answer, nil
}

// newDrill checks what is asked for, but for the probes, and makes a test in Init of it: with the id that it has, or a new one.
func (h *Host) newDrill(asked *vbrv1.FailoverTest) (*drill, error) {
	r := h.router(asked.GetRouter())
	if r == nil {
		return nil, noRouter(asked.GetRouter())
	}
	r.mu.Lock()
	kind, owner := r.spec.kind, r.spec.owner
	r.mu.Unlock()
	if asked.GetId() != "" && asked.GetOwner() != owner { // it was made for a router that is gone, and the name is another's now
		return nil, noRouter(asked.GetRouter())
	}
	now := time.Now()
	t := &vbrv1.FailoverTest{Id: cmp.Or(asked.GetId(), testID(now)), Router: r.name, Owner: owner, Status: testInit, JobType: asked.GetJobType(), StartTime: asked.GetStartTime(),
		DurationMinutes: cmp.Or(asked.GetDurationMinutes(), defaultTestMinutes), ObjectiveMs: cmp.Or(asked.GetObjectiveMs(), defaultObjective), Probes: slices.Clone(asked.GetProbes())}
	switch minutes, objective := t.GetDurationMinutes(), t.GetObjectiveMs(); {
	case minutes > maxTestMinutes:
		return nil, &RequestError{"duration_minutes", fmt.Sprint(minutes), fmt.Sprintf("1..%d, 0 means %d", maxTestMinutes, defaultTestMinutes)}
	case objective < minObjective || objective > maxObjective:
		return nil, &RequestError{"objective_ms", fmt.Sprint(objective), fmt.Sprintf("%d..%d, 0 means %d", minObjective, maxObjective, defaultObjective)}
	case kind != intent.VBR:
		return nil, &RequestError{"router", r.name, "the name of a VirtualBorderRouter; nothing can take over for the router of a VPC"}
	}
	d := &drill{host: h, router: r, test: t, objective: time.Duration(t.GetObjectiveMs()) * time.Millisecond, length: time.Duration(t.GetDurationMinutes()) * time.Minute,
		stop: make(chan struct{}), done: make(chan struct{})}
	if t.GetStartTime() != nil {
		t.EndTime = stamp(t.GetStartTime().AsTime().Add(d.length))
	}
	return d, nil
}

// precheck sees to it that the router can be spared, and notes what there is before.
func (d *drill) precheck() error {
	r := d.router
	r.mu.Lock()
	out, unserved := r.out, r.unserved
	all, up := r.countSessions()
	r.mu.Unlock()
	d.sessions = up
	switch {
	case unserved || !r.isReady():
		return &RefusedError{fmt.Sprintf("router %s is not in service", r.name)}
	case out:
		return &RefusedError{fmt.Sprintf("router %s is out of service already, by another failover test", r.name)}
	}
	lost, by := d.host.unbacked(r)
	if len(lost) > 0 {
		return &RefusedError{fmt.Sprintf("no redundancy: %s; without router %s nothing that this host knows of would carry %s", d.host.missing(r), r.name, someOf(lost))}
	}
	d.carried = d.exported()
	if d.carried == 0 {
		return &RefusedError{fmt.Sprintf("router %s carries nothing to the VPC: there is nothing to test", r.name)}
	}
	d.find("%d routes are told to the VPC side, all of them by %s too; %d of %d sessions are established", d.carried, strings.Join(by, ", "), up, all)
	return nil
}

// someOf names prefixes, not all if they are many.
func someOf(list []netip.Prefix) string {
	if len(list) <= namedPrefixes {
		return strings.Join(texts(list), ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(texts(list[:namedPrefixes]), ", "), len(list)-namedPrefixes)
}

// exported is how many routes of the customer's the VPC side is told, by all router interfaces together.
func (d *drill) exported() (n int) {
	for from := uint32(1); from != 0; {
		var batch []carried
		batch, from = d.router.carries(from)
		n += len(batch)
	}
	return n
}

// find notes a finding; the test must not be known to others, or drills.mu be held.
func (d *drill) find(format string, args ...any) {
	d.test.Findings = append(d.test.Findings, fmt.Sprintf(format, args...))
}

// run is the test: what it measures by is tried out first; then the router goes out of service, till the time is over, it is stopped, an
// outage lasts longer than the objective, or nobody else offers what the router carried; then it comes back, and what that costs is measured too.
func (d *drill) run(ctx context.Context) {
	defer close(d.done)
	defer d.host.monitor.setTests(d.test.GetId(), nil)
	defer d.router.setOut(false)
	if why := d.baseline(ctx); why != "" {
		d.finish(testAborted, why+"; the router was not taken out")
		return
	}
	d.enter("out")
	d.router.setOut(true)
	d.note("router is out of service")
	verdict, why := d.watch(ctx)
	d.enter("back")
	d.router.setOut(false)
	if ctx.Err() != nil {
		d.finish(testAborted, "vbrd ended during the test; the router serves again")
		return
	}
	back := d.comeBack(ctx)
	switch {
	case ctx.Err() != nil && verdict == testPassed:
		verdict, why = testAborted, "vbrd ended during the test; the router serves again"
	case back != "" && verdict == testPassed:
		verdict, why = testFailed, back
	case back != "":
		why += "; " + back
	}
	d.finish(verdict, why)
}

// baseline sees to it that the probes are answered while all is well. Empty: they are.
func (d *drill) baseline(ctx context.Context) string {
	if len(d.probes) == 0 {
		return ""
	}
	if !d.pause(ctx, baselineTime) {
		return "stopped"
	}
	for _, p := range d.probes {
		if sent, lost := d.host.monitor.tally(p, ""); lost > 0 || sent == 0 {
			return fmt.Sprintf("probe %s lost %d of %d before the test", p.path, lost, sent)
		}
	}
	return ""
}

// pause waits; false if the test is to end before.
func (d *drill) pause(ctx context.Context, limit time.Duration) bool {
	select {
	case <-ctx.Done():
	case <-d.stop:
	case <-time.After(limit):
		return true
	}
	return false
}

// watch waits while the router is out of service, and says how it went.
func (d *drill) watch(ctx context.Context) (verdict, why string) {
	end, checked := time.Now().Add(d.length), time.Now()
	backed := d.others()
	for now := time.Now(); now.Before(end); now = time.Now() {
		if !d.pause(ctx, testTick) {
			return testPassed, "ended before its time"
		}
		if p, outage := d.worst(); outage > d.objective {
			return testAborted, fmt.Sprintf("probe %s has had no answer for %d ms, the objective is %d ms", p.path, outage.Milliseconds(), d.objective.Milliseconds())
		}
		if now.Sub(checked) < recheckEvery {
			continue
		}
		checked = now
		if lost := backed(); len(lost) > 0 {
			return testAborted, "nothing carries any more " + someOf(lost)
		}
	}
	return testPassed, ""
}

// others remembers what the router carries, and tells later what of it nobody else offers any more.
func (d *drill) others() func() []netip.Prefix {
	h, r := d.host, d.router
	var all []carried
	for from := uint32(1); from != 0; {
		var batch []carried
		batch, from = r.carries(from)
		all = append(all, batch...)
	}
	return func() (lost []netip.Prefix) {
		known := h.known(r)
		for _, c := range all {
			if h.backs(r, c, known) == "" {
				lost = append(lost, c.prefix)
			}
		}
		return lost
	}
}

// worst is the probe that has been without an answer for the longest time, now or before.
func (d *drill) worst() (*measurement, time.Duration) {
	var worst *measurement
	var longest time.Duration
	for _, p := range d.probes {
		if o := d.host.monitor.outage(p, time.Now()); o >= longest {
			worst, longest = p, o
		}
	}
	return worst, longest
}

// comeBack waits until the router is as it was before, and a little longer; empty if it is, and nothing was lost for longer than the objective.
func (d *drill) comeBack(ctx context.Context) string {
	whole := func() bool {
		d.router.mu.Lock()
		_, up := d.router.countSessions()
		d.router.mu.Unlock()
		return up >= d.sessions && d.exported() >= d.carried
	}
	if !d.host.wait(ctx, returnLimit, whole) {
		return fmt.Sprintf("after %s the router is not as it was: %d routes told of %d", returnLimit, d.exported(), d.carried)
	}
	select {
	case <-ctx.Done():
	case <-time.After(settleTime):
	}
	if p, outage := d.worst(); outage > d.objective {
		return fmt.Sprintf("on the way back probe %s had no answer for %d ms, the objective is %d ms", p.path, outage.Milliseconds(), d.objective.Milliseconds())
	}
	return ""
}

// finish stores the verdict.
func (d *drill) finish(verdict, why string) {
	m := d.host.monitor
	d.host.drills.end(d, func() {
		d.test.Status, d.test.Verdict, d.test.EndTime = testStopped, verdict, stamp(time.Now())
		if why != "" {
			d.find("%s", why)
		}
		for _, p := range d.probes {
			d.test.Measurements = append(d.test.Measurements, m.measurements(p)...)
		}
		if len(d.probes) == 0 {
			d.find("no packets were measured, for no probe was given: others offered the routes, and the router came back, is all that is known")
		}
	})
	d.note(fmt.Sprintf("%s: %s", verdict, strings.Join(d.test.GetFindings(), "; ")))
}

// note adds an event about the test.
func (d *drill) note(text string) {
	d.router.log.Info("failover test", "test", d.test.GetId(), "what", text)
	d.router.note(vbrv1.Event_TYPE_FAILOVER_TEST, d.test.GetId(), text)
}
