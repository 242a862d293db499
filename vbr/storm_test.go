package vbr

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/bench/feed"
)

const (
	flapping, steady, late = "172.20.0.0/16", "172.21.0.0/16", "172.22.0.0/16"

	stormRate   = 12000 // UPDATEs a second
	stormLength = 4 * time.Second
)

// A prefix that flaps 10,000 times a second costs ten writes a second to the kernel at most; its neighbours are not touched, another session's
// routes come in as always, and what was said last is what stays.
func TestStorm(t *testing.T) {
	s := newFeedSite(t)
	s.serve()
	storm, calm := s.peer(2), s.peer(3)
	s.say(storm, announcement(65001, "10.0.0.2", steady, flapping))
	s.wantOurs(10*time.Second, flapping, steady)
	watch := watchWrites(t)

	began := time.Now()
	sent, said := s.storm(storm, calm)
	took := time.Since(began)
	s.say(storm, announcement(65001, "10.0.0.6", flapping))
	eventually(t, 60*time.Second, "the last word", func() error { return s.leadsTo("172.20.1.1", "10.0.0.6") })
	settled := time.Since(began)
	time.Sleep(2 * window)

	if perSecond := float64(sent) / took.Seconds(); perSecond < 10000 {
		t.Errorf("only %.0f UPDATEs a second were sent", perSecond)
	}
	writes := watch.of(t, flapping)
	t.Logf("%d UPDATEs in %v, settled after %v: %d writes, %.1f a second", sent, took, settled, len(writes), float64(len(writes))/settled.Seconds())
	if most := 10*settled.Seconds() + 3; float64(len(writes)) > most {
		t.Errorf("the flapping prefix was written %d times in %v, at most %.0f are allowed", len(writes), settled, most)
	}
	if n := len(watch.of(t, steady)); n > 0 {
		t.Errorf("the steady prefix was written %d times", n)
	}
	if at := watch.of(t, late); len(at) != 1 || at[0].Sub(said) > 3*time.Second {
		t.Errorf("the late prefix, announced at %v, was written at %v", said, at)
	} else {
		t.Logf("the late prefix was in the kernel after %v", at[0].Sub(said))
	}
	if err := s.leadsTo("172.20.1.1", "10.0.0.6"); err != nil {
		t.Error(err)
	}
	if err := storm.Lost(); err != nil {
		t.Errorf("the session did not survive: %v", err)
	}
	if strings.Contains(s.log.String(), "degraded") {
		t.Errorf("the router was degraded:\n%s", s.log)
	}
}

// storm has the flapping prefix announced by changing gateways and withdrawn, and half-way the other session announce the late one. It returns the number
// of UPDATEs, and when the late one was said.
func (s *site) storm(storm, calm *feed.Session) (sent int, said time.Time) {
	s.Helper()
	turn := bytes.Join([][]byte{
		announcement(65001, "10.0.0.3", flapping), announcement(65001, "10.0.0.4", flapping), withdrawal(flapping),
		announcement(65001, "10.0.0.2", flapping), announcement(65001, "10.0.0.5", flapping), withdrawal(flapping),
	}, nil)
	const portion = stormRate / 100
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < stormLength; <-tick.C {
		for ; sent < int(time.Since(began).Seconds()*stormRate); sent += portion {
			s.say(storm, bytes.Repeat(turn, portion/6))
		}
		if said.IsZero() && time.Since(began) > stormLength/2 {
			said = time.Now()
			s.say(calm, announcement(65002, "10.0.0.3", late))
		}
	}
	return sent, said
}
