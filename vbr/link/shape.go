package link

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
)

// Rate limits what a device sends (Out) and receives (In), each in bits per second of IP packets: IP header and payload count, Ethernet and
// VLAN headers and the tunnel's encapsulation don't. 0 means no limit. Of a packet that the kernel handles as one for several
// segments (GSO, GRO), the headers of the second and further segments are not counted: at most 4 % with full-sized TCP segments.
//
// Both are shaped: what is too much waits in a queue of 100 ms, and is dropped when that is full. BGP, BFD, ARP and neighbour discovery have a queue of
// their own and go first. Out is a tbf at the device's
// root; In is one at the root of an IFB device of ours through which the device receives. A queueing discipline or an ingress filter that
// is not ours stays, and is an error; the device works without that limit.
//
// A rate is changed in place. Only one that goes down to less than 105 Mbit/s loses what waits in the queue at that moment.
type Rate struct{ Out, In uint64 }

const (
	// shapeHandle marks our tbf, filterHandle and filterPref our ingress filter; the ingress qdisc itself can't have a handle of ours.
	shapeHandle  = 0x8686 << 16
	filterHandle = 0x8686
	filterPref   = Group

	// shapeBurst has to hold what a coarse timer lets pass at a time (10 ms at 100 Hz), and a late one.
	shapeBurst    = 40 * time.Millisecond
	minShapeBurst = 16 << 10  // a jumbo frame
	largestPacket = 512 << 10 // GSO_MAX_SIZE
	queueTime     = 100 * time.Millisecond
	minQueue      = 32 << 10
)

// ensureRate sets, changes in place or removes the device's two limits. inlet is the device through which it receives; 0 for none.
func (m *Manager) ensureRate(r Router, l netlink.Link, want Rate) (inlet int, err error) {
	err = m.ensureOut(l.Attrs(), want.Out)
	inlet, in := m.ensureIn(r, l, want.In)
	return inlet, errors.Join(err, in)
}

func (m *Manager) ensureOut(a *netlink.LinkAttrs, bps uint64) error {
	q, err := m.qdisc(a.Index, netlink.HANDLE_ROOT)
	if err != nil {
		return err
	}
	own, want := q.handle == shapeHandle && q.kind == "tbf", newShape(bps)
	switch {
	case bps == 0 && !own:
		return nil
	case bps == 0:
		return m.delQdisc(a.Index, netlink.HANDLE_ROOT, shapeHandle)
	case own && q.shape == want:
		return m.ensureBands(a.Index, want.limit)
	case own && q.shape.outgrows(want):
		if err := m.delQdisc(a.Index, netlink.HANDLE_ROOT, shapeHandle); err != nil {
			return err
		}
	case !own && q.handle != 0: // the kernel's default qdiscs have none
		return fmt.Errorf("the outgoing rate is not set: the qdisc %s %x: of %s %w; delete it first", q.kind, q.handle>>16, a.Name, ErrNotOurs)
	}
	if err := m.setShape(a.Index, want); err != nil {
		return err
	}
	return m.ensureBands(a.Index, want.limit)
}

// removeRate takes both limits off a device.
func (m *Manager) removeRate(a *netlink.LinkAttrs) error {
	return errors.Join(m.ensureOut(a, 0), m.removeIn(a))
}

// removeRates takes our limits off all devices.
func (m *Manager) removeRates() error {
	indexes, err := m.limited()
	if err != nil {
		return err
	}
	var errs []error
	for _, index := range indexes {
		l, err := m.nl.LinkByIndex(index)
		if err != nil {
			continue // gone since
		}
		if err := m.removeRate(l.Attrs()); err != nil && !gone(err) {
			errs = append(errs, fmt.Errorf("link: rate of %s: %w", l.Attrs().Name, err))
		}
	}
	return errors.Join(errs...)
}

// shape are tbf's parameters, in bytes.
type shape struct {
	rate         uint64 // a second
	burst, limit uint32 // a burst of 0 is one that we would not have chosen
}

// outgrows says whether a packet may wait in the queue that the other's burst would never let pass: tbf would stand still for good. Then it
// has to be made anew, and what waits in it is lost.
func (s shape) outgrows(other shape) bool {
	return other.burst < largestPacket && (s.burst > other.burst || s.burst == 0)
}

func newShape(bps uint64) shape {
	s := shape{rate: max(bps/8, 1)} // 0 would mean none to the kernel
	s.burst = uint32(max(within(s.rate, shapeBurst), minShapeBurst))
	s.limit = uint32(max(within(s.rate, queueTime), minQueue))
	return s
}

// within is how many bytes pass in a time, at most 2 GiB.
func within(rate uint64, d time.Duration) uint64 {
	return min(rate/1000*uint64(d.Milliseconds()), 1<<31)
}
