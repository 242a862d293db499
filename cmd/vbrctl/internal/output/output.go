package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Format is what -o says.
type Format string

// The formats. Table and Wide are for people.
const (
	Table Format = "table"
	Wide  Format = "wide"
	JSON  Format = "json"
	YAML  Format = "yaml"
)

// Formats lists all of them.
func Formats() []string { return []string{string(Table), string(Wide), string(JSON), string(YAML)} }

// ForPrograms tells whether the format is JSON or YAML.
func (f Format) ForPrograms() bool { return f == JSON || f == YAML }

// compact returns one message as a line of JSON.
func compact(m proto.Message) ([]byte, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Line writes one message as a line of JSON, or as a YAML document of a stream.
func Line(w io.Writer, f Format, m proto.Message) error {
	text, err := compact(m)
	if err != nil {
		return err
	}
	if f == YAML {
		if text, err = yaml.JSONToYAML(text); err != nil {
			return err
		}
		text = append([]byte("---\n"), bytes.TrimRight(text, "\n")...)
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

// Document writes one message as the whole output.
func Document(w io.Writer, f Format, m proto.Message) error {
	text, err := compact(m)
	if err != nil {
		return err
	}
	return whole(w, f, text)
}

func whole(w io.Writer, f Format, text []byte) error {
	var b bytes.Buffer
	if f == YAML {
		y, err := yaml.JSONToYAML(text)
		if err != nil {
			return err
		}
		b.Write(bytes.TrimRight(y, "\n"))
	} else if err := json.Indent(&b, text, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}

// List writes a document that is one list under a key, item by item, so that a long one need not be held.
type List struct {
	w      io.Writer
	format Format
	key    string
	count  int
}

// NewList returns a list that is empty so far. Nothing is written before the first item or Close.
func NewList(w io.Writer, f Format, key string) *List { return &List{w: w, format: f, key: key} }

// Add writes one item.
func (l *List) Add(m proto.Message) error {
	text, err := compact(m)
	if err != nil {
		return err
	}
	l.count++
	if l.format == YAML {
		return l.addYAML(text)
	}
	var b bytes.Buffer
	if l.count == 1 {
		fmt.Fprintf(&b, "{\n  %q: [", l.key)
	} else {
		b.WriteByte(',')
	}
	b.WriteString("\n    ")
	if err := json.Indent(&b, text, "    ", "  "); err != nil {
		return err
	}
	_, err = l.w.Write(b.Bytes())
	return err
}

func (l *List) addYAML(text []byte) error {
	y, err := yaml.JSONToYAML(text)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if l.count == 1 {
		fmt.Fprintf(&b, "%s:\n", l.key)
	}
	lead := "- "
	for line := range bytes.Lines(bytes.TrimRight(y, "\n")) {
		b.WriteString(lead)
		b.Write(line)
		lead = "  "
	}
	b.WriteByte('\n')
	_, err = l.w.Write(b.Bytes())
	return err
}

// Close ends the document.
func (l *List) Close() error {
	if l.count == 0 {
		return whole(l.w, l.format, fmt.Appendf(nil, `{%q:[]}`, l.key))
	}
	if l.format == YAML {
		return nil
	}
	_, err := io.WriteString(l.w, "\n  ]\n}\n")
	return err
}
