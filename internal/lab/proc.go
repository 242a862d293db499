package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Proc is a process in a namespace; its output goes to a log.
type Proc struct {
	Name    string
	LogFile string

	lab  *Lab
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // valid then
}

// Start starts a command that runs until the Lab's end or Kill. Its log is
// NAMESPACE-COMMAND.log in the Lab's folder; a restarted one appends to it.
func (n *NS) Start(args ...string) *Proc {
	n.lab.Helper()
	return n.StartEnv(nil, args...)
}

// StartEnv is Start with additions to the environment.
func (n *NS) StartEnv(env []string, args ...string) *Proc {
	n.lab.Helper()
	p := &Proc{Name: n.Name + "-" + filepath.Base(args[0]), lab: n.lab, done: make(chan struct{})}
	p.LogFile = filepath.Join(n.lab.Dir, p.Name+".log")
	log, err := os.OpenFile(p.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		n.lab.Fatalf("%v", err)
	}
	defer log.Close()
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Dir = n.lab.Dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := n.Do(p.cmd.Start); err != nil {
		n.lab.Fatalf("%s: start %s: %v", n.Name, strings.Join(args, " "), err)
	}
	go func() { // ends with the process; Kill waits for it
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	n.lab.mu.Lock()
	n.lab.procs = append(n.lab.procs, p)
	n.lab.mu.Unlock()
	return p
}

// Pid is the process's id.
func (p *Proc) Pid() int { return p.cmd.Process.Pid }

// Signal sends a signal; to an ended process it does nothing.
func (p *Proc) Signal(sig syscall.Signal) {
	if p.Running() {
		_ = p.cmd.Process.Signal(sig)
	}
}

// Kill ends the process and its group by SIGKILL and waits for it.
func (p *Proc) Kill() {
	if p.Running() {
		_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
	}
	<-p.done
}

// Running tells whether the process has not ended.
func (p *Proc) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Done is closed when the process has ended.
func (p *Proc) Done() <-chan struct{} { return p.done }

// ErrStillRunning is Wait's after its limit.
var ErrStillRunning = errors.New("still running")

// Wait waits for the end and returns the exit status (128+n for signal n).
func (p *Proc) Wait(limit time.Duration) (int, error) {
	select {
	case <-p.done:
	case <-time.After(limit):
		return 0, fmt.Errorf("%s: %w after %v", p.Name, ErrStillRunning, limit)
	}
	if ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return p.cmd.ProcessState.ExitCode(), nil
}

// Log is what the process, and its predecessors of the same name, wrote.
func (p *Proc) Log() string {
	b, _ := os.ReadFile(p.LogFile)
	return string(b)
}
