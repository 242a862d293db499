package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/openvbr/openvbr/internal/bench/chart"
)

// What stands between these lines of benchmarks.md is ours to write.
const (
	docsBegin = "<!-- bench: from here on written by internal/bench -->"
	docsEnd   = "<!-- bench: end -->"

	densityBegin = "<!-- bench density: from here on written by internal/bench -->"
	densityEnd   = "<!-- bench density: end -->"

	adminBegin = "<!-- bench admin: from here on written by internal/bench -->"
	adminEnd   = "<!-- bench admin: end -->"
)

// charted are the metrics with a curve.
var charted = []string{"learn", "withdraw", "drop", "failover-all", "memory", "cpu-learn"}

// writeDocs draws the curves into the folder and puts the tables into its benchmarks.md.
func writeDocs(folder string, r *Result) error {
	for _, key := range charted {
		if err := os.WriteFile(filepath.Join(folder, chartFile(key)), []byte(r.chart(key)), 0o644); err != nil {
			return err
		}
	}
	return writePart(folder, docsBegin, docsEnd, markdown(r))
}

// writePart puts text between two lines of the folder's benchmarks.md.
func writePart(folder, begin, end, text string) error {
	path := filepath.Join(folder, "benchmarks.md")
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(old, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		return errors.New(path + ": has no place for the results: " + begin + " ... " + end)
	}
	return os.WriteFile(path, fmt.Appendf(nil, "%s%s\n\n%s\n%s%s", before, begin, text, end, after), 0o644)
}

func chartFile(key string) string { return "bench-" + key + ".svg" }

func (r *Result) chart(key string) string {
	m := metricOf(key)
	c := chart.Chart{Title: m.title, X: "routes", Y: unitName(m.unit)}
	for _, d := range r.Daemons {
		s := chart.Series{Name: d}
		for _, n := range r.Sizes {
			if v, ok := r.median(m, d, n); ok && v > 0 {
				s.Points = append(s.Points, chart.Point{X: float64(n), Y: v})
			}
		}
		c.Series = append(c.Series, s)
	}
	return c.SVG()
}

func metricOf(key string) metric {
	for _, m := range metrics() {
		if m.key == key {
			return m
		}
	}
	return metric{}
}

func unitName(u string) string {
	if u == "s" {
		return "seconds"
	}
	return u
}

// markdown is the results' part of benchmarks.md.
func markdown(r *Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s: %s.\n\n", r.Time.Format("2006-01-02"), r.Machine)
	for _, v := range r.versions() {
		fmt.Fprintf(&b, "- %s\n", v)
	}
	fmt.Fprintf(&b, "\nMedians of %d runs, in brackets the lowest and the highest; times in seconds.\n", r.Repeat)
	for _, m := range metrics() {
		fmt.Fprintf(&b, "\n### %s (%s)\n\n", strings.ToUpper(m.title[:1])+m.title[1:], m.unit)
		head, rows := r.rows(m)
		lines := [][]string{}
		for _, l := range rows {
			lines = append(lines, l.cells)
		}
		b.WriteString(markdownTable(head, lines))
		for _, key := range charted {
			if key == m.key {
				fmt.Fprintf(&b, "\n![%s against the number of routes](%s)\n", m.title, chartFile(key))
			}
		}
	}
	b.WriteString("\n### Targets\n\n")
	b.WriteString(markdownTable(append([]string{"routes"}, goalHead...), r.goalLines()))
	return b.String()
}

func markdownTable(head []string, lines [][]string) string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	rule := make([]string, len(head))
	for i := range rule {
		rule[i] = "---:"
	}
	line(rule)
	for _, l := range lines {
		line(l)
	}
	return b.String()
}
