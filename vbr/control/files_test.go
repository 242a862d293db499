package control_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/intent/source"
)

func TestFilesOwnTheirResources(t *testing.T) {
	dir := folder(t, map[string]string{"a.yaml": site(), "b.yaml": port("pc-2", "", "eth2", "")})
	h := newHost(t, &memory{}, func(c *control.Config) { c.Files = dir })
	a := "file:" + dir + "/a.yaml"
	want := "pc-1 g1 " + a + "\npc-2 g1 file:" + dir + "/b.yaml\nvbr-acme g1 " + a + "\nri-acme g1 " + a + "\n"
	if diff := cmp.Diff(want, h.list(t, viewer, &vbrv1.ListRequest{})); diff != "" {
		t.Error("-want +got", diff)
	}
	// The same as in the file is no change; stored resources may stand on it.
	resp := h.apply(t, admin, site()+line("vbr-beta", "beta", "pc-1", 200, ""))
	if len(resp.Plan.Changes) != 1 {
		t.Errorf("plan %s", planText(resp.Plan))
	}
	_, err := h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Resources: parse(t, line("vbr-acme", "acme", "pc-1", 101, ""))})
	wantCode(t, err, codes.FailedPrecondition, "VirtualBorderRouter/vbr-acme: belongs to "+a+"; legal: a change of that file, and a reload of vbrd")
	_, err = h.Apply(t.Context(), beta, &vbrv1.ApplyRequest{Resources: parse(t, line("vbr-acme", "beta", "pc-1", 101, ""))})
	wantCode(t, err, codes.FailedPrecondition, `"vbr-acme": name is in use`)
	_, err = h.Delete(t.Context(), admin, &vbrv1.DeleteRequest{Refs: []*vbrv1.ResourceRef{ref(kindPort, "pc-2")}})
	wantCode(t, err, codes.FailedPrecondition, "belongs to file:")
	_, err = h.Delete(t.Context(), beta, &vbrv1.DeleteRequest{Refs: []*vbrv1.ResourceRef{ref(kindPort, "pc-2")}})
	wantCode(t, err, codes.NotFound)
	if _, err = h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Prune: true}); err != nil {
		t.Fatal(explain(err))
	}
	if got := h.names(t, admin); got != "pc-1 pc-2 vbr-acme ri-acme" {
		t.Errorf("after prune %s", got)
	}
}

// Files that are wrong end the start with every problem, the machine's among them.
func TestLoadRefusesBadFiles(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"rules":   {strings.Replace(site(), "vlan_id: 100", "vlan_id: 5000\nfoo: 1", 1), "out of range"},
		"machine": {port("pc-1", "", "gone", ""), "no such network device"},
	} {
		h := unloaded(&memory{}, func(c *control.Config) {
			c.Files = folder(t, map[string]string{"r.yaml": tt.text})
			c.Check = func(in *intent.Intent) (problems intent.Errors) {
				for _, pc := range in.PhysicalConnections {
					if pc.Device == "gone" {
						problems.Add(source.Problem{Text: "no such network device"})
					}
				}
				return problems
			}
		})
		_, err := h.Load(t.Context())
		var problems intent.Errors
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The kernel is asked for what changes, not for what the start finds.
func TestSupports(t *testing.T) {
	h := newHost(t, &memory{}, func(c *control.Config) {
		c.Files = folder(t, map[string]string{"r.yaml": port("pc-1", "", "eth1", "")})
		c.Supports = func(*intent.Intent) (problems intent.Errors) {
			problems.Add(source.Problem{Text: "no such kernel module"})
			return problems
		}
	})
	_, err := h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Resources: parse(t, port("pc-2", "", "eth2", ""))})
	wantCode(t, err, codes.InvalidArgument, "no such kernel module")
	if err := h.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "no such kernel module") {
		t.Errorf("Reload: %v", err)
	}
}

// Stored resources that clash with files are left out, kept, reported, and come back when the clash is over.
func TestStoredClashWithFiles(t *testing.T) {
	m := &memory{}
	all := newHost(t, m, nil)
	all.apply(t, admin, site()+line("vbr-beta", "beta", "pc-1", 200, "")+door("ri-beta", "beta", "vbr-beta", 6000)+port("pc-vx", "", "vx7000", ""))
	for _, tt := range []struct{ name, file, left, routers string }{
		{"a name", port("pc-1", "", "eth9", ""), "PhysicalConnection/pc-1: is in the store and in file:", "vbr-acme vbr-beta"},
		{"a VLAN", line("vbr-file", "", "pc-file", 200, "") + port("pc-file", "", "eth1", ""), "PhysicalConnection/pc-1.device", "vbr-file"},
		{"a VNI", port("pc-file", "", "eth9", "") + line("vbr-file", "", "pc-file", 1, "") + door("ri-file", "", "vbr-file", 6000), "RouterInterface/ri-beta.", "vbr-file vbr-acme vbr-beta"},
		{"the default VRF", port("pc-file", "", "eth9", "") + line("vbr-file", "", "pc-file", 1, "vrf: default\n"), "VirtualBorderRouter/vbr-acme.vrf", "vbr-file"},
		{"what the file's resource has the problem of", port("pc-file", "", "eth9", "") + line("vbr-file", "", "pc-file", 1, "") + door("ri-file", "", "vbr-file", 7000),
			"PhysicalConnection/pc-vx: makes a file's resource fail", "vbr-file vbr-acme vbr-beta"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := folder(t, map[string]string{"r.yaml": tt.file})
			h := unloaded(m, func(c *control.Config) { c.Files = dir })
			in, err := h.Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var routers []string
			for _, r := range in.Routers {
				routers = append(routers, r.Name)
			}
			if got := strings.Join(routers, " "); got != tt.routers {
				t.Errorf("routers %s, want %s", got, tt.routers)
			}
			if got := h.problems(); !strings.Contains(got, "left out: "+tt.left) {
				t.Errorf("problems:\n%s", got)
			}
			if got := h.events(); !strings.Contains(got, " is left out, since it clashes") {
				t.Errorf("events:\n%s", got)
			}
			// What is left out holds up no change of something else, and can be deleted.
			if _, err := h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{DryRun: true, Resources: parse(t, port("pc-other", "", "eth8", ""))}); err != nil {
				t.Error(explain(err))
			}
			if err := os.Remove(filepath.Join(dir, "r.yaml")); err != nil {
				t.Fatal(err)
			}
			if err := h.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := h.problems() + h.names(t, admin); got != "pc-1 pc-vx vbr-acme vbr-beta ri-acme ri-beta" {
				t.Errorf("after the clash: %s", got)
			}
		})
	}
	if m.appends != 1 {
		t.Errorf("%d appends", m.appends)
	}
}

// What a clash leaves out of the store can be deleted, and cannot be stood on.
func TestLeftOutCanBeMended(t *testing.T) {
	m := &memory{}
	newHost(t, m, nil).apply(t, admin, site())
	dir := folder(t, map[string]string{"r.yaml": port("pc-file", "", "eth9", "") + line("vbr-file", "", "pc-file", 1, "") + door("ri-file", "", "vbr-file", 5001) + port("pc-1", "", "eth7", "")})
	h := newHost(t, m, func(c *control.Config) { c.Files = dir })
	if got := h.problems(); strings.Count(got, "left out") != 2 {
		t.Fatalf("problems:\n%s", got)
	}
	_, err := h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Resources: parse(t, door("ri-acme", "acme", "vbr-acme", 5001)+door("ri-2", "", "vbr-acme", 5001))})
	wantCode(t, err, codes.InvalidArgument, "RouterInterface/ri-2.vni: 5001: VNI is already that of RouterInterface/ri-file")
	h.apply(t, admin, door("ri-acme", "acme", "vbr-acme", 5002))
	if _, err := h.Delete(t.Context(), admin, &vbrv1.DeleteRequest{Refs: []*vbrv1.ResourceRef{ref(kindPort, "pc-1")}}); err != nil {
		t.Fatal(explain(err))
	}
	if got := h.problems(); got != "" {
		t.Errorf("problems:\n%s", got)
	}
	if got := h.names(t, admin); got != "pc-1 pc-file vbr-acme vbr-file ri-acme ri-file" {
		t.Errorf("%s", got)
	}
}

func TestReload(t *testing.T) {
	dir := folder(t, map[string]string{"a.yaml": site()})
	h := newHost(t, &memory{}, func(c *control.Config) { c.Files = dir })
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := h.list(t, admin, &vbrv1.ListRequest{})
	write(strings.Replace(site(), "vlan_id: 100", "vlan_id: 5000\nfoo: 1", 1) + "kind: X\n")
	err := h.Reload(t.Context())
	for _, want := range []string{"5000: out of range", "foo: unknown key", "unknown kind"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if diff := cmp.Diff(before, h.list(t, admin, &vbrv1.ListRequest{})); diff != "" {
		t.Error("a bad file changed something", diff)
	}
	write(port("pc-1", "provider", "eth1", "") + line("vbr-acme", "acme", "pc-1", 101, ""))
	want := "pc-1 g1 file:" + dir + "/a.yaml\nvbr-acme g2 file:" + dir + "/a.yaml\n"
	if err := h.Reload(t.Context()); err != nil || h.list(t, admin, &vbrv1.ListRequest{}) != want {
		t.Errorf("%v, %s", err, h.list(t, admin, &vbrv1.ListRequest{}))
	}
}

// Hosts of one store: names are over all, what is per host is per host, and every resource says where it is.
func TestSharedStore(t *testing.T) {
	m := &memory{}
	on := func(name string) *host {
		return newHost(t, m, func(c *control.Config) { c.Host, c.Shared = name, true })
	}
	one := on("edge1")
	_, err := one.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Resources: parse(t, site())})
	wantCode(t, err, codes.InvalidArgument, "PhysicalConnection/pc-1.host: missing; legal: a host's name, since several hosts share the store", "VirtualBorderRouter/vbr-acme.host")
	siteOn := func(host, n string) string {
		return port("pc-"+n, "", "eth1", "host: "+host+"\n") + line("vbr-"+n, "", "pc-"+n, 100, "host: "+host+"\nroute_table_id: 5000\n") + door("ri-"+n, "", "vbr-"+n, 5001)
	}
	one.apply(t, admin, siteOn("edge1", "1")+siteOn("edge2", "2"))
	for name, want := range map[string]string{"edge1": "pc-1 vbr-1 ri-1", "edge2": "pc-2 vbr-2 ri-2", "edge3": ""} {
		h := unloaded(m, func(c *control.Config) { c.Host, c.Shared = name, true })
		in, err := h.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(strings.Fields(nameList(in)), " "); got != want {
			t.Errorf("%s runs %s, want %s", name, got, want)
		}
		if got := h.names(t, admin); got != "pc-1 pc-2 vbr-1 vbr-2 ri-1 ri-2" {
			t.Errorf("%s knows %s", name, got)
		}
		var listed []string
		for l := range strings.Lines(h.list(t, admin, &vbrv1.ListRequest{Host: name})) {
			listed = append(listed, strings.Fields(l)[0])
		}
		if got := strings.Join(listed, " "); got != want {
			t.Errorf("on %s are listed %s, want %s", name, got, want)
		}
	}
	_, err = on("edge2").Apply(t.Context(), admin, &vbrv1.ApplyRequest{Resources: parse(t, line("vbr-3", "", "pc-1", 7, "host: edge2\n"))})
	wantCode(t, err, codes.InvalidArgument, `PhysicalConnection/pc-1 is on host "edge1", the VBR on "edge2"`)
	_, err = on("edge2").Apply(t.Context(), admin, &vbrv1.ApplyRequest{Resources: parse(t, door("ri-3", "", "vbr-2", 5001))})
	wantCode(t, err, codes.InvalidArgument, "VNI is already that of RouterInterface/ri-2")
}

func nameList(in *intent.Intent) string {
	var b strings.Builder
	for _, pc := range in.PhysicalConnections {
		b.WriteString(pc.Name + " ")
	}
	for _, r := range in.Routers {
		b.WriteString(r.Name + " ")
	}
	for _, ri := range in.RouterInterfaces {
		b.WriteString(ri.Name + " ")
	}
	return b.String()
}
