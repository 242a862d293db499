package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TB is what a Lab needs of its user. *testing.T has it; Run brings its own.
type TB interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
	Cleanup(func())
	Context() context.Context
}

// Lab holds namespaces and processes and takes them down at the end.
type Lab struct {
	TB
	Dir string // logs and configurations

	pings atomic.Uint32 // identifiers given to pingers
	mu    sync.Mutex
	names map[string]*NS
	procs []*Proc
}

// New makes a Lab that ends with t.
func New(t TB) *Lab {
	t.Helper()
	if err := Inside(); err != nil {
		t.Fatalf("%v", err)
	}
	dir, err := workDir(t.Name())
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	l := &Lab{TB: t, Dir: dir, names: map[string]*NS{}}
	t.Cleanup(l.close)
	return l
}

// workDir is below $VBR_LAB_DIR, where it stays, or a temporary one.
func workDir(name string) (string, error) {
	base := os.Getenv("VBR_LAB_DIR")
	if base == "" {
		base = os.TempDir()
	}
	dir, err := os.MkdirTemp(base, "lab-"+strings.NewReplacer("/", "-", " ", "-").Replace(name)+"-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755) // FRR's user reads its configuration there
}

func (l *Lab) close() {
	l.mu.Lock()
	procs, names := slices.Clone(l.procs), l.names
	l.procs, l.names = nil, map[string]*NS{}
	l.mu.Unlock()
	if l.Failed() {
		l.showLogs(procs)
	}
	for _, p := range slices.Backward(procs) {
		p.Kill()
	}
	for _, n := range names {
		n.close()
	}
	if os.Getenv("VBR_LAB_DIR") == "" {
		_ = os.RemoveAll(l.Dir)
	}
}

// logTail is how much of each process's log a failed test shows.
const logTail = 2 << 10

func (l *Lab) showLogs(procs []*Proc) {
	shown := map[string]bool{}
	for _, p := range procs {
		if shown[p.LogFile] {
			continue // an earlier run of the same
		}
		shown[p.LogFile] = true
		text := strings.TrimSpace(p.Log())
		if cut := len(text) - logTail; cut > 0 {
			text = "... " + text[cut:]
		}
		if text != "" {
			l.Logf("log of %s:\n%s", p.Name, text)
		}
	}
}

// File writes a file into the Lab's folder and returns its path.
func (l *Lab) File(name, content string) string {
	l.Helper()
	path := filepath.Join(l.Dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(content), 0o644)
	}
	if err != nil {
		l.Fatalf("lab: %v", err)
	}
	return path
}

// ErrOutside says how to get inside.
var ErrOutside = errors.New("this needs a machine of its own with VRF devices; run it with\n" +
	"\tgo build -o bin/vmexec ./internal/lab/vmexec && go test -exec \"$PWD/bin/vmexec\" PACKAGE")

// Inside tells whether the process runs in vmexec's machine or namespaces;
// nothing of the lab runs elsewhere, since it would touch the host's network.
func Inside() error {
	if os.Getenv("VBR_INSIDE") == "" || os.Getenv("VBR_REQUIRE_VRF") != "1" {
		return ErrOutside
	}
	return nil
}

// Main is a TestMain that fails, with the command to run, outside of vmexec.
// The optional check comes after the tests (goleak.Find).
func Main(m *testing.M, check func() error) {
	if err := Inside(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	if status == 0 && check != nil {
		if err := check(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

// EventuallyEvery is the pause between two looks of Eventually.
const EventuallyEvery = 100 * time.Millisecond

// Eventually looks until f returns nil and ends the test when it still does
// not after limit. It returns how long that took.
func Eventually(t TB, limit time.Duration, what string, f func() error) time.Duration {
	t.Helper()
	took, err := Within(limit, f)
	if err != nil {
		t.Fatalf("%s: not within %v: %v", what, limit, err)
	}
	return took
}

// Within is Eventually for programs: it returns the last error.
func Within(limit time.Duration, f func() error) (time.Duration, error) {
	start := time.Now()
	for {
		err := f()
		took := time.Since(start)
		if err == nil || took > limit {
			return took, err
		}
		time.Sleep(EventuallyEvery)
	}
}

// Never looks for so long and ends the test when f ever returns an error.
func Never(t TB, during time.Duration, what string, f func() error) {
	t.Helper()
	for start := time.Now(); time.Since(start) < during; time.Sleep(EventuallyEvery) {
		if err := f(); err != nil {
			t.Fatalf("%s: after %v: %v", what, time.Since(start).Round(time.Millisecond), err)
		}
	}
}

// Run gives f a Lab outside of package testing: it returns when f and the
// Lab's end are through, with what Fatalf said, if anything.
func Run(ctx context.Context, name string, log io.Writer, f func(*Lab)) error {
	tb := &program{ctx: ctx, name: name, log: log}
	done := make(chan struct{})
	go func() { // Fatalf ends this goroutine, as in package testing
		defer close(done)
		defer tb.finish()
		f(New(tb))
	}()
	<-done
	return tb.err
}

// program is the TB of Run.
type program struct {
	ctx  context.Context
	name string
	log  io.Writer

	mu       sync.Mutex
	err      error
	cleanups []func()
}

func (p *program) Helper()                  {}
func (p *program) Name() string             { return p.name }
func (p *program) Context() context.Context { return p.ctx }

func (p *program) Logf(format string, args ...any) {
	fmt.Fprintf(p.log, format+"\n", args...)
}

func (p *program) Fatalf(format string, args ...any) {
	p.mu.Lock()
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
	p.mu.Unlock()
	runtime.Goexit()
}

func (p *program) Failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err != nil
}

func (p *program) Cleanup(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleanups = append(p.cleanups, f)
}

func (p *program) finish() {
	if r := recover(); r != nil {
		p.mu.Lock()
		p.err = fmt.Errorf("panic: %v", r)
		p.mu.Unlock()
	}
	for _, f := range slices.Backward(p.cleanups) {
		f()
	}
}
