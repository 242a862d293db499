package clab

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/shlex"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// Node is a node with all that it inherits.
type Node struct {
	Name    string
	Image   string
	Program Program
	Binds   []Bind
	Exec    [][]string // commands, each by its words
	Cmd     []string
	Env     []string // NAME=VALUE
	Sysctls []string // NAME=VALUE
}

// Bind is a file or folder of the host's that the node sees.
type Bind struct {
	Source   string // on the host
	Target   string // in the node
	ReadOnly bool
}

// Bound returns the host's file that a node's file is, or "".
func (n *Node) Bound(file string) string {
	for _, b := range n.Binds {
		if b.Target == file {
			return b.Source
		}
		if rest, ok := strings.CutPrefix(file, b.Target+"/"); ok {
			return filepath.Join(b.Source, rest)
		}
	}
	return ""
}

// definition is what defaults, a kind or a node says.
type definition struct {
	kind, image, cmd string
	binds            []Bind
	exec             [][]string
	env, sysctls     map[string]string
}

func newDefinition() *definition {
	return &definition{env: map[string]string{}, sysctls: map[string]string{}}
}

// Program is what an image runs here.
type Program int

// The programs.
const (
	Tools Program = iota // nothing but cmd: a machine with ip and ping
	FRR                  // FRR's daemons, on /etc/frr/daemons and /etc/frr/frr.conf
	Vbrd                 // vbrd, on /etc/vbrd, by the entrypoint of examples/clab
)

// images are the programs by the last part of an image's name.
var images = map[string]Program{"frr": FRR, "openvbr": Vbrd, "network-multitool": Tools, "alpine": Tools}

const legalImage = "an image frr, openvbr, network-multitool or alpine, with its registry and a tag"

var image = regexp.MustCompile(`^([a-z0-9.:-]+/)*[a-z0-9-]+:[a-zA-Z0-9._-]+$`)

// program is that of an image: "quay.io/frrouting/frr:8.4.2".
func program(image string) (Program, bool) {
	name, _, _ := strings.Cut(path.Base(image), ":")
	p, ok := images[name]
	return p, ok
}

var (
	envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	sysctl  = regexp.MustCompile(`^net(\.[a-zA-Z0-9_/-]+)+$`) // docker takes those of namespaces only
)

// define reads a node, or what nodes inherit. Nothing written is fine: "node:".
func (l *loader) define(n *source.Node, at string) *definition {
	d := newDefinition()
	if n.Kind == source.Null {
		return d
	}
	l.fields(n, at, map[string]take{
		"kind": func(n *source.Node, path string) { d.kind = l.kind(n, path) },
		"image": func(n *source.Node, path string) {
			l.text(&d.image, image, "REGISTRY/NAME:TAG")(n, path)
			if _, ok := program(d.image); d.image != "" && !ok {
				l.fail(n, path, "nothing here runs for this image", legalImage)
			}
			d.image = n.Text // refused or not, it is not missing
		},
		"cmd":     l.text(&d.cmd, anything, "a command"),
		"binds":   l.each(func(n *source.Node, path string) { d.binds = append(d.binds, l.bind(n, path)) }),
		"exec":    l.each(func(n *source.Node, path string) { d.exec = append(d.exec, l.words(n, path)) }),
		"env":     l.pairs(d.env, envName, "letters, digits and '_', the first no digit"),
		"sysctls": l.pairs(d.sysctls, sysctl, "net.*: those of a network namespace"),
	})
	return d
}

// kind reads one, of which only linux is played. Refused or not, it is not missing.
func (l *loader) kind(n *source.Node, at string) string {
	l.text(new(string), regexp.MustCompile(`^linux$`), "linux")(n, at)
	return n.Text
}

// words splits a command as containerlab does: by quotes and blanks, with no shell.
func (d *decoder) words(n *source.Node, at string) []string {
	if !d.is(n, source.Scalar, at) {
		return nil
	}
	words, err := shlex.Split(n.Text)
	if err != nil || len(words) == 0 {
		d.fail(n, at, "not a command", "words, quoted where they hold blanks")
	}
	return words
}

// rooms are where a node has room of its own to bind to.
var rooms = []string{"/etc/", "/run/", "/var/lib/"}

// bind reads SOURCE:TARGET[:ro]; a relative source is beside the topology.
func (l *loader) bind(n *source.Node, at string) (b Bind) {
	var text string
	l.text(&text, regexp.MustCompile(`^[^:]+:[^:]+(:ro|:rw)?$`), "SOURCE:TARGET, SOURCE:TARGET:ro, SOURCE:TARGET:rw")(n, at)
	parts := strings.Split(text, ":")
	if len(parts) < 2 {
		return b
	}
	b = Bind{Source: parts[0], Target: path.Clean(parts[1]), ReadOnly: len(parts) == 3 && parts[2] == "ro"}
	if !filepath.IsAbs(b.Source) {
		b.Source = filepath.Join(l.dir, b.Source)
	}
	if _, err := os.Stat(b.Source); err != nil {
		l.fail(n, at, "the source is not there: "+source.Reason(err), "a file or folder, from "+l.dir)
	}
	if !slices.ContainsFunc(rooms, func(room string) bool { return strings.HasPrefix(b.Target, room) }) {
		l.fail(n, at, "the target is not where a node has room", "a path below "+strings.Join(rooms, ", "))
	}
	return b
}

// resolve makes a node of its definition and what it inherits.
func (l *loader) resolve(d named) {
	own, all := d.def, l.defaults
	kind := first(own.kind, all.kind)
	if kind == "" {
		l.fail(d.node, join(d.path, "kind"), "is missing, here and in the defaults", "linux")
	}
	levels := []*definition{all, own}
	if k := l.kinds[kind]; k != nil {
		levels = []*definition{all, k, own}
	}
	n := &Node{Name: d.name}
	env, sysctls := map[string]string{}, map[string]string{}
	var cmd string
	for _, level := range levels {
		n.Image, cmd = first(level.image, n.Image), first(level.cmd, cmd)
		n.Exec = append(n.Exec, level.exec...)
		for _, b := range level.binds {
			n.Binds = append(slices.DeleteFunc(n.Binds, func(o Bind) bool { return o.Target == b.Target }), b)
		}
		maps.Copy(env, level.env)
		maps.Copy(sysctls, level.sysctls)
	}
	n.Cmd, _ = shlex.Split(cmd)
	n.Env, n.Sysctls = assignments(env), assignments(sysctls)
	n.Program, _ = program(n.Image)
	l.Nodes = append(l.Nodes, n)
	l.complete(d, n)
}

// complete checks that a node has what its program needs.
func (l *loader) complete(d named, n *Node) {
	switch {
	case n.Image == "":
		l.fail(d.node, join(d.path, "image"), "is missing, here, in the kind and in the defaults", legalImage)
	case n.Program == FRR && len(n.Cmd) > 0:
		l.fail(d.node, join(d.path, "cmd"), "would run instead of FRR", "none for an image of FRR")
	}
	for _, file := range needs[n.Program] {
		bound := n.Bound(file)
		if _, err := os.Stat(bound); bound == "" || err != nil {
			l.fail(d.node, join(d.path, "binds"), n.Image+" needs the file "+file, "a bind of it, or of its folder")
		}
	}
}

// needs are the files that must be bound for a program.
var needs = map[Program][]string{FRR: {daemonsFile, frrFile}, Vbrd: {"/etc/vbrd/vbrd.yaml"}}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func assignments(m map[string]string) (all []string) {
	for _, k := range sortedKeys(m) {
		all = append(all, k+"="+m[k])
	}
	return all
}
