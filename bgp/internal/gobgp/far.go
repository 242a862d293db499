package gobgp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// With GTSM the kernel drops what arrives with less than TTL 255 without a word, so that a neighbour that does not send with it looks like one
// that is not there. While such a neighbour has no session, raw sockets see copies of those packets, so that the reason can be told.

const (
	// farAfter is how long a neighbour has to be without a session before one looks.
	farAfter = 3 * time.Second
	// farFor is how long a packet is the reason.
	farFor = time.Minute
	// farPackets bounds what is read at a time, and farBuffer, in octets, what waits: a few packets.
	farPackets, farBuffer = 32, 4 << 10
	// tcpSYN is the flag of the packets that count (RFC 9293 3.1): what a host says by itself, such as RST, has its own TTL.
	tcpSYN = 2
)

// far is what the watchdog's goroutine knows of packets that came from too far away. The zero value has no sockets.
type far struct {
	fds  [2]int // IPv4, IPv6; 0: none
	seen map[netip.Addr]farPacket
	fail string // why there are no sockets, as logged last
}

type farPacket struct {
	ttl int
	at  time.Time
}

// lookFar looks for packets of neighbours with GTSM that are without a session.
func (s *Server) lookFar(now time.Time) {
	down := s.downSince(now.Add(-farAfter))
	for i, v4 := range []bool{true, false} {
		of := slices.DeleteFunc(slices.Clone(down), func(n Neighbour) bool { return n.Address.Is4() != v4 })
		if len(of) == 0 {
			s.far.shut(i)
			continue
		}
		if err := s.far.open(i, v4, s.cfg.Device, of); err != nil {
			s.far.shut(i)
			if s.far.fail != err.Error() {
				s.far.fail = err.Error()
				s.log.Warn("cannot see packets that GTSM drops; sessions that do not come up for it have no reason", "err", err)
			}
			continue
		}
		s.far.read(i, v4, of, s.cfg.Port, now)
	}
}

// downSince lists the neighbours with GTSM that have had no session since then.
func (s *Server) downSince(then time.Time) (l []Neighbour) {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	for _, x := range s.sessions {
		if x.configured && !x.up && x.conf.GTSM && x.added.Before(then) && x.since.Before(then) {
			l = append(l, x.conf)
		}
	}
	return l
}

// reason is why a neighbour's session does not come up, empty if it is not for its packets' TTL.
func (f *far) reason(a netip.Addr, now time.Time) string {
	p, ok := f.seen[a]
	if !ok {
		return ""
	}
	if now.Sub(p.at) > farFor {
		delete(f.seen, a)
		return ""
	}
	return fmt.Sprintf("its packets arrive with TTL %d instead of 255 and are dropped (GTSM): switch TTL security on at the peer, or off here", p.ttl)
}

func (f *far) open(i int, v4 bool, device string, of []Neighbour) error {
	if f.fds[i] == 0 {
		domain, level, ttl := unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT
		if v4 {
			domain, level, ttl = unix.AF_INET, unix.IPPROTO_IP, unix.IP_RECVTTL
		}
		fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
		if err != nil {
			return fmt.Errorf("raw socket: %w", err)
		}
		f.fds[i] = fd
		if device != "" {
			if err := unix.BindToDevice(fd, device); err != nil {
				return fmt.Errorf("raw socket: bind to device %s: %w", device, err)
			}
		}
		if err := unix.SetsockoptInt(fd, level, ttl, 1); err != nil {
			return fmt.Errorf("raw socket: %w", err)
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, farBuffer); err != nil {
			return fmt.Errorf("raw socket: %w", err)
		}
	}
	return farOnly(of, v4).attach(f.fds[i])
}

func (f *far) shut(i int) {
	if f.fds[i] != 0 {
		_ = unix.Close(f.fds[i])
		f.fds[i] = 0
	}
}

// close ends it.
func (f *far) close() {
	f.shut(0)
	f.shut(1)
}

// read takes in what has come since the last time.
func (f *far) read(i int, v4 bool, of []Neighbour, port uint16, now time.Time) {
	buf, control := make([]byte, 128), make([]byte, 64)
	for range farPackets {
		n, cn, _, from, err := unix.Recvmsg(f.fds[i], buf, control, 0)
		if err != nil {
			return
		}
		a, segment := source(from, v4, buf[:n])
		at := slices.IndexFunc(of, func(n Neighbour) bool { return n.Address == a })
		if at < 0 || len(segment) < 14 || segment[13]&tcpSYN == 0 {
			continue
		}
		theirs, ours := binary.BigEndian.Uint16(segment), binary.BigEndian.Uint16(segment[2:]) // RFC 9293 3.1
		ttl := arrivedWith(control[:cn])
		if ttl < 0 || ttl == maxTTL || ours != port && theirs != of[at].dials() {
			continue
		}
		if f.seen == nil {
			f.seen = map[netip.Addr]farPacket{}
		}
		f.seen[a] = farPacket{ttl, now}
	}
}

// dials is the port that the neighbour is dialled at.
func (n *Neighbour) dials() uint16 {
	if n.Port == 0 {
		return 179
	}
	return n.Port
}

// source is who sent a packet, and the TCP segment in it: of IPv4 a raw socket gives the header too.
func source(from unix.Sockaddr, v4 bool, packet []byte) (netip.Addr, []byte) {
	switch from := from.(type) {
	case *unix.SockaddrInet4:
		if !v4 || len(packet) == 0 {
			break
		}
		if header := 4 * int(packet[0]&15); len(packet) > header {
			return netip.AddrFrom4(from.Addr), packet[header:]
		}
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(from.Addr), packet
	}
	return netip.Addr{}, nil
}

// arrivedWith is the TTL or hop limit that the kernel tells beside a packet, -1 when it tells none.
func arrivedWith(control []byte) int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return -1
	}
	for _, m := range messages {
		v4 := m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_TTL
		v6 := m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_HOPLIMIT
		if (v4 || v6) && len(m.Data) >= 4 {
			return int(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return -1
}
