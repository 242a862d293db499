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
