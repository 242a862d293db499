package gobgp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// Connections to neighbours are made here, and GoBGP takes all its neighbours for passive: of a connection that it made itself, the OPEN messages
// would go past the guard. As GoBGP does, a connection is made known to the neighbour's state machine once its OPEN has come, and the state machine
// decides which one stays if the neighbour has made one too (RFC 4271 6.8).

const (
	// dialFirst is the longest pause before the first connection, and after one on which the neighbour did not say the right thing. Pauses are 75
	// to 100 percent of what they are to be (RFC 4271 10).
	dialFirst = 2 * time.Second
	// sendOpen is how long an OPEN may take to be sent.
	sendOpen = time.Second
)

// dials are the goroutines that connect to neighbours, at most one for each.
type dials struct {
	mu sync.Mutex
	of map[netip.Addr]*dial
}

// dial is one of them.
type dial struct {
	cancel    context.CancelFunc
	ended     chan struct{}
	connected atomic.Bool
}

// dial makes connections to a neighbour that is not passive, until one has brought its OPEN or stopDial is called.
func (s *Server) dial(peer netip.Addr) {
	s.dials.mu.Lock()
	defer s.dials.mu.Unlock()
	if d := s.dials.of[peer]; d != nil {
		select {
		case <-d.ended:
		default:
			return
		}
	}
	ctx, cancel := context.WithCancel(s.run)
	d := &dial{cancel: cancel, ended: make(chan struct{})}
	s.dials.of[peer] = d
	go func() {
		defer close(d.ended)
		defer cancel()
		s.dialUntil(ctx, peer, d)
	}()
}

// stopDial returns when no connection follows. With connecting only, one on which an OPEN is awaited stays.
func (s *Server) stopDial(peer netip.Addr, connecting bool) {
	s.dials.mu.Lock()
	d := s.dials.of[peer]
	if d == nil || connecting && d.connected.Load() {
		s.dials.mu.Unlock()
		return
	}
	delete(s.dials.of, peer)
	s.dials.mu.Unlock()
	d.cancel()
	<-d.ended
}

// stopDials ends all.
func (s *Server) stopDials() {
	s.dials.mu.Lock()
	all := s.dials.of
	s.dials.of = map[netip.Addr]*dial{}
	s.dials.mu.Unlock()
	for _, d := range all {
		d.cancel()
		<-d.ended
	}
}

func (s *Server) dialUntil(ctx context.Context, peer netip.Addr, d *dial) {
	for pause := dialFirst; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause*3/4 + rand.N(pause/4)):
		}
		n, ok := s.door.neighbour(peer)
		if !ok || n.Passive || s.door.live(peer) != nil { // about to be let in, or changed meanwhile
			continue
		}
		pause = max(n.ConnectRetry, dialFirst)
		tcp, err := s.connect(ctx, n)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.notes.failed(peer.String(), "cannot connect: "+err.Error())
			continue
		}
		d.connected.Store(true)
		if s.greet(ctx, s.door.dialled(tcp, n)) {
			return
		}
		d.connected.Store(false)
		pause = dialFirst
	}
}

// connect makes a connection; nil with an error.
func (s *Server) connect(ctx context.Context, n Neighbour) (*net.TCPConn, error) {
	dialler := net.Dialer{
		Timeout: max(n.ConnectRetry-time.Second, dialFirst), KeepAlive: -1,
		Control: func(_, _ string, c syscall.RawConn) (err error) {
			return errors.Join(c.Control(func(fd uintptr) { err = s.prepareDial(int(fd), n) }), err)
		},
	}
	dialler.SetMultipathTCP(false) // a key (RFC 2385) cannot be set with it
	if n.LocalAddress.IsValid() {
		dialler.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.LocalAddress, 0))
	}
	c, err := dialler.DialContext(ctx, "tcp", netip.AddrPortFrom(n.Address, n.dials()).String())
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// prepareDial makes a socket ready to connect to a neighbour.
func (s *Server) prepareDial(fd int, n Neighbour) error {
	if s.cfg.Device != "" {
		if err := unix.BindToDevice(fd, s.cfg.Device); err != nil {
			return fmt.Errorf("bind to device %s: %w", s.cfg.Device, err)
		}
	}
	if n.Password != "" {
		if err := s.signWith(fd, n.Address, n.Password); err != nil {
			return err
		}
	}
	v4 := n.Address.Is4()
	switch {
	case n.GTSM:
		return errors.Join(setTTL(fd, v4, maxTTL), setMinTTL(fd, v4, maxTTL))
	case n.ASN == s.asnTo(&n): // iBGP
		return nil
	}
	return setTTL(fd, v4, max(int(n.Multihop), 1))
}

func setMinTTL(fd int, v4 bool, ttl int) error {
	if v4 {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MINTTL, ttl)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MINHOPCOUNT, ttl)
}

// greet exchanges OPEN messages on a connection that we made, and gives it to the neighbour's state machine. It returns false when the connection
// has come to nothing, and closed it.
func (s *Server) greet(ctx context.Context, c *conn) bool {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	_ = c.SetWriteDeadline(time.Now().Add(sendOpen))
	open, err := c.exchange()
	if !stop() || err != nil {
		_ = c.Close()
		return false
	}
	c.given.Store(true)
	if m := s.machines.get(c.peer.String()); !m.IsValid() || s.door.live(c.peer) != nil || !give(m, c, open) {
		_ = c.Close()
		return false
	}
	c.heard.dialled.Add(1)
	return true
}

// exchange sends our OPEN and waits for the peer's, as long as the connection may be without a session.
func (c *conn) exchange() (*packet.BGPMessage, error) {
	if _, err := c.TCPConn.Write(c.hello()); err != nil {
		return nil, err
	}
	for len(c.out) == 0 {
		if err := c.next(); err != nil {
			return nil, err
		}
	}
	message := slices.Clone(c.out)
	c.out = nil
	if c.mute.Load() {
		return nil, errors.New("a NOTIFICATION")
	}
	open, err := packet.ParseBGPMessage(message)
	if err == nil {
		_, err = packet.ValidateOpenMsg(open.Body.(*packet.BGPOpen), c.neighbour.ASN, c.s.asnTo(&c.neighbour), c.s.cfg.RouterID)
	}
	if bad, is := errors.AsType[*packet.MessageError](err); is {
		_ = c.end(wire.Verdict{Action: wire.Reset, Code: bad.TypeCode, Subcode: bad.SubTypeCode, Data: bad.Data, Why: bad.Error()})
	}
	return open, err
}
