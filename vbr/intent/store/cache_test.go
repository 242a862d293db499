package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCache(t *testing.T) {
	path := t.TempDir() + "/cache"
	if _, err := ReadCache(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	for n := range uint64(2) { // the second takes the first one's place
		r := revision(n+1, 10)
		if err := WriteCache(path, r); err != nil {
			t.Fatal(err)
		}
		got, err := ReadCache(path)
		if err != nil {
			t.Fatal(err)
		}
		r.Schema = 1
		diff(t, r, got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if files, _ := filepath.Glob(filepath.Dir(path) + "/*"); len(files) != 1 {
		t.Errorf("the folder has %q", files)
	}
}

func TestDamagedCache(t *testing.T) {
	path := t.TempDir() + "/cache"
	if err := WriteCache(path, revision(1, 3)); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, len(good) / 2, len(good) - 1} {
		writeFile(t, path, good[:size])
		corrupt := new(CorruptError)
		if r, err := ReadCache(path); r != nil || !errors.As(err, &corrupt) || corrupt.Path != path || corrupt.SetAside != "" {
			t.Errorf("%d of %d bytes: %v, %v", size, len(good), r, err)
		}
	}
}

// A cache that cannot be written is an error, and the old one stays.
func TestCacheStays(t *testing.T) {
	dir := t.TempDir()
	if err := WriteCache(dir+"/none/cache", revision(1, 1)); err == nil {
		t.Error("in a folder that is not there: no error")
	}
	if err := WriteCache(dir+"/cache", revision(1, 1)); err != nil {
		t.Fatal(err)
	}
	if err := WriteCache(dir+"/cache", revision(0, 1)); err == nil {
		t.Error("revision 0: no error")
	}
	if r, err := ReadCache(dir + "/cache"); err != nil || r.Revision.Number != 1 {
		t.Errorf("%v, %v", r, err)
	}
}
