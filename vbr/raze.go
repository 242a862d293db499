package vbr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/openvbr/openvbr/fib"
	"github.com/openvbr/openvbr/vbr/link"
)

// razeLimit bounds the removal of a router's routes.
const razeLimit = 30 * time.Second

// razeAgain removes what an ended router has in the kernel, if need be several times, within a quarter of a minute.
func (h *Host) razeAgain(r *router) error {
	err := h.raze(r)
	for pause := time.Second; err != nil && pause <= 8*time.Second; pause *= 2 {
		h.log.Warn("router not removed whole; trying again", "router", r.name, "err", err)
		select {
		case <-h.stopped():
			return err
		case <-time.After(pause):
		}
		err = h.raze(r)
	}
	return err
}

// raze removes what an ended router has in the kernel.
func (h *Host) raze(r *router) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.running), razeLimit)
	defer cancel()
	h.monitor.read(r)
	err := h.clear(ctx, r.fib.ID(), link.Router{Name: r.name, Table: r.fib.ID(), Lines: r.spec.link.Lines})
	if err == nil {
		r.parted(anyInterface) // the actor has ended
	}
	return err
}

// giveBack puts the next hops back into service that a router, which has ended, had taken out of it: who has its devices next may use them. Those stay
// out that a router which has them already has found to have failed as well.
func (h *Host) giveBack(r *router) {
	taken := make(map[fib.NextHop]bool)
	for _, o := range h.allRouters() {
		if o != r {
			o.addFailed(taken)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sessions {
		s.failed = slices.DeleteFunc(s.failed, func(nh fib.NextHop) bool { return taken[nh] })
		r.restore(s)
	}
}

// addFailed adds the next hops that the router has taken out of service.
func (r *router) addFailed(to map[fib.NextHop]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sessions {
		for _, nh := range s.failed {
			to[nh] = true
		}
	}
}

// clear removes our routes from a table, and a router's devices.
func (h *Host) clear(ctx context.Context, id uint32, r link.Router) error {
	n, err := h.fib.Table(id).Clear(ctx)
	if err := errors.Join(err, h.links.Remove(r)); err != nil {
		return fmt.Errorf("vbr: remove router %s: %w", r.Name, err)
	}
	h.log.Info("removed a router that is no longer wanted", "router", r.Name, "table", id, "routes", n)
	return nil
}
