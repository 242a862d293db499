package guards

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the tree's, from here.
const root = "../.."

// Each edit still fits the source, once, and leaves Go; each test is there. That the test goes red is for make test-guards to show.
func TestList(t *testing.T) {
	seen, functions := map[string]bool{}, map[string]map[string]bool{}
	for _, g := range all() {
		if seen[g.name] {
			t.Errorf("%q is there twice", g.name)
		}
		seen[g.name] = true
		source, err := os.ReadFile(filepath.Join(root, g.file))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := g.without(string(source)); err != nil {
			t.Error(err)
		} else if _, err := parser.ParseFile(token.NewFileSet(), g.file, text, parser.SkipObjectResolution); err != nil {
			t.Errorf("%s: %v", g.name, err)
		}
		if functions[g.pkg] == nil {
			functions[g.pkg] = testsOf(t, g.pkg)
		}
		if !functions[g.pkg][g.function()] {
			t.Errorf("%s: %s has no %s", g.name, g.pkg, g.function())
		}
	}
	if len(seen) < 25 {
		t.Errorf("%d guards only", len(seen))
	}
}

// testsOf are the test functions of a package.
func testsOf(t *testing.T, pkg string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no tests: %v", pkg, err)
	}
	found := map[string]bool{}
	for _, f := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, is := d.(*ast.FuncDecl); is && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				found[f.Name.Name] = true
			}
		}
	}
	return found
}
