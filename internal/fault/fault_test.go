package fault

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// used is where the source names a point: Around's first argument, or that of a function whose parameter it is.
var used = regexp.MustCompile(`\b(?:Around|execute|exchange)\("([^"]*)"`)

// Each effect is in the source, and each in the source is an effect; docs/faults.md lists them all and no others.
func TestEffectsAreInTheSourceAndInTheDocs(t *testing.T) {
	var source []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range used.FindAllStringSubmatch(string(text), -1) {
			source = append(source, m[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(source)
	effects := slices.Sorted(slices.Values(Effects))
	if source = slices.Compact(source); !slices.Equal(source, effects) {
		t.Errorf("the source has\n%q, the list\n%q", source, effects)
	}
	docs, err := os.ReadFile(root + "/docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	_, table, _ := strings.Cut(string(docs), "| effect |")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z.]+)` \\|").FindAllStringSubmatch(table, -1) {
		listed = append(listed, m[1])
	}
	if slices.Sort(listed); !slices.Equal(listed, effects) {
		t.Errorf("docs/faults.md lists\n%q, the list has\n%q", listed, effects)
	}
}

// effect is a line of the source that changes something outside: files, the kernel by netlink, the store.
var effect = regexp.MustCompile(`renameio\.WriteFile|sealed\.Write\(|os\.(WriteFile|Remove|Rename|Truncate)\(|\bnl\.(Link|Route|Neigh|Rule|Addr)(Add|Del|Set|Replace|Modify|Change|Append)\w*\(|` +
	`\.Execute\(unix\.NETLINK_ROUTE, 0\)|\bdb\.(Update|Batch)\(|\bc\.(Put|Txn)\(ctx|\bc\.Delete\(ctx, s\.|sock\.Send\(|SetsockoptTCPMD5Sig\(|\bs\.server\.(SetPeers|Reset|Refresh|Tell|Close)\(`)

// pointless are effects without a point of their own, and why.
var pointless = map[string]string{
	"bgp/internal/gobgp/keys.go":    "keys of sockets: part of session.peers and evpn.peers",
	"fib/batch.go":                  "what exchange sends, which has the point of who calls it; dumps",
	"fib/socket.go":                 "sends for batch.go; one sysctl, written at each start",
	"internal/sealed/file.go":       "its callers have points; a damaged file set aside",
	"vbr/api/listen.go":             "a socket of a predecessor",
	"vbr/drain.go":                  "write is save's, which has one; a damaged file set aside",
	"vbr/intent/store/etcd.go":      "parts of a revision that lost: garbage, removed again later",
	"vbr/intent/store/file.go":      "a damaged file set aside",
	"vbr/intent/store/file_open.go": "a temporary file",
	"vbr/link/probe.go":             "asks the kernel what it can do, by requests that change nothing",
	"vbr/metrics/server.go":         "a socket of a predecessor",
	"vbr/monitor_files.go":          "what was measured of interfaces that are gone: what is left does nothing",
}

// Each outside effect is in a point, on its line or up to three lines above, or in a file of pointless.
func TestEveryEffectHasAPoint(t *testing.T) {
	point := regexp.MustCompile(`\bAround\(|\bm\.set\(func|\bexecute\("`)
	without, points := map[string]bool{}, 0
	for _, dir := range []string{"vbr", "fib", "bgp", "internal/sealed", "cmd/vbrd"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			name, _ := filepath.Rel(root, path)
			switch {
			case err != nil:
				return err
			case d.IsDir() && slices.Contains([]string{"bgp/internal/bgptest", "bgp/internal/monitor", "fib/fibtest"}, name):
				return fs.SkipDir // tests; what collectors are shown, on which nothing depends
			case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			text, err := os.ReadFile(path)
			lines := strings.Split(string(text), "\n")
			for i, line := range lines {
				switch {
				case !effect.MatchString(line):
				case point.MatchString(strings.Join(lines[max(0, i-3):i+1], "\n")):
					points++
				case pointless[name] != "":
					without[name] = true
				default:
					t.Errorf("%s:%d: no point around %s", name, i+1, strings.TrimSpace(line))
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name := range pointless {
		if !without[name] {
			t.Errorf("%s is among pointless and has nothing without a point", name)
		}
	}
	if points < 25 {
		t.Errorf("only %d effects were found", points)
	}
}

// A point that is not armed costs next to nothing: in a release binary nothing at all.
func TestUnarmedPointDoesNotAllocate(t *testing.T) {
	n := 0
	if a := testing.AllocsPerRun(100, func() { _ = Around(Effects[0], func() error { n++; return nil }) }); a > 0 {
		t.Errorf("%v allocations", a)
	}
	if n == 0 {
		t.Error("it is not done")
	}
}

func BenchmarkUnarmed(b *testing.B) {
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		_ = Around("store.commit", func() error { n++; return nil })
	}
}
