package link

import (
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzDecoders: no message panics, whatever is in it: of routing rules, addresses, counters, qdiscs and filters.
func FuzzDecoders(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 255, 0, 0, 1, 0, 0, 0, 0, 8, 0, 6, 0, 1, 0, 0, 0, 5, 0, 19, 0, 1, 0, 0, 0, 5, 0, 21, 0, 86, 0, 0, 0})
	f.Add([]byte{2, 30, 0, 0, 7, 0, 0, 0, 8, 0, 1, 0, 10, 0, 0, 1, 8, 0, 2, 0, 10, 0, 0, 1, 5, 0, 11, 0, 86})
	f.Add([]byte{0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 1, 0, 't', 'b', 'f', 0, 4, 0, 2, 0})
	f.Add([]byte{0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0, 1, 0, 'i', 'n', 'g', 'r', 'e', 's', 's', 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if attrs, err := parseAttrs(b, unix.SizeofRtMsg); err == nil && len(b) >= unix.SizeofRtMsg {
			parseRule(b, attrs)
		}
		if a, err := parseAddr(b); err == nil && a.prefix.IsValid() && a.prefix.Bits() > 128 {
			t.Fatalf("%v", a.prefix)
		}
		_, _ = parseCounters(b)
		_, _ = parseQdisc(b)
		_, _ = isControlFilter(b, nil)
		_ = new(ingress).add(b)
	})
}
