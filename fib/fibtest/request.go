package fibtest

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

const (
	rtaNHID       = 30 // RTA_NH_ID
	nhaResGroup   = 12 // NHA_RES_GROUP
	nhaResBuckets = 1  // NHA_RES_GROUP_BUCKETS

	sizeRtmsg   = 12
	sizeNhmsg   = 8
	headerBytes = unix.SizeofNlMsghdr
)

// refusal is an errno with the kernel's words for it.
type refusal struct {
	errno unix.Errno
	text  string
}

// execute carries out one message and queues its answer. It returns true for dumps.
func (k *Kernel) execute(s *Socket, b []byte) (dump bool) {
	kind, flags := binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:])
	k.counts[kind]++
	body := b[headerBytes:]
	var r refusal
	switch kind {
	case unix.RTM_NEWROUTE:
		r = k.newRoute(s, flags, body)
	case unix.RTM_DELROUTE:
		r = k.delRoute(s, flags, body)
	case unix.RTM_NEWNEXTHOP:
		r = k.newNexthop(s, flags, body)
	case unix.RTM_DELNEXTHOP:
		r = k.delNexthop(s, flags, body)
	case unix.RTM_GETROUTE:
		k.dumpRoutes(s, b)
		return true
	case unix.RTM_GETNEXTHOP:
		k.dumpNexthops(s, b)
		return true
	default:
		r = refusal{errno: unix.EOPNOTSUPP}
	}
	if r.errno != 0 || flags&unix.NLM_F_ACK != 0 {
		s.push(ack(b, r))
	}
	return false
}

func (k *Kernel) refused(r Request) refusal {
	if k.refuse == nil {
		return refusal{}
	}
	return refusal{errno: k.refuse(r)}
}

// attributes returns the payloads by type.
func attributes(b []byte) map[uint16][]byte {
	m := map[uint16][]byte{}
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		m[binary.NativeEndian.Uint16(b[2:])] = b[4:n]
		b = b[(n+3)&^3:]
	}
	return m
}

func u32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(b)
}

// parseRoute reads struct rtmsg and what fib puts behind it.
func parseRoute(b []byte) (key routeKey, r route) {
	a := attributes(b[sizeRtmsg:])
	addr, ok := netip.AddrFromSlice(a[unix.RTA_DST])
	if !ok && b[0] == unix.AF_INET {
		addr = netip.IPv4Unspecified()
	} else if !ok {
		addr = netip.IPv6Unspecified()
	}
	return routeKey{u32(a[unix.RTA_TABLE]), netip.PrefixFrom(addr, int(b[1])), u32(a[unix.RTA_PRIORITY])},
		route{protocol: b[5], nhid: u32(a[rtaNHID])}
}

// newRoute follows fib_table_insert (net/ipv4/fib_trie.c) and fib6_add_rt2node (net/ipv6/ip6_fib.c).
func (k *Kernel) newRoute(s *Socket, flags uint16, b []byte) refusal {
	key, r := parseRoute(b)
	if x := k.refused(Request{unix.RTM_NEWROUTE, flags, key.table, key.prefix, r.nhid}); x.errno != 0 {
		return x
	}
	nh := k.nexthops[r.nhid]
	if nh == nil {
		return refusal{unix.EINVAL, "Nexthop id does not exist"}
	}
	if key.prefix.Addr().Is6() && k.has4(nh) {
		return refusal{unix.EINVAL, "IPv6 routes can not use an IPv4 nexthop"}
	}
	old := k.routes[key]
	switch {
	case old != nil && flags&unix.NLM_F_EXCL != 0:
		return refusal{errno: unix.EEXIST}
	case old == nil && flags&unix.NLM_F_CREATE == 0:
		return refusal{errno: unix.ENOENT}
	}
	k.routes[key] = &r
	k.notifyRoute(unix.RTM_NEWROUTE, s.port, key)
	return refusal{}
}

func (k *Kernel) has4(n *nexthop) bool {
	if n.members == nil {
		return n.gateway.Is4()
	}
	return slices.ContainsFunc(n.members, func(m groupMember) bool { return k.nexthops[m.id].gateway.Is4() })
}

func (k *Kernel) delRoute(s *Socket, flags uint16, b []byte) refusal {
	key, r := parseRoute(b)
	if x := k.refused(Request{unix.RTM_DELROUTE, flags, key.table, key.prefix, 0}); x.errno != 0 {
		return x
	}
	old := k.routes[key]
	if old == nil || r.protocol != 0 && old.protocol != r.protocol {
		return refusal{errno: unix.ESRCH}
	}
	k.notifyRoute(unix.RTM_DELROUTE, s.port, key)
	delete(k.routes, key)
	return refusal{}
}

// newNexthop follows nexthop_add (net/ipv4/nexthop.c).
func (k *Kernel) newNexthop(s *Socket, flags uint16, b []byte) refusal {
	a := attributes(b[sizeNhmsg:])
	n := &nexthop{id: u32(a[unix.NHA_ID]), protocol: b[2], device: int(u32(a[unix.NHA_OIF]))}
	n.onlink = u32(b[4:])&unix.RTNH_F_ONLINK != 0
	n.gateway, _ = netip.AddrFromSlice(a[unix.NHA_GATEWAY])
	for g := a[unix.NHA_GROUP]; len(g) >= 8; g = g[8:] {
		n.members = append(n.members, groupMember{u32(g), g[4]})
	}
	if res := a[nhaResGroup|unix.NLA_F_NESTED]; res != nil {
		n.buckets = binary.NativeEndian.Uint16(attributes(res)[nhaResBuckets])
	}
	if x := k.refused(Request{Kind: unix.RTM_NEWNEXTHOP, Flags: flags, ID: n.id}); x.errno != 0 {
		return x
	}
	if r := k.checkNexthop(n); r.errno != 0 {
		return r
	}
	old := k.nexthops[n.id]
	switch {
	case old != nil && flags&unix.NLM_F_REPLACE == 0:
		return refusal{errno: unix.EEXIST}
	case old == nil && flags&unix.NLM_F_CREATE == 0:
		return refusal{errno: unix.ENOENT}
	case old != nil && old.buckets != n.buckets:
		return refusal{unix.EINVAL, "Can not replace a nexthop group with one of a different type."}
	}
	k.nexthops[n.id] = n
	k.notifyNexthop(unix.RTM_NEWNEXTHOP, s.port, n)
	return refusal{}
}

func (k *Kernel) checkNexthop(n *nexthop) refusal {
	for _, member := range n.members {
		if m := k.nexthops[member.id]; m == nil || m.members != nil {
			return refusal{unix.EINVAL, "Invalid nexthop id"}
		}
		if member.weight > 254 {
			return refusal{unix.EINVAL, "Invalid value for weight"} // until Linux 6.12
		}
	}
	if n.members != nil {
		return refusal{}
	}
	d := k.devices[n.device]
	switch {
	case d == nil:
		return refusal{unix.EINVAL, "Invalid device index"}
	case !d.up:
		return refusal{unix.ENETDOWN, "Nexthop device is not up"}
	case n.onlink:
		return refusal{}
	case !slices.ContainsFunc(d.subnets, func(p netip.Prefix) bool { return p.Contains(n.gateway) }):
		return refusal{unix.ENETUNREACH, "Nexthop has invalid gateway"}
	}
	return refusal{}
}

func (k *Kernel) delNexthop(s *Socket, flags uint16, b []byte) refusal {
	id := u32(attributes(b[sizeNhmsg:])[unix.NHA_ID])
	if x := k.refused(Request{Kind: unix.RTM_DELNEXTHOP, Flags: flags, ID: id}); x.errno != 0 {
		return x
	}
	n := k.nexthops[id]
	if n == nil {
		return refusal{errno: unix.ENOENT}
	}
	k.removeNexthop(id)
	k.notifyNexthop(unix.RTM_DELNEXTHOP, s.port, n)
	return refusal{}
}
