package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// The kernel looks into the table of the namespace's own addresses first (rule 0) and only then into a VRF's (rule 1000): a customer's packet to
// an address that happens to be the host's would end here. Documentation/networking/vrf.rst has the two rules change places.
const (
	vrfRulePriority    = 0
	localRulePriority  = 1
	kernelRulePriority = 1000 // of the rule for VRFs that the kernel adds with the first one
)

// routingRule is what we need to know of a routing rule (linux/fib_rules.h).
type routingRule struct {
	priority uint32
	table    uint32
	vrf      bool // the table is that of the packet's VRF (FRA_L3MDEV)
	plain    bool // it is for all packets
	protocol uint8
}

// closeVRFs has each VRF's table be looked into before the host's own addresses, and keeps sockets that are in no VRF from what comes in by one. It
// is done again with each VRF that is looked after, so that it holds though others change it.
func (m *Manager) closeVRFs(r Router) error {
	m.shared.Lock()
	defer m.shared.Unlock()
	errs := []error{setAll(r.Name, m, [][2]string{
		{"ipv4/tcp_l3mdev_accept", "0"}, {"ipv4/udp_l3mdev_accept", "0"}, {"ipv4/raw_l3mdev_accept", "0"}, // they are IPv6's too
	})}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if err := m.vrfsFirst(family); err != nil {
			errs = append(errs, fmt.Errorf("routing rules (ip rule): %w", err))
		}
	}
	return errors.Join(errs...)
}

// vrfsFirst puts a family's rule for VRFs before that of the local table. In between both are there.
func (m *Manager) vrfsFirst(family uint8) error {
	rules, err := m.rules(family)
	if err != nil {
		return err
	}
	before, second := false, false // a rule of the local table stands before that of the VRFs; there is one at our place
	for _, r := range rules {
		if r.vrf && r.plain || r.priority >= kernelRulePriority {
			break
		}
		before = before || r.table == unix.RT_TABLE_LOCAL
	}
	if !before {
		return nil
	}
	for _, r := range rules {
		second = second || r == localRule(localRulePriority)
	}
	if err := m.changeRule(unix.RTM_NEWRULE, family, vrfRule()); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	if !second {
		if err := m.changeRule(unix.RTM_NEWRULE, family, localRule(localRulePriority)); err != nil {
			return err
		}
	}
	for _, r := range rules { // the kernel's, or what others made in its place
		if r.priority != 0 || r.table != unix.RT_TABLE_LOCAL || !r.plain {
			continue
		}
		if err := m.changeRule(unix.RTM_DELRULE, family, r); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	m.log.Info("VRFs are looked into before the host's own addresses", "family", map[uint8]string{unix.AF_INET: "ipv4", unix.AF_INET6: "ipv6"}[family])
	return nil
}

// openVRFs undoes vrfsFirst: the kernel's own rule for VRFs stays, after that of the local table.
func (m *Manager) openVRFs() error {
	var errs []error
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		rules, err := m.rules(family)
		errs = append(errs, err)
		ours, moved := false, false
		for _, r := range rules {
			ours = ours || r == vrfRule()
			moved = moved || r == localRule(localRulePriority)
		}
		if !ours {
			continue
		}
		if moved {
			if err := m.changeRule(unix.RTM_NEWRULE, family, localRule(0)); err != nil && !errors.Is(err, unix.EEXIST) {
				errs = append(errs, err)
				continue
			}
			errs = append(errs, m.changeRule(unix.RTM_DELRULE, family, localRule(localRulePriority)))
		}
		errs = append(errs, m.changeRule(unix.RTM_DELRULE, family, vrfRule()))
	}
	return errors.Join(errs...)
}

func vrfRule() routingRule {
	return routingRule{priority: vrfRulePriority, vrf: true, plain: true, protocol: Protocol}
}

// localRule is the kernel's own by its protocol: programs that remove others' rules, as systemd-networkd does, leave it alone.
func localRule(priority uint32) routingRule {
	return routingRule{priority: priority, table: unix.RT_TABLE_LOCAL, plain: true, protocol: unix.RTPROT_KERNEL}
}

// changeRule adds or removes a rule.
func (m *Manager) changeRule(message int, family uint8, r routingRule) error {
	flags := unix.NLM_F_ACK
	if message == unix.RTM_NEWRULE {
		flags |= unix.NLM_F_CREATE | unix.NLM_F_EXCL
	}
	req := newRequest(m, message, flags)
	h := &nl.RtMsg{}
	h.Family, h.Table, h.Type = family, uint8(r.table), frActToTable
	req.AddData(h)
	req.AddData(nl.NewRtAttr(unix.FRA_PRIORITY, nl.Uint32Attr(r.priority)))
	req.AddData(nl.NewRtAttr(unix.FRA_PROTOCOL, nl.Uint8Attr(r.protocol)))
	if r.vrf {
		req.AddData(nl.NewRtAttr(unix.FRA_L3MDEV, nl.Uint8Attr(1)))
	}
	return execute("link.rule", req)
}

// frActToTable is FR_ACT_TO_TBL of linux/fib_rules.h.
const frActToTable = 1

// rules lists a family's in the order that the kernel goes through them.
func (m *Manager) rules(family uint8) ([]routingRule, error) {
	req := newRequest(m, unix.RTM_GETRULE, unix.NLM_F_DUMP)
	h := &nl.RtMsg{}
	h.Family = family
	req.AddData(h)
	messages, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWRULE)
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	var all []routingRule
	for _, b := range messages {
		attrs, err := parseAttrs(b, unix.SizeofRtMsg)
		if err != nil {
			return nil, fmt.Errorf("list: %w", err)
		}
		if b[7] == frActToTable {
			all = append(all, parseRule(b, attrs))
		}
	}
	return all, nil
}

// parseRule reads struct fib_rule_hdr and its attributes. One that is cut off counts as some condition.
func parseRule(b []byte, attrs []syscall.NetlinkRouteAttr) routingRule {
	const invert = 2 // FIB_RULE_INVERT
	r := routingRule{table: uint32(b[4]), plain: b[1] == 0 && b[2] == 0 && b[3] == 0 && binary.NativeEndian.Uint32(b[8:])&invert == 0}
	for _, a := range attrs {
		v := a.Value
		switch kind := a.Attr.Type; {
		case kind == unix.FRA_PRIORITY && len(v) >= 4:
			r.priority = binary.NativeEndian.Uint32(v)
		case kind == unix.FRA_TABLE && len(v) >= 4:
			r.table = binary.NativeEndian.Uint32(v)
		case kind == unix.FRA_L3MDEV && len(v) > 0:
			r.vrf = v[0] != 0
		case kind == unix.FRA_PROTOCOL && len(v) > 0:
			r.protocol = v[0]
		case kind == unix.FRA_SUPPRESS_PREFIXLEN && len(v) >= 4:
			r.plain = r.plain && binary.NativeEndian.Uint32(v) == 0xffffffff
		case kind == unix.FRA_SUPPRESS_IFGROUP, kind == unix.FRA_PAD, kind == unix.FRA_UNSPEC:
		default: // some condition
			r.plain = false
		}
	}
	return r
}
