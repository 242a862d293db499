package api

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr"
	"github.com/openvbr/openvbr/vbr/control"
)

// fakeController answers at once; apply and watch can be made to do other things.
type fakeController struct {
	mu    sync.Mutex
	calls []string
	apply func(context.Context, *vbrv1.ApplyRequest) (*vbrv1.ApplyResponse, error)
	watch func(context.Context, func(*vbrv1.WatchResponse) error) error
}

func (f *fakeController) note(who control.Caller, what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, who.Name+" "+what)
}

func (f *fakeController) noted() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func plan() *vbrv1.Plan {
	return &vbrv1.Plan{Changes: []*vbrv1.ResourceChange{
		{Action: vbrv1.ResourceChange_ACTION_CREATE, Kind: vbrv1.Kind_KIND_PHYSICAL_CONNECTION, Name: "pc-1"},
		{Action: vbrv1.ResourceChange_ACTION_CHANGE, Kind: vbrv1.Kind_KIND_VIRTUAL_BORDER_ROUTER, Name: "vbr-acme", Fields: []*vbrv1.FieldChange{
			{Path: "bgp_peers[0].hold", Before: "30", After: "90"},
			{Path: "bgp_peers[0].auth_key_file", Before: "/keys/a", After: "s3cr3t-c4n4ry"},
		}},
	}}
}

func (f *fakeController) Apply(ctx context.Context, who control.Caller, r *vbrv1.ApplyRequest) (*vbrv1.ApplyResponse, error) {
	f.note(who, "Apply")
	if f.apply != nil {
		return f.apply(ctx, r)
	}
	return &vbrv1.ApplyResponse{Revision: 7, Plan: plan()}, nil
}

func (f *fakeController) Delete(_ context.Context, who control.Caller, _ *vbrv1.DeleteRequest) (*vbrv1.DeleteResponse, error) {
	f.note(who, "Delete")
	return &vbrv1.DeleteResponse{Revision: 8, Plan: plan()}, nil
}

func (f *fakeController) Get(_ context.Context, who control.Caller, r *vbrv1.GetRequest) (*vbrv1.GetResponse, error) {
	f.note(who, "Get")
	if r.GetName() == "panic" {
		panic("boom")
	}
	return nil, status.Errorf(codes.NotFound, "%q: there is none", r.GetName())
}

func (f *fakeController) List(_ context.Context, who control.Caller, _ *vbrv1.ListRequest, yield func(*vbrv1.ListResponse) error) error {
	f.note(who, "List")
	return yield(&vbrv1.ListResponse{Revision: 7})
}

func (f *fakeController) Watch(ctx context.Context, who control.Caller, _ *vbrv1.WatchRequest, yield func(*vbrv1.WatchResponse) error) error {
	f.note(who, "Watch")
	if f.watch != nil {
		return f.watch(ctx, yield)
	}
	if err := yield(&vbrv1.WatchResponse{Synced: true}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (f *fakeController) Confirm(_ context.Context, who control.Caller, _ *vbrv1.ConfirmRequest) (*vbrv1.ConfirmResponse, error) {
	f.note(who, "Confirm")
	return &vbrv1.ConfirmResponse{Revision: 7}, nil
}

func (f *fakeController) ListRevisions(_ context.Context, who control.Caller, _ *vbrv1.ListRevisionsRequest, yield func(*vbrv1.ListRevisionsResponse) error) error {
	f.note(who, "ListRevisions")
	return yield(&vbrv1.ListRevisionsResponse{})
}

func (f *fakeController) DiffRevisions(_ context.Context, who control.Caller, _ *vbrv1.DiffRevisionsRequest) (*vbrv1.DiffRevisionsResponse, error) {
	f.note(who, "DiffRevisions")
	return &vbrv1.DiffRevisionsResponse{}, nil
}

func (f *fakeController) Rollback(_ context.Context, who control.Caller, _ *vbrv1.RollbackRequest) (*vbrv1.RollbackResponse, error) {
	f.note(who, "Rollback")
	return &vbrv1.RollbackResponse{Revision: 9, Plan: plan()}, nil
}

func (f *fakeController) Status() (string, uint64, []string) {
	return "bbolt", 7, []string{"store: slow"}
}

// fakeHost has a router of acme's and one of beta's.
type fakeHost struct {
	guest   string // owner of one more interface of each router; "": there is none
	mu      sync.Mutex
	changes []string
}

func (f *fakeHost) changed() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.changes)
}

func (f *fakeHost) Status() *vbrv1.GetHostResponse {
	return &vbrv1.GetHostResponse{Routers: 2, Sessions: 4, Routes: 30, Problems: []string{"sysctl not set"}, BackboneSessions: []*vbrv1.BgpSession{{PeerIpAddress: "192.0.2.9"}}}
}

func (f *fakeHost) RouterNames() []string { return []string{"vbr-acme", "vbr-beta"} }

func (f *fakeHost) RouterStatus(name string) *vbrv1.RouterStatus {
	if !slices.Contains(f.RouterNames(), name) {
		return nil
	}
	st := &vbrv1.RouterStatus{Name: name, Owner: name[4:], State: vbrv1.RouterStatus_STATE_DEGRADED, Sessions: 2, SessionsEstablished: 1, Routes: &vbrv1.RouteCounts{Kernel: 15},
		RouterInterfaces: []*vbrv1.RouterInterfaceStatus{{Name: "ri-" + name[4:], Owner: name[4:]}}}
	if f.guest != "" {
		st.RouterInterfaces = append(st.RouterInterfaces, &vbrv1.RouterInterfaceStatus{Name: "ri-guest", Owner: f.guest})
	}
	return st
}

func (f *fakeHost) Sessions(router string) []*vbrv1.BgpSession {
	return []*vbrv1.BgpSession{
		{Router: router, Owner: router[4:], PeerIpAddress: "10.0.0.2"}, {Router: router, Owner: router[4:], PeerIpAddress: "2001:db8::2"},
	}
}

func (f *fakeHost) Routes(_ context.Context, r *vbrv1.ListRoutesRequest, yield func([]*vbrv1.Route) error) error {
	if r.GetPrefix() == "x" {
		return &vbr.RequestError{Field: "prefix", Value: "x", Legal: "a prefix such as 10.0.0.0/8"}
	}
	if r.GetPrefix() == "gone" {
		return fmt.Errorf("%s: %w", r.GetRouter(), vbr.ErrNoRouter)
	}
	return yield([]*vbrv1.Route{{Prefix: "10.9.0.0/16"}})
}

func (f *fakeHost) TestPolicy(_ context.Context, r *vbrv1.TestPolicyRequest, yield func([]*vbrv1.TestResult) error) error {
	return yield([]*vbrv1.TestResult{{Prefix: "10.9.0.0/16", Verdict: "accepted", Why: r.GetRouter()}})
}

func (f *fakeHost) Explain(router, destination string) (*vbrv1.ExplainResponse, error) {
	if destination == "broken" {
		return nil, fmt.Errorf("file /etc/secret of %s", router)
	}
	return &vbrv1.ExplainResponse{Router: router, Destination: destination}, nil
}

func (f *fakeHost) PrefixHistory(router, prefix string) (*vbrv1.GetPrefixHistoryResponse, error) {
	return &vbrv1.GetPrefixHistoryResponse{Router: router, Prefix: prefix}, nil
}

func (f *fakeHost) change(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changes = append(f.changes, what)
}

func (f *fakeHost) ResetSession(router string, peer netip.Addr, soft bool) (int, error) {
	f.change(fmt.Sprint("reset ", router, " ", peer, " ", soft))
	return 2, nil
}

func (f *fakeHost) SetDrained(router string, drained bool) (bool, error) {
	f.change(fmt.Sprint("drain ", router, " ", drained))
	return true, nil
}

func (f *fakeHost) Usage(router, _ string, _ time.Time) ([]*vbrv1.Usage, error) {
	if router == "" {
		return nil, fmt.Errorf("%q: %w", router, vbr.ErrNoRouter)
	}
	usages := []*vbrv1.Usage{{Router: router, RouterInterface: "ri-" + router[4:], Owner: router[4:], TxBytes: 7}}
	if f.guest != "" {
		usages = append(usages, &vbrv1.Usage{Router: router, RouterInterface: "ri-guest", Owner: f.guest})
	}
	return usages, nil
}

func (f *fakeHost) Quality(routerInterface string, _ time.Time, _ int) (*vbrv1.GetQualityResponse, error) {
	return &vbrv1.GetQualityResponse{RouterInterface: routerInterface}, nil
}

func (f *fakeHost) Probe(_ context.Context, r *vbrv1.ProbeRequest) (*vbrv1.ProbeResponse, error) {
	return &vbrv1.ProbeResponse{Outcome: vbrv1.ProbeResponse_OUTCOME_ECHO_REPLY, From: r.GetTarget()}, nil
}

func (f *fakeHost) Capture(_ context.Context, r *vbrv1.CaptureRequest, yield func(*vbrv1.CaptureResponse) error) error {
	f.mu.Lock()
	f.changes = append(f.changes, "capture "+r.GetRouter()+" "+r.GetFilter())
	f.mu.Unlock()
	return yield(&vbrv1.CaptureResponse{Devices: []string{"eth1.100"}, Packets: []*vbrv1.CapturedPacket{{Length: 60, Data: make([]byte, 60)}}})
}

func (f *fakeHost) StartFailoverTest(r *vbrv1.StartFailoverTestRequest, mayProbe func(string) bool) (*vbrv1.FailoverTest, error) {
	for _, p := range r.GetProbes() { // the fake has an owner where others have a probe
		if !mayProbe(p) {
			return nil, &vbr.RequestError{Field: "probes", Value: p, Legal: "your own"}
		}
	}
	if r.GetDurationMinutes() == 14 {
		return nil, &vbr.RefusedError{Why: "no redundancy: " + strings.Repeat("x", 1000) + " would carry 172.16.1.0/24"}
	}
	if r.GetDurationMinutes() == 13 {
		return nil, &vbr.RefusedError{Why: "nothing else would carry 172.16.1.0/24"}
	}
	if r.GetId() != "" {
		f.change("start test " + r.GetId() + " of vbr-" + r.GetId()[3:])
		return &vbrv1.FailoverTest{Id: r.GetId(), Status: "Testing"}, nil
	}
	f.change("start test of " + r.GetRouter())
	return &vbrv1.FailoverTest{Id: "ft-" + r.GetRouter()[4:], Router: r.GetRouter(), Status: "Init"}, nil
}

func (f *fakeHost) CreateFailoverTest(r *vbrv1.CreateFailoverTestRequest, mayProbe func(string) bool) (*vbrv1.FailoverTest, error) {
	for _, p := range r.GetProbes() {
		if !mayProbe(p) {
			return nil, &vbr.RequestError{Field: "probes", Value: p, Legal: "your own"}
		}
	}
	f.change("create test of " + r.GetRouter())
	return &vbrv1.FailoverTest{Id: "ft-" + r.GetRouter()[4:], Router: r.GetRouter(), Status: "Init"}, nil
}

func (f *fakeHost) UpdateFailoverTest(r *vbrv1.UpdateFailoverTestRequest, mayProbe func(string) bool) (*vbrv1.FailoverTest, error) {
	for _, p := range r.GetProbes() {
		if !mayProbe(p) {
			return nil, &vbr.RequestError{Field: "probes", Value: p, Legal: "your own"}
		}
	}
	f.change("update test " + r.GetId() + " of vbr-" + r.GetId()[3:])
	return &vbrv1.FailoverTest{Id: r.GetId(), Status: "Init"}, nil
}

func (f *fakeHost) DeleteFailoverTest(id string) (*vbrv1.FailoverTest, error) {
	f.change("delete test " + id + " of vbr-" + id[3:])
	return &vbrv1.FailoverTest{Id: id, Status: "Stopped"}, nil
}

func (f *fakeHost) StopFailoverTest(id string) (*vbrv1.FailoverTest, error) {
	f.change("stop test " + id + " of vbr-" + id[3:])
	return &vbrv1.FailoverTest{Id: id, Status: "Stopped", Verdict: "Passed"}, nil
}

func (f *fakeHost) FailoverTests() []*vbrv1.FailoverTest {
	return []*vbrv1.FailoverTest{{Id: "ft-beta", Router: "vbr-beta", Owner: "beta"}, {Id: "ft-acme", Router: "vbr-acme", Owner: "acme"}}
}
