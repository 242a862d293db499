package api

import (
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// rateError marks refusals for the rate, whose audit lines are counted together.
type rateError struct{ *status.Status }

func (e rateError) Error() string              { return e.Message() }
func (e rateError) GRPCStatus() *status.Status { return e.Status }

// admit takes one call off the caller's rate. Who keeps calling all the same loses the connection.
func (p *peer) admit(c *conn) error {
	r := p.limiter.Reserve()
	wait := r.Delay()
	if wait == 0 {
		return nil
	}
	r.Cancel()
	if !p.flood.Allow() {
		_ = c.Close()
	}
	wait = max(wait.Round(time.Millisecond), time.Millisecond)
	st := status.Newf(codes.ResourceExhausted, "too many calls; legal: %.0f a second, %d at once; try again in %v", float64(p.limiter.Limit()), p.limiter.Burst(), wait)
	if with, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)}); err == nil {
		st = with
	}
	return rateError{st}
}

// refusals counts what was refused for its rate, so that a flood is a line a second and not a flood of lines.
type refusals struct {
	mu    sync.Mutex
	count int
	timer *time.Timer
}

// add counts one; tell is called for the first at once and for all that follow after a second.
func (r *refusals) add(tell func(calls int)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer != nil {
		r.count++
		return
	}
	r.timer = time.AfterFunc(time.Second, func() {
		r.mu.Lock()
		n := r.count
		r.count, r.timer = 0, nil
		r.mu.Unlock()
		if n > 0 {
			tell(n)
		}
	})
	tell(1)
}
