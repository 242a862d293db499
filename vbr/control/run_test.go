package control_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

// running loads and runs a controller until the test's end or stop.
func running(t *testing.T, m *memory, change func(*control.Config)) (h *host, r *runner, stop func()) {
	t.Helper()
	h, r = newHost(t, m, change), &runner{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- h.Run(ctx, r) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	synctest.Wait()
	return h, r, stop
}

func within(d time.Duration, resources []*vbrv1.Resource) *vbrv1.ApplyRequest {
	return &vbrv1.ApplyRequest{Resources: resources, ConfirmWithin: durationpb.New(d)}
}

func TestRunFollowsTheStore(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "cache")
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		one, r1, stop := running(t, m, func(c *control.Config) { c.Shared, c.Cache = true, cache })
		two, r2, _ := running(t, m, func(c *control.Config) { c.Shared, c.Host = true, "edge2" })
		on2 := port("pc-2", "", "eth1", "host: edge2\n") + line("vbr-2", "", "pc-2", 1, "host: edge2\n")
		one.apply(t, admin, on2+port("pc-1", "", "eth1", "host: edge1\n")+line("vbr-1", "", "pc-1", 1, "host: edge1\n"))
		synctest.Wait()
		if r1.routers() != "vbr-1" || r2.routers() != "vbr-2" {
			t.Errorf("run %s and %s", r1.routers(), r2.routers())
		}
		for _, h := range []*host{one, two} {
			if name, revision, problems := h.Status(); name != "memory" || revision != 1 || problems != nil {
				t.Errorf("status %s %d %v", name, revision, problems)
			}
			if got := h.events(); got != "APPLIED  revision 1 by uid:0(root): 4 created, 0 changed, 0 deleted\n" {
				t.Errorf("events %s", got)
			}
		}
		// What does not concern a host is no event there.
		two.apply(t, admin, line("vbr-3", "", "pc-2", 3, "host: edge2\n"))
		synctest.Wait()
		if _, revision, _ := one.Status(); revision != 2 || strings.Count(one.events(), "\n") != 1 || strings.Count(two.events(), "\n") != 2 {
			t.Errorf("revision %d\n%s\n%s", revision, one.events(), two.events())
		}
		// Without the store what was known goes on, also over a restart, and nothing can be changed.
		m.set(func() { m.away = true })
		stop()
		one, r1, stop = running(t, m, func(c *control.Config) { c.Shared, c.Cache = true, cache })
		defer stop()
		if r1.routers() != "vbr-1" || one.Partial() {
			t.Errorf("runs %s", r1.routers())
		}
		if _, revision, problems := one.Status(); revision != 2 || len(problems) != 1 {
			t.Errorf("status %d %v", revision, problems)
		}
		_, err := one.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Prune: true})
		wantCode(t, err, codes.Unavailable, "store not reachable")
		if got := one.names(t, admin); got != "pc-1 pc-2 vbr-1 vbr-2 vbr-3" {
			t.Errorf("reads %s", got)
		}
		// And it catches up.
		m.set(func() { m.away = false })
		synctest.Wait()
		two.apply(t, admin, line("vbr-4", "", "pc-1", 4, "host: edge1\n"))
		synctest.Wait()
		if r1.routers() != "vbr-1 vbr-4" || one.problems() != "" || !strings.Contains(one.events(), "can be read again") {
			t.Errorf("runs %s, problems %s\n%s", r1.routers(), one.problems(), one.events())
		}
	})
}

// A runner that cannot is asked again; what came meanwhile is taken at once.
func TestRunTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, r, _ := running(t, &memory{}, nil)
		r.mu.Lock()
		r.broken = true
		r.mu.Unlock()
		h.apply(t, admin, site())
		synctest.Wait()
		if got := h.problems(); got != "revision 1 is not running yet: not running" {
			t.Errorf("problems %s", got)
		}
		r.mu.Lock()
		r.broken = false
		r.mu.Unlock()
		time.Sleep(time.Minute)
		if _, revision, problems := h.Status(); r.routers() != "vbr-acme" || revision != 1 || problems != nil {
			t.Errorf("runs %s, revision %d, %v", r.routers(), revision, problems)
		}
	})
}

func TestRollback(t *testing.T) {
	m := &memory{}
	h := newHost(t, m, nil)
	h.apply(t, admin, site())
	h.apply(t, admin, strings.Replace(site(), "vlan_id: 100", "vlan_id: 101", 1)+line("vbr-2", "acme", "pc-1", 2, ""))
	if _, err := h.Delete(t.Context(), admin, &vbrv1.DeleteRequest{Refs: []*vbrv1.ResourceRef{ref(kindRI, "ri-acme")}}); err != nil {
		t.Fatal(err)
	}
	_, err := h.Rollback(t.Context(), acme, &vbrv1.RollbackRequest{Revision: 1})
	wantCode(t, err, codes.PermissionDenied)
	_, err = h.Rollback(t.Context(), control.Caller{Name: "x", Role: control.Admin, Owners: []string{"acme"}}, &vbrv1.RollbackRequest{Revision: 1})
	wantCode(t, err, codes.PermissionDenied)
	_, err = h.Rollback(t.Context(), admin, &vbrv1.RollbackRequest{})
	wantCode(t, err, codes.InvalidArgument)
	_, err = h.Rollback(t.Context(), admin, &vbrv1.RollbackRequest{Revision: 9})
	wantCode(t, err, codes.NotFound, "revision 9 is not in the history")
	resp, err := h.Rollback(t.Context(), admin, &vbrv1.RollbackRequest{Revision: 1})
	if err != nil || resp.Revision != 4 || len(resp.Plan.Changes) != 3 {
		t.Fatal(resp, explain(err))
	}
	if got := h.list(t, admin, &vbrv1.ListRequest{}); got != "pc-1 g1 store\nvbr-acme g3 store\nri-acme g2 store\n" {
		t.Errorf("got %s", got)
	}
	if m.revisions[3].Revision.Comment != "rollback to revision 1" {
		t.Errorf("%v", m.revisions[3].Revision)
	}
	if resp, err := h.Rollback(t.Context(), admin, &vbrv1.RollbackRequest{Revision: 1}); err != nil || resp.Revision != 4 {
		t.Error("again:", resp, explain(err))
	}
}

// What a store that is damaged, empty or away is replaced by.
func TestLoadWithoutStore(t *testing.T) {
	damaged := &store.CorruptError{Path: "/s", SetAside: "/s.bad", Err: errors.New("not a store")}
	text := site()
	for _, tt := range []struct {
		name            string
		cached, away    bool
		corrupt, broken bool
		names, problem  string
		partial         bool
		appends         int
	}{
		{name: "a first start"},
		{name: "damaged, cached", cached: true, corrupt: true, names: "pc-1 vbr-acme ri-acme", problem: "its 3 resources were recovered from the cache of revision 1", appends: 1},
		{name: "damaged, not cached", corrupt: true, partial: true, problem: "/s is damaged and was set aside as /s.bad: not a store, and there is no cache of it"},
		{name: "damaged, cache damaged too", corrupt: true, broken: true, partial: true, problem: "nothing that runs is removed"},
		{name: "away, cached", cached: true, away: true, names: "pc-1 vbr-acme ri-acme", problem: "store not reachable"},
		{name: "away, not cached", away: true, partial: true, problem: "the store was not read yet, and nothing of it is cached"},
		{name: "emptied", cached: true, names: "pc-1 vbr-acme ri-acme", problem: "the store is empty, but revision 1 of it was here"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cache := filepath.Join(t.TempDir(), "cache")
			if tt.cached {
				old := &memory{}
				newHost(t, old, nil).apply(t, admin, text)
				if err := store.WriteCache(cache, old.revisions[0]); err != nil {
					t.Fatal(err)
				}
			}
			if tt.broken {
				if err := os.WriteFile(cache, []byte("x"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			m := &memory{away: tt.away}
			again := func() *host {
				return newHost(t, m, func(c *control.Config) {
					if c.Cache = cache; tt.corrupt {
						c.Corrupt = damaged
					}
				})
			}
			h := again()
			if got := h.names(t, admin); got != tt.names || h.Partial() != tt.partial || m.appends != tt.appends {
				t.Errorf("knows %q, partial %v, %d appends", got, h.Partial(), m.appends)
			}
			if got := h.problems(); !strings.Contains(got, tt.problem) || tt.problem == "" && got != "" {
				t.Errorf("problems %s", got)
			}
			if tt.problem != "" && !strings.Contains(h.events(), "STORE") {
				t.Errorf("events %s", h.events())
			}
			if tt.corrupt && tt.partial { // also after another start, until an admin has applied
				tt.corrupt = false
				h = again()
				if !h.Partial() {
					t.Error("forgotten at the next start")
				}
				h.apply(t, acme, port("pc-a", "acme", "eth7", ""))
				if !h.Partial() {
					t.Error("an operator's apply is not enough")
				}
			}
			m.set(func() { m.away = false })
			h.apply(t, admin, port("pc-2", "", "eth2", ""))
			if h.Partial() || again().Partial() {
				t.Error("still partial")
			}
			want := strings.TrimSpace(strings.Replace(tt.names, "pc-1", "pc-1 pc-2", 1))
			if tt.names == "" {
				want = h.names(t, admin)
			}
			if got := h.names(t, admin); got != want || !strings.Contains(got, "pc-2") {
				t.Errorf("after an apply %q, want %q", got, want)
			}
		})
	}
}

// That resources are missing is noted before anything is stored, and forgotten only when an admin's apply is acknowledged.
func TestLossIsNoted(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "cache")
	mark := cache + ".partial"
	blocked := func(on bool) { // a directory that is not empty is neither replaced nor removed
		t.Helper()
		if err := os.RemoveAll(mark); err != nil {
			t.Fatal(err)
		}
		if on {
			if err := os.MkdirAll(filepath.Join(mark, "x"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	m := &memory{}
	again := func(corrupt error) *host {
		return newHost(t, m, func(c *control.Config) { c.Cache, c.Corrupt = cache, corrupt })
	}
	apply := func(h *host, caller control.Caller) error {
		_, err := h.Apply(t.Context(), caller, &vbrv1.ApplyRequest{Resources: parse(t, port("pc-a", "acme", "eth7", ""))})
		return err
	}
	damaged := &store.CorruptError{Path: "/s", SetAside: "/s.bad", Err: errors.New("not a store")}

	blocked(true)
	h := again(damaged)
	for _, caller := range []control.Caller{acme, admin} {
		if err := apply(h, caller); !strings.HasPrefix(explain(err), "Internal: ") || !strings.Contains(explain(err), "it cannot be noted that stored resources are missing") || m.appends > 0 {
			t.Errorf("not noted: %v, %d appends", err, m.appends)
		}
	}
	blocked(false)
	if err := apply(h, acme); err != nil {
		t.Fatal(explain(err))
	}
	if h = again(damaged); !h.Partial() {
		t.Error("forgotten, since there is a revision again")
	}
	blocked(true)
	if err := apply(h, admin); !strings.HasPrefix(explain(err), "Internal: ") || !strings.Contains(explain(err), "apply it again") || !h.Partial() {
		t.Errorf("not removed: %v, partial %v", err, h.Partial())
	}
	if h = again(damaged); !h.Partial() {
		t.Error("whole, though no apply was acknowledged")
	}
	blocked(false)
	if err := apply(h, admin); err != nil || h.Partial() || again(damaged).Partial() {
		t.Errorf("still partial: %v", err)
	}
}

// An admin who says that there should be nothing is believed, at the next start too.
func TestNothingIsWanted(t *testing.T) {
	m := &memory{}
	again := func() *host {
		return newHost(t, m, func(c *control.Config) {
			c.Cache, c.Corrupt = filepath.Join(t.TempDir(), "cache"), &store.CorruptError{Path: "/s", SetAside: "/s.bad", Err: errors.New("not a store")}
		})
	}
	h := again()
	if _, err := h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Prune: true}); err != nil || m.appends != 1 || h.Partial() {
		t.Error(explain(err), m.appends, h.Partial())
	}
	if again().Partial() {
		t.Error("lost again at the next start")
	}
}
