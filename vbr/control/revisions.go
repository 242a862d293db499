package control

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent/source"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

// ListRevisions hands out the history, newest first. Who does not see all hears of revisions that changed
// something of its owners, with counts of that alone, and the comment if nothing else was changed.
func (c *Controller) ListRevisions(ctx context.Context, caller Caller, req *vbrv1.ListRevisionsRequest, yield func(*vbrv1.ListRevisionsResponse) error) error {
	limit := int(req.GetLimit())
	if limit > store.History {
		return refuse(codes.InvalidArgument, source.Problem{Path: "limit", Value: fmt.Sprint(limit), Text: "out of range", Legal: fmt.Sprintf("0..%d", store.History)})
	}
	if limit == 0 {
		limit = 50
	}
	ask := limit
	if !caller.SeesAll() {
		ask = 0
	}
	all, err := c.cfg.Store.List(ctx, ask)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if !caller.SeesAll() {
		if all, err = c.revisionsFor(ctx, caller, all, limit); err != nil {
			return c.unreachable(ctx, err)
		}
	}
	for first := true; first || len(all) > 0; first = false {
		n := min(len(all), maxChunk)
		if err := yield(&vbrv1.ListRevisionsResponse{Revisions: all[:n]}); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// tally is how many resources of each owner a revision created, changed, deleted and has.
type tally struct {
	made   int64 // time of the revision: a store may begin anew
	owners map[string]*vbrv1.Revision
}

// tallies are those of the history, made when a tenant first asks.
type tallies struct {
	turn chan struct{} // who holds its token makes them
	of   map[uint64]tally
}

// revisionsFor leaves of revisions what the caller may know.
func (c *Controller) revisionsFor(ctx context.Context, caller Caller, all []*vbrv1.Revision, limit int) ([]*vbrv1.Revision, error) {
	select {
	case c.tallies.turn <- struct{}{}:
		defer func() { <-c.tallies.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var out []*vbrv1.Revision
	kept := map[uint64]tally{}
	reader := &reader{store: c.cfg.Store}
	for _, r := range all {
		t, ok := c.tallies.of[r.GetNumber()]
		if !ok || t.made != r.GetCreateTime().AsTime().UnixNano() {
			if len(out) >= limit {
				continue
			}
			var err error
			if t, err = reader.tally(ctx, r); errors.Is(err, store.ErrNotFound) {
				continue // it fell out of the history just now
			} else if err != nil {
				return nil, err
			}
		}
		kept[r.GetNumber()] = t
		if seen := t.seenBy(caller, r); seen != nil && len(out) < limit {
			out = append(out, seen)
		}
	}
	c.tallies.of = kept
	return out, nil
}

// seenBy is the revision as the caller may know it; nil when it changed nothing that the caller sees.
func (t tally) seenBy(caller Caller, r *vbrv1.Revision) *vbrv1.Revision {
	out := &vbrv1.Revision{Number: r.GetNumber(), CreateTime: r.GetCreateTime(), Author: r.GetAuthor(), ConfirmBy: r.GetConfirmBy()}
	others := false
	for owner, n := range t.owners {
		if !caller.Sees(owner) {
			others = others || n.Created+n.Changed+n.Deleted > 0
			continue
		}
		out.Created += n.Created
		out.Changed += n.Changed
		out.Deleted += n.Deleted
		out.Resources += n.Resources
	}
	if out.Created+out.Changed+out.Deleted == 0 {
		return nil
	}
	if !others {
		out.Comment = r.GetComment()
	}
	return out
}

// reader reads revisions; going down through the history it reads each once.
type reader struct {
	store store.Store
	last  *vbrv1.StoredRevision
}

func (r *reader) get(ctx context.Context, number uint64) (map[key]*vbrv1.Resource, error) {
	if number == 0 {
		return map[key]*vbrv1.Resource{}, nil
	}
	if r.last.GetRevision().GetNumber() != number {
		var err error
		if r.last, err = r.store.Get(ctx, number); err != nil {
			return nil, err
		}
	}
	return rawState(&files{}, r.last).kept, nil
}

func (r *reader) tally(ctx context.Context, rev *vbrv1.Revision) (tally, error) {
	t := tally{made: rev.GetCreateTime().AsTime().UnixNano(), owners: map[string]*vbrv1.Revision{}}
	of := func(res *vbrv1.Resource) *vbrv1.Revision {
		n := t.owners[ownerOf(res)]
		if n == nil {
			n = &vbrv1.Revision{}
			t.owners[ownerOf(res)] = n
		}
		return n
	}
	after, err := r.get(ctx, rev.GetNumber())
	if err != nil {
		return t, err
	}
	before, err := r.get(ctx, rev.GetNumber()-1)
	if errors.Is(err, store.ErrNotFound) {
		before, err = after, nil // the oldest one left: what it changed is not known any more
	}
	for k, res := range after {
		of(res).Resources++
		switch was := before[k]; {
		case was == nil:
			of(res).Created++
		case ownerOf(was) != ownerOf(res):
			of(was).Deleted++
			of(res).Created++
		case !same(was, res):
			of(res).Changed++
		}
	}
	for k, res := range before {
		if after[k] == nil {
			of(res).Deleted++
		}
	}
	return t, err
}

// DiffRevisions lists what changed between two revisions, of what the caller sees.
func (c *Controller) DiffRevisions(ctx context.Context, caller Caller, req *vbrv1.DiffRevisionsRequest) (*vbrv1.DiffRevisionsResponse, error) {
	done, err := c.reading(ctx)
	if err != nil {
		return nil, ended(err)
	}
	defer done()
	from, to, head := req.GetFrom(), req.GetTo(), c.now().stored
	if to == 0 {
		if head, err = c.cfg.Store.Head(ctx); err != nil {
			return nil, c.unreachable(ctx, err)
		}
		to = head.GetRevision().GetNumber()
	}
	if from == 0 && to > 0 {
		from = to - 1
	}
	after, err := c.visible(ctx, caller, head, to)
	if err != nil {
		return nil, err
	}
	before, err := c.visible(ctx, caller, head, from)
	if err != nil {
		return nil, err
	}
	return &vbrv1.DiffRevisionsResponse{From: from, To: to, Changes: compare(before, after)}, nil
}

// reading waits for a turn to read old revisions; done gives it back, when they are not needed any more.
func (c *Controller) reading(ctx context.Context) (done func(), _ error) {
	select {
	case c.reads <- struct{}{}:
		return func() { <-c.reads }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// visible are the resources of a revision that the caller sees; none before the first. The head need not be read.
func (c *Controller) visible(ctx context.Context, caller Caller, head *vbrv1.StoredRevision, number uint64) (map[key]*vbrv1.Resource, error) {
	all, err := (&reader{store: c.cfg.Store, last: head}).get(ctx, number)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, fail(codes.NotFound, "revision %d is not in the history; see `vbrctl history`", number)
	case err != nil:
		return nil, c.unreachable(ctx, err)
	}
	for k, r := range all {
		if !caller.Sees(ownerOf(r)) {
			delete(all, k)
		}
	}
	return all, nil
}
