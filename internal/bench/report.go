package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// row is one metric at one size, medians by daemon.
type row struct {
	metric metric
	n      int
	cells  []string
}

// baseline is the daemon the others are held against.
const baseline = "vbrd"

// rows are a metric's, a line for each size: each daemon's median with the range of its runs, and then vbrd's ratio to each other.
func (r *Result) rows(m metric) (head []string, rows []row) {
	head = append(head, "routes")
	head = append(head, r.Daemons...)
	for _, d := range r.others() {
		head = append(head, baseline+" / "+d)
	}
	for _, n := range r.Sizes {
		line := row{metric: m, n: n, cells: []string{grouped(n)}}
		for _, d := range r.Daemons {
			line.cells = append(line.cells, r.cell(m, d, n))
		}
		for _, d := range r.others() {
			line.cells = append(line.cells, r.ratio(m, n, d))
		}
		rows = append(rows, line)
	}
	return head, rows
}

// others are the daemons that vbrd is compared with, if it was run.
func (r *Result) others() (out []string) {
	ours := false
	for _, d := range r.Daemons {
		if d == baseline {
			ours = true
		} else {
			out = append(out, d)
		}
	}
	if !ours {
		return nil
	}
	return out
}

func (r *Result) cell(m metric, d string, n int) string {
	v := r.values(m, d, n)
	mid, ok := middle(v)
	if !ok {
		return "-"
	}
	f := formatter(m)
	if low, high := f(v[0]), f(v[len(v)-1]); low != high {
		return fmt.Sprintf("%s (%s-%s)", f(mid), low, high)
	}
	return f(mid)
}

func (r *Result) ratio(m metric, n int, other string) string {
	a, ok1 := r.median(m, baseline, n)
	b, ok2 := r.median(m, other, n)
	if !ok1 || !ok2 || b <= 0 {
		return "-"
	}
	return strconv.FormatFloat(a/b, 'f', 2, 64)
}

func formatter(m metric) func(float64) string {
	switch m.unit {
	case "s":
		return seconds
	case "ms":
		return func(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }
	}
	return func(v float64) string { return strconv.FormatFloat(v, 'f', 0, 64) }
}

// seconds prints a time in seconds with three digits, at least to a tenth of a millisecond.
func seconds(v float64) string {
	switch {
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v >= 0.1:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
	return strconv.FormatFloat(v, 'f', 4, 64)
}

func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// report prints everything for a terminal.
func report(w io.Writer, r *Result) {
	r.heading(w)
	for _, m := range metrics() {
		head, rows := r.rows(m)
		lines := [][]string{head}
		for _, l := range rows {
			lines = append(lines, l.cells)
		}
		fmt.Fprintf(w, "\n%s (%s)\n%s", m.title, m.unit, aligned(lines))
	}
	r.reportGoals(w)
}

func (r *Result) heading(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n%s\n", r.Machine, strings.Join(r.versions(), "\n"))
	fmt.Fprintf(w, "medians of %d runs (lowest-highest)\n", r.Repeat)
}

func (r *Result) versions() (out []string) {
	for _, d := range r.Daemons {
		out = append(out, d+": "+r.Versions[d])
	}
	return out
}

func (r *Result) reportGoals(w io.Writer) {
	if lines := r.goalLines(); len(lines) > 0 {
		fmt.Fprintf(w, "\ntargets\n%s", aligned(append([][]string{append([]string{""}, goalHead...)}, lines...)))
	}
}

// aligned prints columns of equal width, the cells to the right.
func aligned(lines [][]string) string {
	var widths []int
	for _, l := range lines {
		for i, c := range l {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(c)))
		}
	}
	var b strings.Builder
	for _, l := range lines {
		for i, c := range l {
			fmt.Fprintf(&b, "  %*s", widths[i], c)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
