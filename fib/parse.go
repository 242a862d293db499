package fib

import (
	"encoding/binary"
	"errors"
	"iter"
	"net/netip"

	"golang.org/x/sys/unix"
)

var errTruncated = errors.New("truncated netlink message")

// message is one netlink message, a view into the receive buffer.
type message struct {
	kind, flags uint16
	seq, port   uint32
	body        []byte
}

// nextMessage splits the first message off a datagram.
func nextMessage(b []byte) (m message, rest []byte, err error) {
	if len(b) < sizeNlmsghdr {
		return m, nil, errTruncated
	}
	n := int(binary.NativeEndian.Uint32(b))
	if n < sizeNlmsghdr || n > len(b) {
		return m, nil, errTruncated
	}
	m = message{
		kind: binary.NativeEndian.Uint16(b[4:]), flags: binary.NativeEndian.Uint16(b[6:]),
		seq: binary.NativeEndian.Uint32(b[8:]), port: binary.NativeEndian.Uint32(b[12:]),
		body: b[sizeNlmsghdr:n],
	}
	return m, b[min((n+3)&^3, len(b)):], nil
}

// attributes yields type and payload of each attribute; a broken one ends the list.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= 4 {
			n := int(binary.NativeEndian.Uint16(b))
			if n < 4 || n > len(b) {
				return
			}
			if !yield(binary.NativeEndian.Uint16(b[2:])&nlaTypeMask, b[4:n]) {
				return
			}
			b = b[min((n+3)&^3, len(b)):]
		}
	}
}

// answer is the content of NLMSG_ERROR, or of the NLMSG_DONE that ends a failed dump.
type answer struct {
	errno unix.Errno
	text  string // the kernel's extended acknowledgement
}

// parseAnswer reads struct nlmsgerr and its extended acknowledgement. Since the sockets ask for
// NETLINK_CAP_ACK, attributes follow the copied header.
func parseAnswer(m message) (answer, error) {
	if len(m.body) < 4 {
		return answer{}, errTruncated
	}
	a := answer{errno: unix.Errno(-int32(binary.NativeEndian.Uint32(m.body)))}
	skip := 4
	if m.kind == unix.NLMSG_ERROR {
		skip += sizeNlmsghdr
	}
	if a.errno == 0 || m.flags&unix.NLM_F_ACK_TLVS == 0 || len(m.body) < skip {
		return a, nil
	}
	for kind, v := range attributes(m.body[skip:]) {
		if kind == unix.NLMSGERR_ATTR_MSG {
			a.text = cString(v)
		}
	}
	return a, nil
}

func cString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// kernelRoute is what a dump or a notification says of one route, as far as it matters here.
type kernelRoute struct {
	prefix   netip.Prefix
	table    uint32
	metric   uint32
	nhid     uint32
	protocol uint8
	tos      uint8
	cloned   bool // an exception of the cache, not a route
}

// parseRoute reads struct rtmsg; ok is false for what is no IPv4 or IPv6 route.
func parseRoute(b []byte) (r kernelRoute, ok bool) {
	if len(b) < sizeRtmsg {
		return r, false
	}
	var dst netip.Addr
	switch b[0] {
	case unix.AF_INET:
		dst = netip.IPv4Unspecified()
	case unix.AF_INET6:
		dst = netip.IPv6Unspecified()
	default:
		return r, false
	}
	r.tos, r.table, r.protocol = b[3], uint32(b[4]), b[5]
	r.cloned = binary.NativeEndian.Uint32(b[8:])&unix.RTM_F_CLONED != 0
	for kind, v := range attributes(b[sizeRtmsg:]) {
		switch {
		case kind == unix.RTA_DST:
			dst, _ = netip.AddrFromSlice(v)
		case kind == unix.RTA_TABLE && len(v) == 4:
			r.table = binary.NativeEndian.Uint32(v)
		case kind == unix.RTA_PRIORITY && len(v) == 4:
			r.metric = binary.NativeEndian.Uint32(v)
		case kind == rtaNHID && len(v) == 4:
			r.nhid = binary.NativeEndian.Uint32(v)
		}
	}
	r.prefix = netip.PrefixFrom(dst, int(b[1]))
	return r, r.prefix.IsValid()
}

// kernelNexthop is what a dump or a notification says of one nexthop object.
type kernelNexthop struct {
	id       uint32
	protocol uint8
	nh       NextHop  // of a gateway
	members  []uint32 // of a group, in the kernel's order
	weights  []uint8  // of its members, as on the wire: less 1
	buckets  uint16   // of a resilient group
	odd      bool     // blackhole, encapsulation, timers: nothing we make
}

// parseNexthop reads struct nhmsg.
func parseNexthop(b []byte) (n kernelNexthop, ok bool) {
	if len(b) < sizeNhmsg {
		return n, false
	}
	n.protocol = b[2]
	n.nh.OnLink = binary.NativeEndian.Uint32(b[4:])&unix.RTNH_F_ONLINK != 0
	for kind, v := range attributes(b[sizeNhmsg:]) {
		switch {
		case kind == unix.NHA_ID && len(v) == 4:
			n.id = binary.NativeEndian.Uint32(v)
		case kind == unix.NHA_OIF && len(v) == 4:
			n.nh.Device = int(binary.NativeEndian.Uint32(v))
		case kind == unix.NHA_GATEWAY:
			n.nh.Gateway, _ = netip.AddrFromSlice(v)
		case kind == unix.NHA_GROUP:
			n.parseGroup(v)
		case kind == unix.NHA_GROUP_TYPE && len(v) == 2:
			n.odd = n.odd || binary.NativeEndian.Uint16(v) > nhGroupResilient
		case kind == nhaResGroup:
			n.parseResilient(v)
		case kind == unix.NHA_BLACKHOLE, kind == unix.NHA_ENCAP:
			n.odd = true
		}
	}
	n.odd = n.odd || n.members == nil && !n.nh.valid()
	return n, n.id != 0
}

func (n *kernelNexthop) parseGroup(v []byte) {
	for ; len(v) >= sizeNhGroup; v = v[sizeNhGroup:] {
		n.members = append(n.members, binary.NativeEndian.Uint32(v))
		n.weights = append(n.weights, v[4])
	}
}

func (n *kernelNexthop) parseResilient(v []byte) {
	for kind, v := range attributes(v) {
		switch {
		case kind == nhaResBuckets && len(v) == 2:
			n.buckets = binary.NativeEndian.Uint16(v)
		case kind == nhaResIdleTimer && len(v) == 4:
			n.odd = n.odd || binary.NativeEndian.Uint32(v) != 0
		}
	}
}

// kernelLink is what a notification says of one device.
type kernelLink struct {
	index int
	up    bool // administratively up and with carrier
	gone  bool
}

// parseLink reads struct ifinfomsg (include/uapi/linux/rtnetlink.h).
func parseLink(m message) (l kernelLink, ok bool) {
	if len(m.body) < unix.SizeofIfInfomsg {
		return l, false
	}
	const usable = unix.IFF_UP | unix.IFF_LOWER_UP
	l.index = int(int32(binary.NativeEndian.Uint32(m.body[4:])))
	l.gone = m.kind == unix.RTM_DELLINK
	l.up = !l.gone && binary.NativeEndian.Uint32(m.body[8:])&usable == usable
	return l, m.body[0] == unix.AF_UNSPEC // AF_BRIDGE reports ports, not devices
}

// parseAddress reads the device's index of struct ifaddrmsg (include/uapi/linux/if_addr.h).
func parseAddress(b []byte) (device int, ok bool) {
	if len(b) < unix.SizeofIfAddrmsg {
		return 0, false
	}
	return int(binary.NativeEndian.Uint32(b[4:])), true
}
