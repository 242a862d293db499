package clab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

// Running is a topology as it runs in a lab.
type Running struct {
	*Topology
	lab *lab.Lab
	ns  map[string]*lab.NS
	bin string // folder with vbrd and vbrctl
	dir string // entrypoint.sh's
}

// Play builds a topology in a lab and returns when all commands of exec are through: nodes, then links, then exec, as containerlab does it. FRR
// takes seconds to start in a container, and finds the links there; here it is started after them. (A zebra that is there first takes a link up
// whose other end is not, believes the link to have a carrier until the kernel has looked, and never again tries the routes that were refused.)
// vbrd and vbrctl are those of the folder bin, and entrypoint.sh is the one beside the topology's folder. What fails ends the lab.
func Play(l *lab.Lab, t *Topology, bin string) *Running {
	l.Helper()
	r := &Running{Topology: t, lab: l, ns: map[string]*lab.NS{}, bin: absolute(l, bin), dir: absolute(l, filepath.Dir(filepath.Dir(t.File)))}
	for _, n := range t.Nodes {
		r.ns[n.Name] = l.Namespace(n.Name)
		r.ns[n.Name].Sysctl(n.Sysctls...)
		if n.Program != FRR {
			r.start(n)
		}
	}
	for _, k := range t.Links {
		l.Veth(r.ns[k[0].Node], k[0].Device, r.ns[k[1].Node], k[1].Device)
	}
	for _, n := range t.Nodes {
		if n.Program == FRR {
			r.start(n)
		}
	}
	for _, n := range t.Nodes {
		for _, words := range n.Exec {
			if _, err := r.Run(n.Name, words...); err != nil {
				l.Fatalf("%s: exec: %v", t.File, err)
			}
		}
	}
	return r
}

func absolute(l *lab.Lab, path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		l.Fatalf("%v", err)
	}
	return abs
}

// start starts a node's program.
func (r *Running) start(n *Node) {
	ns := r.ns[n.Name]
	if n.Program == FRR {
		r.startFRR(n)
	}
	v := &view{base: filepath.Join(r.lab.Dir, "view-"+n.Name), node: n, bin: r.bin, dir: r.dir}
	if err := os.MkdirAll(v.base, 0o755); err != nil {
		r.lab.Fatalf("%v", err)
	}
	ns.Mounts(v.make)
	switch {
	case n.Program == Vbrd:
		ns.StartEnv(n.Env, append([]string{entrypoint}, n.Cmd...)...)
	case len(n.Cmd) > 0 && n.Program == Tools:
		ns.StartEnv(n.Env, n.Cmd...)
	}
}

// The files that FRR's image reads.
const (
	daemonsFile = "/etc/frr/daemons"
	frrFile     = "/etc/frr/frr.conf"
)

// startFRR starts the daemons that the daemons file says yes to. They are not in the node's view, and their sockets are in the lab's: the view
// has both where vtysh looks for them.
func (r *Running) startFRR(n *Node) {
	text, err := os.ReadFile(n.Bound(daemonsFile))
	if err != nil {
		r.lab.Fatalf("%v", err)
	}
	conf, err := os.ReadFile(n.Bound(frrFile))
	if err != nil {
		r.lab.Fatalf("%v", err)
	}
	r.ns[n.Name].FRR(string(conf), daemons(string(text))...)
}

// daemons are those of a daemons file besides zebra, which always runs.
func daemons(text string) (yes []string) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if value == "yes" && strings.HasSuffix(name, "d") && !strings.HasPrefix(name, "#") {
			yes = append(yes, name)
		}
	}
	return yes
}

// Run runs a command in a node, as `docker exec` would, and returns its output.
func (r *Running) Run(node string, words ...string) (string, error) {
	ns, n := r.ns[node], r.Node(node)
	if ns == nil {
		return "", fmt.Errorf("%s: no such node", node)
	}
	if len(n.Env) > 0 {
		words = append(append([]string{"env"}, n.Env...), words...)
	}
	return ns.Run(words...)
}

// Check is nil when an assertion holds, within its limit; it returns how long that took.
func (r *Running) Check(a *Assertion) (time.Duration, error) {
	took, err := lab.Within(a.Within, func() error {
		out, err := r.Run(a.Node, a.Run...)
		return a.judge(out, err)
	})
	if err != nil {
		return took, fmt.Errorf("%v: %s: %s: after %v: %w", a.Pos, a.Node, strings.Join(a.Run, " "), took, err)
	}
	return took, nil
}

// Enter is how a command begins that another process runs in a node.
func (r *Running) Enter(node string) []string {
	words := r.ns[node].Enter()
	if env := r.Node(node).Env; len(env) > 0 {
		words = append(append(words, "env"), env...)
	}
	return words
}
