package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

// rollbackComment begins the comment of an automatic rollback.
const rollbackComment = "rollback: "

// rolledBack tells whether a revision is an automatic rollback. No caller is called vbrd.
func rolledBack(r *vbrv1.Revision) bool {
	return r.GetAuthor() == author && strings.HasPrefix(r.GetComment(), rollbackComment)
}

// othersTurn is until when others come first, after a change that has waited for its confirmation until now: as long again as nobody else could make one.
func othersTurn(r *vbrv1.Revision, now time.Time) time.Time {
	return now.Add(min(now.Sub(r.GetCreateTime().AsTime()), MaxConfirmOwned))
}

// mayKeepWaiting refuses a change that has others wait for its confirmation, by a caller who does not answer for all, while it is the others' turn.
func (c *Controller) mayKeepWaiting(r *request) error {
	if r.confirm == nil || r.dryRun || r.caller.rules() {
		return nil
	}
	c.mu.Lock()
	until := c.turnOf
	c.mu.Unlock()
	if !c.cfg.Now().Before(until) {
		return nil
	}
	return fail(codes.FailedPrecondition, "a change has waited for confirmation until just now: others come first until %s; wait, or apply without confirm_within",
		until.UTC().Format(time.RFC3339))
}

// Confirm keeps the change that waits for it: for admins, and for who made it.
func (c *Controller) Confirm(ctx context.Context, caller Caller, req *vbrv1.ConfirmRequest) (*vbrv1.ConfirmResponse, error) {
	if caller.Role != Operator && caller.Role != Admin {
		return nil, denied(caller, "confirm changes")
	}
	if err := c.take(ctx); err != nil {
		return nil, ended(err)
	}
	defer c.release()
	s, err := c.refresh(ctx)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	n, by := s.number(), s.revision().GetConfirmBy()
	switch {
	case req.GetRevision() != 0 && req.GetRevision() != n:
		return nil, fail(codes.FailedPrecondition, "revision %d is not the current one, which is %d; `vbrctl history` tells what became of it", req.GetRevision(), n)
	case !caller.rules() && caller.Name != s.revision().GetAuthor():
		return nil, denied(caller, fmt.Sprintf("confirm revision %d, which others made", n))
	case by == nil && req.GetRevision() == n && n != 0:
		return &vbrv1.ConfirmResponse{Revision: n}, nil // again
	case by == nil:
		return nil, fail(codes.FailedPrecondition, "no change waits for confirmation")
	case !c.cfg.Now().Before(by.AsTime()):
		return nil, fail(codes.FailedPrecondition, "revision %d was to be confirmed by %s and is rolled back", n, by.AsTime().Format(time.RFC3339))
	}
	if err := c.keepChange(ctx, by.AsTime(), n); err != nil {
		return nil, err
	}
	if _, err := c.refresh(ctx); err != nil {
		c.poke()
	}
	c.cfg.Log.Info("change confirmed", "revision", n, "by", caller.Name)
	return &vbrv1.ConfirmResponse{Revision: n}, nil
}

// keepChange writes the confirmation, in time or not at all.
func (c *Controller) keepChange(ctx context.Context, by time.Time, n uint64) error {
	if err := ctx.Err(); err != nil {
		return ended(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(storeTime, by.Sub(c.cfg.Now())+grace/2))
	defer cancel()
	err := c.cfg.Store.Confirm(ctx, n)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrConflict):
		return fail(codes.Aborted, "revision %d is no longer the current one; `vbrctl history` tells what became of it", n)
	}
	c.poke()
	return fail(codes.Unavailable, "store %s: %v; `vbrctl history` tells whether revision %d is confirmed", c.cfg.Store.Name(), err, n)
}

// remember reads what a change that waits would be rolled back to, for the time the store is away. The turn is held.
func (c *Controller) remember(ctx context.Context, s *state) error {
	c.mu.Lock()
	before := c.before
	c.mu.Unlock()
	if before != nil && before.GetRevision().GetNumber() == s.number()-1 {
		return nil
	}
	before, err := c.revisionBefore(ctx, s)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.before = before
	c.mu.Unlock()
	if c.cfg.Cache == "" || before.GetRevision().GetNumber() == 0 {
		return nil
	}
	if err := store.WriteCache(c.beforePath(), before); err != nil {
		c.cfg.Log.Error("cache not written", "error", err)
	}
	return nil
}

// beforePath is the cache of what a change that waits would be rolled back to.
func (c *Controller) beforePath() string { return c.cfg.Cache + ".before" }

// recall reads it again, at a start without the store.
func (c *Controller) recall(cached *vbrv1.StoredRevision) {
	if cached.GetRevision().GetConfirmBy() == nil {
		return
	}
	before, err := store.ReadCache(c.beforePath())
	if err != nil {
		c.cfg.Log.Warn("a change waits for confirmation, and what was before it is not known", "error", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.before = before
}

// revisionBefore is the one before the head; nothing before the first.
func (c *Controller) revisionBefore(ctx context.Context, s *state) (*vbrv1.StoredRevision, error) {
	if s.number() == 1 {
		return &vbrv1.StoredRevision{Revision: &vbrv1.Revision{}}, nil
	}
	return c.cfg.Store.Get(ctx, s.number()-1)
}

// expire rolls back a change that nobody confirmed. With several hosts on one store one of them does: the others
// get a conflict and look again. The turn is held.
func (c *Controller) expire(ctx context.Context, s *state) error {
	before, err := c.revisionBefore(ctx, s)
	if err != nil {
		c.trouble(troubleConfirm, fmt.Sprintf("revision %d was not confirmed and cannot be rolled back: %v", s.number(), err))
		return err
	}
	d := back(s, before)
	d.author = author
	rev := c.revise(s, d)
	rev.Revision.Comment = fmt.Sprintf("%srevision %d was not confirmed by %s", rollbackComment, s.number(), s.revision().GetConfirmBy().AsTime().Format(time.RFC3339))
	next := c.newState(s.files, rev, s) // never refused: what does not hold is left out
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	if err := c.cfg.Store.Append(ctx, rev); errors.Is(err, store.ErrConflict) {
		c.poke() // somebody else did, or it was confirmed
		return nil
	} else if err != nil {
		c.trouble(troubleConfirm, fmt.Sprintf("revision %d was not confirmed and cannot be rolled back: %v", s.number(), err))
		c.fallBack()
		return err
	}
	c.trouble(troubleConfirm, "")
	c.install(next)
	c.cfg.Log.Warn("change rolled back, nobody confirmed it", "revision", s.number(), "rollback", next.number())
	return nil
}

// fallBack runs what was before an unconfirmed change while the store cannot be written: the change may be why. The turn is held.
func (c *Controller) fallBack() {
	s := c.now()
	c.mu.Lock()
	before, over := c.before, c.override
	c.mu.Unlock()
	if over != nil || !s.pending() || before == nil || before.GetRevision().GetNumber() != s.number()-1 ||
		c.cfg.Now().Before(s.revision().GetConfirmBy().AsTime().Add(grace)) {
		return
	}
	next := c.newState(s.files, before, s)
	c.mu.Lock()
	c.override = next
	c.mu.Unlock()
	text := fmt.Sprintf("revision %d was not confirmed, and the store cannot take the rollback: revision %d runs here until it can", s.number(), before.GetRevision().GetNumber())
	c.trouble(troubleConfirm, text)
	c.event(vbrv1.Event_TYPE_ROLLED_BACK, text)
	c.wake()
}
