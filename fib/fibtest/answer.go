package fibtest

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// dumpBytes is how much of a dump fits one datagram.
const dumpBytes = 32 << 10

// begin starts a message; end writes its length.
func begin(b []byte, kind, flags uint16, seq, port uint32) []byte {
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = binary.NativeEndian.AppendUint32(b, seq)
	return binary.NativeEndian.AppendUint32(b, port)
}

func end(b []byte, start int) []byte {
	binary.NativeEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

func attr(b []byte, kind uint16, v []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(v)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, v...)
	return append(b, make([]byte, -len(v)&3)...)
}

func attrU32(b []byte, kind uint16, v uint32) []byte {
	return attr(b, kind, binary.NativeEndian.AppendUint32(nil, v))
}

// ack is NLMSG_ERROR as with NETLINK_CAP_ACK and NETLINK_EXT_ACK: the errno, the request's header, the text.
func ack(request []byte, r refusal) []byte {
	flags := uint16(unix.NLM_F_CAPPED)
	if r.text != "" {
		flags |= unix.NLM_F_ACK_TLVS
	}
	b := begin(nil, unix.NLMSG_ERROR, flags, u32(request[8:]), u32(request[12:]))
	b = binary.NativeEndian.AppendUint32(b, uint32(-int32(r.errno)))
	b = append(b, request[:headerBytes]...)
	if r.text != "" {
		b = attr(b, unix.NLMSGERR_ATTR_MSG, append([]byte(r.text), 0))
	}
	return end(b, 0)
}

func appendRoute(b []byte, kind, flags uint16, seq, port uint32, key routeKey, r *route) []byte {
	start := len(b)
	b = begin(b, kind, flags, seq, port)
	b = append(b, family(key.prefix.Addr()), byte(key.prefix.Bits()), 0, 0, unix.RT_TABLE_COMPAT, r.protocol, 0, unix.RTN_UNICAST, 0, 0, 0, 0)
	b = attrU32(b, unix.RTA_TABLE, key.table)
	if key.prefix.Bits() > 0 {
		b = attr(b, unix.RTA_DST, key.prefix.Addr().AsSlice())
	}
	b = attrU32(b, unix.RTA_PRIORITY, key.metric)
	if r.nhid != 0 {
		b = attrU32(b, rtaNHID, r.nhid)
	}
	return end(b, start)
}

func appendNexthop(b []byte, kind, flags uint16, seq, port uint32, n *nexthop) []byte {
	start := len(b)
	b = begin(b, kind, flags, seq, port)
	fam, nhflags := byte(unix.AF_UNSPEC), uint32(0)
	if n.members == nil {
		fam = family(n.gateway)
	}
	if n.onlink {
		nhflags = unix.RTNH_F_ONLINK
	}
	b = append(b, fam, 0, n.protocol, 0)
	b = binary.NativeEndian.AppendUint32(b, nhflags)
	b = attrU32(b, unix.NHA_ID, n.id)
	if n.members == nil {
		b = attrU32(b, unix.NHA_OIF, uint32(n.device))
		return end(attr(b, unix.NHA_GATEWAY, n.gateway.AsSlice()), start)
	}
	var g []byte
	for _, m := range n.members {
		g = append(binary.NativeEndian.AppendUint32(g, m.id), m.weight, 0, 0, 0)
	}
	b = attr(b, unix.NHA_GROUP, g)
	groupType := uint16(0)
	if n.buckets > 0 {
		groupType = 1
		res := attr(nil, nhaResBuckets, binary.NativeEndian.AppendUint16(nil, n.buckets))
		b = attr(b, nhaResGroup|unix.NLA_F_NESTED, attrU32(res, 2, 0))
	}
	return end(attr(b, unix.NHA_GROUP_TYPE, binary.NativeEndian.AppendUint16(nil, groupType)), start)
}

func family(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// dumpRoutes answers a strict RTM_GETROUTE dump, with its filters by family, table and protocol.
func (k *Kernel) dumpRoutes(s *Socket, request []byte) {
	body := request[headerBytes:]
	table := u32(attributes(body[sizeRtmsg:])[unix.RTA_TABLE])
	keys := k.keys(func(key routeKey) bool {
		return family(key.prefix.Addr()) == body[0] && (table == 0 || key.table == table) &&
			(body[5] == 0 || k.routes[key].protocol == body[5])
	})
	var b []byte
	for _, key := range keys {
		b = appendRoute(b, unix.RTM_NEWROUTE, unix.NLM_F_MULTI, u32(request[8:]), s.port, key, k.routes[key])
		if len(b) > dumpBytes {
			s.push(b)
			b = nil
		}
	}
	s.push(done(b, request))
}

func (k *Kernel) dumpNexthops(s *Socket, request []byte) {
	ids := make([]uint32, 0, len(k.nexthops))
	for id := range k.nexthops {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var b []byte
	for _, id := range ids {
		b = appendNexthop(b, unix.RTM_NEWNEXTHOP, unix.NLM_F_MULTI, u32(request[8:]), s.port, k.nexthops[id])
		if len(b) > dumpBytes {
			s.push(b)
			b = nil
		}
	}
	s.push(done(b, request))
}

func done(b, request []byte) []byte {
	start := len(b)
	b = begin(b, unix.NLMSG_DONE, unix.NLM_F_MULTI, u32(request[8:]), u32(request[12:]))
	return end(append(b, 0, 0, 0, 0), start)
}

// notifyRoute tells monitors, as the real filter does, of routes with their protocol or metric that they did not change themselves.
func (k *Kernel) notifyRoute(kind uint16, port uint32, key routeKey) {
	r := k.routes[key]
	for s, m := range k.monitors {
		if port != m.own && (r.protocol == m.protocol || key.metric == m.metric) {
			s.push(appendRoute(nil, kind, 0, 0, port, key, r))
		}
	}
}

func (k *Kernel) notifyNexthop(kind uint16, port uint32, n *nexthop) {
	for s, m := range k.monitors {
		if port != m.own {
			s.push(appendNexthop(nil, kind, 0, 0, port, n))
		}
	}
}

func (k *Kernel) notifyLink(index int, kind uint16) {
	flags := uint32(0)
	if d := k.devices[index]; d != nil && d.up {
		flags = unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP
	}
	b := begin(nil, kind, 0, 0, 0)
	b = append(b, unix.AF_UNSPEC, 0, 1, 0)
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = binary.NativeEndian.AppendUint32(b, flags)
	b = end(binary.NativeEndian.AppendUint32(b, 0), 0)
	for s := range k.monitors {
		s.push(b)
	}
}
