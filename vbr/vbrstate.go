package vbr

import (
	"fmt"
	"sync"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
)

// vbrState is the status of a VBR, as Express Connect names it (Status of VirtualBorderRouter). It says what the VBR is meant to be and how far that is done,
// not how well it does: a VBR that is active may be degraded.
type vbrState uint8

const (
	vbrUnconfirmed vbrState = iota
	vbrActive
	vbrTerminating // its sessions, devices and routes go
	vbrTerminated  // nothing of it is left but its VLAN, for intent.VLANHold, and its table's number
	vbrRecovering  // its devices and its speaker come
	vbrStates      // how many there are
)

func (s vbrState) String() string {
	return [...]string{"unconfirmed", "active", "terminating", "terminated", "recovering"}[s]
}

// vbrEvent is what the facts come down to. The first that applies counts.
type vbrEvent uint8

const (
	evTerminated      vbrEvent = iota // the port's owner terminated it, and something of it is left
	evTerminatedClean                 // the same, and nothing is left
	evUnconfirmed                     // its owner has not taken it yet
	evWanted                          // it is to run, and does not yet
	evRuns                            // it runs
	vbrEvents
)

func (e vbrEvent) String() string {
	return [...]string{"terminated", "terminated and clean", "unconfirmed", "wanted", "runs"}[e]
}

// vbrTransitions is the whole machine; docs/states.md shows it.
var vbrTransitions = [vbrStates][vbrEvents]vbrState{
	//              terminated      and clean       unconfirmed     wanted         runs
	vbrUnconfirmed: {vbrTerminating, vbrTerminating, vbrUnconfirmed, vbrActive, vbrActive},
	vbrActive:      {vbrTerminating, vbrTerminating, vbrUnconfirmed, vbrActive, vbrActive},
	vbrTerminating: {vbrTerminating, vbrTerminated, vbrUnconfirmed, vbrRecovering, vbrRecovering},
	vbrTerminated:  {vbrTerminating, vbrTerminated, vbrUnconfirmed, vbrRecovering, vbrRecovering},
	vbrRecovering:  {vbrTerminating, vbrTerminating, vbrUnconfirmed, vbrRecovering, vbrActive},
}

// vbrRecord is what a host remembers of a VBR.
type vbrRecord struct {
	owner     string
	state     vbrState
	wanted    vbrState  // unconfirmed, active or terminated, as the resource says
	heldUntil time.Time // of a terminated one: its VLAN is its own till then
	left      string    // what is left of it in the kernel; empty: nothing
	runs      bool      // it has a life
}

// event is what the record comes down to, and what there is to say of it.
func (x *vbrRecord) event() (vbrEvent, string) {
	switch {
	case x.wanted == vbrTerminated && x.left != "":
		return evTerminated, x.left
	case x.wanted == vbrTerminated:
		return evTerminatedClean, "its VLAN is kept for it until " + x.heldUntil.UTC().Format(time.RFC3339)
	case x.wanted == vbrUnconfirmed:
		return evUnconfirmed, "its owner has not confirmed it"
	case !x.runs:
		return evWanted, "its devices and sessions are about to come"
	}
	return evRuns, ""
}

// settle goes on to where the status stays as long as the facts do; passed are the states on the way, the last one included.
func (x *vbrRecord) settle() (passed []vbrState) {
	e, _ := x.event()
	for to := vbrTransitions[x.state][e]; to != x.state; to = vbrTransitions[x.state][e] {
		x.state = to
		passed = append(passed, to)
	}
	return passed
}

// lifecycles are the VBRs of a host. After a start of vbrd each is what its resource says. The zero value has none.
type lifecycles struct {
	mu   sync.Mutex // under it nothing is taken but the events' own lock, so that they are in order
	vbrs map[string]*vbrRecord
}

// want takes in what VBRs are meant to be. Those that are no longer there are forgotten.
func (h *Host) want(in *intent.Intent) {
	there := make(map[string]bool)
	for i := range in.Routers {
		r := &in.Routers[i]
		if r.Kind != intent.VBR {
			continue
		}
		there[r.Name] = true
		wanted := map[string]vbrState{"unconfirmed": vbrUnconfirmed, "active": vbrActive, "terminated": vbrTerminated}[r.VBRStatus()]
		h.changeVBR(r.Name, func(x *vbrRecord, known bool) {
			x.owner, x.wanted, x.heldUntil = r.Owner, wanted, r.Terminated.Add(intent.VLANHold)
			if !known {
				x.state = wanted
			}
		})
	}
	h.vbrs.mu.Lock()
	defer h.vbrs.mu.Unlock()
	for name := range h.vbrs.vbrs {
		if !there[name] {
			delete(h.vbrs.vbrs, name)
		}
	}
}

// vbrLeft says what is left of a VBR that ended, empty for nothing, and vbrRuns that it has a life. Both are without effect for what is no VBR.
func (h *Host) vbrLeft(name, left string) {
	h.changeKnownVBR(name, func(x *vbrRecord) { x.left, x.runs = left, false })
}

func (h *Host) vbrRuns(name string) {
	h.changeKnownVBR(name, func(x *vbrRecord) { x.left, x.runs = "", true })
}

func (h *Host) changeKnownVBR(name string, change func(x *vbrRecord)) {
	h.vbrs.mu.Lock()
	known := h.vbrs.vbrs[name] != nil
	h.vbrs.mu.Unlock()
	if known {
		h.changeVBR(name, func(x *vbrRecord, _ bool) { change(x) })
	}
}

// changeVBR changes a record and tells of the states that it passes by that.
func (h *Host) changeVBR(name string, change func(x *vbrRecord, known bool)) {
	h.vbrs.mu.Lock()
	defer h.vbrs.mu.Unlock()
	x := h.vbrs.vbrs[name]
	known := x != nil
	if !known {
		if x = new(vbrRecord); h.vbrs.vbrs == nil {
			h.vbrs.vbrs = make(map[string]*vbrRecord)
		}
		h.vbrs.vbrs[name] = x
	}
	change(x, known)
	from := x.state
	_, why := x.event()
	for _, to := range x.settle() {
		text := fmt.Sprintf("%s, was %s", to, from)
		if why != "" {
			text += ": " + why
		}
		h.log.Info("VBR changes its status", "router", name, "status", to.String(), "was", from.String(), "reason", why)
		h.note(vbrv1.Event_TYPE_VBR_STATUS, name, x.owner, name, text)
		from = to
	}
}

// fill says in s what status the VBR has.
func (l *lifecycles) fill(s *vbrv1.RouterStatus) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.vbrs[s.GetName()]
	if x == nil {
		return
	}
	if s.VbrStatus = x.state.String(); x.state != vbrActive {
		_, s.VbrStatusReason = x.event()
	}
	if x.wanted == vbrTerminated {
		s.VlanHeldUntil = stamp(x.heldUntil)
	}
}
