package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// setupMachine makes a usable system of the bare kernel: a copy-on-write root
// over the host's, with the kernel's own filesystems in it.
func setupMachine(jobPath string, j job) error {
	base := filepath.Join(filepath.Dir(jobPath), "mnt")
	if err := mount("tmpfs", base, "tmpfs", 0, "mode=755,size=80%"); err != nil {
		return err
	}
	if err := load(modules...); err != nil {
		return err
	}
	root := filepath.Join(base, "root")
	upper, work := filepath.Join(base, "upper"), filepath.Join(base, "work")
	for _, d := range []string{root, upper, work} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	err := mount("overlay", root, "overlay", 0, "lowerdir=/,upperdir="+upper+",workdir="+work)
	if err == nil {
		err = populate(root, j)
	}
	if err == nil {
		err = enter(root)
	}
	if err != nil {
		return err
	}
	_ = unix.Sethostname([]byte("vbr-vm"))
	return errors.Join(loopbackUp(), becomeLoader(), os.Chdir(j.Dir))
}

// becomeLoader makes the kernel call this program for a module.
func becomeLoader() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return os.WriteFile("/proc/sys/kernel/modprobe", []byte(self), 0o644)
}

// populate mounts into root what the kernel offers and what must not be the
// host's.
func populate(root string, j job) error {
	at := func(p string) string { return filepath.Join(root, p) }
	var err error
	for _, m := range []struct{ fstype, on, data string }{
		{"proc", "/proc", ""},
		{"sysfs", "/sys", ""},
		{"cgroup2", "/sys/fs/cgroup", ""},
		{"bpf", "/sys/fs/bpf", ""},
		{"devtmpfs", "/dev", "mode=755"},
		{"devpts", "/dev/pts", "newinstance,ptmxmode=0666,mode=620"},
		{"tmpfs", "/dev/shm", "mode=1777"},
		{"tmpfs", "/run", "mode=755"},
	} {
		if m.on == "/dev/pts" || m.on == "/dev/shm" {
			_ = os.Mkdir(at(m.on), 0o755)
		}
		merr := mount(m.fstype, at(m.on), m.fstype, 0, m.data)
		if m.fstype != "bpf" && m.fstype != "cgroup2" {
			err = errors.Join(err, merr)
		}
	}
	if err != nil {
		return err
	}
	if err := devLinks(at("/dev")); err != nil {
		return err
	}
	for _, dir := range j.RW {
		if err := mount("none", at(dir), "hostfs", 0, dir); err != nil {
			return err
		}
	}
	return os.MkdirAll(at("/run/lock"), 0o1777)
}

func devLinks(dev string) error {
	_ = os.Remove(filepath.Join(dev, "ptmx"))
	err := os.Symlink("pts/ptmx", filepath.Join(dev, "ptmx"))
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"} {
		if e := os.Symlink(to, filepath.Join(dev, name)); e != nil && !errors.Is(e, os.ErrExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// enter makes root the root of every process and lets go of the old one.
func enter(root string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the old root: %w", err)
	}
	return os.Chdir("/")
}
