package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// lockTimeout is how long OpenFile waits for another process to end.
const lockTimeout = time.Second

// openLocked opens the file, which is made if there is none, for this process alone.
func openLocked(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(lockTimeout); ; time.Sleep(lockTimeout / 20) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			if err := create(path); err != nil {
				return nil, fmt.Errorf("%s cannot be made: %w", path, err)
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		locked, err := lock(f, path)
		if err == nil && locked {
			err = f.Chmod(0o600)
		}
		if err == nil && locked {
			return f, nil
		}
		if err == nil && time.Now().After(deadline) {
			err = fmt.Errorf("%s is in use by %s", path, holder(f))
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
}

// lock is false if another process has the file, or has just moved it away.
func lock(f *os.File, path string) (bool, error) {
	ours, err := f.Stat()
	if err != nil {
		return false, err
	}
	if !ours.Mode().IsRegular() {
		return false, fmt.Errorf("%s is %s; legal: a file", path, ours.Mode().Type())
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("%s cannot be locked: %w", path, err)
	}
	there, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return err == nil && os.SameFile(ours, there), nil
}

// holder names the process that has locked the file, if it can be seen.
func holder(f *os.File) string {
	var stat unix.Stat_t
	locks, err := os.ReadFile("/proc/locks")
	if err := errors.Join(err, unix.Fstat(int(f.Fd()), &stat)); err != nil {
		return "another process"
	}
	for line := range strings.Lines(string(locks)) { // 1: FLOCK ADVISORY WRITE 1234 08:01:393229 0 EOF
		fields := strings.Fields(line)
		if len(fields) > 5 && fields[1] == "FLOCK" && strings.HasSuffix(fields[5], fmt.Sprintf(":%d", stat.Ino)) {
			name, _ := os.ReadFile("/proc/" + fields[4] + "/comm")
			return fmt.Sprintf("process %s (%s)", fields[4], strings.TrimSpace(string(name)))
		}
	}
	return "another process"
}

// create makes an empty store that is there whole or not at all, so that a file without content is always damage.
// It is no error if another process was faster.
func create(path string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	f.Close()
	db, err := bolt.Open(f.Name(), 0o600, &bolt.Options{Timeout: lockTimeout})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket(entriesBucket)
		_, err2 := tx.CreateBucket(revisionsBucket)
		return errors.Join(err, err2)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// errPanicked is what bbolt does with a file that changes under it.
var errPanicked = errors.New("bbolt has panicked")

// guard returns a panic of do, or the SIGBUS of a file that has become shorter, as an error.
func guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanicked, p)
		}
	}()
	return do()
}
