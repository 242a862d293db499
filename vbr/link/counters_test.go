package link

import (
	"testing"
	"time"
)

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

// The device counts what a limit then drops; its inlet counts what came in, and that is what arrives.
func TestInletCounts(t *testing.T) {
	m := inNamespace(t)
	s := ensure(t, m, limited(Rate{Out: 1e6, In: 1e6}))
	x := newTrickle(t, customer(t, m).run, func(f func() error) error { return f() }, "10.0.0.1:3000")
	index, inlet := s.Lines[0].Index, s.Lines[0].Inlet
	before, err := m.Counters(index, inlet)
	if err != nil || len(before) != 2 {
		t.Fatalf("%v: %v", before, err)
	}
	const sent, length = 200, 1400
	for range sent {
		if _, err := x.out.Write(make([]byte, length)); err != nil {
			t.Fatal(err)
		}
	}
	var arrived uint64
	for b := make([]byte, length); ; arrived++ {
		_ = x.in.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := x.in.Read(b); err != nil {
			break
		}
	}
	after, err := m.Counters(index, inlet)
	if err != nil {
		t.Fatal(err)
	}
	const others = 10 // ARP, neighbour discovery
	received, let, bytes := after[index].RxPackets-before[index].RxPackets, after[inlet].TxPackets-before[inlet].TxPackets, after[inlet].TxBytes-before[inlet].TxBytes
	t.Logf("%d sent, %d counted by the device, %d packets and %d bytes by the inlet, %d arrived", sent, received, let, bytes, arrived)
	if received < sent || arrived > sent/2 || let < arrived || let > arrived+others || bytes < arrived*(length+28+ethernetBytes) || bytes > arrived*(length+28+ethernetBytes)+others*100 {
		t.Error("want the inlet to count what arrives")
	}
}

func TestParseCountersShort(t *testing.T) {
	for _, b := range [][]byte{nil, {8, 0, 1, 0, 0, 0, 0, 0}, {200, 0, 1, 0}} {
		if c, err := parseCounters(b); err == nil {
			t.Errorf("%v: %+v", b, c)
		}
	}
}
