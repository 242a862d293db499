package vbr

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrRunning says that another vbrd serves this network namespace.
var ErrRunning = errors.New("another vbrd runs in this network namespace")

// lockName is an abstract unix socket: it belongs to one network namespace, as devices and routes do, and goes with its process.
const lockName = "@openvbr/vbrd"

// Lock claims the network namespace for this process. The error of a namespace that is taken wraps ErrRunning and
// names the process that has it. Close the result to give it back.
func Lock() (*net.UnixListener, error) {
	addr := &net.UnixAddr{Name: lockName, Net: "unix"}
	l, err := net.ListenUnix("unix", addr)
	if err == nil {
		return l, nil
	}
	if !errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("vbr: lock: %w", err)
	}
	return nil, fmt.Errorf("vbr: %w: %s; stop it first", ErrRunning, holder(addr))
}

// holder describes the process that listens on addr.
func holder(addr *net.UnixAddr) string {
	c, err := net.DialTimeout("unix", addr.Name, time.Second)
	if err != nil {
		return "unknown process"
	}
	defer c.Close()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return "unknown process"
	}
	var cred *unix.Ucred
	if e := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); e != nil || err != nil {
		return "unknown process"
	}
	cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cred.Pid))
	return fmt.Sprintf("pid %d (%s)", cred.Pid, strings.TrimSpace(strings.ReplaceAll(string(cmdline), "\x00", " ")))
}
