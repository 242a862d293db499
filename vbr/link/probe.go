package link

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// option is what the kernel needs for a kind, and what the kind is.
type option struct{ config, module, what string }

func optionOf(kind string) option {
	switch kind {
	case "vrf":
		return option{"CONFIG_NET_VRF", "vrf", "devices"}
	case "vlan", "802.1ad":
		return option{"CONFIG_VLAN_8021Q", "8021q", "devices"}
	case "vxlan":
		return option{"CONFIG_VXLAN", "vxlan", "devices"}
	case "bridge":
		return option{"CONFIG_BRIDGE", "bridge", "devices"}
	case "veth":
		return option{"CONFIG_VETH", "veth", "devices"}
	case "tbf":
		return option{"CONFIG_NET_SCH_TBF", "sch_tbf", "qdiscs"}
	case "prio":
		return option{"CONFIG_NET_SCH_PRIO", "sch_prio", "qdiscs"}
	case "bpf":
		return option{"CONFIG_NET_CLS_BPF", "cls_bpf", "filters"}
	case "ingress":
		return option{"CONFIG_NET_SCH_INGRESS", "sch_ingress", "qdiscs"}
	case "ifb":
		return option{"CONFIG_IFB", "ifb", "devices"}
	case "mirred":
		return option{"CONFIG_NET_ACT_MIRRED and CONFIG_NET_CLS_MATCHALL", "-a act_mirred cls_matchall", "actions"}
	}
	return option{"support for " + kind, kind, "devices"}
}

// Supports returns nil if the kernel can make what is of this kind ("vrf", "vlan", "802.1ad", "vxlan", "bridge", "veth", "ifb"; "tbf", "mirred"), else an
// error that says what is missing and what to do. It makes nothing: what it asks for lacks what every kind requires. That a port can
// carry two tags, or that there is matchall for "mirred", only the first use shows.
func (m *Manager) Supports(kind string) error {
	var err error
	switch kind {
	case "tbf":
		err = m.probeQdisc(kind)
	case "mirred":
		err = m.probeAction(kind)
	case "802.1ad":
		err = m.probeDevice("vlan")
	default:
		err = m.probeDevice(kind)
	}
	if errors.Is(err, unix.EINVAL) { // it knows the kind and misses the parameters
		return nil
	}
	return explain(kind, err)
}

// probeDevice asks for a device with a hardware address too short for any kind.
func (m *Manager) probeDevice(kind string) error {
	req := newRequest(m, unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated("vbrd-probe")))
	req.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, []byte{2, 0, 0}))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated(kind))
	req.AddData(info)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// probeQdisc asks for a qdisc without parameters on the loopback device.
func (m *Manager) probeQdisc(kind string) error {
	lo, err := m.nl.LinkByName("lo")
	if err != nil {
		return err
	}
	req := newRequest(m, unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE|unix.NLM_F_ACK)
	req.AddData(&nl.TcMsg{Ifindex: int32(lo.Attrs().Index), Parent: netlink.HANDLE_ROOT, Handle: shapeHandle})
	req.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated(kind)))
	_, err = req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// probeAction asks for an action without parameters.
func (m *Manager) probeAction(kind string) error {
	req := newRequest(m, unix.RTM_NEWACTION, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	req.AddData(&nl.TcActionMsg{})
	tab := nl.NewRtAttr(actionTab, nil)
	tab.AddRtAttr(actionTab, nil).AddRtAttr(nl.TCA_ACT_KIND, nl.ZeroTerminated(kind))
	req.AddData(tab)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// explain turns an errno into what an operator can act upon.
func explain(kind string, err error) error {
	o := optionOf(kind)
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOENT) && o.what != "devices":
		return fmt.Errorf("this kernel cannot make %s %s: it lacks %s; run `modprobe %s`, or boot a kernel built with %s (Debian's linux-image has it): %w",
			kind, o.what, o.config, o.module, o.config, err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("no permission to make %s %s: vbrd needs CAP_NET_ADMIN in this network namespace (run it as root, or AmbientCapabilities=CAP_NET_ADMIN): %w", kind, o.what, err)
	}
	return err
}
