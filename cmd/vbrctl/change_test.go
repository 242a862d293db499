package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/resource"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func resources(t *testing.T, text string) []*vbrv1.Resource {
	t.Helper()
	set, err := resource.Read([]string{"-"}, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return set.Resources
}

func plan() *vbrv1.Plan {
	return &vbrv1.Plan{
		Changes: []*vbrv1.ResourceChange{
			{Action: vbrv1.ResourceChange_ACTION_CHANGE, Kind: 2, Name: "vbr-acme", Owner: "acme", Fields: []*vbrv1.FieldChange{{Path: "vlan_id", Before: "100", After: "4095"}}},
		},
		Effects: []*vbrv1.Effect{{Type: vbrv1.Effect_TYPE_SESSION_RESET, Router: "vbr-acme", Subject: "10.0.0.2", Text: "session resets: its line changes", Disruptive: true, Routes: 120}},
	}
}

const planText = `
~ VirtualBorderRouter vbr-acme (acme)
    ~ vlan_id: 100 -> 4095

effects:
  ! vbr-acme 10.0.0.2: session resets: its line changes (120 routes)

0 to create, 1 to change, 0 to delete
disruptive: 1 session resets, 120 routes move
`

func TestPlan(t *testing.T) {
	f := start(t)
	f.stdin(t, acme, "plan", "-f", "-").expect(t, exitOK, "no changes\n")
	f.stdin(t, acme, "plan", "-f", "-", "--detailed-exitcode").expect(t, exitOK, "no changes\n")
	f.answer.plan = plan()
	f.stdin(t, acme, "plan", "-f", "-").expect(t, exitOK, planText)
	f.stdin(t, acme, "plan", "-f", "-", "--prune", "--expect-revision", "7", "--detailed-exitcode").expect(t, exitChanges, planText)
	r := last[*vbrv1.ApplyRequest](t, f)
	if !r.GetDryRun() || !r.GetPrune() || r.GetExpectedRevision() != 7 || len(r.GetResources()) != 2 {
		t.Errorf("asked %v", r)
	}
	if r := f.stdin(t, acme, "plan", "-f", "-", "-o", "json"); r.status != exitOK || !strings.Contains(r.out, `"path": "vlan_id"`) {
		t.Errorf("%+v", r)
	}
}

func TestApply(t *testing.T) {
	f := start(t)
	f.answer.plan, f.answer.revision = plan(), 8
	f.stdin(t, acme, "apply", "-f", "-", "-m", "ticket 4711").expect(t, exitOK, planText+"stored as revision 8\n")
	if r := last[*vbrv1.ApplyRequest](t, f); r.GetDryRun() || r.GetComment() != "ticket 4711" || r.GetConfirmWithin() != nil {
		t.Errorf("asked %v", r)
	}
	f.stdin(t, acme, "apply", "-f", "-", "--dry-run").expect(t, exitOK, planText+"nothing was changed: this is a dry run against revision 8\n")
	f.answer.confirmBy = timestamppb.New(noon.Add(5 * time.Minute))
	f.stdin(t, acme, "apply", "-f", "-", "--confirm", "5m").expect(t, exitOK,
		planText+"stored as revision 8; it is rolled back in 5m0s unless confirmed: `vbrctl confirm 8`\n")
	if r := last[*vbrv1.ApplyRequest](t, f); r.GetConfirmWithin().AsDuration() != 5*time.Minute {
		t.Errorf("asked %v", r)
	}
	f.vbrctl(t, "confirm", "8").expect(t, exitOK, "revision 8 is confirmed\n")
	if r := last[*vbrv1.ConfirmRequest](t, f); r.GetRevision() != 8 {
		t.Errorf("asked %v", r)
	}
	if r := f.stdin(t, "", "apply", "-f", "-", "--prune"); r.status != exitOK {
		t.Errorf("%+v", r)
	}
}

func TestDeleteAndRollback(t *testing.T) {
	f := start(t)
	f.answer.plan = &vbrv1.Plan{Changes: []*vbrv1.ResourceChange{{Action: vbrv1.ResourceChange_ACTION_DELETE, Kind: 3, Name: "ri-acme"}}}
	text := "- RouterInterface ri-acme\n\n0 to create, 0 to change, 1 to delete\nnothing is disrupted\nstored as revision 7\n"
	f.vbrctl(t, "delete", "ri", "ri-acme", "ri-beta").expect(t, exitOK, text)
	if r := last[*vbrv1.DeleteRequest](t, f); len(r.GetRefs()) != 2 || r.GetRefs()[1].GetName() != "ri-beta" || r.GetRefs()[1].GetKind() != 3 {
		t.Errorf("asked %v", r)
	}
	f.stdin(t, acme, "delete", "-f", "-").expect(t, exitOK, text)
	if r := last[*vbrv1.DeleteRequest](t, f); len(r.GetRefs()) != 2 || r.GetRefs()[1].GetName() != "vbr-acme" {
		t.Errorf("asked %v", r)
	}
	f.vbrctl(t, "rollback", "5", "-m", "why").expect(t, exitOK, text)
	if r := last[*vbrv1.RollbackRequest](t, f); r.GetRevision() != 5 || r.GetComment() != "why" {
		t.Errorf("asked %v", r)
	}
}

// --wait waits for the revision, then for routers and sessions.
func TestWait(t *testing.T) {
	f := start(t)
	f.answer.plan, f.answer.revision = plan(), 8
	looks := 0
	f.onHost = func(_ context.Context, f *fake) {
		looks++
		switch looks {
		case 1:
			f.host.Revision = 7
		case 2:
			f.host.Revision = 8
			f.routers = []*vbrv1.RouterStatus{{Name: "vbr-acme", State: vbrv1.RouterStatus_STATE_READY, Sessions: 1}}
		case 3:
			f.routers = []*vbrv1.RouterStatus{{Name: "vbr-acme", State: vbrv1.RouterStatus_STATE_READY, Sessions: 1, SessionsEstablished: 1}}
		}
	}
	r := f.stdin(t, acme, "apply", "-f", "-", "--wait=10s")
	r.expect(t, exitOK, planText+"stored as revision 8\n")
	if r.err != "1 router ready, all sessions established\n" || looks != 3 {
		t.Errorf("%q after %d looks", r.err, looks)
	}
}

func TestWaitInVain(t *testing.T) {
	f := start(t)
	f.answer.plan = plan()
	f.routers = []*vbrv1.RouterStatus{{Name: "vbr-acme", State: vbrv1.RouterStatus_STATE_DEGRADED, Reasons: []string{"devices: eth1.100: no"}}}
	f.stdin(t, acme, "apply", "-f", "-", "--wait=300ms").complain(t, exitFailed,
		"vbr-acme: degraded: devices: eth1.100: no\nthe change is stored, but this was not so within 300ms; see `vbrctl show routers`\n")
	f.routers = []*vbrv1.RouterStatus{{Name: "vbr-acme", State: vbrv1.RouterStatus_STATE_READY, Sessions: 2, SessionsEstablished: 1}}
	f.stdin(t, acme, "apply", "-f", "-", "--wait=300ms").complain(t, exitFailed,
		"vbr-acme: 1 of 2 sessions established; see `vbrctl show sessions -r vbr-acme`\nthe change is stored, but this was not so within 300ms; see `vbrctl show routers`\n")
	f.routers = nil
	f.stdin(t, acme, "apply", "-f", "-", "--wait=300ms").complain(t, exitFailed,
		"vbr-acme: not there yet\nthe change is stored, but this was not so within 300ms; see `vbrctl show routers`\n")
}

// Routers of other hosts are not waited for.
func TestWaitElsewhere(t *testing.T) {
	f := start(t)
	f.stdin(t, acme+"host: edge2\n", "apply", "-f", "-", "--wait=5s").complain(t, exitOK, "not waited for, since they are on other hosts: vbr-acme\n")
}

func TestHistoryAndDiff(t *testing.T) {
	f := start(t)
	f.vbrctl(t, "history").complain(t, exitOK, "nothing was ever stored; see `vbrctl apply --help`\n")
	f.revisions = []*vbrv1.Revision{
		{Number: 8, CreateTime: ago(time.Minute), Author: "uid:0(root)", Changed: 1, Resources: 3, ConfirmBy: timestamppb.New(noon.Add(4 * time.Minute)), Comment: "ticket 4711"},
		{Number: 7, CreateTime: ago(48 * time.Hour), Author: "cn:noc.example.net", Created: 3, Resources: 3},
	}
	f.vbrctl(t, "history", "-n", "2").expect(t, exitOK, `
Revision  Time                 Author              +  ~  -  Resources  Comment
       8  11:59:00             uid:0(root)         0  1  0          3  [rolled back at 12:04:00 unless confirmed] ticket 4711
       7  2026-11-21 12:00:00  cn:noc.example.net  3  0  0          3
`)
	if r := last[*vbrv1.ListRevisionsRequest](t, f); r.GetLimit() != 2 {
		t.Errorf("asked %v", r)
	}
	f.changes = plan().GetChanges()
	f.vbrctl(t, "diff", "6").expect(t, exitOK, `
revision 6 -> 7
~ VirtualBorderRouter vbr-acme (acme)
    ~ vlan_id: 100 -> 4095
`)
	if r := last[*vbrv1.DiffRevisionsRequest](t, f); r.GetFrom() != 6 || r.GetTo() != 0 {
		t.Errorf("asked %v", r)
	}
}
