package evpn

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"

	"github.com/openvbr/openvbr/bgp/internal/gobgp"
	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// events turns what the server reports into handler calls.
type events struct {
	h   Handler
	log *slog.Logger
	asn uint32
	id  netip.Addr // our router id

	held held // only for handler calls, and what runs between them

	mu      sync.Mutex
	dropped map[Reason]uint64
}

var _ gobgp.Events = (*events)(nil)

func newEvents(h Handler, log *slog.Logger, asn uint32, id netip.Addr) *events {
	return &events{h: h, log: log, asn: asn, id: id, held: held{}, dropped: map[Reason]uint64{}}
}

// PeerState implements gobgp.Events. A session begins without routes, and ends so.
func (e *events) PeerState(s gobgp.PeerState) {
	delete(e.held, s.Peer)
	e.h.PeerState(s)
}

// EndOfRIB implements gobgp.Events.
func (e *events) EndOfRIB(peer netip.Addr, f gobgp.Families) {
	if f == EVPN {
		e.h.EndOfRIB(peer)
	}
}

// Update implements gobgp.Events.
func (e *events) Update(peer netip.Addr, session *wire.Session, body []byte) {
	o := session.Overlay(body)
	u := Update{Peer: peer}
	var a *attributes
	if o.Attrs != nil {
		a = e.readAttributes(&o)
	}
	e.each(peer, o.Announced, func(p *prefixRoute) error {
		r, err := a.announce(p)
		if err != nil {
			u.Withdrawn = append(u.Withdrawn, p.Key)
			return err
		}
		u.Announced = append(u.Announced, r)
		return nil
	})
	e.each(peer, o.Withdrawn, func(p *prefixRoute) error {
		u.Withdrawn = append(u.Withdrawn, p.Key)
		return nil
	})
	if u.Announced != nil || u.Withdrawn != nil {
		e.held.update(&u, a)
		e.h.Update(u)
	}
}

// each reads the type-5 routes that there are, and counts those of which reading or do says what is wrong.
func (e *events) each(peer netip.Addr, routes []byte, do func(*prefixRoute) error) {
	for len(routes) > 0 {
		typ, value, rest := wire.Route(routes)
		routes = rest
		if typ != typePrefix {
			e.count(errOtherRoute)
			continue
		}
		p, err := readPrefix(value)
		if err == nil {
			err = do(&p)
		}
		if err != nil {
			e.drop(peer, value, err)
		}
	}
}

func (e *events) drop(peer netip.Addr, value []byte, err error) {
	reason, _ := errors.AsType[Reason](err)
	level := slog.LevelDebug
	if first := e.count(reason); first && reason == errTargets { // well-formed and meant for somebody: worth a line, once
		level = slog.LevelWarn
	}
	if e.log.Enabled(context.Background(), level) {
		e.log.Log(context.Background(), level, "evpn route dropped", "peer", peer, "prefix", describe(value), "err", reason)
	}
}

// count says whether it was the first one for this reason.
func (e *events) count(r Reason) (first bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dropped[r]++
	return e.dropped[r] == 1
}
