package bgp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// toldAds are advertisements with all attributes there are, no two with the same.
func toldAds() []Advertisement {
	long := make([]uint32, 240)
	for i := range long {
		long[i] = uint32(64512 + i)
	}
	communities := make([]uint32, 90)
	for i := range communities {
		communities[i] = uint32(65001<<16 | i)
	}
	return []Advertisement{
		{Prefix: prefix("10.1.0.0/16")},
		{Prefix: prefix("0.0.0.0/0"), Origin: 2},
		{Prefix: prefix("10.1.2.3/32"), NextHop: netip.MustParseAddr("192.0.2.7"), Origin: 1},
		{Prefix: prefix("10.2.0.0/15"), NextHop: netip.MustParseAddr("2001:db8::7"), MED: 1, HasMED: true}, // RFC 8950
		{Prefix: prefix("10.3.0.0/17"), ASPath: []uint32{65010, 4200000010, 65011}},
		{Prefix: prefix("10.4.0.0/18"), ASPath: []uint32{65010}, Prepend: 3},
		{Prefix: prefix("10.5.0.0/19"), Prepend: 2, MED: 0, HasMED: true},
		{Prefix: prefix("10.6.0.0/20"), MED: 4294967295, HasMED: true, Communities: []uint32{65001<<16 | 5, 0xffffff01}},
		{Prefix: prefix("10.7.0.0/21"), LargeComms: [][3]uint32{{65001, 1, 2}, {4200000000, 0, 4294967295}}},
		{Prefix: prefix("10.8.0.0/22"), OTC: 65001},
		{Prefix: prefix("10.9.0.0/23"), ASPath: long},
		{Prefix: prefix("10.10.0.0/24"), ASPath: []uint32{4200000001, 2}, Origin: 2, MED: 9, HasMED: true, Communities: communities, LargeComms: [][3]uint32{{1, 2, 3}}, OTC: 4200000000},
		{Prefix: prefix("10.11.0.0/25"), Communities: []uint32{0xffff0006}}, // LLGR_STALE: RFC 9494 4.3
		{Prefix: prefix("2001:db8:1::/48")},
		{Prefix: prefix("::/0"), Origin: 2},
		{Prefix: prefix("2001:db8:2::1/128"), NextHop: netip.MustParseAddr("2001:db8::9"), ASPath: []uint32{65010, 4200000010}, MED: 7, HasMED: true, Communities: []uint32{1}, LargeComms: [][3]uint32{{1, 2, 3}}, OTC: 5},
	}
}

// toldPeer is a peer that is told them.
type toldPeer struct {
	name       string
	asn, local uint32
	six        bool
	open       []byte
}

func toldPeers() []toldPeer {
	long := []byte{71, 7, 0, 1, 1, 0, 0, 0, 60}
	return []toldPeer{
		{"external", 65002, 0, false, bgptest.OpenBody(65002, 90, bgptest.MP(1, 1))},
		{"internal", 4200000099, 0, false, bgptest.OpenBody(4200000099, 90, bgptest.MP(1, 1))},
		{"two octets", 65003, 0, false, openOf(4, 65003, 90, []byte{192, 0, 2, 99}, param(2, bgptest.MP(1, 1)...))},
		{"local AS", 65004, 65100, false, bgptest.OpenBody(65004, 90, bgptest.MP(1, 1))},
		{"long-lived", 65005, 0, false, bgptest.OpenBody(65005, 90, bgptest.MP(1, 1), bgptest.GR(0, 60, [3]byte{1, 1, 0}), long)},
		{"restarting", 65006, 0, false, bgptest.OpenBody(65006, 90, bgptest.MP(1, 1), bgptest.GR(8, 60, [3]byte{1, 1, 0}))},
		{"six", 65007, 0, true, bgptest.OpenBody(65007, 90, bgptest.MP(1, 1), bgptest.MP(2, 1), []byte{5, 6, 0, 1, 0, 1, 0, 2}, bgptest.GR(0, 60, [3]byte{1, 1, 0}, [3]byte{2, 1, 0}))},
		{"six internal", 4200000099, 0, true, bgptest.OpenBody(4200000099, 90, bgptest.MP(1, 1), bgptest.MP(2, 1), []byte{5, 6, 0, 1, 0, 1, 0, 2})},
		{"only six", 65008, 0, true, bgptest.OpenBody(65008, 90, bgptest.MP(2, 1))},
		{"two octets, six", 65009, 0, true, openOf(4, 65009, 90, []byte{192, 0, 2, 99}, param(2, bgptest.Join(bgptest.MP(1, 1), bgptest.MP(2, 1))...))},
	}
}

// TestTold: each kind of peer is told what GoBGP v4.8.0 told it when it had our routes, attribute for attribute. testdata/told is from then;
// VBR_RECORD=1 writes it anew. Since then peers without the capability are not told IPv4 prefixes with an IPv6 next hop (RFC 8950 4).
func TestTold(t *testing.T) {
	if inOwnProcess(t, syscall.CLONE_NEWNET) {
		return
	}
	must(t, netOnce())
	at, at6 := netip.MustParseAddr("127.0.0.5"), netip.MustParseAddr("fd00::1")
	n := startNodeAt(t, at, 4200000099, restart, func(c *Config) { c.Listen = append(c.Listen, at6) })
	must(t, n.Advertise("", toldAds()))
	var peers []Peer
	for i, p := range toldPeers() {
		c := Peer{Address: netip.AddrFrom4([4]byte{127, 8, 0, byte(1 + i)}), ASN: p.asn, LocalASN: p.local, IPv4: true, Passive: true}
		if p.six {
			c.Address, c.IPv6 = netip.AddrFrom16([16]byte{0: 0xfd, 3: 1, 15: byte(1 + i)}), true
		}
		if p.name == "long-lived" {
			c.LongLived = time.Minute
		}
		peers = append(peers, c)
	}
	must(t, n.SetPeers(peers))
	for i, p := range toldPeers() {
		t.Run(p.name, func(t *testing.T) {
			p.compare(t, n, peers[i].Address, netip.AddrPortFrom(map[bool]netip.Addr{false: at, true: at6}[p.six], n.port))
		})
	}
}

func (p *toldPeer) compare(t *testing.T, n *node, local netip.Addr, to netip.AddrPort) {
	c, err := bgptest.Connect(t, local, to)
	must(t, err)
	c.Send(bgptest.Open, p.open)
	c.Send(bgptest.Keepalive, nil)
	c.Expect(bgptest.Open)
	got := told(t, c)
	must(t, n.Withdraw("", prefixes("10.1.0.0/16", "2001:db8:1::/48", "192.0.2.0/24")))
	got = append(append(got, "then"), told(t, c)...)
	must(t, n.Advertise("", toldAds()))
	got = append(append(got, "then"), told(t, c)...)
	file := filepath.Join("testdata", "told", strings.ReplaceAll(p.name, " ", "-"))
	if os.Getenv("VBR_RECORD") != "" {
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, []byte(strings.Join(got, "\n")+"\n"), 0o644))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if diff := cmp.Diff(strings.Split(strings.TrimSuffix(string(want), "\n"), "\n"), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// told is what comes until nothing more does, sorted: of each prefix its attributes by number; and End-of-RIBs.
func told(t *testing.T, c *bgptest.Peer) (lines []string) {
	t.Helper()
	for {
		typ, body, err := c.Next(400 * time.Millisecond)
		if err != nil {
			slices.Sort(lines)
			return lines
		}
		if typ != bgptest.UpdateMsg {
			t.Fatalf("message type %d: %x", typ, body)
		}
		lines = append(lines, toldLines(body)...)
	}
}

func toldLines(body []byte) (lines []string) {
	w := int(binary.BigEndian.Uint16(body))
	withdrawn, rest := body[2:2+w], body[2+w:]
	n := int(binary.BigEndian.Uint16(rest))
	attrs, nlri := rest[2:2+n], rest[2+n:]
	var shared []string
	var reach, unreach []byte
	for len(attrs) > 0 {
		size, value := int(attrs[2]), 3
		if attrs[0]&0x10 != 0 {
			size, value = int(binary.BigEndian.Uint16(attrs[2:])), 4
		}
		v := attrs[value : value+size]
		switch attrs[1] {
		case 14:
			reach = v
			v = v[:5+int(v[3])]
		case 15:
			unreach = v
			v = v[:3]
		}
		shared = append(shared, fmt.Sprintf("%02d/%02x:%x", attrs[1], attrs[0]&^0x10, v))
		attrs = attrs[value+size:]
	}
	slices.Sort(shared)
	text := strings.Join(shared, " ")
	if len(withdrawn)+len(nlri)+len(reach) == 0 && len(unreach) <= 3 {
		return []string{"End-of-RIB " + text}
	}
	each := func(b []byte, what string) {
		for len(b) > 0 {
			n := 1 + (int(b[0])+7)/8
			lines = append(lines, fmt.Sprintf("%s %x %s", what, b[:n], text))
			b = b[n:]
		}
	}
	each(withdrawn, "-")
	each(nlri, "+")
	if reach != nil {
		each(reach[5+int(reach[3]):], "+")
	}
	if unreach != nil {
		each(unreach[3:], "-")
	}
	return lines
}

// Each neighbour is told the table that it exports. One whose table changes is told the difference, on the same session.
func TestExport(t *testing.T) {
	n := startNode(t, 65001)
	one, two := bgptest.Loopback(), bgptest.Loopback()
	to := func(table string) func(*Peer) { return func(p *Peer) { p.Export = table } }
	must(t, n.Advertise("", []Advertisement{{Prefix: prefix("10.1.0.0/16")}, {Prefix: prefix("10.2.0.0/16")}, {Prefix: prefix("10.3.0.0/16")}}))
	must(t, n.Advertise("b", []Advertisement{{Prefix: prefix("10.1.0.0/16"), MED: 5, HasMED: true}, {Prefix: prefix("10.2.0.0/16")}, {Prefix: prefix("10.4.0.0/16")}}))
	must(t, n.SetPeers([]Peer{rawPeer(one), rawPeer(two, to("b"))}))
	a, b := redial(t, n, one), redial(t, n, two)
	expect := func(p *bgptest.Peer, want ...string) {
		t.Helper()
		var got []string
		for _, l := range told(t, p) {
			got = append(got, l[:strings.IndexByte(l[2:], ' ')+2])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	expect(a, "+ 100a01", "+ 100a02", "+ 100a03")
	expect(b, "+ 100a01", "+ 100a02", "+ 100a04")
	must(t, n.SetPeers([]Peer{rawPeer(one, to("b")), rawPeer(two, to("b"))}))
	expect(a, "+ 100a01", "+ 100a04", "- 100a03")
	expect(b)
	must(t, n.SetPeers([]Peer{rawPeer(one, to("none")), rawPeer(two, to("b"))}))
	must(t, n.Withdraw("", prefixes("10.1.0.0/16")))
	must(t, n.Withdraw("b", prefixes("10.4.0.0/16")))
	expect(a, "- 100a01", "- 100a02", "- 100a04")
	expect(b, "- 100a04")
	n.rec.Never(t, 0, "up=false")
}

// What has been sent is counted as it was on the wire.
func TestSentIsCounted(t *testing.T) {
	n := startNode(t, 65001, restart)
	a := bgptest.Loopback()
	must(t, n.SetPeers([]Peer{rawPeer(a)}))
	must(t, n.Advertise("", many(0, 5, 3)))
	p := redial(t, n, a, bgptest.GR(0, 60, [3]byte{1, 1, 0}))
	if l := told(t, p); len(l) != 6 {
		t.Fatalf("%q", l)
	}
	p.Send(bgptest.RouteRefresh, []byte{0, 1, 0, 1})
	if l := told(t, p); len(l) != 6 || !strings.HasPrefix(l[5], "End-of-RIB") {
		t.Fatalf("%q", l)
	}
	var st PeerStatus
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if st = n.Status(5 * time.Second)[0]; st.Sent.Updates == 12 && st.Received.Refreshes == 1 {
			break
		}
	}
	if x := st.Sent; x.Updates != 12 || x.Total != x.Updates+x.Opens+x.Keepalives || x.Keepalives == 0 {
		t.Errorf("sent %+v", x)
	}
	if x := st.Received; x.Refreshes != 1 || x.Total != x.Opens+x.Keepalives+x.Refreshes {
		t.Errorf("received %+v", x)
	}
}

// A route whose attributes fit into no message is not told, which the log says; the session and other routes go on.
func TestToldTooMuch(t *testing.T) {
	n := startNode(t, 65001)
	a := bgptest.Loopback()
	must(t, n.SetPeers([]Peer{rawPeer(a)}))
	p := redial(t, n, a)
	must(t, n.Advertise("", []Advertisement{{Prefix: prefix("10.1.0.0/16"), Communities: make([]uint32, 1100)}, {Prefix: prefix("10.2.0.0/16")}}))
	if l := told(t, p); len(l) != 2 || !strings.HasPrefix(l[0], "+ 100a02") || !strings.HasPrefix(l[1], "- 100a01") {
		t.Errorf("%q", l)
	}
	if text := n.log.String(); strings.Count(text, "the attributes do not fit into a message") != 1 {
		t.Error("the log does not say so, once")
	}
	n.rec.Never(t, 0, "up=false")
}

// A path of more numbers than a segment holds is told in two, to peers of two-octet numbers too.
func TestToldLongPath(t *testing.T) {
	n := startNode(t, 65001)
	one, two := bgptest.Loopback(), bgptest.Loopback()
	must(t, n.SetPeers([]Peer{rawPeer(one), rawPeer(two)}))
	long := make([]uint32, 298)
	for i := range long {
		long[i] = uint32(64512 + i)
	}
	must(t, n.Advertise("", []Advertisement{{Prefix: prefix("10.1.0.0/16"), ASPath: long, Prepend: 1}}))
	path := append([]uint32{65001, 65001}, long...)
	var want [2]string // of four octets, of two
	for _, part := range [][]uint32{path[:255], path[255:]} {
		for i, size := range []int{4, 2} {
			want[i] += fmt.Sprintf("02%02x", len(part))
			for _, a := range part {
				want[i] += fmt.Sprintf("%0*x", 2*size, a)
			}
		}
	}
	p := redial(t, n, one)
	if l := told(t, p); len(l) != 1 || !strings.Contains(l[0], "02/40:"+want[0]+" ") {
		t.Errorf("%q", l)
	}
	old, err := bgptest.Connect(t, two, n.at())
	must(t, err)
	old.Send(bgptest.Open, openOf(4, peerASN, 90, id99))
	old.Send(bgptest.Keepalive, nil)
	old.Expect(bgptest.Open)
	if l := told(t, old); len(l) != 1 || !strings.Contains(l[0], "02/40:"+want[1]+" ") {
		t.Errorf("%q", l)
	}
	n.rec.Never(t, 0, "up=false")
}

// A neighbour that is taken out and added anew, over and over, is told each time, however quick its writer is.
func TestToldEachTime(t *testing.T) {
	n := startNode(t, 65001, restart)
	a := bgptest.Loopback()
	must(t, n.Advertise("", []Advertisement{{Prefix: prefix("10.1.0.0/16")}}))
	for range 30 {
		must(t, n.SetPeers([]Peer{rawPeer(a, func(p *Peer) { p.Wait = true })}))
		p := redial(t, n, a, bgptest.GR(0, 60, [3]byte{1, 1, 0}))
		if l := toldLines(p.Expect(bgptest.UpdateMsg)); !strings.HasPrefix(l[0], "End-of-RIB") {
			t.Errorf("%q, want End-of-RIB", l)
		}
		must(t, n.Tell(t.Context(), a))
		if l := toldLines(p.Expect(bgptest.UpdateMsg)); !strings.HasPrefix(l[0], "+ 100a01 ") {
			t.Errorf("%q", l)
		}
		p.Expect(bgptest.UpdateMsg)
		must(t, n.SetPeers(nil))
		p.Expect(bgptest.Notification)
		p.Close()
	}
}

// After our restart nobody is told before those with graceful restart have sent End-of-RIB (RFC 4724 4.1), or the deferral time is over; peers without it
// wait like the others.
func TestToldAfterRestart(t *testing.T) {
	for _, ends := range []bool{true, false} {
		t.Run(fmt.Sprintf("End-of-RIB %v", ends), func(t *testing.T) {
			n := startNode(t, 65001, restart, func(c *Config) { c.Restarting, c.DeferralTime = IPv4, 3*time.Second })
			one, two := bgptest.Loopback(), bgptest.Loopback()
			must(t, n.Advertise("", []Advertisement{{Prefix: prefix("10.1.0.0/16")}}))
			must(t, n.SetPeers([]Peer{rawPeer(one), rawPeer(two)}))
			a, b := redial(t, n, one, bgptest.GR(0, 60, [3]byte{1, 1, 0x80})), redial(t, n, two)
			if l := append(told(t, a), told(t, b)...); len(l) > 0 {
				t.Fatalf("too early: %q", l)
			}
			if ends {
				a.Update(nil, nil, nil)
			}
			for _, p := range []*bgptest.Peer{a, b} {
				if body := p.Expect(bgptest.UpdateMsg); !strings.HasSuffix(string(body), string(bgptest.NLRI("10.1.0.0/16"))) {
					t.Errorf("%x", body)
				}
			}
			if l := told(t, a); len(l) != 1 || !strings.HasPrefix(l[0], "End-of-RIB") {
				t.Errorf("%q, want End-of-RIB", l)
			}
		})
	}
}

// BenchmarkTold has 100,000 prefixes with 1,000 sets of attributes told to a peer: advertised first, and then the session comes up.
func BenchmarkTold(b *testing.B) {
	const count = 100_000
	ads := make([]Advertisement, count)
	for i := range ads {
		ads[i] = Advertisement{
			Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)}), 32),
			ASPath: []uint32{65010, uint32(100000 + i/100)}, Communities: []uint32{uint32(i / 100)}, Origin: 2,
		}
	}
	for b.Loop() {
		n := startNode(b, 65001, func(c *Config) { c.Log = nil })
		a := bgptest.Loopback()
		var before, after syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
		for l := range slices.Chunk(ads, 4096) {
			must(b, n.Advertise("", l))
		}
		must(b, n.SetPeers([]Peer{rawPeer(a)}))
		p := bgptest.DialHold(b, a, n.at(), peerASN, 90, bgptest.MP(1, 1))
		for got := 0; got < count; {
			typ, body, err := p.Next(20 * time.Second)
			must(b, err)
			if typ == bgptest.UpdateMsg {
				got += (len(body) - 4 - int(binary.BigEndian.Uint16(body[2:]))) / 5
			}
		}
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
		cpu := func(u syscall.Rusage) float64 { return float64(u.Utime.Nano() + u.Stime.Nano()) }
		b.ReportMetric((cpu(after)-cpu(before))/count, "cpu-ns/prefix")
		must(b, n.Close(true))
	}
}
