package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// spinAfter is how long a wait may be before it is shown.
const spinAfter = 2 * time.Second

// call makes one request within the timeout.
func call[Q, R any](ctx context.Context, a *app, method func(context.Context, Q, ...grpc.CallOption) (R, error), request Q) (R, error) {
	return callWithin(ctx, a, a.timeout, method, request)
}

func callWithin[Q, R any](ctx context.Context, a *app, limit time.Duration, method func(context.Context, Q, ...grpc.CallOption) (R, error), request Q) (R, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stop := a.spin("waiting for vbrd")
	defer stop()
	return method(ctx, request)
}

// stream makes a request whose answer comes in parts and hands them to each, until the last. The timeout is for each
// part; a stream that follows what happens has none.
func stream[Q, R any](ctx context.Context, a *app, follow bool, method func(context.Context, Q, ...grpc.CallOption) (grpc.ServerStreamingClient[R], error), request Q, each func(*R) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var tooLate atomic.Bool
	late := time.AfterFunc(a.timeout, func() { tooLate.Store(true); cancel() })
	defer late.Stop()
	stop := func() {}
	if follow {
		late.Stop()
	} else {
		stop = a.spin("waiting for vbrd")
	}
	defer func() { stop() }()
	s, err := method(ctx, request)
	for err == nil {
		var part *R
		if part, err = s.Recv(); err != nil {
			break
		}
		late.Stop()
		stop()
		err = each(part)
		if !follow {
			late.Reset(a.timeout)
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case tooLate.Load():
		return status.Error(codes.DeadlineExceeded, "no answer in time")
	}
	return err
}

// spin shows on a terminal that something takes long. The function it returns ends that; it may be called again.
func (a *app) spin(what string) (stop func()) {
	if !isTerminal(a.stderr) {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	begun := a.now()
	go func() {
		defer close(ended)
		tick := time.NewTimer(spinAfter)
		defer tick.Stop()
		for frame := 0; ; frame++ {
			select {
			case <-done:
				if frame > 0 {
					fmt.Fprint(a.stderr, "\r\x1b[K")
				}
				return
			case <-tick.C:
				fmt.Fprintf(a.stderr, "\r%c %s (%s)\x1b[K", `|/-\`[frame%4], what, a.now().Sub(begun).Round(time.Second))
				tick.Reset(200 * time.Millisecond)
			}
		}
	}()
	stopped := false
	return func() {
		if !stopped {
			stopped = true
			close(done)
			<-ended
		}
	}
}
