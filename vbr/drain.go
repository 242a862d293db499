package vbr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/google/renameio/v2"

	"github.com/openvbr/openvbr/internal/fault"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/rib"
)

// gracefulShutdown is the community GRACEFUL_SHUTDOWN, 65535:0 (RFC 8326 5).
const gracefulShutdown = 0xffff0000

// shutdown adds the community to communities, if drained.
func shutdown(communities []uint32, drained bool) []uint32 {
	if !drained || slices.Contains(communities, gracefulShutdown) {
		return communities
	}
	return append(slices.Clip(communities), gracefulShutdown)
}

// drains is the record of the routers that are drained, in a file, so that they stay so over restarts. A nil one has none.
type drains struct {
	file string

	mu sync.Mutex
	// Routers are the names of the drained ones.
	routers map[string]bool
	problem string // why the record could not be read; empty when it could
}

// loadDrains reads the record; a missing file is an empty one. A damaged one is set aside and reported: unlike a table of
// its own, no router needs it to work.
func loadDrains(dir string, log *slog.Logger) *drains {
	d := &drains{file: filepath.Join(dir, "drained.json"), routers: make(map[string]bool)}
	b, err := os.ReadFile(d.file)
	if errors.Is(err, fs.ErrNotExist) {
		return d
	}
	var names []string
	if err == nil {
		err = json.Unmarshal(b, &names)
	}
	if err != nil {
		aside := d.file + ".damaged"
		d.problem = fmt.Sprintf("the record of drained routers %s could not be read: %v; no router is drained, the file is set aside as %s", d.file, err, aside)
		log.Error("no router is drained: their record could not be read", "file", d.file, "err", errors.Join(err, os.Rename(d.file, aside)))
		return d
	}
	for _, n := range names {
		d.routers[n] = true
	}
	return d
}

// has says whether a router is drained.
func (d *drains) has(router string) bool {
	if d == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.routers[router]
}

// trouble is what is wrong with the record, empty for nothing.
func (d *drains) trouble() string {
	if d == nil {
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.problem
}

// set records whether a router is drained, durably, and returns whether that is new; then it calls apply before anybody else may
// change it. After an error it is as before.
func (d *drains) set(router string, drained bool, apply func()) (changed bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.routers[router] == drained {
		return false, nil
	}
	after := maps.Clone(d.routers)
	if drained {
		after[router] = true
	} else {
		delete(after, router)
	}
	if err := d.save(after); err != nil {
		return false, err
	}
	apply()
	return true, nil
}

// keep forgets the routers that are no longer wanted.
func (d *drains) keep(wanted func(name string) bool) error {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	after := maps.Clone(d.routers)
	maps.DeleteFunc(after, func(name string, _ bool) bool { return !wanted(name) })
	if len(after) == len(d.routers) {
		return nil
	}
	return d.save(after)
}

// save writes the record and takes it for the true one; d.mu is held. After an error, which may come when the file is another one already, the one
// before is written again: a restart is not to drain what nobody has seen drained.
func (d *drains) save(routers map[string]bool) error {
	if err := fault.Around("state.drain", func() error { return d.write(routers) }); err != nil {
		return fmt.Errorf("vbr: write the record of drained routers: %w", errors.Join(err, d.write(d.routers)))
	}
	d.routers, d.problem = routers, ""
	return nil
}

func (d *drains) write(routers map[string]bool) error {
	b, err := json.Marshal(slices.Sorted(maps.Keys(routers)))
	if err != nil {
		return err
	}
	return renameio.WriteFile(d.file, append(b, '\n'), 0o644)
}

// SetDrained asks both sides of a router to use others, or no longer: all that it tells carries the community GRACEFUL_SHUTDOWN
// (RFC 8326), and what it tells the VPC a LOCAL_PREF of 0, but for the lines' own subnets. Traffic that comes is forwarded as before, and no session is
// touched. It lasts over restarts until it is taken back or the router is deleted. The neighbours hear of it soon after the return.
//
// changed is false if it was so already. The error wraps ErrNoRouter, or says why the record could not be written: then nothing changes.
func (h *Host) SetDrained(router string, drained bool) (changed bool, err error) {
	r := h.router(router)
	if r == nil {
		return false, noRouter(router)
	}
	changed, err = h.drains.set(router, drained, func() { r.records.drained.Store(drained) })
	if !changed || err != nil {
		return false, err
	}
	r.records.retell.Store(true)
	r.mu.Lock()
	r.noteState()
	r.mu.Unlock()
	poke(r.wake)
	r.log.Info("router drained or undrained", "drained", drained)
	if drained {
		r.note(vbrv1.Event_TYPE_DRAINED, "", "both sides are asked to use other routers (RFC 8326)")
	} else {
		r.note(vbrv1.Event_TYPE_UNDRAINED, "", "both sides may use the router again")
	}
	return true, nil
}

// tellAgain tells all neighbours all again if that has to be, since what is told with it has changed.
func (r *router) tellAgain(ctx context.Context, speaker speaker) {
	if !r.records.retell.Swap(false) {
		return
	}
	for from := uint32(1); from != 0 && ctx.Err() == nil; {
		var said []rib.Announcement
		r.mu.Lock()
		from = r.rib.ToldSlice(from, batch, func(a rib.Announcement) { said = append(said, a) })
		r.mu.Unlock()
		r.announce(speaker, said)
	}
	c := make(forCustomer)
	r.tellNetworks(c, true)
	r.speak(speaker, c, outbox{})
}
