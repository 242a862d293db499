package config

import (
	"cmp"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/openvbr/openvbr/internal/docs"
)

// TestSettingsDocument: docs/settings.md has each setting in the words of the reference, whose every key and default other tests hold to the code.
func TestSettingsDocument(t *testing.T) {
	text, err := os.ReadFile("../../examples/config/reference/vbrd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := reference{t: t, lines: strings.Split(string(text), "\n")}
	docs.CheckGenerated(t, "../../docs/settings.md", "TestSettingsDocument", r.table(keys(), "", ""))
}

// reference reads the comments of a settings file, in the order of the keys.
type reference struct {
	t     *testing.T
	lines []string
	at    int
}

// table has a row for each key; prefix is the name of the list that they are in.
func (r *reference) table(all []key, prefix, in string) string {
	out := ""
	if prefix == "" {
		out = "| setting | legal | default | flag | environment | |\n|---|---|---|---|---|---|\n"
	}
	for _, k := range all {
		name, variable := prefix+dotted(k.path), "`"+k.variable()+"`"
		if k.shape == objects || in != "" {
			variable = "-" // lists of sections stand in the file only
		}
		flag := "-"
		if k.flag != "" {
			flag = "`--" + k.flag + "`"
		}
		cells := []string{"`" + name + "`", k.legal, cmp.Or(k.value, "-"), flag, variable, k.without(r.comment(k))}
		for i := range cells {
			cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
		}
		out += "| " + strings.Join(cells, " | ") + " |\n"
		if k.shape == objects {
			out += r.table(k.of, name+"[].", name)
		}
	}
	return out
}

// without leaves out of a comment what the table has in other columns.
func (k key) without(comment string) string {
	for _, sentence := range []string{" Flag --" + k.flag + ".", " Default: " + k.value + ".", " " + k.legal + ".", k.legal + ". "} {
		comment = strings.Replace(comment, sentence, "", 1)
	}
	return strings.TrimSpace(comment)
}

var (
	keyLine     = regexp.MustCompile(`^[# ]*(- )?([a-z0-9_]+):`)
	commentLine = regexp.MustCompile(`^[# ]*(?:- )?# ?(.*)$`)
)

// comment is the text above a key, below at; keys of the same comment may stand between.
func (r *reference) comment(k key) string {
	r.t.Helper()
	last := k.path[strings.LastIndex(k.path, ":")+1:]
	for i := r.at; i < len(r.lines); i++ {
		if m := keyLine.FindStringSubmatch(r.lines[i]); m == nil || m[2] != last {
			continue
		}
		r.at = i
		for up := i - 1; up >= max(0, i-4); up-- {
			if !isKey(r.lines[up]) {
				return r.above(up)
			}
		}
		break
	}
	r.t.Errorf("the reference has no %s behind line %d", k.path, r.at+1)
	return ""
}

// isKey tells a setting, or a section of some, from a comment that begins with a word and a colon.
func isKey(line string) bool {
	m := keyLine.FindStringSubmatch(line)
	if m == nil {
		return false
	}
	for _, k := range slices.Concat(keys(), peerKeys(), roleKeys()) {
		if slices.Contains(strings.Split(k.path, delimiter), m[2]) {
			return true
		}
	}
	return false
}

// above is the block of comments that ends at a line, as one line of text without what the table has already.
func (r *reference) above(end int) string {
	begin := end
	for begin >= 0 && commentLine.MatchString(r.lines[begin]) && !isKey(r.lines[begin]) {
		begin--
	}
	var words []string
	for _, line := range r.lines[begin+1 : end+1] {
		words = append(words, commentLine.FindStringSubmatch(line)[1])
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}
