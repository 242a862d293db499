package control_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
)

// watch is a stream in a test.
type watch struct {
	said  strings.Builder // since it was last read
	token string
	hold  chan struct{} // not nil: the receiver is stuck until it is closed
	err   error
	over  bool
	stop  context.CancelFunc
	sizes []int
}

func (h *host) watch(t *testing.T, caller control.Caller, req *vbrv1.WatchRequest) *watch {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watch{stop: cancel}
	go func() {
		w.err = h.Watch(ctx, caller, req, w.receive)
		w.over = true
	}()
	t.Cleanup(func() { cancel(); synctest.Wait() })
	synctest.Wait()
	return w
}

func (w *watch) receive(m *vbrv1.WatchResponse) error {
	if w.hold != nil {
		<-w.hold
	}
	for _, r := range m.Resources {
		fmt.Fprintf(&w.said, "+%s ", nameOf(r))
	}
	for _, r := range m.Deleted {
		fmt.Fprintf(&w.said, "-%s ", r.Name)
	}
	if m.Synced {
		w.said.WriteString("synced ")
	}
	if m.ResumeToken != "" {
		w.token = m.ResumeToken
	}
	w.sizes = append(w.sizes, len(m.Resources)+len(m.Deleted))
	return nil
}

// says waits for what is under way and returns what was said since.
func (w *watch) says() string {
	synctest.Wait()
	defer w.said.Reset()
	return strings.TrimSpace(w.said.String())
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h := newHost(t, m, nil)
		all, beta1 := h.watch(t, viewer, &vbrv1.WatchRequest{}), h.watch(t, beta, &vbrv1.WatchRequest{})
		doors := h.watch(t, admin, &vbrv1.WatchRequest{Kinds: []vbrv1.Kind{kindRI}, Owner: "acme"})
		step := func(what, wantAll, wantBeta, wantDoors string) {
			t.Helper()
			for w, want := range map[*watch]string{all: wantAll, beta1: wantBeta, doors: wantDoors} {
				if got := w.says(); got != want {
					t.Errorf("%s: said %q, want %q", what, got, want)
				}
			}
		}
		step("begin", "synced", "synced", "synced")
		h.apply(t, admin, site())
		step("create", "+pc-1 +vbr-acme +ri-acme", "", "+ri-acme")
		first := all.token
		h.apply(t, admin, line("vbr-acme", "beta", "pc-1", 100, "")+door("ri-acme", "beta", "vbr-acme", 5001))
		step("a new owner", "+vbr-acme +ri-acme", "+vbr-acme +ri-acme", "-ri-acme")
		h.apply(t, admin, line("vbr-acme", "acme", "pc-1", 100, "")+door("ri-acme", "acme", "vbr-acme", 5001))
		step("and back", "+vbr-acme +ri-acme", "-vbr-acme -ri-acme", "+ri-acme")
		if _, err := h.Delete(t.Context(), admin, &vbrv1.DeleteRequest{Refs: []*vbrv1.ResourceRef{ref(kindRI, "ri-acme")}}); err != nil {
			t.Fatal(err)
		}
		step("delete", "-ri-acme", "", "-ri-acme")

		// From where the stream was, also at another daemon; what exists at the time comes once.
		other := newHost(t, m, nil)
		for _, at := range []*host{h, other} {
			if got := at.watch(t, viewer, &vbrv1.WatchRequest{ResumeToken: first}).says(); got != "+vbr-acme -ri-acme synced" {
				t.Errorf("resumed: %s", got)
			}
			if got := at.watch(t, viewer, &vbrv1.WatchRequest{ResumeToken: all.token}).says(); got != "synced" {
				t.Errorf("resumed at the end: %s", got)
			}
		}
		all.stop()
		synctest.Wait()
		if status.Code(all.err) != codes.Canceled {
			t.Errorf("ended with %v", all.err)
		}
		refused := func(token string, code codes.Code, text string) {
			t.Helper()
			w := h.watch(t, viewer, &vbrv1.WatchRequest{ResumeToken: token})
			wantCode(t, w.err, code, text)
		}
		refused("nonsense", codes.InvalidArgument, "resume_token")
		refused("99-1-", codes.OutOfRange, "begin again without one")
		refused("1-1-", codes.OutOfRange, "begin again without one") // of a store that was lost
		refused(first+"0a0b", codes.OutOfRange, "begin again without one")
		m.set(func() { m.dropped = 1 })
		refused(first, codes.OutOfRange, "begin again without one")
		wantCode(t, h.watch(t, viewer, &vbrv1.WatchRequest{Kinds: []vbrv1.Kind{9}}).err, codes.InvalidArgument, "kinds[0]: 9")
	})
}

// What a stream is about is kept while it lasts: more than can be meant is refused.
func TestFilterBounds(t *testing.T) {
	h := newHost(t, &memory{}, nil)
	kinds, owner := append(vbrv1.Kinds(), kindRI), strings.Repeat("é", 65)
	none := func(*vbrv1.WatchResponse) error { return errors.New("it was answered") }
	wantCode(t, h.Watch(t.Context(), viewer, &vbrv1.WatchRequest{Kinds: kinds}, none), codes.InvalidArgument, fmt.Sprintf("kinds: %d: not a number of kinds; legal: 0..%d", len(kinds), len(kinds)-1))
	wantCode(t, h.Watch(t.Context(), viewer, &vbrv1.WatchRequest{Owner: owner}, none), codes.InvalidArgument, "not an owner label; legal: at most 64")
	for what, req := range map[string]*vbrv1.ListRequest{"kinds: ": {Kinds: kinds}, "owner: ": {Owner: owner}, "names: 1001: not a number of names for one call; legal: 0..1000": {Names: make([]string, 1001)}} {
		wantCode(t, h.List(t.Context(), viewer, req, nil), codes.InvalidArgument, what)
	}
	if got := h.list(t, viewer, &vbrv1.ListRequest{Kinds: vbrv1.Kinds(), Owner: strings.Repeat("é", 64), Names: make([]string, 1000)}); got != "" {
		t.Error(got)
	}
}

// A watcher that does not read is ended, the others are not held up, and it can go on.
func TestSlowWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &memory{}, nil)
		h.apply(t, admin, port("pc-1", "", "eth1", ""))
		w, quick := h.watch(t, viewer, &vbrv1.WatchRequest{}), h.watch(t, viewer, &vbrv1.WatchRequest{})
		w.hold = make(chan struct{})
		for i := range 300 {
			h.apply(t, admin, port("pc-1", "", "eth1", fmt.Sprintf("description: d%d\n", i)))
			synctest.Wait()
		}
		if got := strings.Count(quick.says(), "+pc-1"); got != 301 || quick.over {
			t.Errorf("the quick one was told %d changes", got)
		}
		close(w.hold)
		synctest.Wait()
		wantCode(t, w.err, codes.ResourceExhausted, "does not keep up", w.token)
		w.says()
		if got := h.watch(t, viewer, &vbrv1.WatchRequest{ResumeToken: w.token}).says(); got != "+pc-1 synced" {
			t.Errorf("resumed: %s", got)
		}
	})
}

// Files that are read again are changes too, and a token from before cannot be resumed from.
func TestWatchReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := folder(t, map[string]string{"a.yaml": site()})
		h := newHost(t, &memory{}, func(c *control.Config) { c.Files = dir })
		w := h.watch(t, viewer, &vbrv1.WatchRequest{})
		w.says()
		before := w.token
		writeFile(t, filepath.Join(dir, "a.yaml"), port("pc-1", "provider", "eth2", ""))
		if err := h.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.says(); got != "+pc-1 -vbr-acme -ri-acme" {
			t.Errorf("said %s", got)
		}
		wantCode(t, h.watch(t, viewer, &vbrv1.WatchRequest{ResumeToken: before}).err, codes.OutOfRange)
	})
}

// Streams come in chunks, and end when their receiver does.
func TestChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &memory{}, nil)
		var text strings.Builder
		for i := range 450 {
			text.WriteString(port(fmt.Sprintf("pc-%03d", i), "", fmt.Sprintf("eth%d", i), ""))
		}
		h.apply(t, admin, text.String())
		var sizes []int
		count := func(resp *vbrv1.ListResponse) error {
			sizes = append(sizes, len(resp.Resources))
			return nil
		}
		if err := h.List(t.Context(), admin, &vbrv1.ListRequest{}, count); err != nil {
			t.Fatal(err)
		}
		w := h.watch(t, admin, &vbrv1.WatchRequest{})
		synctest.Wait()
		if diff := cmp.Diff([][]int{{200, 200, 50}, {200, 200, 50}}, [][]int{sizes, w.sizes}); diff != "" {
			t.Error(diff)
		}
		sizes = nil
		if err := h.List(t.Context(), acme, &vbrv1.ListRequest{}, count); err != nil || len(sizes) != 1 || sizes[0] != 0 {
			t.Errorf("an empty list: %v, %v", err, sizes)
		}
		gone := errors.New("gone")
		if err := h.List(t.Context(), admin, &vbrv1.ListRequest{}, func(*vbrv1.ListResponse) error { return gone }); !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
		sizes = nil
		if err := h.List(t.Context(), admin, &vbrv1.ListRequest{Names: []string{"pc-007", "pc-x"}, Kinds: []vbrv1.Kind{kindPort}}, count); err != nil || len(sizes) != 1 || sizes[0] != 1 {
			t.Errorf("by name: %v, %v", err, sizes)
		}
		wantCode(t, h.List(t.Context(), admin, &vbrv1.ListRequest{Kinds: []vbrv1.Kind{0}}, count), codes.InvalidArgument)
		_, err := h.Get(t.Context(), admin, &vbrv1.GetRequest{Name: "pc-007"})
		wantCode(t, err, codes.InvalidArgument)
		_, err = h.Get(t.Context(), beta, &vbrv1.GetRequest{Kind: kindPort, Name: "pc-007"})
		wantCode(t, err, codes.NotFound, "PhysicalConnection/pc-007 not found")
	})
}
