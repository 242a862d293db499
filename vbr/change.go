package vbr

import (
	"context"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/openvbr/openvbr/bgp"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/link"
)

// goodbyeLimit bounds the wait for sessions that end before their line is changed under them.
const goodbyeLimit = time.Second

// give has the actor become what s says, soon. The channel is closed when it has, or has ended. A router that is all that already, and well, is
// left alone.
func (r *router) give(s *spec) <-chan struct{} {
	taken := make(chan struct{})
	r.mu.Lock()
	if r.next == nil && len(r.reasons) == 0 && reflect.DeepEqual(r.spec, s) {
		r.mu.Unlock()
		close(taken)
		return taken
	}
	r.next = s
	r.takers = append(r.takers, taken)
	r.mu.Unlock()
	poke(r.news)
	return taken
}

// target is what the router is, or is about to become.
func (r *router) target() *spec {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next != nil {
		return r.next
	}
	return r.spec
}

// given is what the router is to become, nil when it is that already.
func (r *router) given() *spec {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next
}

// taken says that the router is s, what was given to it. Those who gave are told, unless there is more news; nil tells them anyway.
func (r *router) taken(s *spec) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s != nil && r.next != s {
		poke(r.news)
		return
	}
	r.next = nil
	for _, ch := range r.takers {
		close(ch)
	}
	r.takers = nil
}

// change makes the living router what was given to it, and touches only what differs. An error ends the life.
func (r *router) change(ctx context.Context, speaker speaker) error {
	next := r.given()
	if next == nil {
		return nil
	}
	before, d := r.spec, compare(r.spec, next)
	r.report(next, d)
	r.reported = next
	r.relimit(d.risChanged)
	r.part(ctx, speaker, d)
	r.host.monitor.readBefore(d)
	if d.scope >= scopeLife {
		return errChanged
	}
	state, err := r.host.ensure(next.link)
	r.degrade("devices", err)
	r.degrade("router interfaces", next.left)
	if r.outgrown(next, state) {
		return errChanged
	}
	r.partWith(specsOf(d.risGone))
	r.tellAnew(next, d)
	r.host.backbone.detach(r, r.sides(d.risGone)...)
	r.replaced(d)
	r.mu.Lock()
	r.arrange(next, state)
	r.mu.Unlock()
	r.lookIfDown(state)
	r.host.backbone.attach(r, r.sides(d.risNew)...)
	if d.networks {
		r.changeNetworks(speaker)
	}
	r.settleInterfaces()
	r.flush(ctx, speaker)
	r.prune(d, next.link, before.link.Lines)
	r.setPeers(speaker, r.peersNow(next))
	r.taken(next)
	return nil
}

// takeBetweenLives makes a router that has no life just now what was given to it.
func (r *router) takeBetweenLives() {
	next := r.given()
	if next == nil {
		return
	}
	before, d := r.spec, compare(r.spec, next)
	if r.reported != next {
		r.report(next, d)
	}
	r.partWith(specsOf(d.risGone))
	r.replaced(d)
	r.tellAnew(next, d)
	r.host.monitor.readBefore(d)
	r.mu.Lock()
	r.forgetSources()
	r.rib.SetRules(next.rules)
	r.spec, r.state = next, link.State{}
	r.mu.Unlock()
	r.prune(d, next.link, before.link.Lines)
	r.taken(next)
}

// lookIfDown has the actor look at its devices once more if one is down: the kernel's word that it came up may have come before the router knew it for its own.
func (r *router) lookIfDown(state link.State) {
	down := func(d link.Device) bool { return d.Index != 0 && !d.Up }
	for _, list := range [][]link.Device{state.Lines, state.Tunnels, state.Pairs} {
		if slices.ContainsFunc(list, down) {
			poke(r.look)
			return
		}
	}
}

// tellAnew takes back what router interfaces are to hear no longer, and has the next flush tell all neighbours what they are to hear now.
func (r *router) tellAnew(next *spec, d delta) {
	if len(d.risRetold) == 0 && r.spec.marks() == next.marks() {
		return
	}
	r.mu.Lock()
	out := r.noLonger(next)
	r.mu.Unlock()
	r.speak(r.speaker, forCustomer{}, out)
	r.records.retell.Store(true)
}

// part ends the sessions that go, or move elsewhere, while their lines still are as they were, and takes the routes of those
// that go out of the kernel.
func (r *router) part(ctx context.Context, speaker speaker, d delta) {
	var ends []netip.Addr
	for _, p := range d.peersGone {
		ends = append(ends, p.Address)
	}
	for _, c := range d.peersReset {
		if c.moved {
			ends = append(ends, c.Address)
		}
	}
	if len(ends) == 0 {
		return
	}
	stay := slices.DeleteFunc(r.peersNow(r.spec), func(p bgp.Peer) bool { return slices.Contains(ends, p.Address) })
	r.setPeers(speaker, stay)
	r.host.wait(ctx, goodbyeLimit, func() bool { return r.allDown(ends) })
	r.mu.Lock()
	for _, a := range ends {
		if s := r.sessions[a]; s != nil {
			r.rib.Drop(s.source)
		}
	}
	r.mu.Unlock()
	r.flush(ctx, speaker)
}

func (r *router) allDown(peers []netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !slices.ContainsFunc(peers, func(a netip.Addr) bool { return r.sessions[a] != nil && r.sessions[a].up })
}

// prune removes the devices that a change left over.
func (r *router) prune(d delta, now link.Router, had []link.Line) {
	if len(d.linesGone)+len(d.risGone)+len(d.switchesGone) > 0 {
		r.leftover = append(r.leftover, had...)
		r.pruneAgain(now)
	}
}

// pruneAgain does so once more for all changes since it last succeeded.
func (r *router) pruneAgain(now link.Router) {
	err := r.host.links.Prune(now, r.leftover)
	if err == nil {
		r.leftover = nil
		r.parted(anyInterface)
	}
	r.degrade("old devices", err)
}

// sides are the living sides of these router interfaces.
func (r *router) sides(changes []riChange) (sides []*vpcSide) {
	for _, v := range r.vpc {
		if slices.ContainsFunc(changes, func(c riChange) bool { return v.ri.same(&c.riSpec) }) {
			sides = append(sides, v)
		}
	}
	return sides
}

func specsOf(changes []riChange) (ris []riSpec) {
	for _, c := range changes {
		ris = append(ris, c.riSpec)
	}
	return ris
}

// report says what changes, for people.
func (r *router) report(s *spec, d delta) {
	for _, e := range routerChanged(s, d, live{r}) {
		r.log.Info("router changes", "what", e.GetText(), "disruptive", e.GetDisruptive())
		r.note(vbrv1.Event_TYPE_ROUTER_CHANGED, e.GetSubject(), e.GetText())
	}
}
