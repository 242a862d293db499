package monitor

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/packet/bmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// path is a route of a peer's, or its withdrawal.
func path(t testing.TB, prefix string, asn uint32, withdrawn bool) *apiutil.Path {
	t.Helper()
	p := netip.MustParsePrefix(prefix)
	nlri, err := bgp.NewIPAddrPrefix(p)
	if err != nil {
		t.Fatal(err)
	}
	attrs := []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(0), bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{bgp.NewAs4PathParam(2, []uint32{asn})})}
	if p.Addr().Is4() {
		nh, err := bgp.NewPathAttributeNextHop(netip.MustParseAddr("10.0.0.2"))
		if err != nil {
			t.Fatal(err)
		}
		return &apiutil.Path{Family: bgp.RF_IPv4_UC, Nlri: nlri, Attrs: append(attrs, nh), Withdrawal: withdrawn, Age: 1_700_000_000}
	}
	mp, err := bgp.NewPathAttributeMpReachNLRI(bgp.RF_IPv6_UC, []bgp.PathNLRI{{NLRI: nlri}}, netip.MustParseAddr("fd00::2"))
	if err != nil {
		t.Fatal(err)
	}
	return &apiutil.Path{Family: bgp.RF_IPv6_UC, Nlri: nlri, Attrs: append(attrs, mp), Withdrawal: withdrawn, Age: 1_700_000_000}
}

// session is one that is up.
func session(t testing.TB, peer string, asn uint32) Session {
	t.Helper()
	open := func(as uint32) []byte {
		b, err := bgp.NewBGPOpenMessage(uint16(as), 90, netip.MustParseAddr("10.0.0.9"), []bgp.OptionParameterInterface{
			bgp.NewOptionParameterCapability([]bgp.ParameterCapabilityInterface{bgp.NewCapFourOctetASNumber(as)}),
		})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := b.Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	return Session{Peer: netip.AddrPortFrom(netip.MustParseAddr(peer), 179), Local: netip.MustParseAddrPort("10.0.0.1:40000"), ASN: asn, RouterID: netip.MustParseAddr("10.0.0.9"),
		Sent: open(45104), Received: open(asn), At: time.Unix(1_700_000_000, 5000)}
}

// collector is one that listens on the loopback device.
func collector(t *testing.T) (net.Listener, netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, l.Addr().(*net.TCPAddr).AddrPort()
}

// run has a Hub work until the test's end, or until the function that it returns is called.
func run(t *testing.T, h *Hub) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); h.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// reader reads what a collector is told, a line a message.
type reader struct {
	t   *testing.T
	in  *bufio.Reader
	con net.Conn
}

func accept(t *testing.T, l net.Listener) *reader {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &reader{t, bufio.NewReader(c), c}
}

// next is a message in words.
func (r *reader) next() string {
	r.t.Helper()
	_ = r.con.SetReadDeadline(time.Now().Add(10 * time.Second))
	head := make([]byte, bmp.BMP_HEADER_SIZE)
	if _, err := io.ReadFull(r.in, head); err != nil {
		return err.Error()
	}
	b := append(head, make([]byte, binary.BigEndian.Uint32(head[1:])-bmp.BMP_HEADER_SIZE)...)
	if _, err := io.ReadFull(r.in, b[bmp.BMP_HEADER_SIZE:]); err != nil {
		return err.Error()
	}
	m, err := bmp.ParseBMPMessage(b)
	if err != nil {
		r.t.Fatalf("%v: %x", err, b)
	}
	about := fmt.Sprintf("%d:%d %v AS %d: ", m.PeerHeader.PeerType, m.PeerHeader.PeerDistinguisher, m.PeerHeader.PeerAddress, m.PeerHeader.PeerAS)
	switch body := m.Body.(type) {
	case *bmp.BMPInitiation:
		var names []string
		for _, x := range body.Info {
			names = append(names, x.(*bmp.BMPInfoTLVString).Value)
		}
		return "initiation " + strings.Join(names, " ")
	case *bmp.BMPTermination:
		return "termination"
	case *bmp.BMPPeerUpNotification:
		return about + fmt.Sprintf("up %v:%d %d %s", body.LocalAddress, body.LocalPort, body.RemotePort, body.Info[0].(*bmp.BMPInfoTLVString).Value)
	case *bmp.BMPPeerDownNotification:
		return about + fmt.Sprintf("down %d", body.Reason)
	case *bmp.BMPRouteMonitoring:
		return about + describe(body.BGPUpdate.Body.(*bgp.BGPUpdate))
	}
	return fmt.Sprintf("%T", m.Body)
}

// describe is an UPDATE in words.
func describe(u *bgp.BGPUpdate) string {
	if end, f := u.IsEndOfRib(); end {
		return "end of " + f.String()
	}
	var text []string
	add := func(sign string, l []bgp.PathNLRI) {
		for _, n := range l {
			text = append(text, sign+n.NLRI.String())
		}
	}
	add("-", u.WithdrawnRoutes)
	add("+", u.NLRI)
	for _, a := range u.PathAttributes {
		switch a := a.(type) {
		case *bgp.PathAttributeMpReachNLRI:
			add("+", a.Value)
			text = append(text, "via "+a.Nexthop.String())
		case *bgp.PathAttributeMpUnreachNLRI:
			add("-", a.Value)
		case *bgp.PathAttributeNextHop:
			text = append(text, "via "+a.Value.String())
		}
	}
	return strings.Join(text, " ")
}

func (r *reader) expect(want ...string) {
	r.t.Helper()
	var got []string
	for range want {
		got = append(got, r.next())
	}
	if d := cmp.Diff(want, got); d != "" {
		r.t.Error("-want +got", d)
	}
}

// A collector is told of all that is up, then of what happens; of a source that comes later too; and at the end goodbye.
func TestCollector(t *testing.T) {
	l, at := collector(t)
	h := New(Config{Collectors: []netip.AddrPort{at}, Name: "edge1", Description: "OpenVBR"})
	a := h.Add("vbr-a", 10000, netip.MustParseAddr("10.0.0.1"))
	x := session(t, "10.0.0.2", 65001)
	a.Up(x)
	a.Paths(x.Peer.Addr(), []*apiutil.Path{
		path(t, "172.16.7.0/24", 65001, false), path(t, "172.16.1.0/24", 65001, false), path(t, "2001:db8:1::/64", 65001, false), path(t, "172.16.7.0/24", 65001, true),
	}, time.Now())
	stop := run(t, h)
	r := accept(t, l)
	r.expect("initiation OpenVBR edge1", "1:10000 10.0.0.2 AS 65001: up 10.0.0.1:40000 179 vbr-a", "1:10000 10.0.0.2 AS 65001: +172.16.1.0/24 via 10.0.0.2", "1:10000 10.0.0.2 AS 65001: end of ipv4-unicast",
		"1:10000 10.0.0.2 AS 65001: +2001:db8:1::/64 via fd00::2", "1:10000 10.0.0.2 AS 65001: end of ipv6-unicast")

	same := []*apiutil.Path{path(t, "172.16.2.0/24", 65001, false), path(t, "172.16.3.0/24", 65001, false), path(t, "172.16.9.0/24", 65001, false)}
	same[1].Attrs = same[0].Attrs
	a.Paths(x.Peer.Addr(), append(same, path(t, "172.16.1.0/24", 65001, true), path(t, "2001:db8:1::/64", 65001, true)), time.Now())
	a.EndOfRIB(x.Peer.Addr(), true, time.Now())
	a.Paths(netip.MustParseAddr("10.0.0.77"), same, time.Now()) // nobody's
	b := h.Add("vbr-b", 0, netip.MustParseAddr("10.0.0.1"))
	y := session(t, "fd00::2", 4200000001)
	b.Up(y)
	a.Down(x.Peer.Addr(), End{At: time.Now(), Code: 6, Subcode: 2, ByPeer: true})
	a.Down(x.Peer.Addr(), End{At: time.Now(), Lost: true}) // known already
	a.Up(x)
	a.Down(x.Peer.Addr(), End{At: time.Now(), Lost: true})
	a.Up(x)
	a.Down(x.Peer.Addr(), End{At: time.Now(), Code: 4})
	a.Up(x)
	a.Down(x.Peer.Addr(), End{At: time.Now()})
	b.Close()
	const up = "1:10000 10.0.0.2 AS 65001: up 10.0.0.1:40000 179 vbr-a"
	r.expect("1:10000 10.0.0.2 AS 65001: +172.16.2.0/24 +172.16.3.0/24 via 10.0.0.2", "1:10000 10.0.0.2 AS 65001: +172.16.9.0/24 via 10.0.0.2", "1:10000 10.0.0.2 AS 65001: -172.16.1.0/24",
		"1:10000 10.0.0.2 AS 65001: -2001:db8:1::/64", "1:10000 10.0.0.2 AS 65001: end of ipv6-unicast", "0:0 fd00::2 AS 4200000001: up ::a00:1:40000 179 vbr-b",
		"1:10000 10.0.0.2 AS 65001: down 3", up, "1:10000 10.0.0.2 AS 65001: down 4", up, "1:10000 10.0.0.2 AS 65001: down 1", up, "1:10000 10.0.0.2 AS 65001: down 2", "0:0 fd00::2 AS 4200000001: down 5")
	stop()
	r.expect("termination", "EOF")
}

// A session whose OPEN messages are not known is not told of, and nothing of it.
func TestWithoutOpen(t *testing.T) {
	s := New(Config{}).Add("vbr-a", 1, netip.MustParseAddr("10.0.0.1"))
	x := session(t, "10.0.0.2", 65001)
	x.Received = nil
	s.Up(x)
	if len(s.sessions) != 0 {
		t.Error("it is told of")
	}
	var none *Source
	none.Up(x)
	none.Paths(x.Peer.Addr(), nil, time.Now())
	none.EndOfRIB(x.Peer.Addr(), false, time.Now())
	none.Down(x.Peer.Addr(), End{})
	none.Close()
	if (*Hub)(nil).Add("vbr-a", 1, netip.Addr{}) != nil {
		t.Error("a source of no hub")
	}
}

// reasons are the lines of a log that say why a collector is not connected.
type reasons struct{ lines chan string }

func (r reasons) Write(line []byte) (int, error) {
	if strings.Contains(string(line), "not connected") {
		r.lines <- string(line)
	}
	return len(line), nil
}

// A collector that accepts and does not read makes nobody wait: it is cut when its queue is full, dialled again later, and told all anew. Another one,
// which reads, misses nothing.
func TestSlowCollector(t *testing.T) {
	slow, slowAt := collector(t)
	good, goodAt := collector(t)
	log := reasons{make(chan string, 16)}
	h := New(Config{Collectors: []netip.AddrPort{slowAt, goodAt}, Name: "edge1", Log: slog.New(slog.NewTextHandler(log, nil))})
	s := h.Add("vbr-a", 10000, netip.MustParseAddr("10.0.0.1"))
	x := session(t, "10.0.0.2", 65001)
	s.Up(x)
	run(t, h)
	stuck, reads := accept(t, slow), accept(t, good)
	reads.expect("initiation  edge1", "1:10000 10.0.0.2 AS 65001: up 10.0.0.1:40000 179 vbr-a", "1:10000 10.0.0.2 AS 65001: end of ipv4-unicast", "1:10000 10.0.0.2 AS 65001: end of ipv6-unicast")
	stuck.expect("initiation  edge1", "1:10000 10.0.0.2 AS 65001: up 10.0.0.1:40000 179 vbr-a")

	const updates = 320_000 // of some 130 octets: more than the queue and both sockets' buffers hold
	got := make(chan int)
	go func() {
		n := 0
		for n < updates && strings.Contains(reads.next(), "+172.16.1.0/24") {
			n++
		}
		got <- n
	}()
	p := []*apiutil.Path{path(t, "172.16.1.0/24", 65001, false)}
	longest := time.Duration(0)
	for i := range updates {
		began := time.Now()
		s.Paths(x.Peer.Addr(), p, began)
		longest = max(longest, time.Since(began))
		if i%200 == 0 {
			time.Sleep(time.Millisecond) // so that who reads has the time to
		}
	}
	if n := <-got; n != updates {
		t.Errorf("who reads has got %d of %d messages", n, updates)
	}
	if longest > 2*time.Second {
		t.Errorf("a peer's UPDATE has waited for %v", longest)
	}
	again := accept(t, slow).next()
	if why := <-log.lines; !strings.Contains(why, slowAt.String()) || !strings.Contains(why, errSlow.Error()) {
		t.Errorf("it was cut, but not because its queue was full: %s", why)
	}
	if again != "initiation  edge1" {
		t.Errorf("the slow one is not dialled again: %s", again)
	}
}

// Nothing is encoded, and nothing kept, for a collector that is not there.
func TestNoCollector(t *testing.T) {
	l, at := collector(t)
	l.Close()
	h := New(Config{Collectors: []netip.AddrPort{at}})
	s := h.Add("vbr-a", 1, netip.MustParseAddr("10.0.0.1"))
	x := session(t, "10.0.0.2", 65001)
	s.Up(x)
	run(t, h)
	s.push(func() [][]byte { t.Error("a message is made for nobody"); return nil })
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		l := h.Problems()
		if len(l) == 1 && strings.HasPrefix(l[0], "BMP collector "+at.String()+": connect: ") && strings.HasSuffix(l[0], "connection refused") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("problems %q", l)
		}
	}
	back, err := net.Listen("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	accept(t, back).expect("initiation  ", "1:1 10.0.0.2 AS 65001: up 10.0.0.1:40000 179 vbr-a")
	if l := h.Problems(); len(l) != 0 {
		t.Errorf("problems %q", l)
	}
}
