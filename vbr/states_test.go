package vbr

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// documented are the rows, by state, of the table of docs/states.md whose columns are these events: those below end, in their order.
func documented[E interface {
	~uint8
	fmt.Stringer
}](t *testing.T, end E) map[string][]string {
	t.Helper()
	doc, err := os.ReadFile("../docs/states.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string][]string)
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) == int(end)+1 {
			rows[cells[0]] = cells[1:]
		}
	}
	for e := range end {
		if got := rows["state"]; got == nil || got[e] != e.String() {
			t.Fatalf("docs/states.md: column %d of %q is not %s", e, got, e)
		}
	}
	return rows
}
