package vbr

import (
	"fmt"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/link"
	"github.com/openvbr/openvbr/vbr/quality"
	"github.com/openvbr/openvbr/vbr/usage"
)

// metered is the usage of a router interface.
type metered struct {
	owner   string
	meter   *usage.Meter
	class   usage.Class
	dirty   bool
	foreign bool // what its device has carried until now was another owner's
}

// total is all that was carried, for people.
func (x *metered) total() string {
	text := ""
	for _, c := range []usage.Class{usage.SameRegion, usage.CrossRegion} {
		n := x.meter.Total(c)
		text += fmt.Sprintf("%s: %d bytes in %d packets sent, %d bytes in %d packets received; ", c, n.TxBytes, n.TxPackets, n.RxBytes, n.RxPackets)
	}
	return text[:len(text)-2]
}

func (m *monitor) loadUsage(v *view) *metered {
	x := &metered{owner: v.ri.owner, class: v.class}
	meter, err := load(m.file(usageDir, v), usage.Unmarshal)
	if x.meter = meter; err != nil {
		x.meter = usage.New()
		m.damaged(v, "usage", err)
	}
	return x
}

// read reads the counters of all devices that router interfaces have, unless that was done just now; those of routers on their way out too.
func (m *monitor) read(leaving ...*router) {
	if m == nil {
		return
	}
	m.reading.Lock()
	defer m.reading.Unlock()
	if len(leaving) == 0 && time.Since(m.readAt) < readPause {
		return
	}
	var views []view
	for _, r := range append(leaving, m.host.allRouters()...) {
		vs, _ := r.views()
		views = append(views, vs...)
	}
	if len(views) == 0 {
		return
	}
	m.adopt(views)
	counters, err := m.host.links.Counters()
	if err != nil {
		m.log.Warn("counters not read", "err", err)
		return
	}
	m.readAt = time.Now()
	for _, v := range m.count(counters, views) {
		if err := m.saveUsage(v); err != nil { // what its predecessor had carried is in no counter any more
			m.log.Warn("usage not saved", "router_interface", v.ri.name, "err", err)
		}
	}
}

// count takes in counters, and returns the router interfaces whose device is another than last.
func (m *monitor) count(counters map[int]link.Counters, views []view) (renewed []*view) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range views {
		v := &views[i]
		x := m.metered[v.ri.name]
		c, known := counters[v.index]
		if !known || x == nil || v.index == 0 {
			continue
		}
		if x.read(m.readAt, m.boot, v, c, counters[v.inlet]) {
			renewed = append(renewed, v)
		}
		if q := m.measured[v.ri.name]; q != nil {
			q.history.Counters(m.readAt, quality.Counters{Index: v.index, Packets: c.TxPackets, Errors: c.TxErrors, Dropped: c.TxDropped})
			q.dirty = true
		}
	}
	return renewed
}

// read takes in the counters of the device, and of its inlet, whose sent packets are those that the limit let in. What was carried until now is of the class that it was in.
func (x *metered) read(at time.Time, boot string, v *view, c, in link.Counters) (renewed bool) {
	r := usage.Reading{Boot: boot, Index: v.index, Counts: usage.Counts{RxBytes: c.RxBytes, RxPackets: c.RxPackets, TxBytes: c.TxBytes, TxPackets: c.TxPackets}}
	if v.inlet != 0 {
		r.Inlet = usage.Inlet{Index: v.inlet, Bytes: in.TxBytes, Packets: in.TxPackets}
	}
	if x.foreign {
		x.foreign, x.dirty, x.class = false, true, v.class
		x.meter.Start(r)
		return true
	}
	added, renewed := x.meter.Read(at, x.class, r)
	x.dirty = x.dirty || renewed || added != usage.Counts{}
	moved := x.class != v.class
	x.class = v.class
	return renewed || moved
}

// readBefore reads the counters if a change takes away devices, or makes them anew. The other end of a local pair goes with its device: so all are read.
func (m *monitor) readBefore(d delta) {
	if len(d.risGone) > 0 {
		m.read()
	}
}

// Usage is what the router interfaces of a router, or with a name that one, have carried: since a time, to the hour, or with the zero time all in all. There is one
// for each class of traffic that there was, and for the class of now. The error wraps ErrNoRouter.
func (h *Host) Usage(router, routerInterface string, since time.Time) ([]*vbrv1.Usage, error) {
	r := h.router(router)
	if r == nil {
		return nil, noRouter(router)
	}
	h.monitor.read()
	views, _ := r.views()
	now := time.Now()
	m := h.monitor
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*vbrv1.Usage
	for i := range views {
		x := m.metered[views[i].ri.name]
		if x == nil || routerInterface != "" && views[i].ri.name != routerInterface {
			continue
		}
		out = append(out, x.since(&views[i], since, now)...)
	}
	return out, nil
}

// since is the usage for the API.
func (x *metered) since(v *view, since, now time.Time) (out []*vbrv1.Usage) {
	period := x.meter.Between(since, now)
	for _, class := range []usage.Class{usage.SameRegion, usage.CrossRegion} {
		u := &vbrv1.Usage{Router: v.router.name, RouterInterface: v.ri.name, Owner: v.ri.owner, CrossRegion: class == usage.CrossRegion, Until: stamp(now)}
		n := x.meter.Total(class)
		if !since.IsZero() {
			n, u.Since = period.Carried[class], stamp(period.From)
		}
		if n == (usage.Counts{}) && class != x.class {
			continue
		}
		u.TxBytes, u.TxPackets, u.RxBytes, u.RxPackets = n.TxBytes, n.TxPackets, n.RxBytes, n.RxPackets
		out = append(out, u)
	}
	return out
}
