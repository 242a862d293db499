package link

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Below our tbf is a prio of two bands, each a bfifo with a queue of its own: what keeps the line's sessions alive goes first and is not dropped
// with the data that fills the line. It counts against the limit like all else.
const (
	bandsHandle   = 0x8687 << 16
	controlHandle = 0x8688 << 16 // in bandsHandle's class 1
	dataHandle    = 0x8689 << 16 // in its class 2
	controlBand   = bandsHandle | 1
	dataBand      = bandsHandle | 2

	// Attributes of a bpf filter (linux/pkt_cls.h).
	bpfClass  = 3 // TCA_BPF_CLASSID
	bpfLength = 4 // TCA_BPF_OPS_LEN
	bpfOps    = 5 // TCA_BPF_OPS
)

// ensureBands makes what is below the device's tbf be as it should; limit is each band's, in bytes.
func (m *Manager) ensureBands(index int, limit uint32) error {
	for _, q := range []struct {
		parent, handle uint32
		kind           string
		options        []byte
	}{
		{shapeHandle | 1, bandsHandle, "prio", prioBands()},
		{controlBand, controlHandle, "bfifo", nl.Uint32Attr(limit)},
		{dataBand, dataHandle, "bfifo", nl.Uint32Attr(limit)},
	} {
		is, err := m.qdisc(index, q.parent)
		if err != nil {
			return err
		}
		if is.kind == q.kind && is.handle == q.handle && bytes.HasPrefix(is.options, q.options) {
			continue
		}
		if err := m.setQdisc(index, q.parent, q.handle, q.kind, q.options); err != nil {
			return fmt.Errorf("BGP and BFD share the queue of a limit: %w", err)
		}
	}
	return m.ensureControl(index)
}

// prioBands is a struct tc_prio_qopt: two bands, and all that no filter says otherwise of in the second.
func prioBands() []byte {
	b := binary.NativeEndian.AppendUint32(nil, 2)
	return append(b, bytes.Repeat([]byte{1}, 16)...)
}

// setQdisc makes a qdisc, or changes the one with this handle.
func (m *Manager) setQdisc(index int, parent, handle uint32, kind string, options []byte) error {
	req := newRequest(m, unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE|unix.NLM_F_ACK)
	req.AddData(&nl.TcMsg{Ifindex: int32(index), Parent: parent, Handle: handle})
	req.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated(kind)))
	req.AddData(nl.NewRtAttr(nl.TCA_OPTIONS, options))
	if err := execute("link.rate", req); err != nil {
		return explain(kind, fmt.Errorf("%s of device %d: %w", kind, index, err))
	}
	return nil
}

// ensureControl has the filter there that puts controlProgram's packets into the first band.
func (m *Manager) ensureControl(index int) error {
	ops, err := controlOps()
	if err != nil {
		return err
	}
	req := newRequest(m, unix.RTM_GETTFILTER, unix.NLM_F_DUMP)
	req.AddData(&nl.TcMsg{Ifindex: int32(index), Parent: bandsHandle})
	msgs, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWTFILTER)
	if err != nil {
		return fmt.Errorf("filters of device %d: %w", index, err)
	}
	for _, b := range msgs {
		if right, err := isControlFilter(b, ops); err != nil || right {
			return err
		}
	}
	req = newRequest(m, unix.RTM_NEWTFILTER, unix.NLM_F_CREATE|unix.NLM_F_ACK)
	all := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})
	req.AddData(&nl.TcMsg{Ifindex: int32(index), Parent: bandsHandle, Handle: filterHandle, Info: filterPref<<16 | uint32(all)})
	req.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("bpf")))
	options := nl.NewRtAttr(nl.TCA_OPTIONS, nil)
	options.AddRtAttr(bpfClass, nl.Uint32Attr(controlBand))
	options.AddRtAttr(bpfLength, nl.Uint16Attr(uint16(len(ops)/8)))
	options.AddRtAttr(bpfOps, ops)
	req.AddData(options)
	if err := execute("link.rate", req); err != nil {
		return fmt.Errorf("BGP and BFD share the queue of a limit: %w", explain("bpf", fmt.Errorf("filter of device %d: %w", index, err)))
	}
	return nil
}

// isControlFilter says whether a filter of a dump is ours and as it should be.
func isControlFilter(b, ops []byte) (bool, error) {
	if len(b) < sizeofTcMsg {
		return false, unix.EBADMSG
	}
	if msg := nl.DeserializeTcMsg(b); msg.Info>>16 != filterPref || msg.Handle != filterHandle {
		return false, nil
	}
	class, err := attr(b[sizeofTcMsg:], nl.TCA_OPTIONS, bpfClass)
	if err != nil {
		return false, err
	}
	program, err := attr(b[sizeofTcMsg:], nl.TCA_OPTIONS, bpfOps)
	return bytes.Equal(class, nl.Uint32Attr(controlBand)) && bytes.Equal(program, ops), err
}

// controlOps is controlProgram as struct sock_filter.
func controlOps() ([]byte, error) {
	raw, err := bpf.Assemble(controlProgram())
	if err != nil {
		return nil, fmt.Errorf("link: BPF program: %w", err)
	}
	var b []byte
	for _, i := range raw {
		b = binary.NativeEndian.AppendUint16(b, i.Op)
		b = append(b, i.Jt, i.Jf)
		b = binary.NativeEndian.AppendUint32(b, i.K)
	}
	return b, nil
}
