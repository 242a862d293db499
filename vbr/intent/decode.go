package intent

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent/source"
)

// kinds lists the messages that may stand in a document, by the name `kind:` gives them.
func kinds() map[string]proto.Message {
	out := map[string]proto.Message{}
	for _, k := range vbrv1.Kinds() {
		out[vbrv1.KindName(k)] = k.New()
	}
	return out
}

func kindNames() []string {
	return slices.Sorted(maps.Keys(kinds()))
}

// Document is one resource as written.
type Document struct {
	Message proto.Message // of one of the kinds
	Origin  *Origin       // nil when it did not come from a file
	// New tells that those whom the problems are for bring it: it may refer to nothing that they do not see, and of a pair without
	// VNI the other end must be known. What is not new may have lost the other end.
	New   bool
	flaws map[string]bool
	ruled bool // it keeps the field rules: once found, not looked at again
}

// flawed tells whether the field at path, or one around it, already has a problem.
func (d *Document) flawed(path string) bool {
	for ; path != ""; path = parent(path) {
		if d.flaws[path] {
			return true
		}
	}
	return false
}

// Parse reads the resources of one YAML text; file is used in positions only. It returns what could be read beside
// every problem of spelling and type. It does not apply field rules: Build does.
func Parse(file string, text []byte) ([]Document, Errors) {
	trees, problems := source.Parse(file, text)
	docs := decodeAll(trees, &problems)
	problems.Sort()
	return docs, problems
}

func decodeAll(trees []*source.Node, problems *Errors) []Document {
	var docs []Document
	for _, tree := range trees {
		if d := decodeDocument(tree, problems); d != nil {
			docs = append(docs, *d)
		}
	}
	return docs
}

// decoder turns the tree of one document into the JSON that protojson reads, with all problems at once.
type decoder struct {
	label    string
	problems *Errors
	doc      *Document
}

func decodeDocument(tree *source.Node, problems *Errors) *Document {
	msg, label := kindOf(tree, problems)
	if msg == nil {
		return nil
	}
	doc := &Document{Message: msg, Origin: &Origin{pos: tree.Pos, places: map[string]place{}}, flaws: map[string]bool{}}
	d := &decoder{label: label, problems: problems, doc: doc}
	text, err := json.Marshal(d.message(tree, msg.ProtoReflect().Descriptor(), ""))
	if err == nil {
		err = protojson.UnmarshalOptions{}.Unmarshal(text, msg)
	}
	if err != nil { // decoder and schema disagree: a bug here, but one the operator can step around
		d.fail(tree.Pos, "", "", "does not fit the schema: "+plainSpaces(err.Error()), "")
		return nil
	}
	return doc
}

// kindOf finds the message a document is about and the label its problems carry: "RouterInterface/ri-acme".
func kindOf(tree *source.Node, problems *Errors) (proto.Message, string) {
	if tree.Kind != source.Map {
		problems.Add(source.Problem{Pos: tree.Pos, Value: tree.Describe(), Text: "not a resource", Legal: "keys and values, with kind: first"})
		return nil, ""
	}
	kind := tree.Get("kind")
	if kind == nil {
		problems.Add(source.Problem{Pos: tree.Pos, Path: "kind", Text: "missing", Legal: strings.Join(kindNames(), ", ")})
		return nil, ""
	}
	msg, ok := kinds()[kind.Text]
	if !ok || kind.Kind != source.Scalar {
		text := "unknown kind"
		if s := source.Suggest(kind.Text, kindNames()); s != "" {
			text += fmt.Sprintf("; did you mean %q?", s)
		}
		problems.Add(source.Problem{Pos: kind.Pos, Path: "kind", Value: kind.Describe(), Text: text, Legal: strings.Join(kindNames(), ", ")})
		return nil, ""
	}
	if name := tree.Get("name"); name != nil {
		return msg, label(kind.Text, name.Text)
	}
	return msg, kind.Text
}

func (d *decoder) fail(pos source.Pos, path, value, text, legal string) {
	d.doc.flaws[path] = true
	d.problems.Add(source.Problem{Pos: pos, Path: join(d.label, path), Value: value, Text: text, Legal: legal})
}

// message walks a mapping. path is that of the message; the top has "".
func (d *decoder) message(n *source.Node, md protoreflect.MessageDescriptor, path string) map[string]any {
	out := map[string]any{}
	if n.Kind != source.Map {
		d.fail(n.Pos, path, n.Describe(), "not a mapping", strings.Join(fieldNames(md), ", "))
		return out
	}
	for _, e := range n.Entries {
		if path == "" && e.Key == "kind" {
			continue
		}
		fd := fieldOf(md, e.Key)
		if fd == nil {
			d.unknown(e, md, path)
			continue
		}
		name := string(fd.Name())
		if _, twice := out[name]; twice && e.Key != name {
			d.fail(e.KeyPos, join(path, e.Key), "", "the same field as "+name+", which is given too", "one of both")
		}
		out[name] = d.field(e.Value, fd, join(path, name))
	}
	return out
}

func (d *decoder) unknown(e source.Entry, md protoreflect.MessageDescriptor, path string) {
	text, legal := "unknown key", strings.Join(fieldNames(md), ", ")
	if s := source.Suggest(e.Key, fieldNames(md)); s != "" {
		text, legal = fmt.Sprintf("unknown key; did you mean %q?", s), ""
	}
	key := e.Key
	if strconv.Quote(key) != `"`+key+`"` || len(key) > 63 {
		key = source.Quote(key)
	}
	d.fail(e.KeyPos, join(path, key), "", text, legal)
}

// field converts the value of a field; nil leaves the field unset.
func (d *decoder) field(n *source.Node, fd protoreflect.FieldDescriptor, path string) any {
	d.doc.Origin.places[path] = placeOf(n)
	_, legal := ruleText(fd)
	if n.Kind == source.Null {
		d.fail(n.Pos, path, "", "has no value; leave the key out or give it one", legal)
		return nil
	}
	if !fd.IsList() {
		return d.single(n, fd, path)
	}
	if n.Kind != source.List {
		d.fail(n.Pos, path, n.Describe(), "not a list", legal)
		return nil
	}
	items := []any{}
	for i, it := range n.Items {
		d.doc.Origin.places[item(path, i)] = placeOf(it)
		items = append(items, d.single(it, fd, item(path, i)))
	}
	return items
}

func (d *decoder) single(n *source.Node, fd protoreflect.FieldDescriptor, path string) any {
	if fd.Kind() == protoreflect.MessageKind {
		return d.message(n, fd.Message(), path)
	}
	what, legal := ruleText(fd)
	if n.Kind != source.Scalar {
		d.fail(n.Pos, path, n.Describe(), "not a single value", legal)
		return nil
	}
	switch fd.Kind() {
	case protoreflect.Uint32Kind:
		return d.number(n, what, legal, path)
	case protoreflect.BoolKind:
		return d.truth(n, path)
	}
	return n.Text
}

// truth reads true or false.
func (d *decoder) truth(n *source.Node, path string) any {
	switch n.Text {
	case "true", "false":
		return n.Text == "true"
	}
	d.fail(n.Pos, path, d.doc.Origin.value(path), "not a truth value", "true, false")
	return nil
}

// number reads a whole number.
func (d *decoder) number(n *source.Node, what, legal, path string) any {
	v, err := strconv.ParseUint(n.Text, 10, 32)
	if err != nil {
		if !isWhole(n.Text) {
			what = "not a whole number"
		}
		d.fail(n.Pos, path, d.doc.Origin.value(path), what, legal)
		return nil
	}
	return v
}

// isWhole tells whether s looks like a whole number of any size.
func isWhole(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return digits != "" && len(digits) <= 40 && strings.Trim(digits, "0123456789") == ""
}

func placeOf(n *source.Node) place {
	return place{pos: n.Pos, text: n.Text, plain: n.Kind != source.Scalar || isWhole(n.Text)}
}

// fieldOf finds a field by either of protojson's spellings.
func fieldOf(md protoreflect.MessageDescriptor, key string) protoreflect.FieldDescriptor {
	if fd := md.Fields().ByTextName(key); fd != nil {
		return fd
	}
	return md.Fields().ByJSONName(key)
}

// fieldNames lists the keys of a message in the order of the schema.
func fieldNames(md protoreflect.MessageDescriptor) []string {
	var names []string
	for i := range md.Fields().Len() {
		names = append(names, string(md.Fields().Get(i).Name()))
	}
	return slices.Clip(names)
}

// plainSpaces undoes protojson's habit of sprinkling non-breaking spaces over its messages.
func plainSpaces(s string) string { return strings.ReplaceAll(s, "\u00a0", " ") }
