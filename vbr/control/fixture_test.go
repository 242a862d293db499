package control_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
	"github.com/openvbr/openvbr/vbr/events"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

var (
	admin  = control.Caller{Name: "uid:0(root)", Role: control.Admin}
	viewer = control.Caller{Name: "uid:9(noc)", Role: control.Viewer}
	acme   = control.Caller{Name: "cn:acme", Role: control.Operator, Owners: []string{"acme"}}
	beta   = control.Caller{Name: "cn:beta", Role: control.Operator, Owners: []string{"beta"}}
)

// host is one controller in a test.
type host struct {
	*control.Controller
	log *events.Log
}

// newHost loads a controller over a store; change may alter its settings.
func newHost(t testing.TB, s store.Store, change func(*control.Config)) *host {
	t.Helper()
	h := unloaded(s, change)
	if _, err := h.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

func unloaded(s store.Store, change func(*control.Config)) *host {
	h := &host{log: events.NewLog(1000)}
	cfg := control.Config{Host: "edge1", Store: s, Events: h.log, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if change != nil {
		change(&cfg)
	}
	h.Controller = control.New(cfg)
	return h
}

// events renders what happened.
func (h *host) events() string {
	var b strings.Builder
	all, _ := h.log.After(0, 0)
	for _, e := range all {
		fmt.Fprintf(&b, "%s %s %s\n", strings.TrimPrefix(e.Type.String(), "TYPE_"), e.Owner, e.Text)
	}
	return b.String()
}

// problems renders the problems of the status.
func (h *host) problems() string {
	_, _, problems := h.Status()
	return strings.Join(problems, "\n")
}

// runner takes every intent, unless it is told to fail.
type runner struct {
	mu     sync.Mutex
	taken  []*intent.Intent
	broken bool
}

func (r *runner) Apply(_ context.Context, in *intent.Intent) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken {
		return errors.New("not running")
	}
	r.taken = append(r.taken, in)
	return nil
}

func (r *runner) Effects(before, after *intent.Intent) []*vbrv1.Effect {
	var out []*vbrv1.Effect
	for i := range after.Routers {
		if a := &after.Routers[i]; before.Router(a.Name) == nil {
			out = append(out, &vbrv1.Effect{Type: vbrv1.Effect_TYPE_ROUTER_CREATED, Router: a.Name})
		} else if !before.Router(a.Name).Equal(*a) {
			out = append(out, &vbrv1.Effect{Type: vbrv1.Effect_TYPE_ROUTER_RESTARTED, Router: a.Name, Disruptive: true})
		}
	}
	return out
}

// routers are the names of the routers in the intent taken last.
func (r *runner) routers() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.taken) == 0 {
		return "nothing"
	}
	var names []string
	for _, router := range r.taken[len(r.taken)-1].Routers {
		names = append(names, router.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// parse reads resources from YAML.
func parse(t testing.TB, text string) []*vbrv1.Resource {
	t.Helper()
	docs, problems := intent.Parse("test", []byte(text))
	if problems != nil {
		t.Fatal(problems)
	}
	var out []*vbrv1.Resource
	for _, d := range docs {
		out = append(out, vbrv1.Wrap(d.Message))
	}
	return out
}

// apply applies YAML and fails the test when it is refused.
func (h *host) apply(t testing.TB, caller control.Caller, text string) *vbrv1.ApplyResponse {
	t.Helper()
	resp, err := h.Apply(t.Context(), caller, &vbrv1.ApplyRequest{Resources: parse(t, text)})
	if err != nil {
		t.Fatal(explain(err))
	}
	return resp
}

// list renders what the caller sees: "VirtualBorderRouter/vbr-acme g1 store".
func (h *host) list(t testing.TB, caller control.Caller, req *vbrv1.ListRequest) string {
	t.Helper()
	var b strings.Builder
	err := h.List(t.Context(), caller, req, func(resp *vbrv1.ListResponse) error {
		for _, r := range resp.Resources {
			fmt.Fprintf(&b, "%s g%d %s\n", nameOf(r), r.Metadata.Generation, r.Metadata.Source)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// names lists what the caller sees.
func (h *host) names(t testing.TB, caller control.Caller) string {
	t.Helper()
	var names []string
	for line := range strings.Lines(h.list(t, caller, &vbrv1.ListRequest{})) {
		names = append(names, strings.Fields(line)[0])
	}
	return strings.Join(names, " ")
}

func nameOf(r *vbrv1.Resource) string {
	c, _ := vbrv1.Unwrap(r)
	return c.GetName()
}

// explain renders an error with its violations: "InvalidArgument: message", then "field: description" lines.
func explain(err error) string {
	if err == nil {
		return "OK"
	}
	st := status.Convert(err)
	lines := []string{st.Code().String() + ": " + st.Message()}
	for _, d := range st.Details() {
		lines = []string{st.Code().String()}
		for _, v := range d.(*errdetails.BadRequest).FieldViolations {
			lines = append(lines, v.Field+": "+v.Description)
		}
	}
	return strings.Join(lines, "\n")
}

func wantCode(t testing.TB, err error, code codes.Code, texts ...string) {
	t.Helper()
	got := explain(err)
	if status.Code(err) != code {
		t.Errorf("got %s, want %s", got, code)
	}
	for _, text := range texts {
		if !strings.Contains(got, text) {
			t.Errorf("no %q in %s", text, got)
		}
	}
}

// folder writes resource files and returns the folder.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// port, line and door are resources as YAML.
func port(name, owner, device, more string) string {
	return fmt.Sprintf("kind: PhysicalConnection\nname: %s\nowner: %q\ndevice: %s\n%s---\n", name, owner, device, more)
}

func line(name, owner, port string, vlan int, more string) string {
	return fmt.Sprintf("kind: VirtualBorderRouter\nname: %s\nowner: %q\nphysical_connection_id: %s\nvlan_id: %d\nlocal_gateway_ip: 10.0.0.1\npeer_gateway_ip: 10.0.0.2\npeering_subnet_mask: /30\n%s---\n",
		name, owner, port, vlan, more)
}

func door(name, owner, router string, vni int) string {
	return fmt.Sprintf("kind: RouterInterface\nname: %s\nowner: %q\nrouter_id: %s\nvni: %d\nroute_target: 64600:%d\n---\n", name, owner, router, vni, vni)
}

// site is a port of the provider and one customer on it.
func site() string {
	return port("pc-1", "provider", "eth1", "") + line("vbr-acme", "acme", "pc-1", 100, "") + door("ri-acme", "acme", "vbr-acme", 5001)
}

func ref(kind vbrv1.Kind, name string) *vbrv1.ResourceRef {
	return &vbrv1.ResourceRef{Kind: kind, Name: name}
}

const (
	kindPort = vbrv1.Kind_KIND_PHYSICAL_CONNECTION
	kindVBR  = vbrv1.Kind_KIND_VIRTUAL_BORDER_ROUTER
	kindRI   = vbrv1.Kind_KIND_ROUTER_INTERFACE
)
