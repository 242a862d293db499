package bfd

import "time"

// fsm is one end of a session (RFC 5880 6.8): pure, its caller brings packets and the time, and sends what it is given.
type fsm struct {
	cfg    Session
	discr  uint32         // bfd.LocalDiscr
	jitter func() float64 // in [0, 1)

	state  State     // bfd.SessionState
	since  time.Time // of state
	diag   Diag      // bfd.LocalDiag
	why    Diag      // the last that was not DiagNone
	remote remote
	anew   bool // down because the neighbour's session began anew, see Change
	downs  uint64

	tx, rx    interval // bfd.DesiredMinTxInterval, bfd.RequiredMinRxInterval
	poll      poll
	every     time.Duration // between packets, before jitter
	sent      time.Time     // the last periodic packet
	sendAt    time.Time     // the next
	heard     time.Time     // the last packet
	singleHop time.Time     // when a packet came by RFC 5881's port last
	expire    time.Time     // when the detection time is over; zero: it does not run
}

// remote is what the neighbour last said (RFC 5880 6.8.1).
type remote struct {
	state        State
	diag         Diag
	discr        uint32
	minTx, minRx time.Duration
	mult         uint8
	independent  bool
	multihop     bool
}

// bothPorts is for how long after a packet by RFC 5881's port those by RFC 5883's do not count.
const bothPorts = 5 * time.Second

// newFSM is a session that starts now (RFC 5880 6.8.1 has the initial values).
func newFSM(now time.Time, cfg Session, discr uint32, jitter func() float64) *fsm {
	f := &fsm{cfg: cfg, discr: discr, jitter: jitter, state: Down, since: now, sendAt: now}
	f.remote = remote{state: Down, minRx: time.Microsecond}
	f.tx.settle(f.desiredTx())
	f.rx.settle(cfg.MinRx)
	f.retime(now)
	return f
}

// receive takes a packet that decode and demux let pass, from "If the packet is not discarded" in RFC 5880 6.8.6 on. What it returns is to be sent at once.
func (f *fsm) receive(now time.Time, p packet) (reply packet, ok bool) {
	switch { // a neighbour that speaks by both ports, as we do to whom we have not heard: two sockets would bring its packets out of order
	case !p.multihop:
		f.singleHop = now
	case !f.singleHop.IsZero() && now.Sub(f.singleHop) < bothPorts:
		return packet{}, false
	}
	anew := f.state == Up && p.state == Down && p.diag == DiagNone && f.remote.discr != 0 && f.remote.discr != p.my
	f.remote = remote{p.state, p.diag, p.my, p.minTx, p.minRx, p.mult, p.independent, p.multihop}
	if p.final {
		f.finished() // 6.5
	}
	f.heard = now
	f.retime(now)
	if f.state == AdminDown { // 6.8.6: discarded
		return packet{}, false
	}
	f.step(now, p.state)
	f.anew = f.state == Down && (anew || f.anew)
	f.retime(now)
	if p.poll { // 6.5, 6.8.7: at once, whatever the timer says
		reply = f.packet()
		reply.poll, reply.final = false, true
		return reply, true
	}
	return packet{}, false
}

// step is the state machine of RFC 5880 6.2, as 6.8.6 has it.
func (f *fsm) step(now time.Time, heard State) {
	switch {
	case heard == AdminDown:
		if f.state != Down {
			f.enter(now, Down, DiagNeighborDown)
		}
	case f.state == Down && heard == Down:
		f.enter(now, Init, f.diag)
	case f.state == Down && heard == Init:
		f.enter(now, Up, DiagNone)
	case f.state == Init && (heard == Init || heard == Up):
		f.enter(now, Up, DiagNone)
	case f.state == Up && heard == Down:
		f.enter(now, Down, DiagNeighborDown)
	}
}

// tick does what is due. The packet is to be sent.
func (f *fsm) tick(now time.Time) (p packet, ok bool) {
	if f.expired(now) { // 6.8.4
		f.expire = time.Time{}
		f.remote.discr = 0 // 6.8.1
		f.poll = poll{}    // nobody to answer
		if f.state == Init || f.state == Up {
			f.enter(now, Down, DiagTimeExpired)
			f.retime(now)
		}
	}
	if f.silent() || now.Before(f.sendAt) {
		return packet{}, false
	}
	f.sent, f.sendAt = now, now.Add(f.jittered(f.every))
	p = f.packet()
	f.poll.sent = p.poll
	return p, true
}

// next is when tick will have something to do; zero: not before a packet comes.
func (f *fsm) next() time.Time {
	switch {
	case f.silent():
		return f.expire
	case f.expire.IsZero() || f.sendAt.Before(f.expire):
		return f.sendAt
	}
	return f.expire
}

func (f *fsm) expired(now time.Time) bool { return !f.expire.IsZero() && !now.Before(f.expire) }

// silent tells whether no periodic packets are to be sent (RFC 5880 6.8.7). The neighbour's Demand bit is no reason.
func (f *fsm) silent() bool {
	return f.remote.discr == 0 && f.cfg.Passive || f.remote.minRx == 0
}

// admin switches the session off or on again (RFC 5880 6.8.16).
func (f *fsm) admin(now time.Time, up bool) {
	switch {
	case up && f.state == AdminDown:
		f.enter(now, Down, DiagNone)
	case !up && f.state != AdminDown:
		f.enter(now, AdminDown, DiagAdminDown)
		f.expire = time.Time{}
	}
	f.retime(now)
}

// enter changes the state, and says so at once (RFC 5880 6.8.7).
func (f *fsm) enter(now time.Time, s State, d Diag) {
	if f.state == Up {
		f.downs++
	}
	if d != DiagNone {
		f.why = d
	}
	f.state, f.since, f.diag = s, now, d
	if s != Up { // the changes under way need no confirmation any more
		f.tx.settle(f.tx.want)
		f.rx.settle(f.rx.want)
	}
	f.setTx(f.desiredTx())
	f.sendAt = now
}

// packet is what RFC 5880 6.8.7 says to send.
func (f *fsm) packet() packet {
	return packet{
		state: f.state, diag: f.diag, poll: f.poll.active, mult: f.cfg.DetectMult,
		my: f.discr, your: f.remote.discr, minTx: f.tx.want, minRx: f.rx.want, multihop: f.remote.multihop,
	}
}

// adminDown tells whether the neighbour says that it was switched off. It stays so when the neighbour says nothing more.
func (f *fsm) adminDown() bool { return f.remote.state == AdminDown }
