package link

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ingressHandle is the ingress qdisc's, the same on every device.
const ingressHandle = 0xffff << 16

// inlet is the name of the IFB device through which a device with an incoming rate receives.
func inlet(device string) string {
	sum := sha256.Sum256([]byte(device))
	return fmt.Sprintf("vbrin%x", sum[:5])
}

// ingress is what there is at a device's ingress.
type ingress struct {
	kind   string // the qdisc's; empty without one
	own    bool   // our filter is there
	target uint32 // the device it redirects to
	others int    // others' filters
}

// foreign says whether it is somebody else's. An ingress qdisc without filters does nothing: whoever made it, we use it.
func (i ingress) foreign() bool {
	return i.kind != "" && (i.kind != "ingress" || !i.own && i.others > 0)
}

// ensureIn has what the device receives go through an IFB device, where it is shaped as what is sent is. Policing, the other
// way, would drop so much of TCP's bursts that only half of the rate arrives.
func (m *Manager) ensureIn(r Router, l netlink.Link, bps uint64) (index int, err error) {
	a := l.Attrs()
	if bps == 0 {
		return 0, m.removeIn(a)
	}
	in, err := m.ingress(a.Index)
	if err != nil {
		return 0, err
	}
	if in.foreign() {
		return 0, fmt.Errorf("the incoming rate is not set: the qdisc %s of %s and its filters: it %w; delete it first", in.kind, a.Name, ErrNotOurs)
	}
	ifb, err := m.ensureInlet(r, inlet(a.Name))
	if err == nil {
		err = m.ensureOut(ifb.Attrs(), bps)
	}
	if err == nil && in.kind == "" {
		err = m.addIngress(a.Index)
	}
	if err == nil {
		index = ifb.Attrs().Index
		err = m.redirect(a.Index, in, index)
	}
	if err != nil {
		return index, fmt.Errorf("incoming rate: %w", err)
	}
	return index, nil
}

// redirect makes the filter, and makes it anew when it leads elsewhere: matchall can't be changed in place.
func (m *Manager) redirect(index int, in ingress, target int) error {
	if in.own && in.target == uint32(target) {
		return nil
	}
	if in.own {
		if err := m.delFilter(index); err != nil {
			return err
		}
	}
	return m.addFilter(index, target)
}

// ensureInlet makes the IFB device.
func (m *Manager) ensureInlet(r Router, name string) (netlink.Link, error) {
	l, err := m.find(name)
	if err != nil {
		return nil, err
	}
	if l == nil {
		if err := m.add(r.Name, &netlink.Ifb{LinkAttrs: attrs(name, 0)}); err != nil {
			return nil, explain("ifb", err)
		}
		if l, err = m.nl.LinkByName(name); err != nil {
			return nil, err
		}
	}
	if err := ownedBy(r, l.Attrs()); err != nil {
		return nil, err
	}
	if l.Type() != "ifb" {
		return nil, fmt.Errorf("a device named %s exists and is no IFB device", name)
	}
	return l, errors.Join(m.claim(r, l, 0), m.noLinkLocal(r, name), m.up(l))
}

// removeIn removes our filter, the ingress qdisc when nobody else uses it, and the IFB device.
func (m *Manager) removeIn(a *netlink.LinkAttrs) error {
	in, err := m.ingress(a.Index)
	switch {
	case err != nil:
	case in.own && in.others == 0:
		err = m.delQdisc(a.Index, netlink.HANDLE_INGRESS, ingressHandle)
	case in.own:
		err = m.delFilter(a.Index)
	}
	if err != nil {
		return err
	}
	l, err := m.find(inlet(a.Name))
	if err != nil || l == nil || !ours(l.Attrs()) {
		return err
	}
	if err := m.del(l); err != nil && !gone(err) {
		return fmt.Errorf("delete %s: %w", l.Attrs().Name, err)
	}
	return nil
}

// ingress looks at the device's ingress qdisc and its filters.
func (m *Manager) ingress(index int) (ingress, error) {
	q, err := m.qdisc(index, netlink.HANDLE_INGRESS)
	in := ingress{kind: q.kind}
	if err != nil || q.kind != "ingress" {
		return in, err
	}
	req := newRequest(m, unix.RTM_GETTFILTER, unix.NLM_F_DUMP)
	req.AddData(&nl.TcMsg{Ifindex: int32(index), Parent: ingressHandle})
	msgs, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWTFILTER)
	for _, b := range msgs {
		err = errors.Join(err, in.add(b))
	}
	if err != nil {
		return in, fmt.Errorf("filters of device %d: %w", index, err)
	}
	return in, nil
}

// add takes a filter of a dump into account.
func (i *ingress) add(b []byte) error {
	if len(b) < sizeofTcMsg {
		return unix.EBADMSG
	}
	msg := nl.DeserializeTcMsg(b)
	switch {
	case msg.Info>>16 != filterPref:
		i.others++
	case msg.Handle == filterHandle:
		i.own = true
		p, err := attr(b[sizeofTcMsg:], nl.TCA_OPTIONS, nl.TCA_MATCHALL_ACT, actionTab, nl.TCA_ACT_OPTIONS, nl.TCA_MIRRED_PARMS)
		if err == nil && len(p) >= sizeofMirred {
			i.target = binary.NativeEndian.Uint32(p[mirredIndex:])
		}
		return err
	case msg.Handle != 0: // 0 is the head of a preference's list
		i.others++
	}
	return nil
}

// addFilter makes the filter: it matches all packets and takes them to the target.
func (m *Manager) addFilter(index, target int) error {
	req := newRequest(m, unix.RTM_NEWTFILTER, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	req.AddData(ourFilter(index))
	req.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("matchall")))
	options := nl.NewRtAttr(nl.TCA_OPTIONS, nil)
	action := options.AddRtAttr(nl.TCA_MATCHALL_ACT, nil).AddRtAttr(actionTab, nil)
	action.AddRtAttr(nl.TCA_ACT_KIND, nl.ZeroTerminated("mirred"))
	action.AddRtAttr(nl.TCA_ACT_OPTIONS, nil).AddRtAttr(nl.TCA_MIRRED_PARMS, mirred(target))
	req.AddData(options)
	if err := execute("link.rate", req); err != nil {
		return explain("mirred", fmt.Errorf("incoming rate of device %d: %w", index, err))
	}
	return nil
}

func (m *Manager) delFilter(index int) error {
	req := newRequest(m, unix.RTM_DELTFILTER, unix.NLM_F_ACK)
	req.AddData(ourFilter(index))
	if err := execute("link.rate", req); err != nil && !gone(err) {
		return fmt.Errorf("remove the incoming rate of device %d: %w", index, err)
	}
	return nil
}

// mirred is a struct tc_mirred that redirects to the target's egress.
func mirred(target int) []byte {
	b := make([]byte, sizeofMirred)
	binary.NativeEndian.PutUint32(b[8:], actionStolen)
	binary.NativeEndian.PutUint32(b[20:], egressRedirect)
	binary.NativeEndian.PutUint32(b[mirredIndex:], uint32(target))
	return b
}

func ourFilter(index int) *nl.TcMsg {
	all := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})
	return &nl.TcMsg{Ifindex: int32(index), Parent: ingressHandle, Handle: filterHandle, Info: filterPref<<16 | uint32(all)}
}
