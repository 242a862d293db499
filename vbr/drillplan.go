package vbr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

const (
	plansAtOnce = 100 // tests in Init
	plansOfOne  = 10  // of them, of one owner's routers, unless the provider makes more
	planAhead   = 365 * 24 * time.Hour
	// lateLimit is how long after its time a test still starts by itself: what was in the way may have gone, and vbrd may have been begun anew.
	lateLimit = time.Minute
	lateRetry = 2 * time.Second
	// lookAgain bounds the wait for the next start: somebody may set the clock.
	lookAgain = 10 * time.Second
)

// CreateFailoverTest stores a test in Init, which starts later. The error is as that of StartFailoverTest. That the router can be spared is no condition: the findings
// say whether it could be now, and it is judged when the test starts. Who may probe from routers that are no owner's is the provider, and may have plansAtOnce; others plansOfOne.
func (h *Host) CreateFailoverTest(req *vbrv1.CreateFailoverTestRequest, mayProbe func(owner string) bool) (*vbrv1.FailoverTest, error) {
	asked := &vbrv1.FailoverTest{Router: req.GetRouter(), DurationMinutes: req.GetDurationMinutes(), ObjectiveMs: req.GetObjectiveMs(), Probes: req.GetProbes(),
		StartTime: req.GetStartTime(), JobType: startLater}
	t, err := h.planned(asked, mayProbe)
	if err != nil || req.GetDryRun() {
		return t, err
	}
	if err := h.drills.plan(t, mayProbe("")); err != nil {
		return nil, err
	}
	h.noteTest(t, "created, "+startText(t))
	return proto.CloneOf(t), nil
}

// UpdateFailoverTest changes a test in Init. The error is as that of StartFailoverTest.
func (h *Host) UpdateFailoverTest(req *vbrv1.UpdateFailoverTestRequest, mayProbe func(owner string) bool) (*vbrv1.FailoverTest, error) {
	was, err := h.drills.in(req.GetId(), drillUpdate)
	if err != nil {
		return nil, err
	}
	if req.GetUnscheduled() && req.GetStartTime() != nil {
		return nil, &RequestError{"unscheduled", "true", "false, or no start_time"}
	}
	asked := proto.CloneOf(was)
	if req.GetDurationMinutes() != 0 {
		asked.DurationMinutes = req.GetDurationMinutes()
	}
	if req.GetObjectiveMs() != 0 {
		asked.ObjectiveMs = req.GetObjectiveMs()
	}
	if len(req.GetProbes()) > 0 {
		asked.Probes = req.GetProbes()
	}
	if req.GetUnscheduled() {
		asked.StartTime = nil
	}
	if req.GetStartTime() != nil {
		asked.StartTime = req.GetStartTime()
	}
	is, err := h.planned(asked, mayProbe)
	if err != nil {
		return nil, err
	}
	return h.replaceTest(was, is, "changed, "+startText(is))
}

// DeleteFailoverTest removes a test in Init or Stopped from the record, and returns it. The error wraps ErrNoTest, is a *RefusedError, or says why the record could not
// be written.
func (h *Host) DeleteFailoverTest(id string) (*vbrv1.FailoverTest, error) {
	was, err := h.drills.in(id, drillDelete)
	if err != nil {
		return nil, err
	}
	return h.replaceTest(was, nil, "deleted")
}

// replaceTest records another test in the place of one, or none, and returns it, or the one that was.
func (h *Host) replaceTest(was, is *vbrv1.FailoverTest, text string) (*vbrv1.FailoverTest, error) {
	if err := h.drills.exchange(was, is); err != nil {
		return nil, err
	}
	h.noteTest(was, text)
	if is == nil {
		is = was
	}
	return proto.CloneOf(is), nil
}

// plan records a test in Init, durably, if there is room: for plansAtOnce in all, and unless it is the provider's for plansOfOne of its owner.
func (d *drills) plan(t *vbrv1.FailoverTest, provider bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	all, own := 0, 0
	for _, o := range d.tests {
		if o.GetStatus() != testInit {
			continue
		}
		all++
		if o.GetOwner() == t.GetOwner() {
			own++
		}
	}
	switch {
	case !provider && own >= plansOfOne:
		return &RefusedError{fmt.Sprintf("%d failover tests of routers of owner %q are to start later, and %d is the limit of an owner; wait until one has started, or delete one",
			own, t.GetOwner(), plansOfOne)}
	case all >= plansAtOnce:
		return &RefusedError{fmt.Sprintf("%d failover tests are to start later, which is the limit; delete some", all)}
	}
	return d.put(nil, t)
}

// exchange is put, of tests that do not run.
func (d *drills) exchange(was, is *vbrv1.FailoverTest) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.put(was, is)
}

// planned is a test in Init as it was asked for, checked.
func (h *Host) planned(asked *vbrv1.FailoverTest, mayProbe func(string) bool) (*vbrv1.FailoverTest, error) {
	if at := asked.GetStartTime(); at != nil {
		now := time.Now()
		if at.CheckValid() != nil || at.AsTime().Before(now) || at.AsTime().After(now.Add(planAhead)) {
			return nil, &RequestError{"start_time", at.AsTime().Format(time.RFC3339), fmt.Sprintf("from now, %s, on, within %d days; absent: it is started by hand", now.UTC().Format(time.RFC3339), planAhead/(24*time.Hour))}
		}
	}
	d, err := h.newDrill(asked)
	if err != nil {
		return nil, err
	}
	alone := func(owner string) bool { return asked.GetStartTime() == nil || owner == d.test.GetOwner() } // nobody is asked then
	if err := d.aim(asked.GetProbes(), func(owner string) bool { return mayProbe(owner) && alone(owner) }); err != nil {
		return nil, err
	}
	if err := d.precheck(); err != nil {
		d.find("as things stand it would be refused: %v", err)
	}
	return d.test, nil
}

func startText(t *vbrv1.FailoverTest) string {
	if t.GetStartTime() == nil {
		return "starts when it is started"
	}
	return "starts by itself at " + t.GetStartTime().AsTime().Format(time.RFC3339)
}

// noteTest adds an event about a test that does not run.
func (h *Host) noteTest(t *vbrv1.FailoverTest, text string) {
	h.log.Info("failover test", "router", t.GetRouter(), "test", t.GetId(), "what", text)
	h.note(vbrv1.Event_TYPE_FAILOVER_TEST, t.GetRouter(), t.GetOwner(), t.GetId(), text)
}

// runPlans starts tests by themselves when it is time, until ctx ends.
func (h *Host) runPlans(ctx context.Context) {
	for ctx.Err() == nil {
		pause := h.startDue(time.Now())
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-h.drills.changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// startDue starts the tests whose time has come, ends those that could not be started for lateLimit, and says how long to wait for the next.
func (h *Host) startDue(now time.Time) (pause time.Duration) {
	pause = lookAgain
	for _, t := range h.drills.plans() {
		late := now.Sub(t.GetStartTime().AsTime())
		if late < 0 {
			pause = min(pause, -late)
			continue
		}
		err := errors.New("vbrd did not run then")
		if late < lateLimit {
			_, err = h.startDrill(t, t, false, func(owner string) bool { return owner == t.GetOwner() })
		}
		switch {
		case err == nil:
		case late < lateLimit-lateRetry, errors.Is(err, ErrNotRunning):
			pause = min(pause, lateRetry)
		default:
			h.miss(t, now, err)
		}
	}
	return pause
}

// plans are the tests in Init that are to start by themselves.
func (d *drills) plans() (out []*vbrv1.FailoverTest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.tests {
		if t.GetStatus() == testInit && t.GetStartTime() != nil {
			out = append(out, t)
		}
	}
	slices.SortStableFunc(out, func(a, b *vbrv1.FailoverTest) int {
		return a.GetStartTime().AsTime().Compare(b.GetStartTime().AsTime())
	})
	return out
}

// miss ends a test that could not start.
func (h *Host) miss(t *vbrv1.FailoverTest, now time.Time, why error) {
	is := proto.CloneOf(t)
	is.Status, is.Verdict, is.EndTime = testStopped, testAborted, timestamppb.New(now)
	text := fmt.Sprintf("it could not start at %s: %v; the router was not taken out", t.GetStartTime().AsTime().Format(time.RFC3339), why)
	is.Findings = append(is.Findings, text)
	_, err := h.replaceTest(t, is, testAborted+": "+text)
	h.warn("the record of failover tests is not up to date", err)
}
