//go:build deb

package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// These tests look into the package that `make deb` has built: go test -tags deb ./internal/pack, which `make deb-check` runs.

// unpacked is a folder with what is in the package.
func unpacked(t *testing.T) string {
	t.Helper()
	debs, err := filepath.Glob("../../bin/pack/deb/*.deb")
	if err != nil || len(debs) != 1 {
		t.Fatalf("%d packages in bin/pack/deb, want 1: run `make deb` (%v)", len(debs), err)
	}
	dir := t.TempDir()
	output(t, "dpkg-deb", "-x", debs[0], dir)
	return dir
}

// output runs a program and returns what it prints to its standard output.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// page is the text of a manual page as a reader sees it, on one line. Empty, with an error to the test: there is none.
func page(t *testing.T, root, name, section string) string {
	t.Helper()
	file := filepath.Join(root, "usr/share/man/man"+section, name+"."+section+".gz")
	if _, err := os.Stat(file); err != nil {
		t.Errorf("no manual page %s(%s) in the package", name, section)
		return ""
	}
	text := output(t, "gzip", "-dc", file)
	return strings.NewReplacer(`\-`, "-", `\fB`, "", `\fP`, "", `\fR`, "", "\n", " ").Replace(text)
}

var flag = regexp.MustCompile(`(?m)^ +(?:-\w, )?(--[a-z][a-z0-9-]+)`)

// flagsOf are the flags that a program's or a command's help has, without --help itself.
func flagsOf(t *testing.T, help string) (flags []string) {
	t.Helper()
	for _, m := range flag.FindAllStringSubmatch(help, -1) {
		if m[1] != "--help" && m[1] != "--version" {
			flags = append(flags, m[1])
		}
	}
	return flags
}

// commandsBelow are the commands of vbrctl below one, with all theirs, as its completion has them: {"show", "routers"}.
func commandsBelow(t *testing.T, vbrctl string, above []string) (all [][]string) {
	t.Helper()
	help := output(t, vbrctl, slices.Concat(above, []string{"--help"})...)
	for _, line := range strings.Split(output(t, vbrctl, slices.Concat([]string{"__complete"}, above, []string{""})...), "\n") {
		name, _, described := strings.Cut(line, "\t")
		inHelp := regexp.MustCompile(`(?m)^ +` + regexp.QuoteMeta(name) + ` +\S`)
		if !described || name == "help" || !inHelp.MatchString(help) || strings.HasPrefix(name, "-") {
			continue // an argument, or help, which has no page
		}
		c := slices.Concat(above, []string{name})
		all = append(append(all, c), commandsBelow(t, vbrctl, c)...)
	}
	return all
}

// Each command of the packaged vbrctl has its manual page in the package, with all its flags; so has vbrd.
func TestManualPages(t *testing.T) {
	root := unpacked(t)
	vbrctl := filepath.Join(root, "usr/bin/vbrctl")
	commands := append([][]string{nil}, commandsBelow(t, vbrctl, nil)...)
	for _, c := range commands {
		name := strings.Join(append([]string{"vbrctl"}, c...), "-")
		text := page(t, root, name, "1")
		for _, f := range flagsOf(t, output(t, vbrctl, append(slices.Clone(c), "--help")...)) {
			if text != "" && !strings.Contains(text, f) {
				t.Errorf("%s(1) does not have %s", name, f)
			}
		}
	}
	pages, err := filepath.Glob(filepath.Join(root, "usr/share/man/man1/vbrctl*"))
	if err != nil || len(pages) != len(commands) || len(commands) < 30 {
		t.Errorf("%d pages for %d commands (%v)", len(pages), len(commands), err)
	}
	vbrd, flags := page(t, root, "vbrd", "8"), flagsOf(t, output(t, filepath.Join(root, "usr/bin/vbrd"), "--help"))
	for _, f := range flags {
		if !strings.Contains(vbrd, f) {
			t.Errorf("vbrd(8) does not have %s", f)
		}
	}
	if len(flags) < 5 || page(t, root, "vbrd.yaml", "5") == "" {
		t.Errorf("%d flags of vbrd", len(flags))
	}
}

// packaged is a path that only the package puts there.
var packaged = regexp.MustCompile(`(?:/usr/(?:share|lib|bin)|/lib/systemd)/[A-Za-z0-9_./-]*[A-Za-z0-9]`)

// Each path below /usr that the documents, the unit and its neighbours name is in the package.
func TestPathsInDocuments(t *testing.T) {
	root := unpacked(t)
	named := 0
	for _, pattern := range []string{"../../README.md", "../../docs/systemd.md", "../../docs/metrics.md", "../../docs/monitoring.md", "../../docs/security.md", "../../examples/systemd/*", "../../examples/systemd/*/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no such files (%v)", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				continue // a folder
			}
			for _, path := range packaged.FindAllString(string(text), -1) {
				named++
				if _, err := os.Stat(filepath.Join(root, path)); err != nil {
					t.Errorf("%s: %s is not in the package", file, path)
				}
			}
		}
	}
	if named < 5 {
		t.Errorf("only %d paths found", named)
	}
}

// Each file of the examples is in the package: among its examples as it is, or where systemd reads it.
func TestExamplesAreThere(t *testing.T) {
	root := unpacked(t)
	have := make(map[string]bool)
	for _, text := range files(t, root) {
		have[text] = true
	}
	examples := files(t, "../../examples")
	for name, text := range examples {
		if !have[text] {
			t.Errorf("examples/%s is not in the package", name)
		}
	}
	if len(examples) < 50 {
		t.Errorf("only %d examples found", len(examples))
	}
}

// files are the texts of all files of a folder by their paths in it.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		texts[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}
