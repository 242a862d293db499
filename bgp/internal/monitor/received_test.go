package monitor

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/osrg/gobgp/v4/pkg/apiutil"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
	"github.com/openvbr/openvbr/bgp/internal/wire"
)

var (
	heavyPeer    = netip.MustParseAddr("10.0.0.2")
	heavySession = &wire.Session{AS4: true, Extended: true, IBGP: true, Families: []wire.Family{wire.IPv4, wire.IPv6}}
)

// large is an attribute of so many large communities.
func large(n int) []byte { return bgptest.Attr(0xd0, 32, make([]byte, 12*n)...) }

// prefix4 and prefix6 are prefixes by number.
func prefix4(i int) string { return fmt.Sprintf("%d.%d.%d.0/24", 20+i>>16, i>>8&255, i&255) }
func prefix6(i int) string { return fmt.Sprintf("2001:db8:%x::/48", i) }

// v4 is the body of an UPDATE with one IPv4 prefix, v6 with one of IPv6.
func v4(i int, more ...byte) []byte {
	return bgptest.UpdateBody(nil, bgptest.Join(bgptest.Basic(heavyPeer, 65001), more), bgptest.NLRI(prefix4(i)))
}

func v6(i int, more ...byte) []byte {
	return bgptest.UpdateBody(nil, bgptest.Join(bgptest.Basic(netip.Addr{}, 65001), bgptest.Reach(2, 1, netip.MustParseAddr("2001:db8::2"), bgptest.NLRI(prefix6(i))), more), nil)
}

// What is counted is no less than what is kept, whatever the attributes are.
func TestWeigh(t *testing.T) {
	var segments []byte
	for i := range byte(250) {
		segments = append(segments, 2, 1, 0, 0, 1, i+1)
	}
	var withdrawn []string
	for i := range 4000 {
		withdrawn = append(withdrawn, prefix4(1<<18+i))
	}
	gone := bgptest.NLRI(withdrawn...)
	for name, body := range map[string]func(i int) []byte{
		"ordinary":          func(i int) []byte { return v4(i) },
		"ordinary of IPv6":  func(i int) []byte { return v6(i) },
		"large communities": func(i int) []byte { return v4(i, large(300)...) },
		"communities":       func(i int) []byte { return v4(i, bgptest.Attr(0xd0, 8, make([]byte, 4000)...)...) },
		"cluster list":      func(i int) []byte { return v6(i, bgptest.Attr(0x90, 10, make([]byte, 4000)...)...) },
		"AS path of segments": func(i int) []byte {
			return bgptest.UpdateBody(nil, bgptest.Join(bgptest.Attr(0x40, 1, 0), bgptest.Attr(0x50, 2, segments...), bgptest.Attr(0x40, 3, 10, 0, 0, 2)), bgptest.NLRI(prefix4(i)))
		},
		"beside withdrawn routes": func(i int) []byte {
			return bgptest.UpdateBody(gone, bgptest.Join(bgptest.Basic(heavyPeer, 65001), bgptest.Attr(0xc0, 35, 0, 0, 0, 9)), bgptest.NLRI(prefix4(i)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r received
			before := heap()
			const n = 500
			for i := range n {
				paths, err := decode(heavySession, body(i), time.Now())
				if err != nil {
					t.Fatal(err)
				}
				r.apply(paths)
			}
			took := heap() - before
			t.Logf("a route takes %d octets, and counts for %d", took/n, r.octets/n)
			if r.over || took > r.octets {
				t.Errorf("%d octets kept, %d counted; over: %v", took, r.octets, r.over)
			}
			runtime.KeepAlive(&r)
		})
	}
}

// heap is what lives.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// flood announces routes of 4 KB of attributes each until they are too much.
func flood(t *testing.T, s *Source) {
	t.Helper()
	for i := range 2 * receivedOctets / 6000 {
		s.Update(heavyPeer, heavySession, v4(i, large(300)...), time.Now())
		if s.received[heavyPeer].over {
			return
		}
	}
	t.Fatal("nothing is ever too much")
}

// A peer whose routes are too much costs no more than the bound: who connects afterwards is told that it is up, and of no route but those that come; dumps
// have others' routes. With its next session it is like any other.
func TestTooMuch(t *testing.T) {
	l, at := collector(t)
	var log strings.Builder
	dir := t.TempDir()
	h := New(Config{Collectors: []netip.AddrPort{at}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	s := h.Add("vbr-a", 1, netip.MustParseAddr("10.0.0.1"))
	s.Up(session(t, "10.0.0.2", 65001))
	s.Up(session(t, "10.0.0.3", 65002))
	s.Paths(netip.MustParseAddr("10.0.0.3"), []*apiutil.Path{path(t, "172.16.2.0/24", 65002, false)}, time.Now())
	flood(t, s)
	s.Update(heavyPeer, heavySession, v4(1), time.Now())
	r := s.received[heavyPeer]
	if r.octets != 0 || r.routes[0] != nil || r.routes[1] != nil {
		t.Errorf("%d octets are kept, and %d routes", r.octets, len(r.routes[0]))
	}
	if n := strings.Count(log.String(), "too many to be kept"); n != 1 || !strings.Contains(log.String(), "peer=10.0.0.2") {
		t.Errorf("%d lines in the log:\n%s", n, log.String())
	}
	dump(t, s, dir, "10.0.0.3|65002|172.16.2.0/24")

	run(t, h)
	c := accept(t, l)
	const about, other = "1:1 10.0.0.2 AS 65001: ", "1:1 10.0.0.3 AS 65002: "
	c.expect("initiation  ", about+"up 10.0.0.1:40000 179 vbr-a", other+"up 10.0.0.1:40000 179 vbr-a", other+"+172.16.2.0/24 via 10.0.0.2", other+"end of ipv4-unicast", other+"end of ipv6-unicast")
	s.Update(heavyPeer, heavySession, v4(2), time.Now())
	s.Down(heavyPeer, End{At: time.Now()})
	s.Up(session(t, "10.0.0.2", 65001))
	s.Update(heavyPeer, heavySession, v4(3), time.Now())
	c.expect(about+"+20.0.2.0/24 via 10.0.0.2", about+"down 2", about+"up 10.0.0.1:40000 179 vbr-a", about+"+20.0.3.0/24 via 10.0.0.2")
	dump(t, s, dir, "10.0.0.2|65001|20.0.3.0/24", "10.0.0.3|65002|172.16.2.0/24")
}

// dump has a dump written, and compares the beginning of its lines.
func dump(t *testing.T, s *Source, dir string, want ...string) {
	t.Helper()
	if err := s.dump(t.Context(), dir, time.Now()); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(dir + "/*" + suffix)
	var got []string
	for _, line := range dumped(t, files[0]) {
		got = append(got, strings.Join(strings.Split(line, "|")[3:6], "|"))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error("-want +got", d)
	}
	_ = os.Remove(files[0])
}

// What is replaced or withdrawn does not count any more.
func TestReceivedCountsWhatIs(t *testing.T) {
	var r received
	for range 3 {
		r.apply([]*apiutil.Path{path(t, "172.16.1.0/24", 65001, false), path(t, "2001:db8::/64", 65001, false)})
	}
	if want := weigh(path(t, "172.16.1.0/24", 65001, false)) + weigh(path(t, "2001:db8::/64", 65001, false)); r.octets != want {
		t.Errorf("%d octets, want %d", r.octets, want)
	}
	r.apply([]*apiutil.Path{path(t, "172.16.1.0/24", 65001, true), path(t, "172.16.1.0/24", 65001, true), path(t, "2001:db8::/64", 65001, true)})
	if r.octets != 0 {
		t.Errorf("%d octets of nothing", r.octets)
	}
}
