package probe

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequestOnTheWire(t *testing.T) {
	r := request{target: netip.MustParseAddr("192.0.2.1"), seq: 0x0102, nonce: 0x1112131415161718, size: 10}
	b := r.marshal(0x0a0b)
	want := []byte{8, 0, b[2], b[3], 0x0a, 0x0b, 1, 2, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0, 0}
	if diff := cmp.Diff(want, b); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if sum := checksum(b); sum != 0 {
		t.Errorf("checksum over the whole is %#x, want 0", sum)
	}
	r.target = netip.MustParseAddr("2001:db8::1")
	if b := r.marshal(1); b[0] != 128 || b[2] != 0 || b[3] != 0 {
		t.Errorf("ICMPv6 request % x: want type 128 and no checksum", b[:4])
	}
}

// answer makes a request's reply.
func answer(v4 bool) []byte {
	target := netip.MustParseAddr("2001:db8::1")
	if v4 {
		target = netip.MustParseAddr("192.0.2.1")
	}
	b := request{target: target, seq: 7, nonce: 9, size: 20}.marshal(5)
	b[0] = echoReply6
	if v4 {
		b[0] = echoReply4
	}
	return b
}

func TestParseReply(t *testing.T) {
	header := make([]byte, 24) // with an option
	header[0] = 0x46
	want := reply{id: 5, seq: 7, nonce: 9}
	for _, c := range []struct {
		name       string
		b          []byte
		v4, header bool
		ok         bool
	}{
		{"OK ipv4", answer(true), true, false, true},
		{"OK ipv6", answer(false), false, false, true},
		{"OK ipv4 with header and options", append(header, answer(true)...), true, true, true},
		{"OK cut off behind the nonce", answer(true)[:16], true, false, true},
		{"bad: cut off in the nonce", answer(true)[:15], true, false, false},
		{"bad: empty", nil, true, true, false},
		{"bad: header longer than the packet", []byte{0x4f, 19: 0}, true, true, false},
		{"bad: the other family's", answer(true), false, false, false},
		{"bad: a request", request{target: netip.MustParseAddr("192.0.2.1"), size: 8}.marshal(5), true, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := parseReply(c.b, c.v4, c.header)
			if ok != c.ok || ok && got != want {
				t.Errorf("got %+v %t, want %+v %t", got, ok, want, c.ok)
			}
		})
	}
}

func FuzzParseReply(f *testing.F) {
	f.Add(answer(true), true, false)
	f.Add(append([]byte{0x45, 19: 0}, answer(true)...), true, true)
	f.Add(answer(false), false, false)
	f.Fuzz(func(_ *testing.T, b []byte, v4, header bool) { parseReply(b, v4, header) })
}

// FuzzMeaning: the kernel's word of an ICMP error, in which the network has a say.
func FuzzMeaning(f *testing.F) {
	f.Add([]byte{113, 0, 0, 0, originICMP, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{90, 0, 0, 0, originICMP6, 2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 16 { // SizeofSockExtendedErr: what is shorter is left out before
			return
		}
		if a, ok := meaning(b); ok && a.Outcome == Lost {
			t.Fatalf("%x means nothing: %+v", b, a)
		}
	})
}
