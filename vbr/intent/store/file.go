package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/internal/fault"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Both buckets have the same keys: the revision's number, 8 bytes, big-endian.
var (
	entriesBucket   = []byte("entries")   // StoredEntry
	revisionsBucket = []byte("revisions") // StoredRevision
)

// file is a Store in one bbolt file.
type file struct {
	path   string
	f      *os.File // db's; it holds the lock
	db     *bolt.DB
	turn   chan struct{}         // held by the one that writes
	broken atomic.Pointer[error] // bbolt has panicked: nothing is asked of it any more
	keep   uint64                // how many revisions: History
	// worn names a revision, not the head, that is damaged; "": none.
	worn string
	health
	watchers
}

// OpenFile opens the store in a bbolt file of this process alone; it is made (0600, its folder 0700) if there is
// none. The whole file is checked. *CorruptError: the file was damaged and set aside, call again for an empty store.
// *SchemaError: a newer vbrd wrote it; it was left as it is. A damaged revision that is not the head's is a Problem.
func OpenFile(path string) (Store, error) {
	s, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return s, nil
}

func openFile(path string) (*file, error) {
	f, err := openLocked(path)
	if err != nil {
		return nil, err
	}
	s := &file{path: path, f: f, turn: make(chan struct{}, 1), keep: History}
	if err := s.open(); err != nil {
		err = setAside(path, err)
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// open has bbolt take the file, if it and the revisions in it are whole.
func (s *file) open() error {
	if err := checkPages(s.f); err != nil {
		return err
	}
	err := guard(func() (err error) {
		s.db, err = bolt.Open(s.path, 0o600, &bolt.Options{
			OpenFile: func(string, int, os.FileMode) (*os.File, error) { return s.f, nil },
			Timeout:  lockTimeout, // it is ours already
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	return guard(func() error { return s.db.View(s.check) })
}

// setAside moves the file away if err says that it is damaged.
func setAside(path string, err error) error {
	corrupt := new(CorruptError)
	if !errors.As(err, &corrupt) {
		if !errors.Is(err, errDamaged) && !errors.Is(err, errPanicked) {
			return err
		}
		corrupt = &CorruptError{Path: path, Err: err}
	}
	aside := path + ".corrupt-" + time.Now().UTC().Format("20060102T150405.000000Z")
	if err := os.Rename(path, aside); err != nil {
		return errors.Join(corrupt, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return errors.Join(corrupt, err)
	}
	corrupt.SetAside = aside
	return corrupt
}

// Aside is the last file that OpenFile has set aside from path, and nobody has taken away since; "": none.
func Aside(path string) string {
	names, _ := filepath.Glob(escapeGlob.Replace(path) + ".corrupt-*")
	if len(names) == 0 {
		return ""
	}
	return slices.Max(names) // they end in the time
}

var escapeGlob = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// check reads all: numbers without gaps, each entry and each revision as it was written.
func (s *file) check(tx *bolt.Tx) error {
	entries, revisions := tx.Bucket(entriesBucket), tx.Bucket(revisionsBucket)
	if entries == nil && revisions == nil {
		return fmt.Errorf("%s is a bbolt file of another program", s.path)
	}
	if entries == nil || revisions == nil {
		return fmt.Errorf("%w: it lacks a bucket", errDamaged)
	}
	var head *vbrv1.StoredEntry
	e, r := entries.Cursor(), revisions.Cursor()
	rk, record := r.First()
	for k, v := e.First(); k != nil; k, v = e.Next() {
		if len(k) != 8 || string(rk) != string(k) {
			return fmt.Errorf("%w: entry %x has no revision", errDamaged, k)
		}
		number := binary.BigEndian.Uint64(k)
		entry, err := decodeEntry(v, number)
		if err != nil {
			return fmt.Errorf("%w: entry of revision %d: %w", errDamaged, number, err)
		}
		if head != nil && number != head.Revision.Number+1 {
			return fmt.Errorf("%w: after revision %d comes %d", errDamaged, head.Revision.Number, number)
		}
		if _, err := unseal(record); err != nil {
			s.worn = fmt.Sprintf("revision %d in %s is damaged: %v", number, s.path, err)
		}
		head = entry
		rk, record = r.Next()
	}
	if rk != nil {
		return fmt.Errorf("%w: revision %x has no entry", errDamaged, rk)
	}
	if head == nil {
		return nil
	}
	_, err := get(tx, s.path, head.Revision.Number)
	return err
}

// get reads one revision.
func get(tx *bolt.Tx, path string, number uint64) (*vbrv1.StoredRevision, error) {
	value := tx.Bucket(entriesBucket).Get(key(number))
	if value == nil {
		return nil, fmt.Errorf("revision %d: %w", number, ErrNotFound)
	}
	entry, err := decodeEntry(value, number)
	if err != nil {
		return nil, damaged(path, fmt.Errorf("entry of revision %d: %w", number, err))
	}
	r, err := join(entry, tx.Bucket(revisionsBucket).Get(key(number)))
	if err != nil {
		return nil, damaged(path, fmt.Errorf("revision %d: %w", number, err))
	}
	return r, nil
}

// head is the newest revision's number, 0 if there is none.
func head(tx *bolt.Tx) uint64 {
	k, _ := tx.Bucket(entriesBucket).Cursor().Last()
	if len(k) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(k)
}

func key(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

func (s *file) Head(ctx context.Context) (r *vbrv1.StoredRevision, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) (err error) {
		if number := head(tx); number > 0 {
			r, err = get(tx, s.path, number)
		}
		return err
	})
	return r, err
}

func (s *file) Get(ctx context.Context, number uint64) (r *vbrv1.StoredRevision, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) (err error) {
		r, err = get(tx, s.path, number)
		return err
	})
	return r, err
}

func (s *file) List(ctx context.Context, limit int) (list []*vbrv1.Revision, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		c := tx.Bucket(entriesBucket).Cursor()
		for k, v := c.Last(); k != nil && (limit <= 0 || len(list) < limit); k, v = c.Prev() {
			entry, err := decodeEntry(v, binary.BigEndian.Uint64(k))
			if err != nil {
				return damaged(s.path, fmt.Errorf("entry of revision %x: %w", k, err))
			}
			list = append(list, entry.Revision)
		}
		return nil
	})
	return list, err
}

func (s *file) Append(ctx context.Context, r *vbrv1.StoredRevision) error {
	record, err := encode(r)
	if err != nil {
		return err
	}
	number := r.Revision.Number
	entry, err := encodeEntry(&vbrv1.StoredEntry{Revision: r.Revision})
	if err != nil {
		return err
	}
	return s.update(ctx, func(tx *bolt.Tx) error {
		if now := head(tx); number != now+1 {
			return conflict(number, now)
		}
		entries, revisions := tx.Bucket(entriesBucket), tx.Bucket(revisionsBucket)
		if number > s.keep {
			old := key(number - s.keep)
			if err := errors.Join(entries.Delete(old), revisions.Delete(old)); err != nil {
				return err
			}
		}
		return errors.Join(entries.Put(key(number), entry), revisions.Put(key(number), record))
	})
}

func (s *file) Confirm(ctx context.Context, number uint64) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		now := head(tx)
		if number != now || now == 0 {
			return conflict(number, now)
		}
		entries := tx.Bucket(entriesBucket)
		old, err := decodeEntry(entries.Get(key(now)), now)
		if err != nil {
			return damaged(s.path, fmt.Errorf("entry of revision %d: %w", now, err))
		}
		old.Revision.ConfirmBy = nil
		entry, err := encodeEntry(old)
		if err != nil {
			return err
		}
		return entries.Put(key(now), entry)
	})
}

// conflict is Append's or Confirm's refusal.
func conflict(number, head uint64) error {
	return fmt.Errorf("revision %d: %w: %d", number, ErrConflict, head)
}

func (s *file) Watch(ctx context.Context) <-chan struct{} { return s.add(ctx) }

func (s *file) Problem() string {
	if now := s.problem("store " + s.path + " does not work"); now != "" {
		return now
	}
	return s.worn
}

func (s *file) Name() string { return "bbolt" }

// Close of a bbolt that has panicked leaves its memory map, since bbolt may hold its own locks for ever.
func (s *file) Close() error {
	if s.db == nil || s.broken.Load() != nil {
		return errors.Join(unix.Flock(int(s.f.Fd()), unix.LOCK_UN), s.f.Close())
	}
	return guard(s.db.Close)
}

func (s *file) view(ctx context.Context, do func(*bolt.Tx) error) error {
	return s.do(ctx, func() error { return s.db.View(do) })
}

// update also waits for its turn, no longer than ctx.
func (s *file) update(ctx context.Context, do func(*bolt.Tx) error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.do(ctx, func() error { return fault.Around("store.commit", func() error { return s.db.Update(do) }) }); err != nil {
		return err
	}
	s.set(nil)
	s.poke()
	return nil
}

// do has bbolt do something, and makes what is not about revisions ErrUnavailable and a Problem. Only a write that
// worked ends the Problem: reading works on a full disk.
func (s *file) do(ctx context.Context, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if broken := s.broken.Load(); broken != nil {
		return *broken
	}
	err := guard(do)
	if err == nil || isAnswer(err) {
		return err
	}
	s.set(err)
	err = fmt.Errorf("store %s: %w: %w", s.path, ErrUnavailable, err)
	if errors.Is(err, errPanicked) {
		s.broken.Store(&err)
	}
	return err
}

// isAnswer is whether err is about a revision, not about the store.
func isAnswer(err error) bool {
	corrupt, schema := new(CorruptError), new(SchemaError)
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) || errors.As(err, &corrupt) || errors.As(err, &schema)
}
