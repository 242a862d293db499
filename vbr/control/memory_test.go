package control_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

// memory is a store in memory, with the faults that stores have.
type memory struct {
	mu        sync.Mutex
	revisions []*vbrv1.StoredRevision // all of them; the oldest kept is number first+1
	dropped   int
	watchers  []chan struct{}

	away       bool  // nothing can be read or written
	appendErr  error // Append fails with it ...
	written    bool  // ... after having written
	appends    int
	beforeSave func() // is called by Append before it looks at the head
}

var errDisk = errors.New("no space left on device")

func (m *memory) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	if m.away {
		return fmt.Errorf("%w: no answer", store.ErrUnavailable)
	}
	return nil
}

func (m *memory) Head(ctx context.Context) (*vbrv1.StoredRevision, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(ctx); err != nil || len(m.revisions) == 0 {
		return nil, err
	}
	return proto.CloneOf(m.revisions[len(m.revisions)-1]), nil
}

func (m *memory) Get(ctx context.Context, number uint64) (*vbrv1.StoredRevision, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(ctx); err != nil {
		return nil, err
	}
	if number <= uint64(m.dropped) || number > uint64(len(m.revisions)) {
		return nil, store.ErrNotFound
	}
	return proto.CloneOf(m.revisions[number-1]), nil
}

func (m *memory) List(ctx context.Context, limit int) ([]*vbrv1.Revision, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(ctx); err != nil {
		return nil, err
	}
	var out []*vbrv1.Revision
	for _, r := range slices.Backward(m.revisions[m.dropped:]) {
		if limit > 0 && len(out) == limit {
			break
		}
		out = append(out, proto.CloneOf(r.Revision))
	}
	return out, nil
}

func (m *memory) Append(ctx context.Context, r *vbrv1.StoredRevision) error {
	if f := m.beforeSave; f != nil {
		m.beforeSave = nil
		f()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(ctx); err != nil {
		return err
	}
	if m.appendErr != nil && !m.written {
		return m.appendErr
	}
	if r.GetRevision().GetNumber() != uint64(len(m.revisions))+1 {
		return store.ErrConflict
	}
	m.revisions = append(m.revisions, proto.CloneOf(r))
	m.appends++
	if m.appendErr == nil {
		m.poke()
	}
	return m.appendErr
}

func (m *memory) Confirm(ctx context.Context, number uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(ctx); err != nil {
		return err
	}
	if number != uint64(len(m.revisions)) || number == 0 {
		return store.ErrConflict
	}
	m.revisions[number-1].Revision.ConfirmBy = nil
	m.poke()
	return nil
}

func (m *memory) poke() {
	for _, w := range m.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

func (m *memory) Watch(ctx context.Context) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := make(chan struct{}, 1)
	m.watchers = append(m.watchers, w)
	context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.watchers = slices.DeleteFunc(m.watchers, func(o chan struct{}) bool { return o == w })
		close(w)
	})
	return w
}

func (m *memory) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
	m.poke()
}

func (m *memory) Problem() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return "store not reachable"
	}
	return ""
}

func (m *memory) Name() string { return "memory" }
func (m *memory) Close() error { return nil }
