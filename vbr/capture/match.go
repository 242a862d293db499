package capture

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/net/bpf"
)

// EtherTypes (IEEE 802 numbers).
const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherRARP = 0x8035
	etherIPv6 = 0x86dd
	etherVLAN = 0x8100
	etherQinQ = 0x88a8
)

// Protocols of IP (IANA protocol numbers).
const (
	protoTCP      = 6
	protoUDP      = 17
	protoSCTP     = 132
	protoFragment = 44 // IPv6's fragment header
)

// Places in an Ethernet frame without a tag.
const (
	atEtherType = 12
	atIP        = 14
	atFragment  = atIP + 6  // IPv4's flags and offset
	atProto4    = atIP + 9  // IPv4's protocol
	atSource4   = atIP + 12 // IPv4's addresses
	atDest4     = atIP + 16
	atSenderARP = atIP + 14 // the protocol addresses of ARP for IPv4
	atTargetARP = atIP + 24
	atProto6    = atIP + 6 // IPv6's next header
	atSource6   = atIP + 8
	atDest6     = atIP + 24
	atInner6    = atIP + 40 // behind IPv6's fixed header
)

// direction says which end of a packet is meant: any is either.
type direction int

const (
	either direction = iota
	source
	destination
)

// of is about the ends that the direction means.
func (d direction) of(src, dst node) node {
	switch d {
	case source:
		return src
	case destination:
		return dst
	}
	return or{src, dst}
}

func equals(at, size uint32, value uint32) node {
	return test{load: []bpf.Instruction{bpf.LoadAbsolute{Off: at, Size: int(size)}}, cond: bpf.JumpEqual, value: value}
}

func etherType(v uint32) node { return equals(atEtherType, 2, v) }

// proto4 is IPv4 with a protocol.
func proto4(p uint32) node { return and{etherType(etherIPv4), equals(atProto4, 1, p)} }

// proto6 is IPv6 with a protocol, right behind the fixed header or behind a fragment header. Other extension headers are not followed.
func proto6(p uint32) node {
	return and{etherType(etherIPv6), or{equals(atProto6, 1, p), and{equals(atProto6, 1, protoFragment), equals(atInner6, 1, p)}}}
}

// hosts is about packets from or to an address of the prefix.
func hosts(kind string, d direction, p netip.Prefix) node {
	if p.Addr().Is6() {
		return and{etherType(etherIPv6), d.of(within6(atSource6, p), within6(atDest6, p))}
	}
	ip := and{etherType(etherIPv4), d.of(within4(atSource4, p), within4(atDest4, p))}
	arp := d.of(within4(atSenderARP, p), within4(atTargetARP, p))
	switch kind {
	case "ip":
		return ip
	case "arp":
		return and{etherType(etherARP), arp}
	}
	return or{ip, and{or{etherType(etherARP), etherType(etherRARP)}, arp}}
}

func within4(at uint32, p netip.Prefix) node {
	a := p.Masked().Addr().As4()
	return within(at, binary.BigEndian.Uint32(a[:]), p.Bits())
}

// within says whether a word has the first bits of another.
func within(at, word uint32, bits int) node {
	if bits <= 0 {
		return and{}
	}
	t := test{load: []bpf.Instruction{bpf.LoadAbsolute{Off: at, Size: 4}}, cond: bpf.JumpEqual, value: word}
	if bits < 32 {
		t.mask = ^uint32(0) << (32 - bits)
	}
	return t
}

func within6(at uint32, p netip.Prefix) node {
	a := p.Masked().Addr().As16()
	all := and{}
	for i := range 4 {
		all = append(all, within(at+uint32(4*i), binary.BigEndian.Uint32(a[4*i:]), p.Bits()-32*i))
	}
	return all
}

// ports is about packets of the protocols from or to the ports from low to high. Fragments but the first have none.
func ports(protos []uint32, d direction, low, high uint32) node {
	is := func(at uint32) (l or) {
		for _, p := range protos {
			l = append(l, equals(at, 1, p))
		}
		return l
	}
	first := test{load: []bpf.Instruction{bpf.LoadAbsolute{Off: atFragment, Size: 2}}, cond: bpf.JumpBitsNotSet, value: 0x1fff}
	behind := func(off uint32) []bpf.Instruction {
		return []bpf.Instruction{bpf.LoadMemShift{Off: atIP}, bpf.LoadIndirect{Off: atIP + off, Size: 2}}
	}
	fixed := func(off uint32) []bpf.Instruction {
		return []bpf.Instruction{bpf.LoadAbsolute{Off: atInner6 + off, Size: 2}}
	}
	return or{
		and{etherType(etherIPv6), is(atProto6), d.of(ranged(fixed(0), low, high), ranged(fixed(2), low, high))},
		and{etherType(etherIPv4), is(atProto4), first, d.of(ranged(behind(0), low, high), ranged(behind(2), low, high))},
	}
}

func ranged(load []bpf.Instruction, low, high uint32) node {
	if low == high {
		return test{load: load, cond: bpf.JumpEqual, value: low}
	}
	return and{test{load: load, cond: bpf.JumpGreaterOrEqual, value: low}, test{load: load, cond: bpf.JumpLessOrEqual, value: high}}
}

// length compares how many octets the frame has.
func length(cond bpf.JumpTest, n uint32) node {
	return test{load: []bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtLen}}, cond: cond, value: n}
}

// untagged rejects frames with a VLAN tag, be it beside the frame, where the kernel puts it, or in it; all others it passes on to the filter behind it.
var untagged = []bpf.Instruction{
	bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 3},
	bpf.LoadAbsolute{Off: atEtherType, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherVLAN, SkipTrue: 1},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: etherQinQ, SkipTrue: 1},
	bpf.RetConstant{Val: 0},
}
