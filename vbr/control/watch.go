package control

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent/source"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

// token names what exists in a state: the revision, when it was made (a store may begin anew), and what the files say.
func (s *state) token() string {
	made := int64(0)
	if t := s.revision().GetCreateTime(); t != nil {
		made = t.AsTime().UnixNano()
	}
	return fmt.Sprintf("%d-%x-%s", s.number(), made, s.files.hash)
}

// Watch hands out what matches and then every change, until ctx ends or the watcher is too far behind. A message
// with a resume token ends what one revision changed.
func (c *Controller) Watch(ctx context.Context, caller Caller, req *vbrv1.WatchRequest, yield func(*vbrv1.WatchResponse) error) error {
	f, err := newFilter(caller, req.GetKinds(), req.GetOwner())
	if err != nil {
		return err
	}
	w := &watcher{filter: f, yield: yield}
	c.mu.Lock()
	s, next := c.state, c.changes.next()
	c.mu.Unlock()
	items, err := c.missed(ctx, f, req.GetResumeToken(), s)
	if err != nil {
		return err
	}
	w.token = s.token()
	if err := w.send(items, true); err != nil {
		return err
	}
	for {
		d, more, lost := c.since(next)
		if lost {
			return fail(codes.ResourceExhausted, "the watcher does not keep up; go on with resume_token %q", w.token)
		}
		if d != nil {
			next++
			w.token = d.token
			if err := w.send(d.items, false); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ended(ctx.Err())
		case <-more:
		}
	}
}

// since returns the change of a sequence number, nil when there is none yet, and what is closed when there is. lost: it is gone.
func (c *Controller) since(next uint64) (d *delta, more <-chan struct{}, lost bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if next < c.changes.first {
		return nil, nil, true
	}
	if n := next - c.changes.first; n < uint64(len(c.changes.list)) {
		d = &delta{}
		*d = c.changes.list[n]
	}
	return d, c.changes.more, false
}

// missed is what the holder of a token, or of none, does not know of what it asks for. An old revision, which has the resources of all, is let go before
// anything is sent: the reader may be slow.
func (c *Controller) missed(ctx context.Context, f filter, token string, s *state) ([]item, error) {
	if token == "" {
		return difference(&state{}, s), nil
	}
	done, err := c.reading(ctx)
	if err != nil {
		return nil, ended(err)
	}
	defer done()
	then, err := c.resume(ctx, token, s)
	if err != nil {
		return nil, err
	}
	var items []item
	for _, it := range difference(then, s) {
		if f.matches(it.key, it.after, it.is) || f.matches(it.key, it.before, it.was) {
			items = append(items, it)
		}
	}
	return items, nil
}

// resume finds what the holder of a token knows.
func (c *Controller) resume(ctx context.Context, token string, s *state) (*state, error) {
	if token == s.token() {
		return s, nil
	}
	var n uint64
	var made int64
	if _, err := fmt.Sscanf(token, "%d-%x-", &n, &made); err != nil || strings.Count(token, "-") != 2 {
		return nil, refuse(codes.InvalidArgument, source.Problem{Path: "resume_token", Value: source.Quote(token), Text: "not a resume token", Legal: "one from a stream of this server"})
	}
	again := fail(codes.OutOfRange, "resume_token %s is too old; begin again without one", source.Quote(token))
	if !strings.HasSuffix(token, "-"+s.files.hash) || n >= s.number() { // that number with that time is s.token()
		return nil, again
	}
	r := &vbrv1.StoredRevision{Revision: &vbrv1.Revision{}}
	if n > 0 {
		var err error
		if r, err = c.cfg.Store.Get(ctx, n); errors.Is(err, store.ErrNotFound) {
			return nil, again
		} else if err != nil {
			return nil, c.unreachable(ctx, err)
		}
	}
	then := rawState(s.files, r)
	if then.token() != token {
		return nil, again
	}
	return then, nil
}

// watcher is one stream.
type watcher struct {
	filter
	yield func(*vbrv1.WatchResponse) error
	token string // of what is being sent
}

// send hands out a change in chunks; the last one, which is sent even when it is empty if sync is set, has the token.
func (w *watcher) send(items []item, sync bool) error {
	var there []*vbrv1.Resource
	var gone []*vbrv1.ResourceRef
	for _, it := range items {
		switch {
		case w.matches(it.key, it.after, it.is):
			there = append(there, it.after)
		case w.matches(it.key, it.before, it.was):
			gone = append(gone, &vbrv1.ResourceRef{Kind: it.key.kind, Name: it.key.name, Generation: it.before.GetMetadata().GetGeneration()})
		}
	}
	for len(there) > 0 || len(gone) > 0 || sync {
		n, g := chunk(there), min(len(gone), maxChunk)
		m := &vbrv1.WatchResponse{Resources: there[:n], Deleted: gone[:g]}
		there, gone = there[n:], gone[g:]
		if len(there) == 0 && len(gone) == 0 {
			m.ResumeToken, m.Synced, sync = w.token, sync, false
		}
		if err := w.yield(m); err != nil {
			return err
		}
	}
	return nil
}
