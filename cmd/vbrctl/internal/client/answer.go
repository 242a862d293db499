package client

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/stats"
)

// answers finds out which failed calls vbrd has answered. Only an answer has a trailer: a status that gRPC makes of a
// lost connection has none, though its code and words may be the same.
type answers struct {
	last atomic.Bool // of the call that failed last
}

// trailed is whether a call has got its trailer.
type trailed struct{}

// TagRPC begins a call.
func (*answers) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, trailed{}, new(atomic.Bool))
}

// HandleRPC notes a call's trailer and its end.
func (a *answers) HandleRPC(ctx context.Context, s stats.RPCStats) {
	got, ok := ctx.Value(trailed{}).(*atomic.Bool)
	if !ok {
		return
	}
	switch s := s.(type) {
	case *stats.InTrailer:
		got.Store(true)
	case *stats.End:
		if s.Error != nil {
			a.last.Store(got.Load())
		}
	}
}

// TagConn does nothing: connections do not matter.
func (*answers) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn does nothing.
func (*answers) HandleConn(context.Context, stats.ConnStats) {}
