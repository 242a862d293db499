package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const umlBinary = "linux.uml"

// bootLimit is how long a machine may take until its command starts; 2 s are
// usual, more on a loaded host.
const bootLimit = 60 * time.Second

// machine is one user-mode-linux process and the pipes to it.
type machine struct {
	cmd     *exec.Cmd
	dir     string   // removed at the end
	to      *os.File // serial line
	from    *os.File
	console *tail
	copied  sync.WaitGroup
	ended   chan struct{}
}

// runUML boots a machine, runs the job in it and returns its exit status.
func runUML(o options, j job) (int, error) {
	path, err := exec.LookPath(umlBinary)
	if err != nil {
		return 0, fmt.Errorf("the host's kernel lacks VRF or VLAN devices (CONFIG_NET_VRF, CONFIG_VLAN_8021Q) and user-mode-linux is not installed: run internal/lab/install.sh (%w)", err)
	}
	j.UML = true
	if j.TTY {
		restore, size, err := rawTerminal()
		if err != nil {
			return 0, err
		}
		defer restore()
		j.Size = size
	}
	m, err := boot(path, o, j)
	if err != nil {
		return 0, err
	}
	defer m.close()
	return m.supervise(o, j)
}

// boot starts user-mode-linux with this very program as process 1.
func boot(path string, o options, j job) (*machine, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	memory, err := memoryDir(o.mem)
	if err != nil {
		return nil, err
	}
	dir, err := scratch()
	if err != nil {
		return nil, err
	}
	moreMaps()
	moreFiles()
	m := &machine{dir: dir, console: &tail{limit: 16 << 10}, ended: make(chan struct{})}
	if o.verbose {
		m.console.also = os.Stderr
	}
	jobFile := filepath.Join(dir, "job.json")
	if err := errors.Join(j.write(jobFile), os.Mkdir(filepath.Join(dir, "mnt"), 0o700)); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	m.cmd = &exec.Cmd{
		Path: path,
		Args: []string{umlBinary, "mem=" + o.mem, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw",
			"init=" + self, jobEnv + "=" + jobFile, "uml_dir=" + dir, "umid=vm", "noreboot", "panic=-1",
			"con=null", "con0=null,fd:5", "ssl=null", "ssl0=fd:3,fd:4"},
		Env:         []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + dir, "TMPDIR=" + memory},
		Dir:         "/",
		SysProcAttr: isolation(),
	}
	if !o.verbose {
		m.cmd.Args = append(m.cmd.Args, "quiet")
	}
	if err := m.start(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return m, nil
}

// moreMaps raises the host's vm.max_map_count where that is allowed: user-mode-linux needs a mapping of the host for each
// page of a process, so the usual 65530 end a process of 256 MiB by SIGKILL.
func moreMaps() {
	const file, enough = "/proc/sys/vm/max_map_count", 1 << 21
	b, err := os.ReadFile(file)
	if err != nil {
		return
	}
	if n, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && n < enough {
		_ = os.WriteFile(file, []byte(strconv.Itoa(enough)), 0o644) // needs root, as does little else here
	}
}

// moreFiles raises the limit of open files where that is allowed: user-mode-linux keeps one open on the host for each file whose inode it remembers, and
// dpkg alone looks at tens of thousands.
func moreFiles() {
	const enough = 1 << 19
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err == nil && l.Cur < enough {
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: enough, Max: max(l.Max, enough)}) // needs root, or such a hard limit
	}
}

// isolation keeps the terminal's signals from the machine by a session of its
// own (they are passed on deliberately), and ends the machine when vmexec is
// killed: the kernel gets a death signal and, where allowed, is process 1 of a
// namespace, so that its helper processes end with it.
func isolation() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if mayUnshare() {
		attr.Cloneflags = syscall.CLONE_NEWPID
	}
	return attr
}

// mayUnshare tells whether a process namespace can be made, as it cannot in
// many containers.
func mayUnshare() bool {
	cmd := exec.Command("true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	return cmd.Run() == nil
}

// start makes the pipes and starts the process; the calling goroutine keeps
// its thread for good.
func (m *machine) start() error {
	toR, toW, err1 := os.Pipe()
	fromR, fromW, err2 := os.Pipe()
	consR, consW, err3 := os.Pipe()
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	m.to, m.from = toW, fromR
	m.cmd.ExtraFiles = []*os.File{toR, fromW, consW} // 3, 4, 5
	m.cmd.Stdout, m.cmd.Stderr = consW, consW
	runtime.LockOSThread()
	err := m.cmd.Start()
	for _, f := range m.cmd.ExtraFiles {
		f.Close()
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", umlBinary, err)
	}
	m.copied.Go(func() { _, _ = io.Copy(m.console, consR); consR.Close() })
	return nil
}

// close ends what still runs and removes what the machine left.
func (m *machine) close() {
	m.kill()
	_ = m.cmd.Wait()
	m.copied.Wait()
	m.to.Close()
	m.from.Close()
	_ = os.RemoveAll(m.dir)
}

// kill ends the kernel and, since they are children that it traces, all its
// processes.
func (m *machine) kill() { _ = unix.Kill(-m.cmd.Process.Pid, unix.SIGKILL) }

type outcome struct {
	status int
	err    error
}

// supervise relays output until the job's exit status comes, and passes on
// signals.
func (m *machine) supervise(o options, j job) (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ready := make(chan struct{})
	done := make(chan outcome, 1)
	var reader sync.WaitGroup
	reader.Go(func() { done <- m.relay(ready) })
	defer reader.Wait()
	defer m.kill() // the pipe's end then ends relay

	tx := &frameWriter{w: m.to}
	if j.TTY {
		// Ends with the process: a read from the terminal cannot be broken off.
		go func() { _, _ = io.Copy(tx.stream(frameStdin), os.Stdin) }()
	}
	ends := watchdog(ctx, ready, o.deadline())
	boot := time.After(bootLimit)
	for asked := 0; ; {
		select {
		case out := <-done:
			return out.status, out.err
		case <-ready:
			ready, boot = nil, nil
		case <-boot:
			return 0, fmt.Errorf("no command running %v after the start of %s; console:\n%s", bootLimit, umlBinary, m.console)
		case sig := <-ends.signals:
			if sig == syscall.SIGWINCH {
				sendSize(tx)
				continue
			}
			if asked++; asked > 1 && sig != syscall.SIGQUIT {
				return 128 + int(sig), nil
			}
			_ = tx.send32(frameSignal, int(sig))
		case why := <-ends.over:
			return 0, errors.New(why)
		}
	}
}

func sendSize(tx *frameWriter) {
	if size, err := terminalSize(); err == nil {
		b := binary.BigEndian.AppendUint16(nil, size.Rows)
		_ = tx.send(frameSize, binary.BigEndian.AppendUint16(b, size.Cols))
	}
}

// relay copies the job's output until its exit status.
func (m *machine) relay(ready chan<- struct{}) outcome {
	r := bufio.NewReaderSize(m.from, frameMax)
	for {
		kind, payload, err := readFrame(r)
		if err != nil {
			return outcome{err: fmt.Errorf("the machine ended before its command (%w); console:\n%s", err, m.console)}
		}
		switch kind {
		case frameReady:
			close(ready)
		case frameStdout:
			_, _ = os.Stdout.Write(payload)
		case frameStderr:
			_, _ = os.Stderr.Write(payload)
		case frameFailed:
			return outcome{err: errors.New(string(payload))}
		case frameExit:
			return outcome{status: value32(payload)}
		}
	}
}

// memoryDir is where the file that backs the machine's memory goes (unlinked
// at once): /dev/shm where it is large enough, as it is not in many
// containers, else the temporary folder.
func memoryDir(mem string) (string, error) {
	want, err := parseMem(mem)
	if err != nil {
		return "", err
	}
	var st unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &st); err == nil && st.Bavail*uint64(st.Bsize) >= want && st.Flags&unix.ST_NOEXEC == 0 {
		return "/dev/shm", nil
	}
	return os.TempDir(), nil
}

func parseMem(s string) (uint64, error) {
	digits := strings.TrimRight(s, "kKmMgG")
	n, err := strconv.ParseUint(digits, 10, 32)
	unit := strings.ToUpper(s[len(digits):])
	shift := map[string]uint{"K": 10, "M": 20, "G": 30}[unit]
	if err != nil || shift == 0 || len(unit) != 1 || n<<shift < 64<<20 {
		return 0, fmt.Errorf("mem: %q: not a size of at least 64M; legal: such as 512M or 3G", s)
	}
	return n << shift, nil
}

// tail keeps the end of what is written to it.
type tail struct {
	mu    sync.Mutex
	b     []byte
	limit int
	also  io.Writer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.also != nil {
		_, _ = t.also.Write(p)
	}
	t.b = append(t.b, p...)
	if cut := len(t.b) - t.limit; cut > 0 {
		t.b = append(t.b[:0], t.b[cut:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
