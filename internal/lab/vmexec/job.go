package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// jobEnv names the job's file to the vmexec that runs inside. For
// user-mode-linux it is a kernel parameter: the kernel hands those it does
// not know to process 1 as environment.
const jobEnv = "VMEXEC_JOB"

// job is what the vmexec outside tells the one inside.
type job struct {
	Path string   // the executable, absolute
	Args []string // with the name first
	Env  []string
	Dir  string
	RW   []string // folders whose changes reach the host
	TTY  bool
	Size winsize
	UML  bool
}

type winsize struct{ Rows, Cols uint16 }

func newJob(o options) (job, error) {
	dir, err := os.Getwd()
	if err != nil {
		return job{}, err
	}
	path, err := exec.LookPath(o.args[0])
	if err != nil {
		return job{}, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return job{}, err
	}
	j := job{Path: path, Args: o.args, Env: environment(o.env), Dir: dir, TTY: o.tty}
	for _, d := range append(writable(path, o.args[1:], dir), o.rw...) {
		if d, err = filepath.Abs(d); err != nil {
			return job{}, err
		}
		if fi, err := os.Stat(d); err != nil || !fi.IsDir() {
			return job{}, fmt.Errorf("folder to write to: %s: not a folder", d)
		}
		j.RW = append(j.RW, d)
	}
	slices.Sort(j.RW)
	j.RW = slices.Compact(j.RW)
	return j, nil
}

// environment is what of the host's environment the command gets: enough for
// Go programs and a shell, and nothing that may be a secret.
func environment(extra []string) []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if name == "PATH" {
			kv += ":/usr/sbin:/sbin:/usr/bin:/bin" // a user's often lacks sbin
		}
		switch {
		case strings.HasPrefix(name, "GO") && name != "GOPROXY" && name != "GOAUTH",
			strings.HasPrefix(name, "VBR"), strings.HasPrefix(name, "LC_"),
			slices.Contains([]string{"PATH", "HOME", "TERM", "LANG", "USER", "TZ", "COLORTERM", "NO_COLOR"}, name):
			env = append(env, kv)
		}
	}
	for _, kv := range extra {
		if !strings.Contains(kv, "=") {
			kv += "=" + os.Getenv(kv)
		}
		env = append(env, kv)
	}
	return env
}

// writable lists the folders into which the test binary at path writes at go
// test's wish: where it lies (coverage, the test log) and what its flags name.
func writable(path string, args []string, dir string) []string {
	var dirs []string
	if d := os.Getenv("GOCOVERDIR"); d != "" {
		dirs = append(dirs, d)
	}
	for _, a := range args {
		name, value, ok := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if !ok || !strings.HasPrefix(a, "-") || value == "" {
			continue
		}
		switch name {
		case "test.outputdir", "test.gocoverdir":
			dirs = append(dirs, absolute(dir, value))
		case "test.coverprofile", "test.cpuprofile", "test.memprofile", "test.blockprofile",
			"test.mutexprofile", "test.trace", "test.testlogfile":
			dirs = append(dirs, filepath.Dir(absolute(dir, value)))
		}
	}
	return dirs
}

func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// deadline is how long the command may run: the flag, or what the test binary
// was given plus a minute in which to end by itself; 0 is for ever.
func (o options) deadline() time.Duration {
	if o.timeout > 0 {
		return o.timeout
	}
	for _, a := range o.args {
		if v, ok := strings.CutPrefix(a, "-test.timeout="); ok {
			if d, err := time.ParseDuration(v); err == nil && d > 0 {
				return d + time.Minute
			}
		}
	}
	return 0
}

func (j job) write(path string) error {
	b, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

func readJob(path string) (job, error) {
	var j job
	b, err := os.ReadFile(path)
	if err != nil {
		return j, err
	}
	return j, json.Unmarshal(b, &j)
}
