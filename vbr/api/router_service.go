package api

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"google.golang.org/grpc"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
)

// chunk is how many messages a chunk of a listing holds.
const chunk = 200

// Host has the running state.
type Host interface {
	Status() *vbrv1.GetHostResponse
	RouterNames() []string
	RouterStatus(name string) *vbrv1.RouterStatus
	Sessions(router string) []*vbrv1.BgpSession
	Routes(ctx context.Context, req *vbrv1.ListRoutesRequest, yield func([]*vbrv1.Route) error) error
	TestPolicy(ctx context.Context, req *vbrv1.TestPolicyRequest, yield func([]*vbrv1.TestResult) error) error
	Explain(router, destination string) (*vbrv1.ExplainResponse, error)
	PrefixHistory(router, prefix string) (*vbrv1.GetPrefixHistoryResponse, error)
	ResetSession(router string, peer netip.Addr, soft bool) (int, error)
	SetDrained(router string, drained bool) (changed bool, err error)
	Usage(router, routerInterface string, since time.Time) ([]*vbrv1.Usage, error)
	Quality(routerInterface string, since time.Time, samples int) (*vbrv1.GetQualityResponse, error)
	Probe(ctx context.Context, req *vbrv1.ProbeRequest) (*vbrv1.ProbeResponse, error)
	Capture(ctx context.Context, req *vbrv1.CaptureRequest, yield func(*vbrv1.CaptureResponse) error) error
	StartFailoverTest(req *vbrv1.StartFailoverTestRequest, mayProbe func(owner string) bool) (*vbrv1.FailoverTest, error)
	CreateFailoverTest(req *vbrv1.CreateFailoverTestRequest, mayProbe func(owner string) bool) (*vbrv1.FailoverTest, error)
	UpdateFailoverTest(req *vbrv1.UpdateFailoverTestRequest, mayProbe func(owner string) bool) (*vbrv1.FailoverTest, error)
	DeleteFailoverTest(id string) (*vbrv1.FailoverTest, error)
	StopFailoverTest(id string) (*vbrv1.FailoverTest, error)
	FailoverTests() []*vbrv1.FailoverTest
}

// routerService hands calls to the host, about routers that the caller may see.
type routerService struct {
	vbrv1.UnimplementedRouterServiceServer
	b Backends
}

// router is the status of a router of that name that the caller may see.
func (s *routerService) router(ctx context.Context, name string) (*vbrv1.RouterStatus, error) {
	if name == "" {
		return nil, badRequest("router", name, "the name of a router")
	}
	st := s.b.Host.RouterStatus(name)
	if st == nil || !callerOf(ctx).Sees(st.GetOwner()) {
		return nil, noRouter(name)
	}
	return st, nil
}

// mayOperate is like router, for callers that change something.
func (s *routerService) mayOperate(ctx context.Context, name string) error {
	st, err := s.router(ctx, name)
	if err != nil {
		return err
	}
	if !callerOf(ctx).MayChange(st.GetOwner()) {
		return noRouter(name)
	}
	return nil
}

// GetHost tells a tenant about its own part only.
func (s *routerService) GetHost(ctx context.Context, _ *vbrv1.GetHostRequest) (*vbrv1.GetHostResponse, error) {
	who := callerOf(ctx)
	var out *vbrv1.GetHostResponse
	store, revision, problems := s.b.Controller.Status()
	if who.SeesAll() {
		out = s.b.Host.Status()
		out.Problems = append(out.Problems, problems...)
	} else {
		out = s.part(who)
	}
	out.Host, out.Version, out.StartTime, out.Store, out.Revision = s.b.Name, s.b.Version, s.b.StartTime, store, revision
	return out, nil
}

// part counts what a tenant sees.
func (s *routerService) part(who control.Caller) *vbrv1.GetHostResponse {
	out := &vbrv1.GetHostResponse{}
	for st := range s.visible(who, "", nil) {
		out.Routers++
		if st.GetState() == vbrv1.RouterStatus_STATE_DEGRADED {
			out.RoutersDegraded++
		}
		out.Sessions += st.GetSessions()
		out.SessionsEstablished += st.GetSessionsEstablished()
		out.Routes += uint64(st.GetRoutes().GetKernel())
	}
	return out
}

// visible yields the routers that a caller sees, by name, filtered; empty filters match all.
func (s *routerService) visible(who control.Caller, owner string, names []string) func(func(*vbrv1.RouterStatus) bool) {
	return func(yield func(*vbrv1.RouterStatus) bool) {
		for _, name := range s.b.Host.RouterNames() {
			if len(names) > 0 && !slices.Contains(names, name) {
				continue
			}
			st := s.b.Host.RouterStatus(name)
			if st == nil || !who.Sees(st.GetOwner()) || owner != "" && st.GetOwner() != owner {
				continue
			}
			if !yield(st) {
				return
			}
		}
	}
}

func (s *routerService) ListRouters(r *vbrv1.ListRoutersRequest, out grpc.ServerStreamingServer[vbrv1.ListRoutersResponse]) error {
	const mostNames = 1000 // each is looked for among the routers
	if n := len(r.GetNames()); n > mostNames {
		return badRequest("names", "a list of more than 1000", "at most 1000 names, or none for all")
	}
	var batch []*vbrv1.RouterStatus
	for st := range s.visible(callerOf(out.Context()), r.GetOwner(), r.GetNames()) {
		if batch = append(batch, st); len(batch) == chunk {
			if err := out.Send(&vbrv1.ListRoutersResponse{Routers: batch}); err != nil {
				return err
			}
			batch = nil
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return out.Send(&vbrv1.ListRoutersResponse{Routers: batch})
}

func (s *routerService) ListSessions(r *vbrv1.ListSessionsRequest, out grpc.ServerStreamingServer[vbrv1.ListSessionsResponse]) error {
	var peer netip.Addr
	var names []string
	var err error
	if r.GetPeer() != "" {
		if peer, err = netip.ParseAddr(r.GetPeer()); err != nil {
			return badRequest("peer", r.GetPeer(), "an IPv4 or IPv6 address")
		}
	}
	if r.GetRouter() != "" {
		if _, err := s.router(out.Context(), r.GetRouter()); err != nil {
			return err
		}
		names = []string{r.GetRouter()}
	}
	var batch []*vbrv1.BgpSession
	for st := range s.visible(callerOf(out.Context()), r.GetOwner(), names) {
		for _, session := range s.b.Host.Sessions(st.GetName()) {
			if a, _ := netip.ParseAddr(session.GetPeerIpAddress()); !peer.IsValid() || a == peer {
				batch = append(batch, session)
			}
		}
		if len(batch) >= chunk {
			if err := out.Send(&vbrv1.ListSessionsResponse{Sessions: batch}); err != nil {
				return err
			}
			batch = nil
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return out.Send(&vbrv1.ListSessionsResponse{Sessions: batch})
}

func (s *routerService) ListRoutes(r *vbrv1.ListRoutesRequest, out grpc.ServerStreamingServer[vbrv1.ListRoutesResponse]) error {
	if _, err := s.router(out.Context(), r.GetRouter()); err != nil {
		return err
	}
	err := s.b.Host.Routes(out.Context(), r, func(routes []*vbrv1.Route) error { return out.Send(&vbrv1.ListRoutesResponse{Routes: routes}) })
	return gone(err, r.GetRouter())
}

func (s *routerService) Explain(ctx context.Context, r *vbrv1.ExplainRequest) (*vbrv1.ExplainResponse, error) {
	if _, err := s.router(ctx, r.GetRouter()); err != nil {
		return nil, err
	}
	answer, err := s.b.Host.Explain(r.GetRouter(), r.GetDestination())
	return answer, gone(err, r.GetRouter())
}

func (s *routerService) GetPrefixHistory(ctx context.Context, r *vbrv1.GetPrefixHistoryRequest) (*vbrv1.GetPrefixHistoryResponse, error) {
	if _, err := s.router(ctx, r.GetRouter()); err != nil {
		return nil, err
	}
	answer, err := s.b.Host.PrefixHistory(r.GetRouter(), r.GetPrefix())
	return answer, gone(err, r.GetRouter())
}

func (s *routerService) TestPolicy(r *vbrv1.TestPolicyRequest, out grpc.ServerStreamingServer[vbrv1.TestPolicyResponse]) error {
	if _, err := s.router(out.Context(), r.GetRouter()); err != nil {
		return err
	}
	err := s.b.Host.TestPolicy(out.Context(), r, func(results []*vbrv1.TestResult) error { return out.Send(&vbrv1.TestPolicyResponse{Results: results}) })
	return gone(err, r.GetRouter())
}

func (s *routerService) ResetSession(ctx context.Context, r *vbrv1.ResetSessionRequest) (*vbrv1.ResetSessionResponse, error) {
	if err := s.mayOperate(ctx, r.GetRouter()); err != nil {
		return nil, err
	}
	var peer netip.Addr
	if r.GetPeer() != "" {
		var err error
		if peer, err = netip.ParseAddr(r.GetPeer()); err != nil {
			return nil, badRequest("peer", r.GetPeer(), "an IPv4 or IPv6 address, or nothing for all peers")
		}
	}
	n, err := s.b.Host.ResetSession(r.GetRouter(), peer, r.GetSoft())
	if err != nil {
		return nil, gone(err, r.GetRouter())
	}
	return &vbrv1.ResetSessionResponse{Sessions: uint32(n)}, nil
}

func (s *routerService) DrainRouter(ctx context.Context, r *vbrv1.DrainRouterRequest) (*vbrv1.DrainRouterResponse, error) {
	changed, err := s.setDrained(ctx, r.GetRouter(), true)
	return &vbrv1.DrainRouterResponse{Changed: changed}, err
}

func (s *routerService) UndrainRouter(ctx context.Context, r *vbrv1.UndrainRouterRequest) (*vbrv1.UndrainRouterResponse, error) {
	changed, err := s.setDrained(ctx, r.GetRouter(), false)
	return &vbrv1.UndrainRouterResponse{Changed: changed}, err
}

func (s *routerService) setDrained(ctx context.Context, name string, drained bool) (bool, error) {
	if err := s.mayOperate(ctx, name); err != nil {
		return false, err
	}
	changed, err := s.b.Host.SetDrained(name, drained)
	return changed, gone(err, name)
}
