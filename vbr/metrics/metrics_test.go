package metrics

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/openvbr/openvbr/fib"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr"
)

var _ Host = (*vbr.Host)(nil)

// host has routers of two lines with two families, a router interface and all checks; "stuck" hangs until the channel is closed.
type host struct {
	names []string
	stuck chan struct{}
}

func (h host) Status() *vbrv1.GetHostResponse {
	if h.stuck != nil {
		<-h.stuck
	}
	return &vbrv1.GetHostResponse{Problems: []string{"store"}, BackboneSessions: []*vbrv1.BgpSession{{PeerIpAddress: "192.0.2.254", PeerAsn: 64600, LocalAsn: 64600}}}
}

func (h host) RouterNames() []string { return h.names }

func (host) Figures(string) vbr.Figures { return vbr.Figures{Best: 3, Waiting: 9} }

func (host) Timings() vbr.Timings {
	return vbr.Timings{Convergence: vbr.Times{Count: 2, Sum: 1, Buckets: map[float64]uint64{1: 2}}, Failures: []fib.Failure{{Operation: "route", Errno: "EEXIST", Count: 4}}}
}

func (h host) RouterStatus(name string) *vbrv1.RouterStatus {
	if strings.HasPrefix(name, "stuck") {
		<-h.stuck
	}
	return &vbrv1.RouterStatus{Name: name, Vrf: name, State: vbrv1.RouterStatus_STATE_READY, Drift: 2, HealthCheck: &vbrv1.HealthCheckState{HealthCheckStatus: "Normal", RttMs: 2},
		Routes:           &vbrv1.RouteCounts{Received: 5, Accepted: 3, Rejected: map[string]uint32{"martian": 2, "default-route": 1, "over-quota": 1}},
		RouterInterfaces: []*vbrv1.RouterInterfaceStatus{{Name: "ri-" + name, Status: "Modifying", Imported: 1, HealthCheck: &vbrv1.HealthCheckState{HealthCheckStatus: "NoRedundantRoute"}}}}
}

func (h host) Sessions(name string) (out []*vbrv1.BgpSession) {
	for i, address := range []string{"10.0.0.2", "fd00::2", "10.0.0.6", "fd00::6"} {
		family := []string{"ipv4", "ipv6"}[i%2]
		out = append(out, &vbrv1.BgpSession{Router: name, PeerIpAddress: address, PeerAsn: 65001, LocalAsn: 64512, BgpStatus: "established", Since: timestamppb.Now(), Families: []string{family},
			RouteQuota: 110, RouteQuotaUsed: 3, MessagesReceived: 7, Bfd: &vbrv1.BfdSession{State: "Up"}})
	}
	return out
}

func (h host) Usage(router, _ string, _ time.Time) ([]*vbrv1.Usage, error) {
	return []*vbrv1.Usage{{Router: router, RouterInterface: "ri-" + router, TxBytes: 1 << 40}}, nil
}

func (h host) Quality(ri string, _ time.Time, _ int) (*vbrv1.GetQualityResponse, error) {
	q := &vbrv1.GetQualityResponse{RouterInterface: ri}
	for _, name := range []string{"loss", "jitter", "encapsulation_success", "availability"} {
		q.Objectives = append(q.Objectives, &vbrv1.QualityObjective{Name: name, Measured: 50})
	}
	return q, nil
}

// scrape is what a registry shows, a line for each series.
func scrape(t *testing.T, r *prometheus.Registry) (lines []string) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := ""
			for _, l := range m.GetLabel() {
				labels += fmt.Sprintf(" %s=%s", l.GetName(), l.GetValue())
			}
			lines = append(lines, fmt.Sprintf("%s%s %v", f.GetName(), labels, m.GetGauge().GetValue()+m.GetCounter().GetValue()+float64(m.GetHistogram().GetSampleCount())))
		}
	}
	return lines
}

func collected(c *Collector) *prometheus.Registry {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	return r
}

func TestSeries(t *testing.T) {
	lines := scrape(t, collected(New(host{names: []string{"vbr-acme"}})))
	all := strings.Join(lines, "\n")
	for _, want := range []string{
		"frr_bgp_peer_state afi=ipv6 local_as=64512 peer=fd00::2 peer_as=65001 safi=unicast vrf=vbr-acme 1",
		"frr_bgp_peer_state afi=l2vpn local_as=64600 peer=192.0.2.254 peer_as=64600 safi=evpn vrf=default 0",
		"vbr_routes router=vbr-acme stage=best 3", "vbr_router_state router=vbr-acme 1", `vbr_netlink_errors_total errno=EEXIST operation=route 4`, "vbr_queue_depth queue=kernel 9", "vbr_convergence_seconds 2",
		"vbr_routes_rejected reason=over-quota router=vbr-acme 1", "vbr_routes_rejected reason=martian router=vbr-acme 2",
		"vbr_route_quota_headroom peer=10.0.0.2 router=vbr-acme 107", "vbr_bfd_up peer=10.0.0.2 router=vbr-acme 1", "vbr_kernel_drift_total router=vbr-acme 2",
		"vbr_router_interface_active router=vbr-acme router_interface=ri-vbr-acme 1", "vbr_health_check_normal router=vbr-acme router_interface=ri-vbr-acme 0",
		"vbr_health_check_normal router=vbr-acme router_interface= 1", "vbr_quality_ratio objective=loss router=vbr-acme router_interface=ri-vbr-acme 0.5", "vbr_host_problems 1",
	} {
		if !strings.Contains(all+"\n", want+"\n") {
			t.Errorf("no series %q in\n%s", want, all)
		}
	}
	of := 0
	for _, l := range lines {
		if strings.Contains(l, "vbr-acme") {
			of++
		}
	}
	if of > 60 { // docs/metrics.md has the sum: four sessions with BFD and quota, two health checks, and a router interface
		t.Errorf("%d series of one router", of)
	}
}

// A router that hangs, and a host that does, cost their own series only, are counted at each scrape, and come back.
func TestStuckRouter(t *testing.T) {
	h := host{names: []string{"good", "stuck"}, stuck: make(chan struct{})}
	c := New(h)
	c.within = 50 * time.Millisecond
	r := collected(c)
	for n := 1; n <= 2; n++ {
		all := strings.Join(scrape(t, r), "\n")
		if !strings.Contains(all, "vbr_router_state router=good 1") || strings.Contains(all, "router=stuck") || !strings.Contains(all, fmt.Sprintf("vbr_scrape_timeouts_total %d", 2*n)) {
			t.Errorf("scrape %d:\n%s", n, all)
		}
	}
	close(h.stuck)
	for end := time.Now().Add(5 * time.Second); !strings.Contains(strings.Join(scrape(t, r), "\n"), "vbr_router_state router=stuck 1"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the router that hung does not come back")
		}
	}
}

// Where more routers hang than are asked at once, those behind them are asked by a later scrape.
func TestMoreStuckThanAskers(t *testing.T) {
	h := host{stuck: make(chan struct{})}
	defer close(h.stuck)
	const good = 20
	for i := range 2 * askers {
		h.names = append(h.names, fmt.Sprint("stuck-", i))
	}
	for i := range good {
		h.names = append(h.names, fmt.Sprint("good-", i))
	}
	c := New(h)
	c.within = 50 * time.Millisecond
	r := collected(c)
	for end := time.Now().Add(5 * time.Second); ; {
		if strings.Count(strings.Join(scrape(t, r), "\n"), "vbr_router_state router=good-") == good {
			return
		}
		if time.Now().After(end) {
			t.Fatal("routers that do not hang are not asked any more")
		}
	}
}

// promlint has nothing to say of our names; those of frr_exporter are as its dashboards want them.
func TestNames(t *testing.T) {
	problems, err := testutil.GatherAndLint(collected(New(host{names: []string{"vbr-acme"}})))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !strings.HasPrefix(p.Metric, "frr_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// docs/metrics.md has the metrics that there are.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, m := range all {
		kind := map[prometheus.ValueType]string{gauge: "gauge", counter: "counter", histogram: "histogram"}[m.kind]
		fmt.Fprintf(&want, "| `%s` | %s | %s | %s |\n", m.name, kind, strings.Join(m.labels, ", "), m.help)
	}
	got := strings.Join(regexp.MustCompile("(?m)^\\| `(?:frr|vbr)_.*\n").FindAllString(string(text), -1), "")
	if got != want.String() {
		t.Errorf("docs/metrics.md has\n%s\nand not\n%s", got, want.String())
	}
}

func TestServe(t *testing.T) {
	for _, where := range []string{"127.0.0.1:0", "unix:" + filepath.Join(t.TempDir(), "m.sock")} {
		l, err := Listen(where)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- Serve(ctx, l, host{names: []string{"vbr-acme"}}, "v1", slog.New(slog.DiscardHandler)) }()
		client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, l.Addr().Network(), l.Addr().String())
		}}}
		for path, want := range map[string]string{"/metrics": `vbr_build_info{version="v1"} 1`, "/": "404"} {
			answer, err := client.Get("http://vbrd" + path)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if !strings.Contains(answer.Status+string(body), want) {
				t.Errorf("%s%s: %s %s", where, path, answer.Status, body)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if _, err := Listen("unix:/nowhere/m.sock"); err == nil || !strings.Contains(err.Error(), "metrics.listen") {
		t.Error(err)
	}
}

// The rules for alerts use metrics that there are.
func TestAlerts(t *testing.T) {
	text, err := os.ReadFile("../../examples/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, m := range all {
		there[m.name] = true
	}
	used := regexp.MustCompile(`\b(frr|vbr)_\w+`).FindAllString(string(text), -1)
	if len(used) < 10 {
		t.Errorf("only %q", used)
	}
	for _, name := range used {
		if !there[name] {
			t.Errorf("no metric %s", name)
		}
	}
}

// Each rule fires in a case, and not in another.
func TestAlertsFire(t *testing.T) {
	rules, err := os.ReadFile("../../examples/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	cases, err := os.ReadFile("../../examples/prometheus/alerts_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		if !strings.Contains(string(cases), `alertname="`+m[1]+`"`) {
			t.Errorf("alerts_test.yml has no case of %s", m[1])
		}
	}
	if out, err := exec.CommandContext(t.Context(), "promtool", "test", "rules", "../../examples/prometheus/alerts_test.yml").CombinedOutput(); err != nil {
		t.Errorf("promtool: %v (internal/lab/install.sh installs it)\n%s", err, out)
	}
}
