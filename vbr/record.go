package vbr

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/openvbr/openvbr/bgp"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// eventCapacity is how many events a host keeps.
const eventCapacity = 4096

// records is what a router remembers for those who look at it, over all its lives. Guarded by router.mu but for the atomics.
type records struct {
	state    vbrv1.RouterStatus_State
	since    time.Time                    // of state
	drift    uint64                       // routes that audits found otherwise than they should be
	sessions map[netip.Addr]sessionRecord // by peer
	drained  atomic.Bool                  // both sides are asked to use other routers
	retell   atomic.Bool                  // the actor has to tell all again
	turn     atomic.Bool                  // the actor has to take the router out of service, or back
	back     atomic.Bool                  // its health check fails: others are to be used before it
}

// sessionRecord is what a router remembers of a session.
type sessionRecord struct {
	since     time.Time // it is established, or not
	count     uint32    // how often it was established
	lastError string
}

// sessionRecorded notes what happened to a session; r.mu is held.
func (r *router) sessionRecorded(p bgp.PeerState, wasUp bool) {
	if r.records.sessions == nil {
		r.records.sessions = make(map[netip.Addr]sessionRecord)
	}
	x, known := r.records.sessions[p.Peer]
	if !known { // those that were removed from the configuration go
		for peer := range r.records.sessions {
			if r.sessions[peer] == nil {
				delete(r.records.sessions, peer)
			}
		}
	}
	if p.Established != wasUp {
		x.since = p.At
	}
	if p.Established {
		x.count++
	}
	if p.Reason != "" {
		x.lastError = p.Reason
	}
	r.records.sessions[p.Peer] = x
}

// stateNow is how the router is; r.mu is held.
func (r *router) stateNow() vbrv1.RouterStatus_State {
	switch {
	case len(r.reasons) > 0:
		return vbrv1.RouterStatus_STATE_DEGRADED
	case !r.isReady():
		return vbrv1.RouterStatus_STATE_STARTING
	case r.records.drained.Load():
		return vbrv1.RouterStatus_STATE_DRAINED
	}
	return vbrv1.RouterStatus_STATE_READY
}

// noteState remembers since when the router is as it is; r.mu is held.
func (r *router) noteState() {
	if s := r.stateNow(); s != r.records.state {
		r.records.state, r.records.since = s, time.Now()
	}
}

// note adds an event of the host's to its log. Subject is a peer, device or resource. Nobody's, if the host has no log.
func (h *Host) note(typ vbrv1.Event_Type, router, owner, subject, text string) {
	if h.events != nil {
		h.events.Append(&vbrv1.Event{Type: typ, Router: router, Owner: owner, Subject: subject, Text: text})
	}
}

// noteAs is note for a type that has several ids; r.mu must not be held.
func (r *router) noteAs(id string, typ vbrv1.Event_Type, subject, text string) {
	if r.host.events == nil {
		return
	}
	r.mu.Lock()
	name, owner := r.spec.name, r.spec.owner
	r.mu.Unlock()
	r.host.events.Append(&vbrv1.Event{Id: id, Type: typ, Router: name, Owner: owner, Subject: subject, Text: text})
}

// note adds an event of the router's to the host's log; r.mu must not be held.
func (r *router) note(typ vbrv1.Event_Type, subject, text string) {
	r.mu.Lock()
	name, owner := r.spec.name, r.spec.owner
	r.mu.Unlock()
	r.host.note(typ, name, owner, subject, text)
}

// noteSession adds the event of a session that came up or went down, if it did.
func noteSession(note func(typ vbrv1.Event_Type, subject, text string), wasUp bool, p bgp.PeerState) {
	switch {
	case p.Established && !wasUp:
		note(vbrv1.Event_TYPE_SESSION_UP, p.Peer.String(), fmt.Sprintf("AS %d, router id %s, families %s", p.ASN, p.RouterID, p.Families))
	case wasUp && !p.Established:
		text := p.Reason
		if p.GracefulRestart.Hold {
			text += "; its routes are held meanwhile"
		}
		note(vbrv1.Event_TYPE_SESSION_DOWN, p.Peer.String(), text)
	}
}
