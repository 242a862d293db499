package bfd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/internal/lab"
)

func TestSetRefuses(t *testing.T) {
	good := with(us4, them4, "v0", 100*ms)
	e := New(Config{})
	for _, test := range []struct {
		name   string
		change func(*Session)
	}{
		{"bad family", func(s *Session) { s.Peer = netip.MustParseAddr(them6) }},
		{"bad mapped address", func(s *Session) { s.Peer, s.Local = netip.MustParseAddr("::ffff:10.0.0.2"), netip.MustParseAddr(us6) }},
		{"bad address: none", func(s *Session) { s.Local = netip.Addr{} }},
		{"bad address: equal", func(s *Session) { s.Local = s.Peer }},
		{"bad address: multicast", func(s *Session) { s.Peer = netip.MustParseAddr("224.0.0.1") }},
		{"bad zone", func(s *Session) { s.Peer, s.Local = netip.MustParseAddr("fe80::2%v0"), netip.MustParseAddr("fe80::1") }},
		{"bad device: none", func(s *Session) { s.Device = "" }},
		{"bad device: long", func(s *Session) { s.Device = "0123456789abcdef" }},
		{"bad MinTx", func(s *Session) { s.MinTx = 49 * ms }},
		{"bad MinRx", func(s *Session) { s.MinRx = 1001 * ms }},
		{"bad multiplier 2", func(s *Session) { s.DetectMult = 2 }},
		{"bad multiplier 11", func(s *Session) { s.DetectMult = 11 }},
	} {
		bad := good
		test.change(&bad)
		if err := e.Set([]Session{bad, good}); !errors.Is(err, ErrInvalid) || len(e.wanted) != 1 {
			t.Errorf("%s: %v, %d sessions", test.name, err, len(e.wanted))
		}
	}
	if err := e.Set([]Session{good, good}); !errors.Is(err, ErrInvalid) {
		t.Errorf("twice: %v", err)
	}
	if err := e.Set([]Session{good}); err != nil {
		t.Errorf("OK: %v", err)
	}
}

// inKernel stands for what the sockets' filters stop.
const inKernel Reason = "in the kernel"

// What the filters in the kernel stop, the engine stops too.
func TestDispatch(t *testing.T) {
	e := New(Config{})
	for i, dev := range []string{"v0", "v1"} {
		s := newSession(with(us4, them4, dev, 100*ms), uint32(i+1), noJitter, func(Change) {})
		e.running[s.key], e.byDiscr[s.discr] = s, s
	}
	us, them, third := netip.MustParseAddr(us4), netip.MustParseAddr(them4), netip.MustParseAddr("10.0.0.3")
	up, err := packet{state: Up, mult: 3, my: 9, your: 1}.encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		dev  string
		d    datagram
		want Reason
	}{
		{"OK", "v0", datagram{from: them, to: us, ttl: 255, payload: up}, ""},
		{"bad TTL", "v0", datagram{from: them, to: us, ttl: 254, payload: up}, DropTTL},
		{"bad TTL: unknown", "v0", datagram{from: them, to: us, ttl: -1, payload: up}, DropTTL},
		{"bad source", "v0", datagram{from: third, to: us, ttl: 255, payload: up}, DropStranger},
		{"bad destination", "v0", datagram{from: them, to: third, ttl: 255, payload: up}, DropStranger},
		{"bad destination: unknown", "v0", datagram{from: them, to: netip.Addr{}, ttl: 255, payload: up}, DropStranger},
		{"bad device, where the same addresses are in use", "v1", datagram{from: them, to: us, ttl: 255, payload: up}, DropStranger},
		{"bad packet", "v0", datagram{from: them, to: us, ttl: 255, payload: up[:20]}, DropLength},
	} {
		if got := e.dispatch(test.dev, test.d); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// stranger sends from a namespace with a TTL or hop limit.
func stranger(t *testing.T, n *lab.NS, from, to string, ttl int, payload []byte) {
	t.Helper()
	err := n.Do(func() error {
		c, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(from)), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to)))
		if err != nil {
			return err
		}
		defer c.Close()
		raw, err := c.SyscallConn()
		if err != nil {
			return err
		}
		err = raw.Control(func(fd uintptr) {
			if netip.MustParseAddrPort(to).Addr().Is4() {
				_ = syscall.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL, ttl)
			} else {
				_ = syscall.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, ttl)
			}
		})
		if err == nil {
			_, err = c.Write(payload)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Each guard of the input path, over real sockets in both families: what it stops is counted under its name, and changes no session.
func TestGuards(t *testing.T) {
	l := lab.New(t)
	peer := cable(t, l, "bfdguard", "v0")
	other := l.Namespace("bfdother")
	ip(t, "link add v1 type veth peer name eth0 netns bfdother", "link set v1 up", "addr add 10.0.1.1/30 dev v1", "addr add fd00:1::1/126 dev v1 nodad")
	other.IP("link set eth0 up", "addr add 10.0.1.2/30 dev eth0", "addr add fd00:1::2/126 dev eth0 nodad")
	ip(t, "addr add 10.0.0.5/32 dev v0", "addr add fd00::5/128 dev v0 nodad")
	peer.IP("addr add 10.0.0.6/32 dev eth0", "route add 10.0.0.5/32 dev eth0", "addr add fd00::6/128 dev eth0 nodad", "route add fd00::5/128 dev eth0")
	ip(t, "route add 10.0.0.6/32 dev v0", "route add fd00::6/128 dev v0")
	n := startNode(t)
	n.set(t, with(us4, them4, "v0", 100*ms), with(us6, them6, "v0", 100*ms), with("10.0.1.1", "10.0.1.2", "v1", 100*ms), with("fd00:1::1", "fd00:1::2", "v1", 100*ms))
	lab.Eventually(t, 5*time.Second, "sockets", func() error {
		if s := n.Stats(); s.Sent < 4 {
			return fmt.Errorf("%+v, %+v", s, n.Status())
		}
		return nil
	})
	for _, fam := range []struct{ us, us5, them, them6, otherUs, otherThem string }{
		{us4, "10.0.0.5", them4, "10.0.0.6", "10.0.1.1", "10.0.1.2"},
		{"[" + us6 + "]", "[fd00::5]", "[" + them6 + "]", "[fd00::6]", "[fd00:1::1]", "[fd00:1::2]"},
	} {
		up := func(your uint32) packet {
			return packet{state: Up, mult: 3, my: 9, your: your, minTx: time.Second, minRx: time.Second}
		}
		down := packet{state: Down, mult: 3, my: 9, minTx: time.Second, minRx: time.Second}
		discr := n.status(t, netip.MustParseAddrPort(fam.them+":1").Addr().String()).Discriminator
		auth := up(discr)
		for _, test := range []struct {
			from, to string
			ns       *lab.NS
			ttl      int
			p        packet
			flags    byte
			want     Reason
		}{
			{fam.them, fam.us, peer, 254, down, 0, inKernel},
			{fam.them, fam.us, peer, 1, down, 0, inKernel},
			{fam.them, fam.us, peer, 255, up(0), 0, DropState},
			{fam.them, fam.us, peer, 255, up(discr ^ 1), 0, DropNoSession},
			{fam.them6, fam.us, peer, 255, down, 0, inKernel},
			{fam.them6, fam.us, peer, 255, up(discr), 0, inKernel},
			{fam.otherThem, fam.otherUs, other, 255, up(discr), 0, DropStranger},
			{fam.them, fam.us5, peer, 255, down, 0, DropStranger},
			{fam.them, fam.us5, peer, 255, up(discr), 0, DropStranger},
			{fam.them, fam.us, peer, 255, auth, flagAuth, DropAuthentication},
		} {
			b, err := test.p.encode()
			if err != nil {
				t.Fatal(err)
			}
			if test.flags != 0 {
				b = append(b, 1, 4, 1, 'x')
				b[1], b[3] = b[1]|test.flags, byte(len(b))
			}
			before := n.Stats()
			stranger(t, test.ns, test.from+":50000", test.to+":3784", test.ttl, b)
			lab.Eventually(t, 5*time.Second, "counted", func() error {
				s := n.Stats()
				s.Dropped[inKernel], before.Dropped[inKernel] = s.Filtered, before.Filtered
				if s.Dropped[test.want] != before.Dropped[test.want]+1 {
					return fmt.Errorf("%s to %s, ttl %d, %+v: want %s: %+v", test.from, test.to, test.ttl, test.p, test.want, s)
				}
				return nil
			})
		}
	}
	for _, s := range n.Status() {
		if s.Received != 0 || s.State != Down {
			t.Errorf("a stranger got through: %+v", s)
		}
	}
}

// A device that is deleted and made again gets new sockets; what is not there yet is awaited.
func TestDeviceAnew(t *testing.T) {
	l := lab.New(t)
	n := startNode(t)
	n.set(t, with(us4, them4, "v0", 100*ms), with(us6, them6, "v0", 100*ms))
	lab.Eventually(t, 5*time.Second, "no device", func() error {
		if s := n.Status(); len(s) != 2 || s[0].Err == "" {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	peer := cable(t, l, "bfdanew", "v0")
	peer.BIRD(birdConf(100))
	mark := 0
	for range 2 {
		n.wait(t, mark, them4, Up)
		n.wait(t, mark, them6, Up)
		mark = n.mark()
		ip(t, "link del v0")
		n.wait(t, mark, them4, Down)
		n.wait(t, mark, them6, Down)
		mark = n.mark()
		cable(t, l, "bfdanew", "v0")
	}
	n.wait(t, mark, them4, Up)
	n.wait(t, mark, them6, Up)
	if s := n.Stats(); s.Rebuilt != 4 {
		t.Errorf("%+v", s)
	}
}

// A storm from a stranger on the link does not come as far as this process, and the neighbour's session stays.
func TestStorm(t *testing.T) {
	l := lab.New(t)
	peer := cable(t, l, "bfdstorm", "v0")
	peer.IP("addr add 10.0.0.6/32 dev eth0")
	ip(t, "route add 10.0.0.6/32 dev v0")
	peer.BIRD(birdConf(300))
	n := startNode(t)
	n.set(t, with(us4, them4, "v0", 300*ms))
	n.wait(t, 0, them4, Up)
	const during = 2 * time.Second
	before, mark := n.Stats(), n.mark()
	sent := 0
	err := peer.Do(func() error {
		from := &net.UDPAddr{IP: net.ParseIP("10.0.0.6")}
		c, err := net.DialUDP("udp", from, &net.UDPAddr{IP: net.ParseIP(us4), Port: portControl})
		if err != nil {
			return err
		}
		defer c.Close()
		for end := time.Now().Add(during); time.Now().Before(end); sent++ {
			_, _ = c.Write([]byte("not BFD"))
			if sent%100 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	taken := n.Stats().Received - before.Received
	t.Logf("%d packets sent, %d looked at, session %v", sent, taken, n.status(t, them4).State)
	if taken > 100 || sent < 1000 {
		t.Errorf("looked at %d of %d packets in %v", taken, sent, during)
	}
	if c := n.since(mark); len(c) != 0 {
		t.Errorf("the storm changed something: %+v", c)
	}
}

// Two Engines on link-local addresses, one of them passive; what the one is told to leave out, the other hears of.
func TestLinkLocal(t *testing.T) {
	l := lab.New(t)
	peer := cable(t, l, "bfdlocal", "v0")
	ip(t, "addr add fe80::11/64 dev v0 nodad")
	peer.IP("addr add fe80::12/64 dev eth0 nodad")
	n, far := startNode(t), startNodeBy(t, peer.Do)
	near := with("fe80::11", "fe80::12", "v0", 100*ms)
	near.Passive = true
	n.set(t, near)
	far.set(t, with("fe80::12", "fe80::11", "eth0", 100*ms))
	n.wait(t, 0, "fe80::12", Up)
	far.wait(t, 0, "fe80::11", Up)
	negotiated(t, n, 100*ms, 300*ms)
	mark := far.mark()
	n.set(t)
	if c, _ := far.wait(t, mark, "fe80::11", Down); !c.AdminDown {
		t.Errorf("left out: %+v", c)
	}
	if st := n.Status(); len(st) != 0 {
		t.Errorf("still there: %+v", st)
	}
	n.set(t, near)
	far.wait(t, mark+1, "fe80::11", Up)
}

// The longest filters are short enough for the kernel.
func TestFilterLength(t *testing.T) {
	for _, v4 := range []bool{true, false} {
		for _, count := range []int{0, 1, filterPeers, filterPeers + 1} {
			peer := netip.MustParseAddr(us6)
			if v4 {
				peer = netip.MustParseAddr(us4)
			}
			var peers []netip.Addr
			for range count {
				peers = append(peers, peer)
				peer = peer.Next()
			}
			fd, err := udp("lo", 1, netip.AddrPortFrom(netip.IPv6Loopback(), 0), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := attach(fd, filter(v4, peers)); err != nil {
				t.Errorf("IPv4 %v, %d peers: %v", v4, count, err)
			}
			_ = unix.Close(fd)
		}
	}
}
