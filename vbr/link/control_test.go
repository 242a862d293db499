package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// frame is an Ethernet frame with an IP header, of IPv4 with options, and payload.
func frame(v6 bool, protocol byte, options int, payload ...byte) []byte {
	b := make([]byte, typeAt)
	if v6 {
		b = binary.BigEndian.AppendUint16(b, unix.ETH_P_IPV6)
		h := make([]byte, header6)
		h[0], h[6] = 0x60, protocol
		return append(append(b, h...), payload...)
	}
	b = binary.BigEndian.AppendUint16(b, unix.ETH_P_IP)
	h := make([]byte, 20+options)
	h[0], h[9] = 0x40|byte(5+options/4), protocol
	return append(append(b, h...), payload...)
}

func ports(source, dest uint16) []byte {
	return append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, source), dest), make([]byte, 16)...)
}

// BGP, BFD, ARP and neighbour discovery are told from all else.
func TestControlProgram(t *testing.T) {
	vm, err := bpf.NewVM(controlProgram())
	if err != nil {
		t.Fatal(err)
	}
	const tcp, udp, icmp6 = unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMPV6
	other := func(b []byte, at int, v byte) []byte { b[at] = v; return b }
	for _, tt := range []struct {
		name  string
		frame []byte
		want  bool
	}{
		{"ARP", append(make([]byte, typeAt), 0x08, 0x06, 0, 1), true},
		{"LLDP", append(make([]byte, typeAt), 0x88, 0xcc, 0, 1), false},
		{"to BGP", frame(false, tcp, 0, ports(40000, 179)...), true},
		{"from BGP", frame(false, tcp, 0, ports(179, 40000)...), true},
		{"to BGP, IP options", frame(false, tcp, 8, ports(40000, 179)...), true},
		{"to BGP, IPv6", frame(true, tcp, 0, ports(40000, 179)...), true},
		{"from BGP, IPv6", frame(true, tcp, 0, ports(179, 40000)...), true},
		{"BFD", frame(false, udp, 0, ports(49152, 3784)...), true},
		{"BFD echo", frame(false, udp, 0, ports(49152, 3785)...), true},
		{"multihop BFD", frame(false, udp, 0, ports(49152, 4784)...), true},
		{"BFD, IPv6", frame(true, udp, 0, ports(49152, 3784)...), true},
		{"BFD, IP options", frame(false, udp, 40, ports(49152, 3784)...), true},
		{"from BFD's port", frame(false, udp, 0, ports(3784, 53)...), false},
		{"UDP 179", frame(false, udp, 0, ports(179, 179)...), false},
		{"TCP 3784", frame(false, tcp, 0, ports(3784, 3784)...), false},
		{"a later fragment", other(frame(false, tcp, 0, ports(40000, 179)...), fragmentAt+1, 1), false},
		{"a first fragment", other(frame(false, tcp, 0, ports(40000, 179)...), fragmentAt, 0x20), true},
		{"web", frame(false, tcp, 0, ports(40000, 443)...), false},
		{"web, IPv6", frame(true, tcp, 0, ports(40000, 443)...), false},
		{"router solicitation", frame(true, icmp6, 0, 133), true},
		{"neighbour advertisement", frame(true, icmp6, 0, 136), true},
		{"redirect", frame(true, icmp6, 0, 137), false},
		{"echo, IPv6", frame(true, icmp6, 0, 128), false},
		{"ICMPv6 in IPv4", frame(false, icmp6, 0, 135), false},
		{"an empty packet", frame(false, tcp, 0), false},
		{"no packet", make([]byte, 8), false},
	} {
		got, err := vm.Run(tt.frame)
		if err != nil || (got == -1 || uint32(got) == isControl) != tt.want {
			t.Errorf("%s: %#x, %v; want %v", tt.name, got, err, tt.want)
		}
	}
}

// The bands are there, for both directions; what was damaged is mended, and a limit of before them gets them.
func TestControlGoesFirst(t *testing.T) {
	m := inNamespace(t)
	r, in := limited(Rate{Out: 20e6, In: 200e6}), inlet("eth1.100")
	for _, damage := range []string{
		"true", "tc qdisc del dev eth1.100 parent 8686:1", "tc filter del dev eth1.100 parent 8687: pref 8686 protocol all",
		"tc qdisc del dev " + in + " parent 8687:2; tc qdisc change dev eth1.100 parent 8687:1 handle 8688: bfifo limit 1000",
		"tc qdisc change dev " + in + " parent 8686:1 handle 8687: prio bands 2 priomap 1 1 0 1 1 1 1 1 1 1 1 1 1 1 1 1",
		"tc filter replace dev " + in + " parent 8687: pref 8686 handle 0x8686 protocol all bpf bytecode '1,6 0 0 0,' flowid 8687:1",
	} {
		if out, err := exec.Command("sh", "-ec", damage).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", damage, err, out)
		}
		ensure(t, m, r)
		got := tc(t, "qdisc show dev eth1.100") + tc(t, "qdisc show dev "+in)
		filters := tc(t, "filter show dev eth1.100 parent 8687:") + tc(t, "filter show dev "+in+" parent 8687:")
		for _, want := range []string{
			"qdisc prio 8687: parent 8686:1 bands 2 priomap 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "qdisc prio 8687: parent 8686:1 bands 2 priomap 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
			"qdisc bfifo 8688: parent 8687:1 limit 250000b", "qdisc bfifo 8689: parent 8687:2 limit 250000b",
			"qdisc bfifo 8688: parent 8687:1 limit 2500000b", "qdisc bfifo 8689: parent 8687:2 limit 2500000b",
		} {
			rest := strings.Replace(got, want, "", 1)
			if rest == got {
				t.Errorf("after %s: no %s in\n%s", damage, want, got)
			}
			got = rest
		}
		if strings.Count(filters, "pref 8686 bpf chain 0 handle 0x8686 flowid 8687:1") != 2 || strings.Contains(filters, "bytecode '1,") {
			t.Errorf("after %s: filters\n%s", damage, filters)
		}
	}
	ensure(t, m, limited(Rate{Out: 40e6, In: 200e6})) // in place
	wantTC(t, [2]string{"qdisc show dev eth1.100", "qdisc bfifo 8689: parent 8687:2 limit 500000b"})
	ensure(t, m, limited(Rate{Out: 5e6})) // anew
	wantTC(t, [2]string{"qdisc show dev eth1.100", "qdisc bfifo 8689: parent 8687:2 limit 62500b"}, [2]string{"filter show dev eth1.100 parent 8687:", "pref 8686 bpf"})
	ensure(t, m, limited(Rate{}))
	wantTC(t, [2]string{"qdisc show dev eth1.100", "!868"})
}

// A line that is offered twice its limit still carries BFD's packets, both ways, all and soon; others wait, or are lost.
func TestControlOvertakes(t *testing.T) {
	m := inNamespace(t)
	ensure(t, m, limited(Rate{Out: 10e6, In: 10e6}))
	p := &trial{here: func(f func() error) error { return f() }, there: customer(t, m).run, port: 6000}
	for _, dir := range []struct {
		name     string
		from, to func(func() error) error
		addr     string
	}{{"out", p.here, p.there, "10.0.0.2"}, {"in", p.there, p.here, "10.0.0.1"}} {
		bfd, other := newTrickle(t, dir.from, dir.to, fmt.Sprintf("%s:%d", dir.addr, bfdPort)), newTrickle(t, dir.from, dir.to, dir.addr+":3000")
		var bfdLost, otherLost int
		var bfdLate, otherLate time.Duration
		var wg sync.WaitGroup
		wg.Go(func() { time.Sleep(warmUp); bfdLost, bfdLate = bfd.run() })
		wg.Go(func() { time.Sleep(warmUp); otherLost, otherLate = other.run() })
		got := udp(t, dir.from, dir.to, p.next(dir.addr), 1400, 20e6)
		wg.Wait()
		t.Logf("%s: %.1f of 20 Mbit/s arrive; of 40 of BFD's packets %d are lost, the others are %v late; of 40 others %d, %v", dir.name, got/1e6, bfdLost, bfdLate, otherLost, otherLate)
		if bfdLost > 0 || bfdLate > queueTime/2 {
			t.Errorf("%s: %d of BFD's packets are lost, the others are %v late", dir.name, bfdLost, bfdLate)
		}
		if otherLost == 0 && otherLate < queueTime/2 {
			t.Errorf("%s: the line was not full", dir.name)
		}
	}
}

// trickle is a packet every 50 ms, for two seconds.
type trickle struct {
	in  *net.UDPConn
	out net.Conn
}

func newTrickle(t *testing.T, from, to func(func() error) error, addr string) (x trickle) {
	t.Helper()
	err := errors.Join(
		to(func() (err error) {
			x.in, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
			return err
		}),
		from(func() (err error) { x.out, err = net.Dial("udp4", addr); return err }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.in.Close(); x.out.Close() })
	return x
}

// run returns how many of 40 packets did not arrive, and how late the others did on average.
func (x trickle) run() (lost int, late time.Duration) {
	begin := time.Now()
	go func() {
		for range 40 {
			_, _ = x.out.Write(binary.BigEndian.AppendUint64(make([]byte, 16), uint64(time.Since(begin)))) // as long as BFD's
			time.Sleep(50 * time.Millisecond)
		}
	}()
	b, got := make([]byte, 24), 0
	for ; got < 40; got++ {
		_ = x.in.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := x.in.Read(b); err != nil {
			break
		}
		late += time.Since(begin) - time.Duration(binary.BigEndian.Uint64(b[16:]))
	}
	return 40 - got, late / time.Duration(max(got, 1))
}
