package fib_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openvbr/openvbr/fib"
)

func TestWeights(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		b := newBench(t, w)
		routes := []string{"10.1.0.0/16 -> 10.0.0.2 east *2 | 10.0.1.2 west *6", "10.2.0.0/16 -> 10.0.0.2 east | 10.0.1.2 west",
			"10.3.0.0/16 -> 10.0.0.2 east *5 | 10.0.1.2 west *5", "10.4.0.0/16 -> 10.0.0.2 east *256 | 10.0.1.2 west",
			"10.5.0.0/16 -> 10.0.0.2 east *9", "10.6.0.0/16 -> 10.0.0.2 east | 10.0.0.3 east *2 else 10.0.1.2 west *7"}
		b.do(routes...)
		const want = `
		10.1.0.0/16 proto 86 metric 179
			nexthop via 10.0.0.2 dev east weight 1
			nexthop via 10.0.1.2 dev west weight 3
		10.2.0.0/16 proto 86 metric 179
			nexthop via 10.0.0.2 dev east
			nexthop via 10.0.1.2 dev west
		10.3.0.0/16 proto 86 metric 179
			nexthop via 10.0.0.2 dev east
			nexthop via 10.0.1.2 dev west
		10.4.0.0/16 proto 86 metric 179
			nexthop via 10.0.0.2 dev east weight 255
			nexthop via 10.0.1.2 dev west weight 1
		10.5.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		10.6.0.0/16 proto 86 metric 179
			nexthop via 10.0.0.2 dev east weight 128
			nexthop via 10.0.0.3 dev east weight 255
		`
		b.want(want)
		if n := len(w.ids()); n != 3+5 { // the groups of 10.2 and 10.3 are one
			t.Errorf("%d nexthop objects, want 3 gateways and 5 groups: %v", n, w.ids())
		}
		b.audit(fib.Drift{})

		c := b.restart()
		c.adopt(6)
		if r, _ := c.Get(c.change("10.1.0.0/16").Prefix); r.Set != c.set("10.0.0.2 east | 10.0.1.2 west *3") {
			t.Errorf("adopted as %v", r.Set)
		}
		c.do(routes...)
		if n := c.messages(); n != 0 {
			t.Errorf("taking over what is there took %d messages", n)
		}
		c.fail("10.0.1.2 west *4")
		c.restore("10.0.1.2 west")
		c.want(want)
		c.do("10.1.0.0/16 -> 10.0.0.2 east *3 | 10.0.1.2 west", "10.4.0.0/16", "10.6.0.0/16")
		c.want(`
		10.1.0.0/16 proto 86 metric 179
			nexthop via 10.0.0.2 dev east weight 3
			nexthop via 10.0.1.2 dev west weight 1
		10.2.0.0/16 proto 86 metric 179
			nexthop via 10.0.0.2 dev east
			nexthop via 10.0.1.2 dev west
		10.3.0.0/16 proto 86 metric 179
			nexthop via 10.0.0.2 dev east
			nexthop via 10.0.1.2 dev west
		10.5.0.0/16 via 10.0.0.2 dev east proto 86 metric 179
		`)
	})
}

// TestAuditWeights: a weight changed by hand is drift.
func TestAuditWeights(t *testing.T) {
	w := newReal(t)
	b := newBench(t, w)
	b.do("10.1.0.0/16 -> 10.0.0.2 east *2 | 10.0.1.2 west *6", "10.2.0.0/16 -> 10.0.0.2 east else 10.0.1.2 west")
	before := w.routes(table)
	for id, n := range w.nexthops() {
		if len(n.Group) == 2 && n.Type != "resilient" {
			w.ip("nexthop", "replace", "id", fmt.Sprint(id), "group", fmt.Sprintf("%d,9/%d,2", n.Group[0].ID, n.Group[1].ID), "proto", "86")
		}
	}
	if got := w.routes(table); !strings.Contains(got, "weight 9") {
		t.Fatalf("the weights did not change:\n%s", got)
	}
	b.audit(fib.Drift{Nexthops: 1})
	b.audit(fib.Drift{})
	if got := w.routes(table); got != before {
		t.Errorf("got\n%swant\n%s", got, before)
	}
}

// TestWeightedBuckets asks the real kernel who gets the traffic of weighted primaries beside a standby: each its share, and the standby nothing as
// long as one is left, were it the lightest.
func TestWeightedBuckets(t *testing.T) {
	w := newReal(t)
	b := newBench(t, w)
	for _, tt := range []struct {
		weights []int
		share   float64 // of the first
	}{{[]int{1, 2}, 1. / 3}, {[]int{1, 8}, 1. / 9}, {[]int{1, 200}, 1. / 9}, {[]int{3, 1, 1}, 3. / 5}, {[]int{1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}, 1. / 43}} {
		var words []string
		for i, weight := range tt.weights {
			words = append(words, fmt.Sprintf("10.0.0.%d east *%d", i+10, weight))
		}
		b.do("10.3.0.0/16 -> " + strings.Join(words, " | ") + " else 10.0.1.2 west | 10.0.1.3 west")
		got, all := w.buckets(), 0
		for _, n := range got {
			all += n
		}
		first := float64(got["10.0.0.10 east"]) / float64(all)
		if len(got) != len(words) || first < tt.share*0.75 || first > tt.share*1.35 {
			t.Errorf("weights %v: buckets are shared %v, the first has %.3f, want about %.3f", tt.weights, got, first, tt.share)
		}
		for i := range words { // the lightest of {1, ...} is the last to go
			b.fail(words[len(words)-1-i])
			for hop := range w.buckets() {
				if last := i == len(words)-1; last != strings.HasSuffix(hop, "west") {
					t.Errorf("weights %v, %d gone: buckets are at %s", tt.weights, i+1, hop)
				}
			}
		}
		for _, p := range words {
			b.restore(p)
		}
		b.do("10.3.0.0/16")
	}
}
