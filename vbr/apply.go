package vbr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/openvbr/openvbr/bgp/evpn"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
)

// ErrNotRunning says that the host does not run any more.
var ErrNotRunning = errors.New("vbr: the host does not run any more")

// roomLimit is how long the routers that get something wait for those that lose it.
const roomLimit = 5 * time.Second

// handout is what an Apply has set going.
type handout struct {
	serial uint64
	in     *intent.Intent
	done   []<-chan struct{}
	err    error // a router is refused for a reason that passes: the caller is to try again
}

// applying orders Applies: one hands out at a time, and always the newest intent.
type applying struct {
	turn chan struct{} // capacity 1: held while handing out

	mu      sync.Mutex
	newest  *intent.Intent
	serial  uint64                     // of newest
	handed  handout                    // the last one
	leaving map[string]<-chan struct{} // routers on their way out, by name: closed when nothing is left
}

// Apply makes the routers be what the intent says, once Run serves, and returns when each router concerned has taken its new
// resources, or ctx has ended, or the host. What did not change is not touched. A router that cannot be served is degraded, which
// is no error, unless it is because the record of ids could not be written: then Apply is to be called again. Of several Applies that wait, the last one is done, for all.
func (h *Host) Apply(ctx context.Context, in *intent.Intent) error {
	select {
	case <-h.serving:
	case <-ctx.Done():
		return fmt.Errorf("vbr: apply: the host does not serve yet: %w", ctx.Err())
	}
	a := &h.applying
	a.mu.Lock()
	a.serial++
	a.newest = in
	mine := a.serial
	a.mu.Unlock()
	select {
	case a.turn <- struct{}{}:
	case <-h.stopped():
		return ErrNotRunning
	case <-ctx.Done():
		return fmt.Errorf("vbr: apply: %w", ctx.Err())
	}
	out, err := h.handOut(ctx, mine)
	<-a.turn
	if err != nil {
		return err
	}
	for _, done := range out.done {
		select {
		case <-done:
		case <-h.stopped():
			return ErrNotRunning
		case <-ctx.Done():
			h.log.Warn("not every router has taken its new resources yet", "err", ctx.Err())
			return fmt.Errorf("vbr: apply: %w", ctx.Err())
		}
	}
	return errors.Join(out.err, h.settle(ctx, out))
}

// handOut gives every router what the newest intent has for it, unless that has been done since serial was given.
func (h *Host) handOut(ctx context.Context, serial uint64) (handout, error) {
	a := &h.applying
	a.mu.Lock()
	in, out := a.newest, handout{serial: a.serial, in: a.newest}
	handed := a.handed
	a.mu.Unlock()
	if handed.serial >= serial {
		return handed, nil
	}
	if !h.isRunning() {
		return handout{}, ErrNotRunning
	}
	removed := h.retireOthers(in, &out)
	h.restOthers(in)
	h.want(in)
	h.awaitTables(ctx, in, removed)
	specs, refused := newSpecs(in, h.opts, h.ids)
	for i, s := range specs {
		if r := h.router(s.name); r != nil && !r.unserved {
			specs[i] = heir(r.target(), s)
		}
	}
	h.drills.group(in)
	h.backbone.want(h.targets(specs, refused))
	h.makeRoom(ctx, specs, removed)
	for _, s := range specs {
		out.done = append(out.done, h.serve(s))
	}
	for name, err := range refused {
		h.refuse(in.Router(name), err)
		if errors.Is(err, errRecord) {
			out.err = err
		}
	}
	a.mu.Lock()
	a.handed = out
	a.mu.Unlock()
	return out, nil
}

// settle ends an Apply whose routers have taken what they were given: numbers of what is gone are free again, and who
// could not have a device then may have it now.
func (h *Host) settle(ctx context.Context, out handout) error {
	a := &h.applying
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return nil // the next one does it
	}
	defer func() { <-a.turn }()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.handed.serial != out.serial {
		return nil
	}
	wanted := make(map[string]bool)
	for name := range a.leaving {
		wanted[name] = true
	}
	for _, ri := range out.in.RouterInterfaces {
		wanted[ri.Name] = true
	}
	for _, r := range h.allRouters() {
		wanted[r.name] = true
		for _, ri := range r.target().ris {
			wanted[ri.name] = true
		}
		if r.isDegraded() {
			poke(r.look)
		}
	}
	if h.partial {
		return nil
	}
	named := func(name string) bool { return wanted[name] }
	return errors.Join(h.ids.keep(named), h.drains.keep(named), h.monitor.keep(named))
}

// retireOthers ends the routers that the intent does not name, and returns them with what is closed when they are gone.
func (h *Host) retireOthers(in *intent.Intent, out *handout) map[*router]<-chan struct{} {
	removed := make(map[*router]<-chan struct{})
	names := make(map[string]bool, len(in.Routers))
	why := make(map[string]string)
	for i := range in.Routers {
		r := &in.Routers[i]
		if names[r.Name] = r.Runs(); !r.Runs() {
			why[r.Name] = r.VBRStatus()
		}
	}
	for _, r := range h.allRouters() {
		if !names[r.name] && (why[r.name] == "" || !r.unserved) {
			text := cmp.Or(why[r.name], "no longer wanted")
			h.log.Info("router deleted", "router", r.name, "reason", text)
			r.note(vbrv1.Event_TYPE_ROUTER_DELETED, r.name, text)
			removed[r] = h.retire(r)
			out.done = append(out.done, removed[r])
		}
	}
	return removed
}

// awaitTables waits until the routers on their way out have freed the tables that others ask for.
func (h *Host) awaitTables(ctx context.Context, in *intent.Intent, removed map[*router]<-chan struct{}) {
	asked := make(map[uint32]bool)
	for i := range in.Routers {
		asked[in.Routers[i].TableID] = true
		asked[mainTable] = asked[mainTable] || in.Routers[i].DefaultVRF
	}
	var waits []<-chan struct{}
	for r, gone := range removed {
		if asked[h.ids.tableOf(r.name)] {
			waits = append(waits, gone)
		}
	}
	h.await(ctx, waits)
	for r, gone := range removed {
		if x := in.Router(r.name); x != nil {
			continue // it rests, and keeps its table's number
		}
		select {
		case <-gone:
			err := h.ids.keep(func(name string) bool { return name != r.name })
			h.warn("the record of ids is not up to date", err)
		default:
		}
	}
}

// makeRoom has the routers let go of what others are to have, before those get it.
func (h *Host) makeRoom(ctx context.Context, specs []*spec, removed map[*router]<-chan struct{}) {
	owner := make(map[string]string)
	for _, s := range specs {
		for _, c := range s.claims() {
			owner[c] = s.name
		}
	}
	var waits []<-chan struct{}
	for r, gone := range removed {
		if slices.ContainsFunc(r.target().claims(), func(c string) bool { return owner[c] != "" }) {
			waits = append(waits, gone)
		}
	}
	for _, s := range specs {
		r := h.router(s.name)
		if r == nil || r.unserved {
			continue
		}
		had := r.target()
		taken := func(c string) bool { return owner[c] != "" && owner[c] != s.name }
		if slices.ContainsFunc(had.claims(), taken) {
			waits = append(waits, r.give(had.without(taken)))
		}
	}
	h.await(ctx, waits)
}

// await waits for all, for ctx and for roomLimit at most.
func (h *Host) await(ctx context.Context, waits []<-chan struct{}) {
	limit := time.NewTimer(roomLimit)
	defer limit.Stop()
	for _, w := range waits {
		select {
		case <-w:
		case <-ctx.Done():
			return
		case <-h.stopped():
			return
		case <-limit.C:
			return
		}
	}
}

// targets are the route targets of all routers, those included that stay as they are because they cannot be what they should.
func (h *Host) targets(specs []*spec, refused map[string]error) map[evpn.RouteTarget]bool {
	targets := make(map[evpn.RouteTarget]bool)
	for name := range refused {
		if r := h.router(name); r != nil {
			specs = append(slices.Clone(specs), r.target())
		}
	}
	for _, t := range h.drills.alternatives("") {
		targets[t] = true
	}
	for _, s := range specs {
		for _, ri := range s.ris {
			if ri.remote() {
				targets[ri.target] = true
			}
		}
	}
	return targets
}

// serve has the router be what s says, and returns what is closed when it is.
func (h *Host) serve(s *spec) <-chan struct{} {
	r := h.router(s.name)
	switch {
	case r == nil || r.unserved:
		h.log.Info("router created", "router", s.name, "table", s.link.Table)
		h.note(vbrv1.Event_TYPE_ROUTER_CREATED, s.name, s.owner, s.name, "")
		return h.launch(newRouter(h, s)).tried
	case compare(r.target(), s).scope == scopeAnew:
		why := compare(r.target(), s).why
		h.log.Info("router begins anew", "router", s.name, "reason", why)
		r.note(vbrv1.Event_TYPE_ROUTER_CHANGED, s.name, "it ends and begins anew: "+why)
		h.retire(r)
		return h.launch(newRouter(h, s)).tried
	}
	r.degrade("resources", nil)
	return r.give(s)
}

// refuse shows that the router's resources cannot be translated. One that runs goes on as it is.
func (h *Host) refuse(in *intent.Router, err error) {
	r := h.router(in.Name)
	if r == nil || r.unserved {
		r = newRouter(h, &spec{kind: in.Kind, name: in.Name, owner: in.Owner})
		r.unserved = true
		r.setReady()
		h.keepRouter(r)
	}
	r.degrade("resources", err)
}

// launch makes the router known and starts its actor, when nothing is left of a router that had its name.
func (h *Host) launch(r *router) *router {
	ctx, cancel := context.WithCancel(h.running)
	r.cancel = cancel
	r.saySwept.Do(func() {}) // only those that Run began with count for swept
	h.keepRouter(r)
	h.applying.mu.Lock()
	before := h.applying.leaving[r.name]
	h.applying.mu.Unlock()
	if before != nil {
		r.degrade("life", errors.New("waiting for its predecessor to end"))
	}
	h.wg.Go(func() {
		defer cancel()
		if before != nil {
			select {
			case <-before:
			case <-ctx.Done():
			}
		}
		r.run(ctx)
	})
	return r
}

// retire ends a router: its sessions with a goodbye, its type-5 routes withdrawn, then its routes and devices. The channel is closed when all
// is gone. A router that hangs holds up nobody but itself.
func (h *Host) retire(r *router) <-chan struct{} {
	gone := make(chan struct{})
	h.dropRouter(r)
	if r.unserved {
		close(gone)
		return gone
	}
	r.mu.Lock()
	r.leaving = true
	r.mu.Unlock()
	r.cancel()
	h.vbrLeft(r.name, "its sessions, devices and routes go")
	a := &h.applying
	a.mu.Lock()
	before := a.leaving[r.name]
	a.leaving[r.name] = gone
	a.mu.Unlock()
	h.wg.Go(func() {
		defer close(gone)
		<-r.ended
		if before != nil {
			<-before
		}
		err := h.razeAgain(r)
		h.warn("router not removed whole; the next start of vbrd does it", err)
		h.giveBack(r)
		a.mu.Lock()
		last := a.leaving[r.name] == gone
		if last {
			delete(a.leaving, r.name)
		}
		a.mu.Unlock()
		switch {
		case !last:
		case err != nil:
			h.vbrLeft(r.name, "the kernel still has something of it, which the next start of vbrd removes: "+err.Error())
		default:
			h.vbrLeft(r.name, "")
		}
	})
	return gone
}

func (h *Host) warn(what string, err error) {
	if err != nil {
		h.log.Warn(what, "err", err)
	}
}
