package api

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Events is the log of what happened.
type Events interface {
	After(sequence uint64, limit int) (events []*vbrv1.Event, lost bool)
	Wait(ctx context.Context, after uint64) error
}

// ListEvents streams what the caller may see; events of the host itself are for those who see all.
func (s *routerService) ListEvents(r *vbrv1.ListEventsRequest, out grpc.ServerStreamingServer[vbrv1.ListEventsResponse]) error {
	ctx := out.Context()
	who := callerOf(ctx)
	if r.GetRouter() != "" && !who.SeesAll() {
		if _, err := s.router(ctx, r.GetRouter()); err != nil {
			return err
		}
	}
	for after, following := r.GetAfter(), false; ; following = true {
		batch, lost := s.b.Events.After(after, chunk)
		if lost && following {
			return status.Errorf(codes.ResourceExhausted, "you read too slowly and events were lost; go on with after=%d", after)
		}
		var visible []*vbrv1.Event
		for _, e := range batch {
			after = e.GetSequence()
			if who.Sees(e.GetOwner()) && (r.GetRouter() == "" || e.GetRouter() == r.GetRouter()) {
				visible = append(visible, e)
			}
		}
		if len(visible) > 0 {
			if err := out.Send(&vbrv1.ListEventsResponse{Events: visible}); err != nil {
				return err
			}
		}
		if len(batch) == chunk {
			continue
		}
		if !r.GetFollow() {
			return nil
		}
		if err := s.b.Events.Wait(ctx, after); err != nil {
			return err
		}
	}
}
