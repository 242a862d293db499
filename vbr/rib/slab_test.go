package rib

import (
	"net/netip"
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

// A slab is a map that chooses its keys; what is kept does not move.
func TestSlabIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s slab[int]
		want, place := map[uint32]int{}, map[uint32]*int{}
		for range rapid.IntRange(1, 4*blockLen).Draw(t, "steps") {
			if n := len(want); n > 0 && rapid.IntRange(0, 2).Draw(t, "kind") == 0 {
				for i := range want {
					s.remove(i)
					delete(want, i)
					break
				}
				continue
			}
			v := rapid.Int().Draw(t, "value")
			i := s.add(v)
			if _, taken := want[i]; taken || i == 0 {
				t.Fatalf("number %d given out twice", i)
			}
			want[i], place[i] = v, s.at(i)
		}
		for i, v := range want {
			if s.get(i) != v || s.at(i) != place[i] {
				t.Fatalf("number %d: %d at %p, want %d at %p", i, s.get(i), s.at(i), v, place[i])
			}
		}
		for i := range want {
			s.remove(i)
		}
		if s.get(0) != 0 || len(s.free) != int(s.used) || s.used > blockLen {
			t.Fatalf("empty: %d of %d numbers free", len(s.free), s.used)
		}
	})
}

func TestEntryKeepsItsPrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address"))
		a := netip.AddrFrom16(b)
		switch rapid.IntRange(0, 2).Draw(t, "family") {
		case 0:
			a = netip.AddrFrom4([4]byte(b[:4]))
		case 1: // IPv4-mapped is IPv6
			a = netip.AddrFrom16(netip.AddrFrom4([4]byte(b[:4])).As16())
		}
		p := netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits"))
		if e := newEntry(p); e.prefix() != p || e.six != a.Is6() {
			t.Fatalf("%v became %v", p, e.prefix())
		}
	})
}

// Changes may be given back late: what they say of a prefix that is gone meanwhile does not go to another.
func TestLateConfirm(t *testing.T) {
	tab := New(testRules())
	id := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
	one := func() (c Change) {
		tab.NextWindow()
		tab.Changes(10, func(next Change) { c = next })
		return c
	}
	tab.Announce(id, 0, via("10.0.0.2", 65001), pfx("172.16.1.0/24"))
	came := one()
	tab.Withdraw(id, 0, pfx("172.16.1.0/24"))
	went := one()
	tab.Announce(id, 0, via("10.0.0.2", 65001), pfx("172.16.2.0/24"))
	other := one()
	for _, tt := range []struct {
		change             Change
		announce, withdraw bool
	}{{came, true, false}, {went, false, true}, {other, true, false}} {
		a := tab.Confirm(tt.change, true)
		if a.Prefix != tt.change.Prefix || (a.Announce != nil) != tt.announce || (a.Was != nil) != tt.withdraw {
			t.Errorf("%v: told %+v", tt.change.Prefix, a)
		}
	}
	if tab.Len() != 1 {
		t.Errorf("%d prefixes stay", tab.Len())
	}
}

// A path, its attributes included, takes at most 150 bytes, also where the maps have just grown.
func TestPathFitsIn150Bytes(t *testing.T) {
	const n = 120_000
	prefixes := manyPrefixes(n)
	before := heap()
	tab := New(testRules())
	manyOffers(prefixes, "10.0.0.2").announce(tab, tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30")))
	if got := (heap() - before) / n; got > 150 {
		t.Errorf("%d bytes a path", got)
	}
	runtime.KeepAlive(tab)
	runtime.KeepAlive(prefixes)
}
