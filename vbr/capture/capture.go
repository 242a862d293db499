package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	// MinSnap and MaxSnap are how many octets of a packet can be asked for.
	MinSnap, MaxSnap = 64, 65535
	// slice is how soon Read notices that its context has ended.
	slice = 100 * time.Millisecond
	// batchOctets and batchPackets are where a batch ends.
	batchOctets, batchPackets = 256 << 10, 1024
)

// Packet is an Ethernet frame without a VLAN tag.
type Packet struct {
	Time   time.Time // the kernel's
	Device int       // index into the devices
	Length int       // octets it has
	Data   []byte    // those captured
}

// Capture is one in progress. Its methods are for one goroutine.
type Capture struct {
	sockets  []*socket
	buf, oob []byte
	first    int // the socket to read first, for each its turn
}

// Open begins a capture on the devices of what the filter, which Compile has made, takes. The error wraps unix.EPERM or unix.EAFNOSUPPORT if this
// process may not capture, and unix.ENODEV if there is no such device.
func Open(devices []string, filter []bpf.Instruction) (*Capture, error) {
	program, err := bpf.Assemble(slices.Concat(untagged, filter))
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	c := &Capture{buf: make([]byte, MaxSnap), oob: make([]byte, 256)}
	for _, d := range devices {
		s, err := listen(d, program)
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("capture: %w", err)
		}
		c.sockets = append(c.sockets, s)
	}
	return c, nil
}

// Close ends it.
func (c *Capture) Close() {
	for _, s := range c.sockets {
		s.close()
	}
}

// Dropped counts the packets so far that the filter took and that were not read in time.
func (c *Capture) Dropped() (n uint64) {
	for _, s := range c.sockets {
		n += s.lost()
	}
	return n
}

// Index is the kernel's number of a device: an index of it in what Open was given. It stays when the device is renamed, and another device of the same
// name has another.
func (c *Capture) Index(device int) int { return c.sockets[device].index }

// Read returns what has come, in order of time: a packet at least, unless none comes within the time or the context ends, which is no error.
func (c *Capture) Read(ctx context.Context, within time.Duration) ([]Packet, error) {
	deadline := time.Now().Add(within)
	fds := make([]unix.PollFd, len(c.sockets))
	for i, s := range c.sockets {
		fds[i] = unix.PollFd{Fd: int32(s.fd), Events: unix.POLLIN}
	}
	for {
		batch, err := c.take()
		left := time.Until(deadline)
		if err != nil || len(batch) > 0 || ctx.Err() != nil || left <= 0 {
			return batch, err
		}
		if _, err := unix.Poll(fds, int(min(left, slice).Milliseconds())+1); err != nil && !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("capture: %w", err)
		}
	}
}

// take takes what waits, up to a batch.
func (c *Capture) take() ([]Packet, error) {
	var batch []Packet
	octets := 0
	for i := range c.sockets {
		which := (c.first + i) % len(c.sockets)
		for octets < batchOctets && len(batch) < batchPackets {
			p, err := c.sockets[which].read(c.buf, c.oob)
			if errors.Is(err, errEmpty) {
				break
			}
			if err != nil {
				return batch, fmt.Errorf("capture: %w", err)
			}
			p.Device, p.Data = which, slices.Clone(p.Data)
			octets += len(p.Data)
			batch = append(batch, p)
		}
	}
	c.first++
	slices.SortStableFunc(batch, func(a, b Packet) int { return a.Time.Compare(b.Time) })
	return batch, nil
}
