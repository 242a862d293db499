package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ifaProto is IFA_PROTO of linux/if_addr.h (5.18), which says who added an address.
const ifaProto = 11

// address is one interface address as the kernel has it.
type address struct {
	index  int
	prefix netip.Prefix
	proto  uint8
}

// ensureAddrs gives the device its addresses and takes away those of ours that are no longer wanted. Others' addresses stay.
func (m *Manager) ensureAddrs(index int, want []netip.Prefix) error {
	have, err := m.addrs(index)
	if err != nil {
		return err
	}
	var errs []error
	for _, w := range want {
		if !slices.ContainsFunc(have, func(a address) bool { return a.index == index && a.prefix == w }) {
			errs = append(errs, m.changeAddr(unix.RTM_NEWADDR, index, w))
		}
	}
	for _, a := range have {
		if a.index == index && a.proto == Protocol && !slices.Contains(want, a.prefix) {
			errs = append(errs, m.changeAddr(unix.RTM_DELADDR, index, a.prefix))
		}
	}
	return errors.Join(errs...)
}

// removeAddrs takes our addresses off the device, or off every device when index is 0.
func (m *Manager) removeAddrs(index int) error {
	have, err := m.addrs(index)
	if err != nil {
		return err
	}
	var errs []error
	for _, a := range have {
		if a.proto == Protocol && (index == 0 || a.index == index) {
			errs = append(errs, m.changeAddr(unix.RTM_DELADDR, a.index, a.prefix))
		}
	}
	return errors.Join(errs...)
}

// releasePort takes our addresses and rates off the port of an untagged line and the port out of a VRF of ours.
func (m *Manager) releasePort(name string) error {
	l, err := m.find(name)
	if err != nil || l == nil || ours(l.Attrs()) {
		return err
	}
	errs := []error{m.removeAddrs(l.Attrs().Index), m.removeRate(l.Attrs())}
	if master := l.Attrs().MasterIndex; master != 0 {
		vrf, err := m.nl.LinkByIndex(master)
		switch {
		case err != nil && !gone(err):
			errs = append(errs, err)
		case err == nil && ours(vrf.Attrs()):
			errs = append(errs, m.enslave(l, 0))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("link: release port %s: %w", name, err)
	}
	return nil
}

// RemoveStrayAddrs takes our addresses off every port that is none of the untagged lines given, and the port out of a VRF of
// ours: a predecessor left them. Devices that we made keep theirs; they go with the device.
func (m *Manager) RemoveStrayAddrs(lines []Line) error {
	have, err := m.addrs(0)
	if err != nil {
		return err
	}
	var errs []error
	for _, a := range have {
		if a.proto != Protocol {
			continue
		}
		l, err := m.nl.LinkByIndex(a.index)
		if err != nil || ours(l.Attrs()) || slices.ContainsFunc(lines, func(w Line) bool { return w.VLAN == 0 && w.Port == l.Attrs().Name }) {
			continue
		}
		errs = append(errs, m.releasePort(l.Attrs().Name))
	}
	return errors.Join(errs...)
}

// changeAddr adds or deletes an address. IPv6 addresses skip duplicate address detection: on a leased line there are
// two routers, and a second without an address is a second without a session.
func (m *Manager) changeAddr(op int, index int, p netip.Prefix) error {
	flags := unix.NLM_F_ACK
	if op == unix.RTM_NEWADDR {
		flags |= unix.NLM_F_CREATE | unix.NLM_F_EXCL
	}
	req := newRequest(m, op, flags)
	msg := nl.NewIfAddrmsg(unix.AF_INET)
	if p.Addr().Is6() {
		msg.Family = unix.AF_INET6
		msg.Flags = unix.IFA_F_NODAD
	}
	msg.Prefixlen, msg.Index = uint8(p.Bits()), uint32(index)
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFA_LOCAL, p.Addr().AsSlice()))
	req.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, p.Addr().AsSlice()))
	if p.Addr().Is4() && p.Bits() <= 30 {
		req.AddData(nl.NewRtAttr(unix.IFA_BROADCAST, broadcast(p)))
	}
	if op == unix.RTM_NEWADDR {
		req.AddData(nl.NewRtAttr(ifaProto, []byte{Protocol}))
	}
	err := execute("link.address", req)
	if op == unix.RTM_NEWADDR && errors.Is(err, unix.EEXIST) || op == unix.RTM_DELADDR && err != nil && gone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("address %s: %w", p, err)
	}
	return nil
}

func broadcast(p netip.Prefix) []byte {
	b := p.Addr().As4()
	v := binary.BigEndian.Uint32(b[:]) | uint32(1<<(32-p.Bits())-1)
	return binary.BigEndian.AppendUint32(nil, v)
}

// addrs dumps the addresses of a device, or with index 0 those of the whole namespace.
func (m *Manager) addrs(index int) ([]address, error) {
	req := newRequest(m, unix.RTM_GETADDR, unix.NLM_F_DUMP)
	want := nl.NewIfAddrmsg(unix.AF_UNSPEC)
	want.Index = uint32(index)
	req.AddData(want)
	msgs, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWADDR)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	var as []address
	for _, b := range msgs {
		a, err := parseAddr(b)
		if err != nil {
			return nil, fmt.Errorf("list addresses: %w", err)
		}
		as = append(as, a)
	}
	return as, nil
}

// parseAddr reads struct ifaddrmsg (linux/if_addr.h) and its attributes.
func parseAddr(b []byte) (address, error) {
	attrs, err := parseAttrs(b, unix.SizeofIfAddrmsg)
	if err != nil {
		return address{}, err
	}
	hdr := nl.DeserializeIfAddrmsg(b)
	a := address{index: int(hdr.Index)}
	var local, addr netip.Addr
	for _, at := range attrs {
		switch {
		case at.Attr.Type == unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(at.Value)
		case at.Attr.Type == unix.IFA_ADDRESS:
			addr, _ = netip.AddrFromSlice(at.Value)
		case at.Attr.Type == ifaProto && len(at.Value) > 0:
			a.proto = at.Value[0]
		}
	}
	if !local.IsValid() {
		local = addr
	}
	a.prefix = netip.PrefixFrom(local, int(hdr.Prefixlen))
	return a, nil
}

// parseAttrs splits the attributes behind a header. The library's function wants the last one padded as the kernel does.
func parseAttrs(b []byte, header int) ([]syscall.NetlinkRouteAttr, error) {
	if len(b) < header {
		return nil, unix.EBADMSG
	}
	b = b[header:]
	if rest := len(b) % unix.NLA_ALIGNTO; rest > 0 {
		b = slices.Concat(b, make([]byte, unix.NLA_ALIGNTO-rest))
	}
	return nl.ParseRouteAttr(b)
}

// newRequest is a netlink request over the manager's own socket.
func newRequest(m *Manager, op, flags int) *nl.NetlinkRequest {
	req := nl.NewNetlinkRequest(op, flags|unix.NLM_F_REQUEST)
	req.Sockets = m.sockets
	return req
}
