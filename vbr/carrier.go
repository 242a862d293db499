package vbr

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/vbr/link"
)

// carrierPause is the time between two looks at the carriers of the ports. The kernel by itself tells of a loss within a second at worst, when
// another device of the machine has gained or lost its own just before: see link.Manager.Carrier.
const carrierPause = 100 * time.Millisecond

// carriers knows which ports are dark: without a carrier, whatever the devices on them say. Its mutex is a leaf.
type carriers struct {
	mu   sync.Mutex
	dark map[string]bool
}

// changed takes in how a port was found, and says whether it was otherwise before.
func (c *carriers) changed(port string, lit bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.dark[port] == !lit:
		return false
	case lit:
		delete(c.dark, port)
	case c.dark == nil:
		c.dark = map[string]bool{port: true}
	default:
		c.dark[port] = true
	}
	return true
}

// keep forgets all ports but these.
func (c *carriers) keep(ports map[string][]*router) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for port := range c.dark {
		if ports[port] == nil {
			delete(c.dark, port)
		}
	}
}

// isDark says whether a port is dark.
func (c *carriers) isDark(port string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dark[port]
}

// watchCarriers looks at the ports until the context ends.
func (h *Host) watchCarriers(ctx context.Context) {
	t := time.NewTicker(carrierPause)
	defer t.Stop()
	defer h.pulses.carriers.rest()
	for {
		h.pulses.carriers.beat()
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			h.lookAtCarriers()
		}
	}
}

// lookAtCarriers asks for the carrier of each port once, and has the routers on it act on what has changed. What cannot be asked is left to
// who makes the devices.
func (h *Host) lookAtCarriers() {
	ports := h.ports()
	h.carriers.keep(ports)
	for port, routers := range ports {
		lit, err := h.carrier(port)
		if lit = lit || err != nil; !h.carriers.changed(port, lit) {
			continue
		}
		for _, r := range routers {
			if !lit {
				r.linesDown(func(l link.Line, _ int) bool { return l.Port == port })
			}
			poke(r.look)
		}
	}
}

// ports are the ports of all lines, and the routers on them.
func (h *Host) ports() map[string][]*router {
	ports := make(map[string][]*router)
	for _, r := range h.allRouters() {
		r.mu.Lock()
		for _, l := range r.spec.link.Lines {
			if on := ports[l.Port]; !slices.Contains(on, r) {
				ports[l.Port] = append(on, r)
			}
		}
		r.mu.Unlock()
	}
	return ports
}

// ensure makes the devices of a router. Lines on dark ports are down, though the kernel may not have told their devices yet.
func (h *Host) ensure(want link.Router) (link.State, error) {
	state, err := h.links.Ensure(want)
	for i := range state.Lines {
		state.Lines[i].Up = state.Lines[i].Up && !h.carriers.isDark(want.Lines[i].Port)
	}
	return state, err
}

// linesDown takes in that some lines, by what they are and the index of their device, are said to carry packets no longer. The actor acts on
// it before it looks at all devices, which takes many questions to the kernel.
func (r *router) linesDown(which func(l link.Line, device int) bool) {
	r.stir()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, d := range r.state.Lines {
		if d.Up && i < len(r.spec.link.Lines) && which(r.spec.link.Lines[i], d.Index) {
			r.cut[d.Index] = r.spec.link.Lines[i]
			poke(r.wake)
		}
	}
}

// deviceDown is linesDown for the line of a device.
func (r *router) deviceDown(index int) {
	r.linesDown(func(_ link.Line, device int) bool { return device == index })
}

// takeCuts has the lines be down that are, of those said to be since it last looked, and says whether there are any: the next hops of their
// peers go at once, whatever the number of routes, and the rib has the routes leave.
func (r *router) takeCuts() bool {
	r.mu.Lock()
	said := r.cut
	r.cut = make(map[int]link.Line)
	r.mu.Unlock()
	for index, l := range said { // what was said may be old
		if !r.host.isCut(l) {
			delete(said, index)
		}
	}
	if len(said) == 0 {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.Lines = slices.Clone(r.state.Lines)
	for i, d := range r.state.Lines {
		if _, down := said[d.Index]; down {
			r.state.Lines[i].Up = false
		}
	}
	for peer, s := range r.sessions {
		if s.up && r.lineIsDown(s) {
			r.failHops(s, peer)
		}
	}
	r.rib.SetNow(time.Now())
	r.setLinksUp(r.state)
	r.arrangeStatics(r.spec, r.state)
	return true
}

// isCut says whether a line carries nothing now. One whose device alone is gone is not cut: the device is about to be made again. One whose port is gone
// too is.
func (h *Host) isCut(l link.Line) bool {
	if h.carriers.isDark(l.Port) {
		return true
	}
	lit, err := h.carrier(l.Device)
	if errors.Is(err, unix.ENODEV) {
		_, err = h.carrier(l.Port)
		return errors.Is(err, unix.ENODEV)
	}
	return !lit && err == nil
}

// lineIsDown says whether a session's line is down; r.mu is held.
func (r *router) lineIsDown(s *session) bool {
	return s.line < len(r.state.Lines) && !r.state.Lines[s.line].Up
}
