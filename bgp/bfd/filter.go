package bfd

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// filterPeers is how many neighbours a filter may name (a filter has at most 4096 instructions); with more it looks at the TTL alone.
const filterPeers = 400

// skfNetOff is SKF_NET_OFF of linux/filter.h: offsets from it count from the IP header.
const skfNetOff = 0xfff00000

// filter is a classic BPF program for a socket: it lets pass what comes from the peers with a TTL of 255 (RFC 5881 5). What strangers
// send is dropped in the kernel and fills no buffer.
func filter(v4 bool, peers []netip.Addr) []unix.SockFilter {
	ttl, source := uint32(skfNetOff+7), uint32(skfNetOff+8) // IPv6 header (RFC 8200)
	if v4 {
		ttl, source = skfNetOff+8, skfNetOff+12 // RFC 791
	}
	load := func(size uint16, at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | size | unix.BPF_ABS, K: at}
	}
	equal := func(k uint32, otherwise uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jf: otherwise}
	}
	const all = 0xffff
	drop, pass := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: all}
	prog := []unix.SockFilter{load(unix.BPF_B, ttl), equal(ttlOut, 1), {Code: unix.BPF_JMP | unix.BPF_JA, K: 1}, drop}
	if len(peers) > filterPeers {
		return append(prog, pass)
	}
	for _, p := range peers {
		b := p.AsSlice()
		for at := 0; at < len(b); at += 4 {
			rest := uint8((len(b)-at)/4*2 - 1) // instructions to the next peer's
			prog = append(prog, load(unix.BPF_W, source+uint32(at)), equal(binary.BigEndian.Uint32(b[at:]), rest))
		}
		prog = append(prog, pass)
	}
	return append(prog, drop)
}

func attach(fd int, prog []unix.SockFilter) error {
	err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]})
	if err != nil {
		return fmt.Errorf("attach filter: %w", err)
	}
	return nil
}

// dropped is how many packets the kernel dropped at a socket, by the filter or because its buffer was full (SO_MEMINFO); 0 if it does not say.
func dropped(fd int) uint64 {
	var info [unix.SK_MEMINFO_VARS]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0
	}
	return uint64(info[unix.SK_MEMINFO_DROPS])
}
