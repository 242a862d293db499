package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/openvbr/openvbr/internal/fault"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

// author is who the daemon is in the history.
const author = "vbrd"

// Load reads files and store and returns this host's part to begin with. Files that are wrong are its only error, an
// intent.Errors: a store that is away, damaged or empty is replaced by what the cache has, and Status says so.
// Call it once, before all other methods.
func (c *Controller) Load(ctx context.Context) (*intent.Intent, error) {
	f, problems := c.readFiles(c.cfg.Check)
	if len(problems) > 0 {
		return nil, problems
	}
	c.state.files = f
	if err := c.take(ctx); err != nil {
		return nil, err
	}
	defer c.release()
	head, err := c.cfg.Store.Head(ctx)
	switch {
	case err != nil:
		head = c.withoutStore(err)
	case head == nil:
		head = c.emptyStore(ctx)
	}
	if head == nil {
		head = &vbrv1.StoredRevision{Revision: &vbrv1.Revision{}}
	}
	s := c.newState(f, head, c.state)
	c.install(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := os.Stat(c.markPath()); c.cfg.Cache != "" && err == nil && c.partial == "" {
		c.partial, c.sticky = "stored resources were lost earlier", true
	}
	return s.here, nil
}

// withoutStore is what is known of a store that cannot be read.
func (c *Controller) withoutStore(cause error) *vbrv1.StoredRevision {
	c.away(cause)
	cached, err := c.cached()
	if cached == nil {
		text := "the store was not read yet, and nothing of it is cached"
		if err != nil {
			text += " (" + err.Error() + ")"
		}
		c.losing(text, false)
		return nil
	}
	c.recall(cached)
	c.cfg.Log.Warn("store away: going on with what was last known", "revision", cached.GetRevision().GetNumber(), "error", cause)
	return cached
}

// emptyStore decides what an empty store means: a first start, or that the resources in it were lost.
func (c *Controller) emptyStore(ctx context.Context) *vbrv1.StoredRevision {
	cached, err := c.cached()
	switch {
	case cached != nil && c.cfg.Corrupt != nil:
		return c.recoverFrom(ctx, cached)
	case cached != nil:
		return c.hold(cached)
	case c.cfg.Corrupt != nil:
		c.losing(c.cfg.Corrupt.Error()+", and there is no cache of it", true)
	case err != nil:
		c.losing("the store is empty, and the cache of it cannot be read: "+err.Error(), true)
	}
	return nil
}

// cached is what the cache has; nil, nil when there is none.
func (c *Controller) cached() (*vbrv1.StoredRevision, error) {
	if c.cfg.Cache == "" {
		return nil, nil
	}
	r, err := store.ReadCache(c.cfg.Cache)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return r, err
}

// recoverFrom stores the cache's resources in the new store that took the damaged one's place.
func (c *Controller) recoverFrom(ctx context.Context, cached *vbrv1.StoredRevision) *vbrv1.StoredRevision {
	was := cached.GetRevision().GetNumber()
	now := timestamppb.New(c.cfg.Now())
	n := uint32(len(cached.GetResources()))
	r := &vbrv1.StoredRevision{Resources: cached.GetResources(), Revision: &vbrv1.Revision{Number: 1, CreateTime: now, Author: author,
		Comment: fmt.Sprintf("recovered from the cache of revision %d", was), Created: n, Resources: n}}
	for _, res := range r.Resources {
		res.Metadata = &vbrv1.Metadata{Generation: max(1, res.GetMetadata().GetGeneration()), Source: "store", Revision: 1,
			CreateTime: res.GetMetadata().GetCreateTime(), ModifyTime: res.GetMetadata().GetModifyTime()}
	}
	if err := c.cfg.Store.Append(ctx, r); err != nil {
		c.cfg.Log.Error("store damaged, recovery failed", "error", err)
		return c.hold(cached)
	}
	text := fmt.Sprintf("%v; its %d resources were recovered from the cache of revision %d, the history is lost", c.cfg.Corrupt, n, was)
	c.trouble(troubleStore, text)
	c.event(vbrv1.Event_TYPE_STORE, text)
	return r
}

// hold keeps what an empty store held before: the next change stores it again.
func (c *Controller) hold(r *vbrv1.StoredRevision) *vbrv1.StoredRevision {
	held := proto.CloneOf(r)
	was := r.GetRevision().GetNumber()
	held.Revision = &vbrv1.Revision{CreateTime: r.GetRevision().GetCreateTime(), Resources: uint32(len(r.GetResources()))}
	text := fmt.Sprintf("the store is empty, but revision %d of it was here: its %d resources stay as they are, and the next change stores them again", was, len(r.GetResources()))
	c.trouble(troubleEmpty, text)
	c.event(vbrv1.Event_TYPE_STORE, text)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = held
	return held
}

// losing notes that stored resources may be missing; sticky: until an admin has applied what there should be.
func (c *Controller) losing(text string, sticky bool) {
	c.event(vbrv1.Event_TYPE_STORE, text)
	c.mu.Lock()
	c.partial, c.sticky, c.unmarked = text, sticky, sticky
	c.mu.Unlock()
	if err := c.mark(); err != nil {
		c.cfg.Log.Error("cannot note that stored resources are missing", "error", err)
	}
}

// markPath is a file that says over restarts that stored resources are missing.
func (c *Controller) markPath() string { return c.cfg.Cache + ".partial" }

// mark writes the mark, if it is to be and is not. As long as it cannot be written nothing may be stored: an empty store beside
// the damaged one says at the next start what the mark would.
func (c *Controller) mark() error {
	c.mu.Lock()
	text, unmarked := c.partial, c.unmarked
	c.mu.Unlock()
	if !unmarked {
		return nil
	}
	if c.cfg.Cache != "" {
		err := fault.Around("state.mark", func() error {
			return renameio.WriteFile(c.markPath(), []byte(text+"\n"), 0o600, renameio.WithTempDir(filepath.Dir(c.cfg.Cache)))
		})
		if err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unmarked = false
	return nil
}

// whole notes that an admin has applied what there should be. With an error resources count as missing as before.
func (c *Controller) whole() error {
	if !c.Partial() {
		return nil
	}
	if c.cfg.Cache != "" {
		if err := fault.Around("state.mark", func() error { return os.Remove(c.markPath()) }); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.partial, c.sticky, c.unmarked = "", false, false
	return nil
}

// Partial tells whether stored resources may be missing, so that what runs without being wanted must not be removed.
func (c *Controller) Partial() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.partial != ""
}

// Reload reads the files again. With any error, an intent.Errors of all that is wrong, what was read before stays.
func (c *Controller) Reload(ctx context.Context) error {
	if err := c.take(ctx); err != nil {
		return err
	}
	defer c.release()
	f, problems := c.readFiles(c.machine)
	if len(problems) > 0 {
		return problems
	}
	was := c.now()
	for k, r := range f.resources {
		if old := was.files.resources[k]; old != nil {
			r.Metadata.Generation = old.Metadata.Generation
			if !same(old, r) {
				r.Metadata.Generation++
			}
		}
	}
	c.install(c.newState(f, was.stored, was))
	c.fallBack()
	c.cfg.Log.Info("files read again", "resources", len(f.resources))
	return nil
}
