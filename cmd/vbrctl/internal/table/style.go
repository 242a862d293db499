package table

import (
	"strconv"
	"strings"
	"unicode"
)

// Style is how a word looks where colours are on.
type Style uint8

// The styles. Good, Warn and Bad are green, yellow and red.
const (
	Plain Style = iota
	Good
	Warn
	Bad
	Bold
	Dim
)

// codes are the styles' SGR parameters (ECMA-48 8.3.117).
var codes = [...]string{Plain: "", Good: "32", Warn: "33", Bad: "31", Bold: "1", Dim: "2"}

// Palette knows whether colours are on.
type Palette struct{ Color bool }

// Paint returns clean text in a style.
func (p Palette) Paint(s Style, text string) string {
	text = Clean(text)
	if !p.Color || s == Plain || text == "" {
		return text
	}
	return "\x1b[" + codes[s] + "m" + text + "\x1b[0m"
}

// Clean writes out every character that is not printed, such as ESC and line ends, as Go would quote it: a peer's or
// a tenant's text must not move the cursor or add lines.
func Clean(text string) string {
	if strings.IndexFunc(text, unprintable) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unprintable(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }
