package link

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// options names the kernel option and module behind each device kind.
var options = map[string][2]string{
	"vrf":   {"CONFIG_NET_VRF", "vrf"},
	"vlan":  {"CONFIG_VLAN_8021Q", "8021q"},
	"vxlan": {"CONFIG_VXLAN", "vxlan"},
}

// Supports returns nil if the kernel can make devices of this kind ("vrf", "vlan", "vxlan"), else an error that says what is missing and what to
// do. It makes nothing: it asks for a device without the parameters that every kind requires.
func (m *Manager) Supports(kind string) error {
	req := newRequest(m, unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated("vbrd-probe")))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated(kind))
	req.AddData(info)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	if errors.Is(err, unix.EINVAL) { // it knows the kind and misses the parameters
		return nil
	}
	return explain(kind, err)
}

// explain turns an errno into what an operator can act upon.
func explain(kind string, err error) error {
	o := options[kind]
	switch {
	case errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("this kernel cannot make %s devices: it lacks %s; run `modprobe %s`, or boot a kernel built with %s (Debian's linux-image has it): %w",
			kind, o[0], o[1], o[0], err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("no permission to make %s devices: vbrd needs CAP_NET_ADMIN in this network namespace (run it as root, or AmbientCapabilities=CAP_NET_ADMIN): %w", kind, err)
	}
	return err
}
