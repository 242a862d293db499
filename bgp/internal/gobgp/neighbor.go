package gobgp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/api"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// Defaults for a Neighbour's zero timers. GoBGP counts whole seconds.
const (
	defaultHold      = 30 * time.Second
	defaultKeepalive = 10 * time.Second
	defaultRetry     = 5 * time.Second
	idleAfterReset   = 5 * time.Second
	// leaveIdle is how long the first neighbours may take to leave Idle; they take milliseconds.
	leaveIdle = time.Second
	// maxLongLived is what the capability's 24 bits hold (RFC 9494 3).
	maxLongLived = (1<<24 - 1) * time.Second
)

// Neighbour is one peer's configuration. Two of them are the same when ==, but for Wait and Export, which are no matter of the session.
type Neighbour struct {
	Address, LocalAddress                     netip.Addr // LocalAddress may be zero
	Port                                      uint16     // to dial; 0: 179
	ASN, LocalASN                             uint32     // LocalASN 0: the server's
	Password                                  string     // TCP MD5 (RFC 2385); "": none
	HoldTime, KeepaliveInterval, ConnectRetry time.Duration
	Families                                  Families
	Passive                                   bool          // wait for the peer's connection
	GTSM                                      bool          // RFC 5082: send with TTL 255, take nothing else
	LongLived                                 time.Duration // RFC 9494: how long routes are held beyond graceful restart, at both ends; 0: not
	Wait                                      bool          // when it is added: tell it nothing before Tell
	Export                                    string        // the table that it is told; it may change at any time
	Multihop                                  uint8         // TTL towards an eBGP peer; 0: 1, directly connected
	Role                                      wire.Role     // ours towards it (RFC 9234), told in the OPEN; 0: none
	StrictRole                                bool          // it must have one too
	Down                                      Cease         // other than 0: it is to have no session, and one that it has ends by this
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
	case len(n.Password) > maxKey:
		return fmt.Errorf("password of %d bytes: the kernel takes %d at most", len(n.Password), maxKey)
	case n.LongLived < 0 || n.LongLived > maxLongLived:
		return fmt.Errorf("long-lived stale time %v: must be 0..%v", n.LongLived, maxLongLived)
	case n.StrictRole && n.Role == 0:
		return errors.New("a strict role, and no role")
	case n.GTSM && n.Multihop > 0:
		return errors.New("GTSM is for directly connected neighbours, not for multihop")
	}
	return nil
}

// SetPeers makes the neighbours be those given: it removes, changes and adds as needed. A
// neighbour that did not change is not touched. A changed one is reset, except when only timers
// changed: those apply from the next session on. All neighbours are checked before anything is
// done; afterwards an error with one does not stop the others.
// A password that is exchanged for another on a session that is up does not end it.
//
// The error of a neighbour whose password could not be set in the kernel comes back too: such a
// neighbour is configured, but its session cannot come up from the peer's side.
func (s *Server) SetPeers(neighbours []Neighbour) error {
	want := make(map[netip.Addr]Neighbour, len(neighbours))
	given := make(map[netip.Addr]Neighbour) // with Wait and Export
	down := make(map[netip.Addr]Cease)
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
		if n.Down != 0 {
			down[n.Address] = n.Down
			continue
		}
		given[n.Address], n.Wait, n.Export = n, false, ""
		want[n.Address] = n.withDefaults()
	}
	s.configMu.Lock()
	defer s.configMu.Unlock()
	s.ceases.Store(&down)
	errs := []error{s.keepOut(want)}
	for a, old := range s.neighbours {
		if _, ok := want[a]; !ok {
			errs = append(errs, named(a, s.remove(old)))
			s.tells.forget(a)
			s.notes.forget(a.String())
		}
	}
	for a, n := range want {
		if old, ok := s.neighbours[a]; !ok {
			s.tells.expect(a, given[a].Wait)
			s.tells.use(a, given[a].Export)
			errs = append(errs, named(a, s.add(n)))
		} else if old != n {
			s.tells.use(a, given[a].Export)
			errs = append(errs, named(a, s.change(old, n)))
		} else {
			s.tells.use(a, given[a].Export)
		}
	}
	return errors.Join(append(errs, s.letIn())...)
}

// keepOut shuts the door on neighbours that are about to go or to change, so that none gets in half-way. Before the first neighbours it is shut
// anyway: those may come up to it.
func (s *Server) keepOut(want map[netip.Addr]Neighbour) error {
	if !s.door.isOpen() {
		return s.foresee(want)
	}
	stay := map[netip.Addr]Neighbour{}
	for a, n := range s.neighbours {
		if want[a] == n {
			stay[a] = n
		}
	}
	return s.door.admitOnly(stay)
}

// foresee lets the kernel complete the connections of the first neighbours. Nothing accepts them yet. A neighbour whose key is not set stays out.
func (s *Server) foresee(want map[netip.Addr]Neighbour) error {
	ready := map[netip.Addr]Neighbour{}
	for a, n := range want {
		if n.Password == "" || s.door.setKey(a, n.Password) == nil { // add sets it again and tells why it cannot be
			ready[a] = n
		}
	}
	return s.door.admitOnly(ready)
}

// letIn opens the door to all neighbours, once none is Idle for the first time.
func (s *Server) letIn() error {
	first := !s.door.isOpen() && len(s.neighbours) > 0
	for end := time.Now().Add(leaveIdle); first && s.anyIdle() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	err := s.door.admitOnly(maps.Clone(s.neighbours))
	if first {
		close(s.door.opened)
	}
	return err
}

func (s *Server) anyIdle() bool {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	for _, x := range s.sessions {
		if x.configured && x.state == "idle" {
			return true
		}
	}
	return false
}

// named adds to err the neighbour's address.
func named(a netip.Addr, err error) error {
	if err != nil {
		return fmt.Errorf("peer %v: %w", a, err)
	}
	return nil
}

func (s *Server) add(n Neighbour) error {
	var errs []error
	if n.Password != "" {
		errs = append(errs, s.door.setKey(n.Address, n.Password))
	}
	s.expect(n.Address, true)
	if err := s.bgp.AddPeer(context.Background(), &api.AddPeerRequest{Peer: s.peer(n)}); err != nil {
		s.expect(n.Address, false)
		return errors.Join(append(errs, err)...)
	}
	s.keep(n)
	return errors.Join(errs...)
}

// keep notes that GoBGP has the neighbour as it is now.
func (s *Server) keep(n Neighbour) {
	s.neighbours[n.Address] = n
	s.configured(n)
	s.machines.learn(s.bgp, n.Address, float64(seconds(s.cfg.OpenTime)))
}

// change lets GoBGP see what differs. It deletes the neighbour and adds it again in one step for most of it. A key that is exchanged for
// another changes on the live session.
func (s *Server) change(old, n Neighbour) error {
	var errs []error
	if old.Password != n.Password {
		rekeyed := old
		rekeyed.Password = n.Password
		if rekeyed == n && old.Password != "" && n.Password != "" {
			if done, err := s.rotate(n); done {
				s.keep(n)
				return err
			}
		}
		errs = append(errs, s.door.setKey(n.Address, n.Password))
	}
	s.stopDial(n.Address, false)
	if _, err := s.bgp.UpdatePeer(context.Background(), &api.UpdatePeerRequest{Peer: s.peer(n)}); err != nil {
		// GoBGP may have got half way. Start over.
		return errors.Join(append(errs, err, s.remove(old), s.add(n))...)
	}
	s.keep(n)
	s.dial(n.Address)                                                                       // if the state machine still waits for a connection, it does not say so again
	if old.Password != n.Password || old.Role != n.Role || old.StrictRole != n.StrictRole { // of which GoBGP knows nothing
		s.door.end(n.Address)
	}
	return errors.Join(errs...)
}

// remove takes a neighbour out, with its key. The door is shut already.
func (s *Server) remove(n Neighbour) error {
	s.expect(n.Address, false)
	s.machines.forget(n.Address)
	err := s.bgp.DeletePeer(context.Background(), &api.DeletePeerRequest{Address: n.Address.String()})
	s.stopDial(n.Address, false)
	delete(s.neighbours, n.Address)
	if n.Password != "" {
		err = errors.Join(err, s.door.setKey(n.Address, ""))
	}
	return err
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

// peer is the neighbour as GoBGP takes it, without what only those who connect need: port, password, and who is passive.
func (s *Server) peer(n Neighbour) *api.Peer {
	p := &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: n.Address.String(),
			PeerAsn:         n.ASN,
			LocalAsn:        n.LocalASN,
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
			PassiveMode: true, // see dial
		},
		GracefulRestart: s.gracefulRestart(n),
	}
	if n.LocalAddress.IsValid() {
		p.Transport.LocalAddress = n.LocalAddress.String()
	}
	if n.GTSM {
		p.TtlSecurity = &api.TtlSecurity{Enabled: true, TtlMin: maxTTL}
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
			LongLivedGracefulRestart: &api.LongLivedGracefulRestart{
				Config: &api.LongLivedGracefulRestartConfig{Enabled: n.LongLived > 0, RestartTime: uint32(seconds(n.LongLived))},
			},
		})
	}
	return p
}

// gracefulRestart: the R bit is only for a neighbour configured while our own restart
// may still be under way, and that has a family of which routes are held. The N bit (RFC 8538)
// has routes held over a NOTIFICATION other than a Hard Reset, if the neighbour has it too.
func (s *Server) gracefulRestart(n Neighbour) *api.GracefulRestart {
	if s.cfg.RestartTime == 0 {
		return nil
	}
	return &api.GracefulRestart{
		Enabled: true, NotificationEnabled: true, LonglivedEnabled: n.LongLived > 0,
		RestartTime:     uint32(seconds(s.cfg.RestartTime)),
		DeferralTime:    uint32(seconds(s.cfg.DeferralTime)),
		LocalRestarting: s.cfg.Restarting&n.Families != 0 && time.Since(s.started) < s.cfg.RestartTime,
	}
}
