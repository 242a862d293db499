package rib

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Weights of an equal-cost set reach the kernel's next hops; those that say nothing make no difference.
func TestWeights(t *testing.T) {
	for _, tt := range []struct {
		name          string
		a, b          uint16
		wantA, wantB  uint16
		sameAsWithout bool
	}{
		{"none", 0, 0, 0, 0, true},
		{"one is none", 1, 0, 0, 0, true},
		{"equal", 7, 7, 0, 0, true},
		{"different", 3, 1, 3, 1, false},
		{"different, one without", 0, 256, 0, 256, false},
	} {
		tab := New(testRules())
		p := pfx("172.16.0.0/16")
		for i, weight := range []uint16{0, 0, tt.a, tt.b} {
			id := tab.AddSource(Source{Kind: Static, Name: string(rune('a' + i)), Device: 1 + i%2})
			q := p
			if i < 2 {
				q = pfx("172.17.0.0/16")
			}
			tab.Announce(id, 0, &Attrs{NextHop: addr("10.0.0.2"), Weight: weight}, q)
		}
		kernel := map[netip.Prefix]*Hops{}
		drain(tab, kernel)
		got := kernel[p].Primary
		if len(got) != 2 || got[0].Weight != tt.wantA || got[1].Weight != tt.wantB {
			t.Errorf("%s: %+v", tt.name, got)
		}
		if same := kernel[p] == kernel[pfx("172.17.0.0/16")]; same != tt.sameAsWithout {
			t.Errorf("%s: the same choice as without weights: %v", tt.name, same)
		}
	}
}

// A lone path has no weight, nor have backups; of two paths that lead the same way the greater weight counts.
func TestWeightsThatDoNotCount(t *testing.T) {
	tab := New(testRules())
	p := pfx("172.16.0.0/16")
	kernel := map[netip.Prefix]*Hops{}
	want := func(primary, backup []NextHop) {
		t.Helper()
		drain(tab, kernel)
		if diff := cmp.Diff(&Hops{Primary: primary, Backup: backup}, kernel[p], ignoreShared); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	static := func(name string, device int, weight uint16) SourceID {
		id := tab.AddSource(Source{Kind: Static, Name: name, Device: device})
		tab.Announce(id, 0, &Attrs{NextHop: addr("10.0.0.2"), Weight: weight}, p)
		return id
	}
	ri := tab.AddSource(vpcSide())
	tab.Announce(ri, 0, &Attrs{NextHop: addr("192.0.2.2"), Weight: 9}, p)
	vtep := NextHop{Gateway: addr("192.0.2.2"), Device: vpcSide().Device, OnLink: vpcSide().OnLink}
	want([]NextHop{vtep}, nil)
	static("a", 1, 5)
	want([]NextHop{{Gateway: addr("10.0.0.2"), Device: 1}}, []NextHop{vtep})
	static("b", 2, 2)
	static("c", 2, 4)
	want([]NextHop{{Gateway: addr("10.0.0.2"), Device: 1, Weight: 5}, {Gateway: addr("10.0.0.2"), Device: 2, Weight: 4}}, []NextHop{vtep})
}
