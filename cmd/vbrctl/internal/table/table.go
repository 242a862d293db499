package table

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// lookahead is how many rows are held back to learn the columns' widths. Rows after that use what was learned.
const lookahead = 1000

// Column is the head of a column.
type Column struct {
	Title string
	Right bool // numbers
	Wide  bool // left out unless the table is wide
}

// Cell is a value with a style.
type Cell struct {
	Text  string
	Style Style
}

// Table writes rows. It is for one goroutine.
type Table struct {
	out     *bufio.Writer
	palette Palette
	columns []Column
	shown   []int // indexes of the columns that are written
	widths  []int
	held    [][]Cell
	begun   bool
}

// New returns a table that writes to w. Wide columns are left out unless wide.
func New(w io.Writer, p Palette, wide bool, columns ...Column) *Table {
	t := &Table{out: bufio.NewWriter(w), palette: p, columns: columns, widths: make([]int, len(columns))}
	for i, c := range columns {
		if wide || !c.Wide {
			t.shown = append(t.shown, i)
			t.widths[i] = runewidth.StringWidth(c.Title)
		}
	}
	return t
}

// Row adds a row: a Cell or anything that fmt prints for each column, left out ones too.
func (t *Table) Row(values ...any) {
	row := make([]Cell, len(t.columns))
	for i, v := range values[:len(t.columns)] {
		c, ok := v.(Cell)
		if !ok {
			c.Text = fmt.Sprint(v)
		}
		c.Text = Clean(c.Text)
		row[i] = c
	}
	if t.begun {
		t.write(row)
		return
	}
	for _, i := range t.shown {
		t.widths[i] = max(t.widths[i], runewidth.StringWidth(row[i].Text))
	}
	if t.held = append(t.held, row); len(t.held) >= lookahead {
		t.begin()
	}
}

// Flush writes what is held back. A table without rows writes nothing, not even heads.
func (t *Table) Flush() error {
	if len(t.held) > 0 {
		t.begin()
	}
	return t.out.Flush()
}

func (t *Table) begin() {
	if !t.begun {
		head := make([]Cell, len(t.columns))
		for i, c := range t.columns {
			head[i] = Cell{Text: c.Title, Style: Bold}
		}
		t.write(head)
	}
	t.begun = true
	for _, row := range t.held {
		t.write(row)
	}
	t.held = nil
}

func (t *Table) write(row []Cell) {
	var line strings.Builder
	gap := 0 // spaces owed, written only if something follows
	for n, i := range t.shown {
		c := row[i]
		fill := max(0, t.widths[i]-runewidth.StringWidth(c.Text))
		if n > 0 {
			gap += 2
		}
		if t.columns[i].Right {
			gap, fill = gap+fill, 0
		}
		if c.Text != "" {
			line.WriteString(strings.Repeat(" ", gap))
			line.WriteString(t.palette.Paint(c.Style, c.Text))
			gap = 0
		} else {
			fill = t.widths[i]
			if t.columns[i].Right {
				fill = 0
			}
		}
		gap += fill
	}
	_, _ = t.out.WriteString(line.String() + "\n") // Flush tells
}
