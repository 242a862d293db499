package clab_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/internal/lab/clab"
	"github.com/openvbr/openvbr/vbr/intent"
)

const examples = "../../../examples/clab"

// TestExamples: every topology, its assertions and its vbrds' resources are what they should be. That they work is for TestClab to say.
func TestExamples(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(examples, "*/"))
	if err != nil || len(folders) < 6 {
		t.Fatalf("%v: %v", folders, err)
	}
	for _, folder := range folders {
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			continue
		}
		name := filepath.Base(folder)
		file, err := clab.Find(folder)
		if err != nil {
			t.Error(err)
			continue
		}
		topology, err := clab.Load(file)
		if err != nil {
			t.Errorf("%s:\n%v", name, err)
			continue
		}
		if topology.Name != name {
			t.Errorf("%s: the lab's name is %q", name, topology.Name)
		}
		if a, err := clab.LoadAssertions(topology); err != nil || len(a) < 3 {
			t.Errorf("%s: %d assertions:\n%v", name, len(a), err)
		}
		for _, n := range topology.Nodes {
			resources(t, n)
		}
		if text, err := os.ReadFile(filepath.Join(folder, "README.md")); err != nil || !strings.Contains(string(text), "make clab LAB="+name) {
			t.Errorf("%s: README.md does not say how to play it: %v", name, err)
		}
	}
}

// resources loads those of a node that runs vbrd, as that would; Host is the node's name in all of them.
func resources(t *testing.T, n *clab.Node) {
	t.Helper()
	if n.Program != clab.Vbrd {
		return
	}
	in, _, problems := intent.Options{Host: n.Name}.Load(n.Bound("/etc/vbrd/resources.d"))
	if len(problems) > 0 || len(in.On(n.Name).Routers) == 0 {
		t.Errorf("%s: no router there, or: %v", n.Name, problems)
	}
}

// The Dockerfile has what the player puts into a node: the programs in /usr/local/bin, and the entry point there.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(examples, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"COPY --from=build /out/vbrd /out/vbrctl /usr/local/bin/\n",
		"COPY examples/clab/entrypoint.sh /usr/local/bin/\n",
		"ENTRYPOINT [\"/usr/local/bin/entrypoint.sh\"]\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no line %q", want)
		}
	}
	if info, err := os.Stat(filepath.Join(examples, "entrypoint.sh")); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("the entry point cannot be executed: %v", err)
	}
}

// write makes a topology's folder with an frr.conf and a daemons file beside it.
func write(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"t.clab.yml": text, "frr.conf": "hostname a\n", "daemons": "bgpd=yes\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "t.clab.yml")
}

// A node's own goes before its kind's, and that before the defaults'; what is a list or a mapping adds up.
func TestInheritance(t *testing.T) {
	file := write(t, `name: t
mgmt: {network: other, ipv4-subnet: 172.30.0.0/24}
topology:
  defaults:
    kind: linux
    image: alpine:3
    env: {A: 1, B: 1}
    exec: [ip link set lo up]
    sysctls: {net.ipv4.ip_forward: 1}
  kinds:
    linux:
      env: {B: 2, C: 2}
      binds: ["frr.conf:/etc/x"]
      cmd: sleep 1
  nodes:
    a:
    b:
      image: ghcr.io/srl-labs/network-multitool:v1
      env: {C: 3}
      binds: ["daemons:/etc/x:ro", "daemons:/etc/y"]
      exec: ['sh -c "echo $A | cat"']
      sysctls: {net.ipv4.ip_forward: 0}
  links:
    - endpoints: ["a:eth1", "b:eth1"]
`)
	got, err := clab.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(filepath.Dir(file), name) }
	want := &clab.Topology{Name: "t", File: file, Links: []clab.Link{{{Node: "a", Device: "eth1"}, {Node: "b", Device: "eth1"}}}, Nodes: []*clab.Node{
		{Name: "a", Image: "alpine:3", Binds: []clab.Bind{{Source: at("frr.conf"), Target: "/etc/x"}}, Exec: [][]string{{"ip", "link", "set", "lo", "up"}},
			Cmd: []string{"sleep", "1"}, Env: []string{"A=1", "B=2", "C=2"}, Sysctls: []string{"net.ipv4.ip_forward=1"}},
		{Name: "b", Image: "ghcr.io/srl-labs/network-multitool:v1",
			Binds: []clab.Bind{{Source: at("daemons"), Target: "/etc/x", ReadOnly: true}, {Source: at("daemons"), Target: "/etc/y"}},
			Exec:  [][]string{{"ip", "link", "set", "lo", "up"}, {"sh", "-c", "echo $A | cat"}},
			Cmd:   []string{"sleep", "1"}, Env: []string{"A=1", "B=2", "C=3"}, Sysctls: []string{"net.ipv4.ip_forward=0"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestRefused: each mistake is one error, with the place, the value and what is legal.
func TestRefused(t *testing.T) {
	const head = "name: t\ntopology:\n  nodes:\n    a: {kind: linux, image: alpine:3}\n    b:\n      kind: linux\n      image: alpine:3\n"
	for _, test := range []struct{ name, text, want string }{
		{"unknown key", "nam: t\n", `:1:1: nam: "nam": no such key here, did you mean name?; legal: mgmt, name, prefix, topology`},
		{"unknown key of a node", head + "      bind: [x:/etc/x]\n", `:8:7: topology.nodes.b.bind: "bind": no such key here, did you mean binds?; legal: binds, cmd, env, exec, image, kind, sysctls`},
		{"another kind", "name: t\ntopology:\n  nodes:\n    a:\n      kind: nokia_srlinux\n      image: alpine:3\n", `:5:13: topology.nodes.a.kind: "nokia_srlinux": cannot be used; legal: linux`},
		{"no kind", "name: t\ntopology:\n  nodes:\n    a:\n      image: alpine:3\n", `:4:5: topology.nodes.a.kind: "a": is missing, here and in the defaults; legal: linux`},
		{"no image", "name: t\ntopology:\n  nodes:\n    a: {kind: linux}\n", `:4:5: topology.nodes.a.image: "a": is missing, here, in the kind and in the defaults; legal: an image frr`},
		{"image without a tag", "name: t\ntopology:\n  nodes:\n    a: {kind: linux, image: alpine}\n", `topology.nodes.a.image: "alpine": cannot be used; legal: REGISTRY/NAME:TAG`},
		{"unknown image", "name: t\ntopology:\n  nodes:\n    a: {kind: linux, image: nginx:1}\n", `topology.nodes.a.image: "nginx:1": nothing here runs for this image; legal: an image frr, openvbr`},
		{"FRR without its files", "name: t\ntopology:\n  nodes:\n    a: {kind: linux, image: quay.io/frrouting/frr:8.4.2, binds: [\"frr.conf:/etc/frr/frr.conf\"]}\n",
			`:4:5: topology.nodes.a.binds: "a": quay.io/frrouting/frr:8.4.2 needs the file /etc/frr/daemons; legal: a bind of it, or of its folder`},
		{"bind of nothing", head + "      binds: [\"nothing:/etc/x\"]\n", `:8:15: topology.nodes.b.binds[0]: "nothing:/etc/x": the source is not there: no such file or directory; legal: a file or folder`},
		{"bind to nowhere", head + "      binds: [\"frr.conf:/usr/x\"]\n", `topology.nodes.b.binds[0]: "frr.conf:/usr/x": the target is not where a node has room; legal: a path below /etc/, /run/, /var/lib/`},
		{"bind out of its room", head + "      binds: [\"frr.conf:/etc/../usr/x\"]\n", `the target is not where a node has room`},
		{"bind without a target", head + "      binds: [frr.conf]\n", `topology.nodes.b.binds[0]: "frr.conf": cannot be used; legal: SOURCE:TARGET, SOURCE:TARGET:ro, SOURCE:TARGET:rw`},
		{"binds no list", head + "      binds: frr.conf\n", `:8:14: topology.nodes.b.binds: "frr.conf": of the wrong sort; legal: a list`},
		{"exec with an open quote", head + "      exec: [\"echo 'x\"]\n", `topology.nodes.b.exec[0]: "echo 'x": not a command; legal: words, quoted where they hold blanks`},
		{"empty exec", head + "      exec: []\n", `topology.nodes.b.exec: a list of 0: is empty; legal: at least one item, or no such key`},
		{"sysctl of the machine", head + "      sysctls: {kernel.panic: 1}\n", `:8:17: topology.nodes.b.sysctls.kernel.panic: "kernel.panic": cannot be used; legal: net.*`},
		{"env", head + "      env: {1A: x}\n", `topology.nodes.b.env.1A: "1A": cannot be used; legal: letters, digits and '_', the first no digit`},
		{"link to nobody", head + "  links:\n    - endpoints: [\"a:eth1\", \"c:eth1\"]\n", `:9:29: topology.links[0].endpoints[1]: "c:eth1": no such node; legal: a, b`},
		{"link to eth0", head + "  links:\n    - endpoints: [\"a:eth0\", \"b:eth1\"]\n", `:9:19: topology.links[0].endpoints[0]: "a:eth0": not a device that a link can have; legal: 1 to 15`},
		{"device twice", head + "  links:\n    - endpoints: [\"a:eth1\", \"b:eth1\"]\n    - endpoints: [\"a:eth1\", \"b:eth2\"]\n", `:10:19: topology.links[1].endpoints[0]: "a:eth1": another link has this device; legal: one link for each device`},
		{"device to itself", head + "  links:\n    - endpoints: [\"a:eth1\", \"a:eth1\"]\n", `topology.links[0].endpoints[1]: "a:eth1": another link has this device`},
		{"one end", head + "  links:\n    - endpoints: [\"a:eth1\"]\n", `topology.links[0].endpoints: a mapping of 1 keys: has 1 ends; legal: two: [NODE:DEVICE, NODE:DEVICE]`},
		{"end without a device", head + "  links:\n    - endpoints: [\"a\", \"b:eth1\"]\n", `topology.links[0].endpoints[0]: "a": cannot be used; legal: NODE:DEVICE`},
		{"no nodes", "name: t\n", `topology.nodes: a mapping of 1 keys: is missing; legal: at least one node`},
		{"no name", strings.TrimPrefix(head, "name: t\n"), `name: a mapping of 1 keys: is missing; legal: letters`},
		{"no YAML", "name: [\n", `:1:7: not YAML: `},
		{"two documents", head + "---\n" + head, `: 2 documents: not a file of this sort; legal: one document`},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := write(t, test.text)
			_, err := clab.Load(file)
			if err == nil || strings.Count(err.Error(), "\n") > 0 || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant ...%s", err, test.want)
			}
		})
	}
}

// TestAssertionsRefused is the same of assert.yml.
func TestAssertionsRefused(t *testing.T) {
	file := write(t, "name: t\ntopology:\n  nodes:\n    a: {kind: linux, image: alpine:3}\n")
	topology, err := clab.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, text, want string }{
		{"another node", "- {node: b, run: ls}\n", `:1:10: [0].node: "b": no such node; legal: one of`},
		{"nothing to run", "- {node: a}\n", `[0]: a mapping of 1 keys: node or run is missing; legal: both`},
		{"no pattern", "- {node: a, run: ls, expect: '('}\n", `[0].expect: "(": error parsing regexp`},
		{"too long", "- {node: a, run: ls, within: 1h}\n", `[0].within: "1h": not a limit; legal: a duration from 0s to 2m0s`},
		{"unknown key", "- {node: a, run: ls, expects: x}\n", `[0].expects: "expects": no such key here, did you mean expect?`},
		{"fails", "- {node: a, run: ls, fails: yes}\n", `[0].fails: "yes": cannot be used; legal: true, false`},
	} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), "assert.yml"), []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := clab.LoadAssertions(topology); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got  %v\nwant ...%s", test.name, err, test.want)
		}
	}
}
