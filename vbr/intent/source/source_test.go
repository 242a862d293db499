package source_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// render prints a tree with positions, one value a line.
func render(n *source.Node, path string) string {
	place := fmt.Sprintf("%d:%d %s", n.Pos.Line, n.Pos.Col, path)
	var b strings.Builder
	switch n.Kind {
	case source.Map:
		for _, e := range n.Entries {
			b.WriteString(render(e.Value, path+"."+e.Key))
		}
	case source.List:
		for i, item := range n.Items {
			b.WriteString(render(item, fmt.Sprintf("%s[%d]", path, i)))
		}
	default:
		fmt.Fprintf(&b, "%s = %s %q\n", place, n.Kind, n.Text)
	}
	return b.String()
}

func TestParse(t *testing.T) {
	const text = "# a comment\nkind: A\nn: 007\nyes: no\n---\n\n--- # second\nlist:\n  - {a: 1, b: \"x y\"}\n  - 10.0.0.0/8\r\nempty:\n...\n---\nt: 64600:5001\n"
	docs, problems := source.Parse("f", []byte(text))
	if problems != nil {
		t.Fatal(problems)
	}
	var got strings.Builder
	for _, d := range docs {
		got.WriteString(render(d, ""))
	}
	want := `2:7 .kind = a single value "A"
3:4 .n = a single value "007"
4:6 .yes = a single value "no"
9:9 .list[0].a = a single value "1"
9:15 .list[0].b = a single value "x y"
10:5 .list[1] = a single value "10.0.0.0/8"
11:1 .empty = no value ""
14:4 .t = a single value "64600:5001"
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error("-want +got", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	tests := []struct{ name, text, want string }{
		{"bad: anchor and alias", "a: &x 1\nb: *x\n", `f:1:4: "&": anchors, aliases and merge keys are not accepted; legal: the value itself
f:2:4: "*": anchors, aliases and merge keys are not accepted; legal: the value itself`},
		{"bad: merge key", "a: {}\n<<: {b: 1}\n", `f:2:1: "<<": anchors, aliases and merge keys are not accepted; legal: the value itself`},
		{"bad: tag", "a: !!binary aGk=\n", `f:1:4: "!!binary": tags are not accepted; legal: the value without a tag`},
		{"bad: directive", "%YAML 1.2\n---\na: 1\n", `f:1:1: directives are not accepted; legal: documents without %YAML and %TAG`},
		{"bad: complex key", "? a\n: b\n", `f:1:1: complex keys are not accepted; legal: key: value`},
		{"bad: a key twice", "a: 1\nb: 2\na: 3\n", `f:3:1: key "a" is given twice, first at f:1:1`},
		{"bad: unclosed bracket", "a: [1, 2\n", `f:1:4: not YAML: sequence end token ']' not found`},
		{"bad: each document has its own syntax error", "a: [1\n---\nb: 1\n---\nc: {1\n", `f:1:4: not YAML: sequence end token ']' not found
f:5:5: not YAML: could not find flow map content`},
		{"bad: tab as indentation", "a:\n\tb: 1\n", `f:2:1: not YAML: found character '\t' that cannot start any token`},
		{"bad: deep brackets", "a: " + deep, `f:1:36: nested too deeply; legal: at most 32 levels`},
		{"bad: deep list", strings.Repeat("- ", 300) + "a\n", `f:1:257: nested too deeply; legal: at most 32 levels`},
		{"bad: deep indentation", strings.Repeat("- ", 40) + "a\n", `f:1:65: nested too deeply; legal: at most 32 levels`},
		{"bad: not UTF-8", "a: 1\nb: \xff\n", `f:2:4: byte 0xff: not a text file; legal: UTF-8 without control characters`},
		{"bad: NUL", "a: \x00\n", `f:1:4: byte 0x00: not a text file; legal: UTF-8 without control characters`},
		{"bad: large document", "a: 1\n---\na: " + strings.Repeat("x", 70000), `f:2: document of 70007 bytes is too large; legal: at most 65536 bytes (64 KiB); separate documents by ---`},
		{"bad: large file", strings.Repeat("\n", 8<<20+1), `f: 8388609 bytes: file is too large; legal: at most 8388608 bytes (8 MiB)`},
		{"bad: many documents", strings.Repeat("---\n", 10002), `f: 10002 documents: too many documents in one file; legal: at most 10000`},
		{"OK: nothing", "", ""},
		{"OK: comments only", "# a\n---\n# b\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := source.Parse("f", []byte(tt.text))
			if diff := cmp.Diff(tt.want, problems.Error()); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
}

// TestParseStaysFast feeds what is slow or deep in the parser below, at the size limits.
func TestParseStaysFast(t *testing.T) {
	keys := &strings.Builder{}
	for i := 0; keys.Len() < source.MaxDocumentSize-32; i++ {
		fmt.Fprintf(keys, "k%d: v\n", i)
	}
	for name, text := range map[string]string{
		"keys":    keys.String(),
		"colons":  strings.Repeat("a: ", source.MaxDocumentSize/3),
		"dashes":  strings.Repeat("- ", source.MaxDocumentSize/2),
		"marks":   strings.Repeat("? ", source.MaxDocumentSize/2),
		"braces":  strings.Repeat("{a: ", source.MaxDocumentSize/4),
		"tags":    strings.Repeat("!a ", source.MaxDocumentSize/3),
		"anchors": strings.Repeat("&a ", source.MaxDocumentSize/3),
		"flow":    "[" + strings.Repeat("a: ,", source.MaxDocumentSize/5) + "]",
	} {
		start := time.Now()
		source.Parse(name, []byte(text))
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s: 64 KiB took %v", name, d)
		} else {
			t.Logf("%s: %v", name, d)
		}
	}
}

func TestSuggest(t *testing.T) {
	keys := []string{"name", "peer_asn", "peer_ip_address", "vlan_id", "auth_key_file", "hold", "keepalive"}
	for word, want := range map[string]string{
		"peer_ans": "peer_asn", "PeerAsn": "peer_asn", "peer-asn": "peer_asn", "vlan": "vlan_id", "auth_key": "auth_key_file",
		"hodl": "hold", "nmae": "name", "keepalive_time": "keepalive", "peer": "", "colour": "", "x": "", "": "",
	} {
		if got := source.Suggest(word, keys); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", word, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("kind: A\nlist: [1, {a: b}]\n---\nx: |\n  y\n")
	f.Add("a: &x [*x]\n")
	f.Add("- - ? !t : <<")
	f.Add("\"\\x00\": '\n---\n'")
	f.Fuzz(func(t *testing.T, text string) {
		docs, problems := source.Parse("f", []byte(text))
		for _, d := range docs {
			render(d, "")
		}
		problems.Sort()
		_ = problems.Error()
	})
}
