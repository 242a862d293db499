package docs

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Link is where a document leads to.
type Link struct {
	Line   int
	Target string // as written: "guide.md#undo"
}

var (
	linkForm   = regexp.MustCompile(`\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)`)
	hrefForm   = regexp.MustCompile(`(?:href|src)="([^"]+)"`)
	inlineCode = regexp.MustCompile("`[^`]*`")
	heading    = regexp.MustCompile(`^#{1,6} +(.*?)(?: +#+)?$`)
	named      = regexp.MustCompile(`<a (?:name|id)="([^"]+)"`)
	markup     = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)|<[^>]*>`)
)

// Prose is a document line by line without its fenced blocks and multi-line comments, whose lines are empty.
func Prose(text string) []string {
	lines := strings.Split(text, "\n")
	fenced, comment := "", false
	for i, line := range lines {
		m := fence.FindStringSubmatch(line)
		switch {
		case comment:
			comment, lines[i] = !strings.Contains(line, "-->"), ""
		case fenced != "":
			if line == fenced {
				fenced = ""
			}
			lines[i] = ""
		case m != nil:
			fenced, lines[i] = m[1]+m[2], ""
		case strings.Contains(line, "<!--") && !strings.Contains(line, "-->"):
			comment, lines[i] = true, ""
		}
	}
	return lines
}

// Links are all links and pictures of a document, but for what is code.
func Links(text string) (links []Link) {
	for i, line := range Prose(text) {
		line = inlineCode.ReplaceAllString(line, "``")
		for _, form := range []*regexp.Regexp{linkForm, hrefForm} {
			for _, m := range form.FindAllStringSubmatch(line, -1) {
				links = append(links, Link{i + 1, m[1]})
			}
		}
	}
	return links
}

// Anchors are what a link to the document may have behind its #: its headings, as GitHub names them, and its named places.
func Anchors(text string) map[string]bool {
	anchors := make(map[string]bool)
	for _, line := range Prose(text) {
		if m := heading.FindStringSubmatch(line); m != nil {
			slug := slugOf(m[1])
			if anchors[slug] {
				for n := 1; ; n++ {
					if next := fmt.Sprintf("%s-%d", slug, n); !anchors[next] {
						slug = next
						break
					}
				}
			}
			anchors[slug] = true
		}
		for _, m := range named.FindAllStringSubmatch(line, -1) {
			anchors[m[1]] = true
		}
	}
	return anchors
}

// slugOf is the name of a heading: lower case, blanks as hyphens, nothing but letters, digits, hyphens and underscores.
func slugOf(title string) string {
	title = markup.ReplaceAllString(title, "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}
