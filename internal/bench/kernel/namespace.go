package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Namespace is a named network namespace.
type Namespace struct {
	Name   string
	handle netns.NsHandle
}

// NewNamespace makes one with the loopback up and these sysctls ("net.ipv4.ip_forward=1") set.
func NewNamespace(name string, sysctls ...string) (*Namespace, error) {
	n := &Namespace{Name: name}
	err := onThread(func() (err error) {
		n.handle, err = netns.NewNamed(name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("namespace %s (are you root?): %w", name, err)
	}
	err = n.Do(func() error {
		for _, s := range sysctls {
			key, value, _ := strings.Cut(s, "=")
			if err := os.WriteFile(filepath.Join("/proc/sys", strings.ReplaceAll(key, ".", "/")), []byte(value), 0); err != nil {
				return err
			}
		}
		return up("lo")
	})
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// Close deletes the namespace.
func (n *Namespace) Close() error {
	return errors.Join(n.handle.Close(), netns.DeleteNamed(n.Name))
}

// Do runs f on a thread in the namespace. Sockets, files of /proc/net and processes that f opens stay in it.
func (n *Namespace) Do(f func() error) error {
	return onThread(func() error {
		if err := netns.Set(n.handle); err != nil {
			return fmt.Errorf("enter namespace %s: %w", n.Name, err)
		}
		return f()
	})
}

// onThread runs f on a thread that ends with it, so that the namespace that f enters is left behind.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := errors.New("ended early")
		defer func() { done <- err }()
		err = f()
	}()
	return <-done
}

// End is one end of a cable.
type End struct {
	Namespace *Namespace
	Device    string
	Address   netip.Prefix
}

// Cable lays a veth pair. Both ends are up, have addresses and know each other's hardware address: no ARP is measured.
func Cable(a, b End) error {
	err := a.Namespace.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = a.Device
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: b.Device, PeerNamespace: netlink.NsFd(int(b.Namespace.handle))})
	})
	if err != nil {
		return fmt.Errorf("cable %s: %w", a.Device, err)
	}
	macA, err := a.configure()
	if err != nil {
		return err
	}
	macB, err := b.configure()
	if err != nil {
		return err
	}
	return errors.Join(a.neighbour(b.Address.Addr(), macB), b.neighbour(a.Address.Addr(), macA))
}

func (e End) configure() (mac net.HardwareAddr, err error) {
	err = e.Namespace.Do(func() error {
		link, err := netlink.LinkByName(e.Device)
		if err != nil {
			return err
		}
		mac = link.Attrs().HardwareAddr
		addr := &netlink.Addr{IPNet: &net.IPNet{IP: e.Address.Addr().AsSlice(), Mask: net.CIDRMask(e.Address.Bits(), 32)}}
		if err := netlink.AddrAdd(link, addr); err != nil {
			return err
		}
		return netlink.LinkSetUp(link)
	})
	if err != nil {
		return nil, fmt.Errorf("%s/%s: %w", e.Namespace.Name, e.Device, err)
	}
	return mac, nil
}

func (e End) neighbour(addr netip.Addr, mac net.HardwareAddr) error {
	return e.Namespace.Do(func() error {
		link, err := netlink.LinkByName(e.Device)
		if err != nil {
			return err
		}
		return netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, IP: addr.AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT})
	})
}

// Index is the interface index of a device.
func (n *Namespace) Index(device string) (index int, err error) {
	err = n.Do(func() error {
		link, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		index = link.Attrs().Index
		return nil
	})
	return index, err
}

func up(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}
