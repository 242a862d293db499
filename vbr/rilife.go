package vbr

import (
	"slices"
	"time"
)

// relimit has router interfaces be Modifying until the kernel has the limit of their new spec; see limited. Routes go on flowing.
func (r *router) relimit(changes []riChange) {
	any := false
	r.mu.Lock()
	for _, c := range changes {
		if now := r.spec.routerInterface(c.name); now != nil && now.size != c.size {
			r.record(c.name).limit = change("spec", orNone(now.size), orNone(c.size)) + ": the kernel is about to have its limit"
			r.unsettled, any = true, true
		}
	}
	r.mu.Unlock()
	if any {
		r.settleInterfaces()
	}
}

// limited takes in what became of the limits with the devices as they are now; r.mu is held.
func (r *router) limited(s *spec, i int, err error) {
	x := r.interfaces[s.ris[i].name]
	switch {
	case x == nil || x.limit == "":
	case err != nil:
		x.limit = "the kernel does not have its limit: " + err.Error()
	default:
		x.limit = ""
	}
}

// partWith ends router interfaces: their far ends are told that they go, and lose what they were told. See parted.
func (r *router) partWith(ris []riSpec) {
	var told []riSpec
	for _, ri := range ris {
		r.mu.Lock()
		x := r.record(ri.name)
		if x.told {
			told = append(told, ri)
		}
		delete(r.interfaces, ri.name)
		r.mu.Unlock()
		r.parting[ri.name] = x
		r.leave(ri.name, x, &riFacts{deleting: true})
	}
	r.unexport(told)
	r.unshow(ris)
}

// parted says of those that were parted with and that are meant that nothing of them is left.
func (r *router) parted(meant func(ri string) bool) {
	for name, x := range r.parting {
		if meant(name) {
			delete(r.parting, name)
			r.leave(name, x, &riFacts{deleting: true, gone: true})
		}
	}
}

// replaced has those be gone whose name another has from now on, with the device.
func (r *router) replaced(d delta) {
	r.parted(func(name string) bool {
		return slices.ContainsFunc(d.risNew, func(c riChange) bool { return c.name == name })
	})
}

func (r *router) leave(ri string, x *riRecord, f *riFacts) {
	from := x.state
	passed, why := from.settle(f)
	if len(passed) > 0 {
		x.state, x.since = passed[len(passed)-1], time.Now()
	}
	r.say(ri, from, passed, why)
}

func anyInterface(string) bool { return true }
