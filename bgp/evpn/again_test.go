package evpn

import (
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

func connected(t *testing.T) (a, b *node) {
	t.Helper()
	a, b = startNode(t, 64600, "192.0.2.1"), startNode(t, 64600, "192.0.2.2")
	join(t, a, b)
	time.Sleep(300 * time.Millisecond) // changes just after a session came up are said twice
	return a, b
}

// Again tells what the peer holds announced with a target, whole, and nothing else.
func TestAgain(t *testing.T) {
	a, b := connected(t)
	mine, other, gone := tenant(1, "10.100.0.0/16"), tenant(2, "10.100.0.0/16"), tenant(1, "10.101.0.0/16")
	mine.MED, mine.HasMED, mine.Communities = 7, true, []uint32{65001}
	must(t, a.Export([]Route{mine, other, gone}))
	m := b.rec.Wait(t, 0, "+ [192.0.2.1:1]10.101.0.0/16")
	b.rec.Wait(t, 0, "+ [192.0.2.1:2]10.100.0.0/16")
	must(t, a.Withdraw([]Key{gone.Key}))
	m = b.rec.Wait(t, m, "- [192.0.2.1:1]10.101.0.0/16")
	b.Again(mine.Targets)
	b.rec.Wait(t, m, "+ [192.0.2.1:1]10.100.0.0/16", fmt.Sprintf("peer=%v nh=192.0.2.1 vni=5001 rmac=02:00:5e:00:53:01 rt=[64600:5001]", a.addr), "lp=100 med=7 comm=[65001]")
	if n := len(b.rec.Lines()) - m; n != 1 {
		t.Errorf("%d lines, want one:\n%s", n, strings.Join(b.rec.Lines()[m:], "\n"))
	}
	b.Again(tenant(9, "10.100.0.0/16").Targets)
	must(t, b.Close(true))
	b.Again(mine.Targets) // closed: nothing
	if n := len(b.rec.Lines()) - m; n != 1 {
		t.Errorf("%d lines after Again without a route and after Close", n)
	}
}

// Again tells of more routes than fit between two events, and each once.
func TestAgainOfMany(t *testing.T) {
	a, b := connected(t)
	const many = 2*chunk + 7
	var routes []Route
	for i := range many {
		routes = append(routes, tenant(1, fmt.Sprintf("10.%d.%d.0/24", i>>8, i&255)))
	}
	must(t, a.Export(routes))
	for _, r := range routes {
		b.rec.Wait(t, 0, "+ [192.0.2.1:1]"+r.Prefix.String())
	}
	m := b.rec.Len()
	b.Again(routes[0].Targets)
	told := map[string]bool{}
	for _, l := range b.rec.Lines()[m:] {
		told[l] = true
	}
	if n := b.rec.Len() - m; n != many || len(told) != many {
		t.Errorf("%d routes told, %d of them different; want %d", n, len(told), many)
	}
}

// What a peer holds announced is kept in 75 to 150 octets a route, and not longer than it lasts.
func TestHeld(t *testing.T) {
	e := newEvents(nobody{}, slog.New(slog.DiscardHandler), 64600, netip.MustParseAddr("192.0.2.254"))
	peer, other := netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("192.0.2.10")
	const messages, each = 500, 100
	feed := func(withdraw bool) {
		for i := range messages {
			var l []byte
			for j := range each {
				l = append(l, spoil(goodNLRI(), 24, 32, 10, byte(i>>8), byte(i), byte(j))...)
			}
			attrs := bgptest.Join(bgptest.Basic(netip.Addr{}, 65001), bgptest.Reach(25, 70, netip.MustParseAddr("192.0.2.1"), l), bgptest.Attr(0xc0, 16, goodCommunities()...))
			if withdraw {
				attrs = bgptest.Unreach(25, 70, l)
			}
			e.Update(peer, session, bgptest.UpdateBody(nil, attrs, nil))
		}
	}
	before := heap()
	feed(false)
	octets := (heap() - before) / (messages * each)
	t.Logf("%d octets a route", octets)
	if n := len(e.held[peer]); n != messages*each || octets > 160 {
		t.Errorf("%d routes held, want %d, of %d octets, want at most 160", n, messages*each, octets)
	}
	feed(true)
	if len(e.held) != 0 {
		t.Errorf("%d routes held of a peer that has withdrawn all", len(e.held[peer]))
	}
	feed(false)
	e.PeerState(PeerState{Peer: other})
	if len(e.held[peer]) != messages*each {
		t.Error("the end of another session has routes forgotten")
	}
	e.PeerState(PeerState{Peer: peer})
	if len(e.held) != 0 {
		t.Errorf("%d routes held after the session", len(e.held[peer]))
	}
}

func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// nobody is a Handler that keeps nothing.
type nobody struct{}

func (nobody) Update(Update)       {}
func (nobody) PeerState(PeerState) {}
func (nobody) EndOfRIB(netip.Addr) {}

// While a route comes and goes, Again does not bring back what has gone.
func TestAgainRaces(t *testing.T) {
	a, b := connected(t)
	r := tenant(1, "10.100.0.0/16")
	for i := range 30 {
		m := len(b.rec.Lines())
		must(t, a.Export([]Route{r}))
		b.rec.Wait(t, m, "+ [192.0.2.1:1]10.100.0.0/16") // one that is withdrawn before it is told is not told
		done := make(chan error)
		go func() {
			time.Sleep(time.Duration(i%5) * 200 * time.Microsecond)
			done <- a.Withdraw([]Key{r.Key})
		}()
		for range 20 {
			b.Again(r.Targets)
		}
		must(t, <-done)
		b.rec.Wait(t, m, "- [192.0.2.1:1]10.100.0.0/16")
		b.Again(r.Targets)
		if last := b.rec.Lines()[len(b.rec.Lines())-1]; !strings.HasPrefix(last, "- ") {
			t.Fatalf("round %d: the last word is %s", i, last)
		}
	}
}
