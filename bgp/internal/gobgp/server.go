package gobgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/config/oc"
	"github.com/osrg/gobgp/v4/pkg/server"

	"github.com/openvbr/openvbr/bgp/internal/out"
	"github.com/openvbr/openvbr/bgp/internal/wire"
	"github.com/openvbr/openvbr/internal/fault"
)

const (
	// closeWithin bounds Close.
	closeWithin = 2 * time.Second
	// listenRetry bounds how long Start waits for an address to become usable: an IPv6
	// address is not while duplicate address detection runs (RFC 4862 5.4).
	listenRetry = 3 * time.Second
	// defaultDeferral replaces GoBGP's 360 s.
	defaultDeferral = 15 * time.Second
	// sendHold and openTime are the defaults of Config.
	sendHold = 30 * time.Second
	openTime = 10 * time.Second
	// maxRestartTime is what the capability's 12 bits hold (RFC 4724 3).
	maxRestartTime = 4095 * time.Second
)

// Config is one server's.
type Config struct {
	ASN          uint32
	RouterID     netip.Addr   // IPv4
	Device       string       // bind listeners and diallers to this device; "": none
	Listen       []netip.Addr // empty: dial only
	Port         uint16       // 0: 179
	Families     Families     // what the server's tables are made for
	RestartTime  time.Duration
	DeferralTime time.Duration // 0: 15 s
	Restarting   Families      // those of which the kernel still has routes from before
	Log          *slog.Logger  // nil: no log

	SendHold time.Duration // RFC 9687: how long a message may take to be sent; 0: 30 s
	OpenTime time.Duration // how long a connection may be without a session; 0: 10 s
}

// Events receives what happens, one call at a time, from no particular goroutine. A call must not use the Server.
type Events interface {
	PeerState(PeerState)
	// Update is one UPDATE of a peer whose session is up, as it comes from the wire, judged, on the goroutine that reads the connection: GoBGP has the
	// session, and never sees a route of the peer's. While a call runs, the peer's next message waits, and the peer with it. The body is good until the
	// call returns.
	Update(peer netip.Addr, session *wire.Session, body []byte)
	// EndOfRIB is of a family that the session has.
	EndOfRIB(peer netip.Addr, family Families)
}

// Opener is what an Events may also be.
type Opener interface {
	// Opened: a session has come up, and PeerState follows.
	Opened(Opened)
}

// Opened is how a session came up.
type Opened struct {
	Peer, Local    netip.AddrPort
	ASN            uint32
	RouterID       netip.Addr
	Sent, Received []byte // the OPEN messages as they were on the wire
	At             time.Time
}

// Server is a running GoBGP server.
type Server struct {
	cfg     Config
	bgp     *server.BgpServer
	events  Events
	notes   *notes
	log     *slog.Logger
	started time.Time

	run    context.Context    // until Close
	cancel context.CancelFunc // ends the event stream and the watchdog
	wg     sync.WaitGroup     // Serve and the watchdog

	// configMu orders changes of the neighbours.
	configMu   sync.Mutex
	neighbours map[netip.Addr]Neighbour
	machines   machines
	dials      dials
	door       *door

	rib     *out.RIB       // what we tell
	tells   tells          // whom
	writers sync.WaitGroup // those that tell

	// callMu makes handler calls one at a time. Nothing else is locked while it is taken.
	callMu sync.Mutex
	closed bool
	// closing ends a call that takes long.
	closing atomic.Bool
	ceases  atomic.Pointer[map[netip.Addr]Cease] // the neighbours that are to have no session

	// stateMu guards sessions, briefly.
	stateMu  sync.Mutex
	sessions map[netip.Addr]*session
	opens    map[netip.Addr]opens
	heard    map[netip.Addr]*heard
	counted  counted

	far   far // the watchdog's
	stood standstill
}

// Start opens the listeners, which let nobody in but neighbours, and starts the server without any. ctx bounds the start only. An address that is not on the device yet, or still under duplicate address detection, is
// retried for up to three seconds.
func Start(ctx context.Context, cfg Config, events Events) (*Server, error) {
	if err := errors.Join(cfg.check(), checkInside()); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(listenRetry)
	for {
		s, err := start(ctx, cfg, events)
		if !errors.Is(err, syscall.EADDRNOTAVAIL) || time.Now().After(deadline) {
			return s, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// exists asks the kernel for one device by name; net.InterfaceByName dumps them all.
func exists(device string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(device)
	if err != nil {
		return err
	}
	return unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, r)
}

// limits sets what is not set.
func (c *Config) limits() {
	if c.SendHold == 0 {
		c.SendHold = sendHold
	}
	if c.OpenTime == 0 {
		c.OpenTime = openTime
	}
}

func (c *Config) check() error {
	if c.ASN == 0 {
		return errors.New("AS number 0: must be 1..4294967295")
	}
	if !c.RouterID.Is4() || c.RouterID.IsUnspecified() {
		return fmt.Errorf("router id %v: must be an IPv4 address other than 0.0.0.0", c.RouterID)
	}
	if c.RestartTime < 0 || c.RestartTime > maxRestartTime {
		return fmt.Errorf("restart time %v: must be 0..%v", c.RestartTime, maxRestartTime)
	}
	for _, a := range c.Listen {
		if !a.IsValid() || a.Is4In6() {
			return fmt.Errorf("listen address %v: must be an IPv4 or IPv6 address", a)
		}
	}
	if c.Device != "" {
		if err := exists(c.Device); err != nil {
			return fmt.Errorf("device %s: %w", c.Device, err)
		}
	}
	return nil
}

func start(ctx context.Context, cfg Config, events Events) (*Server, error) {
	if cfg.Port == 0 {
		cfg.Port = 179
	}
	if cfg.DeferralTime <= 0 {
		cfg.DeferralTime = defaultDeferral
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.limits()
	n := &notes{}
	s := &Server{
		cfg: cfg, events: events, notes: n, log: cfg.Log, started: time.Now(),
		neighbours: map[netip.Addr]Neighbour{},
		sessions:   map[netip.Addr]*session{},
		opens:      map[netip.Addr]opens{},
		heard:      map[netip.Addr]*heard{},
		dials:      dials{of: map[netip.Addr]*dial{}},
		rib:        out.New(),
		counted:    newCounted(),
	}
	logger := slog.New(&logHandler{next: cfg.Log.Handler(), notes: n, hooks: hooks{
		up: s.onUp, state: s.onState,
	}})
	s.run, s.cancel = context.WithCancel(context.Background())
	s.door = newDoor(s)
	s.bgp = server.NewBgpServer(server.LoggerOption(logger, nil))
	innerAccept(s.bgp, s.door.accepted)
	s.wg.Go(s.bgp.Serve)

	if err := s.configure(ctx); err != nil {
		s.cancel()
		return nil, errors.Join(err, s.stop(false))
	}
	s.wg.Go(func() { s.watch(s.run) })
	return s, nil
}

func (s *Server) configure(ctx context.Context) error {
	err := ordered.start(s, func() error {
		return s.bgp.StartBgp(ctx, &api.StartBgpRequest{Global: s.cfg.global()})
	})
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if err = s.bgp.WatchEvent(s.run, server.WatchEventMessageCallbacks{OnPeerUpdate: s.onPeer}, server.WatchPeer()); err != nil {
		return fmt.Errorf("events: %w", err)
	}
	if err := fault.Around("speaker.start", func() error { return s.door.listenAll(ctx) }); err != nil { // last: until the neighbours are set, a SYN is lost
		return fmt.Errorf("start: %w", err)
	}
	return nil
}

func (c *Config) global() *api.Global {
	g := &api.Global{
		Asn:          c.ASN,
		RouterId:     c.RouterID.String(),
		ListenPort:   -1, // the door listens
		BindToDevice: c.Device,
	}
	for _, k := range known {
		if c.Families.Has(k.set) {
			// An index into GoBGP's own list, not afi<<16|safi. Unset, the server makes
			// tables for all of them: 10 MB.
			g.Families = append(g.Families, uint32(oc.AfiSafiTypeToIntMap[oc.AfiSafiType(k.family.String())]))
		}
	}
	return g
}

// Close ends all sessions and the server, within two seconds. With goodbye each peer gets a
// Cease NOTIFICATION and forgets our routes. Without, connections are closed without a word, as
// if the process had died, and peers that agreed on graceful restart keep our routes; a peer
// that did not gets the Cease even so (GoBGP leaves no choice, and it has nothing to keep).
//
// When Close returns, no handler call runs or follows, and all goroutines are gone or, after an
// error, still on their way out.
func (s *Server) Close(goodbye bool) error {
	s.closing.Store(true)
	s.callMu.Lock()
	again := s.closed
	s.closed = true
	s.callMu.Unlock()
	if again {
		return nil
	}
	s.cancel()
	done := make(chan error, 1)
	go func() { done <- s.stop(goodbye) }()
	select {
	case err := <-done:
		return err
	case <-time.After(closeWithin):
		return fmt.Errorf("close: server still busy after %v", closeWithin)
	}
}

func (s *Server) stop(goodbye bool) error {
	if goodbye {
		// StopBgp would say that the peer is no longer configured. It fails before the start only.
		// One by one: for all at once GoBGP encodes one message in all their goroutines.
		s.configMu.Lock()
		for peer := range s.neighbours {
			_ = s.bgp.ShutdownPeer(context.Background(), &api.ShutdownPeerRequest{Address: peer.String()})
		}
		s.configMu.Unlock()
	}
	s.stopDials()
	err := errors.Join(s.door.close(), s.bgp.StopBgp(context.Background(), &api.StopBgpRequest{AllowGracefulRestart: !goodbye}))
	s.wg.Wait()
	s.door.drain()
	s.writers.Wait() // their connections are closed
	ordered.stop(s)
	s.bgp.Stop() // ends the BFD server; the rest is stopped already, which it complains about
	return err
}

// seconds rounds up to GoBGP's granularity.
func seconds(d time.Duration) uint64 {
	return uint64(math.Ceil(d.Seconds()))
}
