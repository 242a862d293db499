package rib

import (
	"net/netip"
	"testing"
	"time"
)

// Chosen and Waiting are what Best and the changes to come count, through announcements, a better path, a withdrawal and a lost session.
func TestChosen(t *testing.T) {
	table := New(Rules{})
	table.SetNow(time.Now())
	source := func(last byte) SourceID {
		a := netip.AddrFrom4([4]byte{10, 0, 0, last})
		return table.AddSource(Source{Kind: BGP, Name: a.String(), Address: a, ASN: 65001, Device: 2, Subnets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}})
	}
	one, two := source(2), source(3)
	path := func(last byte) *Attrs {
		return &Attrs{NextHop: netip.AddrFrom4([4]byte{10, 0, 0, last}), ASPath: []Segment{{Type: ASSequence, ASNs: []uint32{65001}}}}
	}
	p, q := netip.MustParsePrefix("20.0.1.0/24"), netip.MustParsePrefix("20.0.2.0/24")
	for i, step := range []struct {
		do   func()
		want int
	}{
		{func() { table.Announce(one, 0, path(2), p, q) }, 2},
		{func() { table.Announce(two, 0, path(3), p) }, 2},
		{func() { table.Withdraw(one, 0, q) }, 1},
		{func() { table.Drop(one) }, 1},
		{func() { table.Drop(two) }, 0},
	} {
		step.do()
		if table.Waiting() == 0 {
			t.Errorf("step %d: nothing waits", i)
		}
		table.NextWindow()
		table.Changes(100, func(c Change) { table.Confirm(c, true) })
		if got := table.Chosen(); got != step.want || got != len(table.Best()) {
			t.Errorf("step %d: %d chosen, want %d; Best has %d", i, got, step.want, len(table.Best()))
		}
	}
}
