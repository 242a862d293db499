package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// engines are what the one suite runs over. Each begins empty and gives a function that opens the same store again
// (etcd: as another client), closed at the test's end.
var engines = map[string]func(t *testing.T) func() Store{
	"bbolt": func(t *testing.T) func() Store {
		path := t.TempDir() + "/store.db"
		return func() Store { return openTestFile(t, path) }
	},
	"etcd": func(t *testing.T) func() Store {
		cfg := startEtcd(t).config()
		return func() Store { return openTestEtcd(t, cfg) }
	},
}

func forEach(t *testing.T, test func(t *testing.T, open func() Store)) {
	for name, engine := range engines {
		t.Run(name, func(t *testing.T) { test(t, engine(t)) })
	}
}

func TestEmpty(t *testing.T) {
	forEach(t, func(t *testing.T, open func() Store) {
		s := open()
		r, err := s.Head(t.Context())
		if r != nil || err != nil {
			t.Errorf("Head of an empty store: %v, %v", r, err)
		}
		if _, err := s.Get(t.Context(), 1); !errors.Is(err, ErrNotFound) {
			t.Errorf("Get(1) of an empty store: %v", err)
		}
		if list, err := s.List(t.Context(), 10); len(list) != 0 || err != nil {
			t.Errorf("List of an empty store: %v, %v", list, err)
		}
		if err := s.Confirm(t.Context(), 0); !errors.Is(err, ErrConflict) {
			t.Errorf("Confirm(0) of an empty store: %v", err)
		}
		if p := s.Problem(); p != "" {
			t.Errorf("Problem: %s", p)
		}
	})
}

func TestWhatWasAppendedIsThereAfterReopening(t *testing.T) {
	forEach(t, func(t *testing.T, open func() Store) {
		s := open()
		var want []*vbrv1.StoredRevision
		for n := range uint64(3) {
			r := revision(n+1, int(n)*40)
			mustAppend(t, s, r)
			r.Schema = 1
			want = append(want, r)
		}
		s.Close()
		s = open()
		for _, r := range want {
			got, err := s.Get(t.Context(), r.Revision.Number)
			if err != nil {
				t.Fatal(err)
			}
			diff(t, r, got)
		}
		got, err := s.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		diff(t, want[2], got)
		list, err := s.List(t.Context(), 2)
		if err != nil {
			t.Fatal(err)
		}
		diff(t, []*vbrv1.Revision{want[2].Revision, want[1].Revision}, list)
		if list, err = s.List(t.Context(), 0); err != nil || len(list) != 3 {
			t.Errorf("List without a limit: %d revisions, %v; want 3", len(list), err)
		}
	})
}

func TestAppendMustFollowTheHead(t *testing.T) {
	forEach(t, func(t *testing.T, open func() Store) {
		s := open()
		if err := s.Append(t.Context(), revision(2, 1)); !errors.Is(err, ErrConflict) {
			t.Errorf("revision 2 in an empty store: %v", err)
		}
		if err := s.Append(t.Context(), revision(0, 1)); err == nil || errors.Is(err, ErrUnavailable) {
			t.Errorf("revision 0: %v", err)
		}
		mustAppend(t, s, revision(1, 1))
		for _, n := range []uint64{1, 3} {
			if err := s.Append(t.Context(), revision(n, 1)); !errors.Is(err, ErrConflict) {
				t.Errorf("revision %d after 1: %v", n, err)
			}
		}
		mustAppend(t, s, revision(2, 1))
		if p := s.Problem(); p != "" {
			t.Errorf("a conflict is no problem of the store: %s", p)
		}
	})
}

func TestConfirm(t *testing.T) {
	forEach(t, func(t *testing.T, open func() Store) {
		s := open()
		mustAppend(t, s, revision(1, 1))
		r := revision(2, 2)
		r.Revision.ConfirmBy = timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
		mustAppend(t, s, r)
		for _, n := range []uint64{0, 1, 3} {
			if err := s.Confirm(t.Context(), n); !errors.Is(err, ErrConflict) {
				t.Errorf("Confirm(%d) with head 2: %v", n, err)
			}
		}
		head, err := s.Head(t.Context())
		if err != nil || head.Revision.ConfirmBy == nil {
			t.Fatalf("confirm_by is gone before it was confirmed: %v, %v", head, err)
		}
		for range 2 { // again is no error
			if err := s.Confirm(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
		}
		s = open2(s, open)
		r.Schema, r.Revision.ConfirmBy = 1, nil
		if head, err = s.Head(t.Context()); err != nil {
			t.Fatal(err)
		}
		diff(t, r, head)
		list, err := s.List(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		diff(t, []*vbrv1.Revision{r.Revision}, list)
		mustAppend(t, s, revision(3, 1))
	})
}

func TestOneOfManyWritersWins(t *testing.T) {
	forEach(t, func(t *testing.T, open func() Store) {
		stores := []Store{open()}
		if stores[0].Name() == "etcd" { // bbolt's file is one process's
			stores = append(stores, open(), open())
		}
		const rounds, writers = 10, 6
		for n := uint64(1); n <= rounds; n++ {
			won := make(chan string, writers)
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					r := revision(n, 20)
					r.Revision.Author = fmt.Sprint("writer ", w)
					err := stores[w%len(stores)].Append(t.Context(), r)
					if err == nil {
						won <- r.Revision.Author
					} else if !errors.Is(err, ErrConflict) {
						t.Errorf("revision %d: %v", n, err)
					}
				})
			}
			wg.Wait()
			if len(won) != 1 {
				t.Fatalf("revision %d: %d writers have won", n, len(won))
			}
			for _, s := range stores {
				head, err := s.Head(t.Context())
				if author := <-won; err != nil || head.Revision.Number != n || head.Revision.Author != author {
					t.Errorf("head is %v, %v; want revision %d by %s", head.GetRevision(), err, n, author)
				} else {
					won <- author
				}
			}
		}
	})
}

func TestHistoryIsBounded(t *testing.T) {
	forEach(t, func(t *testing.T, open func() Store) {
		const keep = 20
		s := open()
		switch s := s.(type) {
		case *file:
			if s.keep != History {
				t.Errorf("it keeps %d", s.keep)
			}
			s.keep = keep
		case *etcd:
			if s.keep != History {
				t.Errorf("it keeps %d", s.keep)
			}
			s.keep = keep
		}
		for n := range uint64(keep + 3) {
			mustAppend(t, s, revision(n+1, 2))
		}
		list, err := s.List(t.Context(), 0)
		if err != nil || len(list) != keep || list[0].Number != keep+3 || list[keep-1].Number != 4 {
			t.Fatalf("%d revisions, %v; want %d, from %d down to 4", len(list), err, keep, keep+3)
		}
		if _, err := s.Get(t.Context(), 3); !errors.Is(err, ErrNotFound) {
			t.Errorf("Get(3): %v", err)
		}
		if _, err := s.Get(t.Context(), 4); err != nil {
			t.Errorf("Get(4): %v", err)
		}
	})
}

func TestWatch(t *testing.T) {
	forEach(t, func(t *testing.T, open func() Store) {
		s := open()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		first, second := s.Watch(ctx), s.Watch(ctx)
		drain(first) // etcd's that it can be read
		drain(second)
		for n := range uint64(3) {
			mustAppend(t, s, revision(n+1, 1))
			poked(t, first, "Append")
		}
		poked(t, second, "three times Append")
		drain(first)
		if err := s.Confirm(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		poked(t, first, "Confirm")
		cancel()
		closed(t, first)
		closed(t, second)
		mustAppend(t, s, revision(4, 1)) // pokes nobody
	})
}

func TestClosedAndCancelled(t *testing.T) {
	forEach(t, func(t *testing.T, open func() Store) {
		s := open()
		mustAppend(t, s, revision(1, 1))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, headErr := s.Head(ctx)
		for _, err := range []error{headErr, s.Append(ctx, revision(2, 1)), s.Confirm(ctx, 1)} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("with a context that has ended: %v", err)
			}
		}
		if p := s.Problem(); p != "" {
			t.Errorf("a caller that went is no problem of the store: %s", p)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		_, headErr = s.Head(t.Context())
		for _, err := range []error{headErr, s.Append(t.Context(), revision(2, 1)), s.Confirm(t.Context(), 1)} {
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("after Close: %v", err)
			}
		}
	})
}

// TestAgainstModel compares random calls with what a list in memory would answer.
func TestAgainstModel(t *testing.T) {
	forEach(t, func(t *testing.T, open func() Store) {
		seed := uint64(time.Now().UnixNano())
		t.Log("seed ", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		s := open()
		var model []*vbrv1.StoredRevision
		for range 300 {
			number := uint64(max(0, len(model)-2+random.IntN(5)))
			known := number > 0 && number <= uint64(len(model))
			isHead := known && number == uint64(len(model))
			switch random.IntN(5) {
			case 0, 1:
				r := revision(max(number, 1), random.IntN(50))
				r.Revision.ConfirmBy = timestamppb.New(time.Unix(1e9, 0))
				err := s.Append(t.Context(), r)
				if r.Revision.Number == uint64(len(model))+1 {
					wantErr(t, err, nil)
					r.Schema = 1
					model = append(model, r)
				} else {
					wantErr(t, err, ErrConflict)
				}
			case 2:
				err := s.Confirm(t.Context(), number)
				if isHead {
					wantErr(t, err, nil)
					model[number-1].Revision.ConfirmBy = nil
				} else {
					wantErr(t, err, ErrConflict)
				}
			case 3:
				r, err := s.Get(t.Context(), number)
				if known {
					wantErr(t, err, nil)
					diff(t, model[number-1], r)
				} else {
					wantErr(t, err, ErrNotFound)
				}
			case 4:
				if random.IntN(5) == 0 {
					s = open2(s, open)
				}
			}
			head, err := s.Head(t.Context())
			if err != nil || head.GetRevision().GetNumber() != uint64(len(model)) {
				t.Fatalf("head %v, %v; want %d", head.GetRevision(), err, len(model))
			}
		}
	})
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// open2 closes s and opens its store again.
func open2(s Store, open func() Store) Store {
	s.Close()
	return open()
}
