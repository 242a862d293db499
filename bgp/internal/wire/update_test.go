package wire

import (
	"bytes"
	"testing"
)

// good is a well-formed UPDATE of 700 prefixes.
func good() []byte {
	attrs := []byte{0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfe, 0x35, 0x40, 3, 4, 192, 0, 2, 9, 0xc0, 8, 4, 0, 1, 0, 2}
	b := append([]byte{0, 0, 0, byte(len(attrs))}, attrs...)
	for i := range 700 {
		b = append(b, 32, 20, 0, byte(i>>8), byte(i))
	}
	return b
}

// What is well-formed is handed on as it is, at next to no cost: nothing is copied.
func TestWellFormedIsNotCopied(t *testing.T) {
	s := Session{AS4: true, Families: []Family{IPv4, IPv6}}
	body := good()
	before := bytes.Clone(body)
	if n := testing.AllocsPerRun(100, func() {
		if out, v := s.Update(body); out != nil || v.Action != Pass || v.Why != "" {
			t.Fatalf("%v %+v", out, v)
		}
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
	if !bytes.Equal(body, before) {
		t.Error("the body was changed")
	}
}

func BenchmarkUpdate(b *testing.B) {
	s := Session{AS4: true, Families: []Family{IPv4, IPv6}}
	body := good()
	b.ReportAllocs()
	for b.Loop() {
		s.Update(body)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*700), "ns/route")
}
