package link

import "testing"

func TestCounters(t *testing.T) {
	m := inNamespace(t)
	a, b := twoRouters()
	sa, sb := ensure(t, m, a), ensure(t, m, b)
	ia, ib := sa.Pairs[0].Index, sb.Pairs[0].Index
	eventually(t, "both ends up", func() bool { return ensure(t, m, a).Pairs[0].Up && ensure(t, m, b).Pairs[0].Up })
	before, err := m.Counters(ia, ib, 4096)
	if err != nil || len(before) != 2 {
		t.Fatalf("%v: %v; want two devices", before, err)
	}
	if err := m.SetNeighbour(ia, b.Pairs[0].Addrs[0].Addr(), b.Pairs[0].MAC); err != nil {
		t.Fatal(err)
	}
	if err := m.SetNeighbour(ib, a.Pairs[0].Addrs[0].Addr(), a.Pairs[0].MAC); err != nil {
		t.Fatal(err)
	}
	ip(t, "vrf exec vr-a ping -c 1 -W 2 -s 1000 169.254.10.1")
	const frame = 1000 + 8 + 20 + 14
	after, err := m.Counters(ia, ib)
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range []int{ia, ib} {
		was, is := before[index], after[index]
		was.RxBytes, was.TxBytes, was.RxPackets, was.TxPackets = was.RxBytes+frame, was.TxBytes+frame, was.RxPackets+1, was.TxPackets+1
		if was != is {
			t.Errorf("device %d: %+v, want %+v", index, is, was)
		}
	}
	all, err := m.Counters()
	if err != nil || len(all) != 9 { // lo, two ports and their peers, two VRFs, two ends
		t.Errorf("%d devices, %v", len(all), err)
	}
}

func TestParseCountersShort(t *testing.T) {
	for _, b := range [][]byte{nil, {8, 0, 1, 0, 0, 0, 0, 0}, {200, 0, 1, 0}} {
		if c, err := parseCounters(b); err == nil {
			t.Errorf("%v: %+v", b, c)
		}
	}
}
