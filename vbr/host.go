package vbr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openvbr/openvbr/fib"
	"github.com/openvbr/openvbr/vbr/events"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/link"
)

const (
	// adoptLimit is how long the backbone waits for slow routers before its peers are dialled.
	adoptLimit = 10 * time.Second
	// closeLimit is how long Run waits for its routers to end.
	closeLimit = 1500 * time.Millisecond
)

// Host runs the routers of one network namespace.
type Host struct {
	opts     Options
	log      *slog.Logger
	fib      *fib.FIB
	links    *link.Manager
	ids      *ids
	backbone *backbone
	mates    mates
	unswept  atomic.Int32 // routers that still hold what they adopted
	events   *events.Log
	drains   *drains
	monitor  *monitor
	drills   *drills
	shots    shots
	captures captures
	vbrs     lifecycles
	watchers watchers
	carriers carriers
	carrier  func(device string) (bool, error) // whether a device has one now
	started  time.Time
	partial  bool  // what is not wanted stays, see Options.Partial; set before anything runs
	unpruned error // why a predecessor's devices were not removed at the start

	applying applying
	running  context.Context // of Run; set once it serves, guarded by mu
	serving  chan struct{}   // closed then
	settled  chan struct{}   // see Settled
	pulses   pulses
	timings  timings
	wg       sync.WaitGroup // the goroutines of Run

	mu      sync.Mutex
	routers map[string]*router // by name; guarded by mu
	sorted  []*router          // the same, by name; never changed in place
}

// NewHost opens the kernel for a host. It belongs to the calling thread's network namespace.
func NewHost(opts Options) (*Host, error) {
	h := &Host{
		opts: opts, log: opts.Log, routers: make(map[string]*router),
		events: events.NewLog(eventCapacity), drains: loadDrains(opts.StateDir, opts.Log), started: time.Now(),
		serving: make(chan struct{}), settled: make(chan struct{}),
	}
	h.events.SetJournal(opts.Log)
	h.applying.turn, h.applying.leaving = make(chan struct{}, 1), make(map[string]<-chan struct{})
	var err error
	if h.ids, err = loadIDs(opts.StateDir, opts.TableBase); err != nil {
		return nil, err
	}
	if h.links, err = link.New(opts.Log); err != nil {
		return nil, err
	}
	if h.fib, err = fib.Open(fib.Config{Protocol: fib.Protocol, Metric: fib.Metric, KeepCompatMode: opts.KeepCompatMode, Log: opts.Log}); err != nil {
		h.links.Close()
		return nil, err
	}
	h.carrier = h.links.Carrier
	h.backbone = newBackbone(h)
	h.monitor = newMonitor(h)
	h.drills = loadDrills(h)
	return h, nil
}

// router returns the router of that name, nil if there is none.
func (h *Host) router(name string) *router {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.routers[name]
}

// allRouters are the routers by name, those included that cannot be served. The slice is not to be changed.
func (h *Host) allRouters() []*router {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sorted
}

// keepRouter makes the router known under its name.
func (h *Host) keepRouter(r *router) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.routers[r.name] = r
	h.sortRouters()
}

// dropRouter makes the router unknown.
func (h *Host) dropRouter(r *router) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.routers[r.name] == r {
		delete(h.routers, r.name)
		h.sortRouters()
	}
}

func (h *Host) sortRouters() {
	h.sorted = slices.SortedFunc(maps.Values(h.routers), func(a, b *router) int { return strings.Compare(a.name, b.name) })
}

// isRunning says whether Run serves.
func (h *Host) isRunning() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running != nil && h.running.Err() == nil
}

// stopped is closed when Run ends; it has served then.
func (h *Host) stopped() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running.Done()
}

// Close gives up the kernel's sockets; what is installed stays.
func (h *Host) Close() error {
	h.links.Close()
	return h.fib.Close()
}

// Cleanup removes all that vbrd owns in this network namespace, and nothing else, and forgets the ids it gave.
func (h *Host) Cleanup(ctx context.Context) error {
	devices, err := h.links.Cleanup()
	routes, err2 := h.fib.Cleanup(ctx)
	err3 := errors.Join(h.ids.keep(func(string) bool { return false }), h.drains.keep(func(string) bool { return false }), h.monitor.keep(func(string) bool { return false }))
	h.log.Info("cleaned up", "devices", devices, "routes", routes)
	return errors.Join(err, err2, err3)
}

// Run serves the intent until ctx is done, and leaves the kernel's state in place. An error means that
// nothing was begun. It is called once.
func (h *Host) Run(ctx context.Context, in *intent.Intent) error {
	specs, err := h.prepare(in)
	if err != nil {
		return err
	}
	held := 0
	for _, s := range specs {
		r := newRouter(h, s)
		r.degrade("old devices", h.unpruned) // inspect tries it again
		h.keepRouter(r)
		n, err := r.fib.Adopt(ctx)
		if err != nil {
			return fmt.Errorf("vbr: read table %d: %w", s.link.Table, err)
		}
		held += n
	}
	h.unswept.Store(int32(len(specs)))
	if err := h.startBackbone(ctx, held > 0); err != nil {
		return err
	}
	h.runBFD(ctx)
	for _, r := range h.allRouters() {
		if r.unserved {
			continue
		}
		run, cancel := context.WithCancel(ctx)
		r.cancel = cancel
		h.wg.Go(func() {
			defer cancel()
			r.run(run)
		})
	}
	if len(specs) == 0 { // nobody will say swept
		h.wg.Go(func() { h.collect(ctx) })
	}
	h.wg.Go(func() { h.watch(ctx) })
	h.wg.Go(func() { h.tick(ctx) })
	h.wg.Go(func() { h.watchCarriers(ctx) })
	h.wg.Go(func() { h.monitor.run(ctx) })
	h.wg.Go(func() { h.runPlans(ctx) })
	h.mu.Lock()
	h.running = ctx
	h.mu.Unlock()
	close(h.serving)
	h.wg.Go(func() { h.awaitRouters(ctx.Done()) })
	h.dialBackbone(ctx)
	<-ctx.Done()
	return h.stop()
}

// prepare checks that the kernel can do what the intent asks and removes what belongs to routers that are no longer wanted.
func (h *Host) prepare(in *intent.Intent) ([]*spec, error) {
	if err := h.Supports(in); err != nil {
		return nil, err
	}
	h.partial = h.opts.Partial != nil && h.opts.Partial()
	if err := h.removeOrphans(in); err != nil {
		return nil, err
	}
	specs, refused := newSpecs(in, h.opts, h.ids)
	for name, err := range refused {
		h.refuse(in.Router(name), err)
	}
	h.restOthers(in)
	h.want(in)
	h.drills.group(in)
	h.backbone.want(h.targets(specs, nil))
	var lines []link.Line
	var routers []link.Router
	for _, s := range specs {
		lines, routers = append(lines, s.link.Lines...), append(routers, s.link)
	}
	if !h.partial {
		h.unpruned = h.links.PruneAll(routers)
		h.warn("devices that are no longer wanted not removed yet", h.unpruned)
		h.warn("addresses of lines that are no longer wanted not removed", h.links.RemoveStrayAddrs(lines))
	}
	if err := h.links.EnsureHost(); err != nil {
		h.log.Warn("host settings not made; set them by sysctl.d", "err", err)
	}
	return specs, nil
}

// removeOrphans deletes devices and routes of routers that a predecessor ran and the intent no longer names.
func (h *Host) removeOrphans(in *intent.Intent) error {
	if h.partial {
		h.log.Warn("resources may be missing: nothing that was here before is removed until the next start")
		return nil
	}
	wanted := func(name string) bool {
		if in.Router(name) != nil {
			return true
		}
		for _, ri := range in.RouterInterfaces {
			if ri.Name == name {
				return true
			}
		}
		return false
	}
	for name, id := range h.ids.Tables {
		if wanted(name) {
			continue
		}
		if err := h.clear(context.Background(), id, link.Router{Name: name, Table: id}); err != nil {
			return err
		}
	}
	return errors.Join(h.clearResting(in), h.ids.keep(wanted), h.drains.keep(wanted), h.monitor.keep(wanted))
}

// wait looks until done, the limit or the end of ctx, and returns whether it is done.
func (h *Host) wait(ctx context.Context, limit time.Duration, done func() bool) bool {
	const pause = 20 * time.Millisecond
	for end := time.Now().Add(limit); ; {
		if done() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
}

// watch pokes the routers when the kernel says that something changed under them.
func (h *Host) watch(ctx context.Context) {
	for ctx.Err() == nil {
		err := h.fib.Watch(ctx, h.hint)
		if ctx.Err() != nil {
			return
		}
		h.log.Error("kernel notifications lost; looking at everything", "err", err)
		h.hint(fib.Hint{Resync: true})
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// hint passes one on to the routers it concerns.
func (h *Host) hint(hint fib.Hint) {
	for _, r := range h.allRouters() {
		if hint.Down {
			r.deviceDown(hint.Device)
		}
		if hint.Resync || hint.Device != 0 && r.uses(hint.Device, hint.Up) || hint.Table == r.fib.ID() || slices.Contains(hint.Tables, r.fib.ID()) {
			poke(r.look)
		}
	}
}

// swept is called once by each router that has swept its routes. After the last one nobody needs what a predecessor left.
func (h *Host) swept(ctx context.Context) {
	if h.unswept.Add(-1) == 0 {
		h.collect(ctx)
	}
}

// collect removes nexthop objects that no route uses: a predecessor's, and those that we do not know to have.
func (h *Host) collect(ctx context.Context) {
	n, err := h.fib.Collect(ctx)
	if err != nil {
		h.log.Warn("unused nexthop objects not removed", "err", err)
	} else if n > 0 {
		h.log.Info("removed unused nexthop objects", "objects", n)
	}
}

func (h *Host) tick(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	defer h.pulses.clock.rest()
	for {
		h.pulses.clock.beat()
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			h.backbone.expireStale(now)
			if h.fib.Strays() && !h.Adopting() {
				h.collect(ctx)
			}
		}
	}
}

// stop waits for the routers to end. Sessions end without a word, so that graceful restart holds them.
func (h *Host) stop() error {
	done := make(chan struct{})
	go func() {
		h.applying.turn <- struct{}{} // and keep it: nothing is handed out any more
		h.wg.Wait()
		if h.backbone.speaker != nil {
			if err := h.backbone.speaker.Close(false); err != nil {
				h.log.Warn("the backbone speaker is slow to end", "err", err)
			}
		}
		h.stopBFD()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(closeLimit):
		h.log.Warn("not waiting any longer for routers that are slow to end")
		return nil
	}
}
