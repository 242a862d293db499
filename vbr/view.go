package vbr

import (
	"net/netip"
	"time"

	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/usage"
)

// healthSpec is a health check as it is to run.
type healthSpec struct {
	source, target netip.Addr
	interval       time.Duration
	threshold      int
	probeOnly      bool
}

// healthOf translates a health check; nil for none. Without a source it is the router's first address of the target's family.
func (s *spec) healthOf(h *intent.HealthCheck) *healthSpec {
	if h == nil {
		return nil
	}
	x := &healthSpec{source: h.Source, target: h.Target, interval: h.Interval, threshold: h.Threshold, probeOnly: h.ProbeOnly}
	if !x.source.IsValid() {
		x.source = s.firstAddress(h.Target.Is4())
	}
	return x
}

// firstAddress is the router's own first one of a family: of a VBR on its lines, of a VRouter in its vSwitches.
func (s *spec) firstAddress(four bool) netip.Addr {
	var own []netip.Addr
	for _, l := range s.lines {
		own = append(own, l.own...)
	}
	for _, w := range s.switches {
		own = append(own, w.own...)
	}
	for _, a := range own {
		if a.Is4() == four {
			return a
		}
	}
	return netip.Addr{}
}

// text is the check as plans show it.
func (h *healthSpec) text() string {
	if h == nil {
		return "none"
	}
	text := h.source.String() + " -> " + h.target.String() + " every " + h.interval.String()
	if h.probeOnly {
		text += ", probes only"
	}
	return text
}

// view is a router interface as the monitor sees it at one moment.
type view struct {
	router *router
	ri     riSpec
	vrf    string
	device string
	index  int // of the device; 0 if there is none
	inlet  int // of the device behind its limit; 0 if there is none
	state  riState
	class  usage.Class
}

// views are what there is to watch over: the router interfaces, and the router's own health check. Nothing of one that has no actor.
func (r *router) views() (views []view, own *healthSpec) {
	if r.unserved {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.spec.ris {
		d := r.spec.riDevice(i, r.state)
		v := view{router: r, ri: r.spec.ris[i], vrf: r.spec.link.VRF, device: r.spec.riDeviceName(i), index: d.Index, inlet: d.Inlet}
		if x := r.interfaces[v.ri.name]; x != nil {
			v.state = x.state
		}
		if r.crossRegion(&v.ri) {
			v.class = usage.CrossRegion
		}
		views = append(views, v)
	}
	return views, r.spec.health
}

// crossRegion says whether the router interface's other end is in another region.
func (r *router) crossRegion(ri *riSpec) bool {
	return ri.oppositeRegion != "" && ri.oppositeRegion != r.host.opts.Region
}
