package glass

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// collect reads a stream to its end and returns all that was in it. The stream ends with ctx.
func collect[M, T any](stream grpc.ServerStreamingClient[M], err error, items func(*M) []T) (out []T, _ error) {
	if err != nil {
		return nil, err
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, items(m)...)
	}
}

func (r *request) routers(ctx context.Context, names ...string) ([]*vbrv1.RouterStatus, error) {
	stream, err := r.api.ListRouters(ctx, &vbrv1.ListRoutersRequest{Names: names})
	return collect(stream, err, (*vbrv1.ListRoutersResponse).GetRouters)
}

// router is one, NOT_FOUND if the caller sees none of that name.
func (r *request) router(ctx context.Context, name string) (*vbrv1.RouterStatus, error) {
	found, err := r.routers(ctx, name)
	if err == nil && len(found) == 0 {
		err = status.Errorf(codes.NotFound, "router %q: there is none of that name", name)
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// sessions are those of a router, or of all.
func (r *request) sessions(ctx context.Context, router string) ([]*vbrv1.BgpSession, error) {
	stream, err := r.api.ListSessions(ctx, &vbrv1.ListSessionsRequest{Router: router})
	return collect(stream, err, (*vbrv1.ListSessionsResponse).GetSessions)
}

func (r *request) usage(ctx context.Context, router string, since *timestamppb.Timestamp) ([]*vbrv1.Usage, error) {
	stream, err := r.api.ListUsage(ctx, &vbrv1.ListUsageRequest{Router: router, Since: since})
	return collect(stream, err, (*vbrv1.ListUsageResponse).GetUsages)
}

func (r *request) listRoutes(ctx context.Context, req *vbrv1.ListRoutesRequest) ([]*vbrv1.Route, error) {
	stream, err := r.api.ListRoutes(ctx, req)
	return collect(stream, err, (*vbrv1.ListRoutesResponse).GetRoutes)
}

// events are those that are kept.
func (r *request) events(ctx context.Context, ask *vbrv1.ListEventsRequest) ([]*vbrv1.Event, error) {
	stream, err := r.api.ListEvents(ctx, ask)
	return collect(stream, err, (*vbrv1.ListEventsResponse).GetEvents)
}
