package vbr

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/probe"
	"github.com/openvbr/openvbr/vbr/quality"
)

const (
	// measureEvery is how often the link of a pair is probed.
	measureEvery = time.Second
	// stateEvery is how often a state that lasts is noted; quality.MaxGap is twice that.
	stateEvery = time.Minute
	// qualityTotal bounds what the qualities of all router interfaces take in memory, and again in files, in bytes.
	qualityTotal = 64 << 20
	// defaultSamples and maxSamples are how many samples an answer has.
	defaultSamples, maxSamples = 60, 1000
)

// ErrNoInterface says that a name is of no router interface of this host. Errors that wrap it name the router interface.
var ErrNoInterface = errors.New("no such router interface on this host")

func noInterface(name string) error {
	return fmt.Errorf("router interface %q: %w", name, ErrNoInterface)
}

// measured is the quality of a router interface.
type measured struct {
	owner  string
	paired bool
	dirty  bool

	history   *quality.History
	available bool // as last noted, and when
	abnormal  bool
	notedAt   time.Time
}

func (x *measured) probe(r probe.Result) {
	x.dirty = true
	x.history.Probe(r.Sent, r.RTT, r.OK)
}

// linkCheck is what measures a pair: probes between its two link addresses, bound to its device. Only what is in service is measured.
func (v *view) linkCheck() (probe.Check, bool) {
	if !v.ri.paired() || !v.state.flows() || v.index == 0 || v.device == "" {
		return probe.Check{}, false
	}
	return probe.Check{ID: linkProbe + "/" + v.ri.name, Device: v.device, Source: v.ri.link.Addr(), Target: v.ri.far, Interval: measureEvery}, true
}

// adopt has something of each router interface to measure and to meter, out of its file if there is one. One that has another owner now begins anew.
func (m *monitor) adopt(views []view) {
	fresh := false
	for i := range views {
		v := &views[i]
		m.mu.Lock()
		had, known := m.metered[v.ri.name]
		m.mu.Unlock()
		if known && had.owner == v.ri.owner {
			continue
		}
		fresh = true
		q, u := m.loadQuality(v), m.loadUsage(v)
		u.foreign = known
		m.mu.Lock()
		m.measured[v.ri.name], m.metered[v.ri.name] = q, u
		m.mu.Unlock()
	}
	if fresh {
		m.shareOut()
	}
}

// shareOut divides what qualities may take among all.
func (m *monitor) shareOut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	share := quality.Share(qualityTotal, len(m.measured))
	for _, x := range m.measured {
		x.history.SetLimits(share)
	}
}

func (m *monitor) loadQuality(v *view) *measured {
	x := &measured{owner: v.ri.owner, paired: v.ri.paired()}
	h, err := load(m.file(qualityDir, v), func(b []byte) (*quality.History, error) { return quality.Unmarshal(b, quality.Limits{}) })
	if x.history = h; err != nil {
		x.history = quality.New(quality.Limits{})
		m.damaged(v, "quality", err)
	}
	return x
}

// noteStates notes which router interfaces are up, when that changes and now and then. One that is not meant to be in service is not observed.
func (m *monitor) noteStates(now time.Time, views []view) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range views {
		v := &views[i]
		x := m.measured[v.ri.name]
		if x == nil {
			continue
		}
		x.paired = v.ri.paired()
		c := m.checks[interfaceProbe+"/"+v.ri.name]
		up, abnormal := v.state.flows(), c != nil && c.health.Status() == probe.Abnormal
		meant := up || v.state == riActivating || v.state == riConnecting && !x.notedAt.IsZero()
		switch {
		case !meant && !x.available, up == x.available && abnormal == x.abnormal && now.Sub(x.notedAt) < stateEvery:
			continue
		}
		x.history.State(now, up || !meant, abnormal && meant) // what is out of service on purpose is not held against it
		x.available, x.abnormal, x.notedAt, x.dirty = up, abnormal, now, true
		if !meant {
			x.notedAt = time.Time{}
		}
	}
}

// noteUntil has the time count that has passed since the state was last noted, so that a report knows it.
func (x *measured) noteUntil(now time.Time) {
	if !x.notedAt.IsZero() {
		x.history.State(now, x.available, x.abnormal)
		x.notedAt, x.dirty = now, true
	}
}

// Quality is how good a router interface has been since a time, in so many samples; 0 for both means 24 hours and 60. The error wraps ErrNoInterface, or
// is a *RequestError.
func (h *Host) Quality(routerInterface string, since time.Time, samples int) (*vbrv1.GetQualityResponse, error) {
	if samples < 0 || samples > maxSamples {
		return nil, &RequestError{"samples", fmt.Sprint(samples), fmt.Sprintf("0..%d, 0 means %d", maxSamples, defaultSamples)}
	}
	if samples == 0 {
		samples = defaultSamples
	}
	now := time.Now()
	if since.IsZero() {
		since = now.Add(-24 * time.Hour)
	}
	if !since.Before(now) {
		return nil, &RequestError{"since", since.Format(time.RFC3339), "a time in the past"}
	}
	v, ok := h.view(routerInterface)
	m := h.monitor
	m.mu.Lock()
	defer m.mu.Unlock()
	x := m.measured[routerInterface]
	if !ok || x == nil {
		return nil, noInterface(routerInterface)
	}
	x.noteUntil(now)
	report := x.history.Report(since, now)
	out := &vbrv1.GetQualityResponse{Router: v.router.name, RouterInterface: routerInterface, Since: stamp(report.From), Until: stamp(now), Probe: v.probeText()}
	for _, o := range report.Objectives {
		out.Objectives = append(out.Objectives, objective(o))
	}
	for _, p := range x.history.Parts(since, now, samples) {
		out.Samples = append(out.Samples, sample(p))
	}
	return out, nil
}

// view is the router interface of that name as it is now.
func (h *Host) view(name string) (view, bool) {
	for _, r := range h.allRouters() {
		views, _ := r.views()
		for _, v := range views {
			if v.ri.name == name {
				return v, true
			}
		}
	}
	return view{}, false
}

// probeText is what is probed, and how.
func (v *view) probeText() string {
	switch {
	case v.ri.paired():
		return fmt.Sprintf("%s -> %s", v.ri.link.Addr(), v.ri.far)
	case v.ri.health != nil:
		return fmt.Sprintf("%s -> %s", v.ri.health.source, v.ri.health.target)
	}
	return ""
}

// objectiveNames are the published figures as the API has them.
func objectiveName(q quality.Metric) string {
	switch q {
	case quality.JitterPercent:
		return "jitter"
	case quality.Encapsulation:
		return "encapsulation_success"
	}
	return q.String()
}

func objective(o quality.Objective) *vbrv1.QualityObjective {
	x := &vbrv1.QualityObjective{Name: objectiveName(o.Metric), Target: o.Target, Unknown: !o.Measured}
	if !o.Measured {
		return x
	}
	x.Measured, x.Met = o.Value, o.Met
	if o.Budget.Allowed > 0 {
		x.BudgetLeft = 100 * o.Budget.Left / o.Budget.Allowed
	}
	return x
}

func sample(p quality.Part) *vbrv1.QualitySample {
	rtt, _ := p.Value(quality.RTTMean)
	jitter, _ := p.Value(quality.Jitter)
	return &vbrv1.QualitySample{Time: stamp(p.Start), Sent: p.Sent, Lost: p.Lost, RttMs: rtt, JitterMs: jitter}
}

// damaged says that a file could not be read.
func (m *monitor) damaged(v *view, what string, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	m.log.Error("what was measured is lost: its file could not be read", "router", v.router.name, "router_interface", v.ri.name, "what", what, "err", err)
	v.router.note(vbrv1.Event_TYPE_STORE, v.ri.name, fmt.Sprintf("its %s until now is lost: %v", what, err))
}
