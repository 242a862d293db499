package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/goleak"
)

// In a child, tests run as what inChild names, not as tests.
const childVar = "OPENVBR_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVar); path != "" && os.Getenv(childVar+"_LOOP") != "" {
		appendForEver(path)
	}
	goleak.VerifyTestMain(m)
}

func openTestFile(t *testing.T, path string) Store {
	t.Helper()
	s, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestFileIsOurs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "store")
	s := openTestFile(t, dir+"/store.db")
	mustAppend(t, s, revision(1, 1))
	for path, want := range map[string]fs.FileMode{dir: 0o700, dir + "/store.db": 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want mode %o", path, info.Mode(), err, want)
		}
	}
	if files, _ := filepath.Glob(dir + "/*"); len(files) != 1 {
		t.Errorf("the folder has %q", files)
	}
	s.Close()
	if err := os.Chmod(dir+"/store.db", 0o644); err != nil {
		t.Fatal(err)
	}
	openTestFile(t, dir+"/store.db")
	if info, err := os.Stat(dir + "/store.db"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a file of mode 0644 is %v after opening", info.Mode())
	}
}

func TestFileInUse(t *testing.T) {
	path := t.TempDir() + "/store.db"
	s := openTestFile(t, path)
	begin := time.Now()
	_, err := OpenFile(path)
	want := fmt.Sprintf("%s is in use by process %d (", path, os.Getpid())
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v; want %q in it", err, want)
	}
	if took := time.Since(begin); took > 3*lockTimeout {
		t.Errorf("it took %v", took)
	}
	time.AfterFunc(lockTimeout/4, func() { s.Close() })
	openTestFile(t, path) // waits for the other one to end
}

func TestFilesOfOthersStay(t *testing.T) {
	path := t.TempDir() + "/other.db"
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err }); err != nil {
		t.Fatal(err)
	}
	db.Close()
	for _, place := range []string{path, filepath.Dir(path)} {
		if _, err := OpenFile(place); err == nil || errors.As(err, new(*CorruptError)) {
			t.Errorf("%s: %v", place, err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// A store whose first Append filled the disk is as before, and works again when there is space.
func TestDiskFull(t *testing.T) {
	if os.Getenv(childVar) == "" {
		runInChild(t, t.TempDir(), syscall.CLONE_NEWNS)
		return
	}
	dir := os.Getenv(childVar)
	if err := errors.Join(syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m")); err != nil {
		t.Fatal(err)
	}
	filler := dir + "/filler"
	if err := os.WriteFile(filler, make([]byte, 512<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openTestFile(t, dir+"/store.db")
	n := uint64(1)
	var err error
	for ; n < 10000 && err == nil; n++ {
		err = s.Append(t.Context(), revision(n, 500))
	}
	n -= 2 // the last that was stored
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("on a full disk: %v", err)
	}
	if p := s.Problem(); !strings.Contains(p, dir+"/store.db does not work since ") || !strings.Contains(p, "no space left") {
		t.Errorf("Problem: %q", p)
	}
	for range 2 {
		head, err := s.Head(t.Context())
		if err != nil || head.Revision.Number != n {
			t.Fatalf("head %v, %v; want %d", head.GetRevision(), err, n)
		}
		if s.Append(t.Context(), revision(n+1, 500)) == nil {
			t.Error("it takes more than there is space for")
		}
		s = open2(s, func() Store { return openTestFile(t, dir+"/store.db") })
	}
	if s.Append(t.Context(), revision(n+1, 500)) == nil || s.Problem() == "" {
		t.Error("no Problem on a full disk")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, revision(n+1, 500))
	if p := s.Problem(); p != "" {
		t.Errorf("with space again: %s", p)
	}
}

// runInChild runs this test again in a process with a mount namespace of its own.
func runInChild(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), childVar+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
}

// Killed at any point of an Append, the store holds the last revision that was acknowledged, or one more.
func TestKilledWhileAppending(t *testing.T) {
	path := t.TempDir() + "/store.db"
	last, more := uint64(0), 0
	const kills = 12
	for range kills {
		acknowledged := killChild(t, path, rand.IntN(4), time.Duration(rand.IntN(20))*time.Millisecond)
		s := openTestFile(t, path)
		head, err := s.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		last = head.GetRevision().GetNumber()
		if last != acknowledged && last != acknowledged+1 {
			t.Fatalf("head %d after %d was acknowledged", last, acknowledged)
		}
		if last > acknowledged {
			more++
		}
		if last > 0 {
			want := revision(last, resourcesOf(last))
			want.Schema = 1
			diff(t, want, head)
		}
		s.Close()
	}
	if last < kills {
		t.Errorf("only %d revisions were stored", last)
	}
	t.Logf("%d revisions; %d times one more than was acknowledged", last, more)
}

// killChild has a child append, kills it some time after so many were stored, and returns the last number that the
// child said was stored.
func killChild(t *testing.T, path string, stored int, after time.Duration) (last uint64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+path, childVar+"_LOOP=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range stored + 1 { // the first says that the store is open
		lines.Scan()
		last = max(last, number(t, lines.Text()))
	}
	time.Sleep(after)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		last = max(last, number(t, lines.Text()))
	}
	_ = cmd.Wait()
	return last
}

func number(t *testing.T, line string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(line, 10, 64)
	if err != nil {
		t.Fatalf("the child said %q", line)
	}
	return n
}

// appendForEver is what the child does.
func appendForEver(path string) {
	s, err := OpenFile(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	head, err := s.Head(context.Background())
	for n := head.GetRevision().GetNumber(); err == nil; {
		fmt.Println(n)
		n++
		err = s.Append(context.Background(), revision(n, resourcesOf(n)))
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// resourcesOf lets revisions have from no to several pages.
func resourcesOf(n uint64) int { return int(n * 37 % 300) }

func TestAppendOf1000Resources(t *testing.T) {
	s := openTestFile(t, t.TempDir()+"/store.db")
	best := time.Hour
	for n := range uint64(5) {
		r := revision(n+1, 1000)
		begin := time.Now()
		mustAppend(t, s, r)
		best = min(best, time.Since(begin))
	}
	t.Logf("%v", best)
	if best > 500*time.Millisecond { // 100 without the race detector, on an idle machine
		t.Errorf("the fastest of 5 took %v", best)
	}
}
