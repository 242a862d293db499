package control

import (
	"context"
	"fmt"
	"sync"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

// The clocks of Run.
const (
	// resync is how often the head is read even if nobody says that it changed.
	resync = time.Minute
	// retryMin and retryMax bound the pause after a failure; it doubles.
	retryMin = time.Second
	retryMax = 30 * time.Second
	// grace is left between the end of the time to confirm and the rollback: a Confirm that is on its way, and hosts
	// whose clocks differ.
	grace = 2 * time.Second
)

// Run follows the store and hands what this host should be to the runner, beginning with what is known now, until ctx
// ends. It also rolls back changes that nobody confirms.
func (c *Controller) Run(ctx context.Context, runner Runner) error {
	c.mu.Lock()
	c.runner = runner
	c.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { c.follow(ctx) })
	both.Go(func() { c.realise(ctx, runner) })
	both.Wait()
	return nil
}

// follow keeps the state up to the store's head.
func (c *Controller) follow(ctx context.Context) {
	poke, pause := c.cfg.Store.Watch(ctx), retryMin
	for ctx.Err() == nil {
		wait, err := c.lookOnce(ctx)
		if err != nil {
			wait, pause = pause, min(2*pause, retryMax)
		} else {
			pause = retryMin
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case _, open := <-poke:
			if !open {
				poke = nil
			}
		case <-c.look:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// lookOnce reads the head and does what is due. It returns when to look again at the latest.
func (c *Controller) lookOnce(ctx context.Context) (time.Duration, error) {
	if err := c.take(ctx); err != nil {
		return resync, err
	}
	defer c.release()
	s, err := c.refresh(ctx)
	if err != nil {
		c.fallBack()
		return 0, err
	}
	if !s.pending() {
		return resync, nil
	}
	if wait := s.revision().GetConfirmBy().AsTime().Add(grace).Sub(c.cfg.Now()); wait > 0 {
		return min(wait, resync), c.remember(ctx, s)
	}
	return retryMin, c.expire(ctx, s)
}

// refresh makes the store's head the state. The turn is held.
func (c *Controller) refresh(ctx context.Context) (*state, error) {
	head, err := c.cfg.Store.Head(ctx)
	if err != nil {
		if ctx.Err() == nil {
			c.away(err)
		}
		return nil, err
	}
	c.reached()
	was := c.now()
	if head == nil {
		head = c.nothing(was)
	}
	if was.is(head) {
		return was, nil
	}
	s := c.newState(was.files, head, was)
	c.install(s)
	return s, nil
}

// nothing stands for the head of an empty store: what was held of it, or an empty revision.
func (c *Controller) nothing(was *state) *vbrv1.StoredRevision {
	c.mu.Lock()
	held := c.held
	c.mu.Unlock()
	switch {
	case held != nil:
		return held
	case was.number() > 0 && len(was.kept) > 0:
		return c.hold(was.stored)
	}
	return &vbrv1.StoredRevision{Revision: &vbrv1.Revision{}}
}

// away notes that the store cannot be read, reached that it can.
func (c *Controller) away(err error) {
	c.mu.Lock()
	first := !c.lost
	c.lost = true
	c.mu.Unlock()
	if first {
		c.event(vbrv1.Event_TYPE_STORE, "the store cannot be read, what was last known goes on: "+err.Error())
		c.cfg.Log.Warn("store cannot be read", "error", err)
	}
	if c.cfg.Store.Problem() == "" {
		c.trouble(troubleStore, "the store cannot be read: "+err.Error())
	}
}

func (c *Controller) reached() {
	c.mu.Lock()
	lost := c.lost
	c.lost = false
	if !c.sticky {
		c.partial = ""
	}
	c.mu.Unlock()
	if lost {
		c.trouble(troubleStore, "")
		c.event(vbrv1.Event_TYPE_STORE, "the store can be read again")
		c.cfg.Log.Info("store can be read again")
	}
}

// realise hands the newest state to the runner, again until it takes it.
func (c *Controller) realise(ctx context.Context, runner Runner) {
	pause := retryMin
	for ctx.Err() == nil {
		target, more := c.target()
		c.mu.Lock()
		done := c.runs == target
		c.mu.Unlock()
		if !done {
			if err := c.realiseOnce(ctx, runner, target); err == nil {
				pause = retryMin
				continue
			}
		}
		timer := time.NewTimer(pause)
		if done {
			timer.Stop()
		} else {
			pause = min(2*pause, retryMax)
		}
		select {
		case <-ctx.Done():
		case <-more:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// target is what should run, and a channel that is closed when that changes.
func (c *Controller) target() (*state, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.override != nil {
		return c.override, c.changes.more
	}
	return c.state, c.changes.more
}

func (c *Controller) realiseOnce(ctx context.Context, runner Runner, s *state) error {
	limited, cancel := context.WithTimeout(ctx, realiseTime)
	defer cancel()
	if err := runner.Apply(limited, s.here); err != nil {
		if ctx.Err() == nil {
			c.trouble(troubleRunner, fmt.Sprintf("revision %d is not running yet: %v", s.number(), err))
			c.cfg.Log.Info("intent not taken yet", "revision", s.number(), "error", err)
		}
		return err
	}
	c.trouble(troubleRunner, "")
	c.mu.Lock()
	was := c.runs
	c.runs = s
	c.mu.Unlock()
	c.announce(was, s)
	c.keep(s)
	return nil
}

// announce makes an event of a revision that concerns this host.
func (c *Controller) announce(was, s *state) {
	r := s.revision()
	if was == nil || was.number() == s.number() || was.here.Equal(s.here) {
		return
	}
	t := vbrv1.Event_TYPE_APPLIED
	if rolledBack(r) {
		t = vbrv1.Event_TYPE_ROLLED_BACK
	}
	text := fmt.Sprintf("revision %d by %s: %d created, %d changed, %d deleted", r.GetNumber(), r.GetAuthor(), r.GetCreated(), r.GetChanged(), r.GetDeleted())
	if r.GetComment() != "" {
		text += ": " + r.GetComment()
	}
	c.event(t, text)
}

// keep writes the cache.
func (c *Controller) keep(s *state) {
	if c.cfg.Cache == "" || s.number() == 0 {
		return
	}
	if err := store.WriteCache(c.cfg.Cache, s.stored); err != nil {
		c.trouble(troubleCache, "what runs cannot be cached for the time the store is away: "+err.Error())
		c.cfg.Log.Error("cache not written", "error", err)
		return
	}
	c.trouble(troubleCache, "")
}
