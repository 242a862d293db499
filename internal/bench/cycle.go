package main

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/openvbr/openvbr/internal/bench/daemon"
	"github.com/openvbr/openvbr/internal/bench/feed"
	"github.com/openvbr/openvbr/internal/bench/kernel"
)

const (
	// samples is how many prefixes the observer looks up before it looks at the whole table.
	samples = 256
	// probes is how many prefixes get probe packets at failover, the last one among them.
	probes = 64
	// checked is how many prefixes are looked up after failover to see that all have moved.
	checked = 5000
	// prepended is by how many ASes the backup's path is longer than the preferred one's.
	prepended  = 2
	phaseLimit = 5 * time.Minute
)

// bytes of one table, encoded once for all daemons and runs.
type load struct {
	table    *feed.Table
	prefixes []netip.Prefix
	samples  []netip.Prefix
	announce [peers][]byte
	withdraw []byte
}

func newLoad(n int, seed uint64) *load {
	t := feed.New(n, seed)
	l := &load{table: t, prefixes: t.Prefixes(), samples: t.Probes(samples), withdraw: t.Withdrawals()}
	for i := range peers {
		prepend := 0
		if i == backup {
			prepend = prepended
		}
		l.announce[i] = t.Updates(asn(i), remote(i), prepend)
	}
	return l
}

// cycle is one daemon's run from its start to its end with one table.
type cycle struct {
	ctx   context.Context
	site  *site
	load  *load
	out   *Run
	hooks map[string]hook // by phase: learn, withdraw
}

// hook is told when a phase begins and ends, for profiles.
type hook func(d *daemon.Daemon, sig syscall.Signal) error

// runCycle runs all phases. Every phase starts and ends with a daemon at rest.
func runCycle(ctx context.Context, kind daemon.Kind, l *load, env []string, hooks map[string]hook) (Run, error) {
	out := Run{Daemon: kind.Name, N: l.table.Len()}
	begin, err := newSite(ctx, kind, env)
	if err != nil {
		return out, err
	}
	c := &cycle{ctx: ctx, site: begin, load: l, out: &out, hooks: hooks}
	for _, phase := range []struct {
		name string
		do   func() error
	}{
		{"learn", c.learn}, {"withdraw", c.withdraw}, {"learn again", c.learnAgain}, {"session drop", c.drop},
		{"two peers", c.two}, {"failover", c.failover}, {"end", c.end},
	} {
		if err = phase.do(); err != nil {
			err = fmt.Errorf("%s, %d routes: %s: %w\n%s", kind.Name, out.N, phase.name, err, begin.daemon.Log())
			break
		}
	}
	if e := begin.close(); err == nil {
		err = e
	}
	return out, err
}

// phase does act, waits until the kernel holds want routes and the daemon has come to rest, and says what that took. act returns when it began.
func (c *cycle) phase(want int, act func() (time.Time, error)) (Phase, error) {
	ctx, stop := context.WithTimeout(c.ctx, phaseLimit)
	defer stop()
	before, err := c.site.daemon.Cost()
	if err != nil {
		return Phase{}, err
	}
	type acted struct {
		at, done time.Time
		err      error
	}
	began := make(chan acted, 1)
	go func() { // the receive below waits for it
		at, err := act()
		began <- acted{at, time.Now(), err}
	}()
	ctx, end := c.site.daemon.While(ctx)
	defer end()
	seen, err := c.site.observer.Wait(ctx, want, c.load.samples)
	if err != nil {
		return Phase{}, fmt.Errorf("%w: %w", err, c.site.alive())
	}
	a := <-began
	if a.err != nil {
		return Phase{}, a.err
	}
	after, err := c.site.daemon.Quiet(ctx)
	if err != nil {
		return Phase{}, err
	}
	return Phase{
		Seconds: seen.At.Sub(a.at).Seconds(), Error: seen.Error.Seconds(), SourceDone: a.done.Sub(a.at).Seconds(), Looks: seen.Looks,
		LooksSpent: seen.Spent.Seconds(), CPU: (after.CPU - before.CPU).Seconds(),
	}, c.confirm(want)
}

// confirm dumps the table.
func (c *cycle) confirm(want int) error {
	if want == 0 {
		return c.site.observer.Confirm(nil)
	}
	return c.site.observer.Confirm(c.load.prefixes)
}

func (c *cycle) send(peer int, b []byte) func() (time.Time, error) {
	return func() (time.Time, error) {
		at := time.Now()
		return at, c.site.sessions[peer].Send(b)
	}
}

func (c *cycle) hangUp(peer int) func() (time.Time, error) {
	return func() (time.Time, error) {
		at := time.Now()
		c.site.sessions[peer].Close()
		return at, nil
	}
}

func (c *cycle) learn() error {
	err := c.profiled("learn", func() (err error) {
		c.out.Learn, err = c.phase(c.out.N, c.send(single, c.load.announce[single]))
		return err
	})
	if err != nil {
		return err
	}
	cost, err := c.site.daemon.Cost()
	c.out.LearnRSS, c.out.LearnPeak = cost.RSS, cost.Peak
	return err
}

func (c *cycle) withdraw() error {
	return c.profiled("withdraw", func() (err error) {
		c.out.Withdraw, err = c.phase(0, c.send(single, c.load.withdraw))
		return err
	})
}

// profiled does a phase, with a profile of it if there is a hook for that phase.
func (c *cycle) profiled(phase string, do func() error) error {
	h := c.hooks[phase]
	if h == nil {
		return do()
	}
	if err := h(c.site.daemon, syscall.SIGUSR1); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return h(c.site.daemon, syscall.SIGUSR2)
}

func (c *cycle) learnAgain() (err error) {
	c.out.LearnAgain, err = c.phase(c.out.N, c.send(single, c.load.announce[single]))
	return err
}

func (c *cycle) drop() (err error) {
	c.out.Drop, err = c.phase(0, c.hangUp(single))
	return err
}

// two has the preferred and then the backup peer announce the table.
func (c *cycle) two() error {
	if _, err := c.phase(c.out.N, c.send(preferred, c.load.announce[preferred])); err != nil {
		return err
	}
	_, err := c.phase(c.out.N, c.send(backup, c.load.announce[backup]))
	if err == nil {
		err = c.leadsTo(preferred)
	}
	return err
}

// leadsTo says whether the kernel sends packets to the prefixes to that peer.
func (c *cycle) leadsTo(peer int) error {
	n, err := c.site.observer.Elsewhere(c.load.table.Probes(checked), c.site.egress[peer])
	if err == nil && n > 0 {
		err = fmt.Errorf("%d prefixes do not lead to peer %d", n, peer)
	}
	return err
}

// failover closes the preferred peer's connection.
func (c *cycle) failover() error {
	ctx, stop := context.WithTimeout(c.ctx, phaseLimit)
	defer stop()
	ctx, end := c.site.daemon.While(ctx)
	defer end()
	targets := c.load.table.Probes(probes)
	prober, err := kernel.NewProber(c.site.dut, c.site.src, c.site.ingress[backup], targets)
	if err != nil {
		return err
	}
	defer func() { _ = prober.Close() }()
	before, err := c.site.daemon.Cost()
	if err != nil {
		return err
	}
	took, err := prober.Run(ctx, func() time.Time {
		at, _ := c.hangUp(preferred)()
		return at
	})
	if err != nil {
		return fmt.Errorf("%w: %w", err, c.site.alive(backup))
	}
	c.out.FailoverLast = took[len(took)-1].Seconds()
	for _, t := range took {
		c.out.FailoverAll = max(c.out.FailoverAll, t.Seconds())
	}
	after, err := c.site.daemon.Quiet(ctx)
	if err != nil {
		return err
	}
	c.out.FailoverCPU = (after.CPU - before.CPU).Seconds()
	if err := c.confirm(c.out.N); err != nil {
		return err
	}
	return c.leadsTo(backup)
}

// end reads what the whole cycle cost and empties the table, so that the namespace's end is quick.
func (c *cycle) end() error {
	cost, err := c.site.daemon.Cost()
	if err != nil {
		return err
	}
	c.out.CPU, c.out.Peak = cost.CPU.Seconds(), cost.Peak
	_, err = c.phase(0, c.hangUp(backup))
	return err
}
