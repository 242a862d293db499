package vbr

import vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"

// ails says whether something is wrong with that.
func (r *router) ails(what string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reasons[what] != ""
}

// degrade notes that something is wrong, or with a nil error that it is right again, and logs the change.
func (r *router) degrade(what string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	r.mu.Lock()
	before := r.reasons[what]
	if text == "" {
		delete(r.reasons, what)
	} else {
		r.reasons[what] = text
	}
	r.noteState()
	r.mu.Unlock()
	switch {
	case text == before:
	case text != "":
		r.log.Error("router degraded", "what", what, "err", text)
		if before == "" { // and not each time that the number of routes in it changes
			r.note(vbrv1.Event_TYPE_ROUTER_DEGRADED, what, text)
		}
	default:
		r.log.Info("router recovered", "what", what, "was", before)
		r.note(vbrv1.Event_TYPE_ROUTER_RECOVERED, what, "was: "+before)
	}
}
