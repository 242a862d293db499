package bgp

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/gobgp"
	"github.com/openvbr/openvbr/bgp/internal/monitor"
	"github.com/openvbr/openvbr/bgp/internal/wire"
	"github.com/openvbr/openvbr/internal/fault"
)

// Config is a speaker's, fixed for its life.
type Config struct {
	Router   string     // the virtual border router's name, for logs only
	ASN      uint32     // local AS, 1..4294967295
	RouterID netip.Addr // IPv4
	// Device is the VRF device that listeners and diallers are bound to: a packet that did not
	// come in through that VRF does not reach them. "": the namespace's main table. A speaker
	// does not outlive its device: when that was recreated, start another speaker.
	Device string
	// Listen are the addresses to listen on; empty: dial only. The unspecified one of a family stands for all that
	// Device's VRF has, now and later.
	Listen []netip.Addr
	Port   uint16 // to listen on; 0: 179
	// RestartTime is what peers are asked to wait for us after a broken session (RFC 4724),
	// up to 4095 s. 0: no graceful restart, not as a helper either.
	RestartTime time.Duration
	// DeferralTime is how long after a restart advertisements may be held back for peers'
	// End-of-RIB; 0: 15 s. RFC 4724 calls it Selection_Deferral_Timer.
	DeferralTime time.Duration
	// Restarting sets the R and F bits towards peers with one of these families: we have just restarted, and this boot's
	// kernel still forwards by the routes of that family from before. Advertise before SetPeers then.
	Restarting Families
	SendHold   time.Duration // how long a message may take to be sent before the session ends (RFC 9687); 0: 30 s
	OpenTime   time.Duration // how long a connection may be without a session; 0: 10 s
	// Monitor shows the peers' announcements to collectors; nil: none. They know the router by its name, and by the kernel's table of its VRF, 0 for the
	// namespace's main one.
	Monitor *Monitor
	Table   uint32
	Log     *slog.Logger // nil: no log. Session changes are not logged: Handler tells them.
}

// Peer is one neighbour's configuration.
type Peer struct {
	Address, LocalAddress netip.Addr // LocalAddress: to dial from; zero: the kernel's choice
	Port                  uint16     // to dial; 0: 179
	ASN, LocalASN         uint32     // LocalASN 0: Config.ASN
	Password              string     // TCP MD5, at most 80 bytes; "": none. Never logged.
	// Zero means 30 s, 10 s, 5 s. GoBGP counts whole seconds. There are up to 2 s before the
	// first attempt to connect, and 5 s after a session broke.
	HoldTime, KeepaliveInterval, ConnectRetry time.Duration
	// IPv4 and IPv6 choose the families; none: that of Address. IPv6 needs an IPv6 Address,
	// since the session's own address is the next hop. IPv4 on an IPv6 session has an IPv6
	// next hop (RFC 8950).
	IPv4, IPv6 bool
	Passive    bool // never dial
	// GTSM (RFC 5082) takes nothing that does not arrive with TTL 255: the peer must send with that. We do in any case. A peer
	// that does not is told as the reason of PeerState.
	GTSM bool
	// LongLived is how long routes are held, as a last resort, beyond graceful restart (RFC 9494): ours at the peer, and the peer's here, unless it asks for
	// less. Whole seconds up to 16777215; 0: not at all. It needs Config.RestartTime.
	LongLived time.Duration
	// Export names the table that the neighbour is told: see Advertise. "" is one too. It may change at any time: the neighbour is told the difference.
	Export string
	// Wait has a neighbour that SetPeers adds be told nothing before Tell. What it says of one that is there already means nothing.
	Wait bool
	// Role is ours towards the peer, which is told and has to have the other one of the pair (RFC 9234 4.2); 0: none is told and none asked for. With
	// StrictRole a peer that tells none is refused. A change resets the session.
	Role       Role
	StrictRole bool
	// Down other than 0: the neighbour is to have no session, and the one that it has ends by this.
	Down Cease
}

// These are shared with package bgp/evpn: the same type under two names.
type (
	// PeerState is one change of a session.
	PeerState = gobgp.PeerState
	// GracefulRestart is the part of a PeerState that RFC 4724 is about.
	GracefulRestart = gobgp.GracefulRestart
	// PeerStatus is a snapshot of one neighbour; never with the password.
	PeerStatus = gobgp.PeerStatus
	// Families is a set of address families.
	Families = gobgp.Families
	// Role is a BGP role (RFC 9234 4.1).
	Role = wire.Role
	// Cease is why a neighbour is to have no session (RFC 4486 4).
	Cease = gobgp.Cease
)

// Why a neighbour that is configured has no session.
const (
	MaximumPrefixes        = gobgp.MaximumPrefixes
	AdministrativeShutdown = gobgp.AdministrativeShutdown
)

// The roles that matter to a provider.
const (
	RoleProvider = wire.Provider
	RoleCustomer = wire.Customer
	RolePeer     = wire.LateralPeer
)

// These are of package monitor.
type (
	// Monitor shows what the peers of all its speakers announce to collectors, by BMP (RFC 7854) and MRT (RFC 6396). Its Run has it work.
	Monitor = monitor.Hub
	// MonitorConfig is a Monitor's.
	MonitorConfig = monitor.Config
	// MRT says what a Monitor dumps into files.
	MRT = monitor.MRT
)

// NewMonitor makes a Monitor.
func NewMonitor(cfg MonitorConfig) *Monitor { return monitor.New(cfg) }

// The families of this package.
const (
	IPv4 = gobgp.IPv4
	IPv6 = gobgp.IPv6
)

// Handler is told what happens. Calls come one at a time: per peer in wire order, between a
// PeerState with Established and the next without, except that a peer's state may be told at any
// time. A call must not use the Speaker, and must be quick: the peers wait meanwhile, by TCP.
type Handler interface {
	Update(Update)
	PeerState(PeerState)
	// EndOfRIB: the peer has sent all it has of a family (RFC 4724 2). Peers without graceful
	// restart send none, or only some.
	EndOfRIB(peer netip.Addr, v6 bool)
}

// RefreshHandler is what a Handler may also be, to know when a peer repeats what it has told: see Speaker.Refresh.
type RefreshHandler interface {
	// BeginRefresh: the peer will be asked to repeat all that it offers, and does so by Updates like any others. With false it is not asked.
	BeginRefresh(peer netip.Addr) bool
	// EndRefresh: the peer has repeated all, as far as that can be known: no UPDATE has come for two seconds, or it has had five minutes. It does not
	// come when the session ends before.
	EndRefresh(peer netip.Addr)
}

// sentTTL is what our packets leave with.
const sentTTL = 255

var (
	// ErrNotUp says that a neighbour has no established session.
	ErrNotUp = gobgp.ErrNotUp
	// ErrNoRefresh says that a neighbour has not offered to repeat its routes.
	ErrNoRefresh = gobgp.ErrNoRefresh
)

// Speaker is a running BGP speaker. Its methods may be called from any goroutine.
type Speaker struct {
	server *gobgp.Server
	asn    uint32
	source *monitor.Source
}

// Start opens the listeners. Before SetPeers no session begins, and after a restart who dials gets no answer. ctx bounds the start only, which
// may take up to three seconds when an address is not usable yet.
func Start(ctx context.Context, cfg Config, h Handler) (*Speaker, error) {
	log := cfg.Log
	if log != nil && cfg.Router != "" {
		log = log.With("router", cfg.Router)
	}
	source := cfg.Monitor.Add(cfg.Router, cfg.Table, cfg.RouterID)
	s, err := gobgp.Start(ctx, gobgp.Config{
		ASN: cfg.ASN, RouterID: cfg.RouterID, Device: cfg.Device, Listen: cfg.Listen, Port: cfg.Port,
		Families:    IPv4 | IPv6,
		RestartTime: cfg.RestartTime, DeferralTime: cfg.DeferralTime, Restarting: cfg.Restarting,
		SendHold: cfg.SendHold, OpenTime: cfg.OpenTime,
		Log: log,
	}, events{h, source})
	if err != nil {
		source.Close()
		return nil, fmt.Errorf("bgp: %w", err)
	}
	return &Speaker{s, cfg.ASN, source}, nil
}

// SetPeers makes the neighbours be exactly these. It may be called again at any time: a
// neighbour that did not change is not touched, one whose timers alone changed keeps its session
// (they apply from the next one on), so does one whose Export alone changed, and so does one whose password alone changed from one to another: the live connection
// gets the new key, and the old one is dead. Any other change resets it. A removed neighbour gets a Cease, and its key is
// removed from the kernel.
//
// Nothing is done when one of the peers is unacceptable. Later errors concern single peers,
// which the message names; the others are done.
func (s *Speaker) SetPeers(peers []Peer) error {
	l := make([]gobgp.Neighbour, 0, len(peers))
	for _, p := range peers {
		f := p.families()
		if f.Has(IPv6) && p.Address.Is4() {
			return fmt.Errorf("bgp: peer %v: IPv6 routes need a session over IPv6", p.Address)
		}
		n := gobgp.Neighbour{
			Address: p.Address, LocalAddress: p.LocalAddress, Port: p.Port, ASN: p.ASN, LocalASN: p.LocalASN,
			Password: p.Password, HoldTime: p.HoldTime, KeepaliveInterval: p.KeepaliveInterval,
			ConnectRetry: p.ConnectRetry, Families: f, Passive: p.Passive, GTSM: p.GTSM, LongLived: p.LongLived, Wait: p.Wait, Export: p.Export,
			Role: p.Role, StrictRole: p.StrictRole, Down: p.Down,
		}
		if !p.GTSM {
			n.Multihop = sentTTL // the peer may want it of us
		}
		l = append(l, n)
	}
	if err := fault.Around("session.peers", func() error { return s.server.SetPeers(l) }); err != nil {
		return fmt.Errorf("bgp: %w", err)
	}
	return nil
}

func (p *Peer) families() (f Families) {
	if p.IPv4 || !p.IPv6 && p.Address.Is4() {
		f |= IPv4
	}
	if p.IPv6 || !p.IPv4 && !p.Address.Is4() {
		f |= IPv6
	}
	return f
}

// Status is a snapshot of all neighbours, sorted by address. It returns within the time, however many routes there are: the
// counters of messages may be those of a few seconds ago.
func (s *Speaker) Status(within time.Duration) []PeerStatus { return s.server.Status(within) }

// Reset ends a neighbour's session by a Cease with the subcode Administrative Reset (RFC 4486 4); it comes up again after five seconds,
// or when the peer dials. The peer is told why (RFC 9003). The error wraps ErrNotUp when there is no session.
func (s *Speaker) Reset(ctx context.Context, peer netip.Addr, why string) error {
	if err := fault.Around("session.reset", func() error { return s.server.Reset(ctx, peer, why) }); err != nil {
		return fmt.Errorf("bgp: peer %v: %w", peer, err)
	}
	return nil
}

// Refresh tells a neighbour all again, and asks it to do the same (RFC 2918), without an interruption of the session. It does not wait for the answer:
// see RefreshHandler. The error wraps ErrNotUp when there is no session, and ErrNoRefresh when the neighbour cannot be asked; it is told all even so.
func (s *Speaker) Refresh(_ context.Context, peer netip.Addr) error {
	if err := fault.Around("session.refresh", func() error { return s.server.Refresh(peer) }); err != nil {
		return fmt.Errorf("bgp: peer %v: %w", peer, err)
	}
	return nil
}

// Tell ends a neighbour's Wait: it is told all that is advertised, now if its session is up. One that does not wait is told nothing again.
func (s *Speaker) Tell(_ context.Context, peer netip.Addr) error {
	err := fault.Around("session.tell", func() error { s.server.Tell(peer); return nil })
	if err != nil {
		return fmt.Errorf("bgp: peer %v: %w", peer, err)
	}
	return nil
}

// Close ends the speaker within two seconds. With goodbye, peers get a Cease NOTIFICATION and drop
// our routes. Without, connections just close, as in a crash, so that graceful restart holds our
// routes at the peers that agreed to it (a peer that did not still gets a Cease).
//
// When it returns no handler call runs or follows. On an error, goroutines may still be ending.
func (s *Speaker) Close(goodbye bool) error {
	defer s.source.Close()
	if err := fault.Around("session.stop", func() error { return s.server.Close(goodbye) }); err != nil {
		return fmt.Errorf("bgp: %w", err)
	}
	return nil
}
