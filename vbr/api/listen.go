package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// DefaultGroup is the socket's group when the settings name none and the system has it.
const DefaultGroup = "vbr"

const (
	socketMode, folderMode = 0o660, 0o755
	// dialTimeout is how long a process that holds the socket has to answer.
	dialTimeout = time.Second
)

// socketGroup looks up the socket's group; nil: that of the process.
func socketGroup(name string) (*uint32, error) {
	if name != "" {
		gid, err := groupID(name)
		if err != nil {
			return nil, fmt.Errorf("api.socket_group: %w", err)
		}
		return gid, nil
	}
	gid, err := groupID(DefaultGroup)
	if err != nil { // the system has no such group
		return nil, nil //nolint:nilnil // absent and right
	}
	return gid, nil
}

// listenUnix makes the socket of that setting, in place of one that a dead process left. It is never more open than in the end.
func listenUnix(path string, gid *uint32, setting string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return nil, fmt.Errorf("api: folder of the socket: %w", err)
	}
	if err := removeStale(path, setting); err != nil {
		return nil, err
	}
	closed := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		err2 := c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }) // bind gives the file this mode
		return errors.Join(err, err2)
	}}
	l, err := closed.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	if gid != nil && !belongs(path, *gid) { // vbrd's unit forbids chown
		err = os.Chown(path, -1, int(*gid))
	}
	if err = errors.Join(err, os.Chmod(path, socketMode)); err != nil {
		l.Close()
		return nil, fmt.Errorf("api: %w", err)
	}
	return l, nil
}

// belongs says whether a file has that group.
func belongs(path string, gid uint32) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil && st.Gid == gid
}

// removeStale removes a socket that nobody serves.
func removeStale(path, setting string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("api: %w", err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("api: %s is there and is no socket; legal for %s: a path of its own", path, setting)
	}
	c, err := net.DialTimeout("unix", path, dialTimeout)
	if err == nil {
		c.Close()
		return fmt.Errorf("api: %s is served by another process; legal for %s: a path of its own", path, setting)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("api: cannot tell whether %s is served by another process: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("api: stale socket: %w", err)
	}
	return nil
}

func listenTCP(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	return l, nil
}
