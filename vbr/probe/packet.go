package probe

import (
	"encoding/binary"
	"net/netip"
)

// ICMP types of RFC 792 and RFC 4443.
const (
	echoRequest4, echoReply4 = 8, 0
	echoRequest6, echoReply6 = 128, 129
	headerLen                = 8
)

// request is an echo request to be sent.
type request struct {
	target netip.Addr
	seq    uint16
	nonce  uint64
	size   int // of the payload
}

// reply is an echo reply that came.
type reply struct {
	from  netip.Addr
	id    uint16
	seq   uint16
	nonce uint64
}

// marshal writes the ICMP message. The checksum of ICMPv6 is left to the kernel, which knows the source.
func (r request) marshal(id uint16) []byte {
	b := make([]byte, headerLen+r.size)
	b[0] = echoRequest6
	if r.target.Is4() {
		b[0] = echoRequest4
	}
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], r.seq)
	binary.BigEndian.PutUint64(b[8:], r.nonce)
	if r.target.Is4() {
		binary.BigEndian.PutUint16(b[2:], checksum(b))
	}
	return b
}

// parseReply reads an ICMP message, of which the end may be missing; from is left to the caller. withHeader says that an IPv4 header stands in front.
func parseReply(b []byte, v4, withHeader bool) (reply, bool) {
	if withHeader {
		if len(b) < 20 || len(b) < int(b[0]&15)*4 {
			return reply{}, false
		}
		b = b[int(b[0]&15)*4:]
	}
	want := byte(echoReply6)
	if v4 {
		want = echoReply4
	}
	if len(b) < headerLen+MinSize || b[0] != want || b[1] != 0 {
		return reply{}, false
	}
	return reply{id: binary.BigEndian.Uint16(b[4:]), seq: binary.BigEndian.Uint16(b[6:]), nonce: binary.BigEndian.Uint64(b[8:])}, true
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
