package docs

import (
	"os"
	"strings"
	"testing"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// TestKinds: docs/resources.md has each kind of resource, with a link to all its fields.
func TestKinds(t *testing.T) {
	text, err := os.ReadFile(root + "/docs/resources.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := Rows(string(text), "Kinds")[1:]
	if len(rows) != len(vbrv1.Kinds()) {
		t.Errorf("%d kinds, want %d", len(rows), len(vbrv1.Kinds()))
	}
	for i, k := range vbrv1.Kinds() {
		if i < len(rows) && (Code(rows[i][0]) != vbrv1.KindName(k) || !strings.Contains(rows[i][2], "(api.md#vbr-v1-"+vbrv1.KindName(k)+")")) {
			t.Errorf("row %d is %q, want %s", i, rows[i], vbrv1.KindName(k))
		}
	}
}
