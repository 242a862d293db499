package rib

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// op is one update; ops on different (source, path id, prefix) commute.
type op struct {
	source   int
	id       uint32
	prefix   netip.Prefix
	attrs    *Attrs
	withdraw bool
}

func genOp(t *rapid.T) op {
	o := op{source: rapid.IntRange(0, 4).Draw(t, "source"), withdraw: rapid.IntRange(0, 4).Draw(t, "kind") == 0}
	third := rapid.IntRange(0, 3).Draw(t, "third")
	bits := rapid.SampledFrom([]int{16, 22, 24}).Draw(t, "bits")
	o.prefix = netip.PrefixFrom(addr(fmt.Sprintf("10.100.%d.0", third)), bits).Masked()
	o.id = uint32(rapid.IntRange(0, 1).Draw(t, "id"))
	path := []uint32{65001, 65009, 65010}[:rapid.IntRange(1, 3).Draw(t, "length")]
	o.attrs = via(fmt.Sprintf("10.0.%d.2", o.source%2), path...)
	if o.source >= 3 {
		o.attrs.NextHop = addr("192.0.2.2")
	}
	o.attrs.MED = uint32(rapid.IntRange(0, 2).Draw(t, "med"))
	o.attrs.Weight = uint16(rapid.IntRange(0, 2).Draw(t, "weight"))
	o.attrs.Priority = uint16(rapid.IntRange(0, 1).Draw(t, "priority"))
	return o
}

func otherVPCSide() Source {
	return Source{Kind: RouterInterface, Name: "ri-other", Device: 10, OnLink: true}
}

// governed is a customer whose routes an import policy changes.
func governed() Source {
	s := customer("10.0.1.2", 2, "10.0.1.0/30")
	s.Import = labPolicy(panicker{})
	return s
}

type panicker struct{}

func (panicker) Fatal(what ...any) { panic(fmt.Sprint(what...)) }

func newWorld() (*Table, []SourceID) {
	tab := New(testRules())
	ids := []SourceID{
		tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30")),
		tab.AddSource(governed()),
		tab.AddSource(Source{Kind: BGP, Adopted: true, Name: "adopted", Device: 1}),
		tab.AddSource(vpcSide()),
		tab.AddSource(otherVPCSide()),
	}
	return tab, ids
}

func apply(tab *Table, ids []SourceID, o op) {
	if o.withdraw {
		tab.Withdraw(ids[o.source], o.id, o.prefix)
		return
	}
	tab.Announce(ids[o.source], o.id, o.attrs, o.prefix)
}

var ignoreShared = cmp.Options{
	cmpopts.IgnoreUnexported(Hops{}), cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

// The last update of each (source, path id, prefix) decides, whatever the order of the others and whenever the
// kernel is asked; what was told follows.
func TestAnyOrderSameTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := rapid.SliceOfN(rapid.Custom(genOp), 1, 40).Draw(t, "ops")
		type slot struct {
			source int
			id     uint32
			prefix netip.Prefix
		}
		last := map[slot]op{}
		one, ids := newWorld()
		kernel := map[netip.Prefix]*Hops{}
		told := map[netip.Prefix]string{}
		for _, o := range ops {
			apply(one, ids, o)
			last[slot{o.source, o.id, o.prefix}] = o
			if rapid.Bool().Draw(t, "drain") {
				tell(told, drain(one, kernel))
			}
		}
		tell(told, drain(one, kernel))

		final := make([]op, 0, len(last))
		for _, o := range last {
			final = append(final, o)
		}
		other, ids2 := newWorld()
		kernel2, told2 := map[netip.Prefix]*Hops{}, map[netip.Prefix]string{}
		for _, o := range final { // map order: a permutation
			apply(other, ids2, o)
		}
		tell(told2, drain(other, kernel2))

		if diff := cmp.Diff(kernel, kernel2, ignoreShared); diff != "" {
			t.Fatalf("order matters (-first +second):\n%s", diff)
		}
		if diff := cmp.Diff(one.Best(), kernel, ignoreShared); diff != "" {
			t.Fatalf("changes do not add up to Best (-best +kernel):\n%s", diff)
		}
		for p := range told {
			if paths := one.Lookup(p); len(paths) > 0 && paths[0].Source.Adopted {
				delete(told, p) // what was told before a predecessor's route took over depends on the order
				delete(told2, p)
			}
		}
		if diff := cmp.Diff(told, told2); diff != "" {
			t.Fatalf("told differently (-first +second):\n%s", diff)
		}
	})
}

func tell(told map[netip.Prefix]string, said []Announcement) {
	for _, a := range said {
		delete(told, a.Prefix)
		if a.Announce != nil {
			heard := *a.Announce
			heard.NextHop, heard.Weight, heard.Priority = netip.Addr{}, 0, 0 // neighbours hear ours, and nothing of these
			told[a.Prefix] = fmt.Sprint(a.Source.Through(), heard)
		}
	}
}

// When all sources are gone, nothing is held in memory: no entry, no attribute set, no choice.
func TestNothingLeaks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab, ids := newWorld()
		kernel := map[netip.Prefix]*Hops{}
		for _, o := range rapid.SliceOfN(rapid.Custom(genOp), 1, 40).Draw(t, "ops") {
			apply(tab, ids, o)
			if rapid.Bool().Draw(t, "stale") {
				tab.MarkStale(ids[o.source])
			}
			if rapid.IntRange(0, 3).Draw(t, "long") == 0 {
				tab.HoldLong(ids[o.source], rapid.Bool().Draw(t, "six"))
			}
			if rapid.IntRange(0, 5).Draw(t, "quota") == 0 {
				s := governed()
				s.Quota.Limit = rapid.IntRange(0, 3).Draw(t, "limit")
				tab.ChangeSource(ids[1], s)
			}
			if rapid.Bool().Draw(t, "drain") {
				drain(tab, kernel)
			}
		}
		sources := make([]*source, 0, len(ids))
		for _, id := range ids {
			sources = append(sources, tab.sources[id])
			tab.RemoveSource(id)
		}
		drain(tab, kernel)
		if len(kernel)+len(tab.entries)+len(tab.choices)+len(tab.sources)+len(tab.vpc)+tab.vpcSet.Size() != 0 {
			t.Fatalf("left: kernel %d, entries %d, choices %d, sources %d, vpc %d/%d", len(kernel), len(tab.entries), len(tab.choices), len(tab.sources), len(tab.vpc), tab.vpcSet.Size())
		}
		for _, s := range sources {
			if c := sumCounts(s); len(s.attrs) != 0 || c != 0 || s.stale != 0 || s.places[0].used+s.places[0].rest+len(s.places[0].line.turns) != 0 {
				t.Fatalf("source %s: %d attribute sets, %d counted, %d stale", s.Name, len(s.attrs), c, s.stale)
			}
		}
	})
}

func sumCounts(s *source) int {
	n := 0
	for _, c := range s.counts {
		n += c
	}
	return n
}
