package main

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func sessions() []*vbrv1.BgpSession {
	return []*vbrv1.BgpSession{
		{Router: "vbr-acme", PeerIpAddress: "10.0.0.2", PeerAsn: 65001, LocalAsn: 45104, BgpStatus: "established", Since: ago(90 * time.Minute), EstablishedCount: 1,
			MessagesReceived: 1234, MessagesSent: 99, ReceivedRouteCount: 120, AcceptedRouteCount: 118, AdvertisedRouteCount: 7, Owner: "acme", Device: "eth1.100",
			LocalIpAddress: "10.0.0.1", PeerRouterId: "10.9.9.9", Hold: 30, Keepalive: 10, Families: []string{"ipv4"}, GracefulRestart: true, PeerRole: "customer", Rejected: map[string]uint32{"as-loop": 2},
			Bfd: &vbrv1.BfdSession{State: "Up", Since: ago(time.Hour), Diagnostic: "no diagnostic", RemoteState: "Up", RemoteDiagnostic: "no diagnostic", TxInterval: 100,
				RxInterval: 300, DetectTime: 900, DetectMultiplier: 5, RemoteDetectMultiplier: 3, Discriminator: 77, RemoteDiscriminator: 88, PacketsReceived: 9, PacketsSent: 8}},
		{Router: "vbr-acme", PeerIpAddress: "2001:db8::2", PeerAsn: 65001, BgpStatus: "active", Since: ago(26 * time.Hour), EstablishedCount: 3, LastError: "hold timer expired\n\x1b[2J", Owner: "acme"},
		{Router: "vbr-beta", PeerIpAddress: "10.0.0.2", PeerAsn: 4200000000, BgpStatus: "opensent", Since: ago(time.Minute), Owner: "beta"},
	}
}

const sessionsText = `
Router    Neighbor     V          AS  MsgRcvd  MsgSent   Up/Down  State/PfxRcd  PfxSnt  Desc
vbr-acme  10.0.0.2     4       65001     1234       99  01:30:00           120       7  acme
vbr-acme  2001:db8::2  4       65001        0        0  1d02h00m        Active       0  hold timer expired\n\x1b[2J
vbr-beta  10.0.0.2     4  4200000000        0        0     never      OpenSent       0  beta
`

func TestShowSessions(t *testing.T) {
	f := start(t)
	f.vbrctl(t, "show", "sessions").complain(t, exitOK, "no sessions\n")
	f.sessions = sessions()
	f.vbrctl(t, "show", "sessions", "-r", "vbr-acme", "--peer", "10.0.0.2").expect(t, exitOK, sessionsText)
	if r := last[*vbrv1.ListSessionsRequest](t, f); r.GetRouter() != "vbr-acme" || r.GetPeer() != "10.0.0.2" {
		t.Errorf("asked %v", r)
	}
	f.sessions = f.sessions[:1]
	f.vbrctl(t, "show", "summary", "-o", "wide").expect(t, exitOK, `
Router    Neighbor  V     AS  MsgRcvd  MsgSent   Up/Down  State/PfxRcd  PfxSnt  PfxAcc  PfxStale  Rejected   Device    Local     LocalAS  RouterID  Hold/Keep  Families  GR   Role      BFD              Ups  Desc
vbr-acme  10.0.0.2  4  65001     1234       99  01:30:00           120       7     118         0  as-loop 2  eth1.100  10.0.0.1    45104  10.9.9.9  30/10      ipv4      yes  customer  up 100/300ms x3    1  acme
`)
}

func TestShowBFD(t *testing.T) {
	f := start(t)
	f.sessions = sessions()[2:]
	f.vbrctl(t, "show", "bfd").complain(t, exitOK, "no peers have enable_bfd\n")
	f.sessions = sessions()
	f.sessions[1].Bfd = &vbrv1.BfdSession{State: "Down", RemoteState: "Down", Since: ago(time.Minute), Diagnostic: "control detection time expired", RemoteDiagnostic: "no diagnostic",
		DetectMultiplier: 3, DownCount: 2, Strict: true, Held: true, Discriminator: 4000000000}
	f.vbrctl(t, "show", "bfd", "-r", "vbr-acme", "--peer", "10.0.0.2").expect(t, exitOK, `
Router     SessionId  LocalAddress  PeerAddress  Status     Since     Tx     Rx  Detect  Downs  Strict  Desc
vbr-acme          77  10.0.0.1      10.0.0.2     up      01:00:00  100ms  300ms   900ms      0  no
vbr-acme  4000000000  -             2001:db8::2  down    00:01:00      -      -       -      2  yes     routes held: control detection time expired
`)
	if r := last[*vbrv1.ListSessionsRequest](t, f); r.GetRouter() != "vbr-acme" || r.GetPeer() != "10.0.0.2" {
		t.Errorf("asked %v", r)
	}
	f.sessions = f.sessions[:1]
	f.vbrctl(t, "show", "bfd", "-o", "wide").expect(t, exitOK, `
Router    SessionId  LocalAddress  PeerAddress  Status     Since     Tx     Rx  Detect  Downs  Strict  RemoteId  RemoteStatus  RemoteDiag     Mult  C   PktRcvd  PktSent  Device    Desc
vbr-acme         77  10.0.0.1      10.0.0.2     up      01:00:00  100ms  300ms   900ms      0  no            88  Up            no diagnostic   5/3  no        9        8  eth1.100
`)
}

func TestShowRouters(t *testing.T) {
	f := start(t)
	f.routers = []*vbrv1.RouterStatus{router(), {Name: "vbr-beta", State: vbrv1.RouterStatus_STATE_DEGRADED, Reasons: []string{"devices: eth9: no such device", "more"}, Since: ago(time.Second)}}
	f.vbrctl(t, "show", "routers").expect(t, exitOK, `
Router    State     Sessions  Received  Rejected  Kernel  Advertised  Exported     Since  Owner  Reason
vbr-acme  ready          1/2       120         2     118           7       118  01:30:00  acme
vbr-beta  degraded       0/0         0         0       0           0         0  00:00:01  -      devices: eth9: no such device; more
`)
	r := f.vbrctl(t, "show", "routers", "-o", "json")
	var doc struct {
		Routers []struct {
			Name                string
			SessionsEstablished int `json:"sessions_established"`
		}
	}
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil || len(doc.Routers) != 2 || doc.Routers[0].SessionsEstablished != 1 {
		t.Errorf("%v: %s", err, r.out)
	}
}

func router() *vbrv1.RouterStatus {
	return &vbrv1.RouterStatus{Name: "vbr-acme", Owner: "acme", State: vbrv1.RouterStatus_STATE_READY, Since: ago(90 * time.Minute), LocalAsn: 45104, RouterId: "10.0.0.1",
		Vrf: "vbr-acme", RouteTableId: 10001, Sessions: 2, SessionsEstablished: 1, Drift: 1,
		Routes: &vbrv1.RouteCounts{Received: 120, Accepted: 118, Rejected: map[string]uint32{"as-loop": 2}, Kernel: 118, Advertised: 7, Exported: 118},
		Lines:  []*vbrv1.LineStatus{{PhysicalConnectionId: "pc-1", Device: "eth1.100", VlanId: 100, Up: true, Addresses: []string{"10.0.0.1/30", "2001:db8::1/126"}}, {PhysicalConnectionId: "pc-2", Device: "eth2.100", VlanId: 100}},
		RouterInterfaces: []*vbrv1.RouterInterfaceStatus{{Name: "ri-acme", Device: "vx5001", Vni: 5001, RouteTarget: "64600:5001", Imported: 7, Exported: 118, Gateways: []string{"192.0.2.1"},
			Status: "Active", OppositeInterfaceId: "ri-vpc", Owner: "acme", Since: ago(time.Hour), Role: "InitiatingSide", Spec: "Small.1", Preference: 50,
			HealthCheck: &vbrv1.HealthCheckState{HealthCheckStatus: "NoRedundantRoute", SourceIp: "10.0.0.1", TargetIp: "10.1.0.1", Since: ago(time.Minute), Lost: 12, RttMs: 1.25}}},
	}
}

func TestShowRouter(t *testing.T) {
	f := start(t)
	f.routers, f.sessions = []*vbrv1.RouterStatus{router()}, sessions()[:2]
	want := `
vbr-acme ready since 01:30:00
  owner     acme
  AS        45104, router id 10.0.0.1
  VRF       vbr-acme, table 10001
  routes    120 received, 118 accepted, 2 rejected, 0 stale
  rejected  as-loop 2
  kernel    118 installed, 0 refused, 1 mended by audits
  told      7 to the customer, 118 to the VPC

lines:
Port  VLAN  Device    State  Addresses
pc-1   100  eth1.100  up     10.0.0.1/30 2001:db8::1/126
pc-2   100  eth2.100  down

router interfaces:
Name     State   Health            Opposite   VNI  Route Target  Device  Imported  Exported  Gateways   Reason
ri-acme  Active  NoRedundantRoute  ri-vpc    5001  64600:5001    vx5001         7       118  192.0.2.1

1 of 2 sessions established:
Router    Neighbor     V     AS  MsgRcvd  MsgSent   Up/Down  State/PfxRcd  PfxSnt  Desc
vbr-acme  10.0.0.2     4  65001     1234       99  01:30:00           120       7  acme
vbr-acme  2001:db8::2  4  65001        0        0  1d02h00m        Active       0  hold timer expired\n\x1b[2J
`
	f.vbrctl(t, "show", "router", "vbr-acme").expect(t, exitOK, want)
	f.vbrctl(t, "show", "router").expect(t, exitOK, want) // the only one
	if r := f.vbrctl(t, "show", "router", "-o", "yaml"); r.status != exitOK || !strings.Contains(r.out, "route_table_id: 10001\n") {
		t.Errorf("%+v", r)
	}
}

func TestShowHost(t *testing.T) {
	f := start(t)
	f.host.Routers, f.host.RoutersDegraded, f.host.Sessions, f.host.SessionsEstablished, f.host.Routes = 2, 1, 3, 2, 118
	f.host.Problems = []string{"etcd is not reachable"}
	f.host.BackboneSessions = []*vbrv1.BgpSession{{PeerIpAddress: "192.0.2.9", PeerAsn: 64600, BgpStatus: "established", Since: ago(time.Minute)}}
	f.vbrctl(t, "show", "host").expect(t, exitOK, `
edge1 vbrd 1.2, up 01:00:00
  ! etcd is not reachable
  routers   2, 1 degraded
  sessions  3, 2 established
  routes    118 in the kernel
  store     bbolt, revision 7

backbone sessions:
Router  Neighbor   V     AS  MsgRcvd  MsgSent   Up/Down  State/PfxRcd  PfxSnt  Desc
-       192.0.2.9  4  64600        0        0  00:01:00             0       0
`)
	if r := f.vbrctl(t, "version"); !strings.Contains(r.out, "vbrctl unknown (go1.") || !strings.HasSuffix(r.out, "\nvbrd 1.2 on edge1\n") {
		t.Errorf("%+v", r)
	}
	f.vbrctl(t, "version", "-o", "json").expect(t, exitOK, "{\n  \"host\": \"edge1\",\n  \"vbrctl\": \"unknown\",\n  \"vbrd\": \"1.2\"\n}\n")
}

func routes() []*vbrv1.Route {
	peer := func(name string) *vbrv1.RouteSource {
		return &vbrv1.RouteSource{Type: vbrv1.RouteSource_TYPE_BGP, Name: name, Asn: 65001}
	}
	return []*vbrv1.Route{
		{Prefix: "10.2.3.0/24", NextHop: "10.0.0.2", Source: peer("10.0.0.2"), Verdict: "accepted", Best: true, Since: ago(time.Hour),
			Attributes: &vbrv1.PathAttributes{Origin: "igp", AsPath: "65001 65010", Med: proto.Uint32(0), LocalPref: proto.Uint32(100), Communities: []string{"65000:100"}, LargeCommunities: []string{"65000:1:2"}}},
		{Prefix: "10.2.3.0/24", NextHop: "10.0.0.6", Source: peer("10.0.0.6"), Verdict: "accepted", Backup: true, Stale: true, Since: ago(time.Minute), Attributes: &vbrv1.PathAttributes{AsPath: "65001 65010 65010"}},
		{Prefix: "10.9.0.0/16", NextHop: "10.0.0.2", Source: peer("10.0.0.2"), Verdict: "as-loop", Since: ago(time.Minute), Attributes: &vbrv1.PathAttributes{AsPath: "65001 45104"}},
		{Prefix: "10.0.0.0/30", Source: &vbrv1.RouteSource{Type: vbrv1.RouteSource_TYPE_CONNECTED, Name: "eth1.100"}, Verdict: "accepted", Best: true, Since: ago(time.Hour)},
	}
}

func TestShowRoutes(t *testing.T) {
	f := start(t)
	f.vbrctl(t, "show", "routes", "-r", "vbr-acme").complain(t, exitOK, "no routes\n")
	f.vbrctl(t, "show", "routes", "-r", "vbr-acme", "10.7.0.0/16").complain(t, exitOK, "no routes; see `vbrctl explain 10.7.0.0/16 -r vbr-acme`\n")
	f.routes = routes()
	r := f.vbrctl(t, "show", "routes", "-r", "vbr-acme", "10.0.0.0/8", "--longer", "--stage", "best", "--peer", "10.0.0.2", "--reason", "x", "-4", "--limit", "4")
	r.expect(t, exitOK, `
     Prefix       Next Hop  From       MED  LocPrf  AS Path            Verdict                 Age
*>   10.2.3.0/24  10.0.0.2  10.0.0.2     0     100  65001 65010        best               01:00:00
*bS  10.2.3.0/24  10.0.0.6  10.0.0.6                65001 65010 65010  backup             00:01:00
x    10.9.0.0/16  10.0.0.2  10.0.0.2                65001 45104        rejected: as-loop  00:01:00
*>   10.0.0.0/30  -         connected                                  best               01:00:00
`)
	r.complain(t, exitOK, "only the first 4 are shown; see --limit\n")
	want := &vbrv1.ListRoutesRequest{Router: "vbr-acme", Stage: vbrv1.RouteStage_ROUTE_STAGE_BEST, Prefix: "10.0.0.0/8", Longer: true, Peer: "10.0.0.2", Reason: "x",
		Family: vbrv1.AddressFamily_ADDRESS_FAMILY_IPV4, Limit: 4}
	if got := last[*vbrv1.ListRoutesRequest](t, f); !proto.Equal(got, want) {
		t.Errorf("asked %v", got)
	}
	var doc struct{ Routes []struct{ Prefix string } }
	r = f.vbrctl(t, "show", "routes", "-r", "vbr-acme", "-o", "json")
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil || len(doc.Routes) != 4 || doc.Routes[3].Prefix != "10.0.0.0/30" {
		t.Errorf("%v: %s", err, r.out)
	}
}

func TestEnvironmentAndStages(t *testing.T) {
	if len(stages()) != len(vbrv1.RouteStage_name)-1 {
		t.Errorf("%d words for %d stages", len(stages()), len(vbrv1.RouteStage_name)-1)
	}
	for i, s := range stages() {
		if want := "ROUTE_STAGE_" + strings.ToUpper(s); vbrv1.RouteStage(i+1).String() != want {
			t.Errorf("%s is %s", s, vbrv1.RouteStage(i+1))
		}
	}
	f := start(t)
	r := runAt(t, t.Context(), map[string]string{"VBRCTL_SOCKET": f.socket, "VBRCTL_OUTPUT": "json"}, "", "confirm")
	r.expect(t, exitOK, "{\"revision\":\"7\"}\n")
	r = runAt(t, t.Context(), map[string]string{"VBRCTL_ADDRESS": "nowhere:1"}, "", "confirm", "--socket", f.socket)
	r.expect(t, exitOK, "revision 7 is confirmed\n")
}

// --watch appends where there is no terminal.
func TestRepeat(t *testing.T) {
	f := start(t)
	f.revisions = nil
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	f.onHost = func(asker context.Context, _ *fake) {
		if n++; n == 3 {
			cancel()
			<-asker.Done() // an answer could come first otherwise
		}
	}
	r := runAt(t, ctx, map[string]string{"VBRCTL_SOCKET": f.socket}, "", "show", "host", "--watch=100ms")
	if got := strings.Count(r.out, "every 100ms: 2026-11-23 12:00:00\nedge1 vbrd 1.2"); got != 2 {
		t.Errorf("shown %d times, want 2:\n%s", got, r.out)
	}
	if strings.Contains(r.out, "\x1b") {
		t.Errorf("cursor is moved in %q", r.out)
	}
}

func TestEvents(t *testing.T) {
	f := start(t)
	f.vbrctl(t, "events").complain(t, exitOK, "no events\n")
	f.events = []*vbrv1.Event{
		{Sequence: 5, Time: ago(time.Minute), Type: vbrv1.Event_TYPE_SESSION_DOWN, Router: "vbr-acme", Subject: "10.0.0.2", Text: "hold timer expired"},
		{Sequence: 6, Time: ago(0), Type: vbrv1.Event_TYPE_STORE, Text: "etcd is back"},
	}
	f.vbrctl(t, "events").expect(t, exitOK, `
11:59:00  session down      vbr-acme 10.0.0.2: hold timer expired
12:00:00  store             etcd is back
`)
}

func TestPrefixHistory(t *testing.T) {
	f := start(t)
	f.history = &vbrv1.GetPrefixHistoryResponse{Router: "vbr-acme", Prefix: "10.2.3.0/24", Flaps: 1, CompleteSince: ago(time.Hour), Events: []*vbrv1.PrefixEvent{
		{Time: ago(time.Minute), Type: vbrv1.PrefixEvent_TYPE_ANNOUNCED, Source: "10.0.0.2", Detail: "accepted"},
		{Time: ago(0), Type: vbrv1.PrefixEvent_TYPE_REMOVED},
	}}
	f.vbrctl(t, "history", "10.2.3.0/24", "-r", "vbr-acme").expect(t, exitOK, `
10.2.3.0/24 in vbr-acme: 1 flap; complete since 11:00:00
Time      Event      By        Detail
11:59:00  announced  10.0.0.2  accepted
12:00:00  removed    -         -
`)
	if r := f.vbrctl(t, "history", "10.2.3.0/24", "-r", "vbr-acme", "-o", "json"); !strings.Contains(r.out, `"TYPE_ANNOUNCED"`) || !strings.Contains(r.out, `"flaps"`) {
		t.Errorf("json: %s", r.out)
	}
	f.history = &vbrv1.GetPrefixHistoryResponse{Router: "vbr-acme", Prefix: "10.2.4.0/24"}
	f.vbrctl(t, "history", "10.2.4.0/24", "-r", "vbr-acme").expect(t, exitOK, `
10.2.4.0/24 in vbr-acme: no events are kept of it; nothing has happened at this router yet
`)
}

// until runs a command line that has no end until it has written so many lines.
func (f *fake) until(t *testing.T, lines int, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, w := io.Pipe()
	a := newApp(func(name string) string { return map[string]string{"VBRCTL_SOCKET": f.socket}[name] }, nil, w, io.Discard)
	defer a.close()
	a.now = func() time.Time { return noon }
	root := a.root()
	root.SetArgs(args)
	done := make(chan int, 1)
	go func() {
		done <- a.report(ctx, root.ExecuteContext(ctx))
		w.Close()
	}()
	var out strings.Builder
	b := make([]byte, 4096)
	for strings.Count(out.String(), "\n") < lines {
		n, err := r.Read(b)
		out.Write(b[:n])
		if err != nil {
			break
		}
	}
	cancel()
	if code := <-done; code != exitOK {
		t.Errorf("status %d", code)
	}
	return out.String()
}

// A stream that breaks off goes on where it was.
func TestFollow(t *testing.T) {
	f := start(t)
	f.events = []*vbrv1.Event{{Sequence: 5, Text: "a"}, {Sequence: 6, Text: "b"}, {Sequence: 7, Text: "c"}}
	out := f.until(t, 3, "events", "--follow", "-o", "json")
	if got := strings.Count(out, "\n"); got != 3 || !strings.Contains(out, `"text":"c"`) || strings.Count(out, `"text":"a"`) != 1 {
		t.Errorf("%d lines: %s", got, out)
	}
	f.watched = []*vbrv1.WatchResponse{
		{Resources: resources(t, acme)[:1], Synced: true, ResumeToken: "t1"},
		{Deleted: []*vbrv1.ResourceRef{{Kind: 1, Name: "pc-1"}}, ResumeToken: "t2"},
	}
	out = f.until(t, 3, "watch", "all")
	want := "= PhysicalConnection pc-1  generation 0, -\nthat is all there is; changes follow\n- PhysicalConnection pc-1\n"
	if out != want || last[*vbrv1.WatchRequest](t, f).GetResumeToken() != "t1" {
		t.Errorf("got\n%s\nasked %v", out, last[*vbrv1.WatchRequest](t, f))
	}
}
