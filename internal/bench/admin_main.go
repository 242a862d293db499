package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/openvbr/openvbr/internal/bench/daemon"
)

// measureAdmin runs `bench admin`. On an error it returns what it has.
func measureAdmin(ctx context.Context, o *options, log io.Writer) (*Result, error) {
	if err := raiseFiles(); err != nil {
		return nil, err
	}
	kind := daemon.Managed(o.vbrd)
	r, err := newResult(o, []daemon.Kind{kind})
	if err != nil {
		return nil, err
	}
	for _, n := range o.sizes {
		for i := range o.repeat {
			begin := time.Now()
			out, err := oneAdmin(ctx, o, kind, n, i, log)
			if err != nil {
				return r, err
			}
			r.Runs = append(r.Runs, out)
			fmt.Fprintf(log, "%7d run %d (%.0f s):", n, i+1, time.Since(begin).Seconds())
			for _, m := range r.metrics() {
				fmt.Fprintf(log, " %s %s,", m.key, formatter(m)(m.of(&out)))
			}
			fmt.Fprintln(log)
		}
	}
	return r, nil
}

// oneAdmin is one run in the place of the options.
func oneAdmin(ctx context.Context, o *options, kind daemon.Kind, n, i int, log io.Writer) (Run, error) {
	var env []string
	var h hook
	if o.profile != "" {
		env, h = []string{fmt.Sprintf("BENCH_PROFILE=%s/admin-%d-%d", o.profile, n, i+1)}, signalAndWait
	}
	if o.place == inDefault {
		return runSolo(ctx, kind, newLoad(n, o.seed), env, h)
	}
	return runMany(ctx, kind, crowd{vrf: true, size: n, routes: o.routes, seed: o.seed}, env, h, log)
}
