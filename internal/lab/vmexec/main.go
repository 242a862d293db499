package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// statusFailed is the exit status when vmexec itself fails, as in env(1).
const statusFailed = 125

func main() {
	if path := os.Getenv(jobEnv); path != "" {
		os.Exit(inside(path))
	}
	if len(os.Args) > 1 && os.Args[1] == loaderFlag {
		os.Exit(loader(os.Args[2:]))
	}
	os.Exit(outside(os.Args[1:]))
}

// loader answers the kernel's wish for a module.
func loader(args []string) int {
	if len(args) < 2 || load(args[1:]...) != nil {
		return 1
	}
	return 0
}

// options are what the command line and VBR_VM* say.
type options struct {
	mode    string // auto, uml or native
	mem     string // memory of the machine, as user-mode-linux writes it
	timeout time.Duration
	tty     bool
	verbose bool
	env     []string
	rw      []string
	args    []string
}

type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func parse(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("vmexec", flag.ContinueOnError)
	fs.StringVar(&o.mode, "mode", envOr("VBR_VM", "auto"), "auto, uml or native (or $VBR_VM)")
	fs.StringVar(&o.mem, "mem", envOr("VBR_VM_MEM", "3G"), "memory of the machine (or $VBR_VM_MEM)")
	fs.DurationVar(&o.timeout, "timeout", 0, "end the command after this long (default: -test.timeout and a minute; 0 without it: never)")
	fs.BoolVar(&o.tty, "it", false, "give the command a terminal")
	fs.BoolVar(&o.verbose, "v", os.Getenv("VBR_VM_VERBOSE") != "", "show the kernel's console (or $VBR_VM_VERBOSE)")
	fs.Var((*list)(&o.env), "env", "`NAME=value` or NAME to pass on; may be repeated")
	fs.Var((*list)(&o.rw), "rw", "`folder` whose changes reach the host; may be repeated")
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), "usage: vmexec [flags] [--] command [arguments]\n")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	o.args = fs.Args()
	switch {
	case len(o.args) == 0:
		return o, errors.New("no command given; try vmexec -- ip link")
	case o.mode != "auto" && o.mode != "uml" && o.mode != "native":
		return o, fmt.Errorf("mode: %q: unknown; legal: auto, uml, native", o.mode)
	}
	return o, nil
}

func outside(args []string) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		var status int
		if status, err = run(o); err == nil {
			return status
		}
	}
	fmt.Fprintln(os.Stderr, "vmexec:", err)
	return statusFailed
}

// run picks the kernel and runs the command on it.
func run(o options) (int, error) {
	j, err := newJob(o)
	if err != nil {
		return 0, err
	}
	if o.mode == "auto" {
		o.mode = "uml"
		if probe() == nil {
			o.mode = "native"
		}
	}
	j.Env = append(j.Env, "VBR_REQUIRE_VRF=1", "VBR_INSIDE="+o.mode)
	if o.mode == "native" {
		return runNative(o, j)
	}
	return runUML(o, j)
}

func envOr(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}
