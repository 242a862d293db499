package main

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const scratchPrefix = "vbr-vm-"

// scratch makes a folder for this run and removes those of runs that were
// killed. A run holds a lock on its folder's lock file as long as it lives.
func scratch() (string, error) {
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), scratchPrefix+"*", "lock"))
	for _, file := range old {
		if fd, err := lock(file); err == nil {
			_ = os.RemoveAll(filepath.Dir(file))
			unix.Close(fd)
		}
	}
	for range 3 {
		dir, err := os.MkdirTemp("", scratchPrefix)
		if err != nil {
			return "", err
		}
		if _, err = lock(filepath.Join(dir, "lock")); err == nil { // until the process ends
			return dir, nil
		}
		// Another run took the new folder for an old one.
	}
	return "", errors.New("cannot lock a scratch folder in " + os.TempDir())
}

// lock returns a raw descriptor: an *os.File would be closed, and the lock
// lost, when the garbage collector finds it unused.
func lock(file string) (fd int, err error) {
	if fd, err = unix.Open(file, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600); err != nil {
		return 0, err
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}
