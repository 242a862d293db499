package vbr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/vbr/events"
)

// ErrNoRouter says that a name is of no router of this host. Errors that wrap it name the router.
var ErrNoRouter = errors.New("no such router on this host")

func noRouter(name string) error { return fmt.Errorf("router %q: %w", name, ErrNoRouter) }

// RequestError is a field of a request with a value that is not legal.
type RequestError struct {
	Field string // as in the .proto
	Value string
	Legal string // what would be
}

func (e *RequestError) Error() string {
	return fmt.Sprintf("%s: %q; legal: %s", e.Field, e.Value, e.Legal)
}

// Events are what happened to the host's routers.
func (h *Host) Events() *events.Log { return h.events }

// ResetSession resets the router's session with a peer, or with the zero address all that are established, and returns how many. The
// peer is told Cease, administrative reset (RFC 4486), and the session comes up again within seconds. With soft no session ends: the peer is told
// all again, and asked to do the same (RFC 2918); one that does not offer that is an error, and has been told all. No other session is touched.
//
// The error is a *RequestError for a peer that the router does not have, a *RefusedError for one that is not asked, or wraps ErrNoRouter. A session that is not established is not counted.
func (h *Host) ResetSession(router string, peer netip.Addr, soft bool) (int, error) {
	r := h.router(router)
	if r == nil {
		return 0, noRouter(router)
	}
	peers, speaker, err := r.toReset(peer)
	if err != nil || speaker == nil {
		return 0, err
	}
	reset := func(ctx context.Context, peer netip.Addr) error {
		return speaker.Reset(ctx, peer, "reset by the operator")
	}
	if soft {
		reset = speaker.Refresh
	}
	n := 0
	var errs []error
	for _, p := range peers {
		switch err := reset(context.Background(), p); {
		case err == nil:
			n++
			r.log.Info("session reset by the operator", "peer", p, "soft", soft)
		case errors.Is(err, bgp.ErrNoRefresh):
			errs = append(errs, &RefusedError{fmt.Sprintf("peer %v: told all again, but %v", p, bgp.ErrNoRefresh)})
		case !errors.Is(err, bgp.ErrNotUp):
			errs = append(errs, err)
		}
	}
	return n, errors.Join(errs...)
}

// toReset are the peers meant, and the speaker that has them, nil between lives.
func (r *router) toReset(peer netip.Addr) (peers []netip.Addr, speaker speaker, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.spec.peers {
		peers = append(peers, p.Address)
	}
	if !peer.IsValid() {
		r.letIn(peers)
		return peers, r.speaker, nil
	}
	if !slices.Contains(peers, peer) {
		legal := "empty for all: the router has no peers"
		if len(peers) > 0 {
			legal = "empty for all, or one of " + strings.Join(texts(peers), ", ")
		}
		return nil, nil, &RequestError{"peer", peer.String(), legal}
	}
	r.letIn([]netip.Addr{peer})
	return []netip.Addr{peer}, r.speaker, nil
}
