package vbr

// riState is the state of a router interface, as Express Connect names them (Status of RouterInterface). Routes flow in Active and in Modifying
// only, see flows.
type riState uint8

const (
	riIdle riState = iota
	riConnecting
	riAcceptingConnecting
	riActivating
	riActive
	riModifying // its limit is being changed in the kernel
	riDeactivating
	riInactive
	riDeleting
	riDeleted // the last that is heard of it
	riStates  // how many there are
)

func (s riState) String() string {
	return [...]string{
		"Idle", "Connecting", "AcceptingConnecting", "Activating", "Active", "Modifying", "Deactivating", "Inactive", "Deleting", "Deleted",
	}[s]
}

// flows says whether routes come in and are told.
func (s riState) flows() bool { return s == riActive || s == riModifying }

// riEvent is what the facts come down to. The first that applies counts.
type riEvent uint8

const (
	evDeleted  riEvent = iota // the router interface goes
	evGone                    // it went: its routes are taken back, and the kernel has nothing of it
	evOff                     // it is deactivated, here or at the opposite end
	evOffClean                // the same, and no route leads through it any more
	evAlone                   // it is the accepting side and names no opposite yet
	evApart                   // the opposite does not show up, or shows that it is not the one meant
	evDown                    // nothing is in the way but that its device carries no packets
	evChanging                // nothing is in the way, but the kernel does not have the limit of its spec yet
	evReady                   // nothing is in the way
	riEvents
)

func (e riEvent) String() string {
	return [...]string{"deleted", "gone", "off", "off and clean", "alone", "apart", "down", "changing", "ready"}[e]
}

// transitions is the whole machine; docs/states.md shows it. On the accepting side riAcceptingConnecting stands for riConnecting.
var transitions = [riStates][riEvents]riState{
	//                      deleted     gone        off             off, clean      alone       apart         down          changing      ready
	riIdle:                {riDeleting, riDeleting, riInactive, riInactive, riIdle, riConnecting, riActivating, riActivating, riActivating},
	riConnecting:          {riDeleting, riDeleting, riInactive, riInactive, riIdle, riConnecting, riActivating, riActivating, riActivating},
	riAcceptingConnecting: {riDeleting, riDeleting, riInactive, riInactive, riIdle, riConnecting, riActivating, riActivating, riActivating},
	riActivating:          {riDeleting, riDeleting, riDeactivating, riInactive, riIdle, riConnecting, riActivating, riActive, riActive},
	riActive:              {riDeleting, riDeleting, riDeactivating, riDeactivating, riIdle, riConnecting, riActivating, riModifying, riActive},
	riModifying:           {riDeleting, riDeleting, riDeactivating, riDeactivating, riIdle, riConnecting, riActivating, riModifying, riActivating},
	riDeactivating:        {riDeleting, riDeleting, riDeactivating, riInactive, riIdle, riConnecting, riActivating, riActivating, riActivating},
	riInactive:            {riDeleting, riDeleting, riInactive, riInactive, riIdle, riConnecting, riActivating, riActivating, riActivating},
	riDeleting:            {riDeleting, riDeleted, riDeleting, riDeleting, riDeleting, riDeleting, riDeleting, riDeleting, riDeleting},
	riDeleted:             {riDeleted, riDeleted, riDeleted, riDeleted, riDeleted, riDeleted, riDeleted, riDeleted, riDeleted},
}

// riOpposite is what is known of the other end of a pair.
type riOpposite uint8

const (
	oppositeAbsent      riOpposite = iota // nothing
	oppositeRefused                       // somebody is there, and not the one meant
	oppositeDeactivated                   // its owner has taken it out of service
	oppositePresent
)

// riFacts are what the state of a router interface follows from.
type riFacts struct {
	paired      bool // it names an opposite; otherwise it joins a gateway that is not ours
	accepting   bool
	deactivated bool
	deleting    bool
	gone        bool   // deleting has been done
	up          bool   // its device carries packets
	changing    string // why the kernel does not have its limit yet; empty: it has
	clean       bool   // no route in the kernel leads through it
	opposite    riOpposite
	why         string // of an opposite that is absent or refused
}

// event is what the facts come down to, and why the router interface is not Active then.
func (f *riFacts) event() (riEvent, string) {
	off := evOff
	if f.clean {
		off = evOffClean
	}
	switch {
	case f.deleting && f.gone:
		return evGone, "nothing of it is left"
	case f.deleting:
		return evDeleted, "it is being deleted"
	case f.deactivated:
		return off, "it is deactivated"
	case !f.paired && f.accepting:
		return evAlone, "it is the accepting side and names no opposite interface yet"
	case f.paired && f.opposite == oppositeDeactivated:
		return off, "the opposite interface is deactivated"
	case f.paired && f.opposite != oppositePresent:
		return evApart, f.why
	case !f.up:
		return evDown, "its device carries no packets"
	case f.changing != "":
		return evChanging, f.changing
	}
	return evReady, ""
}

// next is the state that follows, one step on, and why it is not Active.
func (s riState) next(f *riFacts) (riState, string) {
	e, why := f.event()
	to := transitions[s][e]
	if to == riConnecting && f.accepting {
		to = riAcceptingConnecting
	}
	return to, why
}

// settle goes on to where the state stays as long as the facts do; passed are the states on the way, the last one included.
func (s riState) settle(f *riFacts) (passed []riState, why string) {
	for {
		to, reason := s.next(f)
		if why = reason; to == s {
			return passed, why
		}
		s = to
		passed = append(passed, s)
	}
}
