package gobgp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/api"
)

// Defaults for a Neighbour's zero timers. GoBGP counts whole seconds.
const (
	defaultHold      = 30 * time.Second
	defaultKeepalive = 10 * time.Second
	defaultRetry     = 5 * time.Second
	idleAfterReset   = 5 * time.Second
)

// Neighbour is one peer's configuration. Two of them are the same when ==.
type Neighbour struct {
	Address, LocalAddress                     netip.Addr // LocalAddress may be zero
	Port                                      uint16     // to dial; 0: 179
	ASN, LocalASN                             uint32     // LocalASN 0: the server's
	Password                                  string     // TCP MD5 (RFC 2385); "": none
	HoldTime, KeepaliveInterval, ConnectRetry time.Duration
	Families                                  Families
	Passive                                   bool  // wait for the peer's connection
	Multihop                                  uint8 // TTL towards an eBGP peer; 0: 1, directly connected
}

func (n *Neighbour) check() error {
	switch {
	case !n.Address.IsValid() || n.Address.Is4In6() || n.Address.IsUnspecified():
		return errors.New("address: must be an IPv4 or IPv6 unicast address")
	case n.LocalAddress.IsValid() && n.LocalAddress.Is4() != n.Address.Is4():
		return fmt.Errorf("local address %v: not of the peer's address family", n.LocalAddress)
	case n.ASN == 0:
		return errors.New("AS number 0: must be 1..4294967295")
	case n.Families == 0:
		return errors.New("no address family")
	case n.HoldTime != 0 && n.HoldTime < 3*time.Second || n.HoldTime > 65535*time.Second:
		return fmt.Errorf("hold time %v: must be 3s..65535s", n.HoldTime)
	case n.KeepaliveInterval < 0 || n.ConnectRetry < 0:
		return errors.New("negative timer")
	case len(n.Password) > 80:
		return fmt.Errorf("password of %d bytes: the kernel takes 80 at most", len(n.Password))
	}
	return nil
}

// SetPeers makes the neighbours be those given: it removes, changes and adds as needed. A
// neighbour that did not change is not touched. A changed one is reset, except when only timers
// changed: those apply from the next session on. All neighbours are checked before anything is
// done; afterwards an error with one does not stop the others.
//
// The error of a neighbour whose password could not be set in the kernel comes back too: such a
// neighbour is configured, but its session cannot come up from the peer's side.
func (s *Server) SetPeers(neighbours []Neighbour) error {
	want := make(map[netip.Addr]Neighbour, len(neighbours))
	for _, n := range neighbours {
		if err := n.check(); err != nil {
			return fmt.Errorf("peer %v: %w", n.Address, err)
		}
		if !s.cfg.Families.Has(n.Families) {
			return fmt.Errorf("peer %v: families %v: the speaker has %v", n.Address, n.Families, s.cfg.Families)
		}
		if _, dup := want[n.Address]; dup {
			return fmt.Errorf("peer %v: configured twice", n.Address)
		}
		want[n.Address] = n.withDefaults()
	}
	s.configMu.Lock()
	defer s.configMu.Unlock()
	var errs []error
	for a, old := range s.neighbours {
		if _, ok := want[a]; !ok {
			errs = append(errs, s.named(a, s.remove(old)))
		}
	}
	for a, n := range want {
		if old, ok := s.neighbours[a]; !ok {
			errs = append(errs, s.named(a, s.add(n)))
		} else if old != n {
			errs = append(errs, s.named(a, s.change(n)))
		}
	}
	return errors.Join(append(errs, s.gate.open(s))...)
}

// named adds to err the neighbour's address, and a failure of the key that only the log told.
func (s *Server) named(a netip.Addr, err error) error {
	err = errors.Join(err, s.notes.takeMD5Error(a.String()))
	if _, ok := s.neighbours[a]; !ok {
		s.notes.forget(a.String())
	}
	if err != nil {
		return fmt.Errorf("peer %v: %w", a, err)
	}
	return nil
}

func (s *Server) add(n Neighbour) error {
	s.expect(n.Address, true)
	if err := s.bgp.AddPeer(context.Background(), &api.AddPeerRequest{Peer: s.peer(n)}); err != nil {
		s.expect(n.Address, false)
		return err
	}
	s.neighbours[n.Address] = n
	s.configured(n)
	s.dialling.learn(s.bgp, n.Address)
	return nil
}

// change lets GoBGP see what differs. On a change of the password it deletes the neighbour,
// with the old key, and adds it again with the new one, in one step.
func (s *Server) change(n Neighbour) error {
	_, err := s.bgp.UpdatePeer(context.Background(), &api.UpdatePeerRequest{Peer: s.peer(n)})
	if err != nil {
		// GoBGP may have got half way. Start over.
		old := s.neighbours[n.Address]
		return errors.Join(err, s.remove(old), s.add(n))
	}
	s.neighbours[n.Address] = n
	s.configured(n)
	s.dialling.learn(s.bgp, n.Address)
	return nil
}

// remove takes a neighbour out. DeletePeer would leave its MD5 key on the listener, where it
// stays valid for whoever comes from that address: so the password is changed to none first, and
// the neighbour shut down with it, so that nobody gets in without a key in between.
func (s *Server) remove(n Neighbour) error {
	ctx := context.Background()
	s.expect(n.Address, false)
	s.dialling.forget(n.Address)
	var errs []error
	if n.Password != "" {
		keyless := s.peer(n)
		keyless.Conf.AuthPassword = ""
		keyless.Conf.AdminDown = true
		_, err := s.bgp.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: keyless})
		errs = append(errs, err)
	}
	errs = append(errs, s.bgp.DeletePeer(ctx, &api.DeletePeerRequest{Address: n.Address.String()}))
	delete(s.neighbours, n.Address)
	return errors.Join(errs...)
}

func (n Neighbour) withDefaults() Neighbour {
	or := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	or(&n.HoldTime, defaultHold)
	or(&n.KeepaliveInterval, min(defaultKeepalive, n.HoldTime/3))
	or(&n.ConnectRetry, defaultRetry)
	return n
}

// peer is the neighbour as GoBGP takes it. The result holds the password: never log it.
func (s *Server) peer(n Neighbour) *api.Peer {
	p := &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: n.Address.String(),
			PeerAsn:         n.ASN,
			LocalAsn:        n.LocalASN,
			AuthPassword:    n.Password,
			// GoBGP does not report a route whose path holds our AS more often than this.
			// It would not report either that the route before it is gone.
			AllowOwnAsn: 255,
			// Whether a route with the peer's AS in its path is of use is the peer's choice.
			AllowAspathLoopLocal: true,
		},
		Timers: &api.Timers{Config: &api.TimersConfig{
			HoldTime:               seconds(n.HoldTime),
			KeepaliveInterval:      seconds(n.KeepaliveInterval),
			ConnectRetry:           seconds(n.ConnectRetry),
			IdleHoldTimeAfterReset: seconds(idleAfterReset),
		}},
		Transport: &api.Transport{
			PassiveMode:   n.Passive,
			RemotePort:    uint32(n.Port),
			BindInterface: s.cfg.Device, // the dialler's socket, and the MD5 key's scope
		},
		GracefulRestart: s.gracefulRestart(),
	}
	if n.LocalAddress.IsValid() {
		p.Transport.LocalAddress = n.LocalAddress.String()
	}
	if n.Multihop > 0 {
		p.EbgpMultihop = &api.EbgpMultihop{Enabled: true, MultihopTtl: uint32(n.Multihop)}
	}
	for _, f := range n.Families.list() {
		p.AfiSafis = append(p.AfiSafis, &api.AfiSafi{
			Config: &api.AfiSafiConfig{
				Family:  &api.Family{Afi: api.Family_Afi(f.Afi()), Safi: api.Family_Safi(f.Safi())},
				Enabled: true,
			},
			MpGracefulRestart: &api.MpGracefulRestart{
				Config: &api.MpGracefulRestartConfig{Enabled: s.cfg.RestartTime > 0},
			},
		})
	}
	return p
}

// gracefulRestart: the R and F bits are only for a neighbour configured while our own restart
// may still be under way. No N bit (RFC 8538): a NOTIFICATION ends a session for good.
func (s *Server) gracefulRestart() *api.GracefulRestart {
	if s.cfg.RestartTime == 0 {
		return nil
	}
	return &api.GracefulRestart{
		Enabled:         true,
		RestartTime:     uint32(seconds(s.cfg.RestartTime)),
		DeferralTime:    uint32(seconds(s.cfg.DeferralTime)),
		LocalRestarting: s.cfg.Restarting && time.Since(s.started) < s.cfg.RestartTime,
	}
}
