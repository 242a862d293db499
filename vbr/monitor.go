package vbr

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openvbr/openvbr/vbr/probe"
)

const (
	// lookEvery is how often the monitor looks at what there is to watch over.
	lookEvery = time.Second
	// readEvery is how often devices' counters are read.
	readEvery = 10 * time.Second
	// keepEvery is how often what was measured is written to files.
	keepEvery = 5 * time.Minute
	// readPause: counters that were read just now are not read again.
	readPause = 50 * time.Millisecond
)

// The kinds of probes, by the first part of their id.
const (
	routerProbe    = "router"    // a VBR's health check
	interfaceProbe = "interface" // a router interface's
	linkProbe      = "link"      // between the two ends of a pair
	drillProbe     = "drill"     // of a failover test
)

// monitor watches over a host's router interfaces: health checks, quality, usage. One goroutine of its own and its prober's run as long as the
// host does. A nil one watches over nothing.
type monitor struct {
	host   *Host
	log    *slog.Logger
	prober *probe.Prober
	boot   string        // which boot, and network namespace
	again  chan struct{} // a check changed its status; capacity 1

	set     []probe.Check // owned by the goroutine, as the next: what the prober has
	setErr  string
	gone    []*check   // whose effects are to be taken back
	reading sync.Mutex // held while counters are read and files written; before mu
	readAt  time.Time

	mu       sync.Mutex              // a leaf: no other lock is taken under it
	checks   map[string]*check       // by id
	measured map[string]*measured    // by router interface
	metered  map[string]*metered     // by router interface
	tests    map[string]*measurement // of failover tests, by id
}

func newMonitor(h *Host) *monitor {
	m := &monitor{
		host: h, log: h.log, boot: bootID(), again: make(chan struct{}, 1), checks: make(map[string]*check),
		measured: make(map[string]*measured), metered: make(map[string]*metered), tests: make(map[string]*measurement),
	}
	m.prober = probe.New(m, h.log)
	return m
}

// bootID tells boots and network namespaces apart, as usage.Reading wants it.
func bootID() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // without it devices look like those of another boot with the same number
	namespace, _ := os.Readlink("/proc/thread-self/ns/net")
	return strings.TrimSpace(string(boot)) + " " + namespace
}

// run watches until ctx ends, and then writes what was measured to files.
func (m *monitor) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { _ = m.prober.Run(ctx) }) // it returns nil
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	read, kept := time.Time{}, time.Now()
	defer m.host.pulses.monitor.rest()
	for {
		m.host.pulses.monitor.beat()
		m.host.reportHung(actorLimit)
		now := time.Now()
		m.watch(now)
		if now.Sub(read) >= readEvery {
			read = now
			m.read()
		}
		if now.Sub(kept) >= keepEvery {
			kept = now
			m.save()
		}
		select {
		case <-ctx.Done():
			m.read()
			m.save()
			return
		case <-m.again:
		case <-tick.C:
		}
	}
}

// watch brings what is probed and what follows from it to where the routers have it.
func (m *monitor) watch(now time.Time) {
	var views []view
	wanted := make(map[string]*check)
	for _, r := range m.host.allRouters() {
		vs, own := r.views()
		views = append(views, vs...)
		r.pinAll()
		if own != nil {
			c := newCheck(routerProbe, r, r.name, *own)
			wanted[c.id] = c
		}
		for i := range vs {
			if h := vs[i].ri.health; h != nil && vs[i].probed() {
				c := newCheck(interfaceProbe, r, vs[i].ri.name, *h)
				wanted[c.id] = c
			}
		}
	}
	m.adopt(views)
	set := m.arrangeChecks(wanted)
	for i := range views {
		if c, ok := views[i].linkCheck(); ok {
			set = append(set, c)
		}
	}
	m.probe(append(set, m.testChecks()...))
	m.heed(now)
	m.noteStates(now, views)
}

// probed says whether probes through the router interface can tell something: it is in service, or was meant to be.
func (v *view) probed() bool { return v.state.flows() || v.state == riActivating }

// probe has the prober run these checks.
func (m *monitor) probe(set []probe.Check) {
	slices.SortFunc(set, func(a, b probe.Check) int { return strings.Compare(a.ID, b.ID) })
	if slices.Equal(set, m.set) {
		return
	}
	m.set = set
	text := ""
	if err := m.prober.Set(set); err != nil {
		text = err.Error()
	}
	if text != m.setErr && text != "" {
		m.log.Error("not every probe can run", "err", text)
	}
	m.setErr = text
}

// Result takes in what became of a probe (probe.Handler).
func (m *monitor) Result(id string, r probe.Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kind, name, _ := strings.Cut(id, "/")
	switch kind {
	case routerProbe, interfaceProbe:
		c := m.checks[id]
		if c == nil {
			return
		}
		if c.observe(r) {
			poke(m.again)
		}
		if x := m.measured[name]; x != nil && kind == interfaceProbe && !x.paired {
			x.probe(r)
		}
	case linkProbe:
		if x := m.measured[name]; x != nil {
			x.probe(r)
		}
	case drillProbe:
		if x := m.tests[id]; x != nil {
			x.observe(r)
		}
	}
}

// keep forgets the router interfaces that are no longer wanted, and removes their files.
func (m *monitor) keep(wanted func(name string) bool) error {
	if m == nil {
		return nil
	}
	m.reading.Lock()
	defer m.reading.Unlock()
	m.mu.Lock()
	current := make(map[string]bool)
	for name, x := range m.metered {
		if !wanted(name) {
			m.log.Info("usage of a router interface that is no longer wanted", "router_interface", name, "carried", x.total())
			delete(m.metered, name)
			delete(m.measured, name)
			continue
		}
		current[fileName(name, x.owner)] = true
	}
	m.mu.Unlock()
	return errors.Join(m.pruneFiles(qualityDir, wanted, current), m.pruneFiles(usageDir, wanted, current))
}
