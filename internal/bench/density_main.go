package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/internal/bench/daemon"
	"github.com/openvbr/openvbr/internal/bench/kernel"
)

// fileLimit is what the daemons and the customers may open: a listener and a session for each of thousands of routers.
const fileLimit = 1 << 16

// density is `bench density` and `bench admin`: results of several runs of the program come together in one part of the page.
func density(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	var results []*Result
	var err error
	if o.from != "" {
		for path := range strings.SplitSeq(o.from, ",") {
			r, e := readResult(path)
			if err = errors.Join(err, e); e == nil {
				results = append(results, r)
			}
		}
	} else if r, e := measurePlace(ctx, o, stderr); r != nil && len(r.Runs) > 0 {
		err = errors.Join(e, r.write(o.json))
		results = append(results, r)
	} else {
		err = e
	}
	for _, r := range results {
		reportDensity(stdout, r)
	}
	if err == nil && o.docs != "" {
		begin, end := densityBegin, densityEnd
		if o.admin {
			begin, end = adminBegin, adminEnd
		}
		err = writePart(o.docs, begin, end, densityMarkdown(results))
	}
	return err
}

func measurePlace(ctx context.Context, o *options, log io.Writer) (*Result, error) {
	if o.admin {
		return measureAdmin(ctx, o, log)
	}
	return measureDensity(ctx, o, log)
}

// raiseFiles raises the limit of open files, for the processes that are started too, as far as it is needed and allowed.
func raiseFiles() error {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: fileLimit, Max: max(fileLimit, l.Max)}) == nil {
		return nil
	}
	l.Cur = min(fileLimit, l.Max)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	return nil
}

// measureDensity starts every daemon with every number of customers, the daemons in turns. On an error it returns what it has.
func measureDensity(ctx context.Context, o *options, log io.Writer) (*Result, error) {
	if err := raiseFiles(); err != nil {
		return nil, err
	}
	kinds, err := o.kinds()
	if err != nil {
		return nil, err
	}
	r, err := newResult(o, kinds)
	if err != nil {
		return nil, err
	}
	for _, n := range o.sizes {
		c := crowd{vrf: o.place == inVRFs, size: n, routes: o.routes, seed: o.seed}
		want := c.contents()
		for i := range o.repeat {
			for j := range kinds {
				if err := oneDensity(ctx, o, kinds[(i+j)%len(kinds)], c, want, i, r, log); err != nil {
					return r, err
				}
			}
		}
	}
	return r, nil
}

// oneDensity runs one cold start and says so.
func oneDensity(ctx context.Context, o *options, k daemon.Kind, c crowd, want []kernel.Content, i int, r *Result, log io.Writer) error {
	begin := time.Now()
	var env []string
	var h hook
	if o.profile != "" && k.Name == baseline {
		env, h = []string{fmt.Sprintf("BENCH_PROFILE=%s/density-%d-%d", o.profile, c.size, i+1), "BENCH_PROFILE_START=1"}, signalAndWait
	}
	out, err := runDensity(ctx, k, c, want, env, h, o.limit)
	if err != nil {
		return err
	}
	r.Runs = append(r.Runs, out)
	d := out.Density
	fmt.Fprintf(log, "%5d %-5s run %d: devices %s, last session %s, last route %s, CPU %.2f s, peak %.0f MiB (%.0f s)\n", c.size, k.Name, i+1,
		seconds(d.Devices), seconds(d.Sessions), seconds(d.Seconds), d.CPU, float64(d.Peak)/mib, time.Since(begin).Seconds())
	return nil
}
