package store

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// A stored revision, in bbolt, etcd and the cache: seal(gzip(StoredRevision)). A stored entry: seal(StoredEntry).

// magic begins whatever is sealed.
const magic = "vbrstore"

// maxRevision is how many bytes a revision may have before compression: some hundred thousand resources.
const maxRevision = 256 << 20

// migrations[i] makes a revision of schema i+1 one of schema i+2. The schema is that of the message StoredRevision:
// add a function here when old ones must be changed to mean the same, not when a field is added.
var migrations = []func(*vbrv1.StoredRevision) error{}

// seal puts magic and SHA-256 before the payload.
func seal(payload []byte) []byte {
	sum := sha256.Sum256(payload)
	return append(append([]byte(magic), sum[:]...), payload...)
}

// unseal gives the payload if it is what was sealed.
func unseal(b []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok || len(rest) < sha256.Size {
		return nil, fmt.Errorf("%d bytes that do not begin with %q and a checksum", len(b), magic)
	}
	if sha256.Sum256(rest[sha256.Size:]) != [sha256.Size]byte(rest) {
		return nil, errors.New("the SHA-256 differs from the content's")
	}
	return rest[sha256.Size:], nil
}

// encode gives r in its stored form, in the newest schema whatever r says. The same revision gives the same bytes.
func encode(r *vbrv1.StoredRevision) ([]byte, error) {
	if r.GetRevision().GetNumber() == 0 {
		return nil, errors.New("revision 0 given; revisions begin at 1")
	}
	r = &vbrv1.StoredRevision{Schema: schemaOf(migrations), Revision: r.Revision, Resources: r.Resources}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("revision %d: %w", r.Revision.Number, err)
	}
	if len(b) > maxRevision {
		return nil, fmt.Errorf("revision %d has %d bytes; legal: up to %d", r.Revision.Number, len(b), maxRevision)
	}
	var z bytes.Buffer
	w, _ := gzip.NewWriterLevel(&z, gzip.BestSpeed) // the level is legal, and a Buffer takes all
	_, _ = w.Write(b)
	_ = w.Close()
	return seal(z.Bytes()), nil
}

// decode is encode's inverse. A revision of an older schema comes out in the newest one; SchemaError for a newer.
func decode(b []byte) (*vbrv1.StoredRevision, error) { return decodeWith(b, migrations) }

func schemaOf(migrations []func(*vbrv1.StoredRevision) error) uint32 {
	return uint32(len(migrations)) + 1
}

func decodeWith(b []byte, migrations []func(*vbrv1.StoredRevision) error) (*vbrv1.StoredRevision, error) {
	payload, err := unseal(b)
	if err != nil {
		return nil, err
	}
	plain, err := decompress(payload, maxRevision)
	if err != nil {
		return nil, err
	}
	r := new(vbrv1.StoredRevision)
	if err := proto.Unmarshal(plain, r); err != nil {
		return nil, err
	}
	if r.GetRevision().GetNumber() == 0 || r.Schema == 0 {
		return nil, errors.New("no revision number or no schema in it")
	}
	if err := migrate(r, migrations); err != nil {
		return nil, err
	}
	return r, nil
}

func decompress(b []byte, limit int64) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(z, limit+1))
	if err == nil && int64(len(plain)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return plain, err
}

func migrate(r *vbrv1.StoredRevision, migrations []func(*vbrv1.StoredRevision) error) error {
	known := schemaOf(migrations)
	if r.Schema > known {
		return &SchemaError{Schema: r.Schema, Known: known}
	}
	for ; r.Schema < known; r.Schema++ {
		if err := migrations[r.Schema-1](r); err != nil {
			return &SchemaError{Schema: r.Schema, Known: known, Err: err}
		}
	}
	return nil
}

func encodeEntry(e *vbrv1.StoredEntry) ([]byte, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("revision %d: %w", e.GetRevision().GetNumber(), err)
	}
	return seal(b), nil
}

// decodeEntry gives the entry of that number.
func decodeEntry(b []byte, number uint64) (*vbrv1.StoredEntry, error) {
	payload, err := unseal(b)
	if err != nil {
		return nil, err
	}
	e := new(vbrv1.StoredEntry)
	if err := proto.Unmarshal(payload, e); err != nil {
		return nil, err
	}
	if got := e.GetRevision().GetNumber(); got != number {
		return nil, fmt.Errorf("it is of revision %d, not %d", got, number)
	}
	return e, nil
}

// join makes one of a revision's two parts: the entry's Revision is the valid one.
func join(e *vbrv1.StoredEntry, record []byte) (*vbrv1.StoredRevision, error) {
	r, err := decode(record)
	if err != nil {
		return nil, err
	}
	if r.Revision.Number != e.Revision.Number {
		return nil, fmt.Errorf("it is of revision %d, not %d", r.Revision.Number, e.Revision.Number)
	}
	r.Revision = e.Revision
	return r, nil
}
