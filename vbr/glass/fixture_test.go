package glass

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr"
	"github.com/openvbr/openvbr/vbr/api"
	"github.com/openvbr/openvbr/vbr/control"
	"github.com/openvbr/openvbr/vbr/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hostile is what a customer might call things.
const hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>`

// fakeHost is a host with six routers, and more on demand; what the glass never calls is nil and would panic.
type fakeHost struct {
	api.Host
	more   atomic.Int32 // further routers
	routes int          // of vbr-acme
}

type fakeController struct{ api.Controller }

func (fakeController) Status() (string, uint64, []string) { return "etcd", 1284, nil }

func ago(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(time.Now().Add(-d)) }

// few are those without the further ones.
func (f *fakeHost) few() []*vbrv1.RouterStatus {
	ready, day := vbrv1.RouterStatus_STATE_READY, 24*time.Hour
	check := &vbrv1.HealthCheckState{HealthCheckStatus: "Normal", SourceIp: "10.0.0.1", TargetIp: "10.0.0.2", Since: ago(3 * day), Lost: 0, RttMs: 1.92}
	ris := []*vbrv1.RouterInterfaceStatus{
		{Name: "ri-acme-prod", Owner: "acme", Status: "Active", Since: ago(9 * day), Vni: 5001, RouteTarget: "64600:5001", Imported: 12, Exported: 18442, Gateways: []string{"192.0.2.11", "192.0.2.12"}, HealthCheck: check},
		{Name: "ri-acme-lab", Owner: "acme", Status: "Active", Since: ago(2 * time.Hour), Vni: 5002, RouteTarget: "64600:5002", Imported: 2, Exported: 18442, OppositeInterfaceId: "ri-lab-acme"},
	}
	return []*vbrv1.RouterStatus{
		{Name: "vbr-acme", Owner: "acme", RouterType: "VBR", State: ready, Since: ago(12 * day), LocalAsn: 64512, RouterId: "10.0.0.1", Vrf: "vbr-acme", RouteTableId: 10001, Sessions: 2, SessionsEstablished: 2,
			Routes:           &vbrv1.RouteCounts{Received: 36902, Accepted: 36884, Rejected: map[string]uint32{"martian": 12, "as-loop": 6}, Kernel: 18442, Advertised: 14, Exported: 18442},
			Lines:            []*vbrv1.LineStatus{{PhysicalConnectionId: "pc-fra-1", Device: "eth1.100", VlanId: 100, Up: true, Addresses: []string{"10.0.0.1/30", "2001:db8::1/126"}}, {PhysicalConnectionId: "pc-fra-2", Device: "eth2.100", VlanId: 100, Up: true, Addresses: []string{"10.0.0.5/30"}}},
			RouterInterfaces: ris, HealthCheck: check},
		{Name: "vbr-globex", Owner: "globex", RouterType: "VBR", State: vbrv1.RouterStatus_STATE_DEGRADED, Since: ago(14 * time.Minute), LocalAsn: 64512, Vrf: "vbr-globex", RouteTableId: 10002, Sessions: 2, SessionsEstablished: 1,
			Reasons: []string{"session 10.1.0.2 is down: hold timer expired", "route quota: 12 of 10.1.0.6's routes are over its 110"},
			Routes:  &vbrv1.RouteCounts{Received: 122, Accepted: 110, Rejected: map[string]uint32{"over-quota": 12}, Kernel: 110, Advertised: 3, Exported: 110}},
		{Name: "vbr-hooli", Owner: "hooli", RouterType: "VBR", State: vbrv1.RouterStatus_STATE_DRAINED, Drained: true, Since: ago(42 * time.Minute), LocalAsn: 64512, Vrf: "vbr-hooli", RouteTableId: 10003, Sessions: 1, SessionsEstablished: 1,
			Routes: &vbrv1.RouteCounts{Received: 801, Accepted: 801, Kernel: 801, Advertised: 9, Exported: 801}},
		{Name: "vbr-initech", Owner: "initech", RouterType: "VBR", State: ready, VbrStatus: "terminated", VbrStatusReason: "the port's owner terminated it", Since: ago(3 * time.Hour)},
		{Name: "vbr-odd", Owner: hostile, RouterType: "VBR", State: vbrv1.RouterStatus_STATE_DEGRADED, Reasons: []string{hostile}, Since: ago(time.Minute), Sessions: 1, Routes: &vbrv1.RouteCounts{}},
		{Name: "vpc-acme", Owner: "acme", RouterType: "VRouter", State: ready, Since: ago(12 * day), Vrf: "vpc-acme", RouteTableId: 10004, Routes: &vbrv1.RouteCounts{Received: 18444, Accepted: 18444, Kernel: 18444},
			Vswitches: []*vbrv1.VSwitchStatus{{Name: "vsw-a", Device: "br-vsw-a", Up: true, Addresses: []string{"172.16.1.1/24"}, Members: []string{"tap1", "tap2"}}}},
	}
}

func (f *fakeHost) Status() *vbrv1.GetHostResponse {
	return &vbrv1.GetHostResponse{Routers: uint32(6 + f.more.Load()), RoutersDegraded: 2, Sessions: 6, SessionsEstablished: 4, Routes: 37797,
		BackboneSessions: []*vbrv1.BgpSession{{PeerIpAddress: "192.0.2.1", BgpStatus: "established"}, {PeerIpAddress: "192.0.2.2", BgpStatus: "established"}}}
}

func (f *fakeHost) RouterNames() (names []string) {
	for _, r := range f.few() {
		names = append(names, r.GetName())
	}
	for i := range f.more.Load() {
		names = append(names, fmt.Sprintf("vbr-x%04d", i))
	}
	return names
}

func (f *fakeHost) RouterStatus(name string) *vbrv1.RouterStatus {
	if strings.HasPrefix(name, "vbr-x") {
		return &vbrv1.RouterStatus{Name: name, Owner: "many", State: vbrv1.RouterStatus_STATE_READY, Since: ago(time.Hour), Routes: &vbrv1.RouteCounts{}}
	}
	for _, r := range f.few() {
		if r.GetName() == name {
			return r
		}
	}
	return nil
}

func (f *fakeHost) Sessions(router string) []*vbrv1.BgpSession {
	s := func(peer, status string, quota, used, over uint32) *vbrv1.BgpSession {
		return &vbrv1.BgpSession{Router: router, PeerIpAddress: peer, PeerAsn: 65001, LocalAsn: 64512, BgpStatus: status, Since: ago(5 * time.Hour), EstablishedCount: 1, Hold: 9, Keepalive: 3, Families: []string{"ipv4", "ipv6"},
			ReceivedRouteCount: used + over, AcceptedRouteCount: used, AdvertisedRouteCount: 14, RouteQuota: quota, RouteQuotaUsed: used, RouteQuotaOver: over, Device: "eth1.100"}
	}
	switch router {
	case "vbr-acme":
		a, b := s("10.0.0.2", "established", 25000, 18451, 0), s("10.0.0.6", "established", 25000, 18451, 0)
		a.Bfd, b.Bfd = &vbrv1.BfdSession{State: "Up", DetectTime: 900}, &vbrv1.BfdSession{State: "Up", DetectTime: 900}
		b.Device = "eth2.100"
		return []*vbrv1.BgpSession{a, b}
	case "vbr-globex":
		down := s("10.1.0.2", "active", 110, 0, 0)
		down.LastError = "hold timer expired (RFC 4271 6.5)"
		return []*vbrv1.BgpSession{down, s("10.1.0.6", "established", 110, 110, 12)}
	case "vbr-hooli":
		return []*vbrv1.BgpSession{s("10.2.0.2", "established", 1000, 801, 0)}
	case "vbr-odd":
		x := s("10.3.0.2", "idle", 0, 0, 0)
		x.LastError = hostile
		return []*vbrv1.BgpSession{x}
	}
	return nil
}

func (f *fakeHost) Routes(_ context.Context, r *vbrv1.ListRoutesRequest, yield func([]*vbrv1.Route) error) error {
	var inside netip.Prefix
	if r.GetPrefix() != "" {
		p, err := netip.ParsePrefix(r.GetPrefix())
		if err != nil {
			return &vbr.RequestError{Field: "prefix", Value: r.GetPrefix(), Legal: "a prefix such as 10.2.3.0/24 or 2001:db8::/32"}
		}
		inside = p
	}
	if p := r.GetPeer(); p != "" && p != "10.0.0.2" {
		return &vbr.RequestError{Field: "peer", Value: p, Legal: "one of 10.0.0.2, 10.0.0.6"}
	}
	var out []*vbrv1.Route
	for i := range f.routes {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 2 + byte(i>>8), byte(i), 0}), 24)
		if inside.IsValid() && !inside.Overlaps(p) {
			continue
		}
		x := &vbrv1.Route{Prefix: p.String(), NextHop: "10.0.0.2", Source: &vbrv1.RouteSource{Type: vbrv1.RouteSource_TYPE_BGP, Name: "10.0.0.2", Asn: 65001}, Verdict: "accepted", Best: true, Since: ago(time.Duration(i) * time.Minute),
			Attributes: &vbrv1.PathAttributes{Origin: "igp", AsPath: "65001 65010", Communities: []string{"65001:100", "65001:200"}, Med: new(uint32)}}
		switch i % 9 {
		case 4:
			x.Best, x.Backup, x.NextHop, x.Source.Name = false, true, "10.0.0.6", "10.0.0.6"
		case 7:
			x.Best, x.Verdict = false, "as-loop"
		}
		if out = append(out, x); r.GetLimit() > 0 && len(out) == int(r.GetOffset()+r.GetLimit()) {
			break
		}
	}
	out = out[min(int(r.GetOffset()), len(out)):]
	for chunk := range slices.Chunk(out, 500) {
		if err := yield(chunk); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeHost) Explain(router, destination string) (*vbrv1.ExplainResponse, error) {
	if strings.ContainsAny(destination, " <") {
		return nil, &vbr.RequestError{Field: "destination", Value: destination, Legal: "a prefix or an address"}
	}
	pref := uint32(200)
	path := func(peer, why string, best bool) *vbrv1.ExplainedPath {
		return &vbrv1.ExplainedPath{Why: why, Route: &vbrv1.Route{Prefix: "10.2.3.0/24", NextHop: peer, Verdict: "accepted", Best: best, Backup: !best, Since: ago(5 * time.Hour),
			Source:     &vbrv1.RouteSource{Type: vbrv1.RouteSource_TYPE_BGP, Name: peer, Asn: 65001},
			Attributes: &vbrv1.PathAttributes{Origin: "igp", AsPath: "65001 65010", Communities: []string{"65001:100"}}}}
	}
	best := path("10.0.0.2", "wins: LOCAL_PREF 200 against 100 (RFC 4271 9.1.1)", true)
	best.Received, best.ImportPolicy = &vbrv1.PathAttributes{Origin: "igp", AsPath: "65001 65010", Communities: []string{"65001:100"}}, "term 20 of acme-in permits it"
	best.Route.Attributes.LocalPref = &pref
	return &vbrv1.ExplainResponse{Router: router, Destination: destination, Prefix: "10.2.3.0/24", Summary: "in the kernel by 10.0.0.2, and told to the VPC",
		Kernel: &vbrv1.KernelRoute{Installed: true, RouteTableId: 10001, NextHops: []*vbrv1.KernelNextHop{{Gateway: "10.0.0.2", Device: "eth1.100"}}, Backups: []*vbrv1.KernelNextHop{{Gateway: "10.0.0.6", Device: "eth2.100"}}, Since: ago(5 * time.Hour)},
		Told: []*vbrv1.Told{{Neighbour: "ri-acme-prod", Told: true, Since: ago(5 * time.Hour)}, {Neighbour: "ri-acme-lab", Why: "its export policy lab-out denies it, term 10"},
			{Neighbour: "10.0.0.2", Why: "it came from the customer"}},
		Paths: []*vbrv1.ExplainedPath{best, path("10.0.0.6", "loses to 10.0.0.2: LOCAL_PREF 100 against 200 (RFC 4271 9.1.1)", false)},
		Next:  "10.0.0.6 takes over at once"}, nil
}

// carriedIn is what ri-acme-prod carried in an hour, more by day than by night.
func carriedIn(hour time.Time) float64 {
	return 4e11 * (1.2 + math.Sin(float64(hour.Unix()/3600%24)/24*2*math.Pi))
}

func (f *fakeHost) Usage(router, _ string, since time.Time) ([]*vbrv1.Usage, error) {
	if router != "vbr-acme" {
		return nil, nil
	}
	u := &vbrv1.Usage{Router: router, RouterInterface: "ri-acme-prod", Owner: "acme", Since: timestamppb.New(since)}
	for h := since.Truncate(time.Hour); h.Before(time.Now()); h = h.Add(time.Hour) {
		u.TxBytes += uint64(carriedIn(h))
		u.RxBytes += uint64(carriedIn(h.Add(5*time.Hour)) / 3)
	}
	return []*vbrv1.Usage{u, {Router: router, RouterInterface: "ri-acme-lab", Owner: "acme", Since: timestamppb.New(since)}}, nil
}

func (f *fakeHost) Quality(name string, since time.Time, samples int) (*vbrv1.GetQualityResponse, error) {
	if name != "ri-acme-prod" {
		return nil, fmt.Errorf("%s: %w", name, vbr.ErrNoInterface)
	}
	q := &vbrv1.GetQualityResponse{Router: "vbr-acme", RouterInterface: name, Since: timestamppb.New(since), Until: timestamppb.Now(), Probe: "10.0.0.1 -> 10.0.0.2", Objectives: []*vbrv1.QualityObjective{
		{Name: "loss", Target: 0.2, Measured: 0.041, Met: true, BudgetLeft: 79}, {Name: "jitter", Target: 20, Measured: 11.2, Met: true, BudgetLeft: 44},
		{Name: "encapsulation_success", Target: 99.8, Measured: 100, Met: true, BudgetLeft: 100}, {Name: "availability", Target: 99.95, Measured: 99.91, BudgetLeft: -80}}}
	step := time.Since(since) / time.Duration(samples)
	for i := range samples {
		s := &vbrv1.QualitySample{Time: timestamppb.New(since.Add(time.Duration(i) * step)), Sent: 720, RttMs: 1.8 + 0.3*math.Sin(float64(i)/9) + float64(i*7919%13)/40, JitterMs: 0.15 + float64(i*104729%17)/90}
		switch {
		case i > 20 && i < 26:
			s.Sent = 0 // vbrd was not there
		case i == 70:
			s.Lost, s.RttMs = 96, 6.3
		case i == 71:
			s.Lost, s.RttMs = 22, 4.1
		}
		q.Samples = append(q.Samples, s)
	}
	return q, nil
}

// world is an API with a fake host behind it, and a looking glass.
type world struct {
	t      testing.TB
	dir    string
	host   *fakeHost
	events *events.Log
	server *server
	door   *api.Door
}

// begin serves the glass at an address; change may change it before.
func begin(t testing.TB, where string, cfg api.Config, change func(*world)) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "glass") // that of t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{t: t, dir: dir, host: &fakeHost{routes: 240}, events: events.NewLog(1000)}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	cfg.Socket, cfg.Log = filepath.Join(dir, "vbrd.sock"), log
	gate, err := api.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if w.door, err = gate.Door(strings.ReplaceAll(where, "DIR", dir), "glass.listen"); err != nil {
		t.Fatal(err, gate.Close())
	}
	if w.server, err = newServer(w.door, log); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(w)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() {
		ended <- gate.Serve(ctx, api.Backends{Controller: fakeController{}, Host: w.host, Events: w.events, Name: "edge-fra-1", Version: "v1.4.0", StartTime: ago(12 * 24 * time.Hour)})
	}()
	go func() { ended <- w.server.serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	return w
}

// local is one at the loopback.
func local(t testing.TB, change func(*world)) *world {
	return begin(t, "127.0.0.1:0", api.Config{Rate: 10000}, change)
}

func (w *world) url(path string) string { return "http://" + w.door.Addr().String() + path }

// client of the world; it keeps no connections that outlive the test.
func (w *world) client() *http.Client {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, w.door.Addr().Network(), w.door.Addr().String())
	}}
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func tenants() []api.Rule {
	return []api.Rule{{Match: "cn:noc", Role: control.Viewer}, {Match: "cn:acme", Role: control.Viewer, Owners: []string{"acme"}}}
}
