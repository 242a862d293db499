package control_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
)

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// history renders the revisions a caller is shown.
func (h *host) history(t *testing.T, caller control.Caller, limit uint32) string {
	t.Helper()
	var b strings.Builder
	err := h.ListRevisions(t.Context(), caller, &vbrv1.ListRevisionsRequest{Limit: limit}, func(resp *vbrv1.ListRevisionsResponse) error {
		for _, r := range resp.Revisions {
			fmt.Fprintf(&b, "%d %s +%d ~%d -%d =%d %q\n", r.Number, r.Author, r.Created, r.Changed, r.Deleted, r.Resources, r.Comment)
		}
		return nil
	})
	if err != nil {
		t.Fatal(explain(err))
	}
	return b.String()
}

func TestHistory(t *testing.T) {
	m := &memory{}
	h := newHost(t, m, nil)
	commit := func(caller control.Caller, comment, text string) {
		t.Helper()
		if _, err := h.Apply(t.Context(), caller, &vbrv1.ApplyRequest{Comment: comment, Resources: parse(t, text)}); err != nil {
			t.Fatal(explain(err))
		}
	}
	commit(admin, "for acme and beta", site()+line("vbr-beta", "beta", "pc-1", 200, ""))
	commit(beta, "secret of beta", line("vbr-beta", "beta", "pc-1", 201, ""))
	commit(acme, "of acme", line("vbr-2", "acme", "pc-1", 2, ""))
	commit(admin, "moved", line("vbr-2", "beta", "pc-1", 2, ""))
	for range 2 { // the second time from memory
		for _, tt := range []struct {
			caller control.Caller
			limit  uint32
			want   string
		}{
			{viewer, 0, "4 uid:0(root) +0 ~1 -0 =5 \"moved\"\n3 cn:acme +1 ~0 -0 =5 \"of acme\"\n2 cn:beta +0 ~1 -0 =4 \"secret of beta\"\n1 uid:0(root) +4 ~0 -0 =4 \"for acme and beta\"\n"},
			{viewer, 1, "4 uid:0(root) +0 ~1 -0 =5 \"moved\"\n"},
			{acme, 0, "4 uid:0(root) +0 ~0 -1 =2 \"\"\n3 cn:acme +1 ~0 -0 =3 \"of acme\"\n1 uid:0(root) +2 ~0 -0 =2 \"\"\n"},
			{acme, 2, "4 uid:0(root) +0 ~0 -1 =2 \"\"\n3 cn:acme +1 ~0 -0 =3 \"of acme\"\n"},
			{beta, 0, "4 uid:0(root) +1 ~0 -0 =2 \"\"\n2 cn:beta +0 ~1 -0 =1 \"secret of beta\"\n1 uid:0(root) +1 ~0 -0 =1 \"\"\n"},
			{control.Caller{Role: control.Operator}, 0, ""},
		} {
			if diff := cmp.Diff(tt.want, h.history(t, tt.caller, tt.limit)); diff != "" {
				t.Errorf("%s: -want +got %s", tt.caller.Name, diff)
			}
		}
	}
	diff := func(caller control.Caller, from, to uint64) string {
		t.Helper()
		resp, err := h.DiffRevisions(t.Context(), caller, &vbrv1.DiffRevisionsRequest{From: from, To: to})
		if err != nil {
			t.Fatal(explain(err))
		}
		return fmt.Sprintf("%d..%d\n%s", resp.From, resp.To, planText(&vbrv1.Plan{Changes: resp.Changes}))
	}
	for _, tt := range []struct {
		caller   control.Caller
		from, to uint64
		want     string
	}{
		{admin, 0, 0, "3..4\nCHANGE vbr-2\n  owner: acme -> beta\n"},
		{beta, 1, 3, "1..3\nCHANGE vbr-beta\n  vlan_id: 200 -> 201\n"},
		{acme, 1, 2, "1..2\n"},
		{acme, 4, 3, "4..3\nCREATE vbr-2\n  owner:  -> acme\n  physical_connection_id:  -> pc-1\n  vlan_id:  -> 2\n  local_gateway_ip:  -> '10.0.0.1'\n  peer_gateway_ip:  -> '10.0.0.2'\n  peering_subnet_mask:  -> /30\n"},
		{control.Caller{Role: control.Operator}, 0, 1, "0..1\n"},
	} {
		if d := cmp.Diff(tt.want, diff(tt.caller, tt.from, tt.to)); d != "" {
			t.Error("-want +got", d)
		}
	}
	_, err := h.DiffRevisions(t.Context(), admin, &vbrv1.DiffRevisionsRequest{From: 1, To: 9})
	wantCode(t, err, codes.NotFound, "revision 9 is not in the history")
	wantCode(t, h.ListRevisions(t.Context(), admin, &vbrv1.ListRevisionsRequest{Limit: 1001}, nil), codes.InvalidArgument, "limit: 1001: out of range; legal: 0..1000")
	m.set(func() { m.away = true })
	for _, c := range []control.Caller{admin, acme} {
		wantCode(t, h.ListRevisions(t.Context(), c, &vbrv1.ListRevisionsRequest{}, nil), codes.Unavailable, "store not reachable")
	}
	_, err = h.DiffRevisions(t.Context(), admin, &vbrv1.DiffRevisionsRequest{})
	wantCode(t, err, codes.Unavailable)
}

func TestEmptyHistory(t *testing.T) {
	h := newHost(t, &memory{}, nil)
	if got := h.history(t, admin, 0) + h.history(t, acme, 0); got != "" {
		t.Error(got)
	}
	if resp, err := h.DiffRevisions(t.Context(), admin, &vbrv1.DiffRevisionsRequest{}); err != nil || len(resp.Changes) != 0 {
		t.Error(resp, err)
	}
	_, err := h.Confirm(t.Context(), admin, &vbrv1.ConfirmRequest{})
	wantCode(t, err, codes.FailedPrecondition, "no change waits")
}
