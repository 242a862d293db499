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
