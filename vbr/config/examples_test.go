package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/config"
	"github.com/openvbr/openvbr/vbr/intent"
)

const examples = "../../examples/config"

// TestExamples: what we show people is correct as a whole.
func TestExamples(t *testing.T) {
	for _, name := range []string{"minimal", "reference"} {
		dir := filepath.Join(examples, name)
		s, problems := config.Load(config.Input{Args: []string{"--config", dir + "/vbrd.yaml"}, Hostname: os.Hostname})
		if problems != nil {
			t.Fatal(problems)
		}
		in, problems := intent.Load(dir + "/resources.d")
		if problems != nil {
			t.Fatal(problems)
		}
		if problems := config.CheckIntent(s, in); problems != nil {
			t.Error(problems)
		}
	}
}

// TestGuideOfClouds: the resources that the guide shows for VPCs and pairs hold, with what they take for granted.
func TestGuideOfClouds(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(guide), "\n## VPCs and pairs\n")
	section, _, _ = strings.Cut(section, "\n## ") // later sections have excerpts
	blocks := regexp.MustCompile("(?s)```yaml not-run[^\n]*\n(.*?)```").FindAllStringSubmatch(section, -1)
	text := "kind: VirtualBorderRouter\nname: vbr-acme-two\nowner: acme\nphysical_connection_id: pc-1\nvlan_id: 300\n" +
		"local_gateway_ip: 10.0.0.9\npeer_gateway_ip: 10.0.0.10\npeering_subnet_mask: /30\n" +
		"---\nkind: VRouter\nname: vpc-partner\nowner: partner\ncidr_blocks: [172.17.0.0/16]\n" +
		"---\nkind: RouterInterface\nname: ri-partner\nowner: partner\nrouter_id: vpc-partner\nrole: AcceptingSide\nvni: 5001\nroute_target: 64600:5001\n" +
		"opposite_interface_id: ri-acme\nopposite_interface_owner_id: acme\n"
	for _, b := range blocks {
		text += "---\n" + b[1]
	}
	docs, problems := intent.Parse("guide.md", []byte(text))
	if problems != nil {
		t.Fatal(problems)
	}
	if in, problems := intent.Build(docs); problems != nil || len(blocks) < 4 || len(in.RouterInterfaces) != 4 {
		t.Errorf("%d blocks: %v", len(blocks), problems)
	}
}

// TestReferenceIsDefault: the values the reference shows for what has a default are the defaults.
func TestReferenceIsDefault(t *testing.T) {
	reference, _ := config.Load(config.Input{Args: []string{"--config", examples + "/reference/vbrd.yaml"}})
	minimal, _ := config.Load(config.Input{Args: []string{"--config", examples + "/minimal/vbrd.yaml", "--host", "edge1"}})
	if reference == nil || minimal == nil {
		t.Fatal("examples do not load")
	}
	reference.Backbone.Prefixes, reference.Backbone.Peers[0].AuthKeyFile = nil, ""
	if got, want := reference.String(), minimal.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestReferenceMentionsEveryKey: each key is there with a comment that gives its default or says that it is required.
func TestReferenceMentionsEveryKey(t *testing.T) {
	settings, err := os.ReadFile(examples + "/reference/vbrd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range config.KeyNames() {
		if !explained(string(settings), k) {
			t.Errorf("vbrd.yaml does not explain %s", k)
		}
	}
	files, _ := filepath.Glob(examples + "/reference/resources.d/*.yaml")
	var resources strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		resources.Write(text)
	}
	for _, m := range []protoreflect.ProtoMessage{&vbrv1.PhysicalConnection{}, &vbrv1.VirtualBorderRouter{}, &vbrv1.BgpPeer{}, &vbrv1.RouterInterface{}, &vbrv1.AssociatedPhysicalConnection{},
		&vbrv1.RoutePolicy{}, &vbrv1.RoutePolicyTerm{},
		&vbrv1.VRouter{}, &vbrv1.VSwitch{}, &vbrv1.RouteEntry{}, &vbrv1.RouteNextHop{}, &vbrv1.HealthCheck{}, &vbrv1.VbrHa{}} {
		fields := m.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			if name := string(fields.Get(i).Name()); !explained(resources.String(), name) {
				t.Errorf("resources do not explain %s", name)
			}
		}
	}
}

// explained finds the key below a comment that speaks of a default, with nothing but keys of the same comment between.
func explained(text, key string) bool {
	return regexp.MustCompile(`(?m)#.*(Default|default|Required|required).*\n(\s*(- )?#.*\n|\s*[a-z0-9_]+:.*\n){0,3}[ #]*(- )?` + key + `:`).MatchString(text)
}
