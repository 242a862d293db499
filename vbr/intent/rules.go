package intent

import (
	"errors"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

const legalMark = "; legal: "

// ruleText returns the two halves of a field's first rule: what is wrong, and what would be legal.
func ruleText(fd protoreflect.FieldDescriptor) (what, legal string) {
	rules, _ := proto.GetExtension(fd.Options(), validate.E_Field).(*validate.FieldRules)
	if len(rules.GetCel()) == 0 {
		return "not legal", ""
	}
	what, legal, _ = strings.Cut(rules.GetCel()[0].GetMessage(), legalMark)
	return what, legal
}

// applyRules runs the field rules of the .proto over a document and adds what they find, except about fields that
// have a problem already.
func applyRules(v protovalidate.Validator, d *Document, problems *Errors) {
	if d.ruled {
		return
	}
	err := v.Validate(d.Message)
	d.ruled = err == nil
	var verr *protovalidate.ValidationError
	switch {
	case err == nil:
		return
	case !errors.As(err, &verr): // a rule that does not compile: tests of the schema see it first
		problems.Add(source.Problem{Pos: d.Origin.Pos(), Path: labelOf(d.Message), Text: "cannot be checked: " + err.Error()})
		return
	}
	for _, violation := range verr.Violations {
		path := protovalidate.FieldPathString(violation.Proto.GetField())
		if !d.flawed(path) {
			d.flaw(path)
			problems.Add(violationProblem(d, path, violation))
		}
	}
}

func (d *Document) flaw(path string) {
	if d.flaws == nil {
		d.flaws = map[string]bool{}
	}
	d.flaws[path] = true
}

func violationProblem(d *Document, path string, v *protovalidate.Violation) source.Problem {
	p := source.Problem{Pos: d.Origin.At(path), Path: join(labelOf(d.Message), path)}
	what, legal, _ := strings.Cut(v.Proto.GetMessage(), legalMark)
	if v.Proto.GetRuleId() == "required" {
		what = "missing"
		if d.Origin.has(path) {
			what = "empty"
		}
		_, legal = ruleText(v.FieldDescriptor)
	} else if d.Origin != nil {
		p.Value = d.Origin.value(path)
	} else {
		p.Value = fieldValue(path, v)
	}
	p.Text, p.Legal = what, legal
	return p
}

// fieldValue renders the value of a message that came without text.
func fieldValue(path string, v *protovalidate.Violation) string {
	switch value := v.FieldValue.Interface().(type) {
	case string:
		if secret(path) && !strings.HasPrefix(value, "/") {
			return ""
		}
		return source.Quote(value)
	case uint32:
		return v.FieldValue.String()
	}
	return ""
}

// labelOf names a resource in problems: "VirtualBorderRouter/vbr-acme".
func labelOf(m proto.Message) string {
	r := m.ProtoReflect()
	kind := string(r.Descriptor().Name())
	name := r.Descriptor().Fields().ByName("name")
	if name == nil {
		return kind
	}
	return label(kind, r.Get(name).String())
}

// label leaves out a name that is not one, so that a problem's path stays readable; what follows a dot is a field.
func label(kind, name string) string {
	if name == "" || len(name) > 63 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' || r == '.' }) {
		return kind
	}
	return kind + "/" + name
}
