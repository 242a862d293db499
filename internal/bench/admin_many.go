package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/openvbr/openvbr/internal/bench/daemon"
)

// many is N VBRs in VRFs, applied at once.
type many struct {
	stage
	admin *admin
	hook  hook
	log   io.Writer
	out   *Admin
}

// runMany applies the VBRs of a crowd in one call, waits for their devices and then has the crowd come.
func runMany(ctx context.Context, kind daemon.Kind, c crowd, env []string, h hook, log io.Writer) (Run, error) {
	out := Run{Daemon: kind.Name, N: c.size, Admin: &Admin{}}
	s := &many{stage: stage{crowd: c}, hook: h, log: log, out: out.Admin}
	ctx, stop := context.WithTimeout(ctx, coldLimit)
	defer stop()
	err := s.lay(ctx, &Density{Made: true})
	if err == nil {
		s.admin, err = s.manage(ctx, kind, env)
	}
	for _, step := range []func(context.Context) error{s.apply, s.come} {
		if err == nil {
			err = step(ctx)
		}
	}
	if err != nil {
		err = fmt.Errorf("%s, %d VBRs: %w", kind.Name, c.size, err)
		if s.daemon != nil {
			err = fmt.Errorf("%w\n%s", err, s.daemon.Log())
		}
	}
	if s.customers != nil {
		s.customers.stop()
	}
	return out, errors.Join(err, s.close())
}

// apply applies all VBRs and waits for their devices.
func (s *many) apply(ctx context.Context) error {
	req, err := request(s.crowd.neighbours())
	if err != nil {
		return err
	}
	before, err := s.daemon.Cost()
	if err != nil {
		return err
	}
	if s.hook != nil {
		if err := s.hook(s.daemon, syscall.SIGUSR1); err != nil {
			return err
		}
	}
	ctx, stop := s.daemon.While(ctx)
	defer stop()
	replied := make(chan moment, 1)
	began := time.Now()
	go func() { // received below
		at, err := s.admin.apply(ctx, req)
		if err != nil {
			stop()
		}
		replied <- moment{at, err}
	}()
	lines := s.crowd.lines(true)
	seen, err := s.dut.WaitLines(ctx, s.tables, lines, s.crowd.rest(), func(n int) {
		fmt.Fprintf(s.log, "%6.0f s: %d of %d lines\n", time.Since(began).Seconds(), n, len(lines))
	})
	stopOn(err, stop)
	r := <-replied
	if err := errors.Join(r.err, err); err != nil {
		return err
	}
	s.out.Call, s.out.Request = r.at.Sub(began).Seconds(), proto.Size(req)
	s.out.Devices, s.out.Error = seen.At.Sub(began).Seconds(), seen.Error.Seconds()
	made, err := s.rest(ctx)
	s.out.Before, s.out.Made, s.out.CPU = before.RSS, made.RSS, (made.CPU - before.CPU).Seconds()
	if err == nil && s.hook != nil {
		err = s.hook(s.daemon, syscall.SIGUSR2)
	}
	return err
}

// rest waits until vbrd comes to rest, but not for long: what it cost until then.
func (s *many) rest(ctx context.Context) (daemon.Cost, error) {
	ctx, stop := context.WithTimeout(ctx, restLimit)
	defer stop()
	cost, err := s.daemon.Quiet(ctx)
	if ctx.Err() != nil {
		err = s.daemon.Alive()
	}
	return cost, err
}

// come has the customers dial, and waits until all sessions are up and the routes are in the kernel.
func (s *many) come(ctx context.Context) (err error) {
	began := time.Now()
	if s.customers, err = startCustomers(s.crowd, s.src); err != nil {
		return err
	}
	alive, end := s.daemon.While(s.customers.while(ctx))
	defer end()
	want := s.crowd.contents()
	if _, err := s.tables.Wait(alive, want, s.crowd.rest()); err != nil {
		return errors.Join(err, s.customers.alive())
	}
	a, err := s.customers.arrival()
	if err != nil {
		return fmt.Errorf("the customers have not sent all: %w", err)
	}
	s.out.Sessions = a.Last.Sub(began).Seconds()
	cost, err := s.rest(ctx)
	s.out.Up, s.out.Peak = cost.RSS, cost.Peak
	return errors.Join(err, s.tables.Confirm(want), s.customers.alive())
}
