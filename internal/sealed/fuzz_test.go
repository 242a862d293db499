package sealed

import (
	"bytes"
	"testing"
)

// FuzzOpen: what opens is what was sealed, to the byte, and nothing else opens.
func FuzzOpen(f *testing.F) {
	kind := Kind{'T', 'E', 'S', 'T'}
	f.Add(Seal(kind, 1, []byte("body")))
	f.Add(Seal(kind, 2, nil))
	f.Add([]byte("TEST"))
	f.Fuzz(func(t *testing.T, b []byte) {
		version, body, err := Open(kind, 2, b)
		if err == nil && !bytes.Equal(Seal(kind, version, body), b) {
			t.Fatalf("%x opens as version %d, %x", b, version, body)
		}
	})
}
