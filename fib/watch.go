package fib

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Hint says that the kernel changed something by itself or by another hand: look again. It is never an instruction, hints may come
// late, twice or for nothing; lost ones are told by Resync.
type Hint struct {
	// Resync: watching begins, or notifications were lost. Audit every table.
	Resync bool
	// Device's usability changed to Up, or its addresses changed. With Up, routes refused with RetryOnLink can be tried again. 0: no device.
	Device int
	Up     bool
	// Down: Device has stopped being usable, or was found so first.
	Down bool
	// Tables have routes that the kernel dropped with their nexthop objects. Audit or Apply brings them back.
	Tables []uint32
	// Table had a route of ours, or at our metric, changed by another hand at Prefix. 0: no route.
	Table  uint32
	Prefix netip.Prefix
}

// Watch listens to the kernel until the context ends, and then returns nil. It keeps the register of nexthop objects true (objects that the
// kernel flushed with a device are made again when it returns) and calls hint, which must not block, from the goroutine that called
// Watch. The first hint is a Resync. Without Watch a FIB works as well, but learns of losses only by Audit.
func (f *FIB) Watch(ctx context.Context, hint func(Hint)) error {
	sock, err := f.kernel.Monitor(f.req.sock.Port(), f.cfg.Protocol, f.cfg.Metric)
	if err != nil {
		return fmt.Errorf("fib: watch: %w", err)
	}
	closed := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { closed <- sock.Close() })
	w := &watcher{f: f, ctx: ctx, hint: hint, up: map[int]bool{}}
	err = w.run(sock)
	if stop() {
		return errors.Join(err, sock.Close())
	}
	return <-closed // ended by the context; the error is of its making
}

type watcher struct {
	f    *FIB
	ctx  context.Context
	hint func(Hint)
	up   map[int]bool // last known usability of devices
}

func (w *watcher) run(sock Socket) error {
	w.resync()
	for {
		b, err := sock.Receive()
		switch {
		case errors.Is(err, unix.ENOBUFS):
			w.f.cfg.Log.Warn("notifications were lost: every table is to be audited")
			w.resync()
			continue
		case errors.Is(err, os.ErrClosed) || w.ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("fib: watch: %w", err)
		}
		for len(b) > 0 {
			var m message
			if m, b, err = nextMessage(b); err != nil {
				return fmt.Errorf("fib: watch: %w", err)
			}
			w.take(m)
		}
	}
}

func (w *watcher) resync() {
	w.hint(Hint{Resync: true, Tables: w.realign()})
}

// take handles one notification. What our own socket caused is no news.
func (w *watcher) take(m message) {
	if m.port == w.f.req.sock.Port() {
		return
	}
	switch m.kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		if l, ok := parseLink(m); ok {
			w.link(l)
		}
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		if device, ok := parseAddress(m.body); ok {
			w.hint(Hint{Device: device, Up: w.up[device] || m.kind == unix.RTM_NEWADDR})
		}
	case unix.RTM_NEWNEXTHOP, unix.RTM_DELNEXTHOP:
		if n, ok := parseNexthop(m.body); ok && w.f.mine(n) {
			if lost := w.realign(); len(lost) > 0 {
				w.hint(Hint{Tables: lost})
			}
		}
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if k, ok := parseRoute(m.body); ok && w.concerns(k) {
			w.hint(Hint{Table: k.table, Prefix: k.prefix})
		}
	}
}

func (w *watcher) concerns(k kernelRoute) bool {
	return !k.cloned && k.metric == w.f.cfg.Metric
}

// link handles a device that became usable or stopped being so. The kernel drops nexthop objects of a device that is down or without
// carrier, and tells nobody (net/ipv4/nexthop.c, nh_netdev_event).
func (w *watcher) link(l kernelLink) {
	was, known := w.up[l.index]
	if l.gone {
		delete(w.up, l.index)
	} else {
		w.up[l.index] = l.up
	}
	if known && was == l.up && !l.gone {
		return
	}
	var lost []uint32
	if w.f.leadsTo(l.index) { // or else a host that makes a thousand devices dumps all objects a thousand times
		lost = w.realign()
	}
	w.hint(Hint{Device: l.index, Up: l.up, Down: !l.up, Tables: lost})
}

// leadsTo says whether a next hop of ours, also one that is down, is reached over a device.
func (f *FIB) leadsTo(device int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for nh := range f.obj.gateways {
		if nh.Device == device {
			return true
		}
	}
	return false
}

// realign brings the register of objects up to date, and returns the tables that lost routes.
func (w *watcher) realign() []uint32 {
	if _, err := w.f.reconcile(w.ctx); err != nil && w.ctx.Err() == nil {
		w.f.cfg.Log.Warn("nexthop objects cannot be brought up to date", "err", err)
	}
	return w.f.losing()
}

// losing returns the ids of the tables that miss routes, ascending.
func (f *FIB) losing() (ids []uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, t := range f.tabs {
		if t.lost.Load() > 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
