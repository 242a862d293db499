package link

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Rate limits what a device sends (Out) and receives (In), each in bits per second of IP packets: IP header and payload count, Ethernet and
// VLAN headers and the tunnel's encapsulation don't. 0 means no limit. Of a packet that the kernel handles as one for several
// segments (GSO, GRO), the headers of the second and further segments are not counted: at most 4 % with full-sized TCP segments.
//
// Out is shaped (tbf, up to [queueTime] of queue), In is policed: what is too much is dropped. A queueing discipline
// or an ingress filter that is not ours stays, and is an error.
type Rate struct{ Out, In uint64 }

const (
	// shapeHandle marks our tbf, policeHandle and policePref our ingress filter; the ingress qdisc itself can't have a handle of ours.
	shapeHandle  = Group << 16
	policeHandle = Group
	policePref   = Group

	// shapeBurst has to hold what a coarse timer lets pass at a time (10 ms at 100 Hz), and a late one.
	shapeBurst    = 40 * time.Millisecond
	minShapeBurst = 16 << 10 // a jumbo frame
	queueTime     = 100 * time.Millisecond
	minQueue      = 32 << 10
	// policeBurst is what TCP needs to keep its rate over usual round trips.
	policeBurst    = 100 * time.Millisecond
	minPoliceBurst = 64 << 10 // the largest GRO packet
	maxPoliceBurst = time.Minute
)

// ensureRate sets, changes in place or removes the device's two limits.
func (m *Manager) ensureRate(index int, want Rate) error {
	return errors.Join(m.ensureOut(index, want.Out), m.ensureIn(index, want.In))
}

func (m *Manager) ensureOut(index int, bps uint64) error {
	q, err := m.qdisc(index, netlink.HANDLE_ROOT)
	if err != nil {
		return err
	}
	own := q.handle == shapeHandle && q.kind == "tbf"
	switch {
	case bps == 0 && !own:
		return nil
	case bps == 0:
		return m.delQdisc(index, netlink.HANDLE_ROOT, shapeHandle)
	case own && q.shape == newShape(bps):
		return nil
	case !own && q.handle != 0: // the kernel's default qdiscs have none
		return fmt.Errorf("the outgoing rate is not set: the qdisc %s %x: of device %d %w; delete it first", q.kind, q.handle>>16, index, ErrNotOurs)
	}
	return m.setShape(index, newShape(bps))
}

func (m *Manager) ensureIn(index int, bps uint64) error {
	q, err := m.qdisc(index, netlink.HANDLE_INGRESS)
	if err != nil {
		return err
	}
	if q.kind == "" {
		if bps == 0 {
			return nil
		}
		if err := m.addIngress(index); err != nil {
			return err
		}
		return m.addPolice(index, bps)
	}
	foreign := fmt.Errorf("the incoming rate is not set: the qdisc %s of device %d and its filters %w; delete it first", q.kind, index, ErrNotOurs)
	if q.kind != "ingress" {
		if bps == 0 {
			return nil
		}
		return foreign
	}
	own, others, err := m.filters(index)
	switch {
	case err != nil:
		return err
	case own == nil && bps == 0:
		return nil
	case own == nil && others > 0:
		return foreign
	case own == nil:
		return m.addPolice(index, bps)
	case bps == 0:
		return m.delPolice(index, others == 0)
	case own.bytes == bytesOf(bps):
		return nil
	}
	return m.changePolice(own.action, bps)
}

// delPolice removes our filter, and the ingress qdisc when nobody else uses it.
func (m *Manager) delPolice(index int, last bool) error {
	if last {
		return m.delQdisc(index, netlink.HANDLE_INGRESS, 0)
	}
	return m.delFilter(index)
}

// removeRates takes our limits off all devices.
func (m *Manager) removeRates() error {
	indexes, err := m.limited()
	if err != nil {
		return err
	}
	var errs []error
	for _, index := range indexes {
		if err := m.ensureRate(index, Rate{}); err != nil && !gone(err) && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, fmt.Errorf("link: rate of device %d: %w", index, err))
		}
	}
	return errors.Join(errs...)
}

// shape are tbf's parameters, in bytes.
type shape struct {
	rate         uint64 // a second
	burst, limit uint32
}

func newShape(bps uint64) shape {
	s := shape{rate: bytesOf(bps)}
	s.burst = uint32(max(within(s.rate, shapeBurst), minShapeBurst))
	s.limit = uint32(max(within(s.rate, queueTime), minQueue))
	return s
}

// within is how many bytes pass in a time, at most 2 GiB.
func within(rate uint64, d time.Duration) uint64 {
	return min(rate/1000*uint64(d.Milliseconds()), 1<<31)
}

// policeTime is the burst of a rate as a time, which is how the kernel wants it.
func policeTime(bps uint64) time.Duration {
	return min(max(policeBurst, time.Duration(minPoliceBurst*uint64(time.Second)/bytesOf(bps))), maxPoliceBurst)
}

// bytesOf is a rate in bytes a second; 0 would mean none to the kernel.
func bytesOf(bps uint64) uint64 { return max(bps/8, 1) }
