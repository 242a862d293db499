package policy

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// Limits of AS path patterns: a peer's every route is asked them.
const (
	MaxPattern     = 256    // characters of one
	MaxPatternSize = 2000   // of one with its repeats written out
	MaxPathSize    = 20_000 // of all of a policy, so counted
)

// pathCharacters are those of a pattern. A backslash is none: there is nothing to escape in an AS path.
const pathCharacters = "0123456789_^$.*+?|()[]{},- "

// ParsePath compiles a regular expression over an AS path as text, "65001 65010 {65020,65021}". As in FRR, '_' matches the begin, the
// end and what stands between numbers: "_65010_" is AS 65010 anywhere, "^65001_" a path that begins with AS 65001, "^$" an empty one.
// The syntax is RE2, whose time is linear in the path.
func ParsePath(text string) (*regexp.Regexp, error) {
	if text == "" || len(text) > MaxPattern {
		return nil, fmt.Errorf("legal: 1..%d characters", MaxPattern)
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune(pathCharacters, r) }); i >= 0 {
		return nil, fmt.Errorf("character at %d; legal: digits, blanks and _ ^ $ . * + ? | ( ) [ ] { } , -", i+1)
	}
	var b strings.Builder
	class := false
	for _, c := range text {
		switch {
		case c == '_' && class:
			return nil, fmt.Errorf("_ inside of brackets")
		case c == '_':
			b.WriteString(`(?:^|$|[ ,{}()\[\]])`)
			continue
		case c == '[' || c == ']':
			class = c == '['
		}
		b.WriteRune(c)
	}
	tree, err := syntax.Parse(b.String(), syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("not a regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if n := size(tree); n > MaxPatternSize {
		return nil, fmt.Errorf("%d characters with its repeats written out, and at most %d are legal", n, MaxPatternSize)
	}
	return regexp.Compile(b.String())
}

// PathSize is the size of a pattern that [ParsePath] takes, with its repeats written out.
func PathSize(re *regexp.Regexp) int {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil { // it is compiled
		panic(err)
	}
	return size(tree)
}

// size is about how many characters, classes and operators a pattern has with its repeats written out: what it costs to keep, and to ask at each character.
func size(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpRepeat:
		return min(size(re.Sub[0])*max(1, re.Min, re.Max), 1<<30)
	}
	n := 1
	for _, sub := range re.Sub {
		n += size(sub)
	}
	return n
}
