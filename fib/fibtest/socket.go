package fibtest

import (
	"encoding/binary"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/fib"
)

// Socket is an rtnetlink socket of a Kernel.
type Socket struct {
	kernel *Kernel
	port   uint32
	mu     sync.Mutex
	filled sync.Cond
	queue  [][]byte
	lost   bool // notifications did not fit
	closed bool
}

// queueLimit is how many notifications wait for their reader before some are lost.
const queueLimit = 4096

// Dial implements fib.Kernel.
func (k *Kernel) Dial() (fib.Socket, error) { return k.dial(), nil }

func (k *Kernel) dial() *Socket {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ports++
	s := &Socket{kernel: k, port: k.ports}
	s.filled.L = &s.mu
	return s
}

// Monitor implements fib.Kernel.
func (k *Kernel) Monitor(own uint32, protocol uint8, metric uint32) (fib.Socket, error) {
	s := k.dial()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.monitors[s] = monitor{own, protocol, metric}
	return s, nil
}

// SetSysctl implements fib.Kernel.
func (k *Kernel) SetSysctl(name, value string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sysctls[name] = value
	return nil
}

// Close implements fib.Kernel. What the kernel holds stays: another FIB may be opened on it.
func (k *Kernel) Close() error { return nil }

// Port implements fib.Socket.
func (s *Socket) Port() uint32 { return s.port }

// Send implements fib.Socket: the messages are carried out before it returns.
func (s *Socket) Send(datagram []byte) error {
	k := s.kernel
	k.mu.Lock()
	defer k.mu.Unlock()
	dump := false
	for b := datagram; len(b) >= unix.SizeofNlMsghdr; {
		n := binary.NativeEndian.Uint32(b)
		dump = dump || k.execute(s, b[:n])
		b = b[n:]
	}
	if k.dropAckOf != 0 && k.counts[k.dropAckOf] > k.counted {
		k.dropAckOf = 0
		s.overflow()
	}
	if k.dropAcks > 0 && !dump {
		k.dropAcks--
		s.overflow()
	}
	return nil
}

// overflow loses all that waits; the next Receive says so.
func (s *Socket) overflow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue, s.lost = nil, true
	s.filled.Signal()
}

func (s *Socket) push(datagram []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) >= queueLimit {
		s.queue, s.lost = nil, true
	} else {
		s.queue = append(s.queue, datagram)
	}
	s.filled.Signal()
}

// Overflow loses the notifications that wait for every monitor, as a full socket buffer does.
func (k *Kernel) Overflow() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for s := range k.monitors {
		s.overflow()
	}
}

// Receive implements fib.Socket.
func (s *Socket) Receive() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.lost && !s.closed {
		s.filled.Wait()
	}
	switch {
	case s.closed:
		return nil, os.ErrClosed
	case s.lost:
		s.lost = false
		return nil, unix.ENOBUFS
	}
	b := s.queue[0]
	s.queue = s.queue[1:]
	return b, nil
}

// Drain implements fib.Socket.
func (s *Socket) Drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue, s.lost = nil, false
}

// Close implements fib.Socket.
func (s *Socket) Close() error {
	s.kernel.mu.Lock()
	delete(s.kernel.monitors, s)
	s.kernel.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.filled.Signal()
	return nil
}
