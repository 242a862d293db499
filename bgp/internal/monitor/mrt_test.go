package monitor

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
)

// A folder that cannot be written is a problem as long as it lasts, and said once.
func TestDumpProblem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mrt")
	if err := os.WriteFile(path, nil, 0o600); err != nil { // a file where the folder belongs
		t.Fatal(err)
	}
	h := New(Config{MRT: MRT{Directory: path, Interval: 20 * time.Millisecond, Keep: 5, Size: 1 << 20}})
	run(t, h)
	until := func(n int) {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); len(h.Problems()) != n; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("problems %q", h.Problems())
			}
		}
	}
	until(1)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	until(0)
}

// dumped is what bgpdump says of a file.
func dumped(t *testing.T, file string) []string {
	t.Helper()
	out, err := exec.Command("bgpdump", "-m", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "|") { // others are about its progress
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// A dump has each prefix once, with all who announce it, for its owner alone.
func TestDump(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mrt")
	h := New(Config{MRT: MRT{Directory: dir, Keep: 5, Size: 1 << 20}})
	s := h.Add("vbr-a", 1, netip.MustParseAddr("10.0.0.1"))
	h.Add("vbr-idle", 2, netip.MustParseAddr("10.0.0.1"))
	for _, x := range []struct {
		peer  string
		asn   uint32
		paths []*apiutil.Path
	}{
		{"10.0.0.2", 65001, []*apiutil.Path{path(t, "172.16.2.0/24", 65001, false), path(t, "172.16.1.0/24", 65001, false)}},
		{"fd00::2", 4200000001, []*apiutil.Path{path(t, "172.16.1.0/24", 65001, false), path(t, "2001:db8:1::/64", 65001, false)}},
	} {
		s.Up(session(t, x.peer, x.asn))
		s.Paths(netip.MustParseAddr(x.peer), x.paths, time.Now())
	}
	if err := h.dumpAll(t.Context(), time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(dir + "/*")
	if len(files) != 1 || filepath.Base(files[0]) != "vbr-a.20261128T100000Z.mrt" {
		t.Fatal(files)
	}
	info, _ := os.Stat(files[0])
	folder, _ := os.Stat(dir)
	if info.Mode().Perm() != 0o600 || folder.Mode().Perm() != 0o700 {
		t.Error(info.Mode(), folder.Mode())
	}
	const at = "TABLE_DUMP2|1795860000|B|"
	want := []string{
		at + "10.0.0.2|65001|172.16.1.0/24|65001|IGP|10.0.0.2|0|0||NAG||",
		at + "fd00::2|4200000001|172.16.1.0/24|65001|IGP|10.0.0.2|0|0||NAG||",
		at + "10.0.0.2|65001|172.16.2.0/24|65001|IGP|10.0.0.2|0|0||NAG||",
		at + "fd00::2|4200000001|2001:db8:1::/64|65001|IGP|fd00::2|0|0||NAG||",
	}
	if d := cmp.Diff(want, dumped(t, files[0])); d != "" {
		t.Error("-want +got", d)
	}
}

// Of each router so many files stay, of all so many octets, the newest in any case; what is not a dump stays too.
func TestRotate(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, size int) {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for hour := range 5 {
		put(fmt.Sprintf("vbr-a.20261128T%02d0000Z.mrt", hour), 100)
		put(fmt.Sprintf("vbr-a.b.20261128T%02d0000Z.mrt", hour), 100)
	}
	put("vbr-a.mrt", 5000)
	put("notes", 5000)
	put(".vbr-a.20261128T000000Z.mrt123", 5)
	names := func() (l []string) {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			l = append(l, e.Name())
		}
		return l
	}
	m := MRT{Directory: dir, Keep: 3, Size: 1 << 20}
	m.sweep()
	if err := m.rotate(); err != nil {
		t.Fatal(err)
	}
	want := []string{"notes", "vbr-a.20261128T020000Z.mrt", "vbr-a.20261128T030000Z.mrt", "vbr-a.20261128T040000Z.mrt",
		"vbr-a.b.20261128T020000Z.mrt", "vbr-a.b.20261128T030000Z.mrt", "vbr-a.b.20261128T040000Z.mrt", "vbr-a.mrt"}
	if got := names(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	m.Size = 250
	if err := m.rotate(); err != nil {
		t.Fatal(err)
	}
	if got := names(); !slices.Equal(got, []string{"notes", "vbr-a.20261128T040000Z.mrt", "vbr-a.b.20261128T040000Z.mrt", "vbr-a.mrt"}) {
		t.Errorf("%q", got)
	}
	m.Size = 1
	if err := m.rotate(); err != nil || len(names()) != 3 {
		t.Errorf("%v %q", err, names())
	}
}
