package feed

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTableIsDistinctAcceptableAndReproducible(t *testing.T) {
	for _, n := range []int{1, 2, 1000, 20000} {
		a, b := New(n, 7), New(n, 7)
		if !cmp.Equal(a.Groups, b.Groups, cmp.Comparer(func(x, y netip.Prefix) bool { return x == y })) {
			t.Errorf("%d: two tables of one seed differ", n)
		}
		all := a.Prefixes()
		seen := map[netip.Prefix]bool{}
		for _, p := range all {
			if p != p.Masked() || seen[p] || p.Addr().IsPrivate() || !p.Addr().IsGlobalUnicast() || p.Bits() > 24 {
				t.Fatalf("%d: bad prefix %v", n, p)
			}
			seen[p] = true
		}
		if len(all) != n || a.Len() != n {
			t.Errorf("%d prefixes, want %d", len(all), n)
		}
		if all[0].Bits() != 24 || all[n-1].Bits() != 24 {
			t.Errorf("%d: first %v, last %v, want /24", n, all[0], all[n-1])
		}
		for _, g := range a.Groups {
			if len(g.Prefixes) < 1 || len(g.Prefixes) > maxGroup || slices.Contains(g.Path, 45104) {
				t.Errorf("bad group %v", g)
			}
		}
	}
	if New(1000, 1).Prefixes()[500] == New(1000, 2).Prefixes()[500] {
		t.Error("the seed changes nothing")
	}
}

func TestSeveralTablesHaveNothingInCommon(t *testing.T) {
	seen := map[netip.Prefix]bool{}
	for i, tab := range Several(20, 100, 5) {
		all := tab.Prefixes()
		for _, p := range all {
			if seen[p] {
				t.Errorf("table %d: %v is in another one", i, p)
			}
			seen[p] = true
		}
		if len(all) != 100 || tab.Len() != 100 || all[99].Bits() != 24 {
			t.Errorf("table %d: %d prefixes, the last is %v", i, len(all), all[len(all)-1])
		}
	}
}

func TestLengthsAddUp(t *testing.T) {
	sum := 0
	for _, l := range lengths {
		sum += l.share
	}
	if sum != 1000 {
		t.Errorf("%d thousandths", sum)
	}
}

func TestProbesEndWithTheLastAndHaveNothingInside(t *testing.T) {
	tab := New(5000, 1)
	all := tab.Prefixes()
	for _, n := range []int{1, 32, 10000} {
		probes := tab.Probes(n)
		if len(probes) > n || probes[len(probes)-1] != all[len(all)-1] {
			t.Errorf("%d probes, the last is %v; want at most %d and %v", len(probes), probes[len(probes)-1], n, all[len(all)-1])
		}
		for _, p := range probes {
			for _, q := range all {
				if q != p && q.Bits() >= p.Bits() && q.Contains(p.Addr().Next()) {
					t.Errorf("%v is inside %v", q, p)
				}
			}
		}
	}
}

// decoded is what a reader of the UPDATEs sees.
type decoded struct {
	prefixes, withdrawn []netip.Prefix
	paths               [][]uint32
	nextHops            map[netip.Addr]bool
	messages            int
}

func decode(t *testing.T, b []byte) decoded {
	t.Helper()
	d := decoded{nextHops: map[netip.Addr]bool{}}
	for len(b) > 0 {
		n := int(binary.BigEndian.Uint16(b[16:]))
		if n > maxLen || b[18] != msgUpdate {
			t.Fatalf("message of type %d and %d bytes", b[18], n)
		}
		body := b[headerLen:n]
		b = b[n:]
		d.messages++
		wl := int(binary.BigEndian.Uint16(body))
		d.withdrawn = append(d.withdrawn, nlri(t, body[2:2+wl])...)
		body = body[2+wl:]
		al := int(binary.BigEndian.Uint16(body))
		d.attrs(body[2 : 2+al])
		d.prefixes = append(d.prefixes, nlri(t, body[2+al:])...)
	}
	return d
}

func (d *decoded) attrs(b []byte) {
	for len(b) > 0 {
		v := b[3 : 3+int(b[2])]
		switch b[1] {
		case 2:
			var path []uint32
			for x := v[2:]; len(x) > 0; x = x[4:] {
				path = append(path, binary.BigEndian.Uint32(x))
			}
			d.paths = append(d.paths, path)
		case 3:
			d.nextHops[netip.AddrFrom4([4]byte(v))] = true
		}
		b = b[3+int(b[2]):]
	}
}

func nlri(t *testing.T, b []byte) (out []netip.Prefix) {
	t.Helper()
	for len(b) > 0 {
		var a [4]byte
		n := (int(b[0]) + 7) / 8
		copy(a[:], b[1:1+n])
		out = append(out, netip.PrefixFrom(netip.AddrFrom4(a), int(b[0])))
		b = b[1+n:]
	}
	return out
}

func TestMessagesSayTheTable(t *testing.T) {
	tab := New(3000, 3)
	hop := netip.MustParseAddr("10.255.0.2")
	d := decode(t, tab.Updates(65001, hop, 2))
	same := cmp.Comparer(func(x, y netip.Prefix) bool { return x == y })
	if diff := cmp.Diff(tab.Prefixes(), d.prefixes, same); diff != "" {
		t.Errorf("announced (-want +got):\n%s", diff)
	}
	if len(d.nextHops) != 1 || !d.nextHops[hop] || d.messages != len(tab.Groups) {
		t.Errorf("next hops %v, %d messages of %d groups", d.nextHops, d.messages, len(tab.Groups))
	}
	for i, p := range d.paths {
		if want := append([]uint32{65001, 65001, 65001}, tab.Groups[i].Path...); !slices.Equal(p, want) {
			t.Errorf("path %v, want %v", p, want)
		}
	}
	d = decode(t, tab.Withdrawals())
	if diff := cmp.Diff(tab.Prefixes(), d.withdrawn, same); diff != "" {
		t.Errorf("withdrawn (-want +got):\n%s", diff)
	}
	if d.messages > 4 {
		t.Errorf("%d messages to withdraw", d.messages)
	}
}
