package control_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/openvbr/openvbr/internal/cputest"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// model is two controllers over one store, and what the last revision that was seen says.
type model struct {
	hosts [2]*host
	m     *memory
	last  map[string]*vbrv1.Resource
	seen  int
}

// Any changes by two controllers over one store, with Appends that fail and answers that are lost, leave both with the same
// resources. Generations grow by one with each change of a resource and never go back, and every revision holds together.
func TestTwoControllersAgree(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := &model{m: &memory{}, last: map[string]*vbrv1.Resource{}}
		for i := range s.hosts {
			s.hosts[i] = newHost(t, s.m, nil)
		}
		s.hosts[0].apply(t, admin, port("pc-1", "", "eth1", ""))
		r.Repeat(map[string]func(*rapid.T){
			"apply":    func(r *rapid.T) { s.apply(t, r) },
			"delete":   func(r *rapid.T) { s.remove(t, r) },
			"rollback": func(r *rapid.T) { s.rollback(t, r) },
			"":         func(r *rapid.T) { s.check(t, r) },
		})
		// Reading the head, as every change does first, makes both know the same.
		want := ""
		for i, h := range s.hosts {
			if _, err := h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{DryRun: true, Prune: true}); err != nil {
				r.Fatal(explain(err))
			}
			got := h.list(t, admin, &vbrv1.ListRequest{})
			if fresh := newHost(t, s.m, nil).list(t, admin, &vbrv1.ListRequest{}); got != fresh || i > 0 && got != want {
				r.Fatalf("host %d knows\n%sthe other\n%sstored is\n%s", i, got, want, fresh)
			}
			want = got
		}
	})
}

// host draws who acts, and what goes wrong with the store meanwhile.
func (s *model) host(r *rapid.T) *host {
	s.m.appendErr, s.m.written = nil, false
	switch rapid.IntRange(0, 5).Draw(r, "fault") {
	case 0:
		s.m.appendErr = errDisk
	case 1:
		s.m.appendErr, s.m.written = store.ErrUnavailable, true
	}
	return s.hosts[rapid.IntRange(0, 1).Draw(r, "host")]
}

func (s *model) judge(r *rapid.T, err error, legal ...codes.Code) {
	for _, code := range append(legal, codes.OK, codes.Internal, codes.Unavailable) {
		if status.Code(err) == code {
			return
		}
	}
	r.Fatal(explain(err))
}

func (s *model) apply(t *testing.T, r *rapid.T) {
	h := s.host(r)
	req := &vbrv1.ApplyRequest{Prune: rapid.IntRange(0, 9).Draw(r, "prune") == 0}
	text := port("pc-1", "", "eth1", "")
	for i := range rapid.IntRange(0, 3).Draw(r, "lines") {
		name := fmt.Sprintf("vbr-%d", 3*i+rapid.IntRange(0, 2).Draw(r, "name"))
		text += line(name, "", "pc-1", rapid.IntRange(1, 6).Draw(r, "vlan"), "")
		if rapid.Bool().Draw(r, "door") {
			text += door("ri-"+name, "", name, rapid.IntRange(1, 6).Draw(r, "vni"))
		}
	}
	req.Resources = parse(t, text)
	if rapid.Bool().Draw(r, "expect") {
		req.ExpectedRevision = uint64(max(1, len(s.m.revisions)-rapid.IntRange(0, 1).Draw(r, "behind")))
	}
	_, err := h.Apply(t.Context(), admin, req)
	s.judge(r, err, codes.InvalidArgument, codes.FailedPrecondition, codes.Aborted)
}

func (s *model) remove(t *testing.T, r *rapid.T) {
	h := s.host(r)
	var refs []*vbrv1.ResourceRef
	for i := range 3 {
		name := fmt.Sprintf("vbr-%d", 3*i+rapid.IntRange(0, 2).Draw(r, "name"))
		refs = append(refs, ref(kindVBR, name), ref(kindRI, "ri-"+name))
	}
	refs = refs[:rapid.IntRange(1, len(refs)).Draw(r, "count")]
	_, err := h.Delete(t.Context(), admin, &vbrv1.DeleteRequest{Refs: refs})
	s.judge(r, err, codes.NotFound, codes.FailedPrecondition)
}

func (s *model) rollback(t *testing.T, r *rapid.T) {
	h := s.host(r)
	_, err := h.Rollback(t.Context(), admin, &vbrv1.RollbackRequest{Revision: rapid.Uint64Range(1, uint64(len(s.m.revisions))).Draw(r, "to")})
	s.judge(r, err)
}

// check looks at the revisions that are new.
func (s *model) check(t *testing.T, r *rapid.T) {
	s.m.appendErr = nil
	for ; s.seen < len(s.m.revisions); s.seen++ {
		rev := s.m.revisions[s.seen]
		now := map[string]*vbrv1.Resource{}
		for _, res := range rev.Resources {
			name := nameOf(res)
			now[name] = res
			was, changed := s.last[name], uint64(0)
			if was == nil {
				continue
			}
			if !proto.Equal(&vbrv1.Resource{Resource: res.Resource}, &vbrv1.Resource{Resource: was.Resource}) {
				changed = 1
			}
			if res.Metadata.Generation != was.Metadata.Generation+changed || (res.Metadata.Revision == rev.Revision.Number) != (changed == 1) {
				r.Fatalf("%s: %v, then %v in revision %d", name, was.Metadata, res.Metadata, rev.Revision.Number)
			}
		}
		if int(rev.Revision.Resources) != len(rev.Resources) || rev.Revision.Created+rev.Revision.Changed+rev.Revision.Deleted == 0 {
			r.Fatalf("%v", rev.Revision)
		}
		s.last = now
	}
	if got := newHost(t, s.m, nil).problems(); got != "" {
		r.Fatalf("stored resources do not hold together: %s", got)
	}
}

// Over the real store of a single host: what was said to be stored is there after closing and opening it, and the rest works too.
func TestOverBbolt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	open := func() store.Store {
		t.Helper()
		s, err := store.OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	h := newHost(t, s, nil)
	h.apply(t, admin, site())
	h.apply(t, acme, line("vbr-2", "acme", "pc-1", 2, ""))
	_, err := h.Apply(t.Context(), admin, within(time.Hour, parse(t, line("vbr-3", "beta", "pc-1", 3, ""))))
	if err != nil {
		t.Fatal(explain(err))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Prune: true})
	wantCode(t, err, codes.Unavailable)
	s = open()
	defer s.Close()
	h = newHost(t, s, nil)
	if got := h.names(t, admin); got != "pc-1 vbr-2 vbr-3 vbr-acme ri-acme" || h.problems() != "" {
		t.Errorf("%s, %s", got, h.problems())
	}
	_, err = h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Prune: true})
	wantCode(t, err, codes.FailedPrecondition, "revision 3 waits for confirmation")
	if _, err := h.Confirm(t.Context(), admin, &vbrv1.ConfirmRequest{}); err != nil {
		t.Fatal(explain(err))
	}
	if _, err := h.Rollback(t.Context(), admin, &vbrv1.RollbackRequest{Revision: 1}); err != nil {
		t.Fatal(explain(err))
	}
	if got := h.names(t, admin); got != "pc-1 vbr-acme ri-acme" {
		t.Errorf("%s", got)
	}
	if got := h.history(t, acme, 0); got != "4 uid:0(root) +0 ~0 -1 =2 \"\"\n2 cn:acme +1 ~0 -0 =3 \"\"\n1 uid:0(root) +2 ~0 -0 =2 \"\"\n" {
		t.Error(got)
	}
}

// 10,000 resources in one call, twice, and one more beside them: no step looks at all for each.
func TestManyResources(t *testing.T) {
	s, err := store.OpenFile(filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h := newHost(t, s, nil)
	var text strings.Builder
	for p := range 2 {
		text.WriteString(port(fmt.Sprintf("pc-%d", p), "", fmt.Sprintf("eth%d", p), ""))
	}
	for i := range (control.MaxResources - 2) / 2 {
		name := fmt.Sprintf("%d", i)
		text.WriteString(line("vbr-"+name, "acme", fmt.Sprintf("pc-%d", i/4000), i%4000+1, "") + door("ri-"+name, "acme", "vbr-"+name, i+1))
	}
	resources := parse(t, strings.TrimSuffix(text.String(), "---\n"))
	for _, step := range []struct {
		name string
		req  *vbrv1.ApplyRequest
		most time.Duration // of the processor
	}{
		{"create 10,000", &vbrv1.ApplyRequest{Resources: resources}, 20 * time.Second},
		{"the same 10,000", &vbrv1.ApplyRequest{Resources: resources}, 10 * time.Second},
		{"one more", &vbrv1.ApplyRequest{Resources: parse(t, line("vbr-x", "", "pc-1", 4094, ""))}, 10 * time.Second},
	} {
		start := cputest.Used(t)
		if _, err := h.Apply(t.Context(), admin, step.req); err != nil {
			t.Fatal(explain(err))
		}
		took := cputest.Used(t) - start
		t.Logf("%s: %v", step.name, took)
		if took > step.most {
			t.Errorf("%s took %v", step.name, took)
		}
	}
	// All of them wrong: an answer of bounded size in bounded time.
	for _, r := range resources[2:] {
		if v := r.GetVirtualBorderRouter(); v != nil {
			v.PhysicalConnectionId = "pc-none"
		}
	}
	start := cputest.Used(t)
	_, err = h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Resources: resources})
	wantCode(t, err, codes.InvalidArgument, "no such PhysicalConnection")
	if n, took := strings.Count(explain(err), "\n"), cputest.Used(t)-start; n != 100 || took > 20*time.Second {
		t.Errorf("%d violations after %v", n, took)
	} else {
		t.Logf("all wrong: %v", took)
	}
}
