package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/openvbr/openvbr/internal/bench/daemon"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var err error
	if len(os.Args) > 1 && os.Args[1] == customersMode {
		err = playCustomers(ctx, os.Args[2:], os.Stdin, os.Stdout)
	} else {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	admin                           bool   // `bench admin`
	place                           string // of `bench density` and `bench admin`, else empty
	vbrd, json, docs, from, profile string
	phase                           string // that profile is of
	limit                           time.Duration
	sizes                           []int
	routes                          int
	daemons                         []string
	repeat                          int
	seed                            uint64
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	mode := ""
	if len(args) > 0 && (args[0] == "density" || args[0] == "admin") {
		mode, args = args[0], args[1:]
	}
	o.admin = mode == "admin"
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.vbrd, "vbrd", "bin/vbrd", "vbrd's `binary`")
	f.StringVar(&o.docs, "docs", "", "`folder` with benchmarks.md, to be given the tables and curves; empty: none")
	f.StringVar(&o.profile, "profile", "", "`folder` for CPU and heap profiles of vbrd; -vbrd must be internal/bench/profiled")
	f.IntVar(&o.repeat, "runs", 3, "runs of each daemon at each size")
	f.Uint64Var(&o.seed, "seed", 1, "of the routing table")
	daemons := f.String("daemons", "vbrd,BIRD,FRR", "`which` to run")
	sizes := new(string)
	switch mode {
	case "density":
		f.StringVar(&o.place, "in", inVRFs, "vrf: each customer in a VRF of its own; default: all at one router in the default VRF")
		f.StringVar(&o.json, "json", "bin/density.json", "`file` for all numbers")
		f.StringVar(&o.from, "from", "", "measure nothing, report what these JSON `files` have")
		f.StringVar(sizes, "n", "100,500", "`numbers` of customers")
		f.IntVar(&o.routes, "routes", 100, "of each customer")
		f.DurationVar(&o.limit, "limit", coldLimit, "of a cold start: what takes longer ends the benchmark")
	case "admin":
		f.StringVar(&o.place, "in", inDefault, "default: Apply of one VBR, lists and explanations; vrf: Apply of many VBRs")
		f.StringVar(&o.json, "json", "bin/admin.json", "`file` for all numbers")
		f.StringVar(&o.from, "from", "", "measure nothing, report what these JSON `files` have")
		f.StringVar(sizes, "n", "", "`numbers` of routes of the one VBR (100000), or of VBRs (100,1000)")
		f.IntVar(&o.routes, "routes", 1, "of each of many VBRs")
	default:
		f.StringVar(&o.json, "json", "bin/bench.json", "`file` for all numbers")
		f.StringVar(&o.from, "from", "", "measure nothing, report what this JSON `file` has")
		f.StringVar(sizes, "n", "1000,10000,100000,500000", "table `sizes`")
		f.StringVar(&o.phase, "phase", "learn", "what -profile is of: learn, withdraw")
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	o.daemons = strings.Split(*daemons, ",")
	var err error
	if o.vbrd, err = filepath.Abs(o.vbrd); err != nil { // it is started in another folder
		return nil, err
	}
	return o, o.check(*sizes)
}

// check says what is wrong, and reads the sizes.
func (o *options) check(sizes string) error {
	if sizes == "" {
		sizes = map[string]string{inDefault: "100000", inVRFs: "100,1000"}[o.place]
	}
	if o.place == "" && o.phase != "learn" && o.phase != "withdraw" {
		return fmt.Errorf("-phase %s: legal: learn, withdraw", o.phase)
	}
	limit := 2_000_000
	switch o.place {
	case "":
	case inVRFs:
		limit = most
	case inDefault:
		if !o.admin {
			limit = mostShared
		}
	default:
		return fmt.Errorf("-in %s: legal: vrf, default", o.place)
	}
	for s := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > limit {
			return fmt.Errorf("-n %s: legal: 1..%d", s, limit)
		}
		o.sizes = append(o.sizes, n)
	}
	if o.repeat < 1 {
		return fmt.Errorf("-runs %d: legal: at least 1", o.repeat)
	}
	if o.place != "" && (o.routes < 1 || o.routes > 10_000) {
		return fmt.Errorf("-routes %d: legal: 1..10000", o.routes)
	}
	return nil
}

func (o *options) kinds() ([]daemon.Kind, error) {
	var out []daemon.Kind
	all := []daemon.Kind{daemon.VBRD(o.vbrd), daemon.BIRD(), daemon.FRR()}
	for _, name := range o.daemons {
		i := slices.IndexFunc(all, func(k daemon.Kind) bool { return strings.EqualFold(k.Name, name) })
		if i < 0 {
			return nil, fmt.Errorf("-daemons %s: legal: vbrd, BIRD, FRR", name)
		}
		out = append(out, all[i])
	}
	return out, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if o.place != "" {
		return density(ctx, o, stdout, stderr)
	}
	var r *Result
	if o.from != "" {
		r, err = readResult(o.from)
	} else {
		r, err = measure(ctx, o, stderr)
	}
	if r == nil || len(r.Runs) == 0 {
		return err
	}
	report(stdout, r)
	if o.from == "" {
		err = errors.Join(err, r.write(o.json))
	}
	if err == nil && o.docs != "" {
		err = writeDocs(o.docs, r)
	}
	return err
}

// newResult is an empty one of this machine, these options and these daemons.
func newResult(o *options, kinds []daemon.Kind) (*Result, error) {
	r := &Result{
		Time: time.Now().UTC().Truncate(time.Second), Machine: thisMachine(), Versions: map[string]string{},
		Admin: o.admin, Place: o.place, Routes: o.routes, Sizes: o.sizes, Repeat: o.repeat, Seed: o.seed,
	}
	for _, k := range kinds {
		v, err := k.Version()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k.Name, err)
		}
		r.Daemons = append(r.Daemons, k.Name)
		r.Versions[k.Name] = v
	}
	return r, nil
}

// measure runs every daemon at every size, the daemons in turns, so that whatever else the machine does meets them alike. On an error it
// returns what it has.
func measure(ctx context.Context, o *options, log io.Writer) (*Result, error) {
	kinds, err := o.kinds()
	if err != nil {
		return nil, err
	}
	r, err := newResult(o, kinds)
	if err != nil {
		return nil, err
	}
	for _, n := range o.sizes {
		l := newLoad(n, o.seed)
		rate, err := l.sourceRate()
		if err != nil {
			return r, err
		}
		fmt.Fprintf(log, "%d routes in %d attribute sets, %.1f MiB of UPDATEs; the source alone sends them in %v\n",
			n, len(l.table.Groups), float64(len(l.announce[single]))/mib, rate.Round(10*time.Microsecond))
		for i := range o.repeat {
			for j := range kinds {
				k := kinds[(i+j)%len(kinds)]
				if err := one(ctx, o, k, l, i, r, log); err != nil {
					return r, err
				}
			}
		}
	}
	return r, nil
}

// one runs one cycle and says so.
func one(ctx context.Context, o *options, k daemon.Kind, l *load, i int, r *Result, log io.Writer) error {
	begin := time.Now()
	var env []string
	var hooks map[string]hook
	if o.profile != "" && k.Name == "vbrd" {
		env = append(env, fmt.Sprintf("BENCH_PROFILE=%s/%d-%d", o.profile, l.table.Len(), i+1))
		hooks = map[string]hook{o.phase: signalAndWait}
	}
	out, err := runCycle(ctx, k, l, env, hooks)
	if err != nil {
		return err
	}
	r.Runs = append(r.Runs, out)
	fmt.Fprintf(log, "%7d %-5s run %d: learn %s withdraw %s drop %s failover %s, CPU %.2f s, peak %.0f MiB (%.0f s)\n", l.table.Len(), k.Name, i+1,
		seconds(out.Learn.Seconds), seconds(out.Withdraw.Seconds), seconds(out.Drop.Seconds), seconds(out.FailoverLast),
		out.Learn.CPU, float64(out.LearnPeak)/mib, time.Since(begin).Seconds())
	return nil
}

// signalAndWait gives the daemon time to start or write a profile.
func signalAndWait(d *daemon.Daemon, sig syscall.Signal) error {
	err := d.Signal(sig)
	time.Sleep(500 * time.Millisecond)
	return err
}
