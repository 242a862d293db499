package vbr

import (
	"testing"
	"time"

	"github.com/openvbr/openvbr/vbr/link"
	"github.com/openvbr/openvbr/vbr/usage"
)

// What was carried until now belongs to the class, and the owner, of until now.
func TestMetering(t *testing.T) {
	o, m := monitored(t)
	now := time.Now()
	v := view{router: o.router, ri: riSpec{name: "ri-acme", owner: "acme"}, index: 3}
	count := func(index int, bytes uint64) {
		v.index = index
		m.adopt([]view{v})
		m.readAt = now
		m.count(map[int]link.Counters{index: {TxBytes: bytes, TxPackets: bytes / 100}}, []view{v})
	}
	total := func() (same, cross uint64) {
		x := m.metered["ri-acme"].meter
		return x.Total(usage.SameRegion).TxBytes, x.Total(usage.CrossRegion).TxBytes
	}
	for i, step := range []struct {
		index       int
		bytes       uint64
		class       usage.Class
		owner       string
		same, cross uint64
	}{
		{3, 1000, usage.SameRegion, "acme", 1000, 0},
		{3, 1500, usage.SameRegion, "acme", 1500, 0},
		{4, 100, usage.SameRegion, "acme", 1600, 0},  // a new device
		{4, 300, usage.CrossRegion, "acme", 1800, 0}, // carried before the class changed
		{4, 400, usage.CrossRegion, "acme", 1800, 100},
		{4, 1000, usage.CrossRegion, "beta", 0, 0}, // beta pays for nothing of acme's
		{4, 1200, usage.CrossRegion, "beta", 0, 200},
		{0, 1200, usage.CrossRegion, "beta", 0, 200}, // no device
	} {
		v.class, v.ri.owner = step.class, step.owner
		count(step.index, step.bytes)
		if same, cross := total(); same != step.same || cross != step.cross {
			t.Errorf("step %d: %d, %d; want %d, %d", i, same, cross, step.same, step.cross)
		}
	}
	out := m.metered["ri-acme"].since(&v, time.Time{}, now)
	if len(out) != 1 || !out[0].GetCrossRegion() || out[0].GetTxBytes() != 200 || out[0].GetSince() != nil {
		t.Errorf("%v", out)
	}
	if out := m.metered["ri-acme"].since(&v, now.Add(-time.Hour), now); len(out) != 1 || out[0].GetTxBytes() != 200 || out[0].GetSince() == nil {
		t.Errorf("%v", out)
	}
}

// Of a router interface with a limit, received is what the limit let in.
func TestMeteringOfALimit(t *testing.T) {
	o, m := monitored(t)
	v := view{router: o.router, ri: riSpec{name: "ri-acme", owner: "acme"}, index: 3, inlet: 4}
	m.adopt([]view{v})
	for i, step := range []struct{ offered, let, want uint64 }{{10, 4, 4}, {30, 9, 9}, {30, 0, 9}} { // at last the IFB device is missing
		m.readAt = time.Now()
		counters := map[int]link.Counters{3: {RxBytes: step.offered * 100, RxPackets: step.offered}, 4: {TxBytes: step.let * 100, TxPackets: step.let}}
		if step.let == 0 {
			delete(counters, 4)
		}
		m.count(counters, []view{v})
		if got := m.metered["ri-acme"].meter.Total(usage.SameRegion); got.RxPackets != step.want || got.RxBytes != step.want*100 {
			t.Errorf("step %d: %+v, want %d packets", i, got, step.want)
		}
	}
}
