package main

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/bench/daemon"
)

// TestMain plays the customers when the benchmark starts this program as them.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == customersMode {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestCustomersDiffer(t *testing.T) {
	for _, c := range []crowd{{vrf: true, size: most}, {size: mostShared}} {
		seen := map[any]bool{}
		unique := func(what string, i int, v any) {
			if seen[v] {
				t.Errorf("vrf %v, customer %d: %s %v is another one's", c.vrf, i, what, v)
			}
			seen[v] = true
		}
		for i, n := range c.neighbours() {
			unique("address", i, n.Remote)
			unique("AS", i, n.ASN)
			if !netip.PrefixFrom(n.Local, n.Bits).Masked().Contains(n.Remote) || n.Local == n.Remote {
				t.Errorf("customer %d: %v and %v/%d", i, n.Local, n.Remote, n.Bits)
			}
			if c.vrf {
				unique("address", i, n.Local)
				unique("VLAN", i, n.VRF.VLAN)
				unique("table", i, n.VRF.Table)
				unique("VRF", i, n.VRF.Name)
				if n.VRF.VLAN > 4094 || len(n.VRF.Name) > 15 {
					t.Errorf("customer %d: %+v", i, n.VRF)
				}
			}
		}
	}
}

// densityResult is of a benchmark that never ran.
func densityResult(place string) *Result {
	r := &Result{
		Time: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), Daemons: []string{"vbrd", "BIRD"}, Versions: map[string]string{"BIRD": "2.0.12"},
		Place: place, Routes: 100, Sizes: []int{100}, Repeat: 1,
	}
	for i, d := range r.Daemons {
		v := float64(i + 1)
		r.Runs = append(r.Runs, Run{Daemon: d, N: 100, Density: &Density{
			Made: i == 0, Seconds: 2 * v, Devices: v, Sessions: v, CPU: v, Peak: int64(100 * v * mib),
		}})
	}
	return r
}

func TestReportDensity(t *testing.T) {
	var b bytes.Buffer
	reportDensity(&b, densityResult(inVRFs))
	for _, want := range []string{
		"  routers                                             vbrd    BIRD  vbrd / BIRD\n",
		"      100  cold start, with making the devices (s)    2.00    6.00         0.33\n", // BIRD's are made before
		"      100              peak memory by router (KiB)    1024    2048         0.50\n",
		"memory below 1.5 MB a router   1465      1024  met\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no\n%s in\n%s", want, b.String())
		}
	}
	b.Reset()
	reportDensity(&b, densityResult(inDefault))
	if strings.Contains(b.String(), "making the devices") || !strings.Contains(b.String(), "by session") {
		t.Errorf("%s", b.String())
	}
}

func TestDensityDocs(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "benchmarks.md")
	text := "# Before\n" + densityBegin + "\noutdated\n" + densityEnd + "\n## Between\n" + docsBegin + "\nkept\n" + docsEnd + "\n"
	from := []string{filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")}
	for i, place := range []string{inVRFs, inDefault} {
		if err := densityResult(place).write(from[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := run(t.Context(), []string{"density", "-from", strings.Join(from, ","), "-docs", dir}, &bytes.Buffer{}, &bytes.Buffer{}); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := os.ReadFile(path)
	for _, want := range []string{"# Before\n", "### Routers in VRFs, 100 routes each", "### Sessions of one router", "| 100 | peak memory by router (KiB) |", "## Between\n", "kept\n"} {
		if strings.Count(string(got), want) != 1 {
			t.Errorf("not once %q in\n%s", want, got)
		}
	}
	if strings.Contains(string(got), "outdated") {
		t.Error("old results left")
	}
}

// TestColdStart is the density benchmark itself, small, at one router in the default VRF.
func TestColdStart(t *testing.T) {
	c := crowd{size: 5, routes: 20, seed: 1}
	for _, k := range []daemon.Kind{daemon.BIRD(), daemon.FRR()} {
		t.Run(k.Name, func(t *testing.T) {
			r, err := runDensity(t.Context(), k, c, c.contents(), nil, nil, coldLimit)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range densityMetrics(inDefault) {
				if v := m.of(&r); v <= 0 || v > 100_000 {
					t.Errorf("%s: %v", m.title, v)
				}
			}
		})
	}
}

// broken is a vbrd that ends at once.
func broken(t *testing.T) daemon.Kind {
	t.Helper()
	return daemon.VBRD(brokenBinary(t))
}

func brokenBinary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vbrd")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho cannot do this\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDaemonThatDies: the benchmark ends soon and says what the daemon said.
func TestDaemonThatDies(t *testing.T) {
	k, c := broken(t), crowd{size: 2, routes: 5, seed: 1}
	began := time.Now()
	_, err1 := runCycle(t.Context(), k, newLoad(10, 1), nil, nil)
	_, err2 := runDensity(t.Context(), k, c, c.contents(), nil, nil, coldLimit)
	for _, err := range []error{err1, err2} {
		if err == nil || !strings.Contains(err.Error(), "cannot do this") {
			t.Errorf("error: %v", err)
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}
