package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// socket is an rtnetlink socket that asks one thing at a time.
type socket struct {
	fd  int
	seq uint32
	buf []byte
}

// newSocket belongs to the namespace of the calling thread.
func newSocket() (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	s := &socket{fd: fd, buf: make([]byte, 1<<18)}
	err = errors.Join(
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 60}))
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("netlink: %w", err)
	}
	return s, nil
}

func (s *socket) close() error { return unix.Close(s.fd) }

// Route is what the kernel says of one IPv4 route.
type Route struct {
	Prefix   netip.Prefix
	Protocol uint8
	Table    uint32
	Device   int // of a route with one next hop, 0 when the kernel names a nexthop object instead
}

// ask sends an RTM_GETROUTE request.
func (s *socket) ask(flags uint16, rtm [unix.SizeofRtMsg]byte, attr uint16, value []byte) error {
	s.seq++
	total := unix.SizeofNlMsghdr + unix.SizeofRtMsg + 4 + len(value)
	b := make([]byte, 0, total)
	b = binary.NativeEndian.AppendUint32(b, uint32(total))
	b = binary.NativeEndian.AppendUint16(b, unix.RTM_GETROUTE)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|flags)
	b = binary.NativeEndian.AppendUint32(b, s.seq)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = append(b, rtm[:]...)
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, attr)
	b = append(b, value...)
	return unix.Sendto(s.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// answers calls f for each message until the last one of a dump, or for the only one.
func (s *socket) answers(f func(typ uint16, body []byte) (more bool, err error)) error {
	for {
		n, _, err := unix.Recvfrom(s.fd, s.buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("netlink: %w", err)
		}
		for b := s.buf[:n]; len(b) >= unix.SizeofNlMsghdr; {
			size := int(binary.NativeEndian.Uint32(b))
			if size < unix.SizeofNlMsghdr || size > len(b) {
				return errors.New("netlink: malformed answer")
			}
			if binary.NativeEndian.Uint32(b[8:]) == s.seq {
				more, err := f(binary.NativeEndian.Uint16(b[4:]), b[unix.SizeofNlMsghdr:size])
				if !more || err != nil {
					return err
				}
			}
			b = b[min(align(size), len(b)):]
		}
	}
}

func align(n int) int { return (n + 3) &^ 3 }

// lookup asks which route of the kernel a packet to addr would take. An error of ENETUNREACH means none.
func (s *socket) lookup(addr netip.Addr) (Route, error) {
	const fibMatch = 0x2000 // RTM_F_FIB_MATCH: the route itself, not its result
	var rtm [unix.SizeofRtMsg]byte
	rtm[0], rtm[1] = unix.AF_INET, 32
	binary.NativeEndian.PutUint32(rtm[8:], fibMatch)
	var r Route
	if err := s.ask(0, rtm, unix.RTA_DST, addr.AsSlice()); err != nil {
		return r, err
	}
	err := s.answers(func(typ uint16, body []byte) (bool, error) {
		if typ == unix.NLMSG_ERROR {
			return false, errorOf(body)
		}
		r = parse(body)
		return false, nil
	})
	return r, err
}

// egress asks through which device a packet to addr would leave.
func (s *socket) egress(addr netip.Addr) (device int, err error) {
	var rtm [unix.SizeofRtMsg]byte
	rtm[0], rtm[1] = unix.AF_INET, 32
	if err := s.ask(0, rtm, unix.RTA_DST, addr.AsSlice()); err != nil {
		return 0, err
	}
	err = s.answers(func(typ uint16, body []byte) (bool, error) {
		if typ == unix.NLMSG_ERROR {
			return false, errorOf(body)
		}
		device = parse(body).Device
		return false, nil
	})
	return device, err
}

// dump calls f for each IPv4 route of a table. A table that does not exist is empty.
func (s *socket) dump(table uint32, f func(Route)) error {
	var rtm [unix.SizeofRtMsg]byte
	rtm[0] = unix.AF_INET
	if err := s.ask(unix.NLM_F_DUMP, rtm, unix.RTA_TABLE, binary.NativeEndian.AppendUint32(nil, table)); err != nil {
		return err
	}
	err := s.answers(func(typ uint16, body []byte) (bool, error) {
		switch typ {
		case unix.NLMSG_DONE:
			return false, nil
		case unix.NLMSG_ERROR:
			return false, errorOf(body)
		}
		f(parse(body))
		return true, nil
	})
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

func errorOf(body []byte) error {
	if e := int32(binary.NativeEndian.Uint32(body)); e != 0 {
		return unix.Errno(-e)
	}
	return nil
}

// parse reads an RTM_NEWROUTE message (rtnetlink(7)).
func parse(b []byte) Route {
	r := Route{Table: uint32(b[4]), Protocol: b[5]}
	bits, dst := int(b[1]), netip.IPv4Unspecified()
	for b = b[unix.SizeofRtMsg:]; len(b) >= 4; {
		size := int(binary.NativeEndian.Uint16(b))
		if size < 4 || size > len(b) {
			break
		}
		v := b[4:size]
		switch binary.NativeEndian.Uint16(b[2:]) {
		case unix.RTA_DST:
			dst = netip.AddrFrom4([4]byte(v))
		case unix.RTA_OIF:
			r.Device = int(binary.NativeEndian.Uint32(v))
		case unix.RTA_TABLE:
			r.Table = binary.NativeEndian.Uint32(v)
		}
		b = b[min(align(size), len(b)):]
	}
	r.Prefix = netip.PrefixFrom(dst, bits)
	return r
}
