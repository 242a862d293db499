package lab

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed systemd.sh
var systemdScript string

// bootLimit is how long a Machine may take to boot: 10 s are usual in user-mode-linux.
const bootLimit = 60 * time.Second

// runLimit is how long a command in a Machine may take.
const runLimit = 2 * time.Minute

// Machine is a host with systemd as process 1, in a network namespace of the lab. It has process, mount, IPC, name and cgroup namespaces of its own and a
// copy-on-write root over the one outside: packages may be installed in it, and all that is gone with it.
type Machine struct {
	ns   *NS
	proc *Proc
	pid  int // of its process 1, outside
}

// Boot starts a Machine in the namespace and waits until systemd has booted. It ends with the Lab.
func (n *NS) Boot() *Machine {
	n.lab.Helper()
	dir := filepath.Join(n.lab.Dir, n.Name+"-machine")
	groups := filepath.Join(dir, "cgroup")
	group := filepath.Join(groups, filepath.Base(n.lab.Dir)) // its root: processes of others are none of its business
	for _, d := range []string{filepath.Join(dir, "root"), groups} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			n.lab.Fatalf("machine: %v", err)
		}
	}
	if err := unix.Mount("cgroup2", groups, "cgroup2", 0, ""); err != nil {
		n.lab.Fatalf("machine: mount cgroup2: %v", err)
	}
	if err := os.Mkdir(group, 0o755); err != nil {
		n.lab.Fatalf("machine: %v", err)
	}
	enter := fmt.Sprintf("echo $$ >%s/cgroup.procs && exec unshare --mount --uts --ipc --pid --cgroup --fork --kill-child sh -c '%s' machine %s/root",
		group, strings.ReplaceAll(systemdScript, "'", `'\''`), dir)
	m := &Machine{ns: n, proc: n.Start("sh", "-c", enter)}
	n.lab.Cleanup(func() { m.end(groups, group) })
	Eventually(n.lab, bootLimit, n.Name+": systemd has booted", m.booted)
	return m
}

// end ends all processes of the machine and removes its control groups.
func (m *Machine) end(groups, group string) {
	m.proc.Kill()
	_, _ = Within(5*time.Second, func() error { return removeGroups(group) }) // its last processes may be on their way out
	_ = unix.Unmount(groups, unix.MNT_DETACH)
}

// removeGroups removes a control group and those below it, which must have no processes.
func removeGroups(group string) error {
	entries, err := os.ReadDir(group)
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, removeGroups(filepath.Join(group, e.Name())))
		}
	}
	return errors.Join(err, os.Remove(group))
}

// booted is nil when the machine has reached its target.
func (m *Machine) booted() error {
	if !m.proc.Running() {
		m.ns.lab.Fatalf("the machine has ended:\n%s", m.proc.Log())
	}
	if m.pid == 0 {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", m.proc.Pid()))
		if err != nil {
			return fmt.Errorf("process 1: %w", err)
		}
		if m.pid, err = strconv.Atoi(strings.TrimSpace(string(children))); err != nil {
			return fmt.Errorf("process 1: %w", err)
		}
	}
	comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", m.pid))
	if strings.TrimSpace(string(comm)) != "systemd" {
		return fmt.Errorf("process 1 is still %q", comm)
	}
	_, err := m.Run("systemctl", "is-active", "multi-user.target")
	return err
}

// Run runs a command in the machine, as root, and returns its output; an error has both streams.
func (m *Machine) Run(args ...string) (string, error) {
	enter := []string{"-t", strconv.Itoa(m.pid), "-m", "-u", "-i", "-n", "-p", "-C", "--", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	ctx, cancel := context.WithTimeout(context.Background(), runLimit) // the Lab's has ended when a failed test looks for the reason
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, args...)...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s: %s: %w: %s", m.ns.Name, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()+stdout.String()))
	}
	return stdout.String(), nil
}

// MustRun is Run where a failure ends the test.
func (m *Machine) MustRun(args ...string) string {
	m.ns.lab.Helper()
	out, err := m.Run(args...)
	if err != nil {
		m.ns.lab.Fatalf("%v", err)
	}
	return out
}

// File writes a file in the machine, with that mode, and the folders above it.
func (m *Machine) File(path, content, mode string) {
	m.ns.lab.Helper()
	m.MustRun("sh", "-c", `mkdir -p "$(dirname "$1")" && printf %s "$2" >"$1" && chmod "$3" "$1"`, "file", path, content, mode)
}

// Property is one of a unit's, as `systemctl show` has it.
func (m *Machine) Property(unit, name string) string {
	m.ns.lab.Helper()
	return strings.TrimSpace(m.MustRun("systemctl", "show", "--value", "-p", name, unit))
}

// Journal is what a unit has logged.
func (m *Machine) Journal(unit string) string {
	out, err := m.Run("journalctl", "--no-pager", "-o", "cat", "-u", unit)
	if err != nil {
		out += err.Error()
	}
	return out
}
