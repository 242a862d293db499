package bfd

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"slices"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
)

// What one device's sockets may cost: so many packets a second, and so many at once, of its neighbours: what others send does not come
// so far (filter.go). What is more stays in the kernel's buffer and is dropped there. 100 neighbours at 50 ms send 2000 to 2700 a second.
const (
	packetsPerSecond = 4000
	packetsAtOnce    = 500
)

// drainMost bounds what one look at a socket reads.
const drainMost = 256

// receiver is the socket of a place.
type receiver struct {
	place
	index   int          // the device's, when the socket was made
	peers   []netip.Addr // whom the filter lets pass
	file    *os.File
	deliver func(datagram)
	ctx     context.Context // ends with the socket
	stop    context.CancelFunc
	done    chan struct{}
}

func newReceiver(p place, index int) (*receiver, error) {
	local, options := netip.IPv6Unspecified(), receiving6[:]
	if p.v4 {
		local, options = netip.IPv4Unspecified(), receiving4[:]
	}
	fd, err := udp(p.device, index, netip.AddrPortFrom(local, control(p.multihop)), options)
	if err != nil {
		return nil, err
	}
	if err := attach(fd, filter(p.v4, nil)); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	r := &receiver{place: p, index: index, file: os.NewFile(uintptr(fd), "bfd "+p.device), done: make(chan struct{})}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r, nil
}

// admit lets these peers' packets pass.
func (r *receiver) admit(peers []netip.Addr) error {
	if slices.Equal(peers, r.peers) {
		return nil
	}
	err := r.do(func(fd int) error { return attach(fd, filter(r.v4, peers)) })
	if err == nil {
		r.peers = peers
	}
	return err
}

// dropped is how many packets the kernel did not give us.
func (r *receiver) dropped() (n uint64) {
	_ = r.do(func(fd int) error {
		n = dropped(fd)
		return nil
	})
	return n
}

// do does something with the socket, whether or not run waits for a packet.
func (r *receiver) do(f func(fd int) error) error {
	raw, err := r.file.SyscallConn()
	if err != nil {
		return err
	}
	if closed := raw.Control(func(fd uintptr) { err = f(int(fd)) }); closed != nil {
		return closed
	}
	return err
}

// run delivers what comes until the socket is closed, no faster than it may: what is more, the kernel drops.
func (r *receiver) run() {
	defer close(r.done)
	raw, err := r.file.SyscallConn()
	if err != nil {
		return
	}
	limit := rate.NewLimiter(packetsPerSecond, packetsAtOnce)
	for b := new(buffers); limit.Wait(r.ctx) == nil; {
		var d datagram
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			d, failed = b.read(fd)
			return !again(failed)
		})
		if err != nil {
			return
		}
		if failed == nil { // an error of the device's is looked after by Run
			d.multihop = r.multihop
			r.deliver(d)
		}
	}
}

// drain delivers what is in the socket, beside run.
func (r *receiver) drain() {
	b := new(buffers)
	_ = r.do(func(fd int) error { // a closed socket holds nothing
		for range drainMost {
			d, err := b.read(uintptr(fd))
			if err != nil {
				return err
			}
			d.multihop = r.multihop
			r.deliver(d)
		}
		return nil
	})
}

// buffers hold one datagram. What is cut off is beyond any packet's length.
type buffers struct {
	payload [sizeMax]byte
	control [128]byte
}

// read takes what the socket holds; an error is the socket's, unix.EAGAIN: nothing.
func (b *buffers) read(fd uintptr) (datagram, error) {
	n, oobn, _, from, err := unix.Recvmsg(int(fd), b.payload[:], b.control[:], unix.MSG_DONTWAIT)
	if err != nil {
		return datagram{}, err
	}
	d := datagram{ttl: -1, payload: b.payload[:n]}
	switch sa := from.(type) {
	case *unix.SockaddrInet4:
		d.from = netip.AddrFrom4(sa.Addr)
	case *unix.SockaddrInet6:
		d.from = netip.AddrFrom16(sa.Addr)
	}
	for rest := b.control[:oobn]; len(rest) > 0; {
		h, data, next, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			break
		}
		d.control(h, data)
		rest = next
	}
	return d, nil
}

// control reads an ancillary message (ip(7), RFC 3542).
func (d *datagram) control(h unix.Cmsghdr, data []byte) {
	switch [2]int32{h.Level, h.Type} {
	case [2]int32{unix.IPPROTO_IP, unix.IP_TTL}, [2]int32{unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT}:
		if len(data) >= 4 {
			d.ttl = int(binary.NativeEndian.Uint32(data))
		}
	case [2]int32{unix.IPPROTO_IP, unix.IP_PKTINFO}: // index, local address, the header's destination
		if len(data) >= 12 {
			d.to = netip.AddrFrom4([4]byte(data[8:12]))
		}
	case [2]int32{unix.IPPROTO_IPV6, unix.IPV6_PKTINFO}: // the header's destination, index
		if len(data) >= 16 {
			d.to = netip.AddrFrom16([16]byte(data[:16]))
		}
	}
}

// again tells whether an error of a socket says nothing about the socket.
func again(err error) bool {
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR)
}
