package main

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// noon is the time of all tests.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// ago is a time before noon.
func ago(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(noon.Add(-d)) }

// fake is a vbrd that says what a test wants and remembers what it was asked.
type fake struct {
	vbrv1.UnimplementedResourceServiceServer
	vbrv1.UnimplementedRouterServiceServer
	socket string

	mu     sync.Mutex
	asked  []proto.Message
	fail   error // the answer to all requests
	answer struct {
		plan      *vbrv1.Plan
		confirmBy *timestamppb.Timestamp
		revision  uint64
	}
	host      *vbrv1.GetHostResponse
	routers   []*vbrv1.RouterStatus
	sessions  []*vbrv1.BgpSession
	routes    []*vbrv1.Route
	resources []*vbrv1.Resource
	revisions []*vbrv1.Revision
	events    []*vbrv1.Event
	watched   []*vbrv1.WatchResponse
	explained *vbrv1.ExplainResponse
	history   *vbrv1.GetPrefixHistoryResponse
	tried     []*vbrv1.TestResult
	changes   []*vbrv1.ResourceChange
	hang      bool // answers nothing
	onHost    func(context.Context, *fake)
}

// start runs a fake on a socket of its own.
func start(t *testing.T) *fake {
	t.Helper()
	f := &fake{socket: filepath.Join(t.TempDir(), "s")}
	f.host = &vbrv1.GetHostResponse{Host: "edge1", Version: "1.2", StartTime: ago(time.Hour), Store: "bbolt", Revision: 7}
	f.answer.revision = 7
	f.routers = []*vbrv1.RouterStatus{{Name: "vbr-acme", State: vbrv1.RouterStatus_STATE_READY}, {Name: "vbr-beta", State: vbrv1.RouterStatus_STATE_READY}}
	l, err := net.Listen("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	f.serve(t, l)
	return f
}

func (f *fake) serve(t *testing.T, l net.Listener, opts ...grpc.ServerOption) {
	t.Helper()
	s := grpc.NewServer(opts...)
	vbrv1.RegisterResourceServiceServer(s, f)
	vbrv1.RegisterRouterServiceServer(s, f)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(l)
	}()
	t.Cleanup(func() { s.Stop(); <-done })
}

// result is what a run wrote and its exit status.
type result struct {
	status   int
	out, err string
}

// vbrctl runs a command line against the fake at noon.
func (f *fake) vbrctl(t *testing.T, args ...string) result {
	t.Helper()
	return runAt(t, t.Context(), map[string]string{"VBRCTL_SOCKET": f.socket}, "", args...)
}

// stdin is vbrctl with something on standard input.
func (f *fake) stdin(t *testing.T, text string, args ...string) result {
	t.Helper()
	return runAt(t, t.Context(), map[string]string{"VBRCTL_SOCKET": f.socket}, text, args...)
}

func runAt(t *testing.T, ctx context.Context, env map[string]string, stdin string, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	a := newApp(func(name string) string { return env[name] }, strings.NewReader(stdin), &out, &errOut)
	defer a.close()
	a.now = func() time.Time { return noon }
	root := a.root()
	root.SetArgs(args)
	return result{a.report(ctx, root.ExecuteContext(ctx)), out.String(), errOut.String()}
}

// expect compares a result with the wanted text of standard output, which begins with an empty line to be readable.
func (r result) expect(t *testing.T, status int, out string) {
	t.Helper()
	if r.status != status {
		t.Errorf("status %d, want %d: %s", r.status, status, r.err)
	}
	if got, want := r.out, strings.TrimPrefix(out, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// complain compares a result with the wanted text of standard error.
func (r result) complain(t *testing.T, status int, err string) {
	t.Helper()
	if r.status != status {
		t.Errorf("status %d, want %d", r.status, status)
	}
	if got, want := r.err, strings.TrimPrefix(err, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func (f *fake) ask(ctx context.Context, m proto.Message) error {
	f.mu.Lock()
	hang, fail := f.hang, f.fail
	f.asked = append(f.asked, m)
	f.mu.Unlock()
	if hang {
		<-ctx.Done()
		time.Sleep(100 * time.Millisecond) // the caller's own deadline is over too, and not answered in the last moment
	}
	return fail
}

// last returns the last request of a type.
func last[M proto.Message](t *testing.T, f *fake) M {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.asked) - 1; i >= 0; i-- {
		if m, ok := f.asked[i].(M); ok {
			return m
		}
	}
	var none M
	t.Fatalf("no %T among the requests %v", none, f.asked)
	return none
}

func (f *fake) Apply(ctx context.Context, r *vbrv1.ApplyRequest) (*vbrv1.ApplyResponse, error) {
	return &vbrv1.ApplyResponse{Revision: f.answer.revision, Plan: f.answer.plan, ConfirmBy: f.answer.confirmBy}, f.ask(ctx, r)
}

func (f *fake) Delete(ctx context.Context, r *vbrv1.DeleteRequest) (*vbrv1.DeleteResponse, error) {
	return &vbrv1.DeleteResponse{Revision: f.answer.revision, Plan: f.answer.plan, ConfirmBy: f.answer.confirmBy}, f.ask(ctx, r)
}

func (f *fake) Rollback(ctx context.Context, r *vbrv1.RollbackRequest) (*vbrv1.RollbackResponse, error) {
	return &vbrv1.RollbackResponse{Revision: f.answer.revision, Plan: f.answer.plan}, f.ask(ctx, r)
}

func (f *fake) Confirm(ctx context.Context, r *vbrv1.ConfirmRequest) (*vbrv1.ConfirmResponse, error) {
	return &vbrv1.ConfirmResponse{Revision: f.answer.revision}, f.ask(ctx, r)
}

func (f *fake) Get(ctx context.Context, r *vbrv1.GetRequest) (*vbrv1.GetResponse, error) {
	if err := f.ask(ctx, r); err != nil {
		return nil, err
	}
	for _, one := range f.resources {
		if c, k := vbrv1.Unwrap(one); k == r.GetKind() && c.GetName() == r.GetName() {
			return &vbrv1.GetResponse{Resource: one}, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "%s/%s not found", vbrv1.KindName(r.GetKind()), r.GetName())
}

func (f *fake) List(r *vbrv1.ListRequest, s grpc.ServerStreamingServer[vbrv1.ListResponse]) error {
	if err := f.ask(s.Context(), r); err != nil {
		return err
	}
	for _, one := range f.resources {
		if err := s.Send(&vbrv1.ListResponse{Resources: []*vbrv1.Resource{one}}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) Watch(r *vbrv1.WatchRequest, s grpc.ServerStreamingServer[vbrv1.WatchResponse]) error {
	if err := f.ask(s.Context(), proto.Clone(r)); err != nil {
		return err
	}
	for i, w := range f.watched {
		if r.GetResumeToken() != "" && i == 0 {
			continue
		}
		if err := s.Send(w); err != nil {
			return err
		}
		if i == 0 {
			return status.Error(codes.ResourceExhausted, "too slow")
		}
	}
	<-s.Context().Done()
	return nil
}

func (f *fake) ListRevisions(r *vbrv1.ListRevisionsRequest, s grpc.ServerStreamingServer[vbrv1.ListRevisionsResponse]) error {
	if err := f.ask(s.Context(), r); err != nil {
		return err
	}
	return s.Send(&vbrv1.ListRevisionsResponse{Revisions: f.revisions})
}

func (f *fake) DiffRevisions(ctx context.Context, r *vbrv1.DiffRevisionsRequest) (*vbrv1.DiffRevisionsResponse, error) {
	return &vbrv1.DiffRevisionsResponse{From: 6, To: 7, Changes: f.changes}, f.ask(ctx, r)
}

func (f *fake) GetHost(ctx context.Context, r *vbrv1.GetHostRequest) (*vbrv1.GetHostResponse, error) {
	err := f.ask(ctx, r)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.onHost != nil {
		f.onHost(ctx, f)
	}
	return f.host, err
}

func (f *fake) ListRouters(r *vbrv1.ListRoutersRequest, s grpc.ServerStreamingServer[vbrv1.ListRoutersResponse]) error {
	if err := f.ask(s.Context(), r); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &vbrv1.ListRoutersResponse{}
	for _, one := range f.routers {
		if len(r.GetNames()) == 0 || strings.Contains(" "+strings.Join(r.GetNames(), " ")+" ", " "+one.GetName()+" ") {
			out.Routers = append(out.Routers, one)
		}
	}
	return s.Send(out)
}

func (f *fake) ListSessions(r *vbrv1.ListSessionsRequest, s grpc.ServerStreamingServer[vbrv1.ListSessionsResponse]) error {
	if err := f.ask(s.Context(), r); err != nil {
		return err
	}
	return s.Send(&vbrv1.ListSessionsResponse{Sessions: f.sessions})
}

func (f *fake) ListRoutes(r *vbrv1.ListRoutesRequest, s grpc.ServerStreamingServer[vbrv1.ListRoutesResponse]) error {
	if err := f.ask(s.Context(), r); err != nil {
		return err
	}
	for _, one := range f.routes {
		if err := s.Send(&vbrv1.ListRoutesResponse{Routes: []*vbrv1.Route{one}}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) TestPolicy(r *vbrv1.TestPolicyRequest, s grpc.ServerStreamingServer[vbrv1.TestPolicyResponse]) error {
	if err := f.ask(s.Context(), r); err != nil {
		return err
	}
	return s.Send(&vbrv1.TestPolicyResponse{Results: f.tried})
}

func (f *fake) known(router string) error {
	for _, one := range f.routers {
		if one.GetName() == router {
			return nil
		}
	}
	return status.Errorf(codes.NotFound, "no router %s", router)
}

func (f *fake) GetPrefixHistory(ctx context.Context, r *vbrv1.GetPrefixHistoryRequest) (*vbrv1.GetPrefixHistoryResponse, error) {
	if err := f.ask(ctx, r); err != nil {
		return nil, err
	}
	return f.history, f.known(r.GetRouter())
}

func (f *fake) Explain(ctx context.Context, r *vbrv1.ExplainRequest) (*vbrv1.ExplainResponse, error) {
	if err := f.ask(ctx, r); err != nil {
		return nil, err
	}
	return f.explained, f.known(r.GetRouter())
}

func (f *fake) ResetSession(ctx context.Context, r *vbrv1.ResetSessionRequest) (*vbrv1.ResetSessionResponse, error) {
	if err := f.ask(ctx, r); err != nil {
		return nil, err
	}
	return &vbrv1.ResetSessionResponse{Sessions: 1}, f.known(r.GetRouter())
}

func (f *fake) DrainRouter(ctx context.Context, r *vbrv1.DrainRouterRequest) (*vbrv1.DrainRouterResponse, error) {
	if err := f.ask(ctx, r); err != nil {
		return nil, err
	}
	return &vbrv1.DrainRouterResponse{Changed: true}, f.known(r.GetRouter())
}

func (f *fake) UndrainRouter(ctx context.Context, r *vbrv1.UndrainRouterRequest) (*vbrv1.UndrainRouterResponse, error) {
	if err := f.ask(ctx, r); err != nil {
		return nil, err
	}
	return &vbrv1.UndrainRouterResponse{}, f.known(r.GetRouter())
}

// ListEvents sends one event a stream when it is followed, and then breaks off as for one who is too slow.
func (f *fake) ListEvents(r *vbrv1.ListEventsRequest, s grpc.ServerStreamingServer[vbrv1.ListEventsResponse]) error {
	if err := f.ask(s.Context(), proto.Clone(r)); err != nil {
		return err
	}
	for _, e := range f.events {
		if e.GetSequence() <= r.GetAfter() {
			continue
		}
		if err := s.Send(&vbrv1.ListEventsResponse{Events: []*vbrv1.Event{e}}); err != nil {
			return err
		}
		if r.GetFollow() {
			return status.Error(codes.ResourceExhausted, "too slow")
		}
	}
	if r.GetFollow() {
		<-s.Context().Done()
	}
	return nil
}

// badRequest is a status with field violations, as vbrd sends it.
func badRequest(t *testing.T, code codes.Code, text string, fields ...string) error {
	t.Helper()
	bad := &errdetails.BadRequest{}
	for i := 0; i < len(fields); i += 2 {
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: fields[i], Description: fields[i+1]})
	}
	s, err := status.New(code, text).WithDetails(bad)
	if err != nil {
		t.Fatal(err)
	}
	return s.Err()
}
