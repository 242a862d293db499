package vbr

import (
	"fmt"
	"slices"
	"strings"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// drillState is the state of a failover test, as Express Connect names it (JobStatus of FailoverTestJob), with what is before and after.
type drillState uint8

const (
	drillNone    drillState = iota // it is not there yet
	drillInit                      // it is to start later
	drillTesting                   // what it measures by is tried out, or its router is out of service
	drillStopped                   // it has its verdict
	drillDeleted
	drillStates // how many there are
	drillRefuses
)

func (s drillState) String() string {
	return [...]string{"none", testInit, testTesting, testStopped, "Deleted", "", "-"}[s]
}

// As JobStatus has them.
const (
	testInit    = "Init"
	testTesting = "Testing"
	testStopped = "Stopped"
)

// drillEvent is what is done with a test, or happens to it.
type drillEvent uint8

const (
	drillCreateNow   drillEvent = iota // JobType StartNow
	drillCreateLater                   // JobType StartLater
	drillUpdate
	drillStart   // by somebody, or because it is time
	drillStop    // by somebody: the router comes back, then it ends
	drillEnd     // with a verdict: its time is over, it is aborted, or it could not start when it was to
	drillRestart // vbrd ends and starts again
	drillDelete
	drillEvents
)

func (e drillEvent) String() string {
	return [...]string{"create now", "create later", "update", "start", "stop", "end", "restart", "delete"}[e]
}

// The values of JobType.
const (
	startNow   = "StartNow"
	startLater = "StartLater"
)

// drillTransitions is the whole machine; docs/states.md shows it.
var drillTransitions = [drillStates][drillEvents]drillState{
	//            create now    create later  update        start         stop          end           restart       delete
	drillNone:    {drillTesting, drillInit, drillRefuses, drillRefuses, drillRefuses, drillRefuses, drillNone, drillRefuses},
	drillInit:    {drillRefuses, drillRefuses, drillInit, drillTesting, drillRefuses, drillStopped, drillInit, drillDeleted},
	drillTesting: {drillRefuses, drillRefuses, drillRefuses, drillRefuses, drillTesting, drillStopped, drillStopped, drillRefuses},
	drillStopped: {drillRefuses, drillRefuses, drillRefuses, drillRefuses, drillRefuses, drillRefuses, drillStopped, drillDeleted},
	drillDeleted: {drillRefuses, drillRefuses, drillRefuses, drillRefuses, drillRefuses, drillRefuses, drillDeleted, drillRefuses},
}

// on is the state that follows; the error, a *RefusedError, says in which states the event is legal.
func (s drillState) on(id string, e drillEvent) (drillState, error) {
	if to := drillTransitions[s][e]; to != drillRefuses {
		return to, nil
	}
	var legal []string
	for x := range drillStates {
		if drillTransitions[x][e] != drillRefuses {
			legal = append(legal, x.String())
		}
	}
	return s, &RefusedError{fmt.Sprintf("failover test %s is %s: %s is for one that is %s", id, s, e, strings.Join(legal, " or "))}
}

// drillStateOf is the state of a stored test.
func drillStateOf(t *vbrv1.FailoverTest) drillState {
	for s := range drillStates {
		if s.String() == t.GetStatus() {
			return s
		}
	}
	return drillStopped
}

// in is the stored test of that id if the event is legal for it, else the error wraps ErrNoTest or is a *RefusedError. A test in Init or Stopped is never changed in place.
func (d *drills) in(id string, e drillEvent) (*vbrv1.FailoverTest, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.tests, func(t *vbrv1.FailoverTest) bool { return t.GetId() == id })
	if i < 0 {
		return nil, fmt.Errorf("failover test %q: %w", id, ErrNoTest)
	}
	_, err := drillStateOf(d.tests[i]).on(id, e)
	return d.tests[i], err
}
