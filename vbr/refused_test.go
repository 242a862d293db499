package vbr

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// leadsTo says whether packets to an address leave by a gateway.
func (s *site) leadsTo(address, gateway string) error {
	out, err := exec.Command("ip", "route", "get", address).CombinedOutput()
	if !strings.Contains(string(out), "via "+gateway+" ") {
		return fmt.Errorf("no way by %s: %s (%w)", gateway, out, err)
	}
	return nil
}

// A route that the kernel refuses is tried again soon, although nothing tells that the reason is gone; the others do not wait for it.
func TestRefusedIsRetried(t *testing.T) {
	s := newFeedSite(t)
	s.serve() // audits every minute: too late for this test
	peer := s.peer(2)
	s.say(peer, announcement(65001, "10.0.0.2", "172.20.0.0/16"))
	s.wantOurs(10*time.Second, "172.20.0.0/16")

	run(t, "ip route add 10.0.0.2 dev port0")
	run(t, "ip route del 10.0.0.0/29 dev port0") // now gateways other than 10.0.0.2 are nowhere
	s.say(peer, announcement(65001, "10.0.0.4", "172.21.0.0/16"))
	s.say(peer, announcement(65001, "10.0.0.2", "172.22.0.0/16"))
	s.wantLog(5*time.Second, "the kernel refuses 1 routes, among them 172.21.0.0/16: add 172.21.0.0/16 table 254: network is unreachable: ")
	s.wantOurs(time.Second, "172.20.0.0/16", "172.22.0.0/16") // an inspection may be under way

	run(t, "ip route add 10.0.0.0/29 dev port0 scope link") // not ours, no link, no address: no event
	began := time.Now()
	s.wantOurs(5*time.Second, "172.20.0.0/16", "172.21.0.0/16", "172.22.0.0/16")
	t.Logf("in the kernel %v after the reason went", time.Since(began))
	s.wantLog(5*time.Second, "router recovered")
	if n := strings.Count(s.log.String(), "router degraded"); n != 1 {
		t.Errorf("%d log lines on one refused route:\n%s", n, s.log)
	}
}

// An address that vanishes by another hand is put back at once, and its routes with it.
func TestAddressDeleted(t *testing.T) {
	s := newFeedSite(t)
	s.serve()
	peer := s.peer(2)
	s.say(peer, announcement(65001, "10.0.0.2", "172.20.0.0/16"))
	s.wantOurs(10*time.Second, "172.20.0.0/16")
	run(t, "ip addr del 10.0.0.1/29 dev port0")
	began := time.Now()
	eventually(t, 5*time.Second, "the address", func() error {
		if out := run(t, "ip addr show dev port0"); !strings.Contains(out, "10.0.0.1/29") {
			return errors.New(out)
		}
		return nil
	})
	t.Logf("the address is back after %v", time.Since(began))
	s.say(peer, announcement(65001, "10.0.0.4", "172.21.0.0/16"))
	s.wantOurs(5*time.Second, "172.20.0.0/16", "172.21.0.0/16")
	if err := peer.Lost(); err != nil {
		t.Error(fmt.Errorf("the session did not survive: %w", err))
	}
}

// What another hand deletes of ours is back at once: routes, and nexthop objects with all that hangs on them.
func TestDeletedByHand(t *testing.T) {
	s := newFeedSite(t)
	s.serve()
	peer := s.peer(2)
	s.say(peer, announcement(65001, "10.0.0.2", "172.20.0.0/16", "172.21.0.0/16"))
	s.wantOurs(10*time.Second, "172.20.0.0/16", "172.21.0.0/16")
	for _, line := range []string{"ip route del 172.20.0.0/16", "ip route flush proto 86", "ip nexthop flush proto 86"} {
		watch := watchWrites(t)
		run(t, line)
		began := time.Now()
		eventually(t, 5*time.Second, "written again after "+line, func() error {
			if n := len(watch.of(t, "172.20.0.0/16")); n == 0 || s.leadsTo("172.20.1.1", "10.0.0.2") != nil {
				return errors.New("not yet")
			}
			return nil
		})
		s.wantOurs(5*time.Second, "172.20.0.0/16", "172.21.0.0/16")
		t.Logf("%s: all back after %v at most", line, time.Since(began))
	}
}
