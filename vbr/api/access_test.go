package api

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
)

// rpcs lists the methods of vbr.v1.
func rpcs() []protoreflect.MethodDescriptor {
	var out []protoreflect.MethodDescriptor
	for _, f := range []protoreflect.FileDescriptor{vbrv1.File_vbr_v1_resource_service_proto, vbrv1.File_vbr_v1_router_service_proto} {
		for i := range f.Services().Len() {
			for j := range f.Services().Get(i).Methods().Len() {
				out = append(out, f.Services().Get(i).Methods().Get(j))
			}
		}
	}
	return out
}

func nameOf(m protoreflect.MethodDescriptor) string {
	return string(m.Parent().FullName()) + "/" + string(m.Name())
}

// Every RPC has a role, every registered method is one of those, and what does not read needs an operator and an audit line.
func TestEveryMethodHasRole(t *testing.T) {
	known := methods()
	for _, m := range rpcs() {
		e, ok := known[nameOf(m)]
		if !ok {
			t.Errorf("%s: no role in methods()", nameOf(m))
		}
		reads := false
		for _, verb := range []string{"Get", "List", "Watch", "Diff", "Explain", "Test"} {
			reads = reads || strings.HasPrefix(string(m.Name()), verb)
		}
		if e.mutates == reads || reads == (e.role >= control.Operator) {
			t.Errorf("%s: reads %v, but has an audit line %v and role %s", nameOf(m), reads, e.mutates, e.role)
		}
	}
	g := (&Server{shake: &handshaker{}}).guard(t.Context())
	g.register(Backends{})
	var served []string
	for service, info := range g.GetServiceInfo() {
		for _, m := range info.Methods {
			served = append(served, service+"/"+m.Name)
		}
	}
	var listed []string
	for name := range known {
		listed = append(listed, name)
	}
	slices.Sort(served)
	slices.Sort(listed)
	if d := cmp.Diff(listed, served); d != "" {
		t.Error("methods() and what is served differ: -want +got", d)
	}
	defer func() {
		if recover() == nil {
			t.Error("a service without roles was registered")
		}
	}()
	g.RegisterService(&grpc.ServiceDesc{ServiceName: "vbr.v1.NewService", Methods: []grpc.MethodDesc{{MethodName: "New"}}}, nil)
}

// invoke calls any method with a request and returns its error; of streams it takes all messages.
func invoke(t *testing.T, c *grpc.ClientConn, m protoreflect.MethodDescriptor, req proto.Message) error {
	t.Helper()
	path := "/" + nameOf(m)
	if !m.IsStreamingServer() {
		return c.Invoke(ask(t), path, req, dynamicpb.NewMessage(m.Output()))
	}
	s, err := c.NewStream(ask(t), &grpc.StreamDesc{ServerStreams: true}, path)
	if err != nil {
		return err
	}
	if err := s.SendMsg(req); err != nil {
		return err
	}
	s.CloseSend()
	for {
		if err := s.RecvMsg(dynamicpb.NewMessage(m.Output())); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// about makes a request of a method about a router.
func about(m protoreflect.MethodDescriptor, router string) proto.Message {
	req := dynamicpb.NewMessage(m.Input())
	if f := m.Input().Fields().ByName("router"); f != nil {
		req.Set(f, protoreflect.ValueOfString(router))
	}
	return req
}

// A viewer changes nothing: each such call is refused before the controller hears of it, and has its audit line.
func TestViewerChangesNothing(t *testing.T) {
	w := start(t, options{})
	c := w.as("viewer")
	n := 0
	for _, m := range rpcs() {
		if !methods()[nameOf(m)].mutates {
			continue
		}
		n++
		err := invoke(t, c, m, about(m, "vbr-acme"))
		want := nameOf(m) + " needs role operator; you are cn:viewer with role viewer"
		if status.Code(err) != codes.PermissionDenied || status.Convert(err).Message() != want {
			t.Errorf("%s: %v", nameOf(m), err)
		}
	}
	if len(w.controller.noted()) > 0 || len(w.host.changed()) > 0 {
		t.Error("done all the same:", w.controller.noted(), w.host.changed())
	}
	if a := w.logs.audits(t); len(a) != n || n < 7 {
		t.Errorf("%d audit lines for %d calls", len(a), n)
	}
	if err := invoke(t, c, vbrv1.File_vbr_v1_resource_service_proto.Services().Get(0).Methods().ByName("DiffRevisions"), &vbrv1.DiffRevisionsRequest{}); err != nil {
		t.Error("a viewer cannot even read:", err)
	}
}

// notYet are methods about routers that no host serves yet.
var notYet = map[string]bool{"ListUsage": true, "StartFailoverTest": true, "ListFailoverTests": true}

// To a tenant, a router of another owner and one that is not there are the same, in every call.
func TestOthersRoutersDoNotExist(t *testing.T) {
	w := start(t, options{})
	n := 0
	for _, who := range []string{"spiffe://example.net/acme", "auditor"} {
		c := w.as(who)
		for _, m := range rpcs() {
			if m.Input().Fields().ByName("router") == nil || who == "auditor" && methods()[nameOf(m)].mutates {
				continue
			}
			n++
			if _, later := notYet[string(m.Name())]; later {
				continue
			}
			others, absent := invoke(t, c, m, about(m, "vbr-beta")), invoke(t, c, m, about(m, "vbr-nono"))
			if status.Code(others) != codes.NotFound || strings.ReplaceAll(fmt.Sprint(others), "vbr-beta", "vbr-nono") != fmt.Sprint(absent) {
				t.Errorf("%s as %s:\n%v\n%v", m.Name(), who, others, absent)
			}
			own := about(m, "vbr-acme")
			if m.Name() == "ListEvents" {
				continue
			}
			if err := invoke(t, c, m, own); err != nil {
				t.Errorf("%s as %s about their own: %v", m.Name(), who, err)
			}
		}
	}
	if n < 11 {
		t.Errorf("only %d calls were tried", n)
	}
	for _, done := range w.host.changed() {
		if !strings.Contains(done, "vbr-acme") {
			t.Error("done to another's:", done)
		}
	}
}

func TestListingsShowOwn(t *testing.T) {
	w := start(t, options{})
	for i, e := range []*vbrv1.Event{{Router: "vbr-acme", Owner: "acme"}, {Router: "vbr-beta", Owner: "beta"}, {Text: "host"}} {
		e.Subject = fmt.Sprint(i)
		w.events.Append(e)
	}
	tests := []struct{ who, routers, sessions, events, host string }{
		{"noc", "vbr-acme vbr-beta", "vbr-acme vbr-acme vbr-beta vbr-beta", "0 1 2", "2 routers, 30 routes, 2 problems, 1 backbone"},
		{"viewer", "vbr-acme vbr-beta", "vbr-acme vbr-acme vbr-beta vbr-beta", "0 1 2", "2 routers, 30 routes, 2 problems, 1 backbone"},
		{"spiffe://example.net/acme", "vbr-acme", "vbr-acme vbr-acme", "0", "1 routers, 15 routes, 0 problems, 0 backbone"},
		{"auditor", "vbr-acme", "vbr-acme vbr-acme", "0", "1 routers, 15 routes, 0 problems, 0 backbone"},
		{"beta", "vbr-beta", "vbr-beta vbr-beta", "1", "1 routers, 15 routes, 0 problems, 0 backbone"},
	}
	for _, tt := range tests {
		t.Run(tt.who, func(t *testing.T) {
			c := routers(w.as(tt.who))
			if got := names(t, c); got != tt.routers {
				t.Errorf("routers %q", got)
			}
			var sessions, seen []string
			s, err := c.ListSessions(ask(t), &vbrv1.ListSessionsRequest{})
			for err == nil {
				var m *vbrv1.ListSessionsResponse
				if m, err = s.Recv(); err == nil {
					for _, x := range m.Sessions {
						sessions = append(sessions, x.Router)
					}
				}
			}
			e, err := c.ListEvents(ask(t), &vbrv1.ListEventsRequest{})
			for err == nil {
				var m *vbrv1.ListEventsResponse
				if m, err = e.Recv(); err == nil {
					for _, x := range m.Events {
						seen = append(seen, x.Subject)
					}
				}
			}
			h, err := c.GetHost(ask(t), &vbrv1.GetHostRequest{})
			if err != nil {
				t.Fatal(err)
			}
			host := fmt.Sprintf("%d routers, %d routes, %d problems, %d backbone", h.Routers, h.Routes, len(h.Problems), len(h.BackboneSessions))
			got := []string{strings.Join(sessions, " "), strings.Join(seen, " "), host, h.Host, h.Version, h.Store, fmt.Sprint(h.Revision)}
			if d := cmp.Diff([]string{tt.sessions, tt.events, tt.host, "edge1", "v1", "bbolt", "7"}, got); d != "" {
				t.Error("-want +got", d)
			}
		})
	}
}

func names(t *testing.T, c vbrv1.RouterServiceClient) string {
	t.Helper()
	var out []string
	s, err := c.ListRouters(ask(t), &vbrv1.ListRoutersRequest{})
	for err == nil {
		var m *vbrv1.ListRoutersResponse
		if m, err = s.Recv(); err == nil {
			for _, r := range m.Routers {
				out = append(out, r.Name)
			}
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

// Rules: the first match wins, names are whole, root is an admin whatever they say, and the rest is nobody.
func TestRules(t *testing.T) {
	group := uint32(4242)
	list := []Rule{
		{Match: "uid:1000", Role: control.Viewer},
		{Match: "group:root", Role: control.Operator, Owners: []string{"acme"}},
		{Match: "user:root", Role: control.Viewer},
		{Match: "cn:noc", Role: control.Admin},
		{Match: "uri:spiffe://x/noc", Role: control.Viewer},
	}
	ruled, err := newRules(list, &group)
	if err != nil {
		t.Fatal(err)
	}
	ruled.self = 77
	plain := &rules{self: 77, socketGroup: &group}
	for _, tt := range []struct {
		name string
		rs   *rules
		id   *identity
		want string
	}{
		{"OK: root", ruled, &identity{unix: true, name: "uid:0"}, "uid:0 admin []"},
		{"OK: vbrd's own user", ruled, &identity{unix: true, uid: 77, name: "uid:77"}, "uid:77 admin []"},
		{"OK: uid", ruled, &identity{unix: true, uid: 1000, gids: []uint32{0}, name: "uid:1000"}, "uid:1000 viewer []"},
		{"OK: group", ruled, &identity{unix: true, uid: 1001, gids: []uint32{5, 0}, name: "uid:1001"}, "uid:1001 operator [acme]"},
		{"OK: cn", ruled, &identity{cn: "noc", name: "uri:z", uris: []string{"z"}}, "cn:noc admin []"},
		{"OK: uri", ruled, &identity{cn: "x", uris: []string{"a", "spiffe://x/noc"}, name: "uri:a"}, "uri:spiffe://x/noc viewer []"},
		{"OK: socket's group without rules", plain, &identity{unix: true, uid: 5, gids: []uint32{4242}, name: "uid:5"}, "uid:5 admin []"},
		{"bad: socket's group with rules", ruled, &identity{unix: true, uid: 5, gids: []uint32{4242}}, ""},
		{"bad: other uid", plain, &identity{unix: true, uid: 5, gids: []uint32{5}}, ""},
		{"bad: part of a cn", ruled, &identity{cn: "noc2"}, ""},
		{"bad: certificate without rules", plain, &identity{cn: "noc"}, ""},
		{"bad: certificate is not uid 0", ruled, &identity{cn: ""}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if c := tt.rs.caller(tt.id); c != nil {
				got = fmt.Sprint(c.Name, " ", c.Role, " ", c.Owners)
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	for _, m := range []string{"", "uid:", "uid:x", "uid:-1", "uid:4294967296", "user:no-such-user-here", "group:no-such-group-here", "gid:5", "noc"} {
		if _, err := newRules([]Rule{{Match: m}}, nil); err == nil || !strings.Contains(err.Error(), "api.roles[0].match") {
			t.Errorf("%q: %v", m, err)
		}
	}
}

// Who matches nothing is told their own name, whatever they call.
func TestNobody(t *testing.T) {
	w := start(t, options{})
	c := w.as("stranger")
	for _, m := range rpcs() {
		err := invoke(t, c, m, about(m, "vbr-acme"))
		if status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "you are cn:stranger") {
			t.Errorf("%s: %v", m.Name(), err)
		}
	}
	if _, err := grpc_health_v1.NewHealthClient(c).Check(ask(t), &grpc_health_v1.HealthCheckRequest{}); status.Code(err) != codes.PermissionDenied {
		t.Error("health:", err)
	}
	if len(w.controller.noted())+len(w.host.changed()) > 0 {
		t.Error("done all the same:", w.controller.noted(), w.host.changed())
	}
}

func TestHealthAndReflection(t *testing.T) {
	w := start(t, options{})
	c := w.as("viewer")
	for _, service := range []string{"", "vbr.v1.ResourceService", "vbr.v1.RouterService"} {
		r, err := grpc_health_v1.NewHealthClient(c).Check(ask(t), &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil || r.Status != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v %v", service, r, err)
		}
	}
	s, err := grpc_reflection_v1.NewServerReflectionClient(c).ServerReflectionInfo(ask(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "vbr.v1.RouterService.Explain"}})
	r, err := s.Recv()
	if err != nil || len(r.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
		t.Errorf("%v %v", r, err)
	}
}

// Errors of package vbr become statuses that a program can read; what is not meant for callers stays in the log.
func TestErrors(t *testing.T) {
	w := start(t, options{})
	c := routers(w.as("noc"))
	s, _ := c.ListRoutes(ask(t), &vbrv1.ListRoutesRequest{Router: "vbr-acme", Prefix: "x"})
	_, err := s.Recv()
	if d := fmt.Sprint(status.Convert(err).Details()); status.Code(err) != codes.InvalidArgument || !strings.Contains(d, `field:"prefix"`) || !strings.Contains(d, "legal: a prefix such as") {
		t.Error(err, d)
	}
	s, _ = c.ListRoutes(ask(t), &vbrv1.ListRoutesRequest{Router: "vbr-acme", Prefix: "gone"})
	if _, err = s.Recv(); status.Code(err) != codes.NotFound {
		t.Error(err)
	}
	if _, err = c.Explain(ask(t), &vbrv1.ExplainRequest{Router: "vbr-acme", Destination: "broken"}); status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
	if !strings.Contains(w.logs.String(), "/etc/secret") {
		t.Error("the log does not have it")
	}
	if _, err = c.ResetSession(ask(t), &vbrv1.ResetSessionRequest{Router: "vbr-acme", Peer: "10.0.0.256"}); status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
}

// The request of a call is kept for its audit line, and otherwise not: calls that read may last.
func TestRequestKeptForAudit(t *testing.T) {
	for _, mutates := range []bool{true, false} {
		s := &stream{ServerStream: oneRequest{}, ctx: t.Context(), call: &call{method: method{mutates: mutates}}, limit: time.Minute}
		if err := s.RecvMsg(&vbrv1.WatchRequest{}); err != nil || (s.call.request != nil) != mutates {
			t.Errorf("a method that changes something: %v; kept %v, %v", mutates, s.call.request, err)
		}
	}
}

// oneRequest is a stream of empty requests.
type oneRequest struct{ grpc.ServerStream }

func (oneRequest) RecvMsg(any) error { return nil }
