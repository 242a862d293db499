package store

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func TestEncode(t *testing.T) {
	r := revision(7, 50)
	first, err := encode(r)
	if err != nil {
		t.Fatal(err)
	}
	second, err := encode(proto.CloneOf(r))
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("the same revision gives other bytes, %v", err)
	}
	if r.Schema != 0 {
		t.Errorf("the caller's message was changed")
	}
	got, err := decode(first)
	if err != nil {
		t.Fatal(err)
	}
	r.Schema = 1
	diff(t, r, got)
	if plain := proto.Size(r); len(first) > plain/2 {
		t.Errorf("%d bytes became %d", plain, len(first))
	}
}

func TestDecodeNoticesEveryByte(t *testing.T) {
	good, err := encode(revision(1, 1))
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		if _, err := decode(bad); err == nil {
			t.Errorf("byte %d changed: no error", i)
		}
		if _, err := decode(good[:i]); err == nil {
			t.Errorf("cut to %d bytes: no error", i)
		}
	}
}

// record is a revision as a vbrd of that schema would have stored it.
func record(t *testing.T, schema uint32, r *vbrv1.StoredRevision) []byte {
	t.Helper()
	r = proto.CloneOf(r)
	r.Schema = schema
	b, err := proto.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return seal(compressed(b))
}

func compressed(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b)
	w.Close()
	return z.Bytes()
}

func TestMigration(t *testing.T) {
	var steps []string
	step := func(name string) func(*vbrv1.StoredRevision) error {
		return func(r *vbrv1.StoredRevision) error {
			steps = append(steps, name)
			r.Resources[0].Metadata.Source += " " + name
			return nil
		}
	}
	table := []func(*vbrv1.StoredRevision) error{step("1 to 2"), step("2 to 3")}
	for schema, want := range map[uint32]string{1: "store 1 to 2 2 to 3", 2: "store 2 to 3", 3: "store"} {
		r, err := decodeWith(record(t, schema, revision(1, 1)), table)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Resources[0].Metadata.Source; got != want || r.Schema != 3 {
			t.Errorf("from schema %d: %q, schema %d; want %q, 3", schema, got, r.Schema, want)
		}
	}
	newer := new(SchemaError)
	if _, err := decodeWith(record(t, 4, revision(9, 1)), table); !errors.As(err, &newer) || *newer != (SchemaError{Schema: 4, Known: 3}) ||
		err.Error() != "written by a newer vbrd in schema 4; this vbrd knows schemas up to 3: run a vbrd that knows schema 4" {
		t.Errorf("from schema 4: %v", err)
	}
	fails := []func(*vbrv1.StoredRevision) error{func(*vbrv1.StoredRevision) error { return errors.New("cannot") }}
	if _, err := decodeWith(record(t, 1, revision(9, 1)), fails); !errors.As(err, &newer) || err.Error() != "not migrated from schema 1 to 2: cannot" {
		t.Errorf("a migration that fails: %v", err)
	}
	if _, err := decodeWith(record(t, 0, revision(9, 1)), table); err == nil {
		t.Error("schema 0: no error")
	}
}

// A newer vbrd's store is refused and left as it is.
func TestNewerSchema(t *testing.T) {
	newer := record(t, 2, revision(1, 1))
	refused := func(t *testing.T, err error) {
		t.Helper()
		if !errors.As(err, new(*SchemaError)) || !strings.Contains(err.Error(), "run a vbrd that knows schema 2") {
			t.Errorf("got %v", err)
		}
	}
	t.Run("bbolt", func(t *testing.T) {
		path := t.TempDir() + "/store.db"
		s := openTestFile(t, path)
		mustAppend(t, s, revision(1, 1))
		db := s.(*file).db
		if err := db.Update(func(tx *bolt.Tx) error { return tx.Bucket(revisionsBucket).Put(key(1), newer) }); err != nil {
			t.Fatal(err)
		}
		s.Close()
		for range 2 {
			_, err := OpenFile(path)
			refused(t, err)
		}
	})
	t.Run("etcd", func(t *testing.T) {
		s := openTestEtcd(t, startEtcd(t).config())
		mustAppend(t, s, revision(1, 1))
		h, err := s.head(t.Context())
		if err == nil {
			err = s.put(t.Context(), s.chunkKey(1, h.entry.Writer, 0), newer)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Head(t.Context())
		refused(t, err)
	})
	t.Run("cache", func(t *testing.T) {
		path := t.TempDir() + "/cache"
		writeFile(t, path, newer)
		_, err := ReadCache(path)
		refused(t, err)
	})
}

func TestBomb(t *testing.T) {
	const limit = 1 << 20
	if b, err := decompress(compressed(make([]byte, limit)), limit); err != nil || len(b) != limit {
		t.Errorf("at the limit: %d bytes, %v", len(b), err)
	}
	if _, err := decompress(compressed(make([]byte, limit+1)), limit); err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("above the limit: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	good, err := encode(revision(1, 2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good[len(magic)+32:], false)
	f.Add(good, true)
	f.Fuzz(func(t *testing.T, b []byte, whole bool) {
		if !whole {
			b = seal(b) // what is behind a checksum that fits
		}
		r, err := decode(b)
		if (r == nil) == (err == nil) {
			t.Errorf("%v, %v", r, err)
		}
		_, _ = decodeEntry(b, 1)
	})
}
