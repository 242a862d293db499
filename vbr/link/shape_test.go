package link

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

func tc(t *testing.T, args string) string {
	t.Helper()
	out, err := exec.Command("tc", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		t.Fatalf("tc %s: %v: %s", args, err, out)
	}
	return string(out)
}

// limited is a router in the main table with a line in VLAN 100 of eth1.
func limited(r Rate) Router {
	return Router{Name: "vbr-acme", Lines: []Line{{Port: "eth1", VLAN: 100, Device: "eth1.100", Rate: r, Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/30")}}}}
}

func wantTC(t *testing.T, wants ...[2]string) {
	t.Helper()
	for _, w := range wants {
		got := tc(t, w[0])
		if not, ok := strings.CutPrefix(w[1], "!"); ok && strings.Contains(got, not) {
			t.Errorf("tc %s: %q is in\n%s", w[0], not, got)
		} else if !ok && !strings.Contains(got, w[1]) {
			t.Errorf("tc %s: want %q in\n%s", w[0], w[1], got)
		}
	}
}

// A rate is set, changed in place (the counters go on), left alone when it is right, and taken away.
func TestRateIsKept(t *testing.T) {
	m := inNamespace(t)
	in := inlet("eth1.100")
	const q, f = "-s qdisc show dev eth1.100", "filter show dev eth1.100 ingress"
	qin := "-s qdisc show dev " + in
	ensure(t, m, limited(Rate{Out: 20e6, In: 50e6}))
	wantTC(t, [2]string{q, "qdisc tbf 8686: root"}, [2]string{q, "rate 20Mbit"}, [2]string{q, "qdisc ingress"},
		[2]string{f, "pref 8686 matchall"}, [2]string{f, "Egress Redirect to device " + in}, [2]string{qin, "rate 50Mbit"})
	wantIP(t, [2]string{"link show " + in, "alias openvbr:vbr-acme"}, [2]string{"link show " + in, "group 8686"})
	ip(t, "neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev eth1.100")
	conn, err := net.Dial("udp", "10.0.0.2:9")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 7 {
		if _, err := conn.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	show := func() string { return tc(t, q) + tc(t, f) + tc(t, qin) }
	before := show()
	if !strings.Contains(before, "Sent 7196 bytes 7 pkt") { // 1,028 bytes each: without the Ethernet header
		t.Errorf("want 7 packets of 1028 bytes in\n%s", before)
	}
	ensure(t, m, limited(Rate{Out: 20e6, In: 50e6}))
	if after := show(); after != before {
		t.Errorf("a second Ensure changed\n%s\nto\n%s", before, after)
	}
	ensure(t, m, limited(Rate{Out: 30e9, In: 60e9})) // 60e9: above what 32 bits hold
	wantTC(t, [2]string{q, "rate 30Gbit"}, [2]string{q, "Sent 7196 bytes 7 pkt"}, [2]string{qin, "rate 60Gbit"})
	ensure(t, m, limited(Rate{Out: 100e9, In: 1}))
	wantTC(t, [2]string{q, "rate 100Gbit"}, [2]string{qin, "rate 8bit"})
	before = show()
	ensure(t, m, limited(Rate{Out: 100e9, In: 1}))
	if after := show(); after != before {
		t.Errorf("a second Ensure changed\n%s\nto\n%s", before, after)
	}
	ensure(t, m, limited(Rate{}))
	wantTC(t, [2]string{q, "!tbf"}, [2]string{q, "!ingress"}, [2]string{f, "!matchall"})
	wantIP(t, [2]string{"link", "!" + in})
}

// What was damaged is mended.
func TestRateIsMended(t *testing.T) {
	m := inNamespace(t)
	r, in := limited(Rate{Out: 20e6, In: 50e6}), inlet("eth1.100")
	ensure(t, m, r)
	for _, damage := range []string{
		"tc qdisc del dev eth1.100 root", "tc qdisc del dev eth1.100 ingress", "ip link del " + in, "ip link set " + in + " down", "tc qdisc del dev " + in + " root",
		"ip link del eth1.100",
	} {
		if out, err := exec.Command("sh", "-c", damage).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", damage, err, out)
		}
		ensure(t, m, r)
		wantTC(t, [2]string{"qdisc show dev eth1.100", "rate 20Mbit"}, [2]string{"qdisc show dev " + in, "rate 50Mbit"},
			[2]string{"filter show dev eth1.100 ingress", "Egress Redirect to device " + in})
		wantIP(t, [2]string{"link show " + in, "UP"})
	}
}

// The device of a line's incoming rate stays and goes with the line.
func TestPruneRates(t *testing.T) {
	m := inNamespace(t)
	r, in := limited(Rate{In: 50e6}), inlet("eth1.100")
	ensure(t, m, r)
	if err := m.Prune(r, r.Lines); err != nil {
		t.Fatal(err)
	}
	wantIP(t, [2]string{"link", in})
	tc(t, "qdisc del dev eth1.100 ingress") // our filter with it
	ensure(t, m, limited(Rate{}))
	wantIP(t, [2]string{"link", "!" + in}, [2]string{"link", "eth1.100"})
	ensure(t, m, r)
	r.Lines = nil
	if err := m.Prune(r, nil); err != nil {
		t.Fatal(err)
	}
	wantIP(t, [2]string{"link", "!" + in}, [2]string{"link", "!eth1.100"})
	ip(t, "link add "+in+" type bridge")
	if s, err := m.Ensure(limited(Rate{In: 50e6})); !errors.Is(err, ErrNotOurs) || !s.Lines[0].Up {
		t.Errorf("a name clash: %+v: %v", s, err)
	}
	wantIP(t, [2]string{"link show " + in, "group default"})
}

// What others have set at the root or at the ingress stays, and is reported.
func TestForeignQdiscsAreNotTouched(t *testing.T) {
	for _, tt := range []struct{ name, plant, want string }{
		{"root", "qdisc add dev eth1.100 root handle 1: tbf rate 1mbit burst 10k limit 10k", "the outgoing rate is not set: the qdisc tbf 1: of eth1.100"},
		{"our handle, not tbf", "qdisc add dev eth1.100 root handle 8686: prio", "the outgoing rate is not set: the qdisc prio 8686:"},
		{"ingress filter", "qdisc add dev eth1.100 ingress;filter add dev eth1.100 ingress pref 5 matchall action drop", "the incoming rate is not set: the qdisc ingress"},
		{"clsact", "qdisc add dev eth1.100 clsact", "the incoming rate is not set: the qdisc clsact"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := inNamespace(t)
			ensure(t, m, limited(Rate{}))
			for _, p := range strings.Split(tt.plant, ";") {
				tc(t, p)
			}
			show := func() string { return tc(t, "qdisc show dev eth1.100") + tc(t, "filter show dev eth1.100 ingress") }
			before := show()
			want := Rate{Out: 20e6}
			if strings.Contains(tt.want, "incoming") {
				want = Rate{In: 20e6}
			}
			s, err := m.Ensure(limited(want))
			if !errors.Is(err, ErrNotOurs) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error: %v, want %q", err, tt.want)
			}
			if !s.Lines[0].Up {
				t.Errorf("the line has to work: %+v", s.Lines[0])
			}
			ensure(t, m, limited(Rate{})) // none is wanted: nothing to complain of
			if after := show(); after != before {
				t.Errorf("it was\n%s\nand is\n%s", before, after)
			}
		})
	}
}

// A port that we were lent comes back without our rates, and with the filters of others.
func TestRatesOfAPortGoWithItsRouter(t *testing.T) {
	r := limited(Rate{Out: 20e6, In: 20e6})
	r.Lines[0].VLAN, r.Lines[0].Device = 0, "eth1"
	for name, remove := range map[string]func(*Manager) error{
		"remove":  func(m *Manager) error { return m.Remove(r) },
		"cleanup": func(m *Manager) error { _, err := m.Cleanup(); return err },
	} {
		t.Run(name, func(t *testing.T) {
			m := inNamespace(t)
			tc(t, "qdisc add dev eth0 root handle 1: tbf rate 1mbit burst 10k limit 10k")
			tc(t, "qdisc add dev eth0 ingress")
			ensure(t, m, r)
			tc(t, "filter add dev eth1 ingress pref 5 matchall action pass")
			if err := remove(m); err != nil {
				t.Fatal(err)
			}
			wantTC(t, [2]string{"qdisc show dev eth1", "!tbf"}, [2]string{"filter show dev eth1 ingress", "pref 5"},
				[2]string{"filter show dev eth1 ingress", "!8686"}, [2]string{"qdisc show dev eth0", "tbf 1:"}, [2]string{"qdisc show dev eth0", "ingress"})
		})
	}
}

// Tunnels and pairs have rates too.
func TestRatesOfTunnelsAndPairs(t *testing.T) {
	m := inNamespace(t)
	r, want := acme(), Rate{Out: 5e6, In: 6e6}
	a, _ := twoRouters()
	r.Tunnels[0].Rate, a.Pairs[0].Rate = want, want
	ensure(t, m, r)
	ensure(t, m, a)
	for _, d := range []string{"vx5001", "ri-a"} {
		wantTC(t, [2]string{"qdisc show dev " + d, "rate 5Mbit"}, [2]string{"qdisc show dev " + inlet(d), "rate 6Mbit"})
	}
}

// place runs functions in a network namespace of its own: the customer's.
type place struct{ run func(func() error) error }

func customer(t *testing.T, m *Manager) place {
	t.Helper()
	work, done := make(chan func() error), make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread goes with the goroutine
		for f := range work {
			done <- f()
		}
	}()
	t.Cleanup(func() { close(work) })
	p := place{func(f func() error) error { work <- f; return <-done }}
	var ns netns.NsHandle
	if err := p.run(func() (err error) { ns, err = netns.New(); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	port, err := m.nl.LinkByName("peer-eth1")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.nl.LinkSetNsFd(port, int(ns)); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{
		"link set peer-eth1 up", "link add link peer-eth1 name peer.100 type vlan id 100", "link set peer.100 up", "addr add 10.0.0.2/30 dev peer.100",
	} {
		if err := p.run(func() error { return exec.Command("ip", strings.Fields(args)...).Run() }); err != nil {
			t.Fatalf("ip %s: %v", args, err)
		}
	}
	return p
}

const (
	warmUp  = 500 * time.Millisecond // without the first burst
	measure = 2500 * time.Millisecond
)

// received is what a receiver counted in the measured time, in bits a second of IP packets.
func received(count *atomic.Uint64) float64 {
	time.Sleep(warmUp)
	from, begin := count.Load(), time.Now()
	time.Sleep(measure)
	return float64(count.Load()-from) * 8 / time.Since(begin).Seconds()
}

// udp sends packets of an IP length at a pace from one place to another and returns what arrives.
func udp(t *testing.T, from, to func(func() error) error, addr string, length int, pace float64) float64 {
	t.Helper()
	var in *net.UDPConn
	var out net.Conn
	fail := errors.Join(
		to(func() (err error) {
			in, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
			return err
		}),
		from(func() (err error) { out, err = net.Dial("udp4", addr); return err }))
	if fail != nil {
		t.Fatal(fail)
	}
	defer in.Close()
	raw, err := in.SyscallConn()
	if err == nil { // what a tick lets pass at once is more than a usual buffer
		err = raw.Control(func(fd uintptr) { fail = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20) })
	}
	if err := errors.Join(err, fail); err != nil {
		t.Fatal(err)
	}
	const headers = 28
	var count atomic.Uint64
	go func() {
		ms := batch(2048)
		pc := ipv4.NewPacketConn(in)
		for n, err := pc.ReadBatch(ms, 0); err == nil; n, err = pc.ReadBatch(ms, 0) {
			for _, msg := range ms[:n] {
				count.Add(uint64(msg.N + headers))
			}
		}
	}()
	go func() {
		ms, begin, sent := batch(length-headers), time.Now(), 0.0
		pc := ipv4.NewPacketConn(out.(*net.UDPConn))
		for {
			due := int(time.Since(begin).Seconds()*pace/8-sent) / length
			if due < 1 {
				time.Sleep(time.Millisecond)
				continue
			}
			n, err := pc.WriteBatch(ms[:min(due, len(ms))], 0)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			sent += float64(n * length)
		}
	}()
	defer out.Close()
	got := received(&count)
	if got == 0 {
		t.Fatalf("nothing arrives:\n%s\n%s\n%s", tc(t, "-s qdisc"), ip(t, "-s link"), ip(t, "neigh"))
	}
	return got
}

// batch is room for 128 packets: a system call is slow in the VRF kernel.
func batch(length int) []ipv4.Message {
	ms := make([]ipv4.Message, 128)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, length)}
	}
	return ms
}

// tcp sends as fast as it may and returns what arrives, in bits a second of data.
func tcp(t *testing.T, from, to func(func() error) error, addr string) float64 {
	t.Helper()
	var l net.Listener
	var out net.Conn
	err := errors.Join(
		to(func() (err error) { l, err = net.Listen("tcp4", addr); return err }),
		from(func() (err error) { out, err = net.DialTimeout("tcp4", addr, 5*time.Second); return err }))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	var count atomic.Uint64
	go func() {
		b := make([]byte, 64<<10)
		for n, err := in.Read(b); err == nil; n, err = in.Read(b) {
			count.Add(uint64(n))
		}
	}()
	go io.Copy(out, endless{})
	return received(&count)
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// trial is the two sides of a line, and the last port used.
type trial struct {
	here, there func(func() error) error
	port        int
}

func (p *trial) next(host string) string {
	p.port++
	return fmt.Sprintf("%s:%d", host, p.port)
}

// within measures up to three times: a machine that is busy elsewhere takes time from both sender and shaper.
func (p *trial) within(t *testing.T, what string, rate, least, most float64, measure func() float64) {
	t.Helper()
	var got float64
	for range 3 {
		got = measure()
		t.Logf("%s: %.2f Mbit/s (%+.1f %%)", what, got/1e6, (got/rate-1)*100)
		if got >= rate*least && got <= rate*most {
			return
		}
	}
	t.Errorf("%s: %.2f Mbit/s arrive", what, got/1e6)
}

// What arrives is within 5 % of the rate, in bytes of IP packets, large and small, both ways. TCP's data are up to 4 % less, with their headers,
// and may be 4 % more where the kernel handles many segments as one.
func TestRateAccuracy(t *testing.T) {
	m := inNamespace(t)
	ensure(t, m, limited(Rate{}))
	p := &trial{here: func(f func() error) error { return f() }, there: customer(t, m).run, port: 5000}
	for _, tt := range []struct {
		rate   float64
		length int
	}{{20e6, 1400}, {10e6, 200}, {100e6, 1400}, {200e6, 1400}} {
		ensure(t, m, limited(Rate{Out: uint64(tt.rate), In: uint64(tt.rate)}))
		what := fmt.Sprintf("UDP, %.0f Mbit/s, packets of %d bytes, ", tt.rate/1e6, tt.length)
		p.within(t, what+"out", tt.rate, 0.95, 1.05, func() float64 { return udp(t, p.here, p.there, p.next("10.0.0.2"), tt.length, tt.rate*1.15) })
		p.within(t, what+"in", tt.rate, 0.95, 1.05, func() float64 { return udp(t, p.there, p.here, p.next("10.0.0.1"), tt.length, tt.rate*1.15) })
		if tt.length < 1000 {
			continue
		}
		what = fmt.Sprintf("TCP, %.0f Mbit/s, data ", tt.rate/1e6)
		p.within(t, what+"out", tt.rate, 0.85, 1.05, func() float64 { return tcp(t, p.here, p.there, p.next("10.0.0.2")) })
		p.within(t, what+"in", tt.rate, 0.85, 1.05, func() float64 { return tcp(t, p.there, p.here, p.next("10.0.0.1")) })
	}
}
