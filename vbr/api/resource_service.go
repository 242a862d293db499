package api

import (
	"context"

	"google.golang.org/grpc"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
)

// Controller has the desired state. Its errors are gRPC statuses that name nothing the caller may not see.
type Controller interface {
	Apply(ctx context.Context, who control.Caller, req *vbrv1.ApplyRequest) (*vbrv1.ApplyResponse, error)
	Delete(ctx context.Context, who control.Caller, req *vbrv1.DeleteRequest) (*vbrv1.DeleteResponse, error)
	Get(ctx context.Context, who control.Caller, req *vbrv1.GetRequest) (*vbrv1.GetResponse, error)
	List(ctx context.Context, who control.Caller, req *vbrv1.ListRequest, yield func(*vbrv1.ListResponse) error) error
	Watch(ctx context.Context, who control.Caller, req *vbrv1.WatchRequest, yield func(*vbrv1.WatchResponse) error) error
	Confirm(ctx context.Context, who control.Caller, req *vbrv1.ConfirmRequest) (*vbrv1.ConfirmResponse, error)
	ListRevisions(ctx context.Context, who control.Caller, req *vbrv1.ListRevisionsRequest, yield func(*vbrv1.ListRevisionsResponse) error) error
	DiffRevisions(ctx context.Context, who control.Caller, req *vbrv1.DiffRevisionsRequest) (*vbrv1.DiffRevisionsResponse, error)
	Rollback(ctx context.Context, who control.Caller, req *vbrv1.RollbackRequest) (*vbrv1.RollbackResponse, error)
	// Status is the store's name, the revision that this host runs, and what is wrong.
	Status() (store string, revision uint64, problems []string)
}

// resourceService hands calls to the controller, with their caller.
type resourceService struct {
	vbrv1.UnimplementedResourceServiceServer
	c Controller
}

func (s *resourceService) Apply(ctx context.Context, r *vbrv1.ApplyRequest) (*vbrv1.ApplyResponse, error) {
	return s.c.Apply(ctx, callerOf(ctx), r)
}

func (s *resourceService) Delete(ctx context.Context, r *vbrv1.DeleteRequest) (*vbrv1.DeleteResponse, error) {
	return s.c.Delete(ctx, callerOf(ctx), r)
}

func (s *resourceService) Get(ctx context.Context, r *vbrv1.GetRequest) (*vbrv1.GetResponse, error) {
	return s.c.Get(ctx, callerOf(ctx), r)
}

func (s *resourceService) List(r *vbrv1.ListRequest, out grpc.ServerStreamingServer[vbrv1.ListResponse]) error {
	return s.c.List(out.Context(), callerOf(out.Context()), r, out.Send)
}

func (s *resourceService) Watch(r *vbrv1.WatchRequest, out grpc.ServerStreamingServer[vbrv1.WatchResponse]) error {
	return s.c.Watch(out.Context(), callerOf(out.Context()), r, out.Send)
}

func (s *resourceService) Confirm(ctx context.Context, r *vbrv1.ConfirmRequest) (*vbrv1.ConfirmResponse, error) {
	return s.c.Confirm(ctx, callerOf(ctx), r)
}

func (s *resourceService) ListRevisions(r *vbrv1.ListRevisionsRequest, out grpc.ServerStreamingServer[vbrv1.ListRevisionsResponse]) error {
	return s.c.ListRevisions(out.Context(), callerOf(out.Context()), r, out.Send)
}

func (s *resourceService) DiffRevisions(ctx context.Context, r *vbrv1.DiffRevisionsRequest) (*vbrv1.DiffRevisionsResponse, error) {
	return s.c.DiffRevisions(ctx, callerOf(ctx), r)
}

func (s *resourceService) Rollback(ctx context.Context, r *vbrv1.RollbackRequest) (*vbrv1.RollbackResponse, error) {
	return s.c.Rollback(ctx, callerOf(ctx), r)
}
