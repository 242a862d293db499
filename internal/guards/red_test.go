//go:build guards

package guards

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
)

var only = flag.String("only", "", "a regular expression: the guards whose names it matches; all without")

const (
	// within is how long a test may take, with its compilation before it.
	within = 3 * time.Minute
	// testWithin is how long it may run: one that hangs without the guard shows nothing.
	testWithin = "90s"
)

// chosen are the guards that were asked for.
func chosen(t *testing.T) []guard {
	t.Helper()
	match, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	l := slices.DeleteFunc(all(), func(g guard) bool { return !match.MatchString(g.name) })
	if len(l) == 0 {
		t.Fatalf("-only %q matches no guard", *only)
	}
	return l
}

// With the guards in place the tests pass; without any one of them its test goes red.
func TestRed(t *testing.T) {
	guards := chosen(t)
	tests := map[string][]string{}
	for _, g := range guards {
		if f := g.function(); !slices.Contains(tests[g.pkg], f) {
			tests[g.pkg] = append(tests[g.pkg], f)
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(tests)) {
		began := time.Now()
		if out, err := goTest(pkg, "^("+strings.Join(tests[pkg], "|")+")$", ""); err != nil {
			t.Fatalf("%s, unchanged: %v\n%s", pkg, err, out)
		}
		fmt.Printf("%-72s %-36s green after %.1f s\n", "unchanged: "+pkg, fmt.Sprintf("%d tests", len(tests[pkg])), time.Since(began).Seconds())
	}
	for _, g := range guards {
		began := time.Now()
		why, err := g.red(t.TempDir())
		took := time.Since(began).Seconds()
		if err != nil {
			t.Errorf("%s: %v", g.name, err)
			fmt.Printf("%-72s %-36s NOT RED after %.1f s\n", g.name, g.test, took)
			continue
		}
		fmt.Printf("%-72s %-36s red after %.1f s: %s\n", g.name, g.test, took, why)
	}
}

// red runs the guard's test without the guard, and returns what the test says, or why it did not fail.
func (g *guard) red(dir string) (why string, err error) {
	source, err := os.ReadFile(filepath.Join(root, g.file))
	if err != nil {
		return "", err
	}
	text, err := g.without(string(source))
	if err != nil {
		return "", err
	}
	overlay, err := overlayOf(dir, g.file, text)
	if err != nil {
		return "", err
	}
	out, err := goTest(g.pkg, exactly(g.test), overlay)
	var failed *exec.ExitError
	switch {
	case err == nil:
		return "", fmt.Errorf("%s passes without it\n%s", g.test, out)
	case !errors.As(err, &failed) || strings.Contains(out, "panic: test timed out"):
		return "", fmt.Errorf("%s does not end without it: %w\n%s", g.test, err, out)
	case !strings.Contains(out, "--- FAIL: "+g.function()) && !strings.Contains(out, "panic: "): // where the guard is against panics, the process ends
		return "", fmt.Errorf("%s neither passes nor fails: %w\n%s", g.test, err, out)
	}
	return firstComplaint(out), nil
}

// overlayOf writes the changed copy of a file and the overlay that puts it in its place (go help build).
func overlayOf(dir, file, text string) (path string, err error) {
	original, err := filepath.Abs(filepath.Join(root, file))
	if err != nil {
		return "", err
	}
	changed, path := filepath.Join(dir, filepath.Base(file)), filepath.Join(dir, "overlay.json")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	return path, errors.Join(err, os.WriteFile(changed, []byte(text), 0o600), os.WriteFile(path, overlay, 0o600))
}

// goTest runs tests of a package that match, with an overlay if there is one.
func goTest(pkg, match, overlay string) (out string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	args := []string{"test", "-count=1", "-vet=off", "-timeout", testWithin, "-run", match}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir, cmd.WaitDelay = root, time.Second
	b, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("not within %v", within)
	}
	return string(b), err
}

// exactly is the pattern of one test, or of one subtest.
func exactly(test string) string {
	parts := strings.Split(test, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

// firstComplaint is the first line that says what is wrong.
func firstComplaint(out string) string {
	for line := range strings.Lines(out) {
		place, text, found := strings.Cut(strings.TrimSpace(line), ": ")
		if found && strings.Contains(place, "_test.go:") && text != "exit status 1" { // that is a test in a process of its own
			return short(place + ": " + text)
		}
	}
	if _, text, found := strings.Cut(out, "panic: "); found {
		text, _, _ = strings.Cut(text, "\n")
		return short("panic: " + text)
	}
	return "no text"
}

// short is a text for one line of a terminal.
func short(text string) string {
	const most = 100
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '.'
		}
		return r
	}, text)
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "..."
	}
	return text
}
