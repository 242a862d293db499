package vbr

import (
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/events"
)

// noteLines says which lines have gone down, or up again, since it last looked. It is the actor's, and follows what is done about it.
func (r *router) noteLines() {
	up := make(map[string]bool, len(r.state.Lines))
	for i, d := range r.state.Lines {
		if i >= len(r.spec.link.Lines) {
			break
		}
		device := r.spec.link.Lines[i].Device
		up[device] = d.Up
		switch was, known := r.linesSaid[device]; {
		case known && was && !d.Up:
			r.noteAs(events.LineDown, vbrv1.Event_TYPE_FAILOVER, device, "the line is down: its routes leave")
		case known && !was && d.Up:
			r.noteAs(events.LineUp, vbrv1.Event_TYPE_FAILOVER, device, "the line is up again")
		}
	}
	r.linesSaid = up
}
