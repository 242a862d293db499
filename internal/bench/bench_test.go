package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/bench/daemon"
)

// result is of a benchmark that never ran.
func result() *Result {
	r := &Result{
		Time: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), Daemons: []string{"vbrd", "BIRD", "FRR"},
		Versions: map[string]string{"BIRD": "BIRD version 2.0.12"}, Sizes: []int{1000, 100_000}, Repeat: 3,
	}
	for i, d := range r.Daemons {
		for _, n := range r.Sizes {
			for _, x := range []float64{3, 1, 2} {
				v := x * float64(i+1) * float64(n) / 1e6
				r.Runs = append(r.Runs, Run{
					Daemon: d, N: n, Learn: Phase{Seconds: v, Error: v / 100}, Withdraw: Phase{Seconds: v, Error: v / 100}, Drop: Phase{Seconds: v, Error: v / 100}, FailoverLast: v,
					FailoverAll: v, LearnPeak: int64(n) * 100,
				})
			}
		}
	}
	return r
}

func TestReport(t *testing.T) {
	var b bytes.Buffer
	report(&b, result())
	for _, want := range []string{
		"   routes                    vbrd                    BIRD                     FRR  vbrd / BIRD  vbrd / FRR\n" +
			"    1,000  0.0020 (0.0010-0.0030)  0.0040 (0.0020-0.0060)  0.0060 (0.0030-0.0090)         0.50        0.33\n",
		"learn at most BIRD's x 1.5  0.0060    0.0020     met\n",
		"session drop a fifth of BIRD's  0.0800     0.200  missed\n",
		"memory half of FRR's       5        10  missed\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no\n%s in\n%s", want, b.String())
		}
	}
}

func TestMissingNumbersAreDashes(t *testing.T) {
	r := result()
	r.Runs = r.Runs[:3] // vbrd at 1000 only
	var b bytes.Buffer
	report(&b, r)
	if !strings.Contains(b.String(), "100,000") || !strings.Contains(b.String(), "  -") {
		t.Errorf("%s", b.String())
	}
}

func TestWriteDocs(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "benchmarks.md")
	text := "# Before\n" + docsBegin + "\nold\n" + docsEnd + "\n## After\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time gives the same
		if err := writeDocs(dir, result()); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := os.ReadFile(path)
	for _, want := range []string{"# Before\n", docsBegin, "2026-01-02", "![learn against", "| 100,000 |", docsEnd + "\n## After\n"} {
		if strings.Count(string(got), want) == 0 {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(string(got), "old") {
		t.Error("old results left")
	}
	for _, key := range charted {
		if b, err := os.ReadFile(filepath.Join(dir, chartFile(key))); err != nil || !bytes.Contains(b, []byte("polyline")) && metricOf(key).of(&result().Runs[0]) > 0 {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestDocsHaveAPlaceForResults(t *testing.T) {
	b, err := os.ReadFile("../../docs/benchmarks.md")
	for _, mark := range []string{docsBegin, docsEnd, densityBegin, densityEnd, adminBegin, adminEnd} {
		if err != nil || bytes.Count(b, []byte(mark)) != 1 {
			t.Errorf("docs/benchmarks.md: not once %q, %v", mark, err)
		}
	}
}

func TestBadOptions(t *testing.T) {
	for _, args := range [][]string{
		{"-n", "0"}, {"-n", "x"}, {"-runs", "0"}, {"-nonsense"}, {"-routes", "1"}, {"density", "-in", "nowhere"}, {"density", "-in", "default", "-n", "251"}, {"density", "-routes", "0"},
		{"admin", "-in", "nowhere"}, {"admin", "-n", "0"}, {"admin", "-in", "vrf", "-n", "4001"},
	} {
		if _, err := parse(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%v: accepted", args)
		}
	}
	o, err := parse([]string{"-daemons", "quagga"}, &bytes.Buffer{})
	if err == nil {
		_, err = o.kinds()
	}
	if err == nil {
		t.Error("quagga: accepted")
	}
}

// TestCycle is the benchmark itself, small, with the daemons that are no part of the project.
func TestCycle(t *testing.T) {
	l := newLoad(500, 1)
	for _, k := range []daemon.Kind{daemon.BIRD(), daemon.FRR()} {
		t.Run(k.Name, func(t *testing.T) {
			r, err := runCycle(t.Context(), k, l, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range metrics() {
				if v := m.of(&r); v <= 0 || v > 1000 {
					t.Errorf("%s: %v", m.title, v)
				}
			}
		})
	}
}
