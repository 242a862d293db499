package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/openvbr/openvbr/internal/bench/daemon"
	"github.com/openvbr/openvbr/internal/bench/kernel"
)

// Density is what a daemon took to serve many customers from its cold start. Times are in seconds, from before its process
// was started.
type Density struct {
	Seconds  float64 `json:"seconds"`  // until the last route was seen in the kernel
	Error    float64 `json:"error"`    // by which that may be too long
	Sessions float64 `json:"sessions"` // until the last session was up
	Sent     float64 `json:"sent"`     // until the kernel had taken the customers' last byte
	// Devices is until the last VLAN had its address, where the daemon makes the devices; else how long it took to make them
	// before. 0: there are none.
	Devices float64 `json:"devices"`
	Made    bool    `json:"made"`    // the daemon made the devices
	CPU     float64 `json:"cpu"`     // of the daemon, until it came to rest
	AtRest  bool    `json:"at_rest"` // it did, within restLimit
	RSS     int64   `json:"rss"`     // bytes, then
	Peak    int64   `json:"peak"`    // bytes, until then
	Looks   float64 `json:"looks"`   // seconds, spent by the observer
}

const (
	coldLimit = 90 * time.Minute // FRR with 500 VRFs needs most of it
	restLimit = 20 * time.Second
)

// ready is the time until all works, with the making of the devices.
func (d *Density) ready() float64 {
	if d.Made {
		return d.Seconds
	}
	return d.Seconds + d.Devices
}

// stage is one daemon and the customers, each in a namespace.
type stage struct {
	site
	crowd     crowd
	customers *customers
	tables    *kernel.Tables
}

// runDensity is one cold start.
func runDensity(ctx context.Context, kind daemon.Kind, c crowd, want []kernel.Content, env []string, h hook) (Run, error) {
	out := Run{Daemon: kind.Name, N: c.size, Density: &Density{Made: c.vrf && kind.MakesDevices}}
	s := &stage{crowd: c}
	err := s.build(ctx, out.Density)
	if err == nil {
		err = s.start(ctx, kind, want, env, h, out.Density)
	}
	if err != nil {
		err = fmt.Errorf("%s, %d routers: %w", kind.Name, c.size, err)
	}
	if s.customers != nil {
		s.customers.stop()
	}
	return out, errors.Join(err, s.close())
}

// build makes all but the daemon.
func (s *stage) build(ctx context.Context, out *Density) (err error) {
	if err := s.lay(ctx, out); err != nil {
		return err
	}
	s.customers, err = startCustomers(s.crowd, s.src)
	return err
}

// lay makes all but the daemon and the customers.
func (s *stage) lay(ctx context.Context, out *Density) (err error) {
	if err := s.ground(); err != nil {
		return err
	}
	first := s.crowd.neighbour(0)
	ends := [2]netip.Prefix{netip.PrefixFrom(first.Local, first.Bits), netip.PrefixFrom(first.Remote, first.Bits)}
	if s.crowd.vrf { // the port's own addresses serve nothing
		ends = [2]netip.Prefix{netip.MustParsePrefix("10.254.0.1/30"), netip.MustParsePrefix("10.254.0.2/30")}
	}
	err = kernel.Cable(kernel.End{Namespace: s.dut, Device: port, Address: ends[0]}, kernel.End{Namespace: s.src, Device: port, Address: ends[1]})
	if err != nil {
		return err
	}
	if s.crowd.vrf {
		err = s.vlans(ctx, out)
	} else {
		err = s.shared()
	}
	if err != nil {
		return err
	}
	if s.tables, err = s.dut.Watch(); err == nil {
		s.closeable = append(s.closeable, s.tables.Close)
	}
	return err
}

// vlans makes the customers' ends of the lines, and the daemon's with the VRFs if it does not make them itself.
func (s *stage) vlans(ctx context.Context, out *Density) error {
	ctx, stop := context.WithTimeout(ctx, coldLimit)
	defer stop()
	lines := s.crowd.lines(false)
	if err := s.src.Lines(lines); err != nil {
		return err
	}
	for i, l := range lines {
		if err := s.src.Knows(l.Device(), s.dut, port, s.crowd.neighbour(i).Local); err != nil {
			return err
		}
	}
	if !out.Made {
		begin := time.Now()
		if err := s.dut.Lines(s.crowd.lines(true)); err != nil {
			return err
		}
		out.Devices = time.Since(begin).Seconds()
		if err := s.dut.Settle(ctx, lines); err != nil {
			return err
		}
	}
	return s.src.Settle(ctx, lines)
}

// shared gives all customers their addresses on the one link.
func (s *stage) shared() error {
	var addrs []netip.Prefix
	var remotes []netip.Addr
	for _, n := range s.crowd.neighbours() {
		addrs = append(addrs, netip.PrefixFrom(n.Remote, n.Bits))
		remotes = append(remotes, n.Remote)
	}
	if err := s.src.Addresses(port, addrs[1:]...); err != nil { // the cable has the first
		return err
	}
	return s.dut.Knows(port, s.src, port, remotes...)
}

// start starts the daemon and waits for the last route and for rest.
func (s *stage) start(ctx context.Context, kind daemon.Kind, want []kernel.Content, env []string, h hook, out *Density) (err error) {
	ctx, stop := context.WithTimeout(ctx, coldLimit)
	defer stop()
	setup := daemon.Setup{ASN: localASN, Dir: s.dir, In: s.dut.Do, Env: env, Neighbours: s.crowd.neighbours()}
	began := time.Now()
	if s.daemon, err = kind.Start(setup); err != nil {
		return err
	}
	alive, end := s.daemon.While(s.customers.while(ctx))
	defer end()
	m, err := s.tables.Wait(alive, want, s.crowd.rest())
	if err == nil && h != nil {
		err = h(s.daemon, syscall.SIGUSR2)
	}
	if err == nil {
		err = s.account(ctx, began, m, out)
	}
	if err == nil {
		err = s.tables.Confirm(want)
	}
	if err != nil {
		return s.explain(err)
	}
	return s.customers.alive()
}

// explain adds to an error what the processes have to say.
func (s *stage) explain(err error) error {
	if dead := errors.Join(s.daemon.Alive(), s.customers.alive()); dead != nil {
		return errors.Join(err, dead)
	}
	return fmt.Errorf("%w\n%s", err, s.daemon.Log())
}

// account fills in the result after the last route.
func (s *stage) account(ctx context.Context, began time.Time, m kernel.Moment, out *Density) error {
	a, err := s.customers.arrival()
	if err != nil {
		return fmt.Errorf("the customers have not sent all: %w", err)
	}
	out.Seconds, out.Error, out.Looks = m.At.Sub(began).Seconds(), m.Error.Seconds(), m.Spent.Seconds()
	out.Sessions, out.Sent = a.Last.Sub(began).Seconds(), a.Sent.Sub(began).Seconds()
	if out.Made {
		if n := s.tables.Addresses; n != s.crowd.size {
			fmt.Fprintf(os.Stderr, "%d addresses seen of %d\n", n, s.crowd.size)
		}
		out.Devices = s.tables.LastAddress.Sub(began).Seconds()
	}
	rest, stop := context.WithTimeout(ctx, restLimit)
	defer stop()
	cost, err := s.daemon.Quiet(rest)
	out.AtRest = err == nil
	if rest.Err() != nil {
		err = nil
	}
	out.CPU, out.RSS, out.Peak = cost.CPU.Seconds(), cost.RSS, cost.Peak
	return err
}
