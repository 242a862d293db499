package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func (f *fake) ListUsage(r *vbrv1.ListUsageRequest, s grpc.ServerStreamingServer[vbrv1.ListUsageResponse]) error {
	if err := f.ask(s.Context(), proto.Clone(r)); err != nil {
		return err
	}
	if name := r.GetRouterInterface(); name != "" && name != "ri-acme" {
		return nil
	}
	return s.Send(&vbrv1.ListUsageResponse{Usages: []*vbrv1.Usage{
		{Router: "vbr-acme", RouterInterface: "ri-acme", Owner: "acme", TxBytes: 1_234_567, TxPackets: 1000, RxBytes: 999, RxPackets: 9, Since: r.GetSince()},
		{Router: "vbr-acme", RouterInterface: "ri-acme", Owner: "acme", CrossRegion: true, TxBytes: 5_000_000_000_000, TxPackets: 4_000_000_000, Since: r.GetSince()},
	}})
}

func (f *fake) GetQuality(ctx context.Context, r *vbrv1.GetQualityRequest) (*vbrv1.GetQualityResponse, error) {
	if err := f.ask(ctx, proto.Clone(r)); err != nil {
		return nil, err
	}
	if r.GetRouterInterface() != "ri-acme" {
		return nil, status.Error(codes.NotFound, "there is none")
	}
	q := &vbrv1.GetQualityResponse{Router: "vbr-acme", RouterInterface: "ri-acme", Since: r.GetSince(), Until: ago(0), Probe: "169.254.1.0 -> 169.254.1.1",
		Objectives: []*vbrv1.QualityObjective{
			{Name: "loss", Target: 0.2, Measured: 0.5, BudgetLeft: -150}, {Name: "jitter", Target: 20, Measured: 3, Met: true, BudgetLeft: 85},
			{Name: "encapsulation_success", Target: 99.8, Measured: 100, Met: true, BudgetLeft: 100}, {Name: "availability", Target: 99.95, Unknown: true},
		}}
	for i, lost := range []uint32{0, 0, 1, 30, 0} {
		q.Samples = append(q.Samples, &vbrv1.QualitySample{Time: ago(time.Duration(5-i) * time.Minute), Sent: 60, Lost: lost, RttMs: float64(i + 1)})
	}
	q.Samples[4].Sent = 0
	return q, nil
}

func (f *fake) StartFailoverTest(ctx context.Context, r *vbrv1.StartFailoverTestRequest) (*vbrv1.StartFailoverTestResponse, error) {
	if err := f.ask(ctx, r); err != nil {
		return nil, err
	}
	return &vbrv1.StartFailoverTestResponse{Test: &vbrv1.FailoverTest{Id: "ft-1", Router: r.GetRouter(), DurationMinutes: r.GetDurationMinutes(),
		Findings: []string{"7 prefixes are carried, all of them by vbr-beta too"}}}, f.knownUnless(r.GetId(), r.GetRouter())
}

// knownUnless is known, but for a request that names something else.
func (f *fake) knownUnless(id, router string) error {
	if id != "" {
		return nil
	}
	return f.known(router)
}

func (f *fake) CreateFailoverTest(ctx context.Context, r *vbrv1.CreateFailoverTestRequest) (*vbrv1.CreateFailoverTestResponse, error) {
	if err := f.ask(ctx, r); err != nil {
		return nil, err
	}
	return &vbrv1.CreateFailoverTestResponse{Test: &vbrv1.FailoverTest{Id: "ft-2", Router: r.GetRouter(), Status: "Init", JobType: "StartLater", StartTime: r.GetStartTime(),
		Findings: []string{"as things stand it would be refused: no redundancy"}}}, f.known(r.GetRouter())
}

func (f *fake) UpdateFailoverTest(ctx context.Context, r *vbrv1.UpdateFailoverTestRequest) (*vbrv1.UpdateFailoverTestResponse, error) {
	if err := f.ask(ctx, r); err != nil {
		return nil, err
	}
	return &vbrv1.UpdateFailoverTestResponse{Test: &vbrv1.FailoverTest{Id: r.GetId(), Router: "vbr-acme", Status: "Init", DurationMinutes: 20, StartTime: r.GetStartTime()}}, nil
}

func (f *fake) DeleteFailoverTest(ctx context.Context, r *vbrv1.DeleteFailoverTestRequest) (*vbrv1.DeleteFailoverTestResponse, error) {
	if err := f.ask(ctx, r); err != nil {
		return nil, err
	}
	return &vbrv1.DeleteFailoverTestResponse{Test: &vbrv1.FailoverTest{Id: r.GetId(), Status: "Stopped"}}, nil
}

func (f *fake) StopFailoverTest(ctx context.Context, r *vbrv1.StopFailoverTestRequest) (*vbrv1.StopFailoverTestResponse, error) {
	if err := f.ask(ctx, r); err != nil {
		return nil, err
	}
	return &vbrv1.StopFailoverTestResponse{Test: &vbrv1.FailoverTest{Id: r.GetId(), Verdict: "Passed"}}, nil
}

func (f *fake) ListFailoverTests(r *vbrv1.ListFailoverTestsRequest, s grpc.ServerStreamingServer[vbrv1.ListFailoverTestsResponse]) error {
	if err := f.ask(s.Context(), proto.Clone(r)); err != nil {
		return err
	}
	if r.GetId() == "ft-9" {
		return nil
	}
	return s.Send(&vbrv1.ListFailoverTestsResponse{Tests: []*vbrv1.FailoverTest{
		{Id: "ft-1", Router: "vbr-acme", Owner: "acme", Status: "Stopped", Verdict: "Aborted", StartTime: ago(time.Hour), EndTime: ago(50 * time.Minute), DurationMinutes: 10,
			ObjectiveMs: 1000, Findings: []string{"7 prefixes are carried", "probe had no answer\x1b[2J"}, Measurements: []*vbrv1.FailoverMeasurement{
				{Phase: "out", Path: "10.1.0.1 -> 172.16.1.1", Sent: 50, Lost: 12, ConvergenceMs: 2400}, {Phase: "back", Path: "10.1.0.1 -> 172.16.1.1", Sent: 20}}},
	}})
}

func TestShowInterfaces(t *testing.T) {
	f := start(t)
	other := &vbrv1.RouterStatus{Name: "vpc-acme", RouterInterfaces: []*vbrv1.RouterInterfaceStatus{
		{Name: "ri-vpc", Owner: "beta", Status: "AcceptingConnecting", Reason: "interface ri-acme has not shown up", Since: ago(time.Minute), OppositeInterfaceId: "ri-acme",
			OppositeRegionId: "eu-2", CrossRegion: true, HealthCheck: &vbrv1.HealthCheckState{HealthCheckStatus: "NoHealthCheckConfig"}},
		{Name: "ri-web", Owner: "acme", Status: "Modifying", Reason: "the kernel does not have its limit: x", Since: ago(time.Second)},
	}}
	f.routers = []*vbrv1.RouterStatus{router(), other}
	f.vbrctl(t, "show", "interfaces").expect(t, exitOK, `
Interface  Router    State                   Since  Health            Lost      RTT  Opposite  Region  Owner  Reason
ri-acme    vbr-acme  Active               01:00:00  NoRedundantRoute    12  1.25 ms  ri-vpc    same    acme
ri-vpc     vpc-acme  AcceptingConnecting  00:01:00  -                    -        -  ri-acme   eu-2    beta   interface ri-acme has not shown up
ri-web     vpc-acme  Modifying            00:00:01  -                    -        -  -         -       acme   the kernel does not have its limit: x
`)
	if r := f.vbrctl(t, "show", "interfaces", "--owner", "beta", "-o", "json"); strings.Count(r.out, `"name"`) != 1 || !strings.Contains(r.out, `"ri-vpc"`) {
		t.Error(r.out)
	}
}

func TestUsageOfInterfaces(t *testing.T) {
	f := start(t)
	f.vbrctl(t, "usage", "ri-acme", "--since", "24h").expect(t, exitOK, `
Interface  Router    Class           Sent     Packets  Received  Packets  Since                Owner
ri-acme    vbr-acme  same-region   1.2 MB        1000     999 B        9  2026-11-22 12:00:00  acme
ri-acme    vbr-acme  cross-region  5.0 TB  4000000000       0 B        0  2026-11-22 12:00:00  acme
`)
	if r := f.vbrctl(t, "usage", "-o", "wide"); !strings.Contains(r.out, "1234567 B") || !strings.Contains(r.out, "ever") {
		t.Error(r.out)
	}
	f.vbrctl(t, "usage", "ri-nono").complain(t, exitFailed, "no router interface ri-nono; see `vbrctl show interfaces`\n")
	f.vbrctl(t, "usage", "--since", "yore").complain(t, exitUsage, "--since \"yore\" is no time; legal: how long ago, such as 90m, 24h or 7d, or a time such as 2026-01-31T12:00:00Z\n")
}

func TestQuality(t *testing.T) {
	f := start(t)
	f.vbrctl(t, "quality", "ri-acme", "--since", "1h").expect(t, exitOK, `
ri-acme of vbr-acme, 11:00:00 to 12:00:00
probes 169.254.1.0 -> 169.254.1.1

Objective                  Target   Measured  Met           Budget left
loss                      < 0.2 %    0.500 %  no                 -150 %
jitter                    <= 20 %    3.000 %  yes                  85 %
encapsulation success   >= 99.8 %  100.000 %  yes                 100 %
availability           >= 99.95 %          -  not measured            -

rtt   ▂▄▆█   at most 4.00 ms
loss  __▁█   at most 50.00 %
      11:55:00 11:59:00
`)
	f.vbrctl(t, "quality", "ri-nono").complain(t, exitFailed, "no router interface ri-nono; see `vbrctl show interfaces`\n")
}

func TestDrill(t *testing.T) {
	f := start(t)
	f.vbrctl(t, "drill", "start", "--router", "vbr-acme", "--duration", "90s", "--objective", "500ms", "--probe", "10.1.0.1->172.16.1.1").expect(t, exitOK,
		"drill ft-1: vbr-acme goes out of service for 2 min: 7 prefixes are carried, all of them by vbr-beta too; see `vbrctl drill show ft-1`\n")
	want := &vbrv1.StartFailoverTestRequest{Router: "vbr-acme", DurationMinutes: 2, ObjectiveMs: 500, Probes: []string{"10.1.0.1->172.16.1.1"}}
	if got := last[*vbrv1.StartFailoverTestRequest](t, f); !proto.Equal(got, want) {
		t.Errorf("asked %v", got)
	}
	f.vbrctl(t, "drill", "start", "-r", "vbr-acme", "--dry-run").expect(t, exitOK, "vbr-acme could be taken out: 7 prefixes are carried, all of them by vbr-beta too\n")
	f.vbrctl(t, "drill", "start").complain(t, exitUsage, "which router? name one with --router\n")
	f.vbrctl(t, "drill", "start", "-r", "vbr-acme", "--duration", "73h").complain(t, exitUsage, "--duration 73h0m0s; legal: 1m..72h\n")
	f.vbrctl(t, "drill", "stop", "ft-1").expect(t, exitOK, "drill ft-1 ended: Passed\n")
	f.vbrctl(t, "drill", "list").expect(t, exitOK, `
ID    Router    Started   Verdict  Objective   Outage  Lost  Owner
ft-1  vbr-acme  11:00:00  Aborted    1000 ms  2400 ms    12  acme
`)
	f.vbrctl(t, "drill", "show", "ft-1").expect(t, exitOK, `
ft-1 of vbr-acme: Aborted
  owner     acme
  from      11:00:00 to 11:10:00, 10 min at most
  objective no outage longer than 1000 ms
  - 7 prefixes are carried
  - probe had no answer\x1b[2J

Phase  Path                    Sent  Lost  Longest outage
out    10.1.0.1 -> 172.16.1.1    50    12         2400 ms
back   10.1.0.1 -> 172.16.1.1    20     0            0 ms
`)
	f.vbrctl(t, "drill", "show", "ft-9").complain(t, exitFailed, "no drill ft-9; see `vbrctl drill list`\n")
}

// A drill that starts later: created, changed, started by its id, deleted.
func TestDrillLater(t *testing.T) {
	f := start(t)
	f.vbrctl(t, "drill", "create", "-r", "vbr-acme", "--at", "8h", "--probe", "10.1.0.1->172.16.1.1").expect(t, exitOK,
		"drill ft-2 of vbr-acme starts by itself at 2026-11-23T20:00:00Z: as things stand it would be refused: no redundancy\n")
	want := &vbrv1.CreateFailoverTestRequest{Router: "vbr-acme", DurationMinutes: 10, ObjectiveMs: 1000, Probes: []string{"10.1.0.1->172.16.1.1"}, StartTime: ago(-8 * time.Hour)}
	if got := last[*vbrv1.CreateFailoverTestRequest](t, f); !proto.Equal(got, want) {
		t.Errorf("asked %v, want %v", got, want)
	}
	f.vbrctl(t, "drill", "create", "-r", "vbr-acme").expect(t, exitOK,
		"drill ft-2 of vbr-acme starts by `vbrctl drill start ft-2`: as things stand it would be refused: no redundancy\n")
	if r := f.vbrctl(t, "drill", "create", "-r", "vbr-acme", "-o", "json"); !strings.Contains(r.out, `"job_type":"StartLater"`) {
		t.Error(r.out)
	}
	f.vbrctl(t, "drill", "create").complain(t, exitUsage, "which router? name one with --router\n")
	f.vbrctl(t, "drill", "create", "-r", "vbr-acme", "--at", "yore").complain(t, exitUsage,
		"--at \"yore\" is no time; legal: how long from now, such as 90m or 8h, or a time such as 2026-12-01T03:00:00Z\n")
	f.vbrctl(t, "drill", "update", "ft-2", "--duration", "20m", "--at", "2026-12-01T03:00:00Z").expect(t, exitOK,
		"drill ft-2 of vbr-acme starts by itself at 2026-12-01T03:00:00Z, for 20 min: nothing was found\n")
	if got := last[*vbrv1.UpdateFailoverTestRequest](t, f); got.GetDurationMinutes() != 20 || got.GetObjectiveMs() != 0 || got.GetStartTime() == nil {
		t.Errorf("asked %v", got)
	}
	f.vbrctl(t, "drill", "update", "ft-2").complain(t, exitUsage, "what is to change? give --duration, --objective, --at, --unscheduled or --probe\n")
	f.vbrctl(t, "drill", "update", "ft-2", "--at", "8h", "--unscheduled").complain(t, exitUsage, "--at and --unscheduled exclude each other\n")
	if r := f.vbrctl(t, "drill", "start", "ft-2"); r.status != exitOK {
		t.Errorf("%+v", r)
	}
	if got := last[*vbrv1.StartFailoverTestRequest](t, f); !proto.Equal(got, &vbrv1.StartFailoverTestRequest{Id: "ft-2"}) {
		t.Errorf("asked %v", got)
	}
	f.vbrctl(t, "drill", "start", "ft-2", "--duration", "5m").complain(t, exitUsage,
		"--duration does not go with an ID: the drill starts as it was created; see `vbrctl drill update --help`\n")
	f.vbrctl(t, "drill", "delete", "ft-2").expect(t, exitOK, "drill ft-2 deleted\n")
}
