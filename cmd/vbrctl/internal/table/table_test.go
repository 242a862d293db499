package table

import (
	"fmt"
	"strings"
	"testing"
)

func TestAlignment(t *testing.T) {
	var b strings.Builder
	tab := New(&b, Palette{}, false, Column{Title: "Name"}, Column{Title: "N", Right: true}, Column{Title: "Hidden", Wide: true}, Column{Title: "Desc"})
	tab.Row("vbr-acme", 7, "x", "")
	tab.Row("é漢", 12345, "x", "two\nlines \x1b[31m")
	tab.Row("", "", "", "last")
	if err := tab.Flush(); err != nil {
		t.Fatal(err)
	}
	want := `
Name          N  Desc
vbr-acme      7
é漢       12345  two\nlines \x1b[31m
                 last
`
	if got := "\n" + b.String(); got != want {
		t.Errorf("got%swant%s", got, want)
	}
}

// A long table is written while it grows, with the widths of its beginning.
func TestLongTableStreams(t *testing.T) {
	var b strings.Builder
	tab := New(&b, Palette{}, true, Column{Title: "A"}, Column{Title: "B"})
	for i := range lookahead {
		tab.Row(i, "b")
	}
	tab.Row("later and longer", "b")
	if err := tab.Flush(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != lookahead+2 || lines[0] != "A    B" || lines[lookahead+1] != "later and longer  b" {
		t.Errorf("%d lines, first %q, last %q", len(lines), lines[0], lines[len(lines)-1])
	}
}

func TestEmptyTableIsSilent(t *testing.T) {
	var b strings.Builder
	if err := New(&b, Palette{}, true, Column{Title: "A"}).Flush(); err != nil || b.Len() > 0 {
		t.Errorf("%v, %q", err, b.String())
	}
}

func TestPaint(t *testing.T) {
	for _, tt := range []struct {
		p    Palette
		s    Style
		text string
		want string
	}{
		{Palette{}, Bad, "down", "down"},
		{Palette{Color: true}, Bad, "down", "\x1b[31mdown\x1b[0m"},
		{Palette{Color: true}, Plain, "down", "down"},
		{Palette{Color: true}, Good, "", ""},
		{Palette{Color: true}, Good, "a\x1b[2Jb\u202e", "\x1b[32ma\\x1b[2Jb\\u202e\x1b[0m"},
	} {
		if got := tt.p.Paint(tt.s, tt.text); got != tt.want {
			t.Errorf("%s: got %q, want %q", fmt.Sprint(tt.s, tt.text), got, tt.want)
		}
	}
}
