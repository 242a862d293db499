package vbr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/fib"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/link"
	"github.com/openvbr/openvbr/vbr/rib"
)

const (
	// retryLimit is the longest pause between two attempts to bring a router up.
	retryLimit = 30 * time.Second
)

// router is the actor of one router. It lives from Host.Run to the end of its context, in one or more lives: a
// life ends when the devices under it were made anew, and the next one adopts what the kernel still holds.
type router struct {
	name string
	host *Host
	log  *slog.Logger
	fib  *fib.Table // of an unserved router: one that stays empty
	// unserved: its resources could not be translated, its spec has but name and owner, and it has no actor.
	unserved bool

	wake  chan struct{} // the rib has changes; capacity 1
	look  chan struct{} // devices or routes may differ from what we think; capacity 1
	news  chan struct{} // there is another spec to become, see give; capacity 1
	ready chan struct{} // closed when what was adopted has been announced, or the router failed to
	tried chan struct{} // closed when the first life serves, or has failed to
	ended chan struct{} // closed when the actor has ended and left nothing running

	// spec is never changed in place. The actor replaces it while it holds mu, together with what goes by position in
	// it; all others read it under mu.
	spec     *spec
	mu       sync.Mutex
	speaker  speaker                 // of this life; nil between lives
	state    link.State              // what Ensure last found, by position in spec.link
	rib      *rib.Table              // guarded by mu, as all below
	sessions map[netip.Addr]*session // by peer address
	lines    []rib.SourceID          // the connected subnets, by position in spec.lines
	system   []rib.SourceID          // a VRouter's own routes: its CIDR blocks, then its vSwitches by position
	networks []*network              // what the customer is told instead of routes; for the actor, and under mu to change
	statics  map[string]*statics     // the custom routes, by where they leave
	vpc      []*vpcSide              // by position in spec.ris
	// interfaces are the states of the router interfaces, over all lives; unsettled: they may not be what the facts have them be.
	interfaces map[string]*riRecord
	unsettled  bool
	vpcDone    bool                 // the backbone has said all it has since we started
	adopted    map[int]rib.SourceID // what a predecessor left, by device, until swept
	held       bgp.Families         // of which adopted had routes when this life began
	owed       bool                 // adopted has routes of the customer's
	caught     bool                 // the customer has said all it has in this life, and the neighbours were told of it
	swept      bool                 // adopted has been swept in this life
	sweepAt    time.Time            // when adopted goes at the latest
	devices    map[int]bool         // interface indexes of this life; nil between lives and while one begins
	cut        map[int]link.Line    // lines that are said to be down, by device, until the actor looks
	newest     int                  // the newest device that was looked at because something is wrong with the devices
	waiting    bool                 // between two lives
	reasons    map[string]string    // why the router is degraded
	next       *spec                // what the router is to become; nil when that is spec
	takers     []chan struct{}      // closed when next has been taken
	leaving    bool                 // the router is no longer wanted: it says goodbye when its context ends
	out        bool                 // a failover test has taken the router out of service

	records     records              // for those who look at it
	pulse       pulse                // of the actor
	stirred     atomic.Int64         // when the first came of what the next flush takes in, nanoseconds since 1970; 0 for nothing
	unsaidCount atomic.Int64         // the size of unsaid, for those who look
	bfd         inbox                // what BFD says of the peers
	exporter    exporter             // the ways in which the customer's peers are told
	parting     map[string]*riRecord // router interfaces of which something may be left; the actor's
	installer                        // owned by the actor's goroutine, as these are
	listening   []netip.Addr         // what the speaker of this life listens on
	peers       []netip.Addr         // whom it was last told to have sessions with
	reported    *spec                // the last that was said to be about to come
	linesSaid   map[string]bool      // which lines were last said to be up, by device

	cancel                       context.CancelFunc
	sayReady, sayTried, saySwept sync.Once
}

func newRouter(h *Host, s *spec) *router {
	r := &router{
		name: s.name, spec: s, host: h, log: h.log.With("router", s.name), fib: h.fib.Table(s.link.Table),
		wake: make(chan struct{}, 1), look: make(chan struct{}, 1), news: make(chan struct{}, 1),
		ready: make(chan struct{}), tried: make(chan struct{}), ended: make(chan struct{}),
		rib: rib.New(s.rules), reasons: make(map[string]string), installer: newInstaller(), bfd: newInbox(), cut: make(map[int]link.Line), parting: make(map[string]*riRecord),
	}
	r.rib.SetNow(time.Now())
	r.records.drained.Store(h.drains.has(s.name))
	r.noteState()
	return r
}

// poke asks for attention without blocking; several pokes may become one.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// run is the actor. It returns when ctx is done and the router's goroutines are gone; the kernel keeps the router's state.
func (r *router) run(ctx context.Context) {
	defer r.end()
	defer r.pulse.rest()
	defer r.watching(ctx)()
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = retryLimit * 2 / 3 // which is drawn from half of it to one and a half
	for ctx.Err() == nil {
		r.pulse.beat()
		r.takeBetweenLives()
		began := time.Now()
		err := r.live(ctx)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errChanged) {
			continue
		}
		r.setTried()
		if time.Since(began) > time.Minute {
			pause.Reset()
		}
		r.degrade("life", err)
		r.setWaiting(true)
		r.pulse.rest()
		select {
		case <-ctx.Done():
		case <-r.look: // something changed: try at once
		case <-r.news:
		case <-time.After(pause.NextBackOff()):
		}
		r.setWaiting(false)
	}
}

func (r *router) isReady() bool { return isClosed(r.ready) }

// isClosed says whether a channel that nobody sends to is closed.
func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func (r *router) setReady() { r.sayReady.Do(func() { close(r.ready) }) }
func (r *router) setTried() { r.sayTried.Do(func() { close(r.tried) }) }

var (
	// errDevicesMoved ends a life: a device was deleted and made again that sockets are bound to.
	errDevicesMoved = errors.New("devices were made anew")
	// errChanged ends a life: the router is to become something that this one cannot.
	errChanged = errors.New("the router changes")
)

// end ends the actor. What neighbours were told stands, unless the router is no longer wanted.
func (r *router) end() {
	if r.isLeaving() {
		r.partWith(r.spec.ris)
		r.saySwept.Do(func() { r.host.swept(context.Background()) })
		r.host.watchOver(r, nil)
	}
	r.taken(nil)
	r.setReady()
	r.setTried()
	close(r.ended)
}

func (r *router) isDegraded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.reasons) > 0
}

func (r *router) isLeaving() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leaving
}

// live is one life: devices, adoption, sessions, and then the loop until something fundamental changes.
func (r *router) live(ctx context.Context) error {
	state, err := r.host.ensure(r.spec.link)
	if err != nil && !r.spec.usable(state) {
		return err
	}
	r.degrade("devices", err)
	r.degrade("router interfaces", r.spec.left)
	if err := r.begin(ctx, state); err != nil {
		return err
	}
	defer r.endLife()
	r.lookIfDown(state)
	r.host.backbone.attach(r, r.vpc...)
	defer func() { r.host.backbone.detach(r, r.vpc...) }()
	r.settleInterfaces()
	speaker, err := r.startSpeaker(ctx, state)
	if err != nil {
		return fmt.Errorf("start the BGP speaker: %w", err)
	}
	defer r.closeSpeaker(speaker)
	r.mu.Lock()
	r.speaker = speaker
	r.mu.Unlock()
	r.retell(speaker)
	r.flush(ctx, speaker) // what was adopted goes out before any peer comes
	r.settleInterfaces()
	r.setReady()
	peers := r.peersNow(r.spec)
	r.handed(peers)
	if err := speaker.SetPeers(peers); err != nil {
		return fmt.Errorf("set BGP peers: %w", err)
	}
	r.degrade("life", nil)
	r.host.vbrRuns(r.name)
	r.setTried()
	return r.loop(ctx, speaker)
}

// usable says whether a router can live on what there is: its VRF and, of a VBR, at least one line.
func (s *spec) usable(state link.State) bool {
	if s.kind == intent.VRouter {
		return state.VRF.Index != 0
	}
	for _, l := range state.Lines {
		if l.Index != 0 {
			return true
		}
	}
	return false
}

// loop serves the router until ctx ends or the devices move.
func (r *router) loop(ctx context.Context, speaker speaker) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	later := time.NewTimer(time.Hour)
	defer later.Stop()
	audited := time.Now()
	for {
		r.pulse.beat()
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-later.C:
		case <-r.look:
			audited = time.Now()
			if err := r.inspect(ctx, speaker); err != nil {
				return err
			}
		case <-r.news:
			if err := r.change(ctx, speaker); err != nil {
				return err
			}
		case now := <-tick.C:
			if now.Sub(audited) >= r.host.opts.Timers.Audit {
				poke(r.look)
			}
			r.expireStale(now)
			r.obeyAll(now)
			r.logCounts(now)
			r.watchQuotas(ctx, speaker, now)
		}
		r.takeCuts()
		r.takeTurn(speaker)
		r.settleInterfaces()
		due := r.dueToTell(time.Now())
		r.flush(ctx, speaker)
		r.admit(speaker)
		r.tell(ctx, speaker, due)
		r.settleInterfaces() // what was shut is clean now
		r.noteLines()
		r.endTelling()
		r.sweepIfDue(ctx, speaker)
		if pause, waiting := r.deferred(); waiting {
			later.Reset(pause)
		}
	}
}

// inspect compares devices and routes with what they should be, and mends.
func (r *router) inspect(ctx context.Context, speaker speaker) error {
	defer r.host.timings.reconcile.since(time.Now())
	if r.takeCuts() {
		r.flush(ctx, speaker)
	}
	now, err := r.host.ensure(r.spec.link)
	r.degrade("devices", err)
	if r.outgrown(r.spec, now) {
		return errDevicesMoved
	}
	remade := moved(r.state, now)
	r.mu.Lock()
	r.arrange(r.spec, now)
	r.mu.Unlock()
	if remade {
		r.log.Info("lines or tunnels were made anew")
		r.flush(ctx, speaker)
	}
	if r.ails("old devices") {
		r.pruneAgain(r.spec.link)
	}
	if r.ails("peers") {
		r.setPeers(speaker, r.peersNow(r.spec))
	}
	drift, err := r.fib.Audit(ctx)
	r.degrade("audit", err)
	r.reportDrift(drift)
	r.retryRefused()
	r.teachAgain()
	return nil
}

// outgrown says whether this life cannot go on with these devices: sockets are bound to a VRF that is gone, or do not
// listen on an address of a line.
func (r *router) outgrown(s *spec, now link.State) bool {
	if now.VRF.Index != r.state.VRF.Index || len(now.Lines) != len(s.lines) || len(now.Tunnels) != len(s.link.Tunnels) ||
		len(now.Pairs) != len(s.link.Pairs) || len(now.Switches) != len(s.switches) {
		return true
	}
	for _, a := range listenOn(s, now) {
		if !slices.Contains(r.listening, a) {
			return true
		}
	}
	return false
}

// uses says whether a change of this device, which is up now or not, concerns the router. Between lives any change may be what it waits for; while
// a life begins, devices come up by its own doing and that of others, but none should go.
func (r *router) uses(device int, up bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if up && device > r.newest && r.reasons["devices"] != "" {
		r.newest = device // it may be what a vSwitch or a line waits for
		return true
	}
	return r.waiting || r.devices == nil && !up || r.devices[device]
}

func (r *router) setWaiting(waiting bool) {
	r.mu.Lock()
	r.waiting = waiting
	r.mu.Unlock()
}

// endLife closes a life.
func (r *router) endLife() {
	r.mu.Lock()
	r.devices, r.speaker = nil, nil
	r.mu.Unlock()
}

// moved says whether a line, tunnel, pair or vSwitch has another index than before.
func moved(a, b link.State) bool {
	index := func(x, y link.Device) bool { return x.Index == y.Index }
	return !slices.EqualFunc(a.Lines, b.Lines, index) || !slices.EqualFunc(a.Tunnels, b.Tunnels, index) ||
		!slices.EqualFunc(a.Pairs, b.Pairs, index) || !slices.EqualFunc(a.Switches, b.Switches, index)
}
