package render

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(noon.Add(-d)) }

// drawn is what draw writes on a page.
func drawn(wide, colour bool, draw func(*Page)) string {
	var b strings.Builder
	draw(&Page{Out: &b, Palette: table.Palette{Color: colour}, Wide: wide, Now: noon})
	return "\n" + b.String()
}

func TestPlan(t *testing.T) {
	plan := &vbrv1.Plan{
		Changes: []*vbrv1.ResourceChange{
			{Action: vbrv1.ResourceChange_ACTION_CREATE, Kind: 2, Name: "vbr-beta", Owner: "beta", Fields: []*vbrv1.FieldChange{{Path: "vlan_id", After: "200"}}},
			{Action: vbrv1.ResourceChange_ACTION_CHANGE, Kind: 2, Name: "vbr-acme", Owner: "acme", Fields: []*vbrv1.FieldChange{
				{Path: "bgp_peers[0].hold", Before: "30", After: "60"}, {Path: "description", After: "hq"}, {Path: "vrf", Before: "default"}}},
			{Action: vbrv1.ResourceChange_ACTION_DELETE, Kind: 3, Name: "ri-old"},
		},
		Effects: []*vbrv1.Effect{
			{Type: vbrv1.Effect_TYPE_ROUTER_CREATED, Router: "vbr-beta", Text: "router is created"},
			{Type: vbrv1.Effect_TYPE_SESSION_RESET, Router: "vbr-acme", Subject: "10.0.0.2", Text: "session resets: its key changes", Disruptive: true, Routes: 100},
			{Type: vbrv1.Effect_TYPE_SESSION_RESET, Router: "vbr-acme", Subject: "10.0.0.6", Text: "session resets: its key changes", Disruptive: true, Routes: 20},
			{Type: vbrv1.Effect_TYPE_ROUTER_INTERFACE_DELETED, Router: "vbr-acme", Subject: "ri-old", Disruptive: true, Routes: 1},
			{Type: vbrv1.Effect_TYPE_SESSION_CHANGED, Router: "vbr-acme", Subject: "10.0.0.10", Text: "hold 60 from its next establishment on"},
		},
	}
	want := `
+ VirtualBorderRouter vbr-beta (beta)
~ VirtualBorderRouter vbr-acme (acme)
    ~ bgp_peers[0].hold: 30 -> 60
    + description: hq
    - vrf: default
- RouterInterface ri-old

effects:
  ! vbr-acme 10.0.0.2: session resets: its key changes (100 routes)
  ! vbr-acme 10.0.0.6: session resets: its key changes (20 routes)
  ! vbr-acme ri-old: router interface deleted (1 route)
    vbr-beta: router is created
    vbr-acme 10.0.0.10: hold 60 from its next establishment on

1 to create, 1 to change, 1 to delete
disruptive: 2 sessions reset, 1 router interface ends, 121 routes move
`
	if got := drawn(false, false, func(p *Page) { p.Plan(plan) }); got != want {
		t.Errorf("got%swant%s", got, want)
	}
	if got := drawn(true, false, func(p *Page) { p.Plan(plan) }); !strings.Contains(got, "vbr-beta (beta)\n    + vlan_id: 200\n") {
		t.Errorf("wide: got%s", got)
	}
	got := drawn(false, true, func(p *Page) { p.Plan(plan) })
	for _, w := range []string{"\x1b[32m+ VirtualBorderRouter", "\x1b[33m~ VirtualBorderRouter", "\x1b[31m- RouterInterface", "\x1b[31m! vbr-acme"} {
		if !strings.Contains(got, w) {
			t.Errorf("no %q in%s", w, got)
		}
	}
}

// Every disruptive effect is summed up, also of a type this program does not know.
func TestDisruption(t *testing.T) {
	for _, tt := range []struct {
		effects []*vbrv1.Effect
		want    string
	}{
		{nil, ""},
		{[]*vbrv1.Effect{{Type: vbrv1.Effect_TYPE_SESSION_CHANGED, Routes: 5}}, ""},
		{[]*vbrv1.Effect{{Type: vbrv1.Effect_TYPE_SESSION_RESET, Disruptive: true, Routes: 120}}, "1 session resets, 120 routes move"},
		{[]*vbrv1.Effect{{Type: vbrv1.Effect_TYPE_ROUTER_RESTARTED, Disruptive: true}, {Type: 99, Disruptive: true, Routes: 1}}, "1 router restarts, 1 other effect, 1 route moves"},
		{[]*vbrv1.Effect{{Type: vbrv1.Effect_TYPE_ROUTER_DELETED, Disruptive: true}, {Type: vbrv1.Effect_TYPE_ROUTER_DELETED, Disruptive: true}, {Type: vbrv1.Effect_TYPE_LINE_DELETED, Disruptive: true}}, "2 routers end, 1 line ends"},
	} {
		if got := Disruption(&vbrv1.Plan{Effects: tt.effects}); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.effects, got, tt.want)
		}
	}
}

func bgp(name string) *vbrv1.RouteSource {
	return &vbrv1.RouteSource{Type: vbrv1.RouteSource_TYPE_BGP, Name: name, Asn: 65001}
}

const acceptedText = `
10.2.3.4 -> 10.2.3.0/24 in vbr-acme: it goes to 10.0.0.2 and the VPC knows

  kernel    yes  via 10.0.0.2 dev eth1.100, table 10001, since 01:00:00
                 backup via 10.0.0.6 dev eth2.100
  VPC       yes  ri-acme, since 00:59:59
  customer  no   10.0.0.2: it told us, since 01:00:00
            yes  10.0.0.6, since 00:30:00
  if lost   10.0.0.6 takes over at once

paths, best first:
  *>  10.0.0.2 (AS 65001)  best, since 01:00:00
       next hop 10.0.0.2, AS path 65001 65010, origin igp, MED 0, LOCAL_PREF 100, communities 65000:100 65000:101, large communities 65000:1:2
       wins by AS path length
  *bS 10.0.0.6 (AS 65001)  backup, stale, since 00:10:00
       next hop 10.0.0.6, AS path 65001 65010 65010
       loses to 10.0.0.2: AS path of 3 against 2 (RFC 4271 9.1.2.2 a)
`

func TestExplainAccepted(t *testing.T) {
	r := &vbrv1.ExplainResponse{
		Router: "vbr-acme", Destination: "10.2.3.4", Prefix: "10.2.3.0/24", Summary: "it goes to 10.0.0.2 and the VPC knows",
		Paths: []*vbrv1.ExplainedPath{
			{Route: &vbrv1.Route{NextHop: "10.0.0.2", Source: bgp("10.0.0.2"), Verdict: "accepted", Best: true, Since: ago(time.Hour),
				Attributes: &vbrv1.PathAttributes{Origin: "igp", AsPath: "65001 65010", Med: proto.Uint32(0), LocalPref: proto.Uint32(100),
					Communities: []string{"65000:100", "65000:101"}, LargeCommunities: []string{"65000:1:2"}}}, Why: "wins by AS path length"},
			{Route: &vbrv1.Route{NextHop: "10.0.0.6", Source: bgp("10.0.0.6"), Verdict: "accepted", Backup: true, Stale: true, Since: ago(10 * time.Minute),
				Attributes: &vbrv1.PathAttributes{AsPath: "65001 65010 65010"}}, Why: "loses to 10.0.0.2: AS path of 3 against 2 (RFC 4271 9.1.2.2 a)"},
		},
		Kernel: &vbrv1.KernelRoute{Installed: true, RouteTableId: 10001, NextHops: []*vbrv1.KernelNextHop{{Gateway: "10.0.0.2", Device: "eth1.100"}},
			Backups: []*vbrv1.KernelNextHop{{Gateway: "10.0.0.6", Device: "eth2.100"}}, Since: ago(time.Hour)},
		Told: []*vbrv1.Told{{Neighbour: "10.0.0.2", Why: "it told us", Since: ago(time.Hour)}, {Neighbour: "ri-acme", Told: true, Since: ago(time.Hour - time.Second)},
			{Neighbour: "10.0.0.6", Told: true, Since: ago(30 * time.Minute)}},
		Next: "10.0.0.6 takes over at once",
	}
	if got := drawn(false, false, func(p *Page) { p.Explain(r) }); got != acceptedText {
		t.Errorf("got%swant%s", got, acceptedText)
	}
}

const rejectedText = `
10.9.0.0/16 in vbr-acme: rejected from its only neighbour: as-loop

  kernel    no   no path is accepted
  VPC       no   ri-acme: not in the kernel

paths, best first:
  x   10.0.0.2 (AS 65001)  rejected: as-loop, since 00:10:00
       next hop 10.0.0.2, AS path 65001 45104
       our own AS is in its path
  x   router interface ri-acme  rejected: overlap
`

func TestExplainRejected(t *testing.T) {
	r := &vbrv1.ExplainResponse{
		Router: "vbr-acme", Destination: "10.9.0.0/16", Prefix: "10.9.0.0/16", Summary: "rejected from its only neighbour: as-loop",
		Paths: []*vbrv1.ExplainedPath{
			{Route: &vbrv1.Route{NextHop: "10.0.0.2", Source: bgp("10.0.0.2"), Verdict: "as-loop", Since: ago(10 * time.Minute), Attributes: &vbrv1.PathAttributes{AsPath: "65001 45104"}}, Why: "our own AS is in its path"},
			{Route: &vbrv1.Route{Source: &vbrv1.RouteSource{Type: vbrv1.RouteSource_TYPE_ROUTER_INTERFACE, Name: "ri-acme"}, Verdict: "overlap"}},
		},
		Kernel: &vbrv1.KernelRoute{Why: "no path is accepted"},
		Told:   []*vbrv1.Told{{Neighbour: "ri-acme", Why: "not in the kernel"}},
	}
	if got := drawn(false, false, func(p *Page) { p.Explain(r) }); got != rejectedText {
		t.Errorf("got%swant%s", got, rejectedText)
	}
}

func TestExplainUnknownAndWithdrawn(t *testing.T) {
	r := &vbrv1.ExplainResponse{Router: "vbr-acme", Destination: "192.0.2.1", Summary: "nobody told us of it"}
	if got := drawn(false, false, func(p *Page) { p.Explain(r) }); got != "\n192.0.2.1 in vbr-acme: nobody told us of it\n" {
		t.Errorf("got%s", got)
	}
	r = &vbrv1.ExplainResponse{Router: "vbr-acme", Destination: "10.2.3.0/24", Prefix: "10.2.3.0/24", Summary: "10.0.0.2 withdrew it", Kernel: &vbrv1.KernelRoute{Why: "EPERM\x1b[2J"}}
	want := "\n10.2.3.0/24 in vbr-acme: 10.0.0.2 withdrew it\n\n  kernel    no   EPERM\\x1b[2J\n\nno path is known\n"
	if got := drawn(false, false, func(p *Page) { p.Explain(r) }); got != want {
		t.Errorf("got%swant%s", got, want)
	}
}

func TestWhere(t *testing.T) {
	for want, parts := range map[string][3]string{
		"vbr-acme: created": {"vbr-acme", "vbr-acme", "created"}, "vbr-acme 10.0.0.2: down": {"vbr-acme", "10.0.0.2", "down"},
		"vbr-acme": {"vbr-acme", "vbr-acme", ""}, "pc-1: nothing": {"", "pc-1", "nothing"}, "text": {"", "", "text"},
	} {
		if got := where(parts[0], parts[1], parts[2]); got != want {
			t.Errorf("%q: got %q, want %q", parts, got, want)
		}
	}
}

// Every event has words on its line, also those that come later, and every state of a session.
func TestWords(t *testing.T) {
	for number := range vbrv1.Event_Type_name {
		line := drawn(false, false, func(p *Page) { p.Event(&vbrv1.Event{Time: ago(0), Type: vbrv1.Event_Type(number), Text: "x"}) })
		if !strings.HasPrefix(line, "\n12:00:00  ") || strings.Contains(line, "_") {
			t.Errorf("event %d is %q", number, line)
		}
	}
	for text, want := range map[string]string{"opensent": "OpenSent", "openconfirm": "OpenConfirm", "idle": "Idle", "": "-"} {
		if got := State(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// A VBR that is not to run is not shown as ready, and nobody as having what it has not.
func TestRestingAndVRouters(t *testing.T) {
	routers := []*vbrv1.RouterStatus{
		{Name: "vbr-a", RouterType: "VBR", VbrStatus: "active", State: vbrv1.RouterStatus_STATE_READY, LocalAsn: 45104, RouterId: "10.0.0.1", Vrf: "vbr-a", RouteTableId: 10000, Since: ago(0)},
		{Name: "vbr-b", RouterType: "VBR", VbrStatus: "terminated", State: vbrv1.RouterStatus_STATE_READY, LocalAsn: 45104, Since: ago(0)},
		{Name: "vbr-c", RouterType: "VBR", VbrStatus: "terminating", VbrStatusReason: "its routes go", State: vbrv1.RouterStatus_STATE_READY, LocalAsn: 45104, Since: ago(0)},
		{Name: "vbr-d", RouterType: "VBR", VbrStatus: "recovering", VbrStatusReason: "its devices come", State: vbrv1.RouterStatus_STATE_STARTING, LocalAsn: 45104, RouterId: "10.0.0.1",
			Vrf: "vbr-d", RouteTableId: 10002, Since: ago(0), Reasons: []string{"life: x"}},
		{Name: "vpc-a", RouterType: "VRouter", State: vbrv1.RouterStatus_STATE_READY, Vrf: "vpc-a", RouteTableId: 10001, Since: ago(0)},
	}
	want := `
Router  State        Sessions  Received  Rejected  Kernel  Advertised  Exported     Since  Owner     AS  RouterID  VRF    Table  Stale  Refused  Drift  Reason
vbr-a   ready             0/0         0         0       0           0         0  00:00:00  -      45104  10.0.0.1  vbr-a  10000      0        0      0
vbr-b   terminated        0/0         0         0       0           0         0  00:00:00  -      45104  -         -          -      0        0      0
vbr-c   terminating       0/0         0         0       0           0         0  00:00:00  -      45104  -         -          -      0        0      0  its routes go
vbr-d   recovering        0/0         0         0       0           0         0  00:00:00  -      45104  10.0.0.1  vbr-d  10002      0        0      0  its devices come; life: x
vpc-a   ready             0/0         0         0       0           0         0  00:00:00  -          -  -         vpc-a  10001      0        0      0
`
	if got := drawn(true, false, func(p *Page) { p.Routers(routers) }); got != want {
		t.Errorf("got %s want %s", got, want)
	}
	for i, has := range []string{"vbr-a ready since", "vbr-b terminated since", "! its routes go", "! its devices come", "vpc-a ready since"} {
		got := drawn(false, false, func(p *Page) { p.Router(routers[i], nil) })
		if !strings.Contains(got, has) || strings.Contains(got, "AS        ") == (i == 4) || strings.Contains(got, "table 0") {
			t.Errorf("got %s want %s", got, has)
		}
	}
}

// A drill that has not started says when it does.
func TestDrillsInInit(t *testing.T) {
	x := &vbrv1.FailoverTest{Id: "ft-2", Router: "vbr-a", Owner: "acme", Status: "Init", JobType: "StartLater", DurationMinutes: 10, ObjectiveMs: 1000, Probes: []string{"10.1.0.1->172.16.1.1"}}
	list := drawn(false, false, func(p *Page) { p.Drills([]*vbrv1.FailoverTest{x}) })
	if want := `
ID    Router  Started  Verdict  Objective  Outage  Lost  Owner
ft-2  vbr-a   -        init       1000 ms       -     -  acme
`; list != want {
		t.Errorf("got %s want %s", list, want)
	}
	if got := drawn(false, false, func(p *Page) { p.Drill(x) }); !strings.Contains(got, "starts    by `vbrctl drill start ft-2`, for 10 min") || !strings.Contains(got, "probes    10.1.0.1->172.16.1.1") {
		t.Error(got)
	}
	x.StartTime = ago(0)
	if got := drawn(false, false, func(p *Page) { p.Drill(x) }); !strings.Contains(got, "starts    by itself at 12:00:00, for 10 min") {
		t.Error(got)
	}
}
