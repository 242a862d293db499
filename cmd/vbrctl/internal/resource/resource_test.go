package resource

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func readText(t *testing.T, text string) (*Set, error) {
	t.Helper()
	return Read([]string{"-"}, strings.NewReader(text))
}

const two = `# a port
kind: PhysicalConnection
name: 007
owner: no
device: eth1
---
---
{kind: VirtualBorderRouter, name: vbr-acme, physicalConnectionId: "007", vlan_id: 100,
 bgp_peers: [{peer_ip_address: 10.0.0.2, peer_asn: 65001}]}
`

// Values mean what is written, not what YAML makes of them.
func TestReadAndWrite(t *testing.T) {
	set, err := readText(t, two)
	if err != nil {
		t.Fatal(err)
	}
	want := []*vbrv1.Resource{
		vbrv1.Wrap(&vbrv1.PhysicalConnection{Name: "007", Owner: "no", Device: "eth1"}),
		vbrv1.Wrap(&vbrv1.VirtualBorderRouter{Name: "vbr-acme", PhysicalConnectionId: "007", VlanId: 100,
			BgpPeers: []*vbrv1.BgpPeer{{PeerIpAddress: "10.0.0.2", PeerAsn: proto.Uint32(65001)}}}),
	}
	if diff := cmp.Diff(want, set.Resources, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	set.Resources[0].Metadata = &vbrv1.Metadata{Generation: 2, Revision: 7, Source: "store"}
	set.Resources[1].Metadata = &vbrv1.Metadata{Source: "file:/etc/vbrd/a.yaml"}
	text := string(YAML(set.Resources))
	wantText := `
# generation 2, revision 7
kind: PhysicalConnection
name: "007"
owner: "no"
device: eth1
---
# from /etc/vbrd/a.yaml, changed there only
kind: VirtualBorderRouter
name: vbr-acme
physical_connection_id: "007"
vlan_id: 100
bgp_peers:
  - peer_ip_address: "10.0.0.2"
    peer_asn: 65001
`
	if "\n"+text != wantText {
		t.Errorf("got\n%swant%s", text, wantText)
	}
	again, err := readText(t, text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, again.Resources, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestPlace(t *testing.T) {
	set, err := readText(t, two)
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{
		"PhysicalConnection/007":                             "stdin:2:1",
		"PhysicalConnection/007.owner":                       "stdin:4:8",
		"PhysicalConnection/007.host":                        "stdin:2:1",
		"VirtualBorderRouter/vbr-acme.bgp_peers[0].hold":     "stdin:9:15",
		"VirtualBorderRouter/vbr-acme.bgp_peers[0].peer_asn": "stdin:9:52",
		"RouterInterface/ri-x.vni":                           "",
	} {
		if got := set.Place(field); got != want {
			t.Errorf("%s: got %q, want %q", field, got, want)
		}
	}
}

func TestBadFiles(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"bad YAML", "kind: [\n", "stdin:1:7: not YAML: sequence end token ']' not found"},
		{"bad document", "- a\n", "stdin:1:1: not a resource; legal: keys and values, with kind: PhysicalConnection, VirtualBorderRouter, VRouter, RouterInterface, VbrHa"},
		{"bad kind", "kind: VirtualBorderRooter\n", `stdin:1:7: kind: "VirtualBorderRooter" is no kind; did you mean "VirtualBorderRouter"?; legal: PhysicalConnection, VirtualBorderRouter, VRouter, RouterInterface, VbrHa`},
		{"no kind", "name: x\n", "stdin:1:1: kind: missing; legal: PhysicalConnection, VirtualBorderRouter, VRouter, RouterInterface, VbrHa"},
		{"bad key", "kind: VirtualBorderRouter\nname: a\nvlan: 1\nvlanId: 1\n", `stdin:3:1: VirtualBorderRouter/a.vlan: unknown key`},
		{"bad key meant", "kind: VirtualBorderRouter\nname: a\nvlanid: 1\n", `stdin:3:1: VirtualBorderRouter/a.vlanid: unknown key; did you mean "vlan_id"?`},
		{"bad key inside", "kind: VirtualBorderRouter\nname: a\nbgp_peers:\n  - hlod: 1\n", `stdin:4:5: VirtualBorderRouter/a.bgp_peers[0].hlod: unknown key; did you mean "hold"?`},
		{"bad number", "kind: VirtualBorderRouter\nname: a\nvlan_id: 1e2\n", `stdin:3:10: VirtualBorderRouter/a.vlan_id: "1e2" is not a whole number from 0 to 4294967295`},
		{"bad list", "kind: VirtualBorderRouter\nname: a\nbgp_peers: 7\n", `stdin:3:12: VirtualBorderRouter/a.bgp_peers: not a list`},
		{"bad value", "kind: VirtualBorderRouter\nname: [a]\n", `stdin:2:7: VirtualBorderRouter/.name: not a single value`},
		{"bad null", "kind: VirtualBorderRouter\nname: a\nvrf:\n", `stdin:3:1: VirtualBorderRouter/a.vrf: has no value; leave the key out or give it one`},
		{"bad twice", "kind: VirtualBorderRouter\nname: a\nvlan_id: 1\nvlanId: 2\n", `stdin:4:1: VirtualBorderRouter/a.vlanId: given twice`},
		{"bad resource twice", "kind: RouterInterface\nname: a\n---\nkind: RouterInterface\nname: a\n", `stdin:4:1: document 2: RouterInterface/a: given twice, first at stdin:1:1`},
		{"bad in two documents", "kind: x\n---\nkind: y\n", "stdin:1:7: document 1: kind: \"x\" is no kind; legal: PhysicalConnection, VirtualBorderRouter, VRouter, RouterInterface, VbrHa\n" +
			"stdin:3:7: document 2: kind: \"y\" is no kind; legal: PhysicalConnection, VirtualBorderRouter, VRouter, RouterInterface, VbrHa"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := readText(t, tt.text)
			if got := fmt.Sprint(err); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestReadFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"2.yml": "kind: RouterInterface\nname: b\n", "1.yaml": "kind: RouterInterface\nname: a\n", "x.txt": "no", ".h.yaml": "no"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set, err := Read([]string{dir}, nil)
	if err != nil || len(set.Resources) != 2 || Name(set.Resources[0]) != "a" || Name(set.Resources[1]) != "b" {
		t.Errorf("%v, %v", set, err)
	}
	for _, path := range []string{filepath.Join(dir, "none.yaml"), t.TempDir()} {
		if _, err := Read([]string{path}, nil); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// What the project's own examples say is read.
func TestExamples(t *testing.T) {
	for _, dir := range []string{"minimal", "reference"} {
		set, err := Read([]string{filepath.Join("../../../../examples/config", dir, "resources.d")}, nil)
		if err != nil || len(set.Resources) < 3 {
			t.Errorf("%s: %v, %v", dir, set, err)
		}
	}
}

func TestKinds(t *testing.T) {
	for word, want := range map[string]vbrv1.Kind{
		"pc": 1, "PCs": 1, "physical-connections": 1, "PhysicalConnection": 1, "vbr": 2, "vbrs": 2, "virtual_border_router": 2, "ri": 3, "RouterInterfaces": 3, "router": 0, "": 0,
	} {
		if got, ok := ParseKind(word); got != want || ok != (want != 0) {
			t.Errorf("%q: %v, %v", word, got, ok)
		}
	}
}
