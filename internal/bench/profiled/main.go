// Command profiled is vbrd with the profiler in it: the same settings, the same parts, no backbone. It is for `bench -profile` and
// not for use.
//
// SIGUSR1 begins a CPU profile; SIGUSR2 ends it and writes, with the prefix of the file names that BENCH_PROFILE holds, PREFIX.cpu.prof,
// PREFIX.heap.prof (what lives after a collection; its alloc_space is all since the start) and PREFIX.txt (runtime numbers). With
// BENCH_PROFILE_START the CPU profile begins at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"strings"
	"syscall"

	"github.com/openvbr/openvbr/vbr"
	"github.com/openvbr/openvbr/vbr/config"
	"github.com/openvbr/openvbr/vbr/intent"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv("BENCH_PROFILE")); err != nil {
		fmt.Fprintln(os.Stderr, "profiled:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, prefix string) error {
	s, problems := config.Load(config.Input{Args: args, Env: os.Environ(), Hostname: os.Hostname})
	if len(problems) > 0 {
		return problems[0]
	}
	if s.Action == config.Version {
		fmt.Printf("vbrd with a profiler (%s)\n", runtime.Version())
		return nil
	}
	in, problems := intent.Load(s.Resources)
	if len(problems) > 0 {
		return problems[0]
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: s.Log.Level}))
	h, err := vbr.NewHost(vbr.Options{
		StateDir: s.StateDir, TableBase: s.TableBase, KeepCompatMode: s.KeepNexthopCompat, Log: log,
		Timers: vbr.Timers{Restart: s.Timers.Restart, Deferral: s.Timers.Deferral, Stale: s.Timers.Stale, Audit: s.Timers.Audit},
	})
	if err != nil {
		return err
	}
	profiles := make(chan error, 1)
	go func() { profiles <- profile(ctx, prefix) }()
	err = h.Run(ctx, in)
	return errors.Join(err, <-profiles, h.Close())
}

// profile serves the two signals until ctx ends.
func profile(ctx context.Context, prefix string) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	if err := os.MkdirAll(filepath.Dir(prefix), 0o755); err != nil {
		return err
	}
	var cpu *os.File
	var err error
	if os.Getenv("BENCH_PROFILE_START") != "" {
		if cpu, err = begin(prefix); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case sig := <-signals:
			switch {
			case sig == syscall.SIGUSR1 && cpu == nil:
				cpu, err = begin(prefix)
			case sig == syscall.SIGUSR2 && cpu != nil:
				err = end(prefix, cpu)
				cpu = nil
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "profiled:", err)
		}
	}
}

func begin(prefix string) (*os.File, error) {
	f, err := os.Create(prefix + ".cpu.prof")
	if err != nil {
		return nil, err
	}
	if err := writeNumbers(prefix + ".before.txt"); err != nil {
		return nil, err
	}
	return f, pprof.StartCPUProfile(f)
}

func end(prefix string, cpu *os.File) error {
	pprof.StopCPUProfile()
	err := errors.Join(cpu.Close(), writeNumbers(prefix+".after.txt"))
	runtime.GC()
	f, err2 := os.Create(prefix + ".heap.prof")
	if err2 != nil {
		return errors.Join(err, err2)
	}
	return errors.Join(err, pprof.WriteHeapProfile(f), f.Close())
}

// writeNumbers writes the runtime's own account of memory, collection and locks.
func writeNumbers(path string) error {
	var samples []metrics.Sample
	for _, d := range metrics.All() {
		if d.Kind == metrics.KindUint64 || d.Kind == metrics.KindFloat64 {
			samples = append(samples, metrics.Sample{Name: d.Name})
		}
	}
	metrics.Read(samples)
	var b strings.Builder
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			fmt.Fprintf(&b, "%s %d\n", s.Name, s.Value.Uint64())
		} else {
			fmt.Fprintf(&b, "%s %g\n", s.Name, s.Value.Float64())
		}
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}
