package vbr

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/probe"
)

// measurement is what a probe of a failover test found; guarded by monitor.mu.
type measurement struct {
	path  string // "10.1.0.1 -> 172.16.1.1"
	check probe.Check
	phase string // "" before the router is out, then "out", then "back"
	parts map[string]*part

	answered time.Time // when the last request that was answered was sent
}

// part is what a phase found.
type part struct {
	sent, lost uint32
	longest    time.Duration // without an answer
}

// aim makes the test's probes.
func (d *drill) aim(probes []string, mayProbe func(owner string) bool) error {
	if len(probes) > maxTestProbes {
		return &RequestError{"probes", fmt.Sprint(len(probes)), fmt.Sprintf("at most %d", maxTestProbes)}
	}
	for i, text := range probes {
		const legal = "SOURCE->TARGET: an address of another router of this host that you may see, and one of the same family that answers"
		a, b, _ := strings.Cut(text, "->")
		source, err1 := netip.ParseAddr(strings.TrimSpace(a))
		target, err2 := netip.ParseAddr(strings.TrimSpace(b))
		if err1 != nil || err2 != nil || source.Is4() != target.Is4() || source.Zone()+target.Zone() != "" {
			return &RequestError{fmt.Sprintf("probes[%d]", i), text, legal}
		}
		vrf, ok := d.host.vrfOf(source, d.router, mayProbe)
		if !ok {
			return &RequestError{fmt.Sprintf("probes[%d]", i), text, legal}
		}
		m := &measurement{path: fmt.Sprintf("%s -> %s", source, target), parts: make(map[string]*part)}
		m.check = probe.Check{ID: fmt.Sprintf("%s/%s/%d", drillProbe, d.test.GetId(), i), Device: vrf, Source: source, Target: target, Interval: probeEvery(d.objective)}
		d.probes = append(d.probes, m)
	}
	return nil
}

// probeEvery is how often a test probes: five times within the objective, as far as a probe.Check can.
func probeEvery(objective time.Duration) time.Duration {
	return min(max(objective/5, probe.MinInterval), time.Second)
}

// vrfOf is the VRF of another router than r that has the address and that the caller may send from.
func (h *Host) vrfOf(a netip.Addr, r *router, mayProbe func(owner string) bool) (string, bool) {
	for _, o := range h.allRouters() {
		if o == r || o.unserved {
			continue
		}
		o.mu.Lock()
		vrf, owner, has := o.spec.link.VRF, o.spec.owner, o.spec.owns(a)
		o.mu.Unlock()
		if has && mayProbe(owner) {
			return vrf, true
		}
	}
	return "", false
}

// owns says whether the address is the router's, on a line or in a vSwitch.
func (s *spec) owns(a netip.Addr) bool {
	for _, l := range s.lines {
		for _, own := range l.own {
			if own == a {
				return true
			}
		}
	}
	for _, w := range s.switches {
		for _, own := range w.own {
			if own == a {
				return true
			}
		}
	}
	return false
}

// observe takes in a result; monitor.mu is held.
func (x *measurement) observe(r probe.Result) {
	p := x.part(x.phase)
	p.sent++
	if !r.OK {
		p.lost++
		return
	}
	if !x.answered.IsZero() {
		p.longest = max(p.longest, r.Sent.Sub(x.answered)-x.check.Interval)
	}
	x.answered = r.Sent
}

func (x *measurement) part(phase string) *part {
	p := x.parts[phase]
	if p == nil {
		p = &part{}
		x.parts[phase] = p
	}
	return p
}

// setTests has the prober run a test's probes; none ends them.
func (m *monitor) setTests(id string, probes []*measurement) {
	m.mu.Lock()
	for key := range m.tests {
		if strings.HasPrefix(key, drillProbe+"/"+id+"/") {
			delete(m.tests, key)
		}
	}
	for _, p := range probes {
		m.tests[p.check.ID] = p
	}
	m.mu.Unlock()
	poke(m.again)
}

func (m *monitor) testChecks() (set []probe.Check) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, x := range m.tests {
		set = append(set, x.check)
	}
	return set
}

// enter has the probes count for another phase.
func (d *drill) enter(phase string) {
	m := d.host.monitor
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range d.probes {
		p.phase = phase
	}
}

// tally is what a probe found in a phase.
func (m *monitor) tally(x *measurement, phase string) (sent, lost uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := x.part(phase)
	return p.sent, p.lost
}

// outage is the longest time without an answer in this phase, be it that it still lasts.
func (m *monitor) outage(x *measurement, now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	longest := x.part(x.phase).longest
	if !x.answered.IsZero() { // the last request may still be answered, and the next one be due
		longest = max(longest, now.Sub(x.answered)-2*x.check.Interval)
	}
	return longest
}

// measurements are a probe's for the API.
func (m *monitor) measurements(x *measurement) (out []*vbrv1.FailoverMeasurement) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, phase := range []string{"out", "back"} {
		if p := x.parts[phase]; p != nil {
			out = append(out, &vbrv1.FailoverMeasurement{Phase: phase, Path: x.path, Sent: p.sent, Lost: p.lost, ConvergenceMs: ms(p.longest)})
		}
	}
	return out
}
