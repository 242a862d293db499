package api

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr"
)

// noInterface is the answer for a router interface that is not there, or that the caller may not see.
func noInterface(name string) error {
	return status.Errorf(codes.NotFound, "router interface %q: there is none of that name; `vbrctl show interfaces` lists them", printable(name))
}

// noTest is the same for a failover test.
func noTest(id string) error {
	return status.Errorf(codes.NotFound, "failover test %q: there is none of that id; `vbrctl drill list` lists them", printable(id))
}

// since reads an optional time.
func since(t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		return time.Time{}, badRequest("since", t.String(), "a time")
	}
	return t.AsTime(), nil
}

// ListUsage shows a caller its own router interfaces: those that it owns, be the router somebody else's, and those of its routers.
func (s *routerService) ListUsage(r *vbrv1.ListUsageRequest, out grpc.ServerStreamingServer[vbrv1.ListUsageResponse]) error {
	from, err := since(r.GetSince())
	if err != nil {
		return err
	}
	who := callerOf(out.Context())
	var names []string
	if r.GetRouter() != "" {
		if _, err := s.router(out.Context(), r.GetRouter()); err != nil {
			return err
		}
		names = []string{r.GetRouter()}
	}
	var batch []*vbrv1.Usage
	for st := range s.visible(who, "", names) {
		usages, err := s.b.Host.Usage(st.GetName(), r.GetRouterInterface(), from)
		if errors.Is(err, vbr.ErrNoRouter) {
			continue // it went in the meantime
		}
		if err != nil {
			return err
		}
		for _, u := range usages {
			if who.Sees(u.GetOwner()) && (r.GetOwner() == "" || u.GetOwner() == r.GetOwner()) {
				batch = append(batch, u)
			}
		}
		if len(batch) >= chunk {
			if err := out.Send(&vbrv1.ListUsageResponse{Usages: batch}); err != nil {
				return err
			}
			batch = nil
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return out.Send(&vbrv1.ListUsageResponse{Usages: batch})
}

// GetQuality is about a router interface of a router that the caller may see.
func (s *routerService) GetQuality(ctx context.Context, r *vbrv1.GetQualityRequest) (*vbrv1.GetQualityResponse, error) {
	name := r.GetRouterInterface()
	if name == "" {
		return nil, badRequest("router_interface", name, "the name of a router interface")
	}
	from, err := since(r.GetSince())
	if err != nil {
		return nil, err
	}
	if !s.seesInterface(ctx, name) {
		return nil, noInterface(name)
	}
	answer, err := s.b.Host.Quality(name, from, int(min(r.GetSamples(), 1<<20)))
	if errors.Is(err, vbr.ErrNoInterface) {
		return nil, noInterface(name)
	}
	return answer, err
}

// seesInterface says whether the router interface is there and the caller may see it and its router.
func (s *routerService) seesInterface(ctx context.Context, name string) bool {
	who := callerOf(ctx)
	for st := range s.visible(who, "", nil) {
		for _, ri := range st.GetRouterInterfaces() {
			if ri.GetName() == name {
				return who.Sees(ri.GetOwner())
			}
		}
	}
	return false
}

// Probe is for those who may operate the router.
func (s *routerService) Probe(ctx context.Context, r *vbrv1.ProbeRequest) (*vbrv1.ProbeResponse, error) {
	if err := s.mayOperate(ctx, r.GetRouter()); err != nil {
		return nil, err
	}
	answer, err := s.b.Host.Probe(ctx, r)
	if err != nil {
		return nil, gone(err, r.GetRouter())
	}
	return answer, nil
}

// Capture is for those who may operate the router.
func (s *routerService) Capture(r *vbrv1.CaptureRequest, out grpc.ServerStreamingServer[vbrv1.CaptureResponse]) error {
	if err := s.mayOperate(out.Context(), r.GetRouter()); err != nil {
		return err
	}
	begun := false
	return gone(s.b.Host.Capture(out.Context(), r, func(m *vbrv1.CaptureResponse) error {
		if !begun { // now that the host sees to it that the router stays its owner's
			if err := s.mayOperate(out.Context(), r.GetRouter()); err != nil {
				return err
			}
			begun = true
		}
		return out.Send(m)
	}), r.GetRouter())
}
