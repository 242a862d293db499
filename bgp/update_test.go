package bgp

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// keeper is a Handler that keeps Updates.
type keeper struct{ got []Update }

func (k *keeper) Update(u Update)           { k.got = append(k.got, u) }
func (k *keeper) PeerState(PeerState)       {}
func (k *keeper) EndOfRIB(netip.Addr, bool) {}

// wide is a session of four-octet AS numbers with both families.
var wide = &wire.Session{AS4: true, Families: []wire.Family{wire.IPv4, wire.IPv6}}

func TestAttrs(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.9")
	body := bgptest.UpdateBody(nil, bgptest.Join(
		bgptest.Attr(0x40, 1, 1),
		bgptest.Attr(0x40, 2, 2, 2, 0, 0, 0xfd, 0xe9, 0, 1, 0, 0, 1, 1, 0, 0, 0, 7),
		bgptest.Attr(0x40, 3, a.AsSlice()...),
		bgptest.Attr(0x80, 4, 0, 0, 0, 50),
		bgptest.Attr(0x40, 5, 0, 0, 0, 200),
		bgptest.Attr(0x40, 6),
		bgptest.Attr(0xc0, 7, 0, 0, 0, 9, 10, 0, 0, 9),
		bgptest.Attr(0xc0, 8, 0, 1, 0, 2),
		bgptest.Attr(0x80, 9, 10, 0, 0, 1),
		bgptest.Attr(0x80, 10, 10, 0, 0, 2),
		bgptest.Attr(0xc0, 32, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3),
		bgptest.Attr(0xc0, 35, 0, 0, 0xfd, 0xe9),
	), bgptest.NLRI("10.1.0.0/16"))
	k := &keeper{}
	events{h: k}.Update(a, wide, body)
	want := []Update{{Peer: a, Announced: prefixes("10.1.0.0/16"), Attrs: &Attrs{
		NextHop: a, Origin: 1,
		ASPath: []Segment{{Type: ASSequence, ASNs: []uint32{65001, 65536}}, {Type: ASSet, ASNs: []uint32{7}}},
		MED:    50, HasMED: true, LocalPref: 200, HasLocalPref: true, AtomicAggr: true,
		AggregatorASN: 9, Aggregator: netip.MustParseAddr("10.0.0.9"),
		Communities: []uint32{65538}, LargeComms: [][3]uint32{{1, 2, 3}}, OTC: 65001,
		OriginatorID: netip.MustParseAddr("10.0.0.1"), ClusterList: []netip.Addr{netip.MustParseAddr("10.0.0.2")},
	}}}
	if diff := cmp.Diff(want, k.got, cmpopts.EquateEmpty(),
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestUpdateAllocatesPerMessage: what a message costs must not grow with its prefixes, save for the
// one slice that holds them.
func TestUpdateAllocatesPerMessage(t *testing.T) {
	big := feed(0, 700)
	k := &keeper{got: make([]Update, 0, 1<<16)}
	e := events{h: k}
	if n := testing.AllocsPerRun(100, func() { e.Update(netip.Addr{}, wide, big) }); n > 4 {
		t.Errorf("%v allocations for an UPDATE of 700 prefixes, want at most 4", n)
	}
	if len(k.got[0].Announced) != 700 {
		t.Errorf("%d prefixes", len(k.got[0].Announced))
	}
}

func BenchmarkUpdate(b *testing.B) {
	body := feed(0, 700)
	k := &keeper{}
	e := events{h: k}
	b.ReportAllocs()
	for b.Loop() {
		k.got = k.got[:0]
		e.Update(netip.Addr{}, wide, body)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*700), "ns/route")
}

// feed is an UPDATE body with n /32s from the given number on.
func feed(from, n int) []byte {
	var nlri []byte
	for i := range n {
		nlri = append(nlri, 32)
		nlri = binary.BigEndian.AppendUint32(nlri, uint32(20<<24+from+i))
	}
	return bgptest.UpdateBody(nil, bgptest.Basic(netip.MustParseAddr("192.0.2.9"), peerASN, uint32(1000+from)), nlri)
}

// counter is a Handler that counts.
type counter struct {
	up, down, announced, updates atomic.Int64
}

func (c *counter) Update(u Update) {
	c.announced.Add(int64(len(u.Announced)))
	c.updates.Add(1)
}

func (c *counter) PeerState(s PeerState) {
	if s.Established {
		c.up.Add(1)
	} else {
		c.down.Add(1)
	}
}
func (c *counter) EndOfRIB(netip.Addr, bool) {}

// BenchmarkLearn is the whole way of 100,000 routes, ten to a message, from the wire to the handler.
func BenchmarkLearn(b *testing.B) {
	const routes, each = 100_000, 10
	for b.Loop() {
		b.StopTimer()
		a, at := bgptest.Loopback(), bgptest.Loopback()
		port := bgptest.FreePort(b, at)
		c := &counter{}
		s, err := Start(b.Context(), Config{ASN: 65001, RouterID: at, Listen: []netip.Addr{at}, Port: port}, c)
		if err != nil {
			b.Fatal(err)
		}
		must(b, s.SetPeers([]Peer{{Address: a, ASN: peerASN, Passive: true, HoldTime: 90 * time.Second}}))
		p := bgptest.Dial(b, a, netip.AddrPortFrom(at, port), peerASN, bgptest.MP(1, 1))
		var all []byte
		for i := 0; i < routes; i += each {
			all = append(all, bgptest.Message(bgptest.UpdateMsg, feed(i, each))...)
		}
		b.StartTimer()
		if _, err := p.Conn().Write(all); err != nil {
			b.Fatal(err)
		}
		for c.announced.Load() < routes {
			time.Sleep(time.Millisecond)
		}
		b.StopTimer()
		must(b, s.Close(true))
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*routes), "µs/route")
}
