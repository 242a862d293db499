package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Where the routers of a density run are.
const (
	inVRFs    = "vrf"     // each in a VRF of its own
	inDefault = "default" // their customers are neighbours of one router in the default VRF
)

// densityMetrics are those of a run in that place.
func densityMetrics(place string) []metric {
	all := []metric{
		{"cold", "cold start to the last route", "s", func(r *Run) float64 { return r.Density.Seconds }},
		{"devices", "VLANs and VRFs made", "s", func(r *Run) float64 { return r.Density.Devices }},
		{"ready", "cold start, with making the devices", "s", func(r *Run) float64 { return r.Density.ready() }},
		{"sessions", "cold start to the last session", "s", func(r *Run) float64 { return r.Density.Sessions }},
		{"cpu", "CPU until at rest", "s", func(r *Run) float64 { return r.Density.CPU }},
		{"memory", "peak memory", "MiB", func(r *Run) float64 { return float64(r.Density.Peak) / mib }},
		{"memory-each", "peak memory by router", "KiB", func(r *Run) float64 { return float64(r.Density.Peak) / kib / float64(r.N) }},
		{"error", "largest error of the cold start", "s", func(r *Run) float64 { return r.Density.Error }},
	}
	if place == inVRFs {
		return all
	}
	all[6].title = "peak memory by session"
	return slices.Delete(all, 1, 3)
}

// densityTargets are for routers in VRFs.
func densityTargets() []target {
	sizes := []int{100, 500}
	return []target{
		{"ready", sizes, "all works within 30 s", "", 30},
		{"memory-each", sizes, "memory below 1.5 MB a router", "", 1.5e6 / kib},
	}
}

// sized says what the sizes of a run of `bench density` or `bench admin` count.
func (r *Result) sized() string {
	switch {
	case r.Admin && r.Place == inDefault:
		return "routes"
	case r.Admin:
		return "VBRs"
	case r.Place == inDefault:
		return "sessions"
	}
	return "routers"
}

// title is that of the results in benchmarks.md.
func (r *Result) title() string {
	switch {
	case r.Admin && r.Place == inDefault:
		return "One VBR in the default VRF"
	case r.Admin:
		return "Many VBRs in one Apply"
	case r.Place == inDefault:
		return fmt.Sprintf("Sessions of one router in the default VRF, %d routes each", r.Routes)
	}
	return fmt.Sprintf("Routers in VRFs, %d routes each", r.Routes)
}

// densityTable is a line for each number of routers and metric.
func densityTable(r *Result) (head []string, lines [][]string) {
	head = append([]string{r.sized(), ""}, r.Daemons...)
	for _, d := range r.others() {
		head = append(head, baseline+" / "+d)
	}
	for _, n := range r.Sizes {
		for _, m := range r.metrics() {
			line := []string{grouped(n), m.title + " (" + m.unit + ")"}
			for _, d := range r.Daemons {
				line = append(line, r.cell(m, d, n))
			}
			for _, d := range r.others() {
				line = append(line, r.ratio(m, n, d))
			}
			lines = append(lines, line)
		}
	}
	return head, lines
}

// reportDensity prints everything for a terminal.
func reportDensity(w io.Writer, r *Result) {
	r.heading(w)
	fmt.Fprintf(w, "\n%s\n\n", r.title())
	head, lines := densityTable(r)
	fmt.Fprint(w, aligned(append([][]string{head}, lines...)))
	r.reportGoals(w)
}

// densityMarkdown is the part of benchmarks.md for results of `bench density` or `bench admin`.
func densityMarkdown(results []*Result) string {
	var b strings.Builder
	for _, r := range results {
		fmt.Fprintf(&b, "### %s\n\n", r.title())
		fmt.Fprintf(&b, "Measured on %s: %s. %s. Medians of %d runs, in brackets the lowest and the highest.\n\n",
			r.Time.Format("2006-01-02"), r.Machine, strings.Join(r.versions(), ", "), r.Repeat)
		head, lines := densityTable(r)
		b.WriteString(markdownTable(head, lines))
		if goals := r.goalLines(); len(goals) > 0 {
			b.WriteString("\n" + markdownTable(append([]string{r.sized()}, goalHead...), goals))
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
