package main

import "slices"

// goal is one of the targets that vbrd has set itself.
type goal struct {
	n             int
	what          string
	unit          metric
	limit, actual float64
}

func (g goal) met() bool { return g.actual <= g.limit }

func (g goal) cells() []string {
	f := formatter(g.unit)
	met := "met"
	if !g.met() {
		met = "missed"
	}
	return []string{grouped(g.n), g.what, f(g.limit), f(g.actual), met}
}

// target is a limit for one metric at some sizes: a share of another daemon's median, or a number.
type target struct {
	key    string
	sizes  []int
	what   string
	daemon string
	factor float64
}

// goalHead is above what goalLines returns, but for its first column: the size.
var goalHead = []string{"target", "limit", "measured", ""}

func (r *Result) goalLines() (lines [][]string) {
	for _, g := range r.goals() {
		lines = append(lines, g.cells())
	}
	return lines
}

const failoverLimit = 0.005

func targets() []target {
	small, large, huge, all := []int{1000, 10_000}, []int{100_000}, []int{500_000}, []int{1000, 10_000, 100_000, 500_000}
	return []target{
		{"learn", small, "learn at most BIRD's x 1.5", "BIRD", 1.5},
		{"learn", small, "learn below FRR's", "FRR", 1},
		{"withdraw", small, "withdraw at most BIRD's x 1.5", "BIRD", 1.5},
		{"withdraw", small, "withdraw below FRR's", "FRR", 1},
		{"learn", large, "learn at most FRR's", "FRR", 1},
		{"withdraw", large, "withdraw at most FRR's", "FRR", 1},
		{"learn", huge, "learn at most FRR's x 0.8", "FRR", 0.8},
		{"withdraw", huge, "withdraw at most FRR's x 0.8", "FRR", 0.8},
		{"learn", slices.Concat(large, huge), "aim: learn at BIRD's x 1.1", "BIRD", 1.1},
		{"withdraw", slices.Concat(large, huge), "aim: withdraw at BIRD's x 1.1", "BIRD", 1.1},
		{"drop", small, "session drop at most BIRD's", "BIRD", 1},
		{"drop", large, "session drop a fifth of BIRD's", "BIRD", 1. / 5},
		{"drop", huge, "session drop a sixth of BIRD's", "BIRD", 1. / 6},
		{"failover-all", all, "failover within 5 ms", "", failoverLimit},
		{"memory", small, "memory below 60 MB", "", 60e6 / mib},
		{"memory", slices.Concat(large, huge), "memory half of FRR's", "FRR", 0.5},
	}
}

// targets are those of the result's kind.
func (r *Result) targets() []target {
	if r.Admin {
		return adminTargets(r.Place)
	}
	switch r.Place {
	case "":
		return targets()
	case inVRFs:
		return densityTargets()
	}
	return nil
}

// goals are the targets that this run has numbers for, by size.
func (r *Result) goals() (out []goal) {
	for _, n := range r.Sizes {
		for _, t := range r.targets() {
			i := slices.IndexFunc(r.metrics(), func(m metric) bool { return m.key == t.key })
			m := r.metrics()[i]
			actual, ok := r.median(m, baseline, n)
			if !ok || !slices.Contains(t.sizes, n) {
				continue
			}
			limit := t.factor
			if t.daemon != "" {
				other, ok := r.median(m, t.daemon, n)
				if !ok {
					continue
				}
				limit *= other
			}
			out = append(out, goal{n: n, what: t.what, unit: m, limit: limit, actual: actual})
		}
	}
	return out
}
