package docs

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// runners run the console blocks of a document, from its top: the test and its file.
var runners = map[string]struct{ test, file string }{
	"README.md":          {"TestReadme", "internal/e2e/readme_test.go"},
	"docs/guide.md":      {"TestGuide", "internal/e2e/guide_test.go"},
	"docs/quickstart.md": {"TestQuickstart", "internal/e2e/admin/quickstart_test.go"},
}

// byHand are documents, by patterns of path.Match, whose blocks without a language are commands that only a person runs, and why. Others mark each block.
var byHand = map[string]string{
	"docs/benchmarks.md":        "they are the benchmarks, which take minutes and a machine of their own",
	"examples/clab/README.md":   "containers need Docker and the kernel's modules; make clab runs the topologies without",
	"examples/clab/*/README.md": "the same",
}

// isByHand says whether a document is one of byHand.
func isByHand(name string) bool {
	for pattern := range byHand {
		if ok, err := path.Match(pattern, name); ok && err == nil {
			return true
		}
	}
	return false
}

// documents are README.md, all of docs and the READMEs of the examples, by their paths from the root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	add := func(name string) {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	add("README.md")
	for _, folder := range []string{"docs", "examples"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(p string, d fs.DirEntry, err error) error {
			if name, _ := filepath.Rel(root, p); err == nil && !d.IsDir() && strings.HasSuffix(p, ".md") && (folder == "docs" || d.Name() == "README.md") {
				add(name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(texts) < 15 {
		t.Fatalf("%d documents found", len(texts))
	}
	return texts
}

// TestCommandsAreRunOrMarked: each block of commands is run by a test, or says why not.
func TestCommandsAreRunOrMarked(t *testing.T) {
	run, marked := 0, 0
	for name, text := range documents(t) {
		blocks, err := Blocks(name, text)
		if err != nil {
			t.Fatal(err)
		}
		runner, isRun := runners[name]
		excused := false
		for _, b := range blocks {
			switch {
			case !b.IsCommands() && !b.NotRun:
			case b.NotRun && b.Why == "":
				t.Errorf("%s:%d: not-run without a reason: write `not-run: WHY`", name, b.Line-1)
			case b.NotRun:
				marked++
			case isRun && b.Kind == "console" && b.Info == "":
				run++
			case b.Kind == "" && isByHand(name):
				excused = true
			case b.Kind == "":
				t.Errorf("%s:%d: commands without a fence that says sh or console", name, b.Line)
			default:
				t.Errorf("%s:%d: no test runs this block: mark it `%s not-run: WHY`, or have it run (%v)", name, b.Line-1, b.Kind, runner)
			}
		}
		if isByHand(name) && !excused {
			t.Errorf("%s has no commands without a fence any more: take it out of byHand", name)
		}
	}
	t.Logf("%d blocks are run, %d are marked as not", run, marked)
	if run < 20 || marked < 10 {
		t.Errorf("%d blocks run, %d marked", run, marked)
	}
}

// TestRunners: what is said to run a document reads it, and the whole of it can be run.
func TestRunners(t *testing.T) {
	texts := documents(t)
	for name, r := range runners {
		if _, err := Parse(name, texts[name]); err != nil {
			t.Error(err)
		}
		code, err := os.ReadFile(filepath.Join(root, r.file))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"func " + r.test + "(t *testing.T)", "/" + name + `"`, "docs.Parse("} {
			if !strings.Contains(string(code), want) {
				t.Errorf("%s does not contain %s", r.file, want)
			}
		}
	}
}

// TestLinks: each link leads to a file that is there, and each anchor to a heading.
func TestLinks(t *testing.T) {
	texts := documents(t)
	checked := 0
	for name, text := range texts {
		for _, l := range Links(text) {
			if strings.Contains(l.Target, "://") || strings.HasPrefix(l.Target, "mailto:") {
				continue
			}
			checked++
			file, anchor, _ := strings.Cut(l.Target, "#")
			to := name
			if file != "" {
				to = path.Join(path.Dir(name), file)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s:%d: %s: there is no %s", name, l.Line, l.Target, to)
				continue
			}
			if target, ok := texts[to]; anchor != "" && (!ok || !Anchors(target)[anchor]) {
				t.Errorf("%s:%d: %s: there is no heading #%s in %s", name, l.Line, l.Target, anchor, to)
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d links found", checked)
	}
}

// TestReached: whoever begins at docs/README.md comes to every file of docs.
func TestReached(t *testing.T) {
	texts := documents(t)
	const index = "docs/README.md"
	reached := map[string]bool{index: true}
	for todo := []string{index}; len(todo) > 0; todo = todo[1:] {
		for _, l := range Links(texts[todo[0]]) {
			file, _, _ := strings.Cut(l.Target, "#")
			to := path.Join(path.Dir(todo[0]), file)
			if file != "" && !reached[to] && strings.HasPrefix(to, "docs/") {
				reached[to] = true
				todo = append(todo, to)
			}
		}
	}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(p string, d fs.DirEntry, err error) error {
		if name, _ := filepath.Rel(root, p); err == nil && !d.IsDir() && !reached[name] {
			t.Errorf("no link leads from %s to %s", index, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAnchors: headings have the names that GitHub gives them.
func TestAnchors(t *testing.T) {
	got := Anchors("# What `vbrd` sets, and [why](x.md)\n## Undo\n```\n# no heading\n```\n## Undo\n<a name=\"vbr-v1-BgpPeer\"></a>\n### a_b: c/d — e\n")
	for _, want := range []string{"what-vbrd-sets-and-why", "undo", "undo-1", "vbr-v1-BgpPeer", "a_b-cd--e"} {
		if !got[want] {
			t.Errorf("no %s in %v", want, got)
		}
	}
	if len(got) != 5 {
		t.Errorf("got %v", got)
	}
}

// TestNamesInDocuments: the tests and make targets that documents name are there.
func TestNamesInDocuments(t *testing.T) {
	tests, targets := sources(t, "*_test.go", `(?m)^func (Test\w+|Fuzz\w+|Benchmark\w+)\(`), sources(t, "Makefile", `(?m)^([a-z][a-z-]*):`)
	testName := regexp.MustCompile(`\b(Test[A-Z]\w*)`)
	target := regexp.MustCompile("(?:`|^|# |sudo )make ([a-z][a-z-]*)")
	named := 0
	for name, text := range documents(t) {
		for i, line := range strings.Split(text, "\n") {
			for _, m := range testName.FindAllStringSubmatch(line, -1) {
				if named++; name != "docs/api.md" && !slices.Contains(tests, m[1]) {
					t.Errorf("%s:%d: there is no %s", name, i+1, m[1])
				}
			}
			for _, m := range target.FindAllStringSubmatch(strings.TrimLeft(line, " "), -1) {
				if named++; !slices.Contains(targets, m[1]) {
					t.Errorf("%s:%d: the Makefile has no %s", name, i+1, m[1])
				}
			}
		}
	}
	if named < 50 {
		t.Errorf("only %d names found", named)
	}
}

// sources are the matches of a pattern's first group in all committed files of that name.
func sources(t *testing.T, files, pattern string) (found []string) {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", files)
	cmd.Dir = root
	list, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	re := regexp.MustCompile(pattern)
	for _, f := range bytes.Split(bytes.TrimSuffix(list, []byte{0}), []byte{0}) {
		text, err := os.ReadFile(filepath.Join(root, string(f)))
		if err != nil {
			continue // deleted, not committed yet
		}
		for _, m := range re.FindAllStringSubmatch(string(text), -1) {
			found = append(found, m[1])
		}
	}
	return found
}
