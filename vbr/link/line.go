package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// ensureLine makes the line's sub-interface, around it that of the service tag, puts it into the VRF and gives it its addresses. The order matters:
// enslaving drops IPv6 addresses.
func (m *Manager) ensureLine(r Router, line Line, vrf int) (Device, error) {
	none := Device{Name: line.Device}
	port, err := m.find(line.Port)
	if err != nil {
		return none, err
	}
	if port == nil {
		return none, fmt.Errorf("the port %s does not exist on this host", line.Port)
	}
	if err := m.up(port); err != nil {
		return none, fmt.Errorf("port %s: %w", line.Port, err)
	}
	l := port
	switch {
	case line.OuterVLAN != 0:
		l, err = m.ensureQinQ(r, line, port, vrf)
	case line.VLAN != 0:
		l, err = m.ensureVLAN(r, line, port, vrf)
	default:
		err = m.takePort(r, port, vrf)
	}
	if err != nil {
		return none, err
	}
	return m.finish(r, l, line.Addrs, line.Rate, len(r.Lines) > 1)
}

// finish gives a device that is in its VRF sysctls, addresses and rate, sets it up, and reads back what is there.
func (m *Manager) finish(r Router, l netlink.Link, addrs []netip.Prefix, rate Rate, alternatives bool) (Device, error) {
	a := l.Attrs()
	if err := errors.Join(m.hygiene(r, a.Name, alternatives), m.up(l), m.ensureAddrs(a.Index, addrs)); err != nil {
		return Device{Name: a.Name}, err
	}
	d, err := m.device(a.Name)
	in, limited := m.ensureRate(r, l, rate)
	d.Inlet = in
	return d, errors.Join(err, limited)
}

// takePort puts an untagged line's port into the VRF, unless it belongs to something else.
func (m *Manager) takePort(r Router, port netlink.Link, vrf int) error {
	master := port.Attrs().MasterIndex
	if master == vrf {
		return nil
	}
	if master != 0 {
		return fmt.Errorf("the port is enslaved to device %d, which %w; release it first", master, ErrNotOurs)
	}
	return m.enslave(port, vrf)
}

func (m *Manager) ensureVLAN(r Router, line Line, port netlink.Link, vrf int) (netlink.Link, error) {
	l, err := m.find(line.Device)
	if err != nil {
		return nil, err
	}
	if l != nil {
		if err := ownedBy(r, l.Attrs()); err != nil {
			return nil, err
		}
		if v, ok := l.(*netlink.Vlan); !ok || v.VlanId != int(line.VLAN) || v.VlanProtocol != netlink.VLAN_PROTOCOL_8021Q || v.ParentIndex != port.Attrs().Index {
			if err := m.del(l); err != nil {
				return nil, fmt.Errorf("replace: %w", err)
			}
			l = nil
		}
	}
	if l == nil {
		v := &netlink.Vlan{LinkAttrs: attrs(line.Device, port.Attrs().Index), VlanId: int(line.VLAN), VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}
		if err := m.add(r.Name, v); err != nil {
			return nil, explain("vlan", fmt.Errorf("VLAN %d on %s: %w", line.VLAN, port.Attrs().Name, err))
		}
		m.log.Info("line created", "router", r.Name, "device", line.Device, "port", line.Port, "vlan", line.VLAN, "outer_vlan", line.OuterVLAN)
		if l, err = m.nl.LinkByName(line.Device); err != nil {
			return nil, err
		}
	}
	return l, m.claim(r, l, vrf)
}

// ensureTunnel makes the VXLAN device of a router interface, straight in the VRF.
func (m *Manager) ensureTunnel(r Router, t Tunnel, vrf int) (Device, error) {
	none := Device{Name: t.Device}
	l, err := m.find(t.Device)
	if err != nil {
		return none, err
	}
	if l != nil {
		if err := ownedBy(r, l.Attrs()); err != nil {
			return none, err
		}
		if !t.matches(l) {
			if err := m.del(l); err != nil {
				return none, fmt.Errorf("replace: %w", err)
			}
			l = nil
		}
	}
	if l == nil {
		if l, err = m.addTunnel(r, t); err != nil {
			return none, err
		}
	}
	if err := m.claim(r, l, vrf); err != nil {
		return none, err
	}
	return m.finish(r, l, t.Addrs, t.Rate, r.manyInterfaces())
}

// matches says whether the device is the tunnel's; other parameters can't be changed in place.
func (t Tunnel) matches(l netlink.Link) bool {
	v, ok := l.(*netlink.Vxlan)
	return ok && v.VxlanId == int(t.VNI) && v.SrcAddr.Equal(net.IP(t.VTEP.AsSlice())) && v.Port == VXLANPort &&
		v.HardwareAddr.String() == t.MAC.String()
}

func (m *Manager) addTunnel(r Router, t Tunnel) (netlink.Link, error) {
	mtu, err := m.tunnelMTU(t)
	if err != nil {
		return nil, err
	}
	v := &netlink.Vxlan{LinkAttrs: attrs(t.Device, 0), VxlanId: int(t.VNI), SrcAddr: t.VTEP.AsSlice(), Port: VXLANPort}
	v.HardwareAddr, v.MTU = t.MAC, mtu
	if err := m.add(r.Name, v); err != nil {
		return nil, explain("vxlan", fmt.Errorf("VNI %d: %w", t.VNI, err))
	}
	l, err := m.nl.LinkByName(t.Device)
	if err != nil {
		return nil, err
	}
	const none = 1 // IN6_ADDR_GEN_MODE_NONE: no link-local address
	if err := m.set(func() error { return m.nl.LinkSetIP6AddrGenMode(l, none) }); err != nil {
		m.log.Warn("ipv6 address generation mode not set", "router", r.Name, "device", t.Device, "err", err)
	}
	m.log.Info("tunnel created", "router", r.Name, "device", t.Device, "vni", t.VNI, "vtep", t.VTEP, "mtu", mtu)
	return l, nil
}

// tunnelMTU is the underlay's MTU less the VXLAN encapsulation (RFC 7348 4.3, 5): 50 bytes over IPv4, 70 over IPv6.
func (m *Manager) tunnelMTU(t Tunnel) (int, error) {
	overhead := 50
	if t.VTEP.Is6() {
		overhead = 70
	}
	addrs, err := m.nl.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return 0, err
	}
	mtu := 0
	for _, a := range addrs {
		if !a.IP.Equal(net.IP(t.VTEP.AsSlice())) {
			continue
		}
		l, err := m.nl.LinkByIndex(a.LinkIndex)
		if err == nil && (mtu == 0 || l.Attrs().MTU < mtu) && l.Attrs().Flags&net.FlagLoopback == 0 {
			mtu = l.Attrs().MTU
		}
	}
	if mtu == 0 {
		mtu = 1500 // the VTEP is on the loopback, or not there yet
	}
	return mtu - overhead, nil
}
