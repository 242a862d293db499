package docs

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Rules of a document that is run from its top, by Parse:
//
//	```yaml FILE          the file is written; any other language will do
//	```console            each line `HOST# COMMAND` is a command for HOST. Its exit status is 0, or N if it ends in `# exit N`
//	```... not-run: WHY   nothing is done
//
// The lines below a command are what it prints: each must occur, in any order, and others may. Blanks count as one, all times and ages are
// alike, and ... stands for any text; a line with nothing else is skipped.

// Part is a file, a command, or a block that is not run.
type Part struct {
	Line    int    // in the document
	File    string // name of a file and, in Text, what is in it
	NotRun  bool   // Text is the block
	Text    string
	Host    string // where Command runs
	Command string
	Status  int // its exit status
	Want    []string
}

// Looks tells a command that changes nothing, whose answer may take a while to become true.
func (p Part) Looks() bool {
	return regexp.MustCompile(`^(vbrctl (show|explain|events|history|diff|get)|ip( netns exec \S+ (ping|ip))?|ping|birdc) `).MatchString(p.Command+" ") && !changesLinks.MatchString(p.Command)
}

// changesLinks are commands of ip that do not only look.
var changesLinks = regexp.MustCompile(`^ip .*\b(add|del|set|up)\b`)

// Matches is nil when each of the lines wanted is a line of out, in any order.
func (p Part) Matches(out string) error {
	lines := strings.Split(out, "\n")
	for _, want := range p.Want {
		pattern := linePattern(want)
		at := slices.IndexFunc(lines, func(line string) bool { return pattern.MatchString(plainLine(line)) })
		if at < 0 {
			return fmt.Errorf("it does not print:\n%s", want)
		}
		lines = slices.Delete(lines, at, at+1) // a line stands for one
	}
	return nil
}

var (
	times  = regexp.MustCompile(`\b(\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)?|\b(\d+(\.\d+)?(ns|µs|ms|s|m|h|d))+\b`)
	blanks = regexp.MustCompile(`\s+`)
	prompt = regexp.MustCompile(`^([a-z0-9-]+)# (.+?)(?: +# exit (\d+))?$`)
)

// plainLine is a line with its times alike and blanks single.
func plainLine(line string) string {
	return strings.TrimSpace(blanks.ReplaceAllString(times.ReplaceAllString(line, "TIME"), " "))
}

// linePattern matches what a line of the document stands for.
func linePattern(line string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(plainLine(line)), `\.\.\.`, ".*") + "$")
}

// Parse takes a document apart that is run from its top. Errors name name, line and what would be right.
func Parse(name, text string) (parts []Part, err error) {
	blocks, err := Blocks(name, text)
	if err != nil {
		return nil, err
	}
	for _, b := range blocks {
		if b.Indented && !b.IsCommands() {
			continue
		}
		block := Part{Line: b.Line, Text: b.Text}
		switch {
		case b.NotRun:
			block.NotRun = true
			parts = append(parts, block)
		case b.Kind == "" && b.Info == "" && !b.IsCommands(): // a drawing
		case b.Kind != "console" && b.Kind != "" && b.Info != "":
			block.File = b.Info
			parts = append(parts, block)
		case b.Kind == "console" && b.Info == "":
			commands, err := parseConsole(name, b)
			if err != nil {
				return nil, err
			}
			parts = append(parts, commands...)
		default:
			return nil, fmt.Errorf("%s:%d: block %q is neither console, nor one with a file's name, nor not-run", name, b.Line, strings.TrimSpace(b.Kind+" "+b.Info))
		}
	}
	return parts, nil
}

// parseConsole takes one block apart.
func parseConsole(name string, b Block) (commands []Part, err error) {
	for i, line := range strings.Split(strings.TrimSuffix(b.Text, "\n"), "\n") {
		if m := prompt.FindStringSubmatch(line); m != nil {
			status, _ := strconv.Atoi(m[3])
			commands = append(commands, Part{Line: b.Line + i, Host: m[1], Command: m[2], Status: status})
			continue
		}
		if len(commands) == 0 {
			return nil, fmt.Errorf("%s:%d: output without a command: %q", name, b.Line+i, line)
		}
		if last := &commands[len(commands)-1]; plainLine(line) != "" && plainLine(line) != "..." {
			last.Want = append(last.Want, line)
		}
	}
	return commands, nil
}
