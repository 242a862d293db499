package main

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/openvbr/openvbr/internal/bench/daemon"
	"github.com/openvbr/openvbr/internal/bench/feed"
)

func TestLatency(t *testing.T) {
	var calls []time.Duration
	for i := range 200 {
		calls = append(calls, time.Duration(200-i)*time.Second)
	}
	if got, want := latency(calls), (Latency{Median: 100, P99: 198, Max: 200}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, want := latency(calls[:1]), (Latency{1, 1, 1}); got != want {
		t.Errorf("of one: %+v, want %+v", got, want)
	}
}

// TestRequest: the Applies of the benchmark fit, and the one that does not is no surprise in the middle of a run.
func TestRequest(t *testing.T) {
	for _, n := range []int{1, 1000, most} {
		req, err := request(crowd{vrf: true, size: n}.neighbours())
		if err != nil || len(req.GetResources()) != n+1 || proto.Size(req) > requestLimit/2 {
			t.Errorf("%d VBRs: %v, %d resources, %d bytes", n, err, len(req.GetResources()), proto.Size(req))
		}
	}
	if _, err := request(make([]daemon.Neighbour, 20_000)); err == nil || !strings.Contains(err.Error(), "20000 VBRs") {
		t.Errorf("too many: %v", err)
	}
	req, _ := request(crowd{size: 1}.neighbours())
	if r := req.GetResources()[1].GetVirtualBorderRouter(); r.GetVrf() != inDefault || r.RouteTableId != nil || r.GetName() != routerName {
		t.Errorf("in the default VRF: %v", r)
	}
}

func TestCutMessage(t *testing.T) {
	tab := feed.New(100, 1)
	all := tab.Updates(asn(single), remote(single), 0)
	first, rest := cutMessage(all)
	if !bytes.Equal(append(bytes.Clone(first), rest...), all) || int(binary.BigEndian.Uint16(first[16:])) != len(first) || len(rest) == 0 {
		t.Errorf("%d and %d bytes of %d", len(first), len(rest), len(all))
	}
}

func TestContains(t *testing.T) {
	for _, tt := range []struct {
		prefix, destination string
		want                bool
	}{
		{"192.0.2.0/24", "192.0.2.0/24", true},
		{"192.0.0.0/16", "192.0.2.0/24", false},
		{"192.0.0.0/16", "192.0.2.1", true},
		{"192.1.0.0/16", "192.0.2.1", false},
		{"", "192.0.2.1", false},
	} {
		if got := contains(tt.prefix, tt.destination); got != tt.want {
			t.Errorf("contains(%q, %q) = %v", tt.prefix, tt.destination, got)
		}
	}
}

// adminResult is of a benchmark that never ran.
func adminResult(place string) *Result {
	r := densityResult(place)
	r.Admin, r.Daemons, r.Sizes = true, []string{baseline}, []int{100_000}
	l := Latency{Median: 0.0005, P99: 0.006, Max: 0.01}
	r.Runs = []Run{{Daemon: baseline, N: 100_000, Admin: &Admin{
		Call: 0.05, Session: 0.1, Received: 1, Prefix: l, Address: Latency{Median: 0.0001, P99: 0.001}, Before: 10 * mib, Made: (10 + 100_000) * mib, Devices: 100,
	}}}
	return r
}

func TestAdminDocs(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "benchmarks.md")
	from := []string{filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")}
	for i, place := range []string{inDefault, inVRFs} {
		if err := adminResult(place).write(from[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, []byte("# Before\n"+adminBegin+"\noutdated\n"+adminEnd+"\n"+densityBegin+"\nkept\n"+densityEnd+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"admin", "-from", strings.Join(from, ","), "-docs", dir}, &bytes.Buffer{}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(path)
	for _, want := range []string{
		"# Before\n", "kept\n", "### One VBR in the default VRF\n", "### Many VBRs in one Apply\n", "| routes |  | vbrd |\n", "| VBRs |  | vbrd |\n",
		"| 100,000 | Apply of one VBR, until its session is up (s) | 0.100 |\n", "| 100,000 | Explain of a prefix, median (ms) | 0.50 |\n",
		"| 100,000 | Explain of a prefix below 5 ms, 99 of 100 | 5.00 | 6.00 | missed |\n", "| 100,000 | Explain of an address below 5 ms, 99 of 100 | 5.00 | 1.00 | met |\n",
		"| 100,000 | memory by VBR, all devices, no session (KiB) | 1024 |\n", "| 100,000 | the same by VBR (ms) | 1.00 |\n",
	} {
		if strings.Count(string(got), want) != 1 {
			t.Errorf("not once %q in\n%s", want, got)
		}
	}
	if strings.Contains(string(got), "outdated") {
		t.Error("old results left")
	}
}

func TestAdminSizes(t *testing.T) {
	for place, want := range map[string][]int{inDefault: {100_000}, inVRFs: {100, 1000}} {
		o, err := parse([]string{"admin", "-in", place}, &bytes.Buffer{})
		if err != nil || !o.admin || len(o.sizes) != len(want) || o.sizes[0] != want[0] {
			t.Errorf("%s: %+v, %v", place, o, err)
		}
	}
}

// TestSolo is the benchmark of the API itself, small, with this project's daemon.
func TestSolo(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "vbrd")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/vbrd").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r, err := runSolo(t.Context(), daemon.Managed(binary), newLoad(1000, 1), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range adminMetrics(inDefault) {
		if v := m.of(&r); v <= 0 || v > 5000 || math.IsNaN(v) {
			t.Errorf("%s: %v", m.title, v)
		}
	}
	if a := r.Admin; a.Session > a.FirstRoute || a.Prefix.Median > a.Prefix.P99 || a.Request == 0 {
		t.Errorf("%+v", a)
	}
}

// TestManagedDaemonThatDies: the benchmark ends soon and says what the daemon said.
func TestManagedDaemonThatDies(t *testing.T) {
	_, err := runSolo(t.Context(), daemon.Managed(brokenBinary(t)), newLoad(10, 1), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "cannot do this") {
		t.Errorf("error: %v", err)
	}
}
