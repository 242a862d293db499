package gobgp

import (
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzFar: packets of strangers, of which the raw sockets see copies while a neighbour with GTSM has no session.
func FuzzFar(f *testing.F) {
	f.Add([]byte{0x45, 19: 0, 33: tcpSYN}, []byte{20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0x4f, 19: 0}, []byte{})
	f.Fuzz(func(t *testing.T, packet, control []byte) {
		for _, from := range []unix.Sockaddr{&unix.SockaddrInet4{Addr: [4]byte{10, 0, 0, 2}}, &unix.SockaddrInet6{}, &unix.SockaddrUnix{}} {
			if a, segment := source(from, true, packet); !a.IsValid() && segment != nil || len(segment) > len(packet) {
				t.Fatalf("%v: %d octets of %d", a, len(segment), len(packet))
			}
		}
		arrivedWith(control)
	})
}
