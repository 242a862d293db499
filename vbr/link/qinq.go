package link

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
)

// outerOwner owns the outer VLANs. It is no router's name: those have no @.
const outerOwner = "@outer"

// OuterAlias is the alias of the outer (802.1ad) VLAN devices that we make. They are shared by the lines of several routers, so no
// router's Remove or Prune takes one that still has an inner VLAN; with the last inner one it goes.
const OuterAlias = AliasPrefix + outerOwner

// ensureQinQ makes a line's VLAN inside its service tag (IEEE 802.1ad). Both devices keep the port's MTU, as the kernel does by default:
// a full packet leaves as a frame of that MTU and 22 bytes (Ethernet header and two tags), which the port has to carry.
func (m *Manager) ensureQinQ(r Router, line Line, port netlink.Link, vrf int) (netlink.Link, error) {
	switch {
	case line.VLAN == 0:
		return nil, fmt.Errorf("the outer VLAN %d needs an inner one", line.OuterVLAN)
	case line.Outer == "":
		return nil, fmt.Errorf("the outer VLAN %d needs a device name", line.OuterVLAN)
	}
	m.shared.Lock()
	defer m.shared.Unlock()
	outer, err := m.ensureOuter(r, line, port)
	if err != nil {
		return nil, fmt.Errorf("outer VLAN device %s: %w", line.Outer, err)
	}
	return m.ensureVLAN(r, line, outer, vrf)
}

func (m *Manager) ensureOuter(r Router, line Line, port netlink.Link) (netlink.Link, error) {
	l, err := m.findOuter(line, port)
	if err != nil {
		return nil, err
	}
	if l != nil {
		if err := ownedBy(Router{Name: outerOwner}, l.Attrs()); err != nil {
			return nil, err
		}
		if !isOuter(l, line, port) {
			return nil, fmt.Errorf("it is that of another outer VLAN or port than %d on %s", line.OuterVLAN, line.Port)
		}
	}
	if l == nil {
		v := &netlink.Vlan{LinkAttrs: attrs(line.Outer, port.Attrs().Index), VlanId: int(line.OuterVLAN), VlanProtocol: netlink.VLAN_PROTOCOL_8021AD}
		if err := m.add(outerOwner, v); err != nil {
			return nil, explain("802.1ad", fmt.Errorf("service VLAN %d on %s: %w", line.OuterVLAN, line.Port, err))
		}
		m.log.Info("outer vlan created", "router", r.Name, "device", line.Outer, "port", line.Port, "outer_vlan", line.OuterVLAN)
		if l, err = m.nl.LinkByName(line.Outer); err != nil {
			return nil, err
		}
	}
	return l, errors.Join(m.claim(Router{Name: outerOwner}, l, 0), m.noLinkLocal(r, l.Attrs().Name), m.up(l))
}

// findOuter is the outer device by its name, or by what it is if somebody has renamed it: it stays as it is then, with the inner VLANs of other routers. nil
// if there is none.
func (m *Manager) findOuter(line Line, port netlink.Link) (netlink.Link, error) {
	if l, err := m.find(line.Outer); l != nil || err != nil {
		return l, err
	}
	links, err := m.nl.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	for _, l := range links {
		if a := l.Attrs(); ours(a) && a.Alias == OuterAlias && isOuter(l, line, port) {
			return l, nil
		}
	}
	return nil, nil
}

// isOuter says whether a device is the outer VLAN of the line on its port.
func isOuter(l netlink.Link, line Line, port netlink.Link) bool {
	v, ok := l.(*netlink.Vlan)
	return ok && v.VlanProtocol == netlink.VLAN_PROTOCOL_8021AD && v.VlanId == int(line.OuterVLAN) && v.ParentIndex == port.Attrs().Index
}

// sweepOuter deletes the outer VLANs of ours that have no inner VLAN.
func (m *Manager) sweepOuter() error {
	m.shared.Lock()
	defer m.shared.Unlock()
	links, err := m.nl.LinkList()
	if err != nil {
		return fmt.Errorf("link: list: %w", err)
	}
	used := make(map[int]bool)
	for _, l := range links {
		used[l.Attrs().ParentIndex] = true
	}
	var errs []error
	for _, l := range links {
		a := l.Attrs()
		if !ours(a) || m.aliasOf(a) != OuterAlias || used[a.Index] {
			continue
		}
		if err := m.del(l); err != nil && !gone(err) {
			errs = append(errs, fmt.Errorf("link: delete %s: %w", a.Name, err))
		}
	}
	return errors.Join(errs...)
}
