package evpn

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/gobgp"
	"github.com/openvbr/openvbr/bgp/internal/out"
	"github.com/openvbr/openvbr/internal/fault"
)

// Config is a speaker's, fixed for its life. Fields without a word mean what they do in bgp.Config.
type Config struct {
	ASN          uint32
	RouterID     netip.Addr
	VTEP         netip.Addr // next hop of a Route that names none
	Listen       []netip.Addr
	Port         uint16
	Device       string // the backbone is in no tenant's VRF: "" as a rule
	RestartTime  time.Duration
	DeferralTime time.Duration
	Restarting   bool
	Log          *slog.Logger
}

// Peer is one neighbour on the backbone. Fields without a word mean what they do in bgp.Peer.
type Peer struct {
	Address, LocalAddress                     netip.Addr
	Port                                      uint16
	ASN                                       uint32 // Config.ASN: iBGP
	Password                                  string
	HoldTime, KeepaliveInterval, ConnectRetry time.Duration
	Multihop                                  uint8 // TTL towards an eBGP peer; 0: directly connected. iBGP needs none.
	Passive                                   bool
}

// These are shared with package bgp: the same type under two names.
type (
	// PeerState is one change of a session.
	PeerState = gobgp.PeerState
	// GracefulRestart is the part of a PeerState that RFC 4724 is about.
	GracefulRestart = gobgp.GracefulRestart
	// PeerStatus is a snapshot of one neighbour; never with the password.
	PeerStatus = gobgp.PeerStatus
	// Families is a set of address families.
	Families = gobgp.Families
)

// EVPN is the family of this package.
const EVPN = gobgp.EVPN

// Update is what one UPDATE message changed. Apply Withdrawn before Announced. A route that has to
// be dropped comes as a withdrawal of its key, since it replaces what the peer announced before.
// Routes share slices, which nobody may change.
type Update struct {
	Peer      netip.Addr
	Announced []Route
	Withdrawn []Key
}

// Handler is told what happens, under the same rules as bgp.Handler: one call at a time, and a call must not use the Speaker, and must be quick, since
// the peers wait meanwhile, by TCP.
type Handler interface {
	Update(Update)
	PeerState(PeerState)
	EndOfRIB(peer netip.Addr)
}

// Speaker is a running EVPN speaker. Its methods may be called from any goroutine.
type Speaker struct {
	server *gobgp.Server
	vtep   netip.Addr
	events *events
}

// Start opens the listeners. No session begins before SetPeers. ctx bounds the start only.
func Start(ctx context.Context, cfg Config, h Handler) (*Speaker, error) {
	if !vtep(cfg.VTEP) {
		return nil, fmt.Errorf("evpn: VTEP %v: must be a unicast address", cfg.VTEP)
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	e := newEvents(h, log, cfg.ASN, cfg.RouterID)
	var held gobgp.Families
	if cfg.Restarting {
		held = EVPN
	}
	s, err := gobgp.Start(ctx, gobgp.Config{
		ASN: cfg.ASN, RouterID: cfg.RouterID, Device: cfg.Device, Listen: cfg.Listen, Port: cfg.Port,
		Families:    EVPN,
		RestartTime: cfg.RestartTime, DeferralTime: cfg.DeferralTime, Restarting: held,
		Log: log,
	}, e)
	if err != nil {
		return nil, fmt.Errorf("evpn: %w", err)
	}
	return &Speaker{server: s, vtep: cfg.VTEP, events: e}, nil
}

// SetPeers makes the neighbours be exactly these, under the same rules as in package bgp.
func (s *Speaker) SetPeers(peers []Peer) error {
	l := make([]gobgp.Neighbour, 0, len(peers))
	for _, p := range peers {
		l = append(l, gobgp.Neighbour{
			Address: p.Address, LocalAddress: p.LocalAddress, Port: p.Port, ASN: p.ASN, Password: p.Password,
			HoldTime: p.HoldTime, KeepaliveInterval: p.KeepaliveInterval, ConnectRetry: p.ConnectRetry,
			Families: EVPN, Passive: p.Passive, Multihop: p.Multihop,
		})
	}
	if err := fault.Around("evpn.peers", func() error { return s.server.SetPeers(l) }); err != nil {
		return fmt.Errorf("evpn: %w", err)
	}
	return nil
}

// Export announces routes to all peers, now and when they come up. A route replaces an earlier
// one with the same key; one that equals it is not sent again. Nothing is done when one route is
// unacceptable. NO_ADVERTISE, NO_EXPORT and NO_EXPORT_SUBCONFED (RFC 1997) keep a route from the peers that it is not for.
// Withdraw a route first when nothing but its VNI changes: FRR 8.4 as a reflector
// takes such a change but does not pass it on.
func (s *Speaker) Export(routes []Route) error {
	l := make([]out.Route, 0, len(routes))
	enc := encoder{}
	for _, r := range routes {
		if !r.NextHop.IsValid() {
			r.NextHop = s.vtep
		}
		x, err := enc.encode(&r)
		if err != nil {
			return fmt.Errorf("evpn: export %v: %w", r.Key, err)
		}
		l = append(l, x)
	}
	if err := fault.Around("evpn.export", func() error { return s.server.Announce("", l) }); err != nil {
		return fmt.Errorf("evpn: export: %w", err)
	}
	return nil
}

// Withdraw takes exported routes back. A key that is not exported is no error.
func (s *Speaker) Withdraw(keys []Key) error {
	l := make([]out.Key, 0, len(keys))
	for _, k := range keys {
		if !k.RD.IsValid() || !k.Prefix.IsValid() {
			return fmt.Errorf("evpn: withdraw %v: %w", k, errPrefix)
		}
		l = append(l, k.key())
	}
	if err := fault.Around("evpn.withdraw", func() error { return s.server.Withdraw("", l) }); err != nil {
		return fmt.Errorf("evpn: withdraw: %w", err)
	}
	return nil
}

// Untold says why no peer is told a route that is exported; empty if one is, or if there is no session.
func (s *Speaker) Untold(k Key) string { return s.server.UntoldToAll(k.key()) }

// Dropped counts received routes that were not handed up, by reason. "not a type-5 route" counts
// the other EVPN types, which are no fault.
func (s *Speaker) Dropped() map[Reason]uint64 {
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	return maps.Clone(s.events.dropped)
}

// Status is a snapshot of all neighbours, sorted by address, within the time; see bgp.Speaker.
func (s *Speaker) Status(within time.Duration) []PeerStatus { return s.server.Status(within) }

// Close ends the speaker within two seconds, with or without a word to the peers; see bgp.Speaker.
func (s *Speaker) Close(goodbye bool) error {
	if err := fault.Around("evpn.stop", func() error { return s.server.Close(goodbye) }); err != nil {
		return fmt.Errorf("evpn: %w", err)
	}
	return nil
}
