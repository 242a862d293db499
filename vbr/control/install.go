package control

import (
	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// The bounds of what watchers can be behind.
const (
	maxDeltas = 256     // changes
	maxItems  = 100_000 // resources in them
)

// changes are the newest changes of what exists, for watchers.
type changes struct {
	list  []delta // oldest first
	first uint64  // sequence number of list[0]
	items int     // in all of list
	more  chan struct{}
}

// delta is one change.
type delta struct {
	items []item // by kind and name
	token string // to go on after it
}

// item is a resource before and after; nil: it was not, or is no more.
type item struct {
	key           key
	before, after *vbrv1.Resource
	was, is       []string // who saw it, and who sees it
}

// next is the sequence number of the next change.
func (cs *changes) next() uint64 { return cs.first + uint64(len(cs.list)) }

func (cs *changes) add(d delta) {
	cs.list = append(cs.list, d)
	cs.items += len(d.items)
	for len(cs.list) > 1 && (len(cs.list) > maxDeltas || cs.items > maxItems) {
		cs.items -= len(cs.list[0].items)
		cs.list[0] = delta{}
		cs.list = cs.list[1:]
		cs.first++
	}
}

// difference lists what differs between two states, metadata too.
func difference(was, is *state) []item {
	differs := map[key]item{}
	for k, before := range was.shown {
		if after := is.shown[k]; after != before && !proto.Equal(before, after) {
			differs[k] = item{k, before, after, was.owners(before), is.owners(after)}
		}
	}
	for k, after := range is.shown {
		if was.shown[k] == nil {
			differs[k] = item{k, nil, after, nil, is.owners(after)}
		}
	}
	out := make([]item, 0, len(differs))
	for _, k := range sorted(differs) {
		out = append(out, differs[k])
	}
	return out
}

// install makes a state the one that counts. The turn is held.
func (c *Controller) install(s *state) {
	was := c.now()
	d := delta{items: difference(was, s), token: s.token()}
	c.mu.Lock()
	if was.pending() && !(s.pending() && s.number() == was.number()) {
		c.turnOf = othersTurn(was.revision(), c.cfg.Now())
	}
	c.state, c.override = s, nil
	delete(c.troubles, troubleConfirm)
	if s.number() > 0 {
		c.held = nil
		delete(c.troubles, troubleEmpty)
	}
	if len(d.items) > 0 {
		c.changes.add(d)
	}
	c.mu.Unlock()
	c.wake()
	for _, k := range sorted(s.left) {
		if was.left[k] != nil {
			continue
		}
		// Its owner may read this, so it does not name what it clashes with: Status and the log do.
		c.cfg.Events.Append(&vbrv1.Event{Type: vbrv1.Event_TYPE_STORE, Subject: k.String(), Owner: ownerOf(s.kept[k]),
			Text: k.String() + " is left out, since it clashes with other resources of this host; it stays stored"})
		c.cfg.Log.Warn("stored resource left out", "resource", k.String(), "why", s.left[k][0].Error())
	}
}

// wake makes watchers and the realiser look.
func (c *Controller) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changes.more)
	c.changes.more = make(chan struct{})
}
