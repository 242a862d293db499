package admin

import (
	"fmt"
	"strings"
	"time"
)

// suffersReset starts vbrd with the fault, and one of two sessions is reset, or asked to repeat all. The caller hears of an error; in the end all is right.
func (s *site) suffersReset(c faultCase, n int) int {
	began := s.log.len()
	n = s.twoPaths(n)
	s.launch(c.String())
	s.bothUp()
	words := []string{"reset", "vbr-acme/10.0.0.3"}
	if c.effect == "session.refresh" {
		words = append(words, "--soft")
	}
	if out, err := s.try(words...); (err == nil) != strings.HasPrefix(c.act, "delay") {
		s.t.Errorf("%v: %v: %s", words, err, out)
	}
	s.recovers(c, began, n)
	return n
}

// suffersTell starts vbrd with the fault; then one of two peers is removed, and added again, which is to be heard out first.
func (s *site) suffersTell(c faultCase, n int) int {
	began := s.log.len()
	n = s.twoPaths(n)
	launched := s.log.len()
	s.launch(c.String())
	s.bothUp()
	eventually(s.t, "end of the restart", func() error { return has(s.log.since(launched), "restart complete") }) // before it nobody is heard out first
	both := s.wanted(n)
	var one strings.Builder
	for line := range strings.Lines(both) {
		if !strings.Contains(line, "10.0.0.3") {
			one.WriteString(line)
		}
	}
	s.mustApply("intent.yaml", one.String(), "--prune")
	eventually(s.t, "one path", s.onePath)
	if err := s.apply("intent.yaml", both, "--prune"); err != nil && c.act != "kill" {
		s.t.Error(err)
	}
	if c.act == "kill" {
		select {
		case <-s.daemon.done:
		case <-time.After(patience):
		}
	}
	s.recovers(c, began, n)
	return n
}

// bothUp waits for the two sessions; what is right without them was so before.
func (s *site) bothUp() {
	s.t.Helper()
	eventually(s.t, "two sessions", func() error {
		if n := s.status().SessionsEstablished; n != 2 {
			return fmt.Errorf("there are %d", n)
		}
		return nil
	})
}

// recovers waits until all is right, of a vbrd that has died after another start, and ends it.
func (s *site) recovers(c faultCase, began int64, n int) {
	s.t.Helper()
	s.settles(n)
	shown := s.daemon.alive() && s.shows()
	died := !s.daemon.alive()
	s.ends()
	s.passed(c, began, shown)
	if died != (c.act == "kill") {
		s.t.Errorf("vbrd has ended: %v", died)
	}
	if died {
		s.resurrect(n, true)
	}
	s.kept()
}
