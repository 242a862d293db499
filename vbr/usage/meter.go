package usage

import (
	"crypto/sha256"
	"time"
)

// Class says which price traffic has.
type Class uint8

// The classes.
const (
	SameRegion Class = iota
	CrossRegion
	classes
)

// String is "same-region" or "cross-region".
func (c Class) String() string {
	switch c {
	case SameRegion:
		return "same-region"
	case CrossRegion:
		return "cross-region"
	}
	return "unknown"
}

// Counts are bytes and packets of both directions, as the device sees them: received is what came out of it into this host.
type Counts struct {
	RxBytes, RxPackets uint64
	TxBytes, TxPackets uint64
}

// Reading is a device's counters (rtnl_link_stats64) and which device it is.
type Reading struct {
	Boot  string // /proc/sys/kernel/random/boot_id; may be made longer by what tells network namespaces apart
	Index int    // ifindex
	Counts
	Inlet Inlet
}

// Inlet is the device through which a device with a limit on what it receives does so, such as an IFB device, and what came through: the device itself counts
// what the limit drops. The zero value: there is none.
type Inlet struct {
	Index          int
	Bytes, Packets uint64
}

// device is what a Meter remembers of the last reading.
type device struct {
	boot  [sha256.Size]byte // of Reading.Boot
	index uint32
	Counts
	inlet inlet
}

// inlet is what a Meter remembers of an Inlet.
type inlet struct {
	index          uint32
	bytes, packets uint64
}

// Meter is the usage of one router interface. It is no good for concurrent use.
type Meter struct {
	totals  [classes]Counts
	last    *device
	hours   []hour // sorted by start and class
	dropped uint32 // hours that started before this one may have been dropped
}

// New makes a Meter that has seen nothing. The first device it reads is counted whole, from the device's beginning; see Start.
func New() *Meter { return &Meter{} }

// Start takes a reading without counting it: for a device whose traffic until now is somebody else's.
func (m *Meter) Start(r Reading) { m.last = r.device() }

// Read takes a reading and adds what was carried since the last one to the totals of a class, and to the hour of this time. It gives what it added, and whether
// the device is another one than last, or began anew. A class that does not exist counts as SameRegion.
func (m *Meter) Read(at time.Time, c Class, r Reading) (added Counts, renewed bool) {
	if c >= classes {
		c = SameRegion
	}
	d := r.device()
	var last device
	if m.last != nil {
		last = *m.last
	}
	base := last.Counts
	if renewed = !d.continues(last); renewed {
		base = Counts{}
	}
	m.last = d
	added = d.minus(base)
	renewed = d.received(last, &added) || renewed
	if added != (Counts{}) {
		m.totals[c] = m.totals[c].plus(added)
		m.add(at, c, added)
	}
	return added, renewed
}

// Total is all that was carried of a class.
func (m *Meter) Total(c Class) Counts {
	if c >= classes {
		return Counts{}
	}
	return m.totals[c]
}

func (r Reading) device() *device {
	return &device{
		boot: sha256.Sum256([]byte(r.Boot)), index: uint32(r.Index), Counts: r.Counts, inlet: inlet{uint32(r.Inlet.Index), r.Inlet.Bytes, r.Inlet.Packets},
	}
}

// continues says whether d may be a later reading of the device that gave last.
func (d device) continues(last device) bool {
	return d.boot == last.boot && d.index == last.index &&
		d.RxBytes >= last.RxBytes && d.RxPackets >= last.RxPackets && d.TxBytes >= last.TxBytes && d.TxPackets >= last.TxPackets
}

// received puts what came through the inlet in the place of what the device itself counts, and says whether the inlet is another one than last.
func (d device) received(last device, added *Counts) (renewed bool) {
	switch i, l := d.inlet, last.inlet; {
	case i.index == 0 && (l.index == 0 || d.boot != last.boot):
		return false
	case i.index == 0: // how much of it the limit dropped is not known any more
		added.RxBytes, added.RxPackets = 0, 0
	case d.boot == last.boot && i.index == l.index && i.bytes >= l.bytes && i.packets >= l.packets:
		added.RxBytes, added.RxPackets = i.bytes-l.bytes, i.packets-l.packets
		return false
	default: // it may have been there before the last reading
		added.RxBytes, added.RxPackets = min(added.RxBytes, i.bytes), min(added.RxPackets, i.packets)
	}
	return true
}

func (c Counts) plus(o Counts) Counts {
	return Counts{add(c.RxBytes, o.RxBytes), add(c.RxPackets, o.RxPackets), add(c.TxBytes, o.TxBytes), add(c.TxPackets, o.TxPackets)}
}

func (c Counts) minus(o Counts) Counts {
	return Counts{c.RxBytes - o.RxBytes, c.RxPackets - o.RxPackets, c.TxBytes - o.TxBytes, c.TxPackets - o.TxPackets}
}

// add stays at the greatest number where the sum is greater.
func add(a, b uint64) uint64 {
	if sum := a + b; sum >= a {
		return sum
	}
	return ^uint64(0)
}
