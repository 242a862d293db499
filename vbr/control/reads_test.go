package control_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// slowStore is a store whose old revisions come when they are let, and which counts the calls that wait for one.
type slowStore struct {
	memory
	let     chan struct{}
	waiting atomic.Int32
	reads   atomic.Int32
}

func (s *slowStore) Get(ctx context.Context, number uint64) (*vbrv1.StoredRevision, error) {
	s.waiting.Add(1)
	select {
	case <-s.let:
	case <-ctx.Done():
	}
	s.waiting.Add(-1)
	s.reads.Add(1)
	return s.memory.Get(ctx, number)
}

// Old revisions are in memory whole, whoever asks: two calls at once read them, the others wait for as long as they like. What is known is not read again.
func TestOldRevisionsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowStore{let: make(chan struct{})}
		h := newHost(t, s, nil)
		h.apply(t, admin, site())
		began := h.watch(t, viewer, &vbrv1.WatchRequest{})
		began.stop()
		for i := range 3 {
			h.apply(t, admin, port("pc-1", "provider", "eth1", fmt.Sprintf("description: d%d\n", i)))
		}
		diffs := make(chan error, 5)
		diff := func(ctx context.Context, from, to uint64) {
			_, err := h.DiffRevisions(ctx, acme, &vbrv1.DiffRevisionsRequest{From: from, To: to})
			diffs <- err
		}
		var watches []*watch
		for range cap(diffs) {
			go diff(t.Context(), 1, 2)
			watches = append(watches, h.watch(t, viewer, &vbrv1.WatchRequest{ResumeToken: began.token}))
		}
		if n := s.waiting.Load(); n != 2 {
			t.Errorf("%d calls read old revisions at once, want 2", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		diff(ctx, 1, 2)
		wantCode(t, <-diffs, codes.Canceled)
		close(s.let)
		for _, w := range watches {
			if got := w.says(); got != "+pc-1 synced" {
				t.Errorf("resumed: %q, %v", got, w.err)
			}
			wantCode(t, <-diffs, codes.OK)
		}
		for _, to := range []uint64{4, 0} {
			before := s.reads.Load()
			diff(t.Context(), 3, to)
			if n := s.reads.Load() - before; <-diffs != nil || n != 1 {
				t.Errorf("3..%d of 4: %d revisions are read, want the older one", to, n)
			}
		}
	})
}
