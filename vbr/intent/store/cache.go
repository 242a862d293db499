package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/openvbr/openvbr/internal/fault"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// WriteCache keeps r in the file, which is the old one or the new one whole, also after a power cut.
func WriteCache(path string, r *vbrv1.StoredRevision) error {
	b, err := encode(r)
	if err != nil {
		return fmt.Errorf("cache %s: %w", path, err)
	}
	return fault.Around("store.cache", func() error {
		if err := renameio.WriteFile(path, b, 0o600, renameio.WithTempDir(filepath.Dir(path))); err != nil {
			return fmt.Errorf("cache %s: %w", path, err)
		}
		return syncDir(filepath.Dir(path))
	})
}

// ReadCache reads what WriteCache wrote. fs.ErrNotExist if nothing ever did, *CorruptError if the file is not whole,
// *SchemaError if a newer vbrd wrote it.
func ReadCache(path string) (*vbrv1.StoredRevision, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	r, err := decode(b)
	if err != nil {
		return nil, damaged(path, err)
	}
	return r, nil
}

// damaged makes a CorruptError of what decode said, unless that is a SchemaError.
func damaged(where string, err error) error {
	if schema := new(SchemaError); errors.As(err, &schema) {
		return fmt.Errorf("%s: %w", where, err)
	}
	return &CorruptError{Path: where, Err: err}
}

// syncDir makes a rename or a new file in the folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
