package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// runNative runs the job on the host's kernel in namespaces of its own, whose
// process 1 is this program: with it, all ends.
func runNative(o options, j job) (int, error) {
	dir, err := scratch()
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "job.json")
	if err := j.write(path); err != nil {
		return 0, err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{jobEnv + "=" + path}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	runtime.LockOSThread() // the death signal is tied to this thread
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("new namespaces (needs root): %w", err)
	}
	return superviseNative(o, cmd)
}

func superviseNative(o options, cmd *exec.Cmd) (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // cmd.ProcessState tells how it ended
		close(done)
	}()
	started := make(chan struct{})
	close(started)
	ends := watchdog(ctx, started, o.deadline())
	for asked := 0; ; {
		select {
		case <-done:
			return cmd.ProcessState.ExitCode(), nil
		case sig := <-ends.signals:
			if sig == syscall.SIGWINCH {
				continue
			}
			if asked++; asked > 1 && sig != syscall.SIGQUIT {
				_ = cmd.Process.Kill()
				<-done
				return 128 + int(sig), nil
			}
			_ = cmd.Process.Signal(sig)
		case why := <-ends.over:
			_ = cmd.Process.Kill()
			<-done
			return 0, errors.New(why)
		}
	}
}

// setupNative gives the namespaces their own view: /proc and /sys of their
// own, a /run that starts empty, loopback up.
func setupNative() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	_ = unix.Unmount("/sys", unix.MNT_DETACH)
	return errors.Join(
		mount("proc", "/proc", "proc", 0, ""),
		mount("sysfs", "/sys", "sysfs", 0, ""),
		mount("tmpfs", "/run", "tmpfs", 0, "mode=755"),
		os.MkdirAll("/run/lock", 0o1777),
		loopbackUp())
}

func mount(source, target, fstype string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, fstype, flags, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", fstype, target, err)
	}
	return nil
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}
