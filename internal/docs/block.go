package docs

import (
	"fmt"
	"regexp"
	"strings"
)

// Block is a fenced block of a document, or an indented one.
type Block struct {
	Line     int    // of its first line of text, from 1
	Kind     string // the fence's language: "console", "yaml"; empty for none
	Info     string // what stands behind it: a file's name, "not-run: WHY"
	Indented bool   // it has no fence
	NotRun   bool   // it is marked as not run, in Info or by a comment `<!-- not-run: WHY -->` on the line before its fence
	Why      string // the reason that the mark gives
	Text     string // ends with a newline
}

var (
	fence      = regexp.MustCompile("^( *)(`{3,})([^\\s`]*) ?(.*)$")
	notRun     = regexp.MustCompile(`^not-run(?:: *(.+))?$`)
	notRunMark = regexp.MustCompile(`^<!-- not-run(?:: *(.+?))? -->$`)
	listItem   = regexp.MustCompile(`^ *([-*+]|\d+[.)]) `)
)

// Blocks takes a document's blocks, in their order. What is in an HTML comment is none. The error names name and line.
func Blocks(name, text string) (blocks []Block, err error) {
	p := blockParser{name: name, lines: strings.Split(text, "\n")}
	for p.at < len(p.lines) {
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	return p.blocks, nil
}

type blockParser struct {
	name   string
	lines  []string
	at     int
	inList bool   // the last text that was not indented was an item of a list: indented lines go on with it
	before string // the last line that was not blank
	blank  bool   // the line before was
	blocks []Block
}

// next goes on by a line, a comment or a block.
func (p *blockParser) next() error {
	line := p.lines[p.at]
	switch m := fence.FindStringSubmatch(line); {
	case strings.Contains(line, "<!--") && !strings.Contains(line, "-->"):
		for p.at < len(p.lines) && !strings.Contains(p.lines[p.at], "-->") {
			p.at++
		}
	case m != nil:
		return p.fenced(m[1], m[2], m[3], m[4])
	case strings.HasPrefix(line, "    ") && p.blank && !p.inList:
		p.indented()
		return nil
	case strings.TrimSpace(line) != "" && !strings.HasPrefix(line, " "):
		p.inList = listItem.MatchString(line)
	}
	p.see(line)
	p.at++
	return nil
}

func (p *blockParser) see(line string) {
	if p.blank = strings.TrimSpace(line) == ""; !p.blank {
		p.before = strings.TrimSpace(line)
	}
}

func (p *blockParser) fenced(indent, ticks, kind, info string) error {
	b := Block{Line: p.at + 2, Kind: kind, Info: info}
	if m := notRun.FindStringSubmatch(info); m != nil {
		b.NotRun, b.Why = true, m[1]
	} else if m := notRunMark.FindStringSubmatch(p.before); m != nil {
		b.NotRun, b.Why = true, m[1]
	}
	var text strings.Builder
	for p.at++; p.at < len(p.lines) && p.lines[p.at] != indent+ticks; p.at++ {
		text.WriteString(strings.TrimPrefix(p.lines[p.at], indent) + "\n")
	}
	if p.at == len(p.lines) {
		return fmt.Errorf("%s:%d: a block without an end", p.name, b.Line-1)
	}
	b.Text = text.String()
	p.blocks = append(p.blocks, b)
	p.see(p.lines[p.at])
	p.at++
	return nil
}

func (p *blockParser) indented() {
	b := Block{Line: p.at + 1, Indented: true}
	if m := notRunMark.FindStringSubmatch(p.before); m != nil {
		b.NotRun, b.Why = true, m[1]
	}
	var text strings.Builder
	for ; p.at < len(p.lines) && (strings.HasPrefix(p.lines[p.at], "    ") || strings.TrimSpace(p.lines[p.at]) == ""); p.at++ {
		text.WriteString(strings.TrimPrefix(p.lines[p.at], "    ") + "\n")
	}
	b.Text = strings.TrimRight(text.String(), "\n") + "\n"
	p.blocks = append(p.blocks, b)
	p.see("")
}

// commandLine is a line of a block without a language that only a command begins with.
var commandLine = regexp.MustCompile(`(?m)^(\$ |[a-z0-9-]+# |sudo |make [a-z]|go (build|run|test|tool|install) |vbrctl [a-z]|vbrd( |$)|bin/|ip [a-z-]|systemctl |apt(-get)? |docker |containerlab )`)

// IsCommands tells a block that a reader would type in: one in a shell's language, or one without a language that looks like it.
func (b Block) IsCommands() bool {
	switch b.Kind {
	case "sh", "bash", "shell", "console", "zsh":
		return true
	case "":
		return commandLine.MatchString(b.Text)
	}
	return false
}
