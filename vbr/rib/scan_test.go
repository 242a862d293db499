package rib

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func vpcOnly(through string) bool       { return through == "ri-acme" }
func customersOnly(through string) bool { return through == "" }

// scanned lists what a filter finds, one slot at a time.
func scanned(tab *Table, f Filter) []string {
	var rows []Row
	for from := uint32(1); from != 0; {
		rows, from = tab.Scan(from, 1, &f, rows)
	}
	lines := []string{}
	for _, r := range rows {
		lines = append(lines, fmt.Sprintf("%s %s %s", r.Prefix, r.Source, r.Verdict))
	}
	slices.Sort(lines)
	return lines
}

func TestScan(t *testing.T) {
	tab := New(testRules())
	line := tab.AddSource(Source{Kind: Connected, Name: "eth0"})
	one, two := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30", "fd00::/126")), tab.AddSource(customer("10.0.0.1", 1, "10.0.0.0/30"))
	vpc, old := tab.AddSource(vpcSide()), tab.AddSource(Source{Kind: BGP, Adopted: true, Name: "adopted-1", Device: 1})
	tab.Announce(line, 0, &Attrs{}, pfx("10.0.0.0/30"))
	tab.Announce(one, 0, via("10.0.0.2", 65001), pfx("172.16.1.0/24"), pfx("172.16.2.0/24"), pfx("0.0.0.0/0"))
	tab.Announce(one, 0, via("fd00::2", 65001), pfx("2001:db8:1::/64"))
	tab.Announce(two, 0, via("10.0.0.1", 65001, 7), pfx("172.16.1.0/24"))
	tab.Announce(two, 0, via("10.0.0.1", 65001, 45104), pfx("172.16.3.0/24"))
	tab.Announce(vpc, 1, via("192.0.2.11", 65100), pfx("10.100.0.0/16"))
	tab.Announce(old, 0, &Attrs{NextHop: addr("10.0.0.2")}, pfx("172.16.9.0/24"))
	drainAll(tab)
	accepted := []string{
		"10.100.0.0/16 ri-acme accepted", "172.16.1.0/24 10.0.0.1 accepted", "172.16.1.0/24 10.0.0.2 accepted",
		"172.16.2.0/24 10.0.0.2 accepted", "2001:db8:1::/64 10.0.0.2 accepted",
	}
	rejected := []string{"0.0.0.0/0 10.0.0.2 default-route", "172.16.3.0/24 10.0.0.1 as-loop"}
	best := []string{
		"10.100.0.0/16 ri-acme accepted", "172.16.1.0/24 10.0.0.2 accepted", "172.16.2.0/24 10.0.0.2 accepted",
		"172.16.9.0/24 adopted-1 accepted", "2001:db8:1::/64 10.0.0.2 accepted",
	}
	for _, tt := range []struct {
		name string
		f    Filter
		want []string
	}{
		{"received", Filter{Stage: StageReceived}, slices.Sorted(slices.Values(slices.Concat(accepted, rejected)))},
		{"accepted", Filter{Stage: StageAccepted}, accepted},
		{"rejected", Filter{Stage: StageRejected}, rejected},
		{"best", Filter{Stage: StageBest}, slices.Sorted(slices.Values(append([]string{"10.0.0.0/30 eth0 accepted"}, best...)))},
		{"kernel", Filter{Stage: StageKernel}, best},
		{"advertised", Filter{Stage: StageAdvertised}, best[:1]},
		{"exported", Filter{Stage: StageExported}, append([]string{"10.0.0.0/30 eth0 accepted"}, best[1:]...)},
		{"one prefix", Filter{Stage: StageReceived, Prefix: pfx("172.16.1.0/24")}, accepted[1:3]},
		{"one prefix not masked", Filter{Stage: StageReceived, Prefix: pfx("172.16.1.7/24")}, accepted[1:3]},
		{"a shorter prefix alone", Filter{Stage: StageReceived, Prefix: pfx("172.16.0.0/16")}, []string{}},
		{"longer", Filter{Stage: StageAccepted, Prefix: pfx("172.16.0.0/16"), Longer: true}, accepted[1:4]},
		{"all IPv4 by longer", Filter{Stage: StageRejected, Prefix: pfx("0.0.0.0/0"), Longer: true}, rejected},
		{"IPv6", Filter{Stage: StageReceived, Family: 6}, accepted[4:]},
		{"IPv4 of a source", Filter{Stage: StageReceived, Family: 4, Source: "10.0.0.1"}, []string{accepted[1], rejected[1]}},
		{"reason", Filter{Stage: StageReceived, Reason: RejectedASLoop}, rejected[1:]},
	} {
		if diff := cmp.Diff(tt.want, scanned(tab, tt.f)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if a, b, c := tab.CountTold(false, vpcOnly), tab.CountTold(false, customersOnly), tab.CountTold(true, customersOnly); a != 1 || b != 4 || c != 1 {
		t.Errorf("told the customer %d, the VPC %d and %d", a, b, c)
	}
}

// The counts of what was told follow every way of coming, changing sides and going.
func TestCountTold(t *testing.T) {
	tab := New(testRules())
	p := pfx("172.16.1.0/24")
	one, vpc := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30")), tab.AddSource(vpcSide())
	want := func(what string, toCustomer, toVPC int) {
		t.Helper()
		tab.NextWindow()
		drainAll(tab)
		if a, b := tab.CountTold(false, vpcOnly), tab.CountTold(false, customersOnly); a != toCustomer || b != toVPC {
			t.Errorf("%s: told the customer %d, the VPC %d; want %d, %d", what, a, b, toCustomer, toVPC)
		}
	}
	tab.Announce(one, 0, via("10.0.0.2", 65001), p)
	want("came", 0, 1)
	tab.Announce(one, 0, via("10.0.0.2", 65001, 7), p)
	want("changed", 0, 1)
	tab.Announce(vpc, 0, via("192.0.2.11", 65100), p)
	want("moved to the VPC side", 1, 0)
	tab.Drop(vpc)
	want("moved back", 0, 1)
	tab.Withdraw(one, 0, p)
	want("went", 0, 0)
}
