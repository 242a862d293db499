package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// History is how many revisions are kept, the head included. Append drops the oldest.
const History = 1000

// Store keeps revisions of the stored intent. All methods may be called from any goroutine. Every call ends by
// itself, with etcd after EtcdConfig.Timeout at the latest for each of its steps. Messages handed out belong to the caller.
type Store interface {
	// Head is the newest revision; nil when nothing was ever stored.
	Head(ctx context.Context) (*vbrv1.StoredRevision, error)
	// Get is one revision of the history, or ErrNotFound.
	Get(ctx context.Context, number uint64) (*vbrv1.StoredRevision, error)
	// List is the newest revisions without their resources, newest first, at most limit; all when limit is 0 or less.
	List(ctx context.Context, limit int) ([]*vbrv1.Revision, error)
	// Append makes r the head and is durable on return. ErrConflict unless r.Revision.Number is the head's plus one
	// (1 for the first). After any other error the store is as before; only after ErrUnavailable of etcd, which may
	// have lost the answer, it may hold r too: Head tells.
	Append(ctx context.Context, r *vbrv1.StoredRevision) error
	// Confirm clears confirm_by of the head, and is durable on return. ErrConflict if number is not the head's.
	Confirm(ctx context.Context, number uint64) error
	// Watch is poked when the head may have changed or can be read again. It holds one poke; it is closed when ctx ends.
	Watch(ctx context.Context) <-chan struct{}
	// Problem says what is wrong now and since when, for an operator; "" when nothing is.
	Problem() string
	// Name is "bbolt" or "etcd".
	Name() string
	// Close frees everything. Calls after it are ErrUnavailable, Watch is not poked any more.
	Close() error
}

// EtcdConfig says where etcd is and who we are there.
type EtcdConfig struct {
	// Endpoints such as "https://192.0.2.1:2379". At least one.
	Endpoints []string
	// Prefix of all our keys. Default: "/openvbr".
	Prefix string
	// Username and Password, both or none.
	Username, Password string
	// TLS is used with https endpoints; nil: the system's authorities, no client certificate.
	TLS *tls.Config
	// Timeout bounds each request to etcd. Default: 5 s.
	Timeout time.Duration
}

var (
	// ErrConflict is what all but one of several writers get: the head is not what the call assumed.
	ErrConflict = errors.New("the head is another revision")
	// ErrNotFound is for a revision that is not, or no longer, in the history.
	ErrNotFound = errors.New("no such revision")
	// ErrUnavailable wraps the cause why the store cannot be read or written now.
	ErrUnavailable = errors.New("store unavailable")
)

// CorruptError is a store or cache file, or a revision in one, whose content is not what was written.
type CorruptError struct {
	// Path is the damaged file, or the etcd key.
	Path string
	// SetAside is where OpenFile has moved the file; Path is free now. "": it was left in place.
	SetAside string
	Err      error
}

func (e *CorruptError) Error() string {
	if e.SetAside == "" {
		return fmt.Sprintf("%s is damaged: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("%s is damaged and was set aside as %s: %v", e.Path, e.SetAside, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// SchemaError is a revision that a newer vbrd wrote, or that could not be migrated. Nothing was changed.
type SchemaError struct {
	// Schema of the revision, and the newest that this vbrd knows.
	Schema, Known uint32
	// Err is why a migration failed; nil when Schema is above Known.
	Err error
}

func (e *SchemaError) Unwrap() error { return e.Err }

func (e *SchemaError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("not migrated from schema %d to %d: %v", e.Schema, e.Schema+1, e.Err)
	}
	return fmt.Sprintf("written by a newer vbrd in schema %d; this vbrd knows schemas up to %d: run a vbrd that knows schema %d",
		e.Schema, e.Known, e.Schema)
}
