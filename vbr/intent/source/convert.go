package source

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// node converts a parsed value. It adds a problem for what the package does not accept.
func (r *reader) node(n ast.Node) *Node { return r.at(n, 1) }

func (r *reader) at(n ast.Node, depth int) *Node {
	if n == nil {
		return &Node{Pos: Pos{File: r.file, Line: r.line + 1}}
	}
	out := &Node{Pos: r.pos(n.GetToken())}
	if depth > MaxDepth {
		r.fail(out.Pos, "nested too deeply", fmt.Sprintf("at most %d levels", MaxDepth))
		return out
	}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.MappingNode:
		r.mapping(out, n.Values, depth)
	case *ast.MappingValueNode:
		r.mapping(out, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		out.Kind = List
		for _, item := range n.Values {
			out.Items = append(out.Items, r.at(item, depth+1))
		}
	default:
		r.scalar(out, n)
	}
	return out
}

func (r *reader) mapping(out *Node, values []*ast.MappingValueNode, depth int) {
	out.Kind = Map
	seen := map[string]Pos{}
	for i, v := range values {
		key := &Node{Pos: r.pos(v.Key.GetToken())}
		r.scalar(key, v.Key)
		if key.Kind != Scalar {
			continue
		}
		if i == 0 {
			out.Pos = key.Pos
		}
		if first, ok := seen[key.Text]; ok {
			r.problems.Add(Problem{Pos: key.Pos, Text: fmt.Sprintf("key %s is given twice, first at %s", Quote(key.Text), first)})
		}
		seen[key.Text] = key.Pos
		value := r.at(v.Value, depth+1)
		if value.Kind == Null {
			value.Pos = key.Pos
		}
		out.Entries = append(out.Entries, Entry{Key: key.Text, KeyPos: key.Pos, Value: value})
	}
}

// scalar fills in the text as it was written, without YAML's idea of its type.
func (r *reader) scalar(out *Node, n ast.Node) {
	switch n := n.(type) {
	case *ast.StringNode:
		out.Text = n.Value
	case *ast.LiteralNode:
		out.Text = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode, *ast.NullNode:
		out.Text = n.GetToken().Value
	default:
		r.fail(out.Pos, "not a value that can be used here", "text, a number, a list or a mapping")
		return
	}
	out.Kind = Scalar
}
