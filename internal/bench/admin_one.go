package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/openvbr/openvbr/internal/bench/daemon"
	"github.com/openvbr/openvbr/internal/bench/feed"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

const (
	// explained is how many prefixes are explained, and how many addresses.
	explained = 200
	// adminRetry is the pause between two attempts of the peer that waits for the VBR.
	adminRetry = 5 * time.Millisecond
)

// solo is one VBR in the default VRF.
type solo struct {
	site
	load  *load
	admin *admin
	names map[string]bool // of the load's prefixes
	hook  hook
	out   *Admin
}

// runSolo applies one VBR, has it learn the table, and asks for routes.
func runSolo(ctx context.Context, kind daemon.Kind, l *load, env []string, h hook) (Run, error) {
	out := Run{Daemon: kind.Name, N: l.table.Len(), Admin: &Admin{}}
	s := &solo{load: l, out: out.Admin, hook: h, names: make(map[string]bool, len(l.prefixes))}
	for _, p := range l.prefixes {
		s.names[p.String()] = true
	}
	ctx, stop := context.WithTimeout(ctx, phaseLimit)
	defer stop()
	err := s.build(ctx, kind, env)
	for _, step := range []func(context.Context) error{s.apply, s.learn, s.lists, s.explain} {
		if err == nil {
			err = step(ctx)
		}
	}
	if err != nil {
		err = fmt.Errorf("%s, %d routes: %w", kind.Name, out.N, err)
		if s.daemon != nil {
			err = fmt.Errorf("%w\n%s", err, s.daemon.Log())
		}
	}
	return out, errors.Join(err, s.close())
}

// build makes the cable and starts the daemon.
func (s *solo) build(ctx context.Context, kind daemon.Kind, env []string) (err error) {
	if err := s.ground(); err != nil {
		return err
	}
	if err := s.cable(single); err != nil {
		return err
	}
	if s.observer, err = s.dut.Observe(); err != nil {
		return err
	}
	s.closeable = append(s.closeable, s.observer.Close)
	s.admin, err = s.manage(ctx, kind, env)
	return err
}

// manage starts a daemon without resources and connects to its API.
func (s *site) manage(ctx context.Context, kind daemon.Kind, env []string) (*admin, error) {
	setup := daemon.Setup{Dir: s.dir, In: s.dut.Do, Env: env}
	d, err := kind.Start(setup)
	if d != nil {
		s.daemon = d
	}
	if err != nil {
		return nil, err
	}
	a, err := dial(ctx, setup.Socket())
	if err != nil {
		return nil, errors.Join(err, d.Alive())
	}
	s.closeable = append(s.closeable, a.conn.Close)
	alive, stop := d.While(ctx)
	defer stop()
	_, err = d.Quiet(alive)
	return a, err
}

// moment is a time or why there is none.
type moment struct {
	at  time.Time
	err error
}

// apply applies the VBR while its peer dials, and sends the table's first UPDATE as soon as the session is up.
func (s *solo) apply(ctx context.Context) error {
	req, err := request([]daemon.Neighbour{{Device: port, Local: local(single), Remote: remote(single), Bits: 30, ASN: asn(single)}})
	if err != nil {
		return err
	}
	ctx, stop := s.daemon.While(ctx)
	defer stop()
	up, replied := make(chan moment, 1), make(chan moment, 1)
	go func() { up <- s.meet(ctx) }() // received below
	time.Sleep(5 * adminRetry)        // it is dialling by now
	began := time.Now()
	go func() { // received below
		at, err := s.admin.apply(ctx, req)
		if err != nil {
			stop()
		}
		replied <- moment{at, err}
	}()
	first := s.load.table.Groups[0].Prefixes
	seen, err := s.observer.Wait(ctx, len(first), first)
	stopOn(err, stop)
	r, u := <-replied, <-up
	if err := errors.Join(r.err, u.err, err); err != nil {
		return err
	}
	s.out.Call, s.out.Session = r.at.Sub(began).Seconds(), u.at.Sub(began).Seconds()
	s.out.FirstRoute, s.out.Error = seen.At.Sub(began).Seconds(), seen.Error.Seconds()
	s.out.Request = proto.Size(req)
	return nil
}

// stopOn ends what still waits when there is an error.
func stopOn(err error, stop context.CancelFunc) {
	if err != nil {
		stop()
	}
}

// meet dials until the session is up, and sends the first UPDATE.
func (s *solo) meet(ctx context.Context) moment {
	p := feed.Peer{ASN: asn(single), Local: remote(single), Remote: local(single), Retry: adminRetry}
	session, err := p.Dial(ctx, s.src.Do)
	if err != nil {
		return moment{err: err}
	}
	at := time.Now()
	s.sessions[single] = session
	first, _ := cutMessage(s.load.announce[single])
	return moment{at, session.Send(first)}
}

// cutMessage cuts the first BGP message off.
func cutMessage(b []byte) (first, rest []byte) {
	n := binary.BigEndian.Uint16(b[16:])
	return b[:n], b[n:]
}

// learn has the router learn the rest of the table.
func (s *solo) learn(ctx context.Context) error {
	ctx, stop := s.daemon.While(ctx)
	defer stop()
	_, rest := cutMessage(s.load.announce[single])
	if err := s.sessions[single].Send(append(rest[:len(rest):len(rest)], feed.EndOfRIB()...)); err != nil {
		return err
	}
	if _, err := s.observer.Wait(ctx, s.load.table.Len(), s.load.samples); err != nil {
		return errors.Join(err, s.alive(single))
	}
	if err := s.observer.Confirm(s.load.prefixes); err != nil {
		return err
	}
	_, err := s.daemon.Quiet(ctx)
	return err
}

func (s *solo) lists(ctx context.Context) error {
	if s.hook != nil {
		if err := s.hook(s.daemon, syscall.SIGUSR1); err != nil {
			return err
		}
	}
	for stage, out := range map[vbrv1.RouteStage]*float64{
		vbrv1.RouteStage_ROUTE_STAGE_RECEIVED: &s.out.Received, vbrv1.RouteStage_ROUTE_STAGE_KERNEL: &s.out.Kernel,
	} {
		took, err := s.admin.list(ctx, stage, s.names)
		if err != nil {
			return err
		}
		*out = took.Seconds()
		if _, err := s.daemon.Quiet(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *solo) explain(ctx context.Context) error {
	prefixes, addresses := destinations(s.load.prefixes, explained)
	p, err := s.admin.explain(ctx, prefixes, s.names)
	if err != nil {
		return err
	}
	a, err := s.admin.explain(ctx, addresses, s.names)
	if err != nil {
		return err
	}
	s.out.Prefix, s.out.Address = latency(p), latency(a)
	if s.hook != nil {
		return s.hook(s.daemon, syscall.SIGUSR2)
	}
	return nil
}

// destinations draws n of the prefixes, and an address in each of n others.
func destinations(all []netip.Prefix, n int) (prefixes, addresses []string) {
	r := rand.New(rand.NewPCG(1, uint64(len(all))))
	for range n {
		prefixes = append(prefixes, all[r.IntN(len(all))].String())
		addresses = append(addresses, all[r.IntN(len(all))].Addr().Next().String())
	}
	return prefixes, addresses
}
