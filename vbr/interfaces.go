package vbr

import (
	"fmt"
	"time"

	"github.com/openvbr/openvbr/bgp/evpn"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// riRecord is what a router remembers of one of its router interfaces, over all its lives. It is guarded by router.mu; but for again and ended, only
// the actor changes it, and may read it without.
type riRecord struct {
	state riState
	why   string // it is not Active
	limit string // why the kernel does not have the limit of its spec yet; empty: it has
	since time.Time
	told  bool      // the far end was told what is for it, and is kept up to date
	shown *presence // the far end has been shown
	again bool      // the far end, on this host, asks to be told all again
	ended bool      // the far end, on this host, knows that it has been told all there is
}

// record is that of the router interface; r.mu is held.
func (r *router) record(name string) *riRecord {
	if r.interfaces == nil {
		r.interfaces = make(map[string]*riRecord)
	}
	x := r.interfaces[name]
	if x == nil {
		x = &riRecord{since: time.Now()}
		r.interfaces[name] = x
	}
	return x
}

// tells says whether router interface i is told of routes.
func (r *router) tells(i int) bool {
	x := r.interfaces[r.spec.ris[i].name]
	return x == nil || x.told
}

// unsettle has the actor look at the states of the router interfaces; r.mu must not be held.
func (r *router) unsettle() {
	r.mu.Lock()
	r.unsettled = true
	r.mu.Unlock()
	poke(r.wake)
}

// step is what settling did to one router interface.
type step struct {
	side   *vpcSide
	from   riState
	passed []riState
	why    string
	to     riState
	again  bool
}

// settleInterfaces brings the states of the router interfaces to where the facts have them. What becomes Active is told what there is and takes in
// what the other end has; what ceases to be lets go of both at once.
func (r *router) settleInterfaces() {
	if !r.isUnsettled() {
		return
	}
	r.showPresences()
	r.mu.Lock()
	r.unsettled = false
	var steps []step
	for i, v := range r.vpc {
		x := r.record(v.ri.name)
		f := r.facts(i, v, x)
		s := step{side: v, from: x.state, again: x.again}
		s.passed, s.why = x.state.settle(&f)
		if x.why = s.why; len(s.passed) > 0 {
			x.state, x.since = s.passed[len(s.passed)-1], time.Now()
		}
		s.to = x.state
		x.again = false
		steps = append(steps, s)
	}
	r.mu.Unlock()
	for _, s := range steps {
		r.say(s.side.ri.name, s.from, s.passed, s.why)
		r.gate(s)
	}
	r.mu.Lock()
	r.arrangeStatics(r.spec, r.state)
	r.mu.Unlock()
}

func (r *router) isUnsettled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unsettled
}

// facts are those of router interface i; r.mu is held.
func (r *router) facts(i int, v *vpcSide, x *riRecord) riFacts {
	ri := &v.ri
	f := riFacts{paired: ri.paired(), accepting: ri.accepting, deactivated: ri.deactivated, up: v.up, changing: x.limit}
	leads := func(through string) bool { return through == ri.name }
	f.clean = !x.state.flows() && (x.state != riDeactivating || r.rib.CountTold(false, leads)+r.rib.CountTold(true, leads) == 0)
	switch {
	case !f.paired:
	case !ri.hasDevice():
		f.why = fmt.Sprintf("interface %s is not on this host, does not name %s back or its router does not run, and there is no vni to reach another host by", ri.opposite, ri.name)
	default:
		f.opposite, f.why = r.oppositeOf(v)
		if _, held := r.adopted[v.device]; f.opposite == oppositeAbsent && held && !r.swept && (ri.local() || !r.vpcDone) {
			f.opposite = oppositePresent // the predecessor had it; the opposite has not had its say yet
		}
	}
	return f
}

// oppositeOf is what is known of the opposite of a pair; r.mu is held.
func (r *router) oppositeOf(v *vpcSide) (riOpposite, string) {
	if !v.ri.local() {
		return v.opposite()
	}
	m, ok := r.host.mates.find(v.ri.opposite)
	if !ok {
		return oppositeAbsent, fmt.Sprintf("router %s with interface %s is not up", v.ri.cable.farRouter(), v.ri.opposite)
	}
	return v.ri.judge(m.presence)
}

// say notes the states that a router interface passed.
func (r *router) say(ri string, from riState, passed []riState, why string) {
	for _, to := range passed {
		text := fmt.Sprintf("%s, was %s", to, from)
		if to != riActive && why != "" {
			text += ": " + why
		}
		r.note(vbrv1.Event_TYPE_ROUTER_INTERFACE, ri, text)
		from = to
	}
}

// gate lets routes through, or no longer.
func (r *router) gate(s step) {
	v, ri := s.side, []riSpec{s.side.ri}
	switch told := r.interfaces[v.ri.name].told; {
	case s.to.flows():
		if v.shut {
			r.takeIn(v)
		}
		if !told || s.again {
			r.setTold(v.ri.name, true)
			r.export(ri)
		}
	default:
		r.shutOut(v, s.to)
		if told {
			r.unexport(ri)
			r.setTold(v.ri.name, false)
		}
	}
}

func (r *router) setTold(name string, told bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.record(name)
	x.told, x.ended = told, false
}

// takeIn has the routes of the other end come in: those that are there, and from now on every change.
func (r *router) takeIn(v *vpcSide) {
	if !v.ri.local() {
		r.host.backbone.open(r, v)
		return
	}
	r.mu.Lock()
	v.shut = false
	r.mu.Unlock()
	if m, ok := r.host.mates.find(v.ri.opposite); ok {
		m.router.askedAgain(v.ri.opposite)
	}
}

// shutOut drops what came in; nothing more does. What a predecessor left goes too, unless it is but the device that is not up yet.
func (r *router) shutOut(v *vpcSide, state riState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !v.shut {
		r.unsettled = true // it is not clean before the next flush
	}
	v.shut = true
	r.rib.SetNow(time.Now())
	r.unpin(v)
	r.rib.Drop(v.source)
	if state != riActivating {
		r.dropAdopted(v.device)
	}
	for _, t := range v.vteps {
		t.refs = 0
	}
	for _, s := range v.seen {
		v.refer(s.vtep, s.mac)
	}
}

// showPresences shows the far ends that this one is there, and how it is.
func (r *router) showPresences() {
	out := make(outbox)
	for i := range r.vpc {
		ri := &r.vpc[i].ri
		if !ri.paired() || !ri.hasDevice() {
			continue
		}
		p := ri.presence()
		if ri.local() {
			r.host.mates.put(ri.name, mate{r, p})
		}
		r.mu.Lock()
		x := r.record(ri.name)
		fresh := x.shown == nil || *x.shown != p
		x.shown = &p
		r.mu.Unlock()
		switch {
		case !fresh:
		case ri.local():
			r.host.mates.poke(ri.opposite)
		default:
			out.tell(r.host.backbone, r.presenceRoute(ri))
		}
	}
	r.speakIfAny(out)
}

// unshow takes back that router interfaces are there.
func (r *router) unshow(ris []riSpec) {
	out := make(outbox)
	for i := range ris {
		ri := &ris[i]
		switch {
		case !ri.paired():
		case ri.local():
			r.host.mates.drop(ri.name, r)
			r.host.mates.poke(ri.opposite)
		case ri.remote():
			out.takeBack(r.host.backbone, evpn.Key{RD: ri.rd, Prefix: presencePrefix})
		}
	}
	r.speakIfAny(out)
}
