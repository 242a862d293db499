package fib

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Sizes of the fixed headers (include/uapi/linux/netlink.h, rtnetlink.h, nexthop.h).
const (
	sizeNlmsghdr = 16
	sizeRtmsg    = 12
	sizeNhmsg    = 8
	sizeNhGroup  = 8 // struct nexthop_grp
)

// Constants that golang.org/x/sys/unix lacks.
const (
	rtaNHID = 30 // RTA_NH_ID

	nhGroupMultipath = 0  // NEXTHOP_GRP_TYPE_MPATH
	nhGroupResilient = 1  // NEXTHOP_GRP_TYPE_RES
	nhaResGroup      = 12 // NHA_RES_GROUP
	nhaResBuckets    = 1  // NHA_RES_GROUP_BUCKETS
	nhaResIdleTimer  = 2  // NHA_RES_GROUP_IDLE_TIMER

	nlaTypeMask = 0x3fff // NLA_TYPE_MASK
)

// encoder builds one datagram of rtnetlink messages. Message i has sequence number base+i, and only
// the last asks for an acknowledgement: the kernel reports failures unasked.
type encoder struct {
	buf   []byte
	base  uint32 // sequence number of the first message
	count int
	start int // offset of the message being built
}

// reset empties the encoder and keeps its memory.
func (e *encoder) reset(base uint32) {
	e.buf, e.base, e.count, e.start = e.buf[:0], base, 0, 0
}

// full says that the batch should be sent before another message is added.
func (e *encoder) full() bool { return e.count >= batchMessages || len(e.buf) >= batchBytes }

func (e *encoder) begin(kind, flags uint16) {
	e.start = len(e.buf)
	e.u32(0) // length, written by end
	e.u16(kind)
	e.u16(flags | unix.NLM_F_REQUEST)
	e.u32(e.base + uint32(e.count))
	e.u32(0) // port: the kernel
}

func (e *encoder) end() {
	binary.NativeEndian.PutUint32(e.buf[e.start:], uint32(len(e.buf)-e.start))
	e.count++
}

// finish asks for the acknowledgement of the last message and returns the datagram.
func (e *encoder) finish() []byte {
	flags := e.buf[e.start+6:]
	binary.NativeEndian.PutUint16(flags, binary.NativeEndian.Uint16(flags)|unix.NLM_F_ACK)
	return e.buf
}

func (e *encoder) u16(v uint16) { e.buf = binary.NativeEndian.AppendUint16(e.buf, v) }
func (e *encoder) u32(v uint32) { e.buf = binary.NativeEndian.AppendUint32(e.buf, v) }

func (e *encoder) attrU32(kind uint16, v uint32) {
	e.u16(8)
	e.u16(kind)
	e.u32(v)
}

// attrAddr adds an address; 4 and 16 bytes need no padding.
func (e *encoder) attrAddr(kind uint16, a netip.Addr) {
	if a.Is4() {
		b := a.As4()
		e.u16(8)
		e.u16(kind)
		e.buf = append(e.buf, b[:]...)
		return
	}
	b := a.As16()
	e.u16(20)
	e.u16(kind)
	e.buf = append(e.buf, b[:]...)
}

// route adds RTM_NEWROUTE or RTM_DELROUTE for one prefix. A deletion names no nexthop: protocol and metric select.
func (e *encoder) route(kind, flags uint16, c *Config, table uint32, p netip.Prefix, nhid uint32) {
	rtype, scope := byte(unix.RTN_UNICAST), byte(unix.RT_SCOPE_UNIVERSE)
	if kind == unix.RTM_DELROUTE {
		rtype, scope = unix.RTN_UNSPEC, unix.RT_SCOPE_NOWHERE
	}
	e.begin(kind, flags)
	e.buf = append(e.buf, family(p.Addr()), byte(p.Bits()), 0, 0, unix.RT_TABLE_UNSPEC, c.Protocol, scope, rtype, 0, 0, 0, 0)
	e.attrAddr(unix.RTA_DST, p.Addr())
	e.attrU32(unix.RTA_TABLE, table)
	e.attrU32(unix.RTA_PRIORITY, c.Metric)
	if nhid != 0 {
		e.attrU32(rtaNHID, nhid)
	}
	e.end()
}

func (e *encoder) nhmsg(fam, protocol byte, flags uint32) {
	e.buf = append(e.buf, fam, unix.RT_SCOPE_UNIVERSE, protocol, 0)
	e.u32(flags)
}

// gateway adds RTM_NEWNEXTHOP for one gateway object.
func (e *encoder) gateway(protocol byte, id uint32, nh NextHop) {
	flags := uint32(0)
	if nh.OnLink {
		flags = unix.RTNH_F_ONLINK
	}
	e.begin(unix.RTM_NEWNEXTHOP, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	e.nhmsg(family(nh.Gateway), protocol, flags)
	e.attrU32(unix.NHA_ID, id)
	e.attrU32(unix.NHA_OIF, uint32(nh.Device))
	e.attrAddr(unix.NHA_GATEWAY, nh.Gateway)
	e.end()
}

// group adds RTM_NEWNEXTHOP for one group of gateway objects: a new one, or with replace an existing one of the same kind. See plan for
// what buckets mean.
func (e *encoder) group(protocol byte, id uint32, buckets uint16, members []member, replace bool) {
	flags := uint16(unix.NLM_F_CREATE | unix.NLM_F_EXCL)
	if replace {
		flags = unix.NLM_F_REPLACE // no CREATE: a group that vanished took its routes along
	}
	e.begin(unix.RTM_NEWNEXTHOP, flags)
	e.nhmsg(unix.AF_UNSPEC, protocol, 0)
	e.attrU32(unix.NHA_ID, id)
	e.u16(uint16(4 + sizeNhGroup*len(members)))
	e.u16(unix.NHA_GROUP)
	for _, m := range members {
		e.u32(m.gw.id())
		e.buf = append(e.buf, m.weight, 0, 0, 0)
	}
	if buckets > 0 {
		e.u16(6)
		e.u16(unix.NHA_GROUP_TYPE)
		e.u16(nhGroupResilient)
		e.u16(0) // padding
		e.u16(4 + 8 + 8)
		e.u16(nhaResGroup | unix.NLA_F_NESTED)
		e.u16(6)
		e.u16(nhaResBuckets)
		e.u16(buckets)
		e.u16(0)
		e.attrU32(nhaResIdleTimer, 0) // a bucket moves at once
	}
	e.end()
}

// deleteNexthop adds RTM_DELNEXTHOP for a gateway or group.
func (e *encoder) deleteNexthop(id uint32) {
	e.begin(unix.RTM_DELNEXTHOP, 0)
	e.nhmsg(unix.AF_UNSPEC, 0, 0)
	e.attrU32(unix.NHA_ID, id)
	e.end()
}

// dumpRoutes adds a strict dump request; table 0 means all tables, protocol 0 all protocols.
func (e *encoder) dumpRoutes(fam, protocol byte, table uint32) {
	e.begin(unix.RTM_GETROUTE, unix.NLM_F_DUMP)
	e.buf = append(e.buf, fam, 0, 0, 0, 0, protocol, 0, 0, 0, 0, 0, 0)
	if table != 0 {
		e.attrU32(unix.RTA_TABLE, table)
	}
	e.end()
}

// dumpNexthops adds a dump request for all nexthop objects.
func (e *encoder) dumpNexthops() {
	e.begin(unix.RTM_GETNEXTHOP, unix.NLM_F_DUMP)
	e.nhmsg(unix.AF_UNSPEC, 0, 0)
	e.end()
}

func family(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
