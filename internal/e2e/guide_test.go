package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

// guideLimit is how long a command that looks may take to print what the guide shows.
const guideLimit = 30 * time.Second

// TestGuide does what docs/guide.md says, in its order, and compares what it shows with what is printed. The rules are
// in the comment at the guide's top.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	parts, err := parseGuide(string(text))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Topology: topo.FirstLight(lab.New(t), topo.Options{Reflector: true, Stored: true}), t: t}
	w.vbrd = w.StartVbrd(binary(t))
	w.eventually(20*time.Second, "the API", func() error { _, err := w.Vbrctl(binary(t), "show", "host"); return err })
	w.Lab.File("guide/customers/.keep", "") // the folder where the commands run
	commands := 0
	for _, p := range parts {
		switch {
		case p.file != "":
			w.Lab.File("guide/"+p.file, p.text)
		case p.notRun:
			t.Logf("guide.md:%d: not run: %s", p.line, strings.Split(p.text, "\n")[0])
		default:
			w.runGuide(t, p)
			commands++
		}
	}
	if commands < 20 {
		t.Errorf("only %d commands found in the guide", commands)
	}
	t.Logf("%d commands of the guide were run", commands)
}

// runGuide runs one command, again while it only looks and does not show what is expected yet.
func (w *world) runGuide(t *testing.T, p guidePart) {
	began := time.Now()
	out := ""
	look := func() (err error) {
		var status int
		out, status, err = w.guideShell(binary(t), p.host, p.command)
		if err != nil {
			return err
		}
		if status != p.status {
			return fmt.Errorf("exit status %d, want %d", status, p.status)
		}
		return p.matches(out)
	}
	limit := time.Duration(0)
	if p.looks() {
		limit = guideLimit
	}
	_, err := lab.Within(limit, look)
	t.Logf("guide.md:%d: %s# %s (%v)\n%s", p.line, p.host, p.command, time.Since(began).Round(time.Millisecond), out)
	if err != nil {
		t.Errorf("guide.md:%d: %s: %v", p.line, p.command, err)
	}
}

// guideShell runs a command line of the guide on a host and returns all that it printed.
func (w *world) guideShell(vbrd, host, command string) (out string, status int, err error) {
	script := fmt.Sprintf("export PATH=%q:$PATH VBRCTL_SOCKET=%q; cd %q && %s", filepath.Dir(vbrd), w.Socket, filepath.Join(w.Lab.Dir, "guide"), command)
	out, err = w.Lab.Namespace(host).Run("bash", "-c", "exec 2>&1; "+script)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out, exit.ExitCode(), nil
	}
	return out, 0, err
}

// guidePart is a file, a command, or a block that is not run.
type guidePart struct {
	line    int    // in the guide
	file    string // name of a file and, in text, what is in it
	notRun  bool   // text is the block
	text    string
	host    string // where command runs
	command string
	status  int // its exit status
	want    []string
}

// looks tells a command that changes nothing, whose answer may take a while to become true.
func (p guidePart) looks() bool {
	return regexp.MustCompile(`^(vbrctl (show|explain|events|history|diff|get)|ip|ping) `).MatchString(p.command + " ")
}

// matches is nil when each of the lines wanted is a line of out, in any order.
func (p guidePart) matches(out string) error {
	lines := strings.Split(out, "\n")
	for _, want := range p.want {
		pattern := guidePattern(want)
		at := slices.IndexFunc(lines, func(line string) bool { return pattern.MatchString(guideLine(line)) })
		if at < 0 {
			return fmt.Errorf("it does not print:\n%s", want)
		}
		lines = slices.Delete(lines, at, at+1) // a line stands for one
	}
	return nil
}

var (
	guideTimes  = regexp.MustCompile(`\b(\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)?|\b(\d+(\.\d+)?(ns|µs|ms|s|m|h|d))+\b`)
	guideBlanks = regexp.MustCompile(`\s+`)
)

// guideLine is a line with its times alike and blanks single.
func guideLine(line string) string {
	return strings.TrimSpace(guideBlanks.ReplaceAllString(guideTimes.ReplaceAllString(line, "TIME"), " "))
}

// guidePattern matches what a line of the guide stands for.
func guidePattern(line string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(guideLine(line)), `\.\.\.`, ".*") + "$")
}

var (
	guideFence  = regexp.MustCompile("^```(\\S*) ?(.*)$")
	guidePrompt = regexp.MustCompile(`^([a-z0-9-]+)# (.+?)(?: +# exit (\d+))?$`)
)

// parseGuide takes the fenced blocks apart, in their order.
func parseGuide(text string) (parts []guidePart, err error) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		fence := guideFence.FindStringSubmatch(lines[i])
		if fence == nil {
			continue
		}
		first := i + 1
		for i++; i < len(lines) && lines[i] != "```"; i++ {
		}
		if i == len(lines) {
			return nil, fmt.Errorf("guide.md:%d: a block without an end", first)
		}
		body := lines[first:i]
		block := guidePart{line: first, text: strings.Join(body, "\n") + "\n"}
		switch kind, info := fence[1], fence[2]; {
		case info == "not-run":
			block.notRun = true
			parts = append(parts, block)
		case kind == "yaml" && info != "":
			block.file = info
			parts = append(parts, block)
		case kind == "console" && info == "":
			commands, err := parseConsole(first+1, body)
			if err != nil {
				return nil, err
			}
			parts = append(parts, commands...)
		default:
			return nil, fmt.Errorf("guide.md:%d: block %q is neither console, nor yaml with a file's name, nor not-run", first, lines[first-1])
		}
	}
	return parts, nil
}

// parseConsole takes one block apart, which begins at a line of the guide.
func parseConsole(at int, body []string) (commands []guidePart, err error) {
	for i, line := range body {
		if m := guidePrompt.FindStringSubmatch(line); m != nil {
			status, _ := strconv.Atoi(m[3])
			commands = append(commands, guidePart{line: at + i, host: m[1], command: m[2], status: status})
			continue
		}
		if len(commands) == 0 {
			return nil, fmt.Errorf("guide.md:%d: output without a command: %q", at+i, line)
		}
		if last := &commands[len(commands)-1]; guideLine(line) != "" && guideLine(line) != "..." {
			last.want = append(last.want, line)
		}
	}
	return commands, nil
}

// TestGuideRules: what the guide shows is told from what it does not.
func TestGuideRules(t *testing.T) {
	parts, err := parseGuide("```yaml a.yaml\nx\n```\n```console\nedge# f -x # exit 3\na  3 up 00:00:09\n...\nb ... c\nedge# g\n```\n```console not-run\nedge# h\n```\n")
	if err != nil || len(parts) != 4 || parts[0].file != "a.yaml" || parts[1].command != "f -x" || parts[1].status != 3 || parts[2].command != "g" || !parts[3].notRun {
		t.Fatalf("%+v, %v", parts, err)
	}
	for out, same := range map[string]bool{
		"a 3 up 00:10:00\nb and  c": true, "b and c\n\n  a 3   up 01:00:00\nmore": true,
		"a 4 up 00:00:09\nb and c": false, "a 3 up 00:00:09\nb and c d": false, "a 3 up 00:00:09": false,
	} {
		if err := parts[1].matches(out); (err == nil) != same {
			t.Errorf("%q: %v", out, err)
		}
	}
	for _, bad := range []string{"```console\nno command\n```\n", "```console\nedge# f\n", "```yaml\nx\n```\n"} {
		if _, err := parseGuide(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
