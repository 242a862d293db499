package vbr

import (
	"context"
	"net/netip"
	"sync"

	"github.com/openvbr/openvbr/bgp/bfd"
)

// watchers are the host's BFD sessions, and whose they are.
type watchers struct {
	engine *bfd.Engine
	stop   context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	wanted map[*router][]bfd.Session
	owners map[watched]*router
}

// watched names a BFD session.
type watched struct {
	device string
	peer   netip.Addr
}

// runBFD starts what watches over peers. It outlives the context, until stopBFD.
func (h *Host) runBFD(ctx context.Context) {
	w := &h.watchers
	w.mu.Lock()
	w.engine = bfd.New(bfd.Config{Log: h.log, State: h.bfdChanged})
	w.wanted, w.owners = make(map[*router][]bfd.Session), make(map[watched]*router)
	w.mu.Unlock()
	w.done = make(chan struct{})
	ctx, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(w.done)
		if err := w.engine.Run(ctx); err != nil {
			h.log.Error("no peer is watched over by BFD", "err", err)
		}
	}()
}

// stopBFD tells all peers AdminDown. The sessions have ended before: a helper of graceful restart that hears of BFD first would take it for a
// failure, as FRR does.
func (h *Host) stopBFD() {
	if h.watchers.stop != nil {
		h.watchers.stop()
		<-h.watchers.done
	}
}

// watchOver makes the router's BFD sessions be these.
func (h *Host) watchOver(r *router, sessions []bfd.Session) {
	w := &h.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.engine == nil || len(sessions) == 0 && len(w.wanted[r]) == 0 {
		return
	}
	w.wanted[r] = sessions
	if len(sessions) == 0 {
		delete(w.wanted, r)
	}
	clear(w.owners)
	var all []bfd.Session
	for r, l := range w.wanted {
		all = append(all, l...)
		for _, s := range l {
			w.owners[watched{s.Device, s.Peer}] = r
		}
	}
	h.warn("BFD sessions not started", w.engine.Set(all))
}

// bfdChanged hands a change to the router concerned.
func (h *Host) bfdChanged(c bfd.Change) {
	h.watchers.mu.Lock()
	r := h.watchers.owners[watched{c.Device, c.Peer}]
	h.watchers.mu.Unlock()
	if r != nil {
		r.bfd.put(c)
	}
}

// bfdSession is how a BFD session is now; false: there is none.
func (h *Host) bfdSession(device string, peer netip.Addr) (bfd.Status, bool) {
	h.watchers.mu.Lock()
	engine := h.watchers.engine
	h.watchers.mu.Unlock()
	if engine == nil {
		return bfd.Status{}, false
	}
	return engine.Session(device, peer)
}

// inbox holds what BFD says until the router's watcher looks: of each peer the last change, and the last one that may be a failure.
type inbox struct {
	news chan struct{} // capacity 1

	mu   sync.Mutex
	last map[netip.Addr]bfd.Change
	down map[netip.Addr]bfd.Change
}

func newInbox() inbox {
	return inbox{news: make(chan struct{}, 1), last: make(map[netip.Addr]bfd.Change), down: make(map[netip.Addr]bfd.Change)}
}

// put does not block: it is called from the BFD session.
func (i *inbox) put(c bfd.Change) {
	i.mu.Lock()
	i.last[c.Peer] = c
	if c.State == bfd.Down && !c.AdminDown && !c.Anew {
		i.down[c.Peer] = c
	}
	i.mu.Unlock()
	poke(i.news)
}

// take empties the inbox; of each peer, a failure comes before what followed it.
func (i *inbox) take() (all []bfd.Change) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for peer, c := range i.down {
		if c != i.last[peer] {
			all = append(all, c)
		}
	}
	for _, c := range i.last {
		all = append(all, c)
	}
	clear(i.last)
	clear(i.down)
	return all
}
