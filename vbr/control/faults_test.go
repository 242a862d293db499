package control_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

// Another host's change between our look and our write is built upon, once; a change that names what it expects is not tried again.
func TestConflict(t *testing.T) {
	m := &memory{}
	one, two := newHost(t, m, nil), newHost(t, m, nil)
	one.apply(t, admin, site())
	meanwhile := func(vlan int) func() {
		return func() { two.apply(t, admin, line(fmt.Sprintf("vbr-%d", vlan), "", "pc-1", vlan, "")) }
	}
	m.beforeSave = meanwhile(2)
	one.apply(t, admin, line("vbr-a", "acme", "pc-1", 3, ""))
	if got := one.names(t, admin); got != "pc-1 vbr-2 vbr-a vbr-acme ri-acme" {
		t.Errorf("got %s", got)
	}
	m.beforeSave = meanwhile(4)
	_, err := one.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Resources: parse(t, line("vbr-b", "", "pc-1", 5, "")), ExpectedRevision: 3})
	wantCode(t, err, codes.Aborted, "revision 3 is expected, the current one is 4")
	// What clashes with the other's change is refused, though it was legal when it came.
	m.beforeSave = meanwhile(6)
	_, err = one.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Resources: parse(t, line("vbr-b", "", "pc-1", 6, ""))})
	wantCode(t, err, codes.InvalidArgument, "VLAN on pc-1 is already that of VirtualBorderRouter/vbr-6")
	// Twice in a row is enough.
	m.beforeSave = func() { meanwhile(7)(); m.beforeSave = meanwhile(8) }
	_, err = one.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Resources: parse(t, line("vbr-b", "", "pc-1", 9, ""))})
	wantCode(t, err, codes.Aborted, "nothing was changed: try again")
	if got := one.names(t, admin); strings.Contains(got, "vbr-b") {
		t.Errorf("got %s", got)
	}
}

// An Append that fails leaves everything as it was; one whose answer is lost has happened, here and elsewhere.
func TestAppendFails(t *testing.T) {
	for _, tt := range []struct {
		name    string
		err     error
		written bool
		code    codes.Code
		text    string
	}{
		{"disk full", errDisk, false, codes.Internal, "no space left on device; nothing was changed"},
		{"gone", store.ErrUnavailable, false, codes.Unavailable, "`vbrctl history` tells whether revision 2 was stored"},
		{"answer lost", store.ErrUnavailable, true, codes.Unavailable, "`vbrctl history` tells whether revision 2 was stored"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &memory{}
				h, r, _ := running(t, m, nil)
				h.apply(t, admin, site())
				before := h.list(t, admin, &vbrv1.ListRequest{})
				m.set(func() { m.appendErr, m.written = tt.err, tt.written })
				req := &vbrv1.ApplyRequest{Resources: parse(t, line("vbr-2", "", "pc-1", 2, "")+line("vbr-3", "", "pc-1", 3, ""))}
				_, err := h.Apply(t.Context(), admin, req)
				wantCode(t, err, tt.code, tt.text)
				synctest.Wait()
				m.mu.Lock()
				m.appendErr = nil
				m.mu.Unlock()
				names, routers := "pc-1 vbr-acme ri-acme", "vbr-acme"
				if tt.written {
					names, routers = "pc-1 vbr-2 vbr-3 vbr-acme ri-acme", "vbr-2 vbr-3 vbr-acme"
				} else if diff := cmp.Diff(before, h.list(t, admin, &vbrv1.ListRequest{})); diff != "" {
					t.Error("something changed", diff)
				}
				if h.names(t, admin) != names || r.routers() != routers {
					t.Errorf("knows %s, runs %s", h.names(t, admin), r.routers())
				}
				// Another daemon, as after kill -9, sees the same; and again is no harm.
				if got := newHost(t, m, nil).names(t, admin); got != names {
					t.Errorf("stored is %s", got)
				}
				if _, err := h.Apply(t.Context(), admin, req); err != nil || len(m.revisions) != 2 {
					t.Errorf("again: %v, %d revisions", err, len(m.revisions))
				}
			})
		})
	}
}

// A call that is cancelled before the store is written changes nothing; after that it is done.
func TestCancel(t *testing.T) {
	m := &memory{}
	h := newHost(t, m, nil)
	h.apply(t, admin, site())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := h.Apply(ctx, admin, &vbrv1.ApplyRequest{Prune: true})
	wantCode(t, err, codes.Canceled)
	ctx, cancel = context.WithCancel(t.Context())
	m.beforeSave = cancel
	if _, err := h.Apply(ctx, admin, &vbrv1.ApplyRequest{Prune: true}); err != nil {
		t.Error(explain(err))
	}
	if got := h.names(t, admin); got != "" || len(m.revisions) != 2 {
		t.Errorf("got %s", got)
	}
}

// Whoever waits for a change that hangs in the store can leave.
func TestWaitingCallsCanLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h := newHost(t, m, nil)
		hung := make(chan struct{})
		m.beforeSave = func() { <-hung }
		done := make(chan error)
		go func() {
			_, err := h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Resources: parse(t, site())})
			done <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 1)
		defer cancel()
		_, err := h.Apply(ctx, admin, &vbrv1.ApplyRequest{Prune: true})
		wantCode(t, err, codes.DeadlineExceeded)
		if got := h.names(t, admin); got != "" { // readers do not wait
			t.Errorf("got %s", got)
		}
		close(hung)
		if err := <-done; err != nil {
			t.Error(explain(err))
		}
	})
}

// A store that cannot be read tells why.
func TestUnreadableStore(t *testing.T) {
	h := newHost(t, unreadable{&memory{}}, nil)
	_, err := h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Prune: true})
	wantCode(t, err, codes.DataLoss, "/s is damaged: bits fell over")
	if !h.Partial() || !strings.Contains(h.problems(), "bits fell over") {
		t.Errorf("problems %s", h.problems())
	}
}

type unreadable struct{ *memory }

func (unreadable) Head(context.Context) (*vbrv1.StoredRevision, error) {
	return nil, &store.CorruptError{Path: "/s", Err: errors.New("bits fell over")}
}

// Roles that see nothing are told nothing.
func TestCallers(t *testing.T) {
	limited := control.Caller{Role: control.Admin, Owners: []string{"acme"}}
	for _, tt := range []struct {
		c                       control.Caller
		role                    string
		acme, beta, all, change bool
	}{
		{control.Caller{}, "none", false, false, false, false},
		{control.Caller{Owners: []string{"acme"}}, "none", false, false, false, false},
		{viewer, "viewer", true, true, true, false},
		{control.Caller{Role: control.Viewer, Owners: []string{"acme"}}, "viewer", true, false, false, false},
		{acme, "operator", true, false, false, true},
		{control.Caller{Role: control.Operator}, "operator", false, false, false, false},
		{admin, "admin", true, true, true, true},
		{limited, "admin", true, false, false, true},
	} {
		got := []any{tt.c.Role.String(), tt.c.Sees("acme"), tt.c.Sees("beta"), tt.c.SeesAll(), tt.c.MayChange("acme")}
		if diff := cmp.Diff([]any{tt.role, tt.acme, tt.beta, tt.all, tt.change}, got); diff != "" {
			t.Errorf("%+v: %s", tt.c, diff)
		}
	}
}
