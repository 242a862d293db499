package lab

import (
	"bytes"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"
)

// askLimit is how long one command may take a daemon.
const askLimit = 20 * time.Second

// Ask runs commands on one daemon ("bgpd") and returns what they print. It
// speaks to the daemon's socket as vtysh does, without a process: for looking
// often. Commands may enter nodes, "configure terminal" first; the first that
// is refused ends it.
func (f *FRR) Ask(daemon string, cmds ...string) (string, error) {
	conn, err := net.DialTimeout("unix", filepath.Join(frrRun, f.NS.Name, daemon+".vty"), askLimit)
	if err != nil {
		return "", fmt.Errorf("%s: %w", f.NS.Name, err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(askLimit))
	var all strings.Builder
	for i, cmd := range append([]string{"enable"}, cmds...) {
		out, status, err := askOne(conn, cmd)
		if err == nil && status != 0 {
			err = fmt.Errorf("status %d: %s", status, strings.TrimSpace(out))
		}
		if err != nil {
			return all.String(), fmt.Errorf("%s: %s: %s: %w", f.NS.Name, daemon, cmd, err)
		}
		if i > 0 {
			all.WriteString(out)
		}
	}
	return all.String(), nil
}

// askOne sends a command, ended by a zero byte; the answer ends with three of
// them and the status (FRR lib/vty.c, vtysh_read).
func askOne(conn net.Conn, cmd string) (out string, status byte, err error) {
	if _, err := conn.Write(append([]byte(cmd), 0)); err != nil {
		return "", 0, err
	}
	var answer []byte
	buf := make([]byte, 16<<10)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return string(answer), 0, err
		}
		answer = append(answer, buf[:n]...)
		if end := len(answer) - 4; end >= 0 && bytes.Equal(answer[end:end+3], []byte{0, 0, 0}) {
			return string(answer[:end]), answer[end+3], nil
		}
	}
}
