package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/openvbr/openvbr/internal/fault"
	"github.com/openvbr/openvbr/vbr/control"
)

// guard stands before every handler: it admits calls, gives them their caller and their time, survives their panics,
// and logs them. It is a grpc.ServiceRegistrar that registers guarded services, so that none can be without.
type guard struct {
	server  *grpc.Server
	methods map[string]method
	limits  limits
	log     *slog.Logger
	stop    context.Context // done when the server stops
}

// call is one call in progress.
type call struct {
	method  method
	began   time.Time
	id      *identity
	request proto.Message // of a method with an audit line; nil until it was read
	answer  any           // of a unary call
}

type callerKey struct{}

// callerOf is the caller of a handler's context.
func callerOf(ctx context.Context) control.Caller {
	c, _ := ctx.Value(callerKey{}).(control.Caller)
	return c
}

// RegisterService registers a service with all its methods guarded. A method that has no role is a mistake of ours and panics.
func (g *guard) RegisterService(desc *grpc.ServiceDesc, impl any) {
	guarded := grpc.ServiceDesc{ServiceName: desc.ServiceName, HandlerType: desc.HandlerType, Metadata: desc.Metadata}
	add := func(name string, clients, servers bool, h grpc.StreamHandler) {
		m, known := g.methods[desc.ServiceName+"/"+name]
		if !known {
			panic("api: no role for " + desc.ServiceName + "/" + name)
		}
		m.unary = !clients && !servers
		guarded.Streams = append(guarded.Streams, grpc.StreamDesc{StreamName: name, ClientStreams: clients, ServerStreams: servers, Handler: g.guarded(m, h)})
	}
	for _, m := range desc.Methods {
		add(m.MethodName, false, false, unary(m))
	}
	for _, s := range desc.Streams {
		add(s.StreamName, s.ClientStreams, s.ServerStreams, s.Handler)
	}
	g.server.RegisterService(&guarded, impl)
}

// GetServiceInfo is for reflection.
func (g *guard) GetServiceInfo() map[string]grpc.ServiceInfo { return g.server.GetServiceInfo() }

// unary makes a method with one answer a stream of one.
func unary(m grpc.MethodDesc) grpc.StreamHandler {
	return func(srv any, ss grpc.ServerStream) error {
		var answer any
		err := fault.Around("api.call", func() (err error) {
			answer, err = m.Handler(srv, ss.Context(), ss.RecvMsg, nil)
			return err
		})
		if err != nil {
			return err
		}
		return ss.SendMsg(answer)
	}
}

// guarded is the handler with all that the guard does around it.
func (g *guard) guarded(m method, h grpc.StreamHandler) grpc.StreamHandler {
	return func(srv any, ss grpc.ServerStream) (err error) {
		c := &call{method: m, began: time.Now()}
		ctx, cancel := g.context(ss.Context(), m)
		defer cancel()
		s := &stream{ServerStream: ss, ctx: ctx, call: c, limit: g.limits.message}
		defer func() {
			if p := recover(); p != nil {
				g.log.Error("api: panic", "method", m.name, "panic", p, "stack", string(debug.Stack()))
				err = status.Error(codes.Internal, "internal error; vbrd's log has it")
			}
			err = g.finish(s.ctx, c, err)
		}()
		if err := g.admit(ss.Context(), c); err != nil {
			return err
		}
		if err := c.allowed(); err != nil {
			return s.refuse(err)
		}
		ctx, end := c.id.whileValid(context.WithValue(ctx, callerKey{}, *c.id.caller))
		defer end()
		s.ctx = ctx
		return h(srv, s)
	}
}

// unknown answers calls of methods that there are not.
func (g *guard) unknown(_ any, ss grpc.ServerStream) error {
	name, _ := grpc.MethodFromServerStream(ss)
	return g.guarded(method{name: "unknown", unary: true}, func(any, grpc.ServerStream) error {
		return status.Errorf(codes.Unimplemented, "unknown method %q; `vbrctl version` tells what this vbrd is", printable(name))
	})(nil, ss)
}

// context ends when the server stops, and for calls with one answer at the deadline.
func (g *guard) context(ctx context.Context, m method) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	unhook := context.AfterFunc(g.stop, func() {
		if !m.unary {
			cancel(errStopping)
		}
	})
	end := func() { unhook(); cancel(nil) }
	if !m.unary {
		return ctx, end
	}
	limit := g.limits.maxDeadline
	if _, has := ctx.Deadline(); !has {
		limit = g.limits.deadline
	}
	ctx, timeout := context.WithTimeout(ctx, limit)
	return ctx, func() { timeout(); end() }
}

var errStopping = status.Error(codes.Unavailable, "vbrd is stopping; try again")

// admit finds out who calls and whether they call too often.
func (g *guard) admit(ctx context.Context, c *call) error {
	p, ok := grpcpeer.FromContext(ctx)
	if ok {
		c.id, ok = p.AuthInfo.(*identity)
	}
	if !ok {
		return status.Error(codes.Unauthenticated, "no credentials")
	}
	c.id.conn.called()
	return c.id.peer.admit(c.id.conn)
}

// allowed tells whether the caller has the role that the method needs.
func (c *call) allowed() error {
	id := c.id
	switch {
	case id.caller == nil:
		return status.Errorf(codes.PermissionDenied, "you are %s, whom vbrd's settings do not know; api.roles would name you", id.name)
	case !id.unix && c.began.After(id.notAfter):
		return id.expired()
	case id.caller.Role < c.method.role:
		return status.Errorf(codes.PermissionDenied, "%s needs role %s; you are %s with role %s", c.method.name, c.method.role, id.caller.Name, id.caller.Role)
	}
	return nil
}

// finish makes an error a status and logs the call.
func (g *guard) finish(ctx context.Context, c *call, err error) error {
	if err != nil {
		switch cause := context.Cause(ctx); {
		case errors.Is(cause, errStopping):
			err = errStopping
		case errors.Is(cause, errExpired):
			err = c.id.expired()
		}
		var hidden error
		if err, hidden = toStatus(err); hidden != nil {
			g.log.Error("api: call failed", "method", c.method.name, "err", hidden)
		}
	}
	g.record(c, err)
	return err
}

// stream is a call's stream with the guard's context and a time limit on each message.
type stream struct {
	grpc.ServerStream
	ctx   context.Context
	call  *call
	limit time.Duration
}

// Context carries the caller.
func (s *stream) Context() context.Context { return s.ctx }

// RecvMsg waits for a message, but not forever.
func (s *stream) RecvMsg(m any) error {
	err := s.within("no request came", codes.DeadlineExceeded, func() error { return s.ServerStream.RecvMsg(m) })
	if err == nil && s.call.method.mutates {
		s.call.request, _ = m.(proto.Message)
	}
	return err
}

// SendMsg waits until the caller takes a message, but not forever.
func (s *stream) SendMsg(m any) error {
	if s.call.method.unary {
		s.call.answer = m
	}
	return s.within("you read too slowly; go on with what you have", codes.ResourceExhausted, func() error { return s.ServerStream.SendMsg(m) })
}

// within runs f, which ends at the latest when the stream does: soon after the handler has returned.
func (s *stream) within(late string, code codes.Code, f func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("panic: %v", p)
			}
		}()
		done <- f()
	}()
	timer := time.NewTimer(s.limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return status.Errorf(code, "%s, within %v", late, s.limit)
	case <-s.ctx.Done():
	}
	select { // gRPC itself may have ended the stream in f, which then knows better why
	case err := <-done:
		return err
	case <-time.After(endTimeout):
		return context.Cause(s.ctx)
	}
}

// refuse reads what was asked for, so that the audit line has it, and returns why it is refused.
func (s *stream) refuse(why error) error {
	if !s.call.method.mutates {
		return why
	}
	if m, err := s.call.method.newRequest(); err == nil {
		_ = s.RecvMsg(m) // what cannot be read is not told
	}
	return why
}
