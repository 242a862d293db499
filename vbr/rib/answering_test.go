package rib

import (
	"net/netip"
	"testing"
)

// A peer that does not answer keeps its paths, which count again when it does; what is worse about them is said first.
func TestAnswering(t *testing.T) {
	tab, kernel, p := New(testRules()), map[netip.Prefix]*Hops{}, pfx("172.16.1.0/24")
	id := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
	tab.Announce(id, 0, via("10.0.0.2", 65001), p, pfx("0.0.0.0/0"))
	verdicts := func() string {
		drain(tab, kernel)
		return tab.Lookup(p)[0].Verdict.String() + " " + tab.Lookup(pfx("0.0.0.0/0"))[0].Verdict.String()
	}
	for _, tt := range []struct {
		answering, linkUp bool
		want              string
	}{
		{true, true, "accepted default-route"}, {false, true, "bfd-down default-route"}, {false, false, "link-down default-route"},
		{true, false, "link-down default-route"}, {false, true, "bfd-down default-route"}, {true, true, "accepted default-route"},
	} {
		tab.SetAnswering(id, tt.answering)
		tab.SetLinkUp(id, tt.linkUp)
		if got := verdicts(); got != tt.want || (kernel[p] != nil) != (tt.want == "accepted default-route") {
			t.Errorf("answering %v, link up %v: %s, want %s; the kernel has %v", tt.answering, tt.linkUp, got, tt.want, kernel[p])
		}
	}
	tab.SetAnswering(id, false)
	tab.SetRules(Rules{})
	tab.Announce(id, 0, via("10.0.0.2", 65001), pfx("172.16.2.0/24"))
	if got := verdicts(); got != "bfd-down default-route" || tab.Counts(id).Rejected[RejectedBFDDown] != 2 {
		t.Errorf("%s, %v", got, tab.Counts(id))
	}
	known, _ := tab.Explain(p)
	if want := "BFD with 10.0.0.2 is down, or has not been up for long enough"; known.Paths[0].Reason != want {
		t.Errorf("reason %q, want %q", known.Paths[0].Reason, want)
	}
	tab.SetAnswering(99, false) // nobody
}
