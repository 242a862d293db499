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

// cloudFiles are the resources that each host of the cloud topology gets, in the order they get them.
var cloudFiles = map[string][]string{
	"edge-1": {"edge-1"}, "edge-2": {"edge-2"}, "gw-1": {"gw-1", "gw-1-accept"}, "gw-2": {"gw-2"},
}

// load reads a host's first n files as vbrd would.
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

// The resources are what vbrd takes, with and without beta's consent.
func TestCloudResourcesLoad(t *testing.T) {
	for host, files := range cloudFiles {
		for n := range files {
			load(t, host, files[:n+1])
		}
	}
}

// What no vbrd sees, since each has a store of its own: that the two ends of each pair fit.
func TestCloudPairsFit(t *testing.T) {
	ends, owners, at := map[string]intent.RouterInterface{}, map[string]string{}, map[string]string{}
	for host, files := range cloudFiles {
		in := load(t, host, files)
		for _, r := range in.Routers {
			owners[r.Name] = r.Owner
		}
		for _, ri := range in.RouterInterfaces {
			ends[ri.Name], at[ri.Name] = ri, host
		}
	}
	var got []string
	for name, ri := range ends {
		if ri.Owner != owners[ri.Router] {
			t.Errorf("%s is %s's, its router %s's", name, ri.Owner, owners[ri.Router])
		}
		if ri.Opposite == "" || ri.Accepting {
			continue
		}
		other := ends[ri.Opposite]
		if other.Opposite != name || !other.Accepting || other.Router != ri.OppositeRouter || other.OppositeRouter != ri.Router ||
			other.VNI != ri.VNI || other.RouteTarget != ri.RouteTarget || other.Owner != ri.OppositeOwner || other.OppositeOwner != ri.Owner {
			t.Errorf("the ends of a pair differ:\n%+v\n%+v", ri, other)
		}
		if (ri.VNI == 0) != (at[name] == at[other.Name]) {
			t.Errorf("%s on %s and %s on %s: VNI %d", name, at[name], other.Name, at[other.Name], ri.VNI)
		}
		got = append(got, fmt.Sprintf("%s %s (%s) -> %s %s (%s) %s", ri.Router, at[name], ri.Owner, other.Router, at[other.Name], other.Owner, ri.Spec))
	}
	slices.Sort(got)
	want := []string{
		"vbr-acme-1 edge-1 (acme) -> vpc-acme-a gw-1 (acme) ",
		"vbr-acme-2 edge-2 (acme) -> vpc-acme-a gw-1 (acme) ",
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
