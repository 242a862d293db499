package gobgp

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// What is reckoned for a change that waits covers what it takes up, and its share of what GoBGP has taken out of the queue to send: GoBGP makes
// attributes of its own for each peer.
func TestQueuedOctets(t *testing.T) {
	s, at, rec := startServer(t, func(c *Config) { c.SendQueue, c.SendHold, c.Log = 1<<40, time.Hour, nil })
	a := bgptest.Loopback()
	if err := s.SetPeers([]Neighbour{{Address: a, ASN: 65002, Families: IPv4, Passive: true, HoldTime: time.Hour}}); err != nil {
		t.Fatal(err)
	}
	changes(t, s, 0)
	bgptest.DialHold(t, a, at, 65002, 3600, bgptest.MP(1, 1)) // and never read
	rec.Wait(t, 0, "up=true")
	live, idle, round := s.door.live(a), heapNow(), 0
	for backlog(live.machine) < 20000 && round < 100 {
		round++
		changes(t, s, round)
	}
	waiting := backlog(live.machine)
	each := (heapNow() - idle) / waiting
	t.Logf("%d octets for each of %d changes", each, waiting)
	if each > queuedOctets || each < queuedOctets/8 {
		t.Errorf("%d octets for a change, reckoned %d", each, queuedOctets)
	}
}

// changes changes 2,000 paths.
func changes(t *testing.T, s *Server, round int) {
	t.Helper()
	var l []*apiutil.Path
	for i := range 2000 {
		p := v4path(t, fmt.Sprintf("10.%d.%d.0/24", i>>8, i&255), false)
		path := make([]uint32, 20)
		for j := range path {
			path[j] = uint32(round*1000 + i + j + 1)
		}
		p.Attrs = append(p.Attrs, packet.NewPathAttributeAsPath([]packet.AsPathParamInterface{packet.NewAs4PathParam(2, path)}))
		l = append(l, p)
	}
	if err := s.Add(l); err != nil {
		t.Fatal(err)
	}
}

func heapNow() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
