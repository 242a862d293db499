package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/openvbr/openvbr/internal/docs"
)

// documented finds a vbrctl's words in a line of a document's block, up to where the shell goes on with something else.
var documented = regexp.MustCompile(`(?:^|[#$] |\| |sudo |bin/)vbrctl ((?:[^|>;#]|->)*)`)

// TestDocumentedCommands: each vbrctl in a block of a document, run by a test or not, is a command with flags and arguments that there are.
func TestDocumentedCommands(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		blocks, err := docs.Blocks(file, string(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks {
			if !b.IsCommands() {
				continue
			}
			for i, line := range strings.Split(b.Text, "\n") {
				for _, m := range documented.FindAllStringSubmatch(line, -1) {
					found++
					if err := wellFormed(t, m[1]); err != nil {
						t.Errorf("%s:%d: vbrctl %s: %v", file, b.Line+i, m[1], err)
					}
				}
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d commands found", found)
	}
}

// wellFormed is nil when vbrctl would take the words. It does nothing else.
func wellFormed(t *testing.T, line string) error {
	t.Helper()
	root := testApp().root() // flags keep their values
	found, args, err := root.Find(words(t, strings.Join(strings.Fields(line), " ")))
	if err != nil {
		return err
	}
	if err := found.ParseFlags(args); err != nil {
		return err
	}
	if found.HasSubCommands() && found.Flags().NArg() > 0 {
		return unknownCommand(found, found.Flags().Args())
	}
	return found.ValidateArgs(found.Flags().Args())
}
