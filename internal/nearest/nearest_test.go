package nearest_test

import (
	"testing"

	"github.com/openvbr/openvbr/internal/nearest"
)

func TestOf(t *testing.T) {
	names := []string{"vbr-acme", "vbr-beta", "x"}
	for word, want := range map[string]string{"vbr-acm": "vbr-acme", "vbracme": "vbr-acme", "vbr-btea": "vbr-beta", "zzz": "", "": "", "y": ""} {
		if got := nearest.Of(word, names); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
