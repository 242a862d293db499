package resource

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Problem is something wrong with a file, at a place.
type Problem struct {
	Place string // "acme.yaml:7:10"
	Text  string
}

func (p Problem) Error() string { return p.Place + ": " + p.Text }

// Problems are all that is wrong, in the order of the files.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Set is what the files hold.
type Set struct {
	Resources []*vbrv1.Resource
	places    map[string]string // "VirtualBorderRouter/vbr-acme" and "VirtualBorderRouter/vbr-acme.vlan_id": file:line:col
}

// Place returns where a field of a resource stands, or what is around it, given as vbrd names it
// ("VirtualBorderRouter/vbr-acme.bgp_peers[0].hold"); "" when the files do not have it.
func (s *Set) Place(field string) string {
	for field != "" {
		if p := s.places[field]; p != "" {
			return p
		}
		field = field[:max(0, strings.LastIndexAny(field, ".["))]
	}
	return ""
}

// Read reads files, the *.yaml and *.yml of folders in order of their names, and stdin for "-". The error is
// Problems when the files are at fault.
func Read(paths []string, stdin io.Reader) (*Set, error) {
	files, err := expand(paths)
	if err != nil {
		return nil, err
	}
	r := &reader{set: &Set{places: map[string]string{}}}
	for _, path := range files {
		text, err := content(path, stdin)
		if err != nil {
			return nil, err
		}
		if path == "-" {
			path = "stdin"
		}
		r.read(path, text)
	}
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return r.set, nil
}

func content(path string, stdin io.Reader) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(path)
}

// expand replaces folders by their YAML files.
func expand(paths []string) ([]string, error) {
	var out []string
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case path == "-":
		case err != nil:
			return nil, err
		case info.IsDir():
			inside, err := folder(path)
			if err != nil {
				return nil, err
			}
			out = append(out, inside...)
			continue
		}
		out = append(out, path)
	}
	return out, nil
}

func folder(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") && !strings.HasPrefix(e.Name(), ".") {
			out = append(out, filepath.Join(path, e.Name()))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no files *.yaml or *.yml in this folder", path)
	}
	return out, nil
}

// reader goes through the documents of all files.
type reader struct {
	set      *Set
	problems Problems
	file     string
	line     int // lines before the document
	document int // from 1; 0: the only one of its file
}

// read reads one file, a document at a time: what is wrong in one does not hide what is wrong in others.
func (r *reader) read(file string, text []byte) {
	r.file = file
	chunks := split(bytes.ReplaceAll(bytes.TrimPrefix(text, []byte("\ufeff")), []byte("\r\n"), []byte("\n")))
	for _, c := range chunks {
		r.line, r.document = c.line, c.number
		if len(chunks) == 1 {
			r.document = 0
		}
		if body := r.parse(c.text); body != nil {
			r.decode(body)
		}
	}
}

// parse returns the value of a document, nil when it is empty or no YAML.
func (r *reader) parse(text []byte) ast.Node {
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	var syntax yaml.Error
	switch {
	case errors.As(err, &syntax):
		r.fail(r.at(syntax.GetToken()), "", "not YAML: "+syntax.GetMessage())
		return nil
	case err != nil:
		r.fail(r.at(nil), "", "not YAML: "+err.Error())
		return nil
	}
	docs := slices.DeleteFunc(file.Docs, func(d *ast.DocumentNode) bool {
		return d.Body == nil || d.Body.Type() == ast.CommentType || d.Body.Type() == ast.NullType
	})
	if len(docs) == 0 {
		return nil
	}
	return docs[0].Body
}

func (r *reader) fail(place, label, text string) {
	if label != "" {
		text = label + ": " + text
	}
	if r.document > 0 {
		text = fmt.Sprintf("document %d: %s", r.document, text)
	}
	r.problems = append(r.problems, Problem{place, text})
}

// chunk is the text of one document, its number and the lines before it.
type chunk struct {
	text   []byte
	number int
	line   int
}

// split cuts a file at its "---" lines (YAML 1.2 section 9.1.2); what is empty is left out, but counted.
func split(text []byte) []chunk {
	var out []chunk
	number, first, line := 1, 0, 0
	var current []byte
	end := func() {
		if len(bytes.TrimSpace(current)) > 0 {
			out = append(out, chunk{current, number, first})
			number++
		}
		current, first = nil, line
	}
	for l := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(l, []byte("---")); ok && (len(rest) == 0 || bytes.ContainsAny(rest[:1], " \t\n")) {
			end()
			l = append([]byte("   "), rest...)
		}
		current = append(current, l...)
		line++
	}
	end()
	return out
}
