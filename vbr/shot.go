package vbr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/probe"
)

// Bounds of probes that callers ask for: how many of a router and of the host may be under way at once, and how long one may wait.
const (
	shotsPerRouter  = 8
	shotsPerHost    = 1024
	shotWaitMin     = 10 * time.Millisecond
	shotWaitMax     = 5 * time.Second
	shotWaitDefault = time.Second
)

// BusyError says that there are as many of something as there may be.
type BusyError struct {
	What  string
	Limit int
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("%d %s are under way, as many as may be; try again", e.Limit, e.What)
}

// Probe sends one echo request out of a router and tells what came back. The error is a *RequestError, a *RefusedError if the router is not there to
// send, a *BusyError, or wraps ErrNoRouter.
func (h *Host) Probe(ctx context.Context, req *vbrv1.ProbeRequest) (*vbrv1.ProbeResponse, error) {
	r := h.router(req.GetRouter())
	if r == nil {
		return nil, noRouter(req.GetRouter())
	}
	shot, wait, err := shotOf(req)
	if err != nil {
		return nil, err
	}
	if err := h.shots.take(r.name); err != nil {
		return nil, err
	}
	defer h.shots.give(r.name)
	shot.Device = r.vrf()
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	answer, err := probe.Once(ctx, shot)
	switch {
	case errors.Is(err, unix.ENODEV):
		return nil, &RefusedError{fmt.Sprintf("router %s has no VRF device at present", r.name)}
	case err != nil:
		return nil, err
	case answer.Outcome == probe.SourceRefused:
		return nil, &RequestError{"source", req.GetSource(), fmt.Sprintf("one of router %s's own addresses, or nothing", r.name)}
	}
	return outcome(answer), nil
}

// shotOf reads a request.
func shotOf(req *vbrv1.ProbeRequest) (shot probe.Shot, wait time.Duration, err error) {
	shot.Target, err = netip.ParseAddr(req.GetTarget())
	if t := shot.Target; err != nil || t.Zone() != "" || !t.Unmap().IsGlobalUnicast() || t.Is4In6() {
		return shot, 0, &RequestError{"target", req.GetTarget(), "an IPv4 or IPv6 unicast address that is not link-local"}
	}
	if req.GetSource() != "" {
		shot.Source, err = netip.ParseAddr(req.GetSource())
		if s := shot.Source; err != nil || s.Zone() != "" || s.Is4() != shot.Target.Is4() || s.IsUnspecified() {
			return shot, 0, &RequestError{"source", req.GetSource(), "one of the router's addresses, of the target's family, or nothing"}
		}
	}
	if req.GetHopLimit() > 255 {
		return shot, 0, &RequestError{"hop_limit", fmt.Sprint(req.GetHopLimit()), "1..255, 0 for the kernel's default"}
	}
	size, ms := req.GetSize(), req.GetTimeoutMs()
	if size == 0 {
		size = probe.DefaultSize
	}
	if size < probe.MinSize || size > probe.MaxSize {
		return shot, 0, &RequestError{"size", fmt.Sprint(size), fmt.Sprintf("%d..%d bytes, 0 means %d", probe.MinSize, probe.MaxSize, probe.DefaultSize)}
	}
	wait = shotWaitDefault
	if ms != 0 {
		wait = time.Duration(ms) * time.Millisecond
	}
	if wait < shotWaitMin || wait > shotWaitMax {
		return shot, 0, &RequestError{"timeout_ms", fmt.Sprint(ms), fmt.Sprintf("%d..%d, 0 means %d", shotWaitMin.Milliseconds(), shotWaitMax.Milliseconds(), shotWaitDefault.Milliseconds())}
	}
	shot.HopLimit, shot.Size, shot.DontFragment = int(req.GetHopLimit()), int(size), req.GetDontFragment()
	return shot, wait, nil
}

// outcome is an answer as the API has it.
func outcome(a probe.Answer) *vbrv1.ProbeResponse {
	out := &vbrv1.ProbeResponse{Mtu: uint32(a.MTU), Reason: a.Reason, RttMs: float64(a.RTT.Microseconds()) / 1000}
	out.Outcome = map[probe.Outcome]vbrv1.ProbeResponse_Outcome{
		probe.Lost: vbrv1.ProbeResponse_OUTCOME_LOST, probe.EchoReply: vbrv1.ProbeResponse_OUTCOME_ECHO_REPLY, probe.TimeExceeded: vbrv1.ProbeResponse_OUTCOME_TIME_EXCEEDED,
		probe.TooBig: vbrv1.ProbeResponse_OUTCOME_TOO_BIG, probe.Unreachable: vbrv1.ProbeResponse_OUTCOME_UNREACHABLE,
	}[a.Outcome]
	if a.From.IsValid() {
		out.From = a.From.String()
	}
	return out
}

// shots counts the probes that are under way.
type shots struct{ crowd }

func (s *shots) take(router string) error {
	return s.crowd.take(router, "probes", shotsPerRouter, shotsPerHost)
}

// crowd counts what is under way on behalf of callers.
type crowd struct {
	mu  sync.Mutex
	of  map[string]int // by router
	all int
}

// take counts one more of a router, or says that there are too many.
func (c *crowd) take(router, what string, perRouter, perHost int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.of[router] >= perRouter:
		return &BusyError{what + " of router " + router, perRouter}
	case c.all >= perHost:
		return &BusyError{what + " of this host", perHost}
	case c.of == nil:
		c.of = map[string]int{}
	}
	c.of[router]++
	c.all++
	return nil
}

// give takes one back.
func (c *crowd) give(router string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all--; c.of[router] > 1 {
		c.of[router]--
	} else {
		delete(c.of, router)
	}
}
