package link

import (
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/internal/fault"
)

// All that changes a device goes by one of these: they have the fault points of package [fault].

// add makes a device that is to get the owner's alias.
func (m *Manager) add(owner string, l netlink.Link) error {
	m.asked.Store(l.Attrs().Name, AliasPrefix+owner)
	return fault.Around("link.add", func() error { return m.nl.LinkAdd(l) })
}

// aliasOf is a device's alias. One of ours without, as the answer to its making was lost or it could not be given one, is its that asked for it last.
func (m *Manager) aliasOf(a *netlink.LinkAttrs) string {
	if alias, asked := m.asked.Load(a.Name); asked && a.Alias == "" {
		return alias.(string)
	}
	return a.Alias
}

// del deletes one.
func (m *Manager) del(l netlink.Link) error {
	return fault.Around("link.delete", func() error { return m.nl.LinkDel(l) })
}

// set changes one by do.
func (m *Manager) set(do func() error) error { return fault.Around("link.set", do) }

// execute sends a request of ours that changes something and waits for its acknowledgement. effect is a fault point's.
func execute(effect string, req *nl.NetlinkRequest) error {
	return fault.Around(effect, func() error {
		_, err := req.Execute(unix.NETLINK_ROUTE, 0)
		return err
	})
}
