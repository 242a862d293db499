package source

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a file, or, for settings that come from elsewhere, just a name in File ("--log-level",
// "VBRD_LOG_LEVEL"). Line and Col count from 1; zero means unknown.
type Pos struct {
	File string
	Line int
	Col  int
}

// String renders file:line:col and leaves out what is unknown.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Compare orders places by file, line and column.
func (p Pos) Compare(o Pos) int {
	return cmp.Or(strings.Compare(p.File, o.File), cmp.Compare(p.Line, o.Line), cmp.Compare(p.Col, o.Col))
}

// Problem is one thing wrong. Every part but Text may be empty.
type Problem struct {
	Pos   Pos
	Path  string // "VirtualBorderRouter/vbr-acme.bgp_peers[0].hold"
	Value string // as written, rendered by Quote or as a plain number; never a secret
	Text  string // what is wrong: "out of range"
	Legal string // what would be right: "0..4094, 0 = untagged"
}

// Error renders the problem on one line: file:line:col: path: value: what is wrong; legal: what would be right.
func (p Problem) Error() string {
	var b strings.Builder
	for _, part := range []string{p.Pos.String(), p.Path, p.Value} {
		if part != "" {
			b.WriteString(part + ": ")
		}
	}
	b.WriteString(p.Text)
	if p.Legal != "" {
		b.WriteString("; legal: " + p.Legal)
	}
	return b.String()
}

// Problems is all that is wrong. The zero value is ready for use and means nothing is.
type Problems []Problem

// Add appends a problem.
func (ps *Problems) Add(p Problem) { *ps = append(*ps, p) }

// Sort orders by place, then by path and text, and drops exact repetitions.
func (ps *Problems) Sort() {
	slices.SortStableFunc(*ps, func(a, b Problem) int {
		return cmp.Or(a.Pos.Compare(b.Pos), strings.Compare(a.Path, b.Path), strings.Compare(a.Text, b.Text))
	})
	*ps = slices.Compact(*ps)
}

// Error renders one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns the problems as an error, or nil when there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// maxQuoted is the number of bytes of a value that an error shows.
const maxQuoted = 64

// Quote renders a text value for a Problem: in quotes, control characters escaped, long ones cut.
func Quote(s string) string {
	if len(s) <= maxQuoted {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q...", strings.ToValidUTF8(s[:maxQuoted], ""))
}
