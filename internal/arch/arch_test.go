package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/openvbr/openvbr"

// levels are the rooms of the house from the roof down. A package may import what is on a lower level, never
// what is on its own or above. Patterns are those of path.Match, without the module's path.
var levels = [][]string{
	{"cmd/vbrd", "cmd/vbrctl"},
	{"cmd/vbrctl/internal/top"},
	{"cmd/vbrctl/internal/render"},
	{"cmd/vbrctl/internal/client", "cmd/vbrctl/internal/output", "cmd/vbrctl/internal/resource"},
	{"cmd/vbrctl/internal/table"},
	{"vbr/glass"},
	{"vbr/api", "vbr/config", "vbr/metrics"},
	{"vbr/control"},
	{"vbr"},
	{"vbr/intent"},
	{"vbr/intent/source", "vbr/intent/store"},
	{"vbr/rib"},
	{"bgp", "bgp/bfd", "bgp/evpn", "fib", "vbr/link", "vbr/events", "vbr/probe", "vbr/capture", "vbr/quality", "vbr/usage", "vbr/policy"},
	{"internal/words"},
	{"bgp/internal/gobgp", "bgp/internal/monitor", "proto/vbr/v1", "internal/nearest", "internal/sealed"},
	{"bgp/internal/out"},
	{"bgp/internal/wire"},
	{"internal/fault"},
}

// tests may be imported by tests only, and import what they like. What is on a level is none of them.
var tests = []string{"internal/*", "internal/*/*", "internal/*/*/*", "fib/fibtest", "bgp/internal/bgptest"}

// only says who alone may import what.
var only = map[string][]string{
	"github.com/osrg/gobgp/v4":            {"bgp", "bgp/*", "bgp/internal/*"},
	"github.com/vishvananda/netlink":      {"vbr/link", "internal/*", "internal/*/*"},
	"github.com/spf13/viper":              {"vbr/config"},
	"github.com/mdlayher/netlink":         {"fib", "vbr/link"},
	"google.golang.org/grpc":              {"vbr/api", "vbr/control", "vbr/glass", "vbr/intent/store", "cmd/*", "cmd/vbrctl/internal/client", "proto/*/*"},
	"buf.build/go/protovalidate":          {"vbr/intent", "vbr/intent/*", "vbr/api"},
	"github.com/goccy/go-yaml":            {"vbr/intent", "vbr/intent/*", "vbr/config", "cmd/vbrctl/internal/*"},
	"github.com/vishvananda/netlink/nl":   {"vbr/link"},
	"github.com/coreos/go-systemd/v22":    {"cmd/vbrd", "vbr"},
	"github.com/prometheus/client_golang": {"vbr/metrics"},
}

// clients know the API and nothing behind it: what they import of ours is theirs, the schema or a leaf that knows nothing of vbrd.
const clients = "cmd/vbrctl"

var shared = []string{"proto/vbr/v1", "internal/nearest", "internal/words"}

type pkg struct {
	ImportPath string
	Imports    []string
}

func TestImportDirections(t *testing.T) {
	for _, p := range list(t) {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		if isTest(from) {
			continue
		}
		level := levelOf(from)
		if level < 0 {
			t.Errorf("%s is in no room: add it to levels, and to docs/architecture.md", from)
			continue
		}
		for _, imp := range p.Imports {
			checkOnly(t, from, imp)
			to, own := strings.CutPrefix(imp, module+"/")
			if !own {
				continue
			}
			if under(clients, from) && !under(clients, to) && !slices.Contains(shared, to) {
				t.Errorf("%s imports %s; it may import %v and what is below %s", from, to, shared, clients)
			}
			if isTest(to) {
				t.Errorf("%s imports %s, which is for tests", from, to)
			} else if levelOf(to) <= level {
				t.Errorf("%s (level %d) imports %s (level %d): arrows point down", from, level, to, levelOf(to))
			}
		}
	}
}

func checkOnly(t *testing.T, from, imp string) {
	t.Helper()
	for lib, users := range only {
		if (imp == lib || strings.HasPrefix(imp, lib+"/")) && !matches(users, from) {
			t.Errorf("%s imports %s, which is for %v", from, imp, users)
		}
	}
}

func under(folder, p string) bool { return p == folder || strings.HasPrefix(p, folder+"/") }

func isTest(p string) bool { return matches(tests, p) && levelOf(p) < 0 }

func levelOf(p string) int {
	for i, l := range levels {
		if matches(l, p) {
			return i
		}
	}
	return -1
}

func matches(patterns []string, p string) bool {
	for _, pat := range patterns {
		if ok, err := path.Match(pat, p); err == nil && ok {
			return true
		}
	}
	return false
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 5 {
		t.Fatalf("go list found %d packages only", len(pkgs))
	}
	return pkgs
}
