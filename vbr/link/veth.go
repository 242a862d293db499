package link

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Pair is one router's end of a link to another router on this host: a veth device in its VRF. Both routers name the
// same pair, each from its own side. The first Ensure makes both ends; either's removal takes both away, and
// the next Ensure of either makes them anew, with other indexes. An end is Up when both routers have set theirs up.
type Pair struct {
	Device string
	// Peer is the name of the other end, PeerRouter the router that owns it.
	Peer       string
	PeerRouter string
	MAC        net.HardwareAddr
	PeerMAC    net.HardwareAddr
	// Addrs are the addresses of our end.
	Addrs []netip.Prefix
	// MTU is that of our end (and of both when it makes them); 0 means the kernel's, 1500.
	MTU  int
	Rate Rate
}

// ensurePair makes the pair or finds its own end, and puts that into the VRF.
func (m *Manager) ensurePair(r Router, p Pair, vrf int) (Device, error) {
	none := Device{Name: p.Device}
	l, err := m.ensureEnds(r, p)
	if err != nil {
		return none, err
	}
	if err := errors.Join(m.claim(r, l, vrf), m.mendEnd(l, p), m.noLinkLocal(r, p.Device)); err != nil {
		return none, err
	}
	return m.finish(r, l, p.Addrs, p.Rate, r.manyInterfaces())
}

// ensureEnds returns our end of a pair whose both ends are as wanted and marked.
func (m *Manager) ensureEnds(r Router, p Pair) (netlink.Link, error) {
	m.shared.Lock()
	defer m.shared.Unlock()
	end, err := m.end(r.Name, p.Device)
	if err != nil {
		return nil, err
	}
	peer, err := m.find(p.Peer)
	if err != nil {
		return nil, err
	}
	if joined(end, peer) {
		return end, m.mark(peer, p.PeerRouter)
	}
	if peer, err = m.end(p.PeerRouter, p.Peer); err != nil {
		return nil, fmt.Errorf("other end: %w", err)
	}
	for _, stale := range []netlink.Link{end, peer} { // an end of something else, or not a veth
		if stale == nil {
			continue
		}
		if err := m.del(stale); err != nil && !gone(err) {
			return nil, fmt.Errorf("replace %s: %w", stale.Attrs().Name, err)
		}
	}
	return m.addPair(r, p)
}

// end returns the router's device of this name, nil if there is none, an error if it is not the router's.
func (m *Manager) end(router, device string) (netlink.Link, error) {
	l, err := m.find(device)
	if err != nil || l == nil {
		return nil, err
	}
	return l, ownedBy(Router{Name: router}, l.Attrs())
}

// joined says whether the two are the ends of one veth pair in this namespace.
func joined(a, b netlink.Link) bool {
	return a != nil && b != nil && a.Type() == "veth" && b.Type() == "veth" &&
		a.Attrs().ParentIndex == b.Attrs().Index && b.Attrs().ParentIndex == a.Attrs().Index
}

func (m *Manager) addPair(r Router, p Pair) (netlink.Link, error) {
	v := netlink.NewVeth(attrs(p.Device, 0))
	v.PeerName, v.HardwareAddr, v.PeerHardwareAddr, v.MTU = p.Peer, p.MAC, p.PeerMAC, p.MTU
	if err := m.add(r.Name, v); err != nil {
		return nil, explain("veth", err)
	}
	m.log.Info("pair created", "router", r.Name, "device", p.Device, "peer_router", p.PeerRouter, "peer_device", p.Peer)
	peer, err := m.nl.LinkByName(p.Peer)
	if err != nil {
		return nil, err
	}
	if err := m.mark(peer, p.PeerRouter); err != nil {
		return nil, err
	}
	return m.nl.LinkByName(p.Device)
}

// mark makes the other end ours: a veth pair's creation sets the group of the first end only.
func (m *Manager) mark(peer netlink.Link, router string) error {
	a := peer.Attrs()
	if a.Group != Group {
		if err := m.set(func() error { return m.nl.LinkSetGroup(peer, Group) }); err != nil {
			return fmt.Errorf("other end: set group: %w", err)
		}
	}
	if want := AliasPrefix + router; a.Alias != want {
		if err := m.set(func() error { return m.nl.LinkSetAlias(peer, want) }); err != nil {
			return fmt.Errorf("other end: set alias: %w", err)
		}
	}
	return nil
}

// mendEnd sets our end's MAC and MTU where they differ.
func (m *Manager) mendEnd(l netlink.Link, p Pair) error {
	a := l.Attrs()
	var errs []error
	if len(p.MAC) > 0 && !bytes.Equal(a.HardwareAddr, p.MAC) {
		errs = append(errs, m.set(func() error { return m.nl.LinkSetHardwareAddr(l, p.MAC) }))
	}
	if p.MTU > 0 && a.MTU != p.MTU {
		errs = append(errs, m.set(func() error { return m.nl.LinkSetMTU(l, p.MTU) }))
	}
	return errors.Join(errs...)
}
