package gobgp

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

const (
	maxTTL = 255
	// filterPeers is how many neighbours fit into a filter, which has at most 4096 instructions (linux/bpf_common.h). With more, all get as
	// far as accept.
	filterPeers = 250
	networkOff  = 0xfff00000 // SKF_NET_OFF (linux/filter.h): from the start of the IP header
)

// program is a classic BPF program for a listener: the kernel drops a packet for which it returns 0.
type program []unix.SockFilter

// filter lets in packets of the neighbours' addresses, and of those with GTSM only with TTL 255 (RFC 5082 3).
func filter(neighbours []Neighbour, v4 bool) program {
	return match(neighbours, v4, func(n Neighbour, ttl uint32) program {
		if n.GTSM {
			return program{load(unix.BPF_B, ttl), jump(maxTTL, 0, 1), keep(), drop()}
		}
		return program{keep()}
	})
}

// farOnly lets in what filter drops for its TTL.
func farOnly(neighbours []Neighbour, v4 bool) program {
	return match(neighbours, v4, func(_ Neighbour, ttl uint32) program {
		return program{load(unix.BPF_B, ttl), jump(maxTTL, 1, 0), keep(), drop()}
	})
}

// match asks then what to do with packets of a neighbour's address, and drops others. ttl is where the TTL is.
func match(neighbours []Neighbour, v4 bool, then func(n Neighbour, ttl uint32) program) program {
	if len(neighbours) > filterPeers {
		return program{keep()}
	}
	source, ttl := uint32(8), uint32(7) // RFC 8200 3
	if v4 {
		source, ttl = 12, 8 // RFC 791 3.1
	}
	var p program
	for _, n := range neighbours {
		if n.Address.Is4() != v4 {
			continue
		}
		do := then(n, ttl)
		address := n.Address.AsSlice()
		words := len(address) / 4
		for i := range words {
			rest := 2*(words-1-i) + len(do) // to the next neighbour
			p = append(p, load(unix.BPF_W, source+uint32(4*i)), jump(binary.BigEndian.Uint32(address[4*i:]), 0, uint8(rest)))
		}
		p = append(p, do...)
	}
	return append(p, drop())
}

func keep() unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff} }

func drop() unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K} }

func load(size uint16, at uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | size | unix.BPF_ABS, K: networkOff + at}
}

func jump(k uint32, equal, other uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jt: equal, Jf: other}
}

func (p program) attach(fd int) error {
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]})
}

func setTTL(fd int, v4 bool, ttl int) error {
	if v4 {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, ttl)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, ttl)
}
