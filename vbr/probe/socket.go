package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// receiveBuffer in bytes holds the replies to all checks at once.
const receiveBuffer = 4 << 20

// socket is the conn of the kernel.
type socket struct {
	place
	file   *os.File
	raw    syscall.RawConn
	id     uint16 // identifier of its requests
	plain  bool   // a raw socket: IPv4 comes with its header
	index  int    // of the device it is bound to; 0 for none
	failed atomic.Bool
}

func openSocket(p place) (conn, error) {
	fd, plain, err := newSocket(p.v4)
	if err != nil {
		return nil, err
	}
	s := &socket{place: p, plain: plain, id: uint16(rand.Uint32())}
	if err := s.setUp(fd); err != nil {
		unix.Close(fd)
		return nil, err
	}
	s.file = os.NewFile(uintptr(fd), "icmp:"+p.device)
	if s.raw, err = s.file.SyscallConn(); err != nil {
		s.file.Close()
		return nil, fmt.Errorf("icmp socket: %w", err)
	}
	return s, nil
}

// newSocket makes a datagram socket if it may, else a raw one.
func newSocket(v4 bool) (fd int, plain bool, err error) {
	family, proto := unix.AF_INET6, unix.IPPROTO_ICMPV6
	if v4 {
		family, proto = unix.AF_INET, unix.IPPROTO_ICMP
	}
	const flags = unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	if fd, err = unix.Socket(family, unix.SOCK_DGRAM|flags, proto); err == nil {
		return fd, false, nil
	}
	fd, err = unix.Socket(family, unix.SOCK_RAW|flags, proto)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return 0, false, fmt.Errorf("icmp socket: neither is this process's group within net.ipv4.ping_group_range nor has it CAP_NET_RAW: %w", err)
	}
	if err != nil {
		return 0, false, fmt.Errorf("icmp socket: %w", err)
	}
	return fd, true, nil
}

// setUp binds the socket and sets its options.
func (s *socket) setUp(fd int) error {
	if s.device != "" {
		if err := unix.BindToDevice(fd, s.device); err != nil {
			return fmt.Errorf("bind to device %s: %w", s.device, err)
		}
		bound, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX)
		if err != nil {
			return fmt.Errorf("bind to device %s: %w", s.device, err)
		}
		s.index = bound
	}
	if s.source.IsValid() { // IPV6_PKTINFO would do for raw sockets, but datagram ones ignore it
		if err := unix.Bind(fd, s.address(s.source, s.index)); err != nil {
			return fmt.Errorf("bind to source %v: %w", s.source, err)
		}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, 1); err != nil {
		return fmt.Errorf("time stamps of icmp socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer); err != nil { // needs CAP_NET_ADMIN
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
			return fmt.Errorf("buffer of icmp socket: %w", err)
		}
	}
	if err := s.filter(fd); err != nil {
		return fmt.Errorf("filter of icmp socket: %w", err)
	}
	return nil
}

// filter lets a raw socket hear echo replies only; a datagram socket hears nothing else.
func (s *socket) filter(fd int) error {
	if !s.plain {
		return nil
	}
	if s.v4 {
		return unix.SetsockoptInt(fd, unix.SOL_RAW, unix.ICMP_FILTER, ^(1 << echoReply4))
	}
	var f unix.ICMPv6Filter
	for i := range f.Data {
		f.Data[i] = ^uint32(0)
	}
	f.Data[echoReply6>>5] &^= 1 << (echoReply6 & 31)
	return unix.SetsockoptICMPv6Filter(fd, unix.IPPROTO_ICMPV6, unix.ICMPV6_FILTER, &f)
}

func (s *socket) send(r request) error {
	index := s.index
	if zone := r.target.Zone(); zone != "" {
		var err error
		if index, err = s.lookUp(zone); err != nil {
			return fmt.Errorf("zone %s: %w", zone, err)
		}
	}
	b, to := r.marshal(s.id), s.address(r.target, index)
	var err error
	ctl := s.raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), b, unix.MSG_DONTWAIT, to) })
	if err := errors.Join(ctl, err); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// address is an address for the kernel. A link-local one is that of the device.
func (s *socket) address(a netip.Addr, device int) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4()}
	}
	to := &unix.SockaddrInet6{Addr: a.As16()}
	if a.IsLinkLocalUnicast() {
		to.ZoneId = uint32(device)
	}
	return to
}

func (s *socket) stale() bool {
	if s.failed.Load() {
		return true
	}
	if s.device == "" {
		return false
	}
	index, err := s.lookUp(s.device)
	return err != nil || index != s.index
}

// lookUp asks the kernel for a device's index, in the socket's network namespace.
func (s *socket) lookUp(device string) (index int, err error) {
	req, err := unix.NewIfreq(device)
	if err != nil {
		return 0, err
	}
	ctl := s.raw.Control(func(fd uintptr) { err = unix.IoctlIfreq(int(fd), unix.SIOCGIFINDEX, req) })
	return int(req.Uint32()), errors.Join(ctl, err)
}

func (s *socket) close() { s.file.Close() }

func (s *socket) receive(deliver func(reply, time.Time)) {
	buf, oob := make([]byte, 128), make([]byte, 128) // the nonce is in front; the rest may be cut off
	for {
		var n, oobn int
		var from unix.Sockaddr
		var err error
		closed := s.raw.Read(func(fd uintptr) bool {
			n, oobn, _, from, err = unix.Recvmsg(int(fd), buf, oob, 0)
			return !errors.Is(err, unix.EAGAIN)
		})
		if errors.Is(err, unix.EINTR) && closed == nil {
			continue
		}
		if closed != nil || err != nil {
			s.failed.Store(true)
			return
		}
		r, ok := parseReply(buf[:n], s.v4, s.v4 && s.plain)
		if !ok || s.plain && r.id != s.id { // the kernel sets and matches a datagram socket's
			continue
		}
		r.from = hostOf(from)
		deliver(r, stamp(oob[:oobn], time.Now()))
	}
}

func hostOf(a unix.Sockaddr) netip.Addr {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(a.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(a.Addr)
	}
	return netip.Addr{}
}

// stamp is when the kernel received the packet. Its clock may have been set since: then, and without a stamp, it is now.
func stamp(oob []byte, now time.Time) time.Time {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return now
	}
	for _, m := range msgs {
		if m.Header.Level != unix.SOL_SOCKET || m.Header.Type != unix.SO_TIMESTAMPNS_NEW || len(m.Data) < 16 {
			continue
		}
		sec, ns := binary.NativeEndian.Uint64(m.Data), binary.NativeEndian.Uint64(m.Data[8:])
		if age := now.Round(0).Sub(time.Unix(int64(sec), int64(ns))); age >= 0 && age < time.Second {
			return now.Add(-age)
		}
	}
	return now
}
