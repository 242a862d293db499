package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// What linux/pkt_sched.h, linux/pkt_cls.h and linux/tc_act/tc_mirred.h have and the library lacks.
const (
	stabBase       = 1                    // TCA_STAB_BASE
	actionStolen   = 4                    // TC_ACT_STOLEN
	egressRedirect = 1                    // TCA_EGRESS_REDIR
	actionTab      = 1                    // TCA_ACT_TAB, and the number of the first action in it
	ethernet       = 1                    // TC_LINKLAYER_ETHERNET
	tick           = 64 * time.Nanosecond // PSCHED_TICKS2NS(1)
	sizeofTcMsg    = nl.SizeofTcMsg
	ethernetBytes  = 14
	sizeofMirred   = 28 // the library's struct tc_mirred is 2 bytes too long
	mirredIndex    = 24 // the target in it
)

// qdisc is a queueing discipline of a device; without one the kind is empty.
type qdisc struct {
	kind    string
	handle  uint32
	shape   shape // tbf's
	options []byte
}

// qdisc returns what is at the root, or at the ingress. The request has the answer echoed, which older kernels tell to listeners only, and
// acknowledged: they say nothing else of a qdisc that is the kernel's invisible one.
func (m *Manager) qdisc(index int, parent uint32) (qdisc, error) {
	req := newRequest(m, unix.RTM_GETQDISC, unix.NLM_F_ECHO|unix.NLM_F_ACK)
	req.AddData(&nl.TcMsg{Ifindex: int32(index), Parent: parent})
	msgs, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWQDISC)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) { // EINVAL: a newer kernel says it of the invisible one
		return qdisc{}, nil
	}
	if err != nil {
		return qdisc{}, fmt.Errorf("qdisc of device %d: %w", index, err)
	}
	for _, b := range msgs {
		return parseQdisc(b)
	}
	return qdisc{}, nil
}

func parseQdisc(b []byte) (qdisc, error) {
	if len(b) < sizeofTcMsg {
		return qdisc{}, unix.EBADMSG
	}
	q := qdisc{handle: nl.DeserializeTcMsg(b).Handle}
	kind, err := attr(b[sizeofTcMsg:], nl.TCA_KIND)
	q.kind = strings.TrimRight(string(kind), "\x00")
	if err == nil {
		q.options, err = attr(b[sizeofTcMsg:], nl.TCA_OPTIONS)
	}
	if err != nil || q.kind != "tbf" {
		return q, err
	}
	q.shape, err = parseShape(b[sizeofTcMsg:])
	return q, err
}

func parseShape(b []byte) (shape, error) {
	p, err := attr(b, nl.TCA_OPTIONS, nl.TCA_TBF_PARMS)
	if err != nil || len(p) < nl.SizeofTcTbfQopt {
		return shape{}, errors.Join(err, unix.EBADMSG)
	}
	opt := nl.DeserializeTcTbfQopt(p)
	s := shape{rate: uint64(opt.Rate.Rate), limit: opt.Limit}
	if r, err := attr(b, nl.TCA_OPTIONS, nl.TCA_TBF_RATE64); err == nil && len(r) == 8 {
		s.rate = binary.NativeEndian.Uint64(r)
	}
	// The kernel tells the burst as the time it takes at the rate.
	s.burst = newShape(s.rate * 8).burst
	if !sameTicks(opt.Buffer, s) {
		s.burst = 0
	}
	return s, nil
}

// sameTicks allows for what the kernel rounds.
func sameTicks(ticks uint32, s shape) bool {
	want := float64(s.burst) / float64(s.rate) * float64(time.Second/tick)
	return math.Abs(float64(ticks)-want) <= want/100+1 || want > math.MaxUint32 // a rate of a few bytes
}

// setShape makes or changes our tbf. The size table takes the Ethernet header off each packet's length: sent packets have theirs already.
func (m *Manager) setShape(index int, s shape) error {
	req := newRequest(m, unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE|unix.NLM_F_ACK)
	req.AddData(&nl.TcMsg{Ifindex: int32(index), Parent: netlink.HANDLE_ROOT, Handle: shapeHandle})
	req.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("tbf")))
	stab := nl.NewRtAttr(nl.TCA_STAB, nil)
	stab.AddRtAttr(stabBase, sizeSpec())
	req.AddData(stab)
	opt := nl.TcTbfQopt{Rate: nl.TcRateSpec{Linklayer: ethernet, Rate: uint32(min(s.rate, math.MaxUint32))}, Limit: s.limit}
	options := nl.NewRtAttr(nl.TCA_OPTIONS, nil)
	options.AddRtAttr(nl.TCA_TBF_PARMS, opt.Serialize())
	options.AddRtAttr(nl.TCA_TBF_RATE64, binary.NativeEndian.AppendUint64(nil, s.rate))
	options.AddRtAttr(nl.TCA_TBF_BURST, nl.Uint32Attr(s.burst))
	req.AddData(options)
	if err := execute("link.rate", req); err != nil {
		return explain("tbf", fmt.Errorf("outgoing rate of device %d: %w", index, err))
	}
	return nil
}

// sizeSpec is a struct tc_sizespec without a table: only its overhead counts.
func sizeSpec() []byte {
	b := make([]byte, 24)
	b[2] = ethernet
	const overhead = -ethernetBytes
	v := int32(overhead)
	binary.NativeEndian.PutUint32(b[4:], uint32(v))
	return b
}

func (m *Manager) addIngress(index int) error {
	req := newRequest(m, unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	req.AddData(&nl.TcMsg{Ifindex: int32(index), Parent: netlink.HANDLE_INGRESS, Handle: ingressHandle})
	req.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("ingress")))
	if err := execute("link.rate", req); err != nil {
		return explain("ingress", fmt.Errorf("incoming rate of device %d: %w", index, err))
	}
	return nil
}

func (m *Manager) delQdisc(index int, parent, handle uint32) error {
	req := newRequest(m, unix.RTM_DELQDISC, unix.NLM_F_ACK)
	req.AddData(&nl.TcMsg{Ifindex: int32(index), Parent: parent, Handle: handle})
	if err := execute("link.rate", req); err != nil && !gone(err) {
		return fmt.Errorf("remove the rate of device %d: %w", index, err)
	}
	return nil
}

// limited are the devices that may have a limit of ours: those with our tbf or with any ingress qdisc.
func (m *Manager) limited() ([]int, error) {
	req := newRequest(m, unix.RTM_GETQDISC, unix.NLM_F_DUMP)
	req.AddData(&nl.TcMsg{})
	msgs, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWQDISC)
	if err != nil {
		return nil, fmt.Errorf("link: list qdiscs: %w", err)
	}
	var indexes []int
	for _, b := range msgs {
		q, err := parseQdisc(b)
		if err != nil {
			return nil, fmt.Errorf("link: list qdiscs: %w", err)
		}
		if q.handle == shapeHandle || q.kind == "ingress" {
			indexes = append(indexes, int(nl.DeserializeTcMsg(b).Ifindex))
		}
	}
	return indexes, nil
}
