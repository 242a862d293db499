package resource

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/openvbr/openvbr/internal/nearest"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// decoder turns a document into the JSON that protojson reads, by the schema of its kind.
type decoder struct {
	*reader
	label string // "VirtualBorderRouter/vbr-acme"
}

// decode adds the resource of a document to the set, or what is wrong with it to the problems.
func (r *reader) decode(body ast.Node) {
	before := len(r.problems)
	entries, ok := mapping(body)
	if !ok {
		r.fail(r.at(start(body)), "", "not a resource; legal: keys and values, with kind: "+strings.Join(names(), ", "))
		return
	}
	k := r.kind(body, entries)
	if k == nil {
		return
	}
	d := decoder{r, k.name}
	if name := value(entries, "name"); name != nil {
		text, _ := scalar(name)
		d.label += "/" + text
	}
	msg := k.empty.ProtoReflect().New().Interface()
	tree := d.message(body, msg.ProtoReflect().Descriptor(), d.label)
	if len(r.problems) > before {
		return
	}
	place := r.at(start(body))
	if first := r.set.places[d.label]; first != "" && strings.Contains(d.label, "/") {
		r.fail(place, d.label, "given twice, first at "+first)
		return
	}
	text, err := json.Marshal(tree)
	if err == nil {
		err = protojson.Unmarshal(text, msg)
	}
	if err != nil {
		r.fail(place, d.label, err.Error())
		return
	}
	r.set.places[d.label] = place
	r.set.Resources = append(r.set.Resources, vbrv1.Wrap(msg))
}

// kind finds the kind of a document.
func (r *reader) kind(body ast.Node, entries []*ast.MappingValueNode) *kind {
	node := value(entries, "kind")
	if node == nil {
		r.fail(r.at(start(body)), "kind", "missing; legal: "+strings.Join(names(), ", "))
		return nil
	}
	text, _ := scalar(node)
	if k := find(func(k kind) bool { return k.name == text }); k != nil {
		return k
	}
	r.fail(r.at(start(node)), "kind", fmt.Sprintf("%q is no kind%s; legal: %s", text, meant(text, names()), strings.Join(names(), ", ")))
	return nil
}

func meant(word string, candidates []string) string {
	if n := nearest.Of(word, candidates); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return ""
}

// message converts a mapping. path begins with the label.
func (d decoder) message(n ast.Node, md protoreflect.MessageDescriptor, path string) map[string]any {
	entries, ok := mapping(n)
	if !ok {
		d.fail(d.at(start(n)), path, "not a mapping; legal: "+strings.Join(fieldNames(md), ", "))
		return nil
	}
	out := map[string]any{}
	for _, e := range entries {
		key, _ := scalar(e.Key)
		if path == d.label && key == "kind" {
			continue
		}
		fd := md.Fields().ByTextName(key)
		if fd == nil {
			fd = md.Fields().ByJSONName(key)
		}
		place := d.at(e.Key.GetToken())
		if fd == nil {
			d.fail(place, path+"."+key, "unknown key"+meant(key, fieldNames(md)))
			continue
		}
		name := string(fd.Name())
		if _, twice := out[name]; twice {
			d.fail(place, path+"."+key, "given twice")
		}
		out[name] = d.field(e.Value, place, fd, path+"."+name)
	}
	return out
}

// field converts the value of a field; place is that of its key.
func (d decoder) field(n ast.Node, place string, fd protoreflect.FieldDescriptor, path string) any {
	if n == nil || n.Type() == ast.NullType {
		d.fail(place, path, "has no value; leave the key out or give it one")
		return nil
	}
	if !fd.IsList() {
		return d.single(n, fd, path)
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fail(d.at(start(n)), path, "not a list")
		return nil
	}
	d.set.places[path] = place
	items := []any{}
	for i, item := range list.Values {
		items = append(items, d.single(item, fd, fmt.Sprintf("%s[%d]", path, i)))
	}
	return items
}

func (d decoder) single(n ast.Node, fd protoreflect.FieldDescriptor, path string) any {
	place := d.at(start(n))
	d.set.places[path] = place
	if fd.Kind() == protoreflect.MessageKind {
		return d.message(n, fd.Message(), path)
	}
	text, ok := scalar(n)
	if !ok {
		d.fail(place, path, "not a single value")
		return nil
	}
	if fd.Kind() == protoreflect.StringKind {
		return text
	}
	if fd.Kind() == protoreflect.BoolKind {
		if text != "true" && text != "false" {
			d.fail(place, path, fmt.Sprintf("%q is neither true nor false", text))
			return nil
		}
		return text == "true"
	}
	number, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		d.fail(place, path, fmt.Sprintf("%q is not a whole number from 0 to 4294967295", text))
		return nil
	}
	return number
}

// mapping returns the entries of a mapping.
func mapping(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// start returns the token a value begins with.
func start(n ast.Node) *token.Token {
	if entries, ok := mapping(n); ok && len(entries) > 0 {
		return entries[0].Key.GetToken()
	}
	return n.GetToken()
}

// value returns the value of a key, nil when there is none.
func value(entries []*ast.MappingValueNode, key string) ast.Node {
	for _, e := range entries {
		if k, _ := scalar(e.Key); k == key {
			return e.Value
		}
	}
	return nil
}

// scalar returns a value's text as it was written.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode, *ast.NullNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// at renders a token's place.
func (r *reader) at(t *token.Token) string {
	if t == nil || t.Position == nil {
		return fmt.Sprintf("%s:%d", r.file, r.line+1)
	}
	return fmt.Sprintf("%s:%d:%d", r.file, r.line+t.Position.Line, t.Position.Column)
}

// fieldNames lists the keys of a message in the order of the schema.
func fieldNames(md protoreflect.MessageDescriptor) []string {
	out := make([]string, md.Fields().Len())
	for i := range out {
		out[i] = string(md.Fields().Get(i).Name())
	}
	return out
}
