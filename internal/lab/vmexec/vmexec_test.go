package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// These tests run on any kernel; where it lacks VRF they boot machines. Inside
// a machine (go test -exec vmexec) they run natively.

var vmexecPath string

func TestMain(m *testing.M) {
	// The test binary is process 1 in the machine just as vmexec is.
	if os.Getenv("VMEXEC_TEST_MAIN") != "" || os.Getenv(jobEnv) != "" || len(os.Args) > 1 && os.Args[1] == loaderFlag {
		main()
	}
	dir, err := os.MkdirTemp("", "vmexec-test-")
	if err != nil {
		panic(err)
	}
	vmexecPath = filepath.Join(dir, "vmexec")
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, vmexecPath)
	}
	if err != nil {
		panic(err)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

func vmexec(args ...string) *exec.Cmd {
	cmd := exec.Command(vmexecPath, args...)
	cmd.Env = append(os.Environ(), "VMEXEC_TEST_MAIN=1")
	return cmd
}

func status(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	t.Fatal(err)
	return 0
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string // part of the error; "" for none
	}{
		{"OK command", []string{"--", "ip", "link"}, ""},
		{"OK as go test calls it", []string{"/tmp/x.test", "-test.v"}, ""},
		{"bad no command", nil, "no command"},
		{"bad mode", []string{"-mode", "kvm", "--", "true"}, "legal: auto, uml, native"},
		{"bad flag", []string{"-nonsense", "true"}, "not defined"},
	} {
		_, err := parse(test.args)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	for _, mem := range []string{"", "3", "G", "3X", "1M", "-1G", "3GG"} {
		if _, err := parseMem(mem); err == nil {
			t.Errorf("bad mem %q: no error", mem)
		}
	}
	if n, err := parseMem("3G"); n != 3<<30 || err != nil {
		t.Errorf("OK mem: %d, %v", n, err)
	}
}

func TestWritable(t *testing.T) {
	got := writable("/tmp/b001/x.test", []string{"-test.v=true", "-test.coverprofile=c.out", "-test.outputdir=/work",
		"-test.testlogfile=/tmp/b001/testlog.txt", "-test.cpuprofile=", "plain", "-test.gocoverdir=/cov"}, "/pkg")
	if diff := cmp.Diff([]string{"/pkg", "/work", "/tmp/b001", "/cov"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("VBR_X", "1")
	t.Setenv("SECRET_TOKEN", "x")
	t.Setenv("PASSED", "2")
	env := strings.Join(environment([]string{"A=b", "PASSED"}), "\n")
	for _, want := range []string{"VBR_X=1", "A=b", "PASSED=2", "PATH="} {
		if !strings.Contains(env, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(env, "SECRET") {
		t.Error("a secret passes")
	}
}

func TestFrames(t *testing.T) {
	var line bytes.Buffer
	f := &frameWriter{w: &line}
	big := bytes.Repeat([]byte("0123456789"), frameMax/5)
	if n, err := f.stream(frameStdout).Write(big); n != len(big) || err != nil {
		t.Fatal(n, err)
	}
	_ = f.send32(frameExit, 7)
	var got []byte
	for {
		kind, payload, err := readFrame(&line)
		if err != nil {
			t.Fatal(err)
		}
		if kind == frameExit {
			if value32(payload) != 7 {
				t.Errorf("status %d", value32(payload))
			}
			break
		}
		got = append(got, payload...)
	}
	if !bytes.Equal(got, big) {
		t.Error("stream differs")
	}
	if _, _, err := readFrame(strings.NewReader("o\xff\xff\xff\xff")); err == nil {
		t.Error("bad frame: no error")
	}
}

// Streams, status, environment, folder and the kernel, in one machine.
func TestCommand(t *testing.T) {
	shared := t.TempDir()
	cmd := vmexec("-rw", shared, "-env", "FOO=bar", "--", "sh", "-c", `ip link add v type vrf table 10 || exit 1
		echo "$FOO $VBR_REQUIRE_VRF $(pwd)"; echo to stderr >&2; cat; echo kept >`+shared+`/f; seq 1 200000; sleep 100 & exit 7`)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if got := status(t, err); got != 7 {
		t.Errorf("status %d, want 7; stderr %s", got, &stderr)
	}
	wd, _ := os.Getwd()
	var numbers strings.Builder
	for i := range 200000 {
		fmt.Fprintln(&numbers, i+1)
	}
	if want := "bar 1 " + wd + "\n" + numbers.String(); stdout.String() != want {
		t.Errorf("stdout: %d bytes, want %d; starts %.40q", stdout.Len(), len(want), stdout.String())
	}
	if stderr.String() != "to stderr\n" {
		t.Errorf("stderr %q", stderr.String())
	}
	if b, err := os.ReadFile(filepath.Join(shared, "f")); string(b) != "kept\n" {
		t.Errorf("-rw folder: %q, %v", b, err)
	}
}

// Two machines at once; the one ends by signal, the other at its deadline.
func TestEndings(t *testing.T) {
	term := vmexec("--", "sh", "-c", `trap "echo got it; exit 9" TERM; echo up; while :; do sleep 0.1; done`)
	var out bytes.Buffer
	pipe, err := term.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	late := vmexec("-timeout", "2s", "--", "sh", "-c", `trap "" QUIT; while :; do sleep 1; done`)
	var said bytes.Buffer
	late.Stderr = &said
	if err := errors.Join(term.Start(), late.Start()); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 3)
	if _, err := pipe.Read(first); err != nil {
		t.Fatal(err)
	}
	_ = term.Process.Signal(syscall.SIGTERM)
	_, _ = out.ReadFrom(pipe)
	if got := status(t, term.Wait()); got != 9 || !strings.Contains(out.String(), "got it") {
		t.Errorf("after SIGTERM: status %d, output %q", got, &out)
	}
	if got := status(t, late.Wait()); got != statusFailed || !strings.Contains(said.String(), "did not end within 2s") {
		t.Errorf("at the deadline: status %d, %q", got, &said)
	}
}

// A killed vmexec takes its machine along, and the next run clears its folder.
func TestKilled(t *testing.T) {
	tmp := t.TempDir()
	mark := "vmexec-test-sleeper-" + filepath.Base(tmp)
	cmd := vmexec("--", "sh", "-c", "echo up; sleep 1000; : "+mark)
	cmd.Env = append(cmd.Env, "TMPDIR="+tmp)
	pipe, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := pipe.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for deadline := time.Now().Add(5 * time.Second); processWith(tmp) || processWith(mark); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("processes left")
		}
	}
	again := vmexec("--", "true")
	again.Env = append(again.Env, "TMPDIR="+tmp)
	if out, err := again.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if left, _ := filepath.Glob(tmp + "/*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func processWith(text string) bool {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if b, _ := os.ReadFile(f); bytes.Contains(b, []byte(text)) {
			return true
		}
	}
	return false
}
