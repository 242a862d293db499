package fib_test

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/fib"
	"github.com/openvbr/openvbr/fib/fibtest"
)

// interrupted is a kernel of which, once, the nexthop objects are read, and then something happens before the reader has them all.
type interrupted struct {
	*fibtest.Kernel
	then func()
}

type interruptedSocket struct {
	fib.Socket
	kernel *interrupted
}

func (k *interrupted) Dial() (fib.Socket, error) {
	s, err := k.Kernel.Dial()
	return &interruptedSocket{s, k}, err
}

func (s *interruptedSocket) Send(b []byte) error {
	err := s.Socket.Send(b)
	if then := s.kernel.then; then != nil && binary.NativeEndian.Uint16(b[4:]) == unix.RTM_GETNEXTHOP {
		s.kernel.then = nil
		then()
	}
	return err
}

// TestDeletedWhileRead: the last route goes, and with it a group and a gateway, while another goroutine reads what there is. It does not take them for
// a predecessor's.
func TestDeletedWhileRead(t *testing.T) {
	const route = "10.1.0.0/16 -> 10.0.0.2 east"
	for _, tt := range []struct {
		name string
		read func(*bench) error
		do   func(*bench) // while it is read
		left int          // gateways
	}{
		{"collect", func(b *bench) error { _, err := b.f.Collect(b.t.Context()); return err }, func(b *bench) { b.do("10.1.0.0/16") }, 0},
		{"audit", func(b *bench) error { _, err := b.f.Table(10002).Audit(b.t.Context()); return err }, func(b *bench) { b.do("10.1.0.0/16") }, 0},
		{"failed", func(b *bench) error { _, err := b.f.Table(10002).Audit(b.t.Context()); return err }, func(b *bench) { b.fail("10.0.0.2 east") }, 0},
		{"made anew", func(b *bench) error { _, err := b.f.Collect(b.t.Context()); return err }, func(b *bench) { b.do("10.1.0.0/16"); b.do(route) }, 1},
		{"made anew with the same ids, and read again", func(b *bench) error { _, err := b.f.Collect(b.t.Context()); return err }, func(b *bench) {
			b.do("10.1.0.0/16")
			b.f.SetNextID(1)
			b.do(route)
			b.audit(fib.Drift{})
		}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newFake()
			k := &interrupted{Kernel: w.Kernel}
			f := open(t, k, nil)
			b := &bench{t, w, f, f.Table(table)}
			b.do(route)
			k.then = func() { tt.do(b) }
			noError(t, tt.read(b))
			if c := b.f.Counters(); k.then != nil || c.Gateways != tt.left || c.Groups != tt.left || len(w.ids()) != 2*tt.left {
				t.Errorf("%d gateways and %d groups are known, want %d; the kernel has %v", c.Gateways, c.Groups, tt.left, w.ids())
			}
			b.restore("10.0.0.2 east")
			b.do(route)
			b.want("10.1.0.0/16 via 10.0.0.2 dev east proto 86 metric 179\n")
		})
	}
}
