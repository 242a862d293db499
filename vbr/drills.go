package vbr

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/openvbr/openvbr/bgp/evpn"
	"github.com/openvbr/openvbr/internal/fault"
	"github.com/openvbr/openvbr/internal/sealed"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
)

const (
	testsKept = 365 * 24 * time.Hour
	maxTests  = 1000 // that are kept
	testsFile = "failover-tests"
)

// ErrNoTest says that an id is of no failover test of this host.
var ErrNoTest = errors.New("no such failover test")

// drills is the record of a host's failover tests, of a year, in a file. A nil one has none.
type drills struct {
	host *Host
	path string

	mu      sync.Mutex            // a leaf
	tests   []*vbrv1.FailoverTest // oldest first
	running map[string]*drill     // by id
	groups  []intent.Group
	changed chan struct{} // what is to start when may have changed; capacity 1
}

// testsKind is the kind of the record's envelope.
func testsKind() sealed.Kind { return sealed.Kind{'V', 'B', 'R', 'F'} }

// testID is a new one.
func testID(now time.Time) string {
	var b [2]byte
	_, _ = rand.Read(b[:]) // it never fails
	return fmt.Sprintf("ft-%s-%x", now.UTC().Format("20060102-150405"), b)
}

// loadDrills reads the record. A test that ran when the predecessor ended is aborted: its router serves again. Those in Init stay.
func loadDrills(h *Host) *drills {
	d := &drills{host: h, path: filepath.Join(h.opts.StateDir, testsFile), running: make(map[string]*drill), changed: make(chan struct{}, 1)}
	tests, err := load(d.path, decodeTests)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.log.Error("the record of failover tests could not be read", "err", err)
		h.note(vbrv1.Event_TYPE_STORE, "", "", testsFile, fmt.Sprintf("the record of failover tests is lost: %v", err))
	}
	d.tests = tests
	if d.abortAll(time.Now()) {
		h.warn("the record of failover tests is not up to date", d.save())
	}
	return d
}

// abortAll ends the tests that a predecessor ran, and says whether there were any.
func (d *drills) abortAll(now time.Time) (any bool) {
	const why = "vbrd ended during the test; the router serves again"
	for _, t := range d.tests {
		if t.GetJobType() == startLater && t.GetStatus() == testInit || t.GetStatus() == testStopped {
			continue
		}
		any = true
		t.Status, t.Verdict, t.Findings = testStopped, testAborted, append(t.GetFindings(), why)
		if t.GetEndTime().AsTime().After(now) {
			t.EndTime = stamp(now)
		}
		d.host.note(vbrv1.Event_TYPE_FAILOVER_TEST, t.GetRouter(), t.GetOwner(), t.GetId(), testAborted+": "+why)
	}
	return any
}

func decodeTests(data []byte) ([]*vbrv1.FailoverTest, error) {
	_, body, err := sealed.Open(testsKind(), 1, data)
	if err != nil {
		return nil, err
	}
	var list vbrv1.ListFailoverTestsResponse
	if err := proto.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("%w: %w", sealed.ErrDamaged, err)
	}
	return list.GetTests(), nil
}

// save writes the record, without what is too old; d.mu is held, or nobody else knows d.
func (d *drills) save() error {
	oldest := time.Now().Add(-testsKept)
	d.tests = slices.DeleteFunc(d.tests, func(t *vbrv1.FailoverTest) bool {
		return t.GetStatus() == testStopped && t.GetEndTime().AsTime().Before(oldest)
	})
	for len(d.tests) > maxTests {
		i := d.leastMissed()
		d.tests = slices.Delete(d.tests, i, i+1)
	}
	body, err := proto.Marshal(&vbrv1.ListFailoverTestsResponse{Tests: d.tests})
	if err != nil {
		return fmt.Errorf("vbr: record of failover tests: %w", err)
	}
	if err := fault.Around("state.tests", func() error { return sealed.Write(d.path, sealed.Seal(testsKind(), 1, body)) }); err != nil {
		return fmt.Errorf("vbr: record of failover tests: %w", err)
	}
	return nil
}

// leastMissed is the index of the test that goes when there are too many: the oldest Stopped one of the owner with the most of these, so that nobody pushes out
// another's. There are some: not so many run or are planned.
func (d *drills) leastMissed() int {
	stopped, most := make(map[string]int), 0
	for _, t := range d.tests {
		if t.GetStatus() == testStopped {
			stopped[t.GetOwner()]++
			most = max(most, stopped[t.GetOwner()])
		}
	}
	return slices.IndexFunc(d.tests, func(t *vbrv1.FailoverTest) bool { return t.GetStatus() == testStopped && stopped[t.GetOwner()] == most })
}

// begin records a test that starts, durably, before anything is done. It takes the planned one's place, unless that is nil.
func (d *drills) begin(x *drill, planned *vbrv1.FailoverTest) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	owner, own := x.test.GetOwner(), 0
	for _, o := range d.running {
		if o.router.name == x.router.name {
			return &RefusedError{fmt.Sprintf("failover test %s of router %s is running; stop it first", o.test.GetId(), x.router.name)}
		}
		own += boolIndex(o.test.GetOwner() == owner)
	}
	if owner != "" && own >= testsOfOne {
		return &RefusedError{fmt.Sprintf("%d failover tests of routers of owner %q run, which is the limit of an owner; wait until one has ended, or stop one", own, owner)}
	}
	if len(d.running) >= testsAtOnce {
		return &RefusedError{fmt.Sprintf("%d failover tests run, which is the limit", testsAtOnce)}
	}
	if err := d.put(planned, x.test); err != nil {
		return err
	}
	d.running[x.test.GetId()] = x
	return nil
}

// put records a test, durably, in the place of was, which is nil for none; a nil one records that was is no more. After an error all is as before. d.mu is held.
func (d *drills) put(was, is *vbrv1.FailoverTest) error {
	before := d.tests
	d.tests = slices.Clone(before)
	if was != nil {
		i := slices.Index(d.tests, was)
		if i < 0 {
			d.tests = before
			return &RefusedError{fmt.Sprintf("failover test %s was changed just now; look at it again", was.GetId())}
		}
		d.tests = slices.Delete(d.tests, i, i+1)
	}
	if is != nil {
		d.tests = append(d.tests, is)
	}
	if err := d.save(); err != nil { // perhaps when the file was another one already
		d.tests = before
		return errors.Join(err, d.save())
	}
	poke(d.changed)
	return nil
}

// update changes a test and records that.
func (d *drills) update(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
	d.host.warn("the record of failover tests is not up to date", d.save())
}

// end records how a test ended.
func (d *drills) end(x *drill, change func()) {
	d.update(change)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.running, x.test.GetId())
}

func (d *drills) copyOf(t *vbrv1.FailoverTest) *vbrv1.FailoverTest {
	d.mu.Lock()
	defer d.mu.Unlock()
	return proto.Clone(t).(*vbrv1.FailoverTest)
}

// group takes in which VBRs are in failover groups.
func (d *drills) group(in *intent.Intent) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.groups = in.Groups
}

// alternatives are the route targets under which the other member of a failover group tells its routes to whom a router interface leads to; with an empty
// name those of all. The backbone keeps what is offered under them, for nothing else.
func (d *drills) alternatives(ri string) (out []evpn.RouteTarget) {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, g := range d.groups {
		for name, targets := range g.Alternatives {
			if ri != "" && name != ri {
				continue
			}
			for _, text := range targets {
				if t, err := evpn.ParseRouteTarget(text); err == nil { // it was checked
					out = append(out, t)
				}
			}
		}
	}
	return out
}

// FailoverTests are those of the last year, newest first.
func (h *Host) FailoverTests() []*vbrv1.FailoverTest {
	d := h.drills
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]*vbrv1.FailoverTest, 0, len(d.tests))
	for _, t := range slices.Backward(d.tests) {
		x := proto.Clone(t).(*vbrv1.FailoverTest)
		if run := d.running[t.GetId()]; run != nil && t.GetStatus() == testTesting {
			for _, p := range run.probes {
				x.Measurements = append(x.Measurements, h.monitor.measurements(p)...)
			}
		}
		out = append(out, x)
	}
	return out
}

// stopLimit is how long StopFailoverTest waits for the end.
const stopLimit = 5 * time.Second

// StopFailoverTest ends a test before its time, and returns it once it has ended, or as it is after some seconds: what was measured on the way back takes a little longer.
// The error wraps ErrNoTest, or is a *RefusedError if the test does not run.
func (h *Host) StopFailoverTest(id string) (*vbrv1.FailoverTest, error) {
	d := h.drills
	if _, err := d.in(id, drillStop); err != nil {
		return nil, err
	}
	d.mu.Lock()
	x := d.running[id]
	if x != nil && !x.stopped {
		x.stopped = true
		close(x.stop)
	}
	d.mu.Unlock()
	if x == nil {
		return nil, &RefusedError{fmt.Sprintf("failover test %s does not run any more", id)}
	}
	select {
	case <-x.done:
	case <-time.After(stopLimit):
	}
	return d.copyOf(x.test), nil
}
