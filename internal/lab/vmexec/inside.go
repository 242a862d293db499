package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// inside is process 1: of the machine, or of the native namespaces. It sets
// the place up, runs the job, adopts and reaps orphans, ends what the job
// leaves behind and reports the job's status.
func inside(path string) int {
	j, err := readJob(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "vmexec: inside:", err)
		return statusFailed
	}
	if j.UML {
		insideUML(path, j)
		_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
	return insideNative(j)
}

func insideUML(path string, j job) {
	line, err := openLine()
	if err != nil {
		fmt.Fprintln(os.Stderr, "vmexec: serial line:", err) // the console
		return
	}
	tx := &frameWriter{w: line}
	if err := setupMachine(path, j); err != nil {
		_ = tx.send(frameFailed, []byte("set up the machine: "+err.Error()))
		drain(line)
		return
	}
	status, err := runFramed(j, line, tx)
	unix.Sync() // what went through to the host's folders
	if err != nil {
		_ = tx.send(frameFailed, []byte(err.Error()))
	} else {
		_ = tx.send32(frameExit, status)
	}
	drain(line)
}

func openLine() (*os.File, error) {
	line, err := os.OpenFile("/dev/ttyS0", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	return line, setRaw(int(line.Fd())) // Fd makes it blocking, as wanted
}

// drain waits until the line's bytes are out.
func drain(line *os.File) { _ = unix.IoctlSetInt(int(line.Fd()), unix.TCSBRK, 1) }

// runFramed runs the job with its output in frames.
func runFramed(j job, line io.Reader, tx *frameWriter) (int, error) {
	p, err := startProcess(j, tx)
	if err != nil {
		return 0, err
	}
	_ = tx.send(frameReady, nil)
	go p.control(line) // ends with the machine
	status := reap(p.pid)
	endAll()
	p.copied.Wait()
	return status, nil
}

// process is the job as it runs.
type process struct {
	pid    int
	pty    *os.File // nil without a terminal
	copied sync.WaitGroup
}

func startProcess(j job, tx *frameWriter) (*process, error) {
	p := &process{}
	attr := &syscall.ProcAttr{Dir: j.Dir, Env: j.Env, Sys: &syscall.SysProcAttr{Setsid: true}}
	var files, give []*os.File
	if j.TTY {
		master, slave, err := openPTY(j.Size)
		if err != nil {
			return nil, err
		}
		p.pty = master
		files, give = []*os.File{slave, slave, slave}, []*os.File{slave}
		attr.Sys.Setctty = true
		p.copied.Go(func() { _, _ = io.Copy(tx.stream(frameStdout), master) })
	} else {
		null, err := os.Open(os.DevNull)
		outR, outW, err1 := os.Pipe()
		errR, errW, err2 := os.Pipe()
		if err := errors.Join(err, err1, err2); err != nil {
			return nil, err
		}
		files = []*os.File{null, outW, errW}
		give = files
		p.copied.Go(func() { _, _ = io.Copy(tx.stream(frameStdout), outR) })
		p.copied.Go(func() { _, _ = io.Copy(tx.stream(frameStderr), errR) })
	}
	for _, f := range files {
		attr.Files = append(attr.Files, f.Fd())
	}
	pid, err := syscall.ForkExec(j.Path, j.Args, attr)
	for _, f := range give {
		f.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", j.Path, err)
	}
	p.pid = pid
	return p, nil
}

// control does what the frames from outside say.
func (p *process) control(line io.Reader) {
	for {
		kind, payload, err := readFrame(line)
		if err != nil {
			return
		}
		switch {
		case kind == frameSignal:
			_ = unix.Kill(p.pid, syscall.Signal(value32(payload)))
		case kind == frameStdin && p.pty != nil:
			_, _ = p.pty.Write(payload)
		case kind == frameSize && p.pty != nil && len(payload) == 4:
			_ = setSize(p.pty, winsize{binary.BigEndian.Uint16(payload), binary.BigEndian.Uint16(payload[2:])})
		}
	}
}

func openPTY(size winsize) (master, slave *os.File, err error) {
	if master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = setSize(master, size)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("terminal: %w", err)
	}
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	return master, slave, err
}

func setSize(f *os.File, s winsize) error {
	return unix.IoctlSetWinsize(int(f.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: s.Rows, Col: s.Cols})
}

// reap waits for every child, adopted ones too, until pid ends; it returns
// pid's status.
func reap(pid int) int {
	for {
		var ws syscall.WaitStatus
		got, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return statusFailed
		case got == pid && ws.Signaled():
			return 128 + int(ws.Signal())
		case got == pid && ws.Exited():
			return ws.ExitStatus()
		}
	}
}

// endAll ends every process but this one, process 1, and reaps them.
func endAll() {
	_ = unix.Kill(-1, unix.SIGKILL)
	for {
		if _, err := syscall.Wait4(-1, nil, 0, nil); err != nil && err != syscall.EINTR {
			return
		}
	}
}

// insideNative runs the job with the standard streams it has itself.
func insideNative(j job) int {
	if err := setupNative(); err != nil {
		fmt.Fprintln(os.Stderr, "vmexec: set up namespaces:", err)
		return statusFailed
	}
	pid, err := syscall.ForkExec(j.Path, j.Args, &syscall.ProcAttr{Dir: j.Dir, Env: j.Env, Files: []uintptr{0, 1, 2}})
	if err != nil {
		fmt.Fprintf(os.Stderr, "vmexec: run %s: %v\n", j.Path, err)
		return statusFailed
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	go func() { // ends with the process
		for s := range signals {
			_ = unix.Kill(pid, s.(syscall.Signal))
		}
	}()
	status := reap(pid)
	endAll()
	return status
}
