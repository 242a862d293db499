package vbr

import (
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/bench/feed"
)

// flooded is how many prefixes TestFlood announces: a million with VBR_SOAK (make soak).
func flooded() int {
	if os.Getenv("VBR_SOAK") != "" {
		return 1_000_000
	}
	return 100_000
}

// TestFlood: a peer announces a hundred times its quota of 10,000, then withdraws as many prefixes that never were. The kernel has what the quota allows,
// memory stays within a bound that does not grow with the flood, no session ends, and another session's routes reach the kernel as in an idle run or
// near it. Both are printed.
func TestFlood(t *testing.T) {
	const quota, beside = 10_000, 48 << 20
	n := flooded()
	s := newFeedSite(t)
	s.write("resources.d/acme.yaml", strings.Replace(feedYAML, "peer_asn: 65001,", "peer_asn: 65001, route_quota: 10000,", 1))
	s.serve()
	storm, calm := s.peer(2), s.peer(3)
	tables := feed.Several(2, n, 1)
	flood, junk := tables[0].Updates(65001, netip.MustParseAddr("10.0.0.2"), 0), tables[1].Withdrawals()
	idle := s.convergence(calm, 20, func() bool { return true })
	before := settledHeap()

	received := func() int { return int(s.session("10.0.0.2").ReceivedRouteCount) }
	for _, step := range []struct {
		name string
		wire []byte
		over func() bool
	}{
		{"announcements", flood, func() bool { return received() >= n }},
		{"withdrawals of what never was", junk, func() bool { return s.session("10.0.0.2").UpdatesReceived >= uint64(messages(flood)+messages(junk)) }},
	} {
		sent := make(chan error, 1)
		began := time.Now()
		go func() { sent <- storm.Send(step.wire) }()
		busy := s.convergence(calm, 5, step.over)
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		held := int(settledHeap()) - int(before)
		t.Logf("%s: %d in %v, then %d MiB; another session's prefix is in the kernel after %v at most, idle %v", step.name, n, time.Since(began).Round(time.Millisecond), held>>20, busy, idle)
		if held > beside {
			t.Errorf("%s: %d MiB are held, want %d at most", step.name, held>>20, beside>>20)
		}
		if limit := 20*idle + 500*time.Millisecond; busy > limit {
			t.Errorf("%s: another session's prefix was in the kernel after %v, idle %v", step.name, busy, idle)
		}
	}
	if b := s.session("10.0.0.2"); b.AcceptedRouteCount > quota || b.RouteQuotaUsed > quota || b.EstablishedCount != 1 {
		t.Errorf("%v", b)
	}
	for _, session := range []*feed.Session{storm, calm} {
		if err := session.Lost(); err != nil {
			t.Errorf("a session has ended: %v", err)
		}
	}
	runtime.KeepAlive(tables)
}

// inLate is an address of late's.
const inLate = "172.22.1.1"

// messages counts those of BGP.
func messages(b []byte) (n int) {
	for ; len(b) > 0; n++ {
		b = b[int(b[16])<<8|int(b[17]):]
	}
	return n
}

func settledHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// convergence is the longest time from an UPDATE of the session to its route in the kernel, of as many as it takes until it is over, at least some.
func (s *site) convergence(session *feed.Session, least int, over func() bool) (longest time.Duration) {
	s.Helper()
	limit := time.Now().Add(5 * time.Minute)
	for i := 0; i < least || !over(); i++ {
		began := time.Now()
		if began.After(limit) {
			s.Fatal("it does not come to an end")
		}
		s.say(session, announcement(65002, "10.0.0.3", late))
		for s.leadsTo(inLate, "10.0.0.3") != nil {
			if time.Since(began) > time.Minute {
				s.Fatalf("%s is not in the kernel", late)
			}
			time.Sleep(time.Millisecond)
		}
		longest = max(longest, time.Since(began))
		s.say(session, withdrawal(late))
		for exec.Command("ip", "route", "get", inLate).Run() == nil && time.Since(began) < time.Minute {
			time.Sleep(time.Millisecond)
		}
	}
	return longest
}
