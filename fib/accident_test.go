package fib_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/fib"
)

// TestAccidentMidBatch: something happens to a next hop while a big batch is written. Every change has a result, every result is true, the routes of other next
// hops are written without an error, and when the accident is over all can be had again.
func TestAccidentMidBatch(t *testing.T) {
	for _, tt := range []struct {
		name, accident, repair string // lines for ip -batch
		harmless               bool   // nothing is refused
	}{
		{"device down", "link set east down", "link set east up", false},
		{"device deleted", "link del east", "link add east type veth peer name eastp\nlink set eastp up\nlink set east up\naddr add 10.0.0.1/24 dev east", false},
		{"address removed", "addr del 10.0.0.1/24 dev east", "addr add 10.0.0.1/24 dev east", true},
		{"nexthop objects deleted", "nexthop flush proto 86", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newReal(t)
			b := newBench(t, w)
			b.watch()
			all := b.mixed(40000)
			done := make(chan []fib.Result, 1)
			go func() { done <- b.Apply(t.Context(), all) }()
			for b.Len() < len(all)/4 {
				time.Sleep(time.Millisecond)
			}
			w.batch(tt.accident)
			if len(done) > 0 {
				t.Log("the batch was over before the accident")
			}
			results := <-done
			b.trueResults(w, all, results, tt.harmless)
			w.batch(tt.repair + "\n")
			b.recovers(w)
		})
	}
}

// mixed are n changes, every other one to a next hop on east, the others to one on west.
func (b *bench) mixed(n int) []fib.Change {
	sets := []*fib.Set{b.set("10.0.0.2 east"), b.set("10.0.1.2 west")}
	all := changes(n, nil)
	for i := range all {
		all[i].Set = sets[i%2]
	}
	return all
}

// trueResults compares what Apply said with what the kernel has, after whatever the kernel dropped by itself has been heard of.
func (b *bench) trueResults(w *real, all []fib.Change, results []fib.Result, harmless bool) {
	b.t.Helper()
	held := 0
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if held = len(w.contents(table)); held == b.Len() || time.Now().After(deadline) {
			break
		}
	}
	if held != b.Len() {
		b.t.Errorf("the kernel has %d routes, Len says %d", held, b.Len())
	}
	refused := 0
	for i, r := range results {
		if r.Prefix != all[i].Prefix {
			b.t.Fatalf("result %d is of %s", i, r.Prefix)
		}
		if r.Err == nil {
			continue
		}
		refused++
		re := routeError(b.t, r.Err)
		if i%2 == 1 || harmless || re.Retry() != fib.RetryOnLink {
			b.t.Fatalf("%v, retry %v", re, re.Retry())
		}
	}
	b.t.Logf("%d of %d refused, %d dropped by the kernel, %d held", refused, len(all), b.Missing(), held)
	if got := b.Len() + b.Missing() + refused; got != len(all) {
		b.t.Errorf("%d changes are accounted for, of %d", got, len(all))
	}
}

// recovers asks for all again, on the device there is now, and finds it in the kernel.
func (b *bench) recovers(w *real) {
	b.t.Helper()
	all := b.mixed(40000)
	want := make(map[netip.Prefix]string, len(all))
	for i, c := range all {
		want[c.Prefix] = "proto 86 dev " + []string{"east", "west"}[i%2]
	}
	noErrors(b.t, b.Apply(b.t.Context(), all))
	b.compare(w, want)
	b.audit(fib.Drift{})
}

// TestRefusedWithoutRoomForAnswers: the kernel refuses so many of a batch that its answers do not fit the socket. What was lost is an error, and is found out.
func TestRefusedWithoutRoomForAnswers(t *testing.T) {
	w := newReal(t)
	kernel, err := fib.NewLinux(4096)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, w)
	b.f = w.open(t, func(c *fib.Config) { c.Kernel = kernel })
	b.Table = b.f.Table(table)
	all := changes(2000, b.set("10.0.0.2 east"))
	var foreign strings.Builder
	for i := 0; i < 400; i += 2 {
		foreign.WriteString("route add " + all[i].Prefix.String() + " via 10.0.0.9 dev east table 10001 proto 99 metric 179\n")
	}
	w.batch(foreign.String())
	lost := 0
	for _, r := range b.Apply(t.Context(), all) {
		if errors.Is(r.Err, unix.ENOBUFS) && routeError(t, r.Err).Retry() == fib.RetrySoon {
			lost++
		}
	}
	if lost < 128 {
		t.Fatalf("%d answers were lost, want a batch of them", lost)
	}
	for i, c := range all { // one at a time: each answer fits
		r := b.Apply(t.Context(), []fib.Change{c})[0]
		if blocked := i < 400 && i%2 == 0; blocked != errors.Is(r.Err, unix.EEXIST) || !blocked && r.Err != nil {
			t.Fatalf("%s: %v", r.Prefix, r.Err)
		}
	}
	b.audit(fib.Drift{Foreign: 200})
	if b.Len() != len(all)-200 {
		t.Errorf("Len is %d", b.Len())
	}
}

// busy is a kernel that answers EBUSY to a message instead of carrying it out. No message that fib sends can get that from Linux 6.1 to 6.18: rtnetlink says it
// only of a socket on which a dump is under way, and fib never sends on such a socket.
type busy struct {
	fib.Kernel
	prefix *netip.Prefix // IPv4 /16: whose messages
}

func (k busy) Dial() (fib.Socket, error) {
	s, err := k.Kernel.Dial()
	return &busySocket{Socket: s, prefix: k.prefix}, err
}

type busySocket struct {
	fib.Socket
	prefix *netip.Prefix
	answer []byte
}

// Send makes the message one that does nothing (NLMSG_NOOP).
func (s *busySocket) Send(b []byte) error {
	for rest := b; len(rest) >= unix.SizeofNlMsghdr+unix.SizeofRtMsg+8; rest = rest[ne.Uint32(rest):] {
		dst := rest[unix.SizeofNlMsghdr+unix.SizeofRtMsg+4:]
		if s.prefix.IsValid() && ne.Uint16(rest[4:]) == unix.RTM_NEWROUTE && netip.AddrFrom4([4]byte(dst[:4])) == s.prefix.Addr() {
			ne.PutUint16(rest[4:], unix.NLMSG_NOOP)
			s.answer = make([]byte, 36) // struct nlmsghdr, struct nlmsgerr
			ne.PutUint32(s.answer, 36)
			ne.PutUint16(s.answer[4:], unix.NLMSG_ERROR)
			copy(s.answer[8:12], rest[8:12])
			errno := -int32(unix.EBUSY)
			ne.PutUint32(s.answer[16:], uint32(errno))
			copy(s.answer[20:], rest[:16])
		}
	}
	return s.Socket.Send(b)
}

func (s *busySocket) Receive() ([]byte, error) {
	if b := s.answer; b != nil {
		s.answer = nil
		return b, nil
	}
	return s.Socket.Receive()
}

// TestBusy: one route is refused with EBUSY, the others of its batch are not, and later it is taken.
func TestBusy(t *testing.T) {
	w := newReal(t)
	kernel, err := fib.NewLinux(0)
	if err != nil {
		t.Fatal(err)
	}
	prefix := netip.MustParsePrefix("10.2.0.0/16")
	b := newBench(t, w)
	b.f = w.open(t, func(c *fib.Config) { c.Kernel = busy{kernel, &prefix} })
	b.Table = b.f.Table(table)
	three := []string{"10.1.0.0/16 -> 10.0.0.2 east", "10.2.0.0/16 -> 10.0.0.2 east", "10.3.0.0/16 -> 10.0.0.2 east"}
	rs := b.try(three...)
	noErrors(t, []fib.Result{rs[0], rs[2]})
	if re := routeError(t, rs[1].Err); re.Errno != unix.EBUSY || re.Retry() != fib.RetrySoon {
		t.Errorf("got %v, retry %v", re, re.Retry())
	}
	prefix = netip.Prefix{}
	b.do(three...)
	b.want(`
		10.1.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		10.2.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		10.3.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		`)
}
