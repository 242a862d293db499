package link

import (
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// What keeps a line and its sessions alive.
const (
	bgpPort      = 179  // RFC 4271 8.2.1.3, at either end
	bfdPort      = 3784 // RFC 5881 4
	bfdEchoPort  = 3785 // RFC 5881 4
	bfdMultiPort = 4784 // RFC 5883 5
	firstND      = 133  // router solicitation (RFC 4861 4)
	lastND       = 136  // neighbour advertisement
)

// Where it is said, in an Ethernet frame without VLAN tag.
const (
	typeAt      = 12
	ipAt        = ethernetBytes
	fragmentAt  = ipAt + 6
	protocol4At = ipAt + 9
	protocol6At = ipAt + 6
	header6     = 40
	sourceAt    = ipAt     // a port, after the IP header
	destAt      = ipAt + 2 // the other
	fragment    = 0x1fff   // the offset: not the first
)

// isControl is what controlProgram returns for a match: the filter's own class is meant then.
const isControl = 0xffffffff

// test is one condition of a rule: what is loaded, and when it fails.
type test struct {
	load []bpf.Instruction
	fail bpf.JumpTest
	val  uint32
}

func is(val uint32, load ...bpf.Instruction) test { return test{load, bpf.JumpNotEqual, val} }

// rule returns isControl when all tests hold, and goes on behind itself when one fails.
func rule(tests ...test) []bpf.Instruction {
	program := []bpf.Instruction{bpf.RetConstant{Val: isControl}}
	for _, t := range slices.Backward(tests) {
		jump := bpf.JumpIf{Cond: t.fail, Val: t.val, SkipTrue: uint8(len(program))}
		program = slices.Concat(t.load, []bpf.Instruction{jump}, program)
	}
	return program
}

// controlProgram is a classic BPF program (Documentation/networking/filter.rst) that returns isControl for BGP, BFD, ARP and
// neighbour discovery, and 0 for all else; so for later fragments, and for what has IPv6 extension headers.
func controlProgram() []bpf.Instruction {
	octet, word := func(at uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: at, Size: 1} }, func(at uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: at, Size: 2} }
	port := func(at uint32) bpf.Instruction { return bpf.LoadIndirect{Off: at, Size: 2} }
	v4, v6 := is(unix.ETH_P_IP, word(typeAt)), is(unix.ETH_P_IPV6, word(typeAt))
	whole := test{[]bpf.Instruction{word(fragmentAt)}, bpf.JumpBitsSet, fragment}
	program := slices.Concat(
		rule(is(unix.ETH_P_ARP, word(typeAt))),
		rule(v6, is(unix.IPPROTO_ICMPV6, octet(protocol6At)),
			test{[]bpf.Instruction{octet(ipAt + header6)}, bpf.JumpLessThan, firstND}, test{nil, bpf.JumpGreaterThan, lastND}))
	for _, x := range []struct{ protocol, at, port uint32 }{
		{unix.IPPROTO_TCP, sourceAt, bgpPort}, {unix.IPPROTO_TCP, destAt, bgpPort},
		{unix.IPPROTO_UDP, destAt, bfdPort}, {unix.IPPROTO_UDP, destAt, bfdEchoPort}, {unix.IPPROTO_UDP, destAt, bfdMultiPort},
	} {
		program = slices.Concat(program,
			rule(v4, is(x.protocol, octet(protocol4At)), whole, is(x.port, bpf.LoadMemShift{Off: ipAt}, port(x.at))),
			rule(v6, is(x.protocol, octet(protocol6At)), is(x.port, bpf.LoadConstant{Dst: bpf.RegX, Val: header6}, port(x.at))))
	}
	return append(program, bpf.RetConstant{Val: 0})
}
