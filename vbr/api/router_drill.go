package api

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr"
)

// ownTest does something with a failover test of an owner that the caller may change; any other is not there.
func (s *routerService) ownTest(ctx context.Context, id string, do func(mayProbe func(owner string) bool) (*vbrv1.FailoverTest, error)) (*vbrv1.FailoverTest, error) {
	mayChange := callerOf(ctx).MayChange
	for _, t := range s.b.Host.FailoverTests() {
		if t.GetId() != id || !mayChange(t.GetOwner()) {
			continue
		}
		test, err := do(mayChange)
		if errors.Is(err, vbr.ErrNoTest) {
			return nil, noTest(id)
		}
		return test, gone(err, t.GetRouter())
	}
	return nil, noTest(id)
}

func (s *routerService) StartFailoverTest(ctx context.Context, r *vbrv1.StartFailoverTestRequest) (*vbrv1.StartFailoverTestResponse, error) {
	start := func(mayProbe func(string) bool) (*vbrv1.FailoverTest, error) {
		return s.b.Host.StartFailoverTest(r, mayProbe)
	}
	if r.GetId() != "" {
		test, err := s.ownTest(ctx, r.GetId(), start)
		if err != nil {
			return nil, err
		}
		return &vbrv1.StartFailoverTestResponse{Test: test}, nil
	}
	if err := s.mayOperate(ctx, r.GetRouter()); err != nil {
		return nil, err
	}
	test, err := start(callerOf(ctx).MayChange)
	if err != nil {
		return nil, gone(err, r.GetRouter())
	}
	return &vbrv1.StartFailoverTestResponse{Test: test}, nil
}

func (s *routerService) CreateFailoverTest(ctx context.Context, r *vbrv1.CreateFailoverTestRequest) (*vbrv1.CreateFailoverTestResponse, error) {
	if err := s.mayOperate(ctx, r.GetRouter()); err != nil {
		return nil, err
	}
	test, err := s.b.Host.CreateFailoverTest(r, callerOf(ctx).MayChange)
	if err != nil {
		return nil, gone(err, r.GetRouter())
	}
	return &vbrv1.CreateFailoverTestResponse{Test: test}, nil
}

func (s *routerService) UpdateFailoverTest(ctx context.Context, r *vbrv1.UpdateFailoverTestRequest) (*vbrv1.UpdateFailoverTestResponse, error) {
	test, err := s.ownTest(ctx, r.GetId(), func(mayProbe func(string) bool) (*vbrv1.FailoverTest, error) {
		return s.b.Host.UpdateFailoverTest(r, mayProbe)
	})
	if err != nil {
		return nil, err
	}
	return &vbrv1.UpdateFailoverTestResponse{Test: test}, nil
}

func (s *routerService) DeleteFailoverTest(ctx context.Context, r *vbrv1.DeleteFailoverTestRequest) (*vbrv1.DeleteFailoverTestResponse, error) {
	test, err := s.ownTest(ctx, r.GetId(), func(func(string) bool) (*vbrv1.FailoverTest, error) { return s.b.Host.DeleteFailoverTest(r.GetId()) })
	if err != nil {
		return nil, err
	}
	return &vbrv1.DeleteFailoverTestResponse{Test: test}, nil
}

func (s *routerService) StopFailoverTest(ctx context.Context, r *vbrv1.StopFailoverTestRequest) (*vbrv1.StopFailoverTestResponse, error) {
	test, err := s.ownTest(ctx, r.GetId(), func(func(string) bool) (*vbrv1.FailoverTest, error) { return s.b.Host.StopFailoverTest(r.GetId()) })
	if err != nil {
		return nil, err
	}
	return &vbrv1.StopFailoverTestResponse{Test: test}, nil
}

func (s *routerService) ListFailoverTests(r *vbrv1.ListFailoverTestsRequest, out grpc.ServerStreamingServer[vbrv1.ListFailoverTestsResponse]) error {
	who := callerOf(out.Context())
	if r.GetRouter() != "" {
		if _, err := s.router(out.Context(), r.GetRouter()); err != nil {
			return err
		}
	}
	var batch []*vbrv1.FailoverTest
	for _, t := range s.b.Host.FailoverTests() {
		if !who.Sees(t.GetOwner()) || r.GetRouter() != "" && t.GetRouter() != r.GetRouter() || r.GetId() != "" && t.GetId() != r.GetId() {
			continue
		}
		if batch = append(batch, t); len(batch) == chunk {
			if err := out.Send(&vbrv1.ListFailoverTestsResponse{Tests: batch}); err != nil {
				return err
			}
			batch = nil
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return out.Send(&vbrv1.ListFailoverTestsResponse{Tests: batch})
}
