package bfd

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Ports of single-hop BFD (RFC 5881 4), and that of multihop BFD (RFC 5883 5): FRR speaks it with a neighbour on the link too, where it checks the
// TTL of BGP ("ttl-security hops 1"). We answer by the port that the neighbour uses; what crossed a router counts by neither.
const (
	portControl  = 3784
	portMultihop = 4784
	portFirst    = 49152
	portCount    = 65536 - portFirst
)

func control(multihop bool) uint16 {
	if multihop {
		return portMultihop
	}
	return portControl
}

// tosNetworkControl is DSCP CS6, as routing protocols have it.
const tosNetworkControl = 0xc0

// option is an integer socket option.
type option struct{ level, name, value int }

// sending are the options of all sockets that send; receiving of those that receive.
var (
	sending4   = [...]option{{unix.IPPROTO_IP, unix.IP_TTL, ttlOut}, {unix.IPPROTO_IP, unix.IP_TOS, tosNetworkControl}}
	sending6   = [...]option{{unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, ttlOut}, {unix.IPPROTO_IPV6, unix.IPV6_TCLASS, tosNetworkControl}}
	receiving4 = [...]option{{unix.IPPROTO_IP, unix.IP_RECVTTL, 1}, {unix.IPPROTO_IP, unix.IP_PKTINFO, 1}}
	receiving6 = [...]option{{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1}, {unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1}, {unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1}}
)

// udp makes a socket bound to a device and an address.
func udp(device string, index int, local netip.AddrPort, options []option) (int, error) {
	fd, err := unix.Socket(family(local.Addr()), unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_UDP)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	err = unix.BindToDevice(fd, device)
	for _, o := range options {
		if err == nil {
			err = unix.SetsockoptInt(fd, o.level, o.name, o.value)
		}
	}
	if err == nil {
		err = unix.Bind(fd, sockaddr(local, index))
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("socket on %s, %v: %w", device, local, err)
	}
	return fd, nil
}

func family(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// sockaddr needs the device's index for link-local addresses.
func sockaddr(a netip.AddrPort, index int) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	sa := &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	if a.Addr().IsLinkLocalUnicast() {
		sa.ZoneId = uint32(index)
	}
	return sa
}

// sender is one session's socket. It is not connected, so that an ICMP error does not cost the next packet.
type sender struct {
	fd             int
	port           uint16
	to, toMultihop unix.Sockaddr
}

func newSender(s *session, index int, port uint16) (*sender, error) {
	options := sending6[:]
	if s.local.Is4() {
		options = sending4[:]
	}
	fd, err := udp(s.key.device, index, netip.AddrPortFrom(s.local, port), append(options[:len(options):len(options)],
		option{unix.SOL_SOCKET, unix.SO_PRIORITY, 6}, option{unix.SOL_SOCKET, unix.SO_RCVBUF, 0})) // nothing is read here
	if err != nil {
		return nil, err
	}
	to := func(multihop bool) unix.Sockaddr {
		return sockaddr(netip.AddrPortFrom(s.key.peer, control(multihop)), index)
	}
	return &sender{fd, port, to(false), to(true)}, nil
}

func (s *sender) send(b []byte, multihop bool) error {
	to := s.to
	if multihop {
		to = s.toMultihop
	}
	return unix.Sendto(s.fd, b, unix.MSG_DONTWAIT, to)
}

// randomPort is one of RFC 5881 4's.
func randomPort() (uint16, error) {
	var b [2]byte
	_, err := rand.Read(b[:])
	return portFirst + binary.BigEndian.Uint16(b[:])%portCount, err
}

// deviceIndex asks the kernel for a device's, by any socket.
func deviceIndex(fd int, device string) (int, error) {
	req, err := unix.NewIfreq(device)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, req)
	}
	if err != nil {
		return 0, fmt.Errorf("device %s: %w", device, err)
	}
	return int(int32(req.Uint32())), nil
}
