package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/internal/fault"
)

// SetVTEP teaches a tunnel device the way to a remote VTEP: neighbour entries VTEP -> router MAC, for
// IPv4 and, mapped, for IPv6 routes, and the forwarding entry router MAC -> VTEP (RFC 9136 4.4.1).
func (m *Manager) SetVTEP(device int, vtep netip.Addr, mac net.HardwareAddr) error {
	fdb := &netlink.Neigh{
		LinkIndex: device, Family: unix.AF_BRIDGE, State: netlink.NUD_PERMANENT | netlink.NUD_NOARP, Flags: netlink.NTF_SELF,
		IP: vtep.AsSlice(), HardwareAddr: mac,
	}
	if err := errors.Join(fault.Around("link.neighbour", func() error { return m.nl.NeighSet(fdb) }), m.SetNeighbour(device, vtep, mac)); err != nil {
		return fmt.Errorf("link: way to VTEP %s (%s) on device %d: %w", vtep, mac, device, err)
	}
	return nil
}

// RemoveVTEP undoes SetVTEP. What is not there is no error.
func (m *Manager) RemoveVTEP(device int, vtep netip.Addr, mac net.HardwareAddr) error {
	fdb := &netlink.Neigh{LinkIndex: device, Family: unix.AF_BRIDGE, Flags: netlink.NTF_SELF, IP: vtep.AsSlice(), HardwareAddr: mac}
	err := fault.Around("link.neighbour", func() error { return m.nl.NeighDel(fdb) })
	if err != nil && gone(err) {
		err = nil
	}
	if err := errors.Join(err, m.RemoveNeighbour(device, vtep)); err != nil {
		return fmt.Errorf("link: remove the way to VTEP %s on device %d: %w", vtep, device, err)
	}
	return nil
}

// SetNeighbour gives the device a permanent neighbour: the router at the other end of a pair, or a link address across a tunnel. An
// IPv4 neighbour is there under its IPv4-mapped address too, so that IPv6 routes can name it.
func (m *Manager) SetNeighbour(device int, addr netip.Addr, mac net.HardwareAddr) error {
	var err error
	for _, a := range gateways(addr) {
		err = errors.Join(err, m.neighbor(unix.RTM_NEWNEIGH, device, a, mac))
	}
	if err != nil {
		return fmt.Errorf("link: neighbour %s (%s) on device %d: %w", addr, mac, device, err)
	}
	return nil
}

// RemoveNeighbour undoes SetNeighbour. What is not there is no error.
func (m *Manager) RemoveNeighbour(device int, addr netip.Addr) error {
	var err error
	for _, a := range gateways(addr) {
		if e := m.neighbor(unix.RTM_DELNEIGH, device, a, nil); e != nil && !gone(e) {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return fmt.Errorf("link: remove neighbour %s from device %d: %w", addr, device, err)
	}
	return nil
}

// gateways are the addresses under which routes name a VTEP or a neighbour.
func gateways(a netip.Addr) []netip.Addr {
	if a.Is4() {
		return []netip.Addr{a, netip.AddrFrom16(a.As16())}
	}
	return []netip.Addr{a}
}

// neighbor adds or deletes a permanent neighbour. The message is ours because the library turns IPv4-mapped addresses into IPv4 ones.
func (m *Manager) neighbor(op, device int, a netip.Addr, mac net.HardwareAddr) error {
	flags := unix.NLM_F_ACK
	if op == unix.RTM_NEWNEIGH {
		flags |= unix.NLM_F_CREATE | unix.NLM_F_REPLACE
	}
	req := newRequest(m, op, flags)
	msg := &netlink.Ndmsg{Family: unix.AF_INET, Index: uint32(device), State: netlink.NUD_PERMANENT}
	if a.Is6() {
		msg.Family = unix.AF_INET6
	}
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.NDA_DST, a.AsSlice()))
	if mac != nil {
		req.AddData(nl.NewRtAttr(unix.NDA_LLADDR, mac))
	}
	return execute("link.neighbour", req)
}
