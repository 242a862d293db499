package control_test

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
)

func TestConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h, r, _ := running(t, m, nil)
		h.apply(t, admin, site())
		resp, err := h.Apply(t.Context(), acme, within(time.Minute, parse(t, line("vbr-2", "acme", "pc-1", 2, ""))))
		if err != nil || resp.ConfirmBy == nil || resp.Revision != 2 {
			t.Fatal(resp, explain(err))
		}
		synctest.Wait()
		if r.routers() != "vbr-2 vbr-acme" {
			t.Errorf("runs %s", r.routers())
		}
		_, err = h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Prune: true})
		wantCode(t, err, codes.FailedPrecondition, "revision 2 waits for confirmation until", "`vbrctl confirm 2`", "`vbrctl rollback 1`")
		if _, err = h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Prune: true, DryRun: true}); err != nil {
			t.Error(explain(err))
		}
		_, err = h.Rollback(t.Context(), admin, &vbrv1.RollbackRequest{Revision: 1, ConfirmWithin: durationpb.New(time.Minute)})
		wantCode(t, err, codes.FailedPrecondition, "waits for confirmation")
		_, err = h.Confirm(t.Context(), beta, &vbrv1.ConfirmRequest{Revision: 2})
		wantCode(t, err, codes.PermissionDenied)
		_, err = h.Confirm(t.Context(), viewer, &vbrv1.ConfirmRequest{})
		wantCode(t, err, codes.PermissionDenied)
		_, err = h.Confirm(t.Context(), admin, &vbrv1.ConfirmRequest{Revision: 1})
		wantCode(t, err, codes.FailedPrecondition, "revision 1 is not the current one, which is 2")
		for range 2 { // also when the first reply was lost
			if resp, err := h.Confirm(t.Context(), acme, &vbrv1.ConfirmRequest{Revision: 2}); err != nil || resp.Revision != 2 {
				t.Error(explain(err))
			}
		}
		_, err = h.Confirm(t.Context(), admin, &vbrv1.ConfirmRequest{})
		wantCode(t, err, codes.FailedPrecondition, "no change waits for confirmation")
		time.Sleep(time.Hour)
		if r.routers() != "vbr-2 vbr-acme" || m.appends != 2 {
			t.Errorf("confirmed, but runs %s after %d appends", r.routers(), m.appends)
		}
	})
}

// After a change that others had to wait for it is their turn, for as long again: for who has owners, whoever they are, not for who answers for all. It is so on
// each host of a store.
func TestOthersTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h, _, _ := running(t, m, nil)
		h.apply(t, admin, site()+line("vbr-beta", "beta", "pc-1", 7, ""))
		change := func(caller control.Caller, vlan int, confirm time.Duration) error {
			owner := "acme"
			if caller.Name == beta.Name {
				owner = "beta"
			}
			req := within(confirm, parse(t, line("vbr-"+owner, owner, "pc-1", vlan, "")))
			if confirm == 0 {
				req.ConfirmWithin = nil
			}
			_, err := h.Apply(t.Context(), caller, req)
			return err
		}
		const text = "a change has waited for confirmation until just now: others come first until"
		wantCode(t, change(acme, 101, 10*time.Minute), codes.OK)
		time.Sleep(4 * time.Minute)
		if _, err := h.Confirm(t.Context(), acme, &vbrv1.ConfirmRequest{Revision: 2}); err != nil {
			t.Fatal(explain(err))
		}
		time.Sleep(4*time.Minute - time.Second)
		wantCode(t, change(acme, 102, 10*time.Second), codes.FailedPrecondition, text)
		wantCode(t, change(beta, 103, 10*time.Second), codes.FailedPrecondition, text)
		wantCode(t, change(beta, 104, 0), codes.OK)
		wantCode(t, change(admin, 105, time.Hour), codes.OK)
		time.Sleep(time.Hour + 11*time.Minute) // it is rolled back, and ten minutes were the others'
		two, _, _ := running(t, m, nil)
		wantCode(t, change(acme, 106, 10*time.Minute), codes.OK)
		time.Sleep(11 * time.Minute)
		h = two // which has seen that come and go
		wantCode(t, change(acme, 107, 10*time.Minute), codes.FailedPrecondition, text)
		time.Sleep(10 * time.Minute)
		wantCode(t, change(acme, 108, 10*time.Minute), codes.OK)
	})
}

// With two hosts on one store an unconfirmed change is rolled back once, also by one that was restarted meanwhile.
func TestUnconfirmedIsRolledBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h, r, _ := running(t, m, nil)
		_, _, stop := running(t, m, nil)
		h.apply(t, admin, site())
		changed := strings.Replace(site(), "vlan_id: 100", "vlan_id: 101", 1) + line("vbr-2", "acme", "pc-1", 2, "")
		req := within(time.Minute, parse(t, changed)[1:])
		req.Prune = true
		_, err := h.Apply(t.Context(), admin, req)
		wantCode(t, err, codes.FailedPrecondition, "pc-1: is referred to by")
		req.Prune = false
		if _, err := h.Apply(t.Context(), admin, req); err != nil {
			t.Fatal(explain(err))
		}
		stop()
		time.Sleep(30 * time.Second)
		_, r2, _ := running(t, m, nil)
		time.Sleep(40 * time.Second)
		if r.routers() != "vbr-acme" || r2.routers() != "vbr-acme" || len(m.revisions) != 3 {
			t.Errorf("run %s and %s, %d revisions", r.routers(), r2.routers(), len(m.revisions))
		}
		last := m.revisions[2].Revision
		if last.Author != "vbrd" || last.Changed != 1 || last.Deleted != 1 || last.ConfirmBy != nil || !strings.Contains(last.Comment, "revision 2 was not confirmed by") {
			t.Errorf("revision %v", last)
		}
		if got := h.list(t, acme, &vbrv1.ListRequest{}); got != "vbr-acme g3 store\nri-acme g1 store\n" {
			t.Errorf("got %s", got)
		}
		if !strings.Contains(h.events(), "ROLLED_BACK  revision 3 by vbrd: 0 created, 1 changed, 1 deleted: rollback: revision 2 was not confirmed") {
			t.Errorf("events %s", h.events())
		}
		_, err = h.Confirm(t.Context(), admin, &vbrv1.ConfirmRequest{Revision: 2})
		wantCode(t, err, codes.FailedPrecondition, "revision 2 is not the current one")
	})
}

// The very first change can be rolled back too, and too late is too late.
func TestFirstChangeIsRolledBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h, r, _ := running(t, m, nil)
		if _, err := h.Apply(t.Context(), admin, within(10*time.Second, parse(t, site()))); err != nil {
			t.Fatal(explain(err))
		}
		time.Sleep(10*time.Second + time.Millisecond)
		_, err := h.Confirm(t.Context(), admin, &vbrv1.ConfirmRequest{})
		wantCode(t, err, codes.FailedPrecondition, "and is rolled back")
		time.Sleep(5 * time.Second)
		if r.routers() != "" || h.names(t, admin) != "" {
			t.Errorf("runs %s", r.routers())
		}
	})
}

// The change may be why the store is away: what was before runs here until it is back, also after a restart.
func TestUnconfirmedAndStoreAway(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "cache")
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		cached := func(c *control.Config) { c.Cache = cache }
		h, _, stop := running(t, m, cached)
		h.apply(t, admin, site())
		if _, err := h.Apply(t.Context(), admin, within(time.Minute, parse(t, line("vbr-2", "acme", "pc-1", 2, "")))); err != nil {
			t.Fatal(explain(err))
		}
		synctest.Wait()
		m.set(func() { m.away = true })
		stop()
		h, r, _ := running(t, m, cached)
		if r.routers() != "vbr-2 vbr-acme" {
			t.Errorf("before it is time runs %s", r.routers())
		}
		time.Sleep(2 * time.Minute)
		if r.routers() != "vbr-acme" || !strings.Contains(h.problems(), "revision 2 was not confirmed, and the store cannot take the rollback: revision 1 runs here") {
			t.Errorf("runs %s, problems %s", r.routers(), h.problems())
		}
		// Somebody confirmed it elsewhere.
		m.set(func() { m.away = false; m.revisions[1].Revision.ConfirmBy = nil })
		time.Sleep(time.Minute)
		if r.routers() != "vbr-2 vbr-acme" || h.problems() != "" || m.appends != 2 {
			t.Errorf("runs %s, problems %s, %d appends", r.routers(), h.problems(), m.appends)
		}
	})
}

// With a full disk the rollback is here only, once and for all until there is room.
func TestUnconfirmedAndDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h, r, _ := running(t, m, nil)
		h.apply(t, admin, site())
		synctest.Wait()
		if _, err := h.Apply(t.Context(), admin, within(time.Minute, parse(t, line("vbr-2", "acme", "pc-1", 2, "")))); err != nil {
			t.Fatal(explain(err))
		}
		synctest.Wait()
		m.set(func() { m.appendErr = errDisk })
		time.Sleep(10 * time.Minute)
		if r.routers() != "vbr-acme" || len(r.taken) != 4 || !strings.Contains(h.problems(), "revision 2 was not confirmed and cannot be rolled back") {
			t.Errorf("runs %s after %d intents, problems %s", r.routers(), len(r.taken), h.problems())
		}
		m.set(func() { m.appendErr = nil })
		time.Sleep(time.Minute)
		if r.routers() != "vbr-acme" || h.problems() != "" || len(m.revisions) != 3 {
			t.Errorf("runs %s, problems %s, %d revisions", r.routers(), h.problems(), len(m.revisions))
		}
	})
}
