package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Neighbour is one session as the daemon sees it.
type Neighbour struct {
	Device        string // the line's, before VLANs
	Local, Remote netip.Addr
	Bits          int // of the line's subnet
	ASN           uint32
	VRF           VRF // zero: the default VRF
}

// VRF is where a neighbour's routes go if it has a VRF of its own, and the VLAN of its line.
type VRF struct {
	Name  string
	Table uint32
	VLAN  uint16
}

// Setup is what a daemon is to do.
type Setup struct {
	ASN        uint32
	Neighbours []Neighbour
	Dir        string                     // empty, for configuration, sockets and logs
	In         func(f func() error) error // runs f in the daemon's network namespace
	Env        []string                   // beside the benchmark's own
}

// Kind is a daemon that can be started.
type Kind struct {
	Name    string // in tables
	Version func() (string, error)
	Start   func(Setup) (*Daemon, error)
	// MakesDevices: it makes the neighbours' VLANs and VRFs itself; else they must be there before.
	MakesDevices bool
}

// Daemon is a running one.
type Daemon struct {
	procs []*proc
}

// While returns a context that ends with the parent's or with any of the daemon's processes.
func (d *Daemon) While(parent context.Context) (ctx context.Context, stop context.CancelFunc) {
	ctx, stop = context.WithCancel(parent)
	for _, p := range d.procs {
		go func() { // ends with stop at the latest
			select {
			case <-p.done:
				stop()
			case <-ctx.Done():
			}
		}()
	}
	return ctx, stop
}

type proc struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// Cost is what a daemon's processes have used since they started.
type Cost struct {
	CPU  time.Duration // user and system, of all threads, also those that ended
	RSS  int64         // bytes now, summed over the processes
	Peak int64         // bytes at the highest, summed over the processes
}

// start starts one process of the daemon in its namespace.
func (d *Daemon) start(s Setup, name string, args ...string) error {
	p := &proc{name: name, log: filepath.Join(s.Dir, name+".log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = s.Dir, log, log
	p.cmd.Env = append(os.Environ(), s.Env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.In(p.cmd.Start); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	go func() { // ends with the process, which Stop waits for
		_ = p.cmd.Wait()
		close(p.done)
	}()
	d.procs = append(d.procs, p)
	return nil
}

// Alive is an error with the end of its log when a process has ended.
func (d *Daemon) Alive() error {
	for _, p := range d.procs {
		select {
		case <-p.done:
			return fmt.Errorf("%s has ended (%v):\n%s", p.name, p.cmd.ProcessState, p.tail())
		default:
		}
	}
	return nil
}

func (p *proc) tail() string {
	b, _ := os.ReadFile(p.log)
	return string(b[max(0, len(b)-2000):])
}

// Log is the end of all logs.
func (d *Daemon) Log() string {
	var b strings.Builder
	for _, p := range d.procs {
		fmt.Fprintf(&b, "--- %s\n%s", p.name, p.tail())
	}
	return b.String()
}

// Signal sends a signal to all processes.
func (d *Daemon) Signal(sig os.Signal) error {
	var errs []error
	for _, p := range d.procs {
		errs = append(errs, p.cmd.Process.Signal(sig))
	}
	return errors.Join(errs...)
}

// Stop kills the processes and waits for them.
func (d *Daemon) Stop() {
	for _, p := range d.procs {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	}
}

// Cost reads the processes' clocks and memory.
func (d *Daemon) Cost() (Cost, error) {
	var c Cost
	for _, p := range d.procs {
		cpu, err := cpuTime(p.cmd.Process.Pid)
		if err != nil {
			return c, errors.Join(fmt.Errorf("cost of %s: %w", p.name, err), d.Alive())
		}
		rss, peak, err := memory(p.cmd.Process.Pid)
		if err != nil {
			return c, fmt.Errorf("cost of %s: %w", p.name, err)
		}
		c.CPU += cpu
		c.RSS += rss
		c.Peak += peak
	}
	return c, nil
}

// cpuTime reads the CPU clock of another process, in nanoseconds (clock_getcpuclockid(3)).
func cpuTime(pid int) (time.Duration, error) {
	const sched = 2 // CPUCLOCK_SCHED, linux/posix-timers.h
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|sched), &ts); err != nil {
		return 0, err
	}
	return time.Duration(ts.Nano()), nil
}

// memory is VmRSS and VmHWM of proc(5).
func memory(pid int) (rss, peak int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kb, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "VmRSS:":
			rss = kb << 10
		case "VmHWM:":
			peak = kb << 10
		}
	}
	return rss, peak, nil
}

const (
	quietFor   = 300 * time.Millisecond
	quietShare = 0.04 // of one core
)

// Quiet waits until the daemon has used next to no CPU for a while.
func (d *Daemon) Quiet(ctx context.Context) (Cost, error) {
	last, err := d.Cost()
	for err == nil {
		begin := time.Now()
		select {
		case <-ctx.Done():
			return last, fmt.Errorf("daemon does not come to rest: %w", ctx.Err())
		case <-time.After(quietFor):
		}
		var now Cost
		if now, err = d.Cost(); err == nil && float64(now.CPU-last.CPU) < quietShare*float64(time.Since(begin)) {
			return now, nil
		}
		last = now
	}
	return last, err
}

// write writes a file of the daemon's folder and returns its path.
func (s Setup) write(name, content string) (string, error) {
	path := filepath.Join(s.Dir, name)
	return path, os.WriteFile(path, []byte(content), 0o644)
}

// waitFor waits until a process has made a file.
func (d *Daemon) waitFor(path string) error {
	for range 1000 {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		if err := d.Alive(); err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s did not appear\n%s", path, d.Log())
}
