package vbr

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// clear removes our routes from a table, and a router's devices.
func (h *Host) clear(ctx context.Context, id uint32, r link.Router) error {
	n, err := h.fib.Table(id).Clear(ctx)
	if err := errors.Join(err, h.links.Remove(r)); err != nil {
		return fmt.Errorf("vbr: remove router %s: %w", r.Name, err)
	}
	h.log.Info("removed a router that is no longer wanted", "router", r.Name, "table", id, "routes", n)
	return nil
}
