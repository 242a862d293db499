package resource

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// YAML renders resources as documents that Read reads back. What the store knows about each is a comment.
func YAML(resources []*vbrv1.Resource) []byte {
	var b bytes.Buffer
	for _, r := range resources {
		msg, _ := vbrv1.Unwrap(r)
		if msg == nil {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("---\n")
		}
		if m := r.GetMetadata(); m != nil {
			fmt.Fprintf(&b, "# %s\n", table.Clean(about(m)))
		}
		m := msg.ProtoReflect()
		fmt.Fprintf(&b, "kind: %s\n", m.Descriptor().Name())
		writeMessage(&b, m, "")
	}
	return b.Bytes()
}

// about describes metadata.
func about(m *vbrv1.Metadata) string {
	if path, ok := strings.CutPrefix(m.GetSource(), "file:"); ok {
		return "from " + path + ", changed there only"
	}
	return fmt.Sprintf("generation %d, revision %d", m.GetGeneration(), m.GetRevision())
}

func writeMessage(b *bytes.Buffer, m protoreflect.Message, indent string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		switch {
		case !m.Has(fd):
		case fd.IsList():
			fmt.Fprintf(b, "%s%s:\n", indent, fd.Name())
			writeList(b, m.Get(fd).List(), indent)
		case fd.Message() != nil:
			fmt.Fprintf(b, "%s%s:\n", indent, fd.Name())
			writeMessage(b, m.Get(fd).Message(), indent+"  ")
		default:
			fmt.Fprintf(b, "%s%s: %s\n", indent, fd.Name(), scalarText(m.Get(fd)))
		}
	}
}

// scalarText renders a single value.
func scalarText(v protoreflect.Value) string {
	if s, ok := v.Interface().(string); ok {
		return quote(s)
	}
	return v.String()
}

// writeList writes single values or messages as items; "- " takes the place of the first key's indentation.
func writeList(b *bytes.Buffer, list protoreflect.List, indent string) {
	for i := range list.Len() {
		if _, message := list.Get(i).Interface().(protoreflect.Message); !message {
			fmt.Fprintf(b, "%s  - %s\n", indent, scalarText(list.Get(i)))
			continue
		}
		var item bytes.Buffer
		writeMessage(&item, list.Get(i).Message(), indent+"    ")
		if item.Len() == 0 {
			item.WriteString(indent + "    {}\n")
		}
		b.WriteString(indent + "  - ")
		b.Write(item.Bytes()[len(indent)+4:])
	}
}

// quote renders text so that any YAML reader takes it for the same text: words and addresses as they are, the rest in
// double quotes.
func quote(s string) string {
	const word = "abcdefghijklmnopqrstuvwxyz"
	switch {
	case s == "", !strings.ContainsAny(s[:1], word+"/"):
	case strings.Trim(s, word+strings.ToUpper(word)+"0123456789-_./") != "":
	case strings.Contains(" true false yes no on off null y n ", " "+s+" "):
	default:
		return s
	}
	return strconv.Quote(s)
}
