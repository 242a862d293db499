package control

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/intent/source"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

// request is a change of any sort.
type request struct {
	caller   Caller
	expected uint64 // revision; 0: any
	dryRun   bool
	comment  string
	confirm  *durationpb.Duration
	rollback bool // it may come while a change waits for confirmation
	edit     func(base *state) (*draft, error)
}

// draft is what a change does to the stored resources.
type draft struct {
	put    map[key]*vbrv1.Resource // created and changed; of metadata only the generation counts
	gone   map[key]bool
	author string // default: the caller
	back   bool   // to what was before
}

// outcome is what the replies of all changes have in common.
type outcome struct {
	revision  uint64
	plan      *vbrv1.Plan
	confirmBy *timestamppb.Timestamp
}

// check looks at what all changes have in common.
func (r *request) check() error {
	var problems intent.Errors
	if len([]rune(r.comment)) > MaxComment || !printable(r.comment) {
		problems.Add(source.Problem{Path: "comment", Value: source.Quote(r.comment), Text: "not a comment", Legal: "at most 256 printable characters"})
	}
	if r.confirm != nil {
		switch d := r.confirm.AsDuration(); {
		case r.confirm.CheckValid() != nil || d < MinConfirm || d > MaxConfirm:
			problems.Add(source.Problem{Path: "confirm_within", Value: d.String(), Text: "out of range", Legal: "10s..24h; 10s..10m if you have owners"})
		case !r.caller.rules() && d > MaxConfirmOwned:
			problems.Add(source.Problem{Path: "confirm_within", Value: d.String(), Text: "others would wait for too long", Legal: "10s..10m if you have owners"})
		}
	}
	if len(problems) > 0 {
		return refuse(codes.InvalidArgument, problems...)
	}
	return nil
}

// commit carries a change out: all of it, durably, or nothing. A conflict with another host's change is tried again
// once from the new head.
func (c *Controller) commit(ctx context.Context, r *request) (*outcome, error) {
	if r.caller.Role != Operator && r.caller.Role != Admin {
		return nil, denied(r.caller, "change resources")
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	if err := c.take(ctx); err != nil {
		return nil, ended(err)
	}
	defer c.release()
	out, err := c.attempt(ctx, r)
	if errors.Is(err, store.ErrConflict) {
		out, err = c.attempt(ctx, r)
	}
	if errors.Is(err, store.ErrConflict) {
		return nil, fail(codes.Aborted, "others changed the store at the same time; nothing was changed: try again")
	}
	return out, err
}

// attempt is one try on the store's head. Its error is a status, or store.ErrConflict.
func (c *Controller) attempt(ctx context.Context, r *request) (*outcome, error) {
	base, err := c.refresh(ctx)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if base.pending() && !r.rollback && !r.dryRun {
		return nil, waiting(base)
	}
	if err := c.mayKeepWaiting(r); err != nil {
		return nil, err
	}
	if r.expected != 0 && r.expected != base.number() {
		return nil, fail(codes.Aborted, "revision %d is expected, the current one is %d; look at `vbrctl diff` and try again", r.expected, base.number())
	}
	d, err := r.edit(base)
	if err != nil {
		return nil, err
	}
	next, changes, err := c.design(base, d, r)
	if err != nil {
		return nil, err
	}
	out := &outcome{revision: base.number(), plan: &vbrv1.Plan{Changes: changes, Effects: c.effects(r.caller, base, next)}}
	if r.dryRun {
		return out, nil
	}
	// What an admin says there should be is stored also when it is nothing: an empty store would be a lost one again.
	if len(changes) > 0 || base.number() == 0 && r.caller.rules() && c.Partial() {
		if err := c.append(ctx, next); err != nil {
			return nil, err
		}
		c.install(next)
		out.revision, out.confirmBy = next.number(), next.revision().GetConfirmBy()
		c.cfg.Log.Info("stored intent changed", "revision", next.number(), "author", next.revision().GetAuthor(), "changes", len(changes))
	}
	c.poke()
	return out, nil
}

// design makes the state after the change and checks it.
func (c *Controller) design(base *state, d *draft, r *request) (*state, []*vbrv1.ResourceChange, error) {
	if d.author == "" {
		d.author = r.caller.Name
	}
	if err := c.referred(base, d, r.caller); err != nil {
		return nil, nil, err
	}
	rev := c.revise(base, d)
	rev.Revision.Comment = r.comment
	if r.confirm != nil {
		rev.Revision.ConfirmBy = timestamppb.New(rev.Revision.CreateTime.AsTime().Add(r.confirm.AsDuration()))
	}
	if len(rev.Resources) > MaxStored {
		return nil, nil, fail(codes.ResourceExhausted, "%d resources would be stored; legal: at most %d", len(rev.Resources), MaxStored)
	}
	next, problems := c.judge(base, rev, d, r.caller)
	if len(problems) > 0 {
		return nil, nil, refuse(codes.InvalidArgument, problems...)
	}
	return next, compare(base.kept, next.kept), nil
}

// judge checks what a change leads to and returns the state, or every problem that the caller may know.
func (c *Controller) judge(base *state, rev *vbrv1.StoredRevision, d *draft, caller Caller) (*state, intent.Errors) {
	next, changed := rawState(base.files, rev), map[key]bool{}
	for k := range d.put {
		changed[k] = true
	}
	a := c.assemble(next, base, changed)
	if !caller.SeesAll() {
		a.opts.Sees = caller.Sees
	}
	for k := range changed {
		if doc, ok := a.docs[k]; ok && !d.back {
			doc.New = !slices.Equal(leansOn(base.kept[k]), leansOn(next.kept[k]))
			a.docs[k] = doc
		}
	}
	in, problems := a.judge(base)
	if len(problems) > 0 {
		return nil, tell(caller, problems, next.ownersOf)
	}
	a.finish(in, c.cfg.Host)
	for _, p := range c.machine(next.here) {
		if k, ok := keyOf(p); ok && !changed[k] {
			continue // it was so before
		}
		if !caller.SeesAll() {
			p.Legal = "" // it may list what others have on the machine
		}
		problems.Add(p)
	}
	return next, problems
}

// revise makes the next revision's resources: what is put has a generation more than before, what stays is as it was.
func (c *Controller) revise(base *state, d *draft) *vbrv1.StoredRevision {
	now := timestamppb.New(c.cfg.Now())
	rev := &vbrv1.Revision{Number: base.number() + 1, CreateTime: now, Author: d.author}
	resources := make(map[key]*vbrv1.Resource, len(base.kept)+len(d.put))
	for k, r := range base.kept {
		resources[k] = r
		if d.gone[k] {
			delete(resources, k)
			rev.Deleted++
		}
	}
	for k, r := range d.put {
		meta := &vbrv1.Metadata{Generation: r.GetMetadata().GetGeneration() + 1, Source: "store", Revision: rev.Number, CreateTime: now, ModifyTime: now}
		if was := base.kept[k]; was != nil {
			meta.Generation, meta.CreateTime = was.Metadata.GetGeneration()+1, was.Metadata.GetCreateTime()
			rev.Changed++
		} else {
			rev.Created++
		}
		resources[k] = &vbrv1.Resource{Metadata: meta, Resource: r.Resource}
	}
	rev.Resources = uint32(len(resources))
	out := &vbrv1.StoredRevision{Revision: rev}
	for _, k := range sorted(resources) {
		out.Resources = append(out.Resources, resources[k])
	}
	return out
}

// append writes a revision. From here on the caller's patience no longer counts, the store's answer does.
func (c *Controller) append(ctx context.Context, next *state) error {
	if err := ctx.Err(); err != nil {
		return ended(err)
	}
	if err := c.mark(); err != nil {
		return fail(codes.Internal, "it cannot be noted that stored resources are missing: %v; nothing was changed", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	err := c.cfg.Store.Append(ctx, next.stored)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrConflict):
		return store.ErrConflict
	}
	c.poke() // it may have been written all the same
	c.cfg.Log.Error("store: append failed", "revision", next.number(), "error", err)
	if errors.Is(err, store.ErrUnavailable) {
		return fail(codes.Unavailable, "store %s: %v; `vbrctl history` tells whether revision %d was stored", c.cfg.Store.Name(), err, next.number())
	}
	return fail(codes.Internal, "store %s: %v; nothing was changed", c.cfg.Store.Name(), err)
}

// waiting says that a change waits for confirmation and what can be done.
func waiting(s *state) error {
	n := s.number()
	how := "or wait"
	if n > 1 {
		how = "or go back with `vbrctl rollback " + number(n-1) + "`, or wait"
	}
	return fail(codes.FailedPrecondition, "revision %d waits for confirmation until %s: keep it with `vbrctl confirm %d`, %s",
		n, s.revision().GetConfirmBy().AsTime().Format(time.RFC3339), n, how)
}
