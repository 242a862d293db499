package clab

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// Topology is what a .clab.yml says, with what its nodes inherit filled in.
type Topology struct {
	Name  string
	File  string
	Nodes []*Node // in the order of the file
	Links []Link
}

// Link is a cable between two nodes.
type Link [2]End

// End is where a link is plugged in.
type End struct{ Node, Device string }

// Suffix is that of a topology's file.
const Suffix = ".clab.yml"

// Find returns the topology's file of a folder.
func Find(folder string) (string, error) {
	found, err := filepath.Glob(filepath.Join(folder, "*"+Suffix))
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%s: %d files *%s: legal: a folder with one", folder, len(found), Suffix)
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}

// Node returns the node of a name, or nil.
func (t *Topology) Node(name string) *Node {
	i := slices.IndexFunc(t.Nodes, func(n *Node) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return t.Nodes[i]
}

// The patterns of names are containerlab's, but for bars, which no namespace's name has.
var (
	labName  = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`)
	anything = regexp.MustCompile(`^`)
)

const legalName = "letters, digits, '.', '_' and '-', the first a letter or a digit"

// Load reads a topology. The error has every problem, each with file:line:column, the value and what is legal.
func Load(file string) (*Topology, error) {
	l := &loader{Topology: Topology{File: file}, dir: filepath.Dir(file), kinds: map[string]*definition{}, defaults: newDefinition()}
	root := l.document(file)
	if root == nil {
		return nil, l.problems.Err()
	}
	l.fields(root, "", map[string]take{
		"name":     l.text(&l.Name, labName, legalName),
		"prefix":   l.text(new(string), anything, "text"),
		"mgmt":     func(n *source.Node, path string) { l.is(n, source.Map, path) }, // there is none here
		"topology": l.topology,
	})
	if l.Name == "" && len(l.problems) == 0 {
		l.fail(root, "name", "is missing", legalName)
	}
	if len(l.defs) == 0 && len(l.problems) == 0 {
		l.fail(root, "topology.nodes", "is missing", "at least one node")
	}
	for _, n := range l.defs {
		l.resolve(n)
	}
	l.problems.Sort()
	return &l.Topology, l.problems.Err()
}

// loader is the state of Load.
type loader struct {
	decoder
	Topology
	dir      string
	defaults *definition
	kinds    map[string]*definition
	defs     []named
}

// named is a node as it is written.
type named struct {
	name string
	path string
	node *source.Node
	def  *definition
}

func (l *loader) topology(n *source.Node, path string) {
	var links []linkAt
	l.fields(n, path, map[string]take{
		"defaults": func(n *source.Node, path string) { l.defaults = l.define(n, path) },
		"kinds": func(n *source.Node, path string) {
			for _, e := range l.entries(n, path) {
				l.kind(&source.Node{Pos: e.KeyPos, Kind: source.Scalar, Text: e.Key}, join(path, e.Key))
				l.kinds[e.Key] = l.define(e.Value, join(path, e.Key))
			}
		},
		"nodes": l.nodes,
		"links": l.each(func(n *source.Node, path string) { links = append(links, linkAt{n, path}) }),
	})
	for _, link := range links { // after the nodes, wherever they stand
		l.link(link)
	}
}

func (l *loader) entries(n *source.Node, path string) []source.Entry {
	if !l.is(n, source.Map, path) {
		return nil
	}
	return n.Entries
}

func (l *loader) nodes(n *source.Node, path string) {
	for _, e := range l.entries(n, path) {
		at := join(path, e.Key)
		if !labName.MatchString(e.Key) {
			l.problems.Add(source.Problem{Pos: e.KeyPos, Path: at, Value: source.Quote(e.Key), Text: "cannot be used as a node's name", Legal: legalName})
		}
		l.defs = append(l.defs, named{e.Key, at, &source.Node{Pos: e.KeyPos, Kind: source.Scalar, Text: e.Key}, l.define(e.Value, at)})
	}
}

type linkAt struct {
	node *source.Node
	path string
}

func (l *loader) link(at linkAt) {
	var ends []End
	l.fields(at.node, at.path, map[string]take{"endpoints": l.each(func(n *source.Node, path string) { ends = append(ends, l.end(n, path, ends)) })})
	if len(ends) != 2 {
		l.fail(at.node, join(at.path, "endpoints"), fmt.Sprintf("has %d ends", len(ends)), "two: [NODE:DEVICE, NODE:DEVICE]")
		return
	}
	l.Links = append(l.Links, Link(ends))
}

// device is what the kernel allows, less what has no use.
var device = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,14}$`)

// end reads NODE:DEVICE. eth0 is the management network's, for which containerlab refuses it.
func (l *loader) end(n *source.Node, path string, others []End) End {
	var text string
	l.text(&text, regexp.MustCompile(`^\S+:\S+$`), "NODE:DEVICE")(n, path)
	node, dev, _ := strings.Cut(text, ":")
	e := End{node, dev}
	known := slices.ContainsFunc(l.defs, func(d named) bool { return d.name == node })
	switch {
	case text == "":
	case !known:
		l.fail(n, path, "no such node", l.nodeNames())
	case dev == "eth0" || dev == "lo" || !device.MatchString(dev):
		l.fail(n, path, "not a device that a link can have", "1 to 15 letters, digits, '.', '_' and '-', other than eth0 (containerlab's management network) and lo")
	case slices.Contains(others, e) || slices.ContainsFunc(l.Links, func(k Link) bool { return k[0] == e || k[1] == e }):
		l.fail(n, path, "another link has this device", "one link for each device")
	}
	return e
}

func (l *loader) nodeNames() string {
	var names []string
	for _, d := range l.defs {
		names = append(names, d.name)
	}
	return strings.Join(names, ", ")
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.SortedFunc(maps.Keys(m), cmp.Compare[string])
}
