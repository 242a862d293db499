package fib

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// op is one route message of a batch.
type op struct {
	change  int
	act     action
	known   bool
	old     entry
	want    entry
	refused answer
}

// cause is why an operation is tried again at once.
type cause uint8

const (
	causeGone    cause = iota // ours was deleted by another hand
	causeForeign              // something is in its place
	causeNexthop              // its group may be gone
)

type redo struct {
	change int
	cause  cause
}

// batch is the operations under way in a table, message i being operation i. Its memory is reused.
type batch struct {
	enc    encoder
	ops    []op
	inside map[netip.Prefix]struct{} // prefixes in it: a second change of one waits for the first's answer
	redo   []redo
	refuse func(i int, a answer)
}

func newBatch() batch { return batch{inside: map[netip.Prefix]struct{}{}} }

func (b *batch) begin(r *requester) {
	if b.refuse == nil {
		b.refuse = func(i int, a answer) { b.ops[i].refused = a }
	}
	r.begin(&b.enc)
	b.ops, b.redo = b.ops[:0], b.redo[:0]
	clear(b.inside)
}

func (b *batch) has(p netip.Prefix) bool {
	_, ok := b.inside[p]
	return ok
}

// again queues a change for another try. Its prefix is kept out of the batch, so that later changes of it wait.
func (b *batch) again(change int, p netip.Prefix, c cause) {
	b.redo = append(b.redo, redo{change, c})
	b.inside[p] = struct{}{}
}

func (b *batch) add(o op, p netip.Prefix, t *Table) {
	c, id := &t.fib.cfg, baseID+o.want.index()
	switch o.act {
	case actAdd:
		b.enc.route(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, c, t.id, p, id)
	case actReplace:
		b.enc.route(unix.RTM_NEWROUTE, unix.NLM_F_REPLACE, c, t.id, p, id)
	case actRemove:
		b.enc.route(unix.RTM_DELROUTE, 0, c, t.id, p, 0)
	}
	b.ops = append(b.ops, o)
	b.inside[p] = struct{}{}
}
