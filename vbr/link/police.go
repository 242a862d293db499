package link

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ingressHandle is the ingress qdisc's, the same on every device.
const ingressHandle = 0xffff << 16

// police is our ingress filter's action.
type police struct {
	action uint32 // its index among the namespace's police actions
	bytes  uint64 // a second
}

// filters returns our filter at the device's ingress, nil if there is none, and how many others there are.
func (m *Manager) filters(index int) (own *police, others int, err error) {
	req := newRequest(m, unix.RTM_GETTFILTER, unix.NLM_F_DUMP)
	req.AddData(&nl.TcMsg{Ifindex: int32(index), Parent: ingressHandle})
	msgs, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWTFILTER)
	if err != nil {
		return nil, 0, fmt.Errorf("filters of device %d: %w", index, err)
	}
	for _, b := range msgs {
		if len(b) < sizeofTcMsg {
			return nil, 0, unix.EBADMSG
		}
		switch msg := nl.DeserializeTcMsg(b); {
		case msg.Info>>16 != policePref:
			others++
		case msg.Handle == policeHandle:
			if own, err = parsePolice(b[sizeofTcMsg:]); err != nil {
				return nil, 0, fmt.Errorf("filter of device %d: %w", index, err)
			}
		case msg.Handle != 0: // 0 is the head of a preference's list
			others++
		}
	}
	return own, others, nil
}

func parsePolice(b []byte) (*police, error) {
	options, err := attr(b, nl.TCA_OPTIONS, nl.TCA_MATCHALL_ACT, actionTab, nl.TCA_ACT_OPTIONS)
	if err != nil {
		return nil, err
	}
	p, err := attr(options, nl.TCA_POLICE_TBF)
	if err != nil || len(p) < nl.SizeofTcPolice {
		return nil, errors.Join(err, unix.EBADMSG)
	}
	t := nl.DeserializeTcPolice(p)
	own := &police{action: t.Index, bytes: uint64(t.Rate.Rate)}
	if r, err := attr(options, policeRate64); err == nil && len(r) == 8 {
		own.bytes = binary.NativeEndian.Uint64(r)
	}
	return own, nil
}

// addPolice makes the filter: it matches all packets and drops those above the rate. Received packets are without Ethernet header there.
func (m *Manager) addPolice(index int, bps uint64) error {
	req := newRequest(m, unix.RTM_NEWTFILTER, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	req.AddData(ourFilter(index))
	req.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("matchall")))
	options := nl.NewRtAttr(nl.TCA_OPTIONS, nil)
	addAction(options.AddRtAttr(nl.TCA_MATCHALL_ACT, nil), 0, bps)
	req.AddData(options)
	if _, err := req.Execute(unix.NETLINK_ROUTE, 0); err != nil {
		return explain("police", fmt.Errorf("incoming rate of device %d: %w", index, err))
	}
	return nil
}

func (m *Manager) delFilter(index int) error {
	req := newRequest(m, unix.RTM_DELTFILTER, unix.NLM_F_ACK)
	req.AddData(ourFilter(index))
	if _, err := req.Execute(unix.NETLINK_ROUTE, 0); err != nil && !gone(err) {
		return fmt.Errorf("remove the incoming rate of device %d: %w", index, err)
	}
	return nil
}

func ourFilter(index int) *nl.TcMsg {
	all := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})
	return &nl.TcMsg{Ifindex: int32(index), Parent: ingressHandle, Handle: policeHandle, Info: policePref<<16 | uint32(all)}
}

// changePolice changes the filter's action: matchall itself can't be changed in place.
func (m *Manager) changePolice(action uint32, bps uint64) error {
	req := newRequest(m, unix.RTM_NEWACTION, unix.NLM_F_CREATE|unix.NLM_F_REPLACE|unix.NLM_F_ACK)
	req.AddData(&nl.TcActionMsg{})
	tab := nl.NewRtAttr(actionTab, nil)
	addAction(tab, action, bps)
	req.AddData(tab)
	if _, err := req.Execute(unix.NETLINK_ROUTE, 0); err != nil {
		return fmt.Errorf("change the incoming rate: %w", err)
	}
	return nil
}

// addAction adds the police action; index 0 lets the kernel choose.
func addAction(list *nl.RtAttr, index uint32, bps uint64) {
	p := nl.TcPolice{Index: index, Action: actionDrop, Burst: uint32(policeTime(bps) / tick), Mtu: 1 << 30, Rate: rateSpec(bytesOf(bps))}
	action := list.AddRtAttr(actionTab, nil)
	action.AddRtAttr(nl.TCA_ACT_KIND, nl.ZeroTerminated("police"))
	options := action.AddRtAttr(nl.TCA_ACT_OPTIONS, nil)
	options.AddRtAttr(nl.TCA_POLICE_TBF, p.Serialize())
	options.AddRtAttr(nl.TCA_POLICE_RATE, make([]byte, rateTable)) // the kernel wants a table and computes without it
	options.AddRtAttr(policeRate64, binary.NativeEndian.AppendUint64(nil, bytesOf(bps)))
}
