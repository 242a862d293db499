package link

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/internal/fault"
)

// ensureVRF makes the router's VRF with its table and the unreachable defaults that keep a miss from falling through to other tables.
func (m *Manager) ensureVRF(r Router) (Device, error) {
	fail := func(err error) (Device, error) { return Device{}, fmt.Errorf("link: vrf %s: %w", r.VRF, err) }
	if err := m.closeVRFs(r); err != nil {
		return fail(err)
	}
	l, err := m.find(r.VRF)
	if err != nil {
		return fail(err)
	}
	if l != nil {
		if err := ownedBy(r, l.Attrs()); err != nil {
			return fail(err)
		}
		if v, ok := l.(*netlink.Vrf); !ok || v.Table != r.Table { // a VRF's table can't be changed
			if err := m.del(l); err != nil {
				return fail(err)
			}
			l = nil
		}
	}
	if l == nil {
		if err := m.tableFree(r); err != nil {
			return fail(err)
		}
		if err := m.add(r.Name, &netlink.Vrf{LinkAttrs: attrs(r.VRF, 0), Table: r.Table}); err != nil {
			return fail(explain("vrf", err))
		}
		m.log.Info("vrf created", "router", r.Name, "device", r.VRF, "table", r.Table)
		if l, err = m.nl.LinkByName(r.VRF); err != nil {
			return fail(err)
		}
	}
	if err := errors.Join(m.claim(r, l, 0), m.hygiene(r, r.VRF, len(r.Lines) > 1 || r.manyInterfaces()), m.up(l), m.unreachable(r.Table)); err != nil {
		return fail(err)
	}
	d, err := m.device(r.VRF)
	if err != nil {
		return fail(err)
	}
	return d, nil
}

// tableFree returns an error when another VRF uses the router's table.
func (m *Manager) tableFree(r Router) error {
	links, err := m.nl.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		v, ok := l.(*netlink.Vrf)
		if !ok || v.Table != r.Table || v.Name == r.VRF {
			continue
		}
		if ours(l.Attrs()) && l.Attrs().Alias == AliasPrefix+r.Name {
			return fmt.Errorf("the router's VRF is now named %s: %w", v.Name, unix.EEXIST)
		}
		name := v.Name
		if ours(l.Attrs()) { // whoever reads of it may not know that router
			name = "of another router"
		}
		return fmt.Errorf("table %d is already that of VRF %s, which %w; choose another route_table_id", r.Table, name, ErrNotOurs)
	}
	return nil
}

// unreachable puts the last-resort routes into the table.
func (m *Manager) unreachable(table uint32) error {
	for _, r := range lastResort(table) {
		if err := fault.Around("link.route", func() error { return m.nl.RouteAdd(&r) }); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("unreachable default in table %d: %w", table, err)
		}
	}
	return nil
}

// reachable undoes unreachable: the kernel leaves them in the table when its VRF goes.
func (m *Manager) reachable(table uint32) error {
	var errs []error
	for _, r := range lastResort(table) {
		if err := fault.Around("link.route", func() error { return m.nl.RouteDel(&r) }); err != nil && !errors.Is(err, unix.ESRCH) && !gone(err) {
			errs = append(errs, fmt.Errorf("link: remove the unreachable default from table %d: %w", table, err))
		}
	}
	return errors.Join(errs...)
}

// lastResort are the routes that end a miss in the table.
func lastResort(table uint32) (routes []netlink.Route) {
	for _, any := range []net.IPNet{{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, {IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}} {
		routes = append(routes, netlink.Route{
			Dst: &any, Table: int(table), Type: unix.RTN_UNREACHABLE, Priority: unreachableMetric, Protocol: Protocol,
		})
	}
	return routes
}
