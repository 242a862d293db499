package bgp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// storms is how many prefixes a storm has, all of them with VBR_SOAK (make soak), fewer else; and how many octets may be held beside them.
func storms() (n, beside int) {
	if os.Getenv("VBR_SOAK") != "" {
		return 1_000_000, 16 << 20
	}
	return 10_000, 6 << 20
}

// storm is a Handler that counts what comes from the hostile peer.
type storm struct {
	up, announced, withdrawn, down atomic.Int64
}

func (s *storm) Update(u Update) {
	s.announced.Add(int64(len(u.Announced)))
	s.withdrawn.Add(int64(len(u.Withdrawn)))
}

func (s *storm) PeerState(p PeerState) {
	if p.Established {
		s.up.Add(1)
	} else {
		s.down.Add(1)
	}
}
func (s *storm) EndOfRIB(netip.Addr, bool) {}

// TestStorms: a peer announces a million prefixes one UPDATE each, announces them over and over, withdraws a million that never were. Memory stays within a
// bound for each prefix held, and goes back; another tenant's session stays, and its convergence is that of an idle run or near it. Both are printed.
func TestStorms(t *testing.T) {
	n, beside := storms()
	tenant := newTenant(t)
	idle := tenant.converge(t, 40)
	start := heap()
	s, p := startStorm(t)
	for _, c := range []struct {
		name      string
		wire      func(i int) []byte
		announced int64
		withdrawn int64
		held      int // octets for each prefix, at most, when it is over
	}{
		{"withdrawals of what never was", func(i int) []byte { return bgptest.UpdateBody(stormPrefix(i), nil, nil) }, 0, int64(n), 16},
		{"announcements", func(i int) []byte { return stormUpdate(i, 0) }, int64(n), 0, 16}, // what is announced is the handler's to keep
		{"the same with other attributes", func(i int) []byte { return stormUpdate(i, 1) }, int64(n), 0, 16},
		{"withdrawals", func(i int) []byte { return bgptest.UpdateBody(stormPrefix(i), nil, nil) }, 0, int64(n), 16},
	} {
		s.announced.Store(0)
		s.withdrawn.Store(0)
		sent := make(chan error, 1)
		begin := time.Now()
		go func() { sent <- pour(p, n, c.wire) }()
		var during time.Duration
		for rounds := 0; s.announced.Load() < c.announced || s.withdrawn.Load() < c.withdrawn; rounds++ {
			during = max(during, tenant.converge(t, 10))
			if time.Since(begin) > 10*time.Minute {
				t.Fatalf("%s: %d announced, %d withdrawn after %v", c.name, s.announced.Load(), s.withdrawn.Load(), time.Since(begin))
			}
		}
		must(t, <-sent)
		took, used := time.Since(begin), heap()-start
		t.Logf("%s: %d in %v, then %d MiB; the other tenant converges in %v, idle %v", c.name, n, took.Round(time.Millisecond), used>>20, during, idle)
		if limit := n*c.held + beside; used > limit {
			t.Errorf("%s: %d MiB are held, want %d at most", c.name, used>>20, limit>>20)
		}
		if limit := 20*idle + 250*time.Millisecond; during > limit {
			t.Errorf("%s: the other tenant converges in %v, idle %v", c.name, during, idle)
		}
	}
	tenant.b.check(t)
	if s.down.Load() != 0 {
		t.Error("the storm's own session has ended")
	}
	runtime.KeepAlive(s)
}

// startStorm is a speaker with the hostile peer's session.
func startStorm(t *testing.T) (*storm, *bgptest.Peer) {
	t.Helper()
	at, a := bgptest.Loopback(), bgptest.Loopback()
	s := &storm{}
	port := bgptest.FreePort(t, at)
	sp, err := Start(t.Context(), Config{ASN: 65001, RouterID: netip.MustParseAddr("10.0.0.1"), Listen: []netip.Addr{at}, Port: port}, s)
	must(t, err)
	t.Cleanup(func() { _ = sp.Close(true) })
	must(t, sp.SetPeers([]Peer{{Address: a, ASN: peerASN, Passive: true, HoldTime: time.Hour}}))
	p := bgptest.DialHold(t, a, netip.AddrPortFrom(at, port), peerASN, 3600, bgptest.MP(1, 1))
	for end := time.Now().Add(10 * time.Second); s.up.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the storm's session does not come up")
		}
	}
	return s, p
}

// pour sends n UPDATEs.
func pour(p *bgptest.Peer, n int, body func(i int) []byte) error {
	var b []byte
	for i := range n {
		b = append(b, bgptest.Message(bgptest.UpdateMsg, body(i))...)
		if len(b) > 1<<16 || i == n-1 {
			if _, err := p.Conn().Write(b); err != nil {
				return fmt.Errorf("after %d: %w", i, err)
			}
			b = b[:0]
		}
	}
	return nil
}

func stormPrefix(i int) []byte {
	return binary.BigEndian.AppendUint32([]byte{32}, uint32(20<<24+i))
}

func stormUpdate(i, round int) []byte {
	attrs := bgptest.Join(bgptest.Attr(0x40, 1, 0), bgptest.ASPath(peerASN, uint32(1+i%1000), uint32(1+round)), bgptest.Attr(0x40, 3, nh4...))
	return bgptest.UpdateBody(nil, attrs, stormPrefix(i))
}

// tenant is another tenant, whose convergence is measured.
type tenant struct {
	b     *bystander
	round int
}

func newTenant(t *testing.T) *tenant { return &tenant{b: newBystander(t)} }

// converge is the longest time of some from an UPDATE sent to its route handed up.
func (x *tenant) converge(t *testing.T, times int) (longest time.Duration) {
	t.Helper()
	for range times {
		x.round++
		want := fmt.Sprintf("+[100.64.%d.%d/32]", x.round>>8&255, x.round&255)
		mark, begin := x.b.w.Len(), time.Now()
		x.b.c.Update(nil, basic(), bgptest.NLRI(want[2:len(want)-1]))
		x.b.w.Wait(t, mark, want)
		longest = max(longest, time.Since(begin))
		x.b.w.Never(t, mark, "up=false")
	}
	x.b.c.Send(bgptest.Keepalive, nil)
	return longest
}
