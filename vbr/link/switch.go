package link

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
)

// Switch is a vSwitch of a VPC on this host: a bridge in the router's VRF that joins member netdevs (taps, veth ends, ports) to the subnet.
//
// Its subnet is in the VRF's table whether or not it has a member: without one that is up the bridge has no carrier, its [Device] is not
// Up, and the kernel marks the subnet's route linkdown and keeps it (unless the host sets ignore_routes_with_linkdown). So a
// System route may rest on the device's existence; Up says whether anybody can be reached there.
type Switch struct {
	Device string
	// Addrs are the gateway addresses with the subnet's length.
	Addrs []netip.Prefix
	// Ports are the names of the member netdevs. They exist already; we put them into the bridge and set them up, and leave them
	// otherwise as they are. Whatever else is found in the bridge is taken out of it.
	Ports []string
}

// ensureSwitch makes the bridge, its addresses and its membership. A port that can't be a member is an error, and the switch works without it.
func (m *Manager) ensureSwitch(r Router, w Switch, vrf int) (Device, error) {
	none := Device{Name: w.Device}
	l, err := m.find(w.Device)
	if err != nil {
		return none, err
	}
	if l != nil {
		if err := ownedBy(r, l.Attrs()); err != nil {
			return none, err
		}
		if l.Type() != "bridge" {
			if err := m.del(l); err != nil {
				return none, fmt.Errorf("replace: %w", err)
			}
			l = nil
		}
	}
	if l == nil {
		if l, err = m.addBridge(r, w); err != nil {
			return none, err
		}
	}
	if err := m.claim(r, l, vrf); err != nil {
		return none, err
	}
	ports := m.ensurePorts(w, l.Attrs().Index)
	d, err := m.finish(r, l, w.Addrs, Rate{}, false)
	return d, errors.Join(err, ports)
}

// addBridge makes a bridge without spanning tree (the kernel's default). Its MAC is set, or it would change with the members.
func (m *Manager) addBridge(r Router, w Switch) (netlink.Link, error) {
	b := &netlink.Bridge{LinkAttrs: attrs(w.Device, 0)}
	b.HardwareAddr = switchMAC(r.Name, w.Device)
	if err := m.delRenamed(r, b.HardwareAddr); err != nil {
		return nil, fmt.Errorf("under another name: %w", err)
	}
	if err := m.add(r.Name, b); err != nil {
		return nil, explain("bridge", err)
	}
	m.log.Info("switch created", "router", r.Name, "device", w.Device)
	return m.nl.LinkByName(w.Device)
}

// delRenamed deletes the router's bridge with this MAC, which somebody has renamed: it keeps the members. Unlike other devices of ours it is not in the way of
// one more.
func (m *Manager) delRenamed(r Router, mac net.HardwareAddr) error {
	links, err := m.nl.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		a := l.Attrs()
		if l.Type() != "bridge" || !ours(a) || a.Alias != AliasPrefix+r.Name || !bytes.Equal(a.HardwareAddr, mac) {
			continue
		}
		if err := m.del(l); err != nil && !gone(err) {
			return fmt.Errorf("delete %s: %w", a.Name, err)
		}
	}
	return nil
}

// switchMAC is a locally administered address that stays the same when the bridge is made anew: the members' ARP caches stay right.
func switchMAC(router, device string) net.HardwareAddr {
	sum := sha256.Sum256([]byte(router + "\x00" + device))
	return append(net.HardwareAddr{2}, sum[:5]...)
}

// ensurePorts puts the named ports into the bridge and takes all others out.
func (m *Manager) ensurePorts(w Switch, bridge int) error {
	errs := []error{m.releasePorts(w, bridge)}
	for _, name := range w.Ports {
		if err := m.join(name, bridge); err != nil {
			errs = append(errs, fmt.Errorf("member %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (m *Manager) releasePorts(w Switch, bridge int) error {
	links, err := m.nl.LinkList()
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range links {
		a := l.Attrs()
		if a.MasterIndex != bridge || slices.Contains(w.Ports, a.Name) {
			continue
		}
		if err := m.set(func() error { return m.nl.LinkSetNoMaster(l) }); err != nil && !gone(err) {
			errs = append(errs, fmt.Errorf("release %s: %w", a.Name, err))
		}
	}
	return errors.Join(errs...)
}

// join makes the netdev a member, unless it is somebody else's.
func (m *Manager) join(name string, bridge int) error {
	l, err := m.find(name)
	if err != nil {
		return err
	}
	if l == nil {
		return errors.New("does not exist on this host")
	}
	a := l.Attrs()
	switch {
	case ours(a):
		return errors.New("is a device that vbrd made for a router, and can't be a member")
	case a.MasterIndex == bridge:
		return m.up(l)
	case a.MasterIndex != 0:
		return fmt.Errorf("is enslaved to %s, which %w; release it first", m.nameOf(a.MasterIndex), ErrNotOurs)
	}
	if err := m.set(func() error { return m.nl.LinkSetMasterByIndex(l, bridge) }); err != nil {
		return fmt.Errorf("put into the bridge: %w", err)
	}
	return m.up(l)
}

// nameOf is for messages only.
func (m *Manager) nameOf(index int) string {
	l, err := m.nl.LinkByIndex(index)
	if err != nil {
		return fmt.Sprintf("device %d", index)
	}
	return l.Attrs().Name
}
