package fib_test

import (
	"encoding/binary"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// prober asks the kernel which device packets would leave by, as "ip route get" does. That takes no lock a writer holds.
type prober struct{ fd int }

func newProber() (*prober, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	return &prober{fd}, err
}

func (p *prober) close() { _ = unix.Close(p.fd) }

// device returns the index of the device that packets to dst leave by, 0 if there is no route.
func (p *prober) device(dst netip.Addr) (int, error) {
	addr := dst.AsSlice()
	family := byte(unix.AF_INET)
	if dst.Is6() {
		family = unix.AF_INET6
	}
	ne := binary.NativeEndian
	b := ne.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+unix.SizeofRtMsg+4+len(addr)))
	b = ne.AppendUint16(b, unix.RTM_GETROUTE)
	b = ne.AppendUint16(b, unix.NLM_F_REQUEST)
	b = append(b, make([]byte, 8)...)
	b = append(b, family, byte(dst.BitLen()), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = ne.AppendUint16(b, uint16(4+len(addr)))
	b = ne.AppendUint16(b, unix.RTA_DST)
	if err := unix.Sendto(p.fd, append(b, addr...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, err
	}
	buf := make([]byte, 4096)
	n, _, err := unix.Recvfrom(p.fd, buf, 0)
	if err != nil || n < 28 || ne.Uint16(buf[4:]) != unix.RTM_NEWROUTE {
		return 0, err
	}
	for b := buf[28:n]; len(b) >= 8; b = b[(ne.Uint16(b)+3)&^3:] {
		if ne.Uint16(b[2:]) == unix.RTA_OIF {
			return int(ne.Uint32(b[4:])), nil
		}
	}
	return 0, nil
}

// lookIn makes the namespace's traffic use a table.
func (w *real) lookIn(table string) {
	for _, family := range []string{"-4", "-6"} {
		w.ip(family, "rule", "add", "pref", "100", "lookup", table)
	}
}

// whenLeaves waits, in a thread of its own in this thread's namespace, until packets to dst leave by a device, and sends when that was,
// or the zero time after 10 seconds. It is looking when it returns.
func whenLeaves(t testing.TB, dst netip.Addr, device int) <-chan time.Time {
	ns, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	ready, result := make(chan struct{}), make(chan time.Time, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		defer ns.Close()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Error(err)
		}
		p, err := newProber()
		if err != nil {
			t.Error(err)
		}
		defer p.close()
		close(ready)
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
			if got, err := p.device(dst); err == nil && got == device {
				result <- time.Now()
				return
			}
		}
		result <- time.Time{}
	}()
	<-ready
	return result
}
