package source

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// Limits of what is read; beyond them a file or document is refused as a whole.
const (
	MaxFileSize     = 8 << 20  // bytes of one file
	MaxDocuments    = 10_000   // documents in one file
	MaxDocumentSize = 64 << 10 // bytes of one document
	MaxDepth        = 32       // levels of nesting
)

// chunk is the text of one document and the number of lines before it.
type chunk struct {
	text []byte
	line int
}

// split cuts a file at its "---" lines. By YAML 1.2 section 9.1.2 such a line is a document marker wherever it
// stands, so this needs no parser. The marker's own line stays in the chunk (it may carry content or a comment),
// with the marker blanked out.
func split(text []byte) []chunk {
	var chunks []chunk
	start, first, line := 0, 0, 0
	for at := 0; at < len(text); line++ {
		end := len(text)
		if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if isMarker(text[at:end], "---") {
			if at > start {
				chunks = append(chunks, chunk{text[start:at], first})
			}
			start, first = at, line
			copy(text[at:], "   ")
		} else if isMarker(text[at:end], "...") {
			copy(text[at:], "   ")
		}
		at = end
	}
	return append(chunks, chunk{text[start:], first})
}

// isMarker tells whether a line begins with the marker, followed by space or its end.
func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || bytes.ContainsAny(rest[:1], " \t\n"))
}

// clean checks the file as a whole and returns a private copy without byte order mark and carriage returns.
func clean(file string, text []byte) ([]byte, *Problem) {
	if len(text) > MaxFileSize {
		p := tooLarge(file, int64(len(text)))
		return nil, &p
	}
	if bad := invalidAt(text); bad >= 0 {
		line := 1 + bytes.Count(text[:bad], []byte("\n"))
		col := bad - bytes.LastIndexByte(text[:bad], '\n')
		return nil, &Problem{Pos: Pos{file, line, col}, Value: fmt.Sprintf("byte %#02x", text[bad]),
			Text: "not a text file", Legal: "UTF-8 without control characters"}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), nil
}

// invalidAt returns the offset of the first byte that is no UTF-8 or a control character YAML does not allow, or -1.
func invalidAt(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		lone := r == '\r' && (i+1 == len(text) || text[i+1] != '\n')
		if r == utf8.RuneError && size == 1 || lone || r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f {
			return i
		}
		i += size
	}
	return -1
}

func tooLarge(file string, size int64) Problem {
	return Problem{Pos: Pos{File: file}, Value: fmt.Sprintf("%d bytes", size), Text: "file is too large",
		Legal: fmt.Sprintf("at most %d bytes (8 MiB)", MaxFileSize)}
}
