package source

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// maxColumn bounds where a list item or a complex key may stand, and so the nesting by indentation.
const maxColumn = 256

// admit looks through the tokens of a document before the recursive parser sees them: it refuses what would nest
// without bound and the parts of YAML that this package does without. The first offence of each sort is reported.
func (r *reader) admit(tokens token.Tokens) bool {
	g := gate{reader: r, seen: map[string]bool{}}
	for _, t := range tokens {
		g.token(t)
	}
	return len(g.seen) == 0
}

// gate is the state of admit: depth of brackets, and colons outside brackets on the current line.
type gate struct {
	*reader
	seen   map[string]bool
	depth  int
	line   int
	colons int
}

func (g *gate) refuse(t *token.Token, text, legal string) {
	if !g.seen[text] {
		g.seen[text] = true
		g.fail(g.pos(t), text, legal)
	}
}

func (g *gate) token(t *token.Token) {
	if t.Position.Line != g.line {
		g.line, g.colons = t.Position.Line, 0
	}
	switch t.Type {
	case token.AnchorType, token.AliasType, token.MergeKeyType:
		g.refuse(t, fmt.Sprintf("%q: anchors, aliases and merge keys are not accepted", t.Value), "the value itself")
	case token.TagType:
		g.refuse(t, fmt.Sprintf("%q: tags are not accepted", t.Value), "the value without a tag")
	case token.DirectiveType:
		g.refuse(t, "directives are not accepted", "documents without %YAML and %TAG")
	case token.MappingKeyType:
		g.refuse(t, "complex keys are not accepted", "key: value")
	case token.MappingStartType, token.SequenceStartType:
		g.depth++
	case token.MappingEndType, token.SequenceEndType:
		g.depth--
	case token.MappingValueType:
		if g.depth <= 0 {
			g.colons++
		}
	}
	g.bounds(t)
}

func (g *gate) bounds(t *token.Token) {
	structure := t.Type == token.SequenceEntryType || t.Type == token.MappingValueType && g.colons > 8
	if g.depth > MaxDepth || structure && (t.Position.Column > maxColumn || g.colons > 8) {
		g.refuse(t, "nested too deeply", fmt.Sprintf("at most %d levels", MaxDepth))
	}
}
