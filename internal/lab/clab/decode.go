package clab

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// decoder collects what is wrong with a file. Its methods go on after a problem, with a zero value.
type decoder struct {
	problems source.Problems
}

// document reads a file's only document; nil: it cannot be read, and why is a problem.
func (d *decoder) document(file string) *source.Node {
	docs, problems := source.ReadFile(file)
	d.problems = append(d.problems, problems...)
	switch {
	case len(problems) > 0:
		return nil
	case len(docs) != 1:
		d.problems.Add(source.Problem{Pos: source.Pos{File: file}, Value: fmt.Sprintf("%d documents", len(docs)), Text: "not a file of this sort", Legal: "one document"})
		return nil
	}
	return docs[0]
}

func (d *decoder) fail(n *source.Node, path, text, legal string) {
	d.problems.Add(source.Problem{Pos: n.Pos, Path: path, Value: n.Describe(), Text: text, Legal: legal})
}

// take is what is done with the value of a key.
type take func(n *source.Node, path string)

// fields hands each entry of a mapping to the taker of its key; a key that has none is refused.
func (d *decoder) fields(n *source.Node, path string, takers map[string]take) {
	if !d.is(n, source.Map, path) {
		return
	}
	for _, e := range n.Entries {
		at := join(path, e.Key)
		if f, ok := takers[e.Key]; ok {
			f(e.Value, at)
			continue
		}
		keys := sortedKeys(takers)
		text := "no such key here"
		if near := source.Suggest(e.Key, keys); near != "" {
			text += fmt.Sprintf(", did you mean %s?", near)
		}
		d.problems.Add(source.Problem{Pos: e.KeyPos, Path: at, Value: source.Quote(e.Key), Text: text, Legal: strings.Join(keys, ", ")})
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *decoder) is(n *source.Node, kind source.Kind, path string) bool {
	if n.Kind != kind {
		d.fail(n, path, "of the wrong sort", kind.String())
	}
	return n.Kind == kind
}

// text takes a single value that matches a pattern, which legal says in words.
func (d *decoder) text(to *string, pattern *regexp.Regexp, legal string) take {
	return func(n *source.Node, path string) {
		switch {
		case !d.is(n, source.Scalar, path):
		case !pattern.MatchString(n.Text):
			d.fail(n, path, "cannot be used", legal)
		default:
			*to = n.Text
		}
	}
}

// each takes a list, at least one item, item by item.
func (d *decoder) each(item take) take {
	return func(n *source.Node, path string) {
		if !d.is(n, source.List, path) {
			return
		}
		if len(n.Items) == 0 {
			d.fail(n, path, "is empty", "at least one item, or no such key")
		}
		for i, it := range n.Items {
			item(it, fmt.Sprintf("%s[%d]", path, i))
		}
	}
}

// pairs takes a mapping of single values whose keys match a pattern, into a map that is there.
func (d *decoder) pairs(to map[string]string, pattern *regexp.Regexp, legal string) take {
	return func(n *source.Node, path string) {
		if !d.is(n, source.Map, path) {
			return
		}
		for _, e := range n.Entries {
			at := join(path, e.Key)
			if !pattern.MatchString(e.Key) {
				d.problems.Add(source.Problem{Pos: e.KeyPos, Path: at, Value: source.Quote(e.Key), Text: "cannot be used", Legal: legal})
			} else if d.is(e.Value, source.Scalar, at) {
				to[e.Key] = e.Value.Text
			}
		}
	}
}
