package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/openvbr/openvbr/internal/bench/daemon"
	"github.com/openvbr/openvbr/internal/bench/feed"
	"github.com/openvbr/openvbr/internal/bench/kernel"
)

// The three peers. The first is alone when learning, withdrawing and dropping are measured; the second is preferred to the third, whose
// AS path is longer, when failover is.
const (
	single = iota
	preferred
	backup
	peers
)

const localASN = 45104 // a VBR's default

// site is one daemon under test, alone in a namespace, and its peers in another.
type site struct {
	dir       string
	dut, src  *kernel.Namespace
	daemon    *daemon.Daemon
	observer  *kernel.Observer
	sessions  [peers]*feed.Session
	egress    [peers]int // the daemon's device towards each peer
	ingress   [peers]int // the other end
	closeable []func() error
}

func local(i int) netip.Addr  { return netip.AddrFrom4([4]byte{10, 255, byte(i), 1}) }
func remote(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 255, byte(i), 2}) }
func asn(i int) uint32        { return 65001 + uint32(i) }

// newSite builds the namespaces, starts the daemon and brings the sessions up.
func newSite(ctx context.Context, kind daemon.Kind, env []string) (*site, error) {
	s := &site{}
	err := s.build(ctx, kind, env)
	if err != nil {
		log := ""
		if s.daemon != nil && s.daemon.Alive() == nil {
			log = "\n" + s.daemon.Log() // else the error has it
		}
		return nil, errors.Join(fmt.Errorf("%s: %w%s", kind.Name, err, log), s.close())
	}
	return s, nil
}

// ground makes the folder and the namespaces.
func (s *site) ground() (err error) {
	if s.dir, err = os.MkdirTemp("", "vbr-bench-"); err != nil {
		return err
	}
	s.closeable = append(s.closeable, func() error { return os.RemoveAll(s.dir) })
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return err
	}
	if s.dut, err = s.namespace("dut", "net.ipv4.ip_forward=1"); err != nil {
		return err
	}
	s.src, err = s.namespace("src")
	return err
}

func (s *site) build(ctx context.Context, kind daemon.Kind, env []string) (err error) {
	if err := s.ground(); err != nil {
		return err
	}
	setup := daemon.Setup{ASN: localASN, Dir: s.dir, In: s.dut.Do, Env: env}
	for i := range peers {
		if err := s.cable(i); err != nil {
			return err
		}
		setup.Neighbours = append(setup.Neighbours, daemon.Neighbour{
			Device: fmt.Sprintf("eth%d", i), Local: local(i), Remote: remote(i), Bits: 30, ASN: asn(i)})
	}
	if s.daemon, err = kind.Start(setup); err != nil {
		return err
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	if s.observer, err = s.dut.Observe(); err != nil {
		return err
	}
	s.closeable = append(s.closeable, s.observer.Close)
	return nil
}

func (s *site) namespace(name string, sysctls ...string) (*kernel.Namespace, error) {
	n, err := kernel.NewNamespace(fmt.Sprintf("vbr-bench-%d-%s", os.Getpid(), name), sysctls...)
	if err == nil {
		s.closeable = append(s.closeable, n.Close)
	}
	return n, err
}

func (s *site) cable(i int) (err error) {
	dev := fmt.Sprintf("eth%d", i)
	err = kernel.Cable(
		kernel.End{Namespace: s.dut, Device: dev, Address: netip.PrefixFrom(local(i), 30)},
		kernel.End{Namespace: s.src, Device: dev, Address: netip.PrefixFrom(remote(i), 30)})
	if err == nil {
		s.egress[i], err = s.dut.Index(dev)
	}
	if err == nil {
		s.ingress[i], err = s.src.Index(dev)
	}
	return err
}

// connect brings all sessions up, says End-of-RIB of an empty table on each, and waits until the daemon has come to rest.
func (s *site) connect(ctx context.Context) error {
	ctx, stop := s.daemon.While(ctx)
	defer stop()
	for i := range peers {
		p := feed.Peer{ASN: asn(i), Local: remote(i), Remote: local(i)}
		session, err := p.Dial(ctx, s.src.Do)
		if err != nil {
			return errors.Join(err, s.daemon.Alive())
		}
		s.sessions[i] = session
	}
	for _, session := range s.sessions {
		if err := session.Send(feed.EndOfRIB()); err != nil {
			return err
		}
	}
	_, err := s.daemon.Quiet(ctx)
	return err
}

// alive says what has ended that should not have.
func (s *site) alive(sessions ...int) error {
	errs := []error{s.daemon.Alive()}
	for _, i := range sessions {
		if err := s.sessions[i].Lost(); err != nil {
			errs = append(errs, fmt.Errorf("the daemon ended the session with peer %d: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

func (s *site) close() error {
	for _, session := range s.sessions {
		if session != nil {
			session.Close()
		}
	}
	if s.daemon != nil {
		s.daemon.Stop()
	}
	var errs []error
	for i := len(s.closeable) - 1; i >= 0; i-- {
		errs = append(errs, s.closeable[i]())
	}
	return errors.Join(errs...)
}
