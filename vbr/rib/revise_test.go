package rib

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A table whose rules and sources changed is the one that had them from the start, and so is the kernel that follows it.
func TestRevised(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := rapid.SliceOfN(rapid.Custom(genOp), 1, 40).Draw(t, "ops")
		rules := testRules()
		rules.LocalASNs = []uint32{rapid.SampledFrom([]uint32{45104, 65009}).Draw(t, "our AS")}
		rules.Backbone = []netip.Prefix{pfx(rapid.SampledFrom([]string{"192.0.2.0/24", "10.100.1.0/24", "10.100.0.0/22"}).Draw(t, "backbone"))}
		sources := []Source{
			customer("10.0.0.2", rapid.IntRange(1, 3).Draw(t, "device"), rapid.SampledFrom([]string{"10.0.0.0/30", "10.9.0.0/30"}).Draw(t, "subnet")),
			customer("10.0.1.2", 2, "10.0.1.0/30"),
			{Kind: BGP, Adopted: true, Name: "adopted", Device: 1},
			vpcSide(),
			otherVPCSide(),
		}
		sources[1].ASN = rapid.SampledFrom([]uint32{65001, 65002}).Draw(t, "peer AS")
		sources[3].Device = rapid.IntRange(8, 9).Draw(t, "tunnel")

		one, ids := newWorld()
		other := New(rules)
		var otherIDs []SourceID
		for _, s := range sources {
			otherIDs = append(otherIDs, other.AddSource(s))
		}
		other.Demote(otherIDs[3], true)
		kernel := map[netip.Prefix]*Hops{}
		at := rapid.IntRange(0, len(ops)).Draw(t, "when")
		for i, o := range ops {
			if i == at {
				revise(one, ids, rules, sources)
			}
			apply(one, ids, o)
			apply(other, otherIDs, o)
			if rapid.Bool().Draw(t, "drain") {
				drain(one, kernel)
			}
		}
		if at == len(ops) {
			revise(one, ids, rules, sources)
		}
		drain(one, kernel)
		want := other.Best()
		if diff := cmp.Diff(want, kernel, ignoreShared); diff != "" {
			t.Fatalf("kernel (-want +got):\n%s", diff)
		}
		for i := range ids {
			if a, b := one.Counts(ids[i]), other.Counts(otherIDs[i]); !a.Equal(b) {
				t.Errorf("source %d: %+v, want %+v", i, a, b)
			}
		}
	})
}

func revise(t *Table, ids []SourceID, rules Rules, sources []Source) {
	t.SetRules(rules)
	for i, s := range sources {
		t.ChangeSource(ids[i], s)
	}
	t.Demote(ids[3], true)
}

// Carried counts the prefixes that lead over a source: those of an equal-cost set too, backups and rejected ones not.
func TestCarried(t *testing.T) {
	tab := New(testRules())
	one := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
	two := tab.AddSource(customer("10.0.1.2", 2, "10.0.1.0/30"))
	tab.Announce(one, 0, via("10.0.0.2", 65001), pfx("172.16.1.0/24"), pfx("172.16.2.0/24"), pfx("0.0.0.0/0"))
	tab.Announce(two, 0, via("10.0.1.2", 65001), pfx("172.16.1.0/24"))
	tab.Announce(two, 0, via("10.0.1.2", 65001, 65009), pfx("172.16.2.0/24"))
	if n := tab.Carried(one); n != 0 {
		t.Errorf("%d before the kernel was asked", n)
	}
	drain(tab, map[netip.Prefix]*Hops{})
	if a, b := tab.Carried(one), tab.Carried(two); a != 2 || b != 1 {
		t.Errorf("%d and %d, want 2 and 1", a, b)
	}
	if n := tab.Carried(99); n != 0 {
		t.Errorf("unknown source: %d", n)
	}
}
