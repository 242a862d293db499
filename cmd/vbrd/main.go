package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/openvbr/openvbr/internal/fault"
	"github.com/openvbr/openvbr/vbr"
	"github.com/openvbr/openvbr/vbr/config"
	"github.com/openvbr/openvbr/vbr/intent"
)

// version and commit are set by the linker (see the Makefile).
var version, commit = "unknown", "unknown"

// The exit statuses.
const (
	exitOK      = 0
	exitFailed  = 1
	exitInvalid = 2
	exitRunning = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with its surroundings as parameters; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	env, armed, err := fault.Arm(os.Environ())
	if err != nil {
		fmt.Fprintln(stderr, "vbrd:", err)
		return exitInvalid
	}
	if armed != "" {
		fmt.Fprintln(stderr, "vbrd: warning: a fault point is armed, as only a test should:", armed)
	}
	settings, problems := config.Load(config.Input{Args: args, Env: env, Hostname: os.Hostname})
	if len(problems) > 0 {
		return invalid(stderr, problems)
	}
	switch settings.Action {
	case config.Help:
		fmt.Fprint(stdout, config.Usage())
		return exitOK
	case config.Version:
		fmt.Fprintf(stdout, "vbrd %s (commit %s, %s)\n", version, commit, runtime.Version())
		return exitOK
	case config.Cleanup:
		return finish(stderr, cleanup(ctx, settings, newLogger(settings.Log, stderr)))
	}
	in, warnings, problems := load(settings)
	if len(problems) > 0 {
		return invalid(stderr, problems)
	}
	for _, w := range warnings {
		fmt.Fprintln(stderr, "vbrd: warning:", w.Error())
	}
	if settings.Action == config.Check {
		fmt.Fprintln(stdout, counts(in))
		return exitOK
	}
	return finish(stderr, serve(ctx, settings, newLogger(settings.Log, stderr)))
}

// counts says what a check has found to be right.
func counts(in *intent.Intent) string {
	vbrs := 0
	for i := range in.Routers {
		if in.Routers[i].Kind == intent.VBR {
			vbrs++
		}
	}
	return fmt.Sprintf("ok: %d VBRs, %d VRouters, %d router interfaces, %d failover groups, %d physical connections",
		vbrs, len(in.Routers)-vbrs, len(in.RouterInterfaces), len(in.Groups), len(in.PhysicalConnections))
}

// load reads the resources and checks them by themselves, against the machine and against the settings: every error at once.
// It leaves out the default folder when there is none: the store may hold everything.
func load(s *config.Settings) (in *intent.Intent, warnings, problems intent.Errors) {
	if _, err := os.Stat(s.Resources); errors.Is(err, os.ErrNotExist) && s.Resources == config.DefaultResources {
		s.Resources = ""
	}
	in = &intent.Intent{}
	if s.Resources != "" {
		in, problems, warnings = intent.Options{Host: s.Host, Now: time.Now()}.LoadOn(s.Resources, machine(s))
	}
	p, w := config.CheckHost(s, machine(s))
	problems, warnings = append(problems, p...), append(warnings, w...)
	if in != nil {
		problems = append(problems, config.CheckIntent(s, in.On(s.Host))...)
	}
	problems.Sort()
	return in, warnings, problems
}

// machine is this host with the settings' folder of keys.
func machine(s *config.Settings) intent.Host { return intent.Host{Keys: intent.KeyDir(s.KeyDir)} }

func invalid(stderr io.Writer, problems intent.Errors) int {
	for _, p := range problems {
		fmt.Fprintln(stderr, p.Error())
	}
	errs := "errors"
	if len(problems) == 1 {
		errs = "error"
	}
	fmt.Fprintf(stderr, "vbrd: %d %s; nothing was applied\n", len(problems), errs)
	return exitInvalid
}

// finish tells an error and returns its exit status.
func finish(stderr io.Writer, err error) int {
	var problems intent.Errors
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &problems):
		return invalid(stderr, problems)
	}
	fmt.Fprintln(stderr, "vbrd:", err)
	if errors.Is(err, vbr.ErrRunning) {
		return exitRunning
	}
	return exitFailed
}
