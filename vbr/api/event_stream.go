package api

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Events is the log of what happened.
type Events interface {
	Follow(sequence uint64, limit int, told func(router, owner string) bool) (events []*vbrv1.Event, lost bool)
	Wait(ctx context.Context, after uint64) error
}

// longestName is the length of a router's name; a follower's is kept for as long as it follows.
const longestName = 63

// ListEvents streams what the caller may see; events of the host itself are for those who see all. What there is comes from one look at the log: of a log that
// drops a storm's old events and keeps older ones, a second look would tell of losses that are none. From then on whoever follows has to keep up
// with what it is sent; others' events may go unread.
func (s *routerService) ListEvents(r *vbrv1.ListEventsRequest, out grpc.ServerStreamingServer[vbrv1.ListEventsResponse]) error {
	ctx := out.Context()
	who := callerOf(ctx)
	if name := r.GetRouter(); len(name) > longestName || name != "" && !who.SeesAll() { // who sees all may ask for what a router did that is gone
		if _, err := s.router(ctx, name); err != nil {
			return err
		}
	}
	told := func(router, owner string) bool {
		return who.Sees(owner) && (r.GetRouter() == "" || router == r.GetRouter())
	}
	for after, limit := r.GetAfter(), 0; ; limit = chunk {
		batch, lost := s.b.Events.Follow(after, limit, told)
		if following := limit != 0; lost && following {
			return status.Errorf(codes.ResourceExhausted, "you read too slowly and events were lost; go on with after=%d", after)
		}
		var visible []*vbrv1.Event
		for _, e := range batch {
			after = e.GetSequence()
			if told(e.GetRouter(), e.GetOwner()) {
				visible = append(visible, e)
			}
		}
		for part := range slices.Chunk(visible, chunk) {
			if err := out.Send(&vbrv1.ListEventsResponse{Events: part}); err != nil {
				return err
			}
		}
		if !r.GetFollow() {
			return nil
		}
		if err := s.b.Events.Wait(ctx, after); err != nil {
			return err
		}
	}
}
