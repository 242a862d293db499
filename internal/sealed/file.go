package sealed

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// aside is what the name of a damaged file ends in. There is one for each file: the newest.
const aside = ".damaged"

// Write puts data into the file, whole or not at all: after a crash it holds the old or the new content. Mode 0600.
func Write(path string, data []byte) error {
	if len(data) > MaxSize {
		return fmt.Errorf("write %s: %d bytes are more than %d", path, len(data), MaxSize)
	}
	if err := renameio.WriteFile(path, data, 0o600, renameio.WithTempDir(filepath.Dir(path))); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// Load reads the file and decodes it. A file that decode calls damaged (ErrDamaged) is renamed to path.damaged, in place of an older one, and the
// error says so and wraps ErrDamaged: the caller goes on empty and reports it. Without the file the error wraps fs.ErrNotExist. A file that cannot be read stays where it is.
func Load[T any](path string, decode func([]byte) (T, error)) (T, error) {
	var none T
	data, err := read(path)
	if err != nil {
		return none, err
	}
	v, err := decode(data)
	if !errors.Is(err, ErrDamaged) {
		return v, err
	}
	if moved := os.Rename(path, path+aside); moved != nil {
		return none, fmt.Errorf("read %s: %w, and it cannot be set aside: %w", path, err, moved)
	}
	return none, fmt.Errorf("read %s: %w; set aside as %s", path, err, filepath.Base(path)+aside)
}

// read reads one byte more than a file may have, so that a larger one does not decode.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return data, nil
}
