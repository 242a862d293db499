package bgptest

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// Recorder keeps lines and lets a test wait for them.
type Recorder struct {
	mu    sync.Mutex
	lines []string
}

// Add appends a line.
func (r *Recorder) Add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// Lines is all lines so far.
func (r *Recorder) Lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.lines...)
}

// Len is the number of lines so far: a mark for Wait.
func (r *Recorder) Len() int { return len(r.Lines()) }

// Wait waits for a line after the mark that contains all the parts, and returns its position
// plus one, the next mark.
func (r *Recorder) Wait(t testing.TB, mark int, parts ...string) int {
	t.Helper()
	for end := time.Now().Add(2 * patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for i, l := range r.Lines()[mark:] {
			if containsAll(l, parts) {
				return mark + i + 1
			}
		}
	}
	t.Fatalf("no line with %q after %d:\n%s", parts, mark, strings.Join(r.Lines(), "\n"))
	return 0
}

// Never fails when a line after the mark contains all the parts.
func (r *Recorder) Never(t testing.TB, mark int, parts ...string) {
	t.Helper()
	for _, l := range r.Lines()[mark:] {
		if containsAll(l, parts) {
			t.Errorf("unwanted line %q", l)
		}
	}
}

func containsAll(l string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(l, p) {
			return false
		}
	}
	return true
}

// Loopback is an address of 127.0.0.0/8 that no other test has.
func Loopback() netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(1 + rand.N(250)), byte(rand.N(250)), byte(1 + rand.N(250))})
}

// FreePort is a TCP port that was free on the address a moment ago.
func FreePort(t testing.TB, a netip.Addr) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(a, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}

// Log is a logger at debug level and its text, which is shown when the test fails. t may be nil.
func Log(t testing.TB) (*slog.Logger, *LogText) {
	b := &LogText{}
	logger := slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if t == nil {
		return logger, b
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(b.String())
		}
	})
	return logger, b
}

// LogText collects log lines.
type LogText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *LogText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all that was logged.
func (l *LogText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
