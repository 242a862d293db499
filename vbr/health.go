package vbr

import (
	"fmt"
	"time"

	"github.com/openvbr/openvbr/bgp/evpn"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/events"
	"github.com/openvbr/openvbr/vbr/probe"
	"github.com/openvbr/openvbr/vbr/rib"
)

// The statuses of a health check that probes alone do not decide (EC: HealthCheckStatus); the others are those of package probe.
const (
	noRedundantRoute    = "NoRedundantRoute"
	noHealthCheckConfig = "NoHealthCheckConfig"
)

const (
	// recentProbes is over how many probes the loss of a check is shown.
	recentProbes = 100
	// aloneEvery is how often it is looked whether others carry the routes of what is Abnormal.
	aloneEvery = 5 * time.Second
)

// check is a health check as it runs.
type check struct {
	id     string
	kind   string
	name   string // of the router or the router interface
	router *router
	spec   healthSpec

	health  probe.Health
	recent  [recentProbes]bool // lost
	at      int
	sent    int
	rtt     time.Duration
	alone   bool // Abnormal, and nothing else carries the routes
	aloneAt time.Time
	told    string // the status that was last said
	since   time.Time
}

func newCheck(kind string, r *router, name string, h healthSpec) *check {
	return &check{id: kind + "/" + name, kind: kind, name: name, router: r, spec: h, told: string(probe.Normal),
		health: probe.Health{Threshold: h.threshold, HealthyThreshold: h.threshold}}
}

// check is what the prober does for it. Probes are bound to the router's VRF, so that an answer counts whatever way it came back: that the request leaves
// by the router interface in question is the pin's doing, see router.pin.
func (c *check) check(vrf string) probe.Check {
	return probe.Check{ID: c.id, Device: vrf, Source: c.spec.source, Target: c.spec.target, Interval: c.spec.interval}
}

// observe takes in a result and says whether the status changed.
func (c *check) observe(r probe.Result) bool {
	c.recent[c.at%recentProbes] = !r.OK
	c.at++
	c.sent = min(c.sent+1, recentProbes)
	if r.OK {
		c.rtt = r.RTT
	}
	return c.health.Observe(r.OK, r.Sent)
}

// status is the one that operators see.
func (c *check) status() string {
	if c.health.Status() == probe.Abnormal && c.alone {
		return noRedundantRoute
	}
	return string(c.health.Status())
}

// stepsBack says whether others are to be used before what is checked.
func (c *check) stepsBack() bool { return c.health.Status() == probe.Abnormal && !c.spec.probeOnly }

// lost is how many of the recent probes were.
func (c *check) lost() (n uint32) {
	for _, lost := range c.recent[:c.sent] {
		if lost {
			n++
		}
	}
	return n
}

// message is the check for the API.
func (c *check) message() *vbrv1.HealthCheckState {
	s := &vbrv1.HealthCheckState{HealthCheckStatus: c.status(), TargetIp: c.spec.target.String(), Since: stamp(c.since), Lost: c.lost(), RttMs: ms(c.rtt)}
	if c.spec.source.IsValid() {
		s.SourceIp = c.spec.source.String()
	}
	return s
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// arrangeChecks makes the checks be those that are wanted, and returns what the prober does for them. One that is as it was, but for probe_only,
// goes on with what it knows.
func (m *monitor) arrangeChecks(wanted map[string]*check) (set []probe.Check) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, c := range wanted {
		if had := m.checks[id]; had != nil && had.router == c.router && had.asks(c) {
			had.spec = c.spec
			wanted[id] = had
		}
	}
	for id, c := range m.checks {
		if wanted[id] != c {
			c.spec.probeOnly = true // what it did is taken back
			m.gone = append(m.gone, c)
		}
	}
	m.checks = wanted
	for _, c := range wanted {
		set = append(set, c.check(c.router.vrf()))
	}
	return set
}

// asks says whether two checks probe the same.
func (c *check) asks(o *check) bool {
	a, b := c.spec, o.spec
	a.probeOnly, b.probeOnly = false, false
	return a == b
}

// vrf is the router's VRF device; its name never changes in a router's time.
func (r *router) vrf() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spec.link.VRF
}

// interfaceHealth is how the health check of a router interface stands.
func (m *monitor) interfaceHealth(ri *riSpec) *vbrv1.HealthCheckState {
	if s := m.healthState(interfaceProbe + "/" + ri.name); s != nil {
		return s
	}
	s := &vbrv1.HealthCheckState{HealthCheckStatus: noHealthCheckConfig}
	if ri.health != nil { // and not in service, or not looked at yet
		s.HealthCheckStatus, s.TargetIp = string(probe.Normal), ri.health.target.String()
	}
	return s
}

// routerHealth is how the health check of a VBR itself stands; nil if it has none.
func (m *monitor) routerHealth(router string) *vbrv1.HealthCheckState {
	return m.healthState(routerProbe + "/" + router)
}

func (m *monitor) healthState(id string) *vbrv1.HealthCheckState {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.checks[id]; c != nil {
		return c.message()
	}
	return nil
}

// verdict is what is to be done about a check.
type verdict struct {
	check    *check
	back     bool
	abnormal bool
	stale    bool // whether others carry the routes has to be looked at again
}

// heed does what the checks ask for: an Abnormal router interface's routes step back, an Abnormal VBR asks the VPC to use others. It is done over and over, so
// that a router's new life comes to know too.
func (m *monitor) heed(now time.Time) {
	var all []verdict
	m.mu.Lock()
	for _, c := range m.checks {
		v := verdict{check: c, back: c.stepsBack(), abnormal: c.health.Status() == probe.Abnormal}
		v.stale = v.abnormal && now.Sub(c.aloneAt) >= aloneEvery
		all = append(all, v)
	}
	for _, c := range m.gone {
		all = append(all, verdict{check: c})
	}
	m.gone = nil
	m.mu.Unlock()
	for _, v := range all {
		m.carryOut(now, v)
	}
}

func (m *monitor) carryOut(now time.Time, v verdict) {
	c := v.check
	switch c.kind {
	case interfaceProbe:
		c.router.demote(c.name, v.back)
	case routerProbe:
		c.router.standBack(v.back)
	}
	alone := false
	if v.stale {
		alone = m.isAlone(c)
	}
	m.mu.Lock()
	if v.stale {
		c.alone, c.aloneAt = alone, now
	}
	if !v.abnormal {
		c.alone, c.aloneAt = false, time.Time{}
	}
	before, text := c.told, ""
	if c.told = c.status(); c.told != before || c.since.IsZero() {
		c.since = now
		text = c.describe(before)
	}
	m.mu.Unlock()
	if c.told != before {
		c.router.log.Warn("health check changes its status", "check", c.id, "status", c.told, "was", before)
		id := events.HealthAbnormal
		if c.told == string(probe.Normal) {
			id = events.HealthNormal
		}
		c.router.noteAs(id, vbrv1.Event_TYPE_HEALTH_CHECK, c.name, text)
	}
}

// describe says what changed, in words.
func (c *check) describe(before string) string {
	text := fmt.Sprintf("%s, was %s: %s -> %s, %d of the last %d probes lost", c.told, before, c.spec.source, c.spec.target, c.lost(), c.sent)
	switch {
	case c.told == string(probe.Normal):
		return text
	case c.spec.probeOnly:
		return text + "; nothing is changed for it, as probe_only says"
	case c.told == noRedundantRoute:
		return text + "; nothing else carries its routes"
	}
	return text + "; others carry its routes"
}

// isAlone says whether nothing else carries the routes of what is checked.
func (m *monitor) isAlone(c *check) bool {
	if c.kind == interfaceProbe {
		return c.router.reliesOn(c.name, m.abnormal())
	}
	lost, _ := m.host.unbacked(c.router)
	return len(lost) > 0
}

// abnormal are the router interfaces whose checks say so.
func (m *monitor) abnormal() map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make(map[string]bool)
	for _, c := range m.checks {
		if c.kind == interfaceProbe && c.health.Status() == probe.Abnormal {
			out[c.name] = true
		}
	}
	return out
}

// standBack asks the VPC to use other routers before this one, or no longer.
func (r *router) standBack(back bool) {
	if r.records.back.Swap(back) != back {
		r.records.retell.Store(true)
		poke(r.wake)
	}
}

// stepBack puts it into attributes that any gateway obeys: as a drained router's, but without the community that asks neighbours to expect an end. MED is
// for gateways of another AS, which hear no LOCAL_PREF.
func stepBack(x *evpn.Route) {
	x.LocalPref, x.HasLocalPref = 0, true
	x.MED, x.HasMED = medBase, true
}

// scanned is how many prefixes are looked at in one go.
const scanned = 256

// reliesOn says whether some prefix has no accepted path but by a router interface, or by others that are abnormal too. What looks like a line's own
// subnet at the other end (no AS path, origin igp) counts only if there is nothing else: it goes with its line.
func (r *router) reliesOn(ri string, abnormal map[string]bool) bool {
	f := rib.Filter{Stage: rib.StageAccepted, Source: ri}
	learned, subnet := false, false
	for from := uint32(1); from != 0; {
		var rows []rib.Row
		r.mu.Lock()
		rows, from = r.rib.Scan(from, scanned, &f, nil)
		for _, row := range rows {
			own := len(row.Attrs.ASPath) == 0 && row.Attrs.Origin == rib.OriginIGP
			learned = learned || !own
			if r.hasOther(row, abnormal) {
				continue
			}
			if subnet = subnet || own; !own {
				r.mu.Unlock()
				return true
			}
		}
		r.mu.Unlock()
	}
	return subnet && !learned
}

// hasOther says whether a prefix has an accepted path from a source that is not abnormal; r.mu is held.
func (r *router) hasOther(row rib.Row, abnormal map[string]bool) bool {
	for _, p := range r.rib.Lookup(row.Prefix) {
		if p.Verdict == rib.Accepted && !p.Source.Adopted && p.Source.Name != row.Source && !abnormal[p.Source.Through()] {
			return true
		}
	}
	return false
}
