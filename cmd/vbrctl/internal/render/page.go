// Package render writes what vbrd says as text for people: tables, plans, explanations. It asks nothing and decides
// nothing.
package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	"github.com/openvbr/openvbr/internal/words"
)

// Page is what is written on and how.
type Page struct {
	Out     io.Writer
	Palette table.Palette
	Wide    bool
	Now     time.Time // its location is that of all times shown
}

func (p *Page) line(format string, args ...any) { fmt.Fprintf(p.Out, format+"\n", args...) }

func (p *Page) good(text string) string { return p.Palette.Paint(table.Good, text) }
func (p *Page) warn(text string) string { return p.Palette.Paint(table.Warn, text) }
func (p *Page) bad(text string) string  { return p.Palette.Paint(table.Bad, text) }
func (p *Page) bold(text string) string { return p.Palette.Paint(table.Bold, text) }
func (p *Page) dim(text string) string  { return p.Palette.Paint(table.Dim, text) }

func (p *Page) table(columns ...table.Column) *table.Table {
	return table.New(p.Out, p.Palette, p.Wide, columns...)
}

func left(title string) table.Column  { return table.Column{Title: title} }
func right(title string) table.Column { return table.Column{Title: title, Right: true} }

// inWide makes a column one of wide tables only.
func inWide(c table.Column) table.Column {
	c.Wide = true
	return c
}

// age renders how long ago t is; "-" when it is not known.
func (p *Page) age(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return words.Age(p.Now.Sub(t.AsTime()))
}

// clock renders a time of day, with the date unless it is today's.
func (p *Page) clock(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	local := t.AsTime().In(p.Now.Location())
	if local.Format(time.DateOnly) == p.Now.Format(time.DateOnly) {
		return local.Format(time.TimeOnly)
	}
	return local.Format(time.DateTime)
}

// Count renders a number with its noun: "1 route", "2 routes". The plural is the singular with s.
func Count[N int | uint32 | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// tones are the colours of what words mean.
var tones = map[words.Tone]table.Style{words.Good: table.Good, words.Warn: table.Warn, words.Bad: table.Bad}

// cell shows a word in its colour, and "-" for none.
func cell(m words.Mark) table.Cell { return table.Cell{Text: orDash(m.Text), Style: tones[m.Tone]} }

// orDash stands in for what is empty.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// where joins a router, what of it is meant, and what is said about it; the parts may be empty, and the second the same as the first.
func where(router, subject, text string) string {
	if subject != router {
		router = strings.TrimSpace(router + " " + subject)
	}
	return strings.Join(nonEmpty(router, text), ": ")
}
