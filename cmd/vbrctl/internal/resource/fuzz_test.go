package resource

import (
	"strings"
	"testing"
)

// FuzzRead: files of resources and of routes, as people write them: each is read, or its fault said with its place.
func FuzzRead(f *testing.F) {
	f.Add("kind: VirtualBorderRouter\nname: a\nvlan_id: 1\nbgp_peers:\n  - hold: 9\n")
	f.Add("kind: RouterInterface\nname: a\n---\nkind: RouterInterface\nname: a\n")
	f.Add("routes:\n  - prefix: 10.2.3.0/24\n    as_path: \"65001 65001\"\n")
	f.Add("kind: [\n")
	f.Add("&a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		set, err := Read([]string{"-"}, strings.NewReader(text))
		if (set == nil) == (err == nil) {
			t.Fatalf("%q: %v, %v", text, set, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "stdin:") {
			t.Fatalf("%q: no place in %q", text, err)
		}
		if routes, err := ReadRoutes("-", strings.NewReader(text)); err == nil && len(routes) == 0 {
			t.Fatalf("%q: no routes, no error", text)
		}
	})
}
