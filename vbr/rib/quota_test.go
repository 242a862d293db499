package rib

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func quotaPrefix(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
}

func withQuota(q Quota) Source {
	s := customer("10.0.0.2", 1, "10.0.0.0/30")
	s.Quota = q
	return s
}

// accepted are the numbers of the prefixes that count.
func accepted(tab *Table, n int) (out []int) {
	for i := range n {
		for _, p := range tab.Lookup(quotaPrefix(i)) {
			if p.Verdict == Accepted {
				out = append(out, i)
			}
		}
	}
	return out
}

func TestQuotaOrder(t *testing.T) {
	tab := New(testRules())
	id := tab.AddSource(withQuota(Quota{Limit: 3, Never: []netip.Prefix{quotaPrefix(8)}}))
	good, looped := via("10.0.0.2", 65001), via("10.0.0.2", 65001, 45104)
	announce := func(a *Attrs, list ...int) {
		for _, i := range list {
			tab.Announce(id, 0, a, quotaPrefix(i))
		}
	}
	withdraw := func(list ...int) {
		for _, i := range list {
			tab.Withdraw(id, 0, quotaPrefix(i))
		}
	}
	for _, step := range []struct {
		name string
		do   func()
		want []int
	}{
		{"first come", func() { announce(good, 5, 4, 3, 2, 1, 0) }, []int{3, 4, 5}},
		{"announced again", func() { announce(good, 0, 5) }, []int{3, 4, 5}},
		{"places go to who waits longest", func() { withdraw(4) }, []int{2, 3, 5}},
		{"who comes back is last", func() { withdraw(1); announce(good, 1, 4); withdraw(2) }, []int{0, 3, 5}},
		{"and so on", func() { withdraw(3) }, []int{0, 1, 5}},
		{"a rejected one leaves its place", func() { announce(looped, 5) }, []int{0, 1, 4}},
		{"and is last when it is good again", func() { announce(good, 6, 5); withdraw(0) }, []int{1, 4, 6}},
		{"never dropped", func() { announce(good, 8) }, []int{1, 4, 6, 8}},
		{"and it counts", func() { withdraw(1) }, []int{4, 6, 8}},
		{"a smaller quota", func() { tab.ChangeSource(id, withQuota(Quota{Limit: 1})) }, []int{4}},
		{"a greater one", func() { tab.ChangeSource(id, withQuota(Quota{Limit: 3})) }, []int{4, 5, 6}},
		{"counted only", func() { tab.ChangeSource(id, withQuota(Quota{Limit: 1, CountOnly: true})) }, []int{4, 5, 6, 8}},
		{"none", func() { tab.ChangeSource(id, withQuota(Quota{})) }, []int{4, 5, 6, 8}},
	} {
		step.do()
		if diff := cmp.Diff(step.want, accepted(tab, 10)); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

// TestQuotaFamilies: each family has places of its own, and a smaller quota lets the longest and highest prefixes go.
func TestQuotaFamilies(t *testing.T) {
	tab := New(testRules())
	id := tab.AddSource(withQuota(Quota{Limit: 2}))
	a4, a6 := via("10.0.0.2", 65001), via("fe80::2", 65001)
	tab.Announce(id, 0, a6, pfx("2001:db8:1::/48"), pfx("2001:db8:2::/48"), pfx("2001:db8:3::/48"))
	tab.Announce(id, 0, a4, pfx("10.9.0.0/16"), pfx("10.8.0.0/24"), pfx("10.7.0.0/16"))
	for _, six := range []bool{false, true} {
		want := QuotaUse{Limit: 2, Used: 2, Over: 1}
		if got := tab.QuotaUse(id, six); got != want {
			t.Errorf("IPv6 %v: %+v, want %+v", six, got, want)
		}
	}
	tab.ChangeSource(id, withQuota(Quota{Limit: 1}))
	for p, want := range map[string]Verdict{"10.9.0.0/16": Accepted, "10.8.0.0/24": RejectedOverQuota, "2001:db8:1::/48": Accepted, "2001:db8:2::/48": RejectedOverQuota} {
		if got := tab.Lookup(pfx(p))[0]; got.Verdict != want {
			t.Errorf("%s: %s, want %s", p, got.Verdict, want)
		}
	}
	if got, want := tab.Lookup(pfx("10.8.0.0/24"))[0].Reason, "all 1 places of its quota are taken (route_quota); it waits for one, with 1 others"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}

// TestQuotaForgets: beyond the bound nothing is kept, and it is known when to ask again.
func TestQuotaForgets(t *testing.T) {
	tab := New(testRules())
	id := tab.AddSource(withQuota(Quota{Limit: 10}))
	all := make([]netip.Prefix, 3000)
	for i := range all {
		all[i] = quotaPrefix(i)
	}
	good, looped := via("10.0.0.2", 65001), via("10.0.0.2", 65001, 45104)
	tab.Announce(id, 0, good, all[:2000]...)
	tab.Announce(id, 0, looped, all[2000:]...)
	if got, want := tab.QuotaUse(id, false), (QuotaUse{Limit: 10, Used: 10, Over: 1000, Forgotten: 990, Refused: 1000}); got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
	if c := tab.Counts(id); c.Received != 3000 || c.Accepted != 10 || c.Forgotten != 1990 || tab.Len() != 1010 {
		t.Errorf("%+v, %d entries", c, tab.Len())
	}
	tab.Withdraw(id, 0, all[:1005]...) // of those kept
	if got := tab.QuotaUse(id, false); got.Used != 5 || got.Over != 0 || !tab.Incomplete(id) {
		t.Errorf("%+v, incomplete %v; want 5 used and it incomplete", got, tab.Incomplete(id))
	}
	tab.MarkStale(id)
	if tab.Incomplete(id) {
		t.Error("incomplete while all is told again")
	}
	tab.Announce(id, 0, good, all[1005:2000]...)
	tab.Announce(id, 0, looped, all[2000:]...)
	tab.SweepStale(id, false)
	if got, want := tab.QuotaUse(id, false), (QuotaUse{Limit: 10, Used: 10, Over: 985, Refused: 985}); got != want || tab.Incomplete(id) {
		t.Errorf("%+v, want %+v", got, want)
	}
	tab.Withdraw(id, 0, all...)
	if got, want := tab.QuotaUse(id, false), (QuotaUse{Limit: 10}); got != want || tab.Incomplete(id) {
		t.Errorf("all withdrawn: %+v, want %+v", got, want)
	}
	if c := tab.Counts(id); c.Received != 0 {
		t.Errorf("all withdrawn: %+v", c)
	}
}

// TestQuotaOfTheFickle: who announces good paths again as rejected ones gets no more kept than who does not.
func TestQuotaOfTheFickle(t *testing.T) {
	const limit = 100
	tab := New(testRules())
	id := tab.AddSource(withQuota(Quota{Limit: limit}))
	good, looped := via("10.0.0.2", 65001), via("10.0.0.2", 65001, 45104)
	for round := range 30 {
		some := make([]netip.Prefix, limit)
		for i := range some {
			some[i] = quotaPrefix(round*limit + i)
		}
		tab.Announce(id, 0, good, some...)
		tab.Announce(id, 0, looped, some...)
		drainAll(tab)
	}
	if got, want := tab.QuotaUse(id, false), (QuotaUse{Limit: limit, Refused: 30*limit - minSpare}); got != want || tab.Len() != minSpare {
		t.Errorf("%+v, %d entries; want %+v, %d", got, tab.Len(), want, minSpare)
	}
	last := quotaPrefix(30 * limit)
	tab.Announce(id, 0, good, last)
	if got := tab.Lookup(last); len(got) != 1 || got[0].Verdict != Accepted {
		t.Errorf("a good one behind them: %+v", got)
	}
}

// place is a prefix in the model of a quota.
type place struct {
	prefix netip.Prefix
	stale  bool
}

// quotaModel says by plain lists who counts and who waits.
type quotaModel struct {
	limit      int
	never      netip.Prefix
	used, over []place
	rejected   []place
}

func (m *quotaModel) drop(p netip.Prefix) (usedBefore, overBefore bool) {
	is := func(x place) bool { return x.prefix == p }
	usedBefore, overBefore = slices.ContainsFunc(m.used, is), slices.ContainsFunc(m.over, is)
	m.used, m.over, m.rejected = slices.DeleteFunc(m.used, is), slices.DeleteFunc(m.over, is), slices.DeleteFunc(m.rejected, is)
	return usedBefore, overBefore
}

func (m *quotaModel) fill() {
	for len(m.over) > 0 && (m.limit == 0 || len(m.used) < m.limit) {
		m.used, m.over = append(m.used, m.over[0]), m.over[1:]
	}
}

func (m *quotaModel) announce(p netip.Prefix, good bool) {
	at := slices.IndexFunc(m.over, func(x place) bool { return x.prefix == p })
	switch used := slices.ContainsFunc(m.used, func(x place) bool { return x.prefix == p }); {
	case !good:
		m.drop(p)
		m.rejected = append(m.rejected, place{prefix: p})
	case used:
		i := slices.IndexFunc(m.used, func(x place) bool { return x.prefix == p })
		m.used[i].stale = false
	case at >= 0:
		m.over[at].stale = false
	default:
		m.drop(p)
		if m.limit == 0 || len(m.used) < m.limit && len(m.over) == 0 || p == m.never {
			m.used = append(m.used, place{prefix: p})
		} else {
			m.over = append(m.over, place{prefix: p})
		}
	}
	m.fill()
}

func (m *quotaModel) each(do func(list []place) []place) {
	m.used, m.over, m.rejected = do(m.used), do(m.over), do(m.rejected)
	m.fill()
}

// TestQuotaModel: whatever is announced, withdrawn, marked stale and swept, the table agrees with the plain lists, and its counts with itself.
func TestQuotaModel(t *testing.T) {
	good, looped := via("10.0.0.2", 65001), via("10.0.0.2", 65001, 45104)
	rapid.Check(t, func(t *rapid.T) {
		m := &quotaModel{limit: rapid.IntRange(0, 4).Draw(t, "limit"), never: quotaPrefix(7)}
		tab := New(testRules())
		id := tab.AddSource(withQuota(Quota{Limit: m.limit, Never: []netip.Prefix{m.never}}))
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			p := quotaPrefix(rapid.IntRange(0, 9).Draw(t, "prefix"))
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			default:
				fine := rapid.IntRange(0, 3).Draw(t, "good") > 0
				a := good
				if !fine {
					a = looped
				}
				tab.Announce(id, 0, a, p)
				m.announce(p, fine)
			case 0, 1, 2:
				tab.Withdraw(id, 0, p)
				m.drop(p)
				m.fill()
			case 3:
				tab.MarkStale(id)
				m.each(func(l []place) []place {
					for i := range l {
						l[i].stale = true
					}
					return l
				})
			case 4:
				tab.SweepStale(id, false)
				m.each(func(l []place) []place { return slices.DeleteFunc(l, func(x place) bool { return x.stale }) })
			}
			if rapid.Bool().Draw(t, "drain") {
				drain(tab, map[netip.Prefix]*Hops{})
			}
			compareQuota(t, tab, id, m)
		}
	})
}

func compareQuota(t *rapid.T, tab *Table, id SourceID, m *quotaModel) {
	want := map[string]string{}
	for v, list := range map[Verdict][]place{Accepted: m.used, RejectedOverQuota: m.over, RejectedASLoop: m.rejected} {
		for _, x := range list {
			want[x.prefix.String()] = fmt.Sprint(v, x.stale)
		}
	}
	got := map[string]string{}
	for i := range 10 {
		for _, p := range tab.Lookup(quotaPrefix(i)) {
			got[quotaPrefix(i).String()] = fmt.Sprint(p.Verdict, p.Stale)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	use := tab.QuotaUse(id, false)
	if use.Used != len(m.used) || use.Over != len(m.over) || tab.Counts(id).Received != len(want) {
		t.Fatalf("%+v, %+v; want %d, %d, %d", use, tab.Counts(id), len(m.used), len(m.over), len(want))
	}
}

// TestQuotaFlood: a million prefixes against a quota of 10,000 cost the table 20,000 paths, junk withdrawals nothing, and one announced and withdrawn
// again no time in proportion.
func TestQuotaFlood(t *testing.T) {
	const flood, limit = 1_000_000, 10_000
	tab := New(testRules())
	id := tab.AddSource(withQuota(Quota{Limit: limit}))
	before := heap()
	a := via("10.0.0.2", 65001)
	for i := range flood {
		if i%100 == 0 {
			a = via("10.0.0.2", 65001, uint32(i))
		}
		tab.Announce(id, 0, a, quotaPrefix(i))
		if i%4096 == 0 {
			drainAll(tab)
		}
	}
	drainAll(tab)
	grown := int64(heap()) - int64(before)
	t.Logf("%d prefixes against a quota of %d: %d KiB, %d entries", flood, limit, grown>>10, tab.Len())
	if tab.Len() != 2*limit || grown > 8<<20 {
		t.Errorf("%d entries, %d bytes; want %d and at most 8 MiB", tab.Len(), grown, 2*limit)
	}
	if use := tab.QuotaUse(id, false); use != (QuotaUse{Limit: limit, Used: limit, Over: limit, Forgotten: flood - 2*limit}) {
		t.Errorf("%+v", use)
	}
	n := testing.AllocsPerRun(1000, func() { tab.Withdraw(id, 0, netip.MustParsePrefix("30.0.0.0/24")) })
	if n > 0 {
		t.Errorf("%v allocations for a junk withdrawal", n)
	}
	if grown := int64(heap()) - int64(before); grown > 8<<20 {
		t.Errorf("%d bytes after junk withdrawals", grown)
	}
}
