package gobgp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// maxKey is what the kernel takes (linux/tcp.h, TCP_MD5SIG_MAXKEYLEN).
const maxKey = 80

// setKey sets what a neighbour's packets are signed with (RFC 2385), on all listeners; "" takes it off.
func (d *door) setKey(peer netip.Addr, key string) error {
	return d.each(func(fd int, v4 bool) error {
		if v4 != peer.Is4() {
			return nil
		}
		return d.s.signWith(fd, peer, key)
	})
}

// signWith sets or takes off a key of one socket. A listener that is bound to a VRF needs it for that VRF; any other device the kernel refuses.
func (s *Server) signWith(fd int, peer netip.Addr, key string) error {
	sig := unix.TCPMD5Sig{Keylen: uint16(len(key))}
	copy(sig.Key[:], key)
	address := sig.Addr.Data[2:] // sockaddr_in, after the port
	sig.Addr.Family = unix.AF_INET
	if !peer.Is4() {
		sig.Addr.Family = unix.AF_INET6
		address = sig.Addr.Data[6:] // sockaddr_in6, after port and flow
	}
	copy(address, peer.WithZone("").AsSlice())
	if s.cfg.Device != "" {
		device, err := net.InterfaceByName(s.cfg.Device)
		if err != nil {
			return fmt.Errorf("key: %w", err)
		}
		sig.Flags, sig.Ifindex = unix.TCP_MD5SIG_FLAG_IFINDEX, int32(device.Index)
	}
	err := unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG_EXT, &sig)
	if errors.Is(err, unix.EINVAL) && sig.Ifindex != 0 {
		sig.Flags, sig.Ifindex = 0, 0
		err = unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG_EXT, &sig)
	}
	if err != nil && (key != "" || !errors.Is(err, unix.ENOENT)) {
		return fmt.Errorf("key: %w", err)
	}
	return nil
}

// rotate changes the key of a session that is up, on the live socket, without its end: what the other end signs with the old key until it has the
// new one too is dropped, and sent again. It reports false when there is no session to keep.
func (s *Server) rotate(n Neighbour) (bool, error) {
	live := s.door.live(n.Address)
	if live == nil {
		return false, nil
	}
	err := errors.Join(
		s.door.setKey(n.Address, n.Password),
		control(live.TCPConn, func(fd int) error { return s.signWith(fd, n.Address, n.Password) }),
	)
	return true, err
}

// live is the connection of a neighbour's session, nil when it is not up.
func (d *door) live(peer netip.Addr) *conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns[peer] {
		if c.up.Load() {
			return c
		}
	}
	return nil
}
