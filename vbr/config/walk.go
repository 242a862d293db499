package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// group turns a mapping of the file into what viper merges, keeping texts as written; every key that is not known
// and every value of the wrong shape is a problem.
func (l *loader) group(n *source.Node, prefix string) map[string]any {
	out := map[string]any{}
	all := keys()
	if n.Kind != source.Map {
		l.wrongShape(n, dotted(prefix), "not a mapping", strings.Join(children(all, prefix), ", "))
		return out
	}
	l.places[dotted(prefix)] = spot{pos: n.Pos}
	for _, e := range n.Entries {
		path := e.Key
		if prefix != "" {
			path = prefix + delimiter + e.Key
		}
		k, known := find(all, path)
		switch {
		case strings.Contains(e.Key, delimiter) || !known && len(children(all, path)) == 0:
			l.problems.Add(unknown(e.KeyPos, strings.TrimPrefix(dotted(prefix)+"."+printable(e.Key), "."), "key", e.Key, children(all, prefix)))
		case !known && e.Value.Kind == source.Null, known && e.Value.Kind == source.Null:
			l.problems.Add(source.Problem{Pos: e.KeyPos, Path: dotted(path), Text: "has no value; leave the key out or give it one", Legal: k.legal})
		case !known:
			out[e.Key] = l.group(e.Value, path)
		default:
			out[e.Key] = l.value(e.Value, dotted(path), k)
		}
	}
	return out
}

// printable keeps a key that is no word from spoiling the line.
func printable(s string) string {
	if q := strconv.Quote(s); len(s) > 63 || q != `"`+s+`"` {
		return source.Quote(s)
	}
	return s
}

func (l *loader) wrongShape(n *source.Node, path, text, legal string) {
	value := n.Describe()
	if secret(path) {
		value = ""
	}
	l.problems.Add(source.Problem{Pos: n.Pos, Path: path, Value: value, Text: text, Legal: legal})
}

func (l *loader) value(n *source.Node, path string, k key) any {
	l.places[path] = spot{n.Pos, n.Text}
	switch {
	case k.shape == scalar:
		return l.text(n, path, k.legal)
	case n.Kind != source.List:
		l.wrongShape(n, path, "not a list", k.legal)
		l.places[path] = spot{pos: source.Pos{File: wrong}}
		return nil
	case k.shape == list:
		out := []string{}
		for i, it := range n.Items {
			out = append(out, l.text(it, fmt.Sprintf("%s[%d]", path, i), k.legal))
		}
		return out
	}
	out := []map[string]any{}
	for i, it := range n.Items {
		out = append(out, l.element(it, fmt.Sprintf("%s[%d]", path, i), k.of))
	}
	return out
}

// text takes a scalar; what is none becomes "", with a problem.
func (l *loader) text(n *source.Node, path, legal string) string {
	l.places[path] = spot{n.Pos, n.Text}
	if n.Kind != source.Scalar {
		l.wrongShape(n, path, "not a single value", legal)
		l.places[path] = spot{pos: source.Pos{File: wrong}}
	}
	return n.Text
}

// wrong marks a place whose value has a problem already.
const wrong = "\x00"

// element takes an element of a list of mappings.
func (l *loader) element(n *source.Node, path string, all []key) map[string]any {
	l.places[path] = spot{pos: n.Pos}
	out := map[string]any{}
	if n.Kind != source.Map {
		l.wrongShape(n, path, "not a mapping", strings.Join(children(all, ""), ", "))
		l.places[path] = spot{pos: source.Pos{File: wrong}}
		return out
	}
	for _, e := range n.Entries {
		k, known := find(all, e.Key)
		switch {
		case !known:
			l.problems.Add(unknown(e.KeyPos, path+"."+printable(e.Key), "key", e.Key, children(all, "")))
		case e.Value.Kind == source.Null:
			l.problems.Add(source.Problem{Pos: e.KeyPos, Path: path + "." + e.Key, Text: "has no value; leave the key out or give it one", Legal: k.legal})
			l.places[path+"."+e.Key] = spot{pos: source.Pos{File: wrong}}
		default:
			out[e.Key] = l.value(e.Value, path+"."+e.Key, k)
		}
	}
	return out
}
