package probe

import (
	"testing"
	"time"
)

// TestHealth reads a row of results: + a reply, - a loss. Below each stands what Observe makes of it: n and a for a change to Normal and Abnormal, a dot for none.
func TestHealth(t *testing.T) {
	for _, c := range []struct {
		name               string
		threshold, healthy int
		row, want          string
		status             Status
		known              bool
	}{
		{"nothing heard yet", 3, 3, "", "", Normal, false},
		{"the first reply makes it known", 3, 3, "+", "n", Normal, true},
		{"losses below the threshold leave it unknown", 3, 3, "--", "..", Normal, false},
		{"losses from the start make it abnormal", 3, 3, "---", "..a", Abnormal, true},
		{"a first reply after losses", 3, 3, "--+--", "..n..", Normal, true},
		{"losses in a row", 3, 3, "++---", "n...a", Abnormal, true},
		{"a reply between ends the row", 3, 3, "+--+--+--", "n........", Normal, true},
		{"replies below the threshold do not heal", 3, 3, "---++-++", "..a.....", Abnormal, true},
		{"replies in a row heal", 3, 3, "---+++", "..a..n", Normal, true},
		{"after healing all losses are needed again", 3, 2, "---++--", "..a.n..", Normal, true},
		{"healthy threshold of its own", 2, 4, "+--+++-++++", "n.a.......n", Normal, true},
		{"more losses change nothing", 2, 2, "-----", ".a...", Abnormal, true},
		{"defaults are eight losses", 0, 0, "+-------", "n.......", Normal, true},
		{"and the eighth", 0, 0, "+--------", "n.......a", Abnormal, true},
		{"and eight replies", 0, 0, "--------++++++++", ".......a.......n", Normal, true},
		{"thresholds of one", 1, 1, "-+-+", "anan", Normal, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := Health{Threshold: c.threshold, HealthyThreshold: c.healthy}
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			var since time.Time
			got := ""
			for i, r := range c.row {
				now := start.Add(time.Duration(i) * 2 * time.Second)
				changed := h.Observe(r == '+', now)
				switch {
				case !changed:
					got += "."
				case h.Status() == Abnormal:
					got += "a"
				default:
					got += "n"
				}
				if changed {
					since = now
				}
			}
			if got != c.want || h.Status() != c.status || h.Known() != c.known || !h.Since().Equal(since) {
				t.Errorf("%s gives\n%s, want\n%s; %s known %t since %v, want %s %t %v", c.row, got, c.want, h.Status(), h.Known(), h.Since(), c.status, c.known, since)
			}
		})
	}
}
