package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/openvbr/openvbr/internal/lab"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// socketAs connects to a unix socket as another user of the machine: on a thread of its own, which ends with its rights.
func socketAs(path string, uid, gid int) (conn net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked
		groups := [1]uint32{0} // the socket's
		for _, call := range [][4]uintptr{
			{syscall.SYS_SETGROUPS, 1, uintptr(unsafe.Pointer(&groups)), 0}, {syscall.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid)},
			{syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)},
		} {
			if _, _, errno := syscall.RawSyscall(call[0], call[1], call[2], call[3]); errno != 0 {
				err = errno
				return
			}
		}
		var fd int
		if fd, err = syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0); err != nil {
			return
		}
		f := os.NewFile(uintptr(fd), path)
		defer f.Close()
		if err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}); err == nil {
			conn, err = net.FileConn(f)
		}
	}()
	<-done
	return conn, err
}

// apiOf is the API of a host for a tenant's user.
type apiOf struct {
	vbrv1.ResourceServiceClient
	vbrv1.RouterServiceClient
}

func (m *matrix) apiOf(t *testing.T, ns *lab.NS, n *tenant) apiOf {
	dial := func(context.Context, string) (net.Conn, error) {
		return socketAs(m.Dir+"/"+ns.Name+"/vbrd.sock", n.uid, n.gid)
	}
	c, err := grpc.NewClient("passthrough:///vbrd", grpc.WithContextDialer(dial), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return apiOf{vbrv1.NewResourceServiceClient(c), vbrv1.NewRouterServiceClient(c)}
}

// text is a reply, or the error.
func text(reply proto.Message, err error) string {
	if err != nil {
		return err.Error()
	}
	return protojson.Format(reply)
}

// drain is what a stream says until its end, or its context's.
func drain[M any](s grpc.ServerStreamingClient[M], err error) string {
	var b strings.Builder
	for err == nil {
		var reply *M
		if reply, err = s.Recv(); err == nil {
			b.WriteString(protojson.Format(any(reply).(proto.Message)))
		}
	}
	if c := status.Code(err); !errors.Is(err, io.EOF) && c != codes.DeadlineExceeded {
		b.WriteString(err.Error())
	}
	return b.String()
}

// everything is what the API says when it is asked for all there is; streams that go on are read for two seconds.
func (a apiOf) everything(t *testing.T, router, ri string) string {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	follow, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	return strings.Join([]string{
		drain(a.List(ctx, &vbrv1.ListRequest{})), drain(a.ListRouters(ctx, &vbrv1.ListRoutersRequest{})),
		drain(a.ListSessions(ctx, &vbrv1.ListSessionsRequest{})), drain(a.ListRoutes(ctx, &vbrv1.ListRoutesRequest{Router: router})),
		drain(a.ListUsage(ctx, &vbrv1.ListUsageRequest{})), drain(a.ListFailoverTests(ctx, &vbrv1.ListFailoverTestsRequest{})),
		drain(a.ListRevisions(ctx, &vbrv1.ListRevisionsRequest{})), drain(a.ListEvents(ctx, &vbrv1.ListEventsRequest{})),
		text(a.Explain(ctx, &vbrv1.ExplainRequest{Router: router, Destination: idcHost4})), text(a.GetHost(ctx, &vbrv1.GetHostRequest{})),
		text(a.GetPrefixHistory(ctx, &vbrv1.GetPrefixHistoryRequest{Router: router, Prefix: "172.16.1.0/24"})),
		text(a.GetQuality(ctx, &vbrv1.GetQualityRequest{RouterInterface: ri})), drain(a.Watch(follow, &vbrv1.WatchRequest{})),
		drain(a.ListEvents(follow, &vbrv1.ListEventsRequest{Follow: true})),
	}, "\n")
}

// guess is a call that names something of a tenant: the host's answer is about vbr and ri, or what its owner has.
type guess struct {
	name string
	call func(ctx context.Context, a apiOf, owner, vbr, ri string) string
}

var guesses = []guess{
	{"Get", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return text(a.Get(ctx, &vbrv1.GetRequest{Kind: vbrv1.Kind_KIND_VIRTUAL_BORDER_ROUTER, Name: vbr}))
	}},
	{"List", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return drain(a.List(ctx, &vbrv1.ListRequest{Names: []string{vbr, ri}}))
	}},
	{"List by owner", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return drain(a.List(ctx, &vbrv1.ListRequest{Owner: owner}))
	}},
	{"Delete", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return text(a.Delete(ctx, &vbrv1.DeleteRequest{DryRun: true, Refs: []*vbrv1.ResourceRef{{Kind: vbrv1.Kind_KIND_ROUTER_INTERFACE, Name: ri}}}))
	}},
	{"ListRouters", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return drain(a.ListRouters(ctx, &vbrv1.ListRoutersRequest{Names: []string{vbr}}))
	}},
	{"routers by owner", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return drain(a.ListRouters(ctx, &vbrv1.ListRoutersRequest{Owner: owner}))
	}},
	{"ListSessions", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return drain(a.ListSessions(ctx, &vbrv1.ListSessionsRequest{Router: vbr}))
	}},
	{"sessions by owner", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return drain(a.ListSessions(ctx, &vbrv1.ListSessionsRequest{Owner: owner}))
	}},
	{"ListRoutes", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return drain(a.ListRoutes(ctx, &vbrv1.ListRoutesRequest{Router: vbr}))
	}},
	{"Explain", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return text(a.Explain(ctx, &vbrv1.ExplainRequest{Router: vbr, Destination: idcHost4}))
	}},
	{"GetPrefixHistory", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return text(a.GetPrefixHistory(ctx, &vbrv1.GetPrefixHistoryRequest{Router: vbr, Prefix: "172.16.1.0/24"}))
	}},
	{"TestPolicy", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return drain(a.TestPolicy(ctx, &vbrv1.TestPolicyRequest{Router: vbr, Peer: "10.0.0.2"}))
	}},
	{"ListEvents", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return drain(a.ListEvents(ctx, &vbrv1.ListEventsRequest{Router: vbr}))
	}},
	{"ListUsage", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return drain(a.ListUsage(ctx, &vbrv1.ListUsageRequest{RouterInterface: ri}))
	}},
	{"GetQuality", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return text(a.GetQuality(ctx, &vbrv1.GetQualityRequest{RouterInterface: ri}))
	}},
	{"ListFailoverTests", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return drain(a.ListFailoverTests(ctx, &vbrv1.ListFailoverTestsRequest{Router: vbr}))
	}},
	{"StartFailoverTest", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return text(a.StartFailoverTest(ctx, &vbrv1.StartFailoverTestRequest{Router: vbr}))
	}},
	{"CreateFailoverTest", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return text(a.CreateFailoverTest(ctx, &vbrv1.CreateFailoverTestRequest{Router: vbr}))
	}},
	{"ResetSession", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return text(a.ResetSession(ctx, &vbrv1.ResetSessionRequest{Router: vbr, Soft: true}))
	}},
	{"Capture", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return drain(a.Capture(ctx, &vbrv1.CaptureRequest{Router: vbr, Seconds: 1}))
	}},
	{"DrainRouter", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return text(a.DrainRouter(ctx, &vbrv1.DrainRouterRequest{Router: vbr}))
	}},
	{"UndrainRouter", func(ctx context.Context, a apiOf, owner, vbr, ri string) string {
		return text(a.UndrainRouter(ctx, &vbrv1.UndrainRouterRequest{Router: vbr}))
	}},
}

// ask makes a guess about a tenant; its name in the answer is NAME.
func (g guess) ask(ctx context.Context, a apiOf, name string) string {
	return strings.ReplaceAll(g.call(ctx, a, name, "vbr-"+name, "ri-line-"+name), name, "NAME")
}

// testAPI: every tenant's user sees its own and nothing of any other, and who guesses others' names hears what is said of names that nobody has. All
// ask at the same time.
func (m *matrix) testAPI(t *testing.T) {
	var users sync.WaitGroup
	var pairs atomic.Int32
	nobody := make([]string, len(guesses)) // what is said of names that nobody has
	first := m.apiOf(t, m.edge, m.tenants[0])
	for i, g := range guesses {
		nobody[i] = g.ask(t.Context(), first, "tenant99")
	}
	for _, n := range m.tenants {
		users.Go(func() {
			m.seesOwn(t, m.edge, n, "vbr-"+n.name, "ri-line-"+n.name)
			m.seesOwn(t, m.gw, n, "vpc-"+n.name, "ri-vpc-"+n.name)
			pairs.Add(m.guess(t, n, nobody))
		})
	}
	users.Wait()
	t.Logf("%d pairs of a user and another's names", pairs.Load())
}

// seesOwn: a tenant's user sees its own.
func (m *matrix) seesOwn(t *testing.T, ns *lab.NS, n *tenant, router, ri string) {
	out := m.apiOf(t, ns, n).everything(t, router, ri)
	if names := m.marks(out); !slices.Equal(names, []string{n.name}) {
		t.Errorf("%s: the user of %s sees %q", ns.Name, n.name, names)
	}
	mark := fmt.Sprintf("%d:%d", n.asn, n.number)
	if ns == m.edge && (n.number > 0 && !strings.Contains(out, mark) || !strings.Contains(out, "172.16.1.0/24")) {
		t.Errorf("the user of %s does not see its routes: %.2000s", n.name, out)
	}
}

// guess has a tenant's user guess the names of all others, with one of the calls each.
func (m *matrix) guess(t *testing.T, n *tenant, nobody []string) (others int32) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	a := m.apiOf(t, m.edge, n)
	for _, o := range m.tenants {
		if o == n {
			continue
		}
		others++
		i := (n.number*tenantCount + o.number) % len(guesses)
		if reply := guesses[i].ask(ctx, a, o.name); reply != nobody[i] {
			t.Errorf("%s of %s by the user of %s: %.300q; of nobody: %.300q", guesses[i].name, o.name, n.name, reply, nobody[i])
		}
	}
	return others
}
