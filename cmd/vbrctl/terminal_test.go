package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// asMain in the environment makes the test binary vbrctl itself, so that it can be run on a terminal.
const asMain = "VBRCTL_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// terminal is a process on a pseudo-terminal of 80x24.
type terminal struct {
	master *os.File
	cmd    *exec.Cmd
	mu     sync.Mutex
	seen   strings.Builder
	ended  chan struct{}
}

func (f *fake) terminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	f.mu.Lock() // what the test has set is set before any answer: vbrctl is another process here
	f.asked = nil
	f.mu.Unlock()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tt := &terminal{master: master, cmd: exec.CommandContext(t.Context(), self, args...), ended: make(chan struct{})}
	tt.cmd.Env = []string{asMain + "=1", "VBRCTL_SOCKET=" + f.socket, "TERM=xterm-256color", "PATH=" + os.Getenv("PATH")}
	tt.cmd.Stdin, tt.cmd.Stdout, tt.cmd.Stderr = slave, slave, slave
	tt.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := tt.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(tt.ended)
		io.Copy(tt, master) // ends when the process and so the terminal's other side is gone
	}()
	return tt
}

// Write takes in what the terminal shows.
func (tt *terminal) Write(b []byte) (int, error) {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	return tt.seen.Write(b)
}

func (tt *terminal) text() string {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	return tt.seen.String()
}

// shows waits until the terminal has shown something.
func (tt *terminal) shows(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !strings.Contains(tt.text(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %q in %q", text, tt.text())
		}
	}
}

// end waits until the process has ended and returns its exit status.
func (tt *terminal) end(t *testing.T) int {
	t.Helper()
	select {
	case <-tt.ended:
	case <-time.After(10 * time.Second):
		t.Errorf("goes on: %q", tt.text())
		tt.cmd.Process.Kill()
	}
	tt.cmd.Wait() // its status is what is asked for
	return tt.cmd.ProcessState.ExitCode()
}

// On a terminal there are colours, unless they are not wanted, and nothing else: in particular no questions to it.
func TestColours(t *testing.T) {
	f := start(t)
	f.sessions = sessions()[:1]
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"show", "sessions"}, "\x1b[32m120\x1b[0m"},
		{[]string{"show", "sessions", "--no-color"}, " 120 "},
	} {
		term := f.terminal(t, tt.args...)
		code, text := term.end(t), term.text()
		rest := strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[32m", "").Replace(text)
		if code != exitOK || !strings.Contains(text, tt.want) || strings.Contains(rest, "\x1b") {
			t.Errorf("%v: status %d: %q", tt.args, code, text)
		}
	}
}

// What takes long is shown to take long, and leaves nothing behind.
func TestSpinner(t *testing.T) {
	f := start(t)
	f.hang = true
	term := f.terminal(t, "show", "host", "--timeout", "2500ms")
	term.shows(t, "waiting for vbrd (2s)")
	if code := term.end(t); code != exitFailed || !strings.HasSuffix(term.text(), "\r\x1b[Kvbrd did not answer within 2.5s; see --timeout\r\n") {
		t.Errorf("status %d: %q", code, term.text())
	}
}

func TestTop(t *testing.T) {
	f := start(t)
	f.sessions = sessions()[:2]
	f.routers = []*vbrv1.RouterStatus{router()}
	term := f.terminal(t, "top", "--every", "100ms")
	term.shows(t, "vbr-acme")
	if _, err := term.master.WriteString("\t"); err != nil {
		t.Fatal(err)
	}
	term.shows(t, "2001:db8::2")
	if _, err := term.master.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	if code := term.end(t); code != exitOK {
		t.Errorf("status %d: %q", code, term.text())
	}
}

// Watching repaints a terminal.
func TestRepaint(t *testing.T) {
	f := start(t)
	term := f.terminal(t, "show", "routers", "--watch=100ms")
	term.shows(t, "\x1b[H\x1b[2Jevery 100ms: ")
	if _, err := term.master.WriteString("\x03"); err != nil { // ^C
		t.Fatal(err)
	}
	if code := term.end(t); code != exitOK {
		t.Errorf("status %d: %q", code, term.text())
	}
}
