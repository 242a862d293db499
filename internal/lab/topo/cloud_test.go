package topo_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/internal/lab/topo"
	"github.com/openvbr/openvbr/vbr/intent"
)

// cloudFiles are the resources of the cloud topology, in the order in which they are applied.
var cloudFiles = []string{"edge-1", "edge-2", "gw-1", "gw-2", "gw-1-accept"}

// load reads resources as the vbrd of a host would.
func load(t *testing.T, host string, files []string) *intent.Intent {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f+".yaml"), []byte(topo.CloudResources(f)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in, _, problems := intent.Options{Host: host}.Load(dir)
	if len(problems) > 0 {
		t.Fatalf("%s: %v: %v", host, files, problems)
	}
	return in
}

// The resources are what vbrd takes, with and without beta's consent, and each is on the host whose file has it.
func TestCloudResourcesLoad(t *testing.T) {
	for _, host := range cloudFiles[:4] {
		for _, n := range []int{4, 5} {
			here := load(t, host, cloudFiles[:n]).On(host)
			for _, r := range here.Routers {
				if r.Host != host || !strings.Contains(topo.CloudResources(host), "name: "+r.Name+"\n") {
					t.Errorf("%s: %s is on %q", host, r.Name, r.Host)
				}
			}
		}
	}
}

// Who is joined with whom, and where.
func TestCloudPairs(t *testing.T) {
	in := load(t, "", cloudFiles)
	routers, ends := map[string]intent.Router{}, map[string]intent.RouterInterface{}
	for _, r := range in.Routers {
		routers[r.Name] = r
	}
	for _, ri := range in.RouterInterfaces {
		ends[ri.Name] = ri
	}
	var got []string
	for _, ri := range in.RouterInterfaces {
		if ri.Opposite == "" || ri.Accepting {
			continue
		}
		other := ends[ri.Opposite]
		got = append(got, fmt.Sprintf("%s %s (%s) -> %s %s (%s) %s", ri.Router, routers[ri.Router].Host, ri.Owner,
			other.Router, routers[other.Router].Host, other.Owner, ri.Spec))
	}
	slices.Sort(got)
	want := []string{
		"vbr-acme-1 edge-1 (acme) -> vpc-acme-a gw-1 (acme) ",
		"vbr-acme-1 edge-1 (acme) -> vpc-acme-ops edge-1 (acme) ",
		"vbr-acme-2 edge-2 (acme) -> vpc-acme-a gw-1 (acme) ",
		"vbr-acme-2 edge-2 (acme) -> vpc-acme-ops edge-1 (acme) ",
		"vpc-acme-a gw-1 (acme) -> vpc-acme-b gw-1 (acme) ",
		"vpc-acme-a gw-1 (acme) -> vpc-acme-c gw-2 (acme) Mini.5",
		"vpc-acme-a gw-1 (acme) -> vpc-beta gw-1 (beta) ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pairs (-want +got):\n%s", diff)
	}
}

// An account can apply its file by itself: nothing of another's is in it.
func TestCloudAcceptIsBetas(t *testing.T) {
	for line := range strings.Lines(topo.CloudResources("gw-1-accept")) {
		if owner, ok := strings.CutPrefix(line, "owner: "); ok && strings.TrimSpace(owner) != "beta" {
			t.Errorf("gw-1-accept.yaml has %q", line)
		}
	}
}
