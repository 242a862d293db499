package main

import (
	"cmp"
	"encoding/json"
	"os"
	"slices"
	"time"
)

// Phase is what one phase of a cycle took. Times are in seconds.
type Phase struct {
	Seconds    float64 `json:"seconds"`     // from the first byte, or the TCP close, until the last route was seen to have come or gone
	Error      float64 `json:"error"`       // by which that may be too long
	SourceDone float64 `json:"source_done"` // when the kernel had taken the source's last byte
	CPU        float64 `json:"cpu"`         // of the daemon, until it came to rest
	Looks      int     `json:"looks"`       // of the observer at the whole table
	LooksSpent float64 `json:"looks_spent"`
}

// Run is one daemon's cycle with one table.
type Run struct {
	Daemon string `json:"daemon"`
	N      int    `json:"n"` // routes, or routers

	Learn      Phase `json:"learn,omitzero"`
	Withdraw   Phase `json:"withdraw,omitzero"`
	LearnAgain Phase `json:"learn_again,omitzero"`
	Drop       Phase `json:"drop,omitzero"`

	FailoverLast float64 `json:"failover_last,omitzero"` // seconds until probes to the last prefix left the other way
	FailoverAll  float64 `json:"failover_all,omitzero"`  // and to each of a sample
	FailoverCPU  float64 `json:"failover_cpu,omitzero"`

	CPU       float64 `json:"cpu,omitzero"`        // seconds, of the whole cycle with its start
	LearnRSS  int64   `json:"learn_rss,omitzero"`  // bytes, at rest after learning
	LearnPeak int64   `json:"learn_peak,omitzero"` // bytes, until then
	Peak      int64   `json:"peak,omitzero"`       // bytes, of the whole cycle: two peers with the table

	Density *Density `json:"density,omitempty"` // instead of all above, in a run of `bench density`
	Admin   *Admin   `json:"admin,omitempty"`   // likewise, of `bench admin`
}

// Result is a whole run of the benchmark, as the JSON file has it.
type Result struct {
	Time     time.Time         `json:"time"`
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Daemons  []string          `json:"daemons"`
	Admin    bool              `json:"admin,omitempty"`  // of a run of `bench admin`
	Place    string            `json:"place,omitempty"`  // of a run of `bench density` or `bench admin`: inVRFs or inDefault
	Routes   int               `json:"routes,omitempty"` // of each of its routers
	Sizes    []int             `json:"sizes"`
	Repeat   int               `json:"repeat"`
	Seed     uint64            `json:"seed"`
	Runs     []Run             `json:"runs"`
}

// metric is one number of a Run.
type metric struct {
	key, title, unit string
	of               func(*Run) float64
}

const (
	kib = 1 << 10
	mib = 1 << 20
)

// metrics are those of the result's kind.
func (r *Result) metrics() []metric {
	if r.Admin {
		return adminMetrics(r.Place)
	}
	if r.Place != "" {
		return densityMetrics(r.Place)
	}
	return metrics()
}

func metrics() []metric {
	return []metric{
		{"learn", "learn", "s", func(r *Run) float64 { return r.Learn.Seconds }},
		{"withdraw", "withdraw all", "s", func(r *Run) float64 { return r.Withdraw.Seconds }},
		{"drop", "session drop", "s", func(r *Run) float64 { return r.Drop.Seconds }},
		{"failover", "failover, last prefix", "s", func(r *Run) float64 { return r.FailoverLast }},
		{"failover-all", "failover, every probed prefix", "s", func(r *Run) float64 { return r.FailoverAll }},
		{"cpu-learn", "CPU to learn", "s", func(r *Run) float64 { return r.Learn.CPU }},
		{"cpu", "CPU of the whole cycle", "s", func(r *Run) float64 { return r.CPU }},
		{"memory", "peak memory, one peer", "MiB", func(r *Run) float64 { return float64(r.LearnPeak) / mib }},
		{"memory-two", "peak memory, two peers", "MiB", func(r *Run) float64 { return float64(r.Peak) / mib }},
		{"error", "largest error of learn, withdraw and drop", "s", func(r *Run) float64 {
			return max(r.Learn.Error, r.Withdraw.Error, r.Drop.Error)
		}},
	}
}

// values are a metric's of all runs of a daemon at a size, sorted.
func (r *Result) values(m metric, daemon string, n int) []float64 {
	var v []float64
	for i := range r.Runs {
		if x := &r.Runs[i]; x.Daemon == daemon && x.N == n {
			v = append(v, m.of(x))
		}
	}
	slices.Sort(v)
	return v
}

// median is the middle of what values returns, ok false when there is none.
func (r *Result) median(m metric, daemon string, n int) (v float64, ok bool) {
	return middle(r.values(m, daemon, n))
}

func middle[T cmp.Ordered](sorted []T) (v T, ok bool) {
	if len(sorted) == 0 {
		return v, false
	}
	return sorted[(len(sorted)-1)/2], true
}

func (r *Result) write(path string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

func readResult(path string) (*Result, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &Result{}
	return r, json.Unmarshal(b, r)
}
