package source

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// ReadFile is Parse on the content of a file. It reads no more than MaxFileSize.
func ReadFile(path string) ([]*Node, Problems) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, Problems{{Pos: Pos{File: path}, Text: "cannot be read: not a regular file"}}
	}
	if err == nil && info.Size() > MaxFileSize {
		return nil, Problems{tooLarge(path, info.Size())}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, Problems{{Pos: Pos{File: path}, Text: "cannot be read: " + Reason(err)}}
	}
	return Parse(path, text)
}

// Reason returns what the operating system said about a file, without its name.
func Reason(err error) string {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// Parse reads the documents of a YAML file. It returns a tree for every document that holds something and could be
// read, and at least one problem for each that could not. A key given twice is a problem too, but leaves the tree usable. file is used in positions only. Parse never panics.
func Parse(file string, text []byte) ([]*Node, Problems) {
	text, bad := clean(file, text)
	if bad != nil {
		return nil, Problems{*bad}
	}
	chunks := split(text)
	if len(chunks) > MaxDocuments {
		return nil, Problems{{Pos: Pos{File: file}, Value: fmt.Sprintf("%d documents", len(chunks)),
			Text: "too many documents in one file", Legal: fmt.Sprintf("at most %d", MaxDocuments)}}
	}
	var docs []*Node
	var problems Problems
	for _, c := range chunks {
		r := &reader{file: file, line: c.line, problems: &problems}
		if n := r.document(c.text); n != nil {
			docs = append(docs, n)
		}
	}
	return docs, problems
}

// reader turns one document into a tree.
type reader struct {
	file     string
	line     int // lines before the document
	problems *Problems
	failed   bool // the tree cannot be used
}

func (r *reader) fail(p Pos, text, legal string) {
	r.failed = true
	r.problems.Add(Problem{Pos: p, Text: text, Legal: legal})
}

func (r *reader) pos(t *token.Token) Pos {
	if t == nil || t.Position == nil {
		return Pos{File: r.file, Line: r.line + 1}
	}
	return Pos{File: r.file, Line: r.line + t.Position.Line, Col: t.Position.Column}
}

// document returns nil for a document that is empty or cannot be read; the latter adds a problem.
func (r *reader) document(text []byte) (doc *Node) {
	if len(text) > MaxDocumentSize {
		r.fail(Pos{File: r.file, Line: r.line + 1}, fmt.Sprintf("document of %d bytes is too large", len(text)),
			fmt.Sprintf("at most %d bytes (64 KiB); separate documents by ---", MaxDocumentSize))
		return nil
	}
	// The parser is somebody else's, and a panic in it must not end a daemon that reloads.
	defer func() {
		if p := recover(); p != nil {
			r.fail(Pos{File: r.file, Line: r.line + 1}, "not YAML that can be understood", "")
			doc = nil
		}
	}()
	tokens := lexer.Tokenize(string(text))
	if !r.admit(tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntax(err)
		return nil
	}
	return r.body(file)
}

// body converts the only document of a parsed chunk.
func (r *reader) body(file *ast.File) *Node {
	var found *Node
	for _, d := range file.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentType || d.Body.Type() == ast.NullType {
			continue
		}
		if found != nil {
			r.fail(r.pos(d.Body.GetToken()), "more than one value in a document", "separate documents by ---")
			return nil
		}
		found = r.node(d.Body)
	}
	if r.failed {
		return nil
	}
	return found
}

// syntax reports what the parser said, without the picture it draws below.
func (r *reader) syntax(err error) {
	var yerr yaml.Error
	if !errors.As(err, &yerr) {
		text, _, _ := strings.Cut(err.Error(), "\n")
		r.fail(Pos{File: r.file, Line: r.line + 1}, "not YAML: "+text, "")
		return
	}
	text, legal := strings.ReplaceAll(yerr.GetMessage(), "\t", `\t`), ""
	if strings.Contains(text, "mapping value is not allowed") {
		legal = `quotes around a value that ends in ":" or holds ": "`
	}
	r.fail(r.pos(yerr.GetToken()), "not YAML: "+text, legal)
}
