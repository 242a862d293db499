package vbr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/capture"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/link"
)

// Bounds of captures: how many of a router and of the host may be under way at once, what one takes at most, and what it takes if nothing is said.
const (
	capturesPerRouter, capturesPerHost    = 2, 8
	captureDevices                        = 16
	capturePackets, capturePacketsDefault = 1_000_000, 10_000
	captureBytes, captureBytesDefault     = 64 << 20, 16 << 20
	captureSeconds, captureSecondsDefault = 600, 60
	captureTick                           = 500 * time.Millisecond // how soon it is noticed that a device is not the router's any more
	captureOver                           = "the devices are not the router's any more"
	captureRights                         = "this vbrd may not capture packets: it lacks CAP_NET_RAW or the address family AF_PACKET; docs/systemd.md says how to grant both"
)

// bounds are where a capture ends.
type bounds struct {
	packets, bytes int
	time           time.Duration
}

// sniff is a capture as it was asked for.
type sniff struct {
	filter []bpf.Instruction
	most   bounds
}

// sniffOf reads a request. The error is a *RequestError.
func sniffOf(req *vbrv1.CaptureRequest) (s sniff, err error) {
	number := func(field string, value, least, most, otherwise uint32) int {
		if value == 0 {
			return int(otherwise)
		}
		if err == nil && (value < least || value > most) {
			err = &RequestError{field, fmt.Sprint(value), fmt.Sprintf("%d..%d, 0 means %d", least, most, otherwise)}
		}
		return int(value)
	}
	snap := number("snap_length", req.GetSnapLength(), capture.MinSnap, capture.MaxSnap, capture.MaxSnap)
	s.most.packets = number("packets", req.GetPackets(), 1, capturePackets, capturePacketsDefault)
	s.most.bytes = number("bytes", req.GetBytes(), 1, captureBytes, captureBytesDefault)
	s.most.time = time.Duration(number("seconds", req.GetSeconds(), 1, captureSeconds, captureSecondsDefault)) * time.Second
	if err != nil {
		return s, err
	}
	var bad *capture.FilterError
	if s.filter, err = capture.Compile(req.GetFilter(), uint32(snap)); errors.As(err, &bad) {
		return s, &RequestError{"filter", req.GetFilter(), fmt.Sprintf("%s, instead of what is at character %d", bad.Legal, bad.At)}
	}
	return s, err
}

// Capture hands the packets of a router's own devices to yield, until a bound is reached, the context ends, yield fails, or the devices are not the
// router's any more. The error is a *RequestError, a *RefusedError, a *BusyError, that of yield, or wraps ErrNoRouter.
func (h *Host) Capture(ctx context.Context, req *vbrv1.CaptureRequest, yield func(*vbrv1.CaptureResponse) error) error {
	r := h.router(req.GetRouter())
	if r == nil {
		return noRouter(req.GetRouter())
	}
	asked, err := sniffOf(req)
	if err != nil {
		return err
	}
	devices, err := r.toCapture(req.GetDevice())
	if err != nil {
		return err
	}
	if err := h.captures.take(r.name); err != nil {
		return err
	}
	defer h.captures.give(r.name)
	c, err := capture.Open(devices, asked.filter)
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EAFNOSUPPORT):
		return &RefusedError{captureRights}
	case errors.Is(err, unix.ENODEV):
		return &RefusedError{fmt.Sprintf("router %s has not all of its devices at present: %s", r.name, strings.Join(devices, ", "))}
	case err != nil:
		return err
	}
	defer c.Close()
	owner := r.target().owner
	its := func() bool {
		if h.router(r.name) != r || r.target().owner != owner {
			return false
		}
		for i, d := range devices {
			if !r.hasDevice(d, c.Index(i)) {
				return false
			}
		}
		return true
	}
	if !its() {
		return &RefusedError{fmt.Sprintf("router %s: its devices are being changed; try again", r.name)}
	}
	if err := yield(&vbrv1.CaptureResponse{Devices: devices}); err != nil {
		return err
	}
	return asked.most.run(ctx, c, its, yield)
}

// run hands out packets until the end. What has been read is handed out only if the devices are the router's after that.
func (b bounds) run(ctx context.Context, c *capture.Capture, its func() bool, yield func(*vbrv1.CaptureResponse) error) error {
	packets, bytes, end := 0, 0, time.Now().Add(b.time)
	for {
		got, err := c.Read(ctx, max(0, min(captureTick, time.Until(end))))
		if err != nil {
			return err
		}
		if !its() {
			return yield(&vbrv1.CaptureResponse{Dropped: c.Dropped(), Ended: captureOver})
		}
		part := &vbrv1.CaptureResponse{}
		for _, p := range got {
			if packets == b.packets || bytes+len(p.Data) > b.bytes {
				break
			}
			packets, bytes = packets+1, bytes+len(p.Data)
			part.Packets = append(part.Packets, &vbrv1.CapturedPacket{Time: timestamppb.New(p.Time), Device: uint32(p.Device), Length: uint32(p.Length), Data: p.Data})
		}
		switch {
		case packets == b.packets:
			part.Ended = fmt.Sprintf("%d packets", packets)
		case len(part.Packets) < len(got):
			part.Ended = fmt.Sprintf("%d octets: one more packet would be more than %d", bytes, b.bytes)
		case !time.Now().Before(end):
			part.Ended = b.time.String()
		}
		part.Dropped = c.Dropped()
		if len(part.Packets) > 0 || part.Ended != "" {
			if err := yield(part); err != nil || part.Ended != "" {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// toCapture are the devices that a capture is of: the one that was asked for, or all lines, or all vSwitches of a VRouter.
func (r *router) toCapture(asked string) ([]string, error) {
	r.mu.Lock()
	usual, others := r.spec.carrying()
	unserved, kind := r.unserved, "lines"
	if r.spec.kind == intent.VRouter {
		kind = "vSwitches"
	}
	r.mu.Unlock()
	all := slices.Concat(usual, others)
	legal := fmt.Sprintf("one of router %s's devices: %s", r.name, strings.Join(all, ", "))
	switch {
	case unserved || len(all) == 0:
		return nil, &RefusedError{fmt.Sprintf("router %s has no devices at present", r.name)}
	case slices.Contains(all, asked):
		return []string{asked}, nil
	case len(usual) == 0 || len(usual) > captureDevices:
		return nil, &RequestError{"device", asked, legal}
	case asked != "":
		return nil, &RequestError{"device", asked, legal + "; nothing for all of its " + kind}
	}
	return usual, nil
}

// carrying are the names of the devices that carry the router's packets: its lines and vSwitches, and those of its router interfaces.
func (s *spec) carrying() (usual, others []string) {
	for _, l := range s.link.Lines {
		usual = append(usual, l.Device)
	}
	for _, w := range s.link.Switches {
		usual = append(usual, w.Device)
	}
	for _, t := range s.link.Tunnels {
		others = append(others, t.Device)
	}
	for _, p := range s.link.Pairs {
		others = append(others, p.Device)
	}
	return usual, others
}

// hasDevice says whether the router has this very device, and is not about to become one without it.
func (r *router) hasDevice(name string, index int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range []*spec{r.spec, r.next} {
		if s == nil {
			continue
		}
		if usual, others := s.carrying(); !slices.Contains(usual, name) && !slices.Contains(others, name) {
			return false
		}
	}
	for _, l := range [][]link.Device{r.state.Lines, r.state.Switches, r.state.Tunnels, r.state.Pairs} {
		if slices.ContainsFunc(l, func(d link.Device) bool { return d.Name == name && d.Index == index }) {
			return true
		}
	}
	return false
}

// captures counts those that are under way.
type captures struct{ crowd }

func (c *captures) take(router string) error {
	return c.crowd.take(router, "captures", capturesPerRouter, capturesPerHost)
}
