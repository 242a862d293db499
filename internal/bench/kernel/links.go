package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Line is a VLAN of a port with an address.
type Line struct {
	Port    string
	VLAN    uint16
	Address netip.Prefix
	VRF     string // to put it into, with the table; empty: none
	Table   uint32
}

// Device is the name of the line's device.
func (l Line) Device() string { return fmt.Sprintf("%s.%d", l.Port, l.VLAN) }

// Lines makes the lines' VLAN devices, and their VRFs before them, all up.
func (n *Namespace) Lines(lines []Line) error {
	return n.Do(func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer h.Close()
		for _, l := range lines {
			if err := l.make(h); err != nil {
				return fmt.Errorf("line %s: %w", l.Device(), err)
			}
		}
		return nil
	})
}

func (l Line) make(h *netlink.Handle) error {
	port, err := h.LinkByName(l.Port)
	if err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = l.Device(), port.Attrs().Index
	if l.VRF != "" { // first: BIRD takes a line for down whose VRF has a higher index than itself
		vrf := &netlink.Vrf{LinkAttrs: netlink.LinkAttrs{Name: l.VRF, TxQLen: -1}, Table: l.Table}
		if err := errors.Join(h.LinkAdd(vrf), h.LinkSetUp(vrf)); err != nil {
			return fmt.Errorf("VRF: %w", err)
		}
		attrs.MasterIndex = vrf.Index
	}
	vlan := &netlink.Vlan{LinkAttrs: attrs, VlanId: int(l.VLAN), VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}
	if err := h.LinkAdd(vlan); err != nil {
		return err
	}
	return errors.Join(h.LinkSetUp(vlan), h.AddrAdd(vlan, address(l.Address)))
}

func address(p netip.Prefix) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)}}
}

// Addresses adds addresses to a device.
func (n *Namespace) Addresses(device string, addrs ...netip.Prefix) error {
	return n.Do(func() error {
		link, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		for _, a := range addrs {
			if err := netlink.AddrAdd(link, address(a)); err != nil {
				return fmt.Errorf("%s: %v: %w", device, a, err)
			}
		}
		return nil
	})
}

// Knows tells a device the hardware address of its neighbours: that of the other namespace's port, which its VLANs have, too.
func (n *Namespace) Knows(device string, other *Namespace, port string, addrs ...netip.Addr) error {
	var mac net.HardwareAddr
	err := other.Do(func() error {
		link, err := netlink.LinkByName(port)
		if err == nil {
			mac = link.Attrs().HardwareAddr
		}
		return err
	})
	if err != nil {
		return err
	}
	return n.Do(func() error {
		link, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		for _, a := range addrs {
			err := netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, IP: a.AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT})
			if err != nil {
				return fmt.Errorf("%s: neighbour %v: %w", device, a, err)
			}
		}
		return nil
	})
}

// Settle waits until the devices of the lines can carry packets. The kernel says so a while after they are up, and a daemon that starts before
// may not hear of it.
func (n *Namespace) Settle(ctx context.Context, lines []Line) error {
	return n.Do(func() error {
		for {
			links, err := netlink.LinkList()
			if err != nil {
				return err
			}
			running := 0
			for _, l := range links {
				if _, vlan := l.(*netlink.Vlan); vlan && l.Attrs().RawFlags&unix.IFF_LOWER_UP != 0 && l.Attrs().OperState == netlink.OperUp {
					running++
				}
			}
			if running == len(lines) {
				return nil
			}
			if err := nap(ctx, settling); err != nil {
				return fmt.Errorf("%d of %d lines are running: %w", running, len(lines), err)
			}
		}
	})
}

const settling = 100 * time.Millisecond
