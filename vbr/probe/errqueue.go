package probe

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Origins of an error in a socket's queue (linux/errqueue.h).
const (
	originLocal = 1
	originICMP  = 2
	originICMP6 = 3
)

// queued takes an error out of the socket's queue; more: there may be others.
func (o *once) queued(fd int) (a Answer, ok, more bool) {
	buf, oob := make([]byte, 128), make([]byte, 256)
	_, oobn, _, to, err := unix.Recvmsg(fd, buf, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	switch {
	case err != nil:
		return Answer{}, false, false
	case hostOf(to) != o.request.target: // a raw socket hears of others' requests in its VRF
		return Answer{}, false, true
	}
	now := time.Now()
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return Answer{}, false, true
	}
	for _, m := range msgs {
		isError := m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_RECVERR || m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_RECVERR
		if isError && len(m.Data) >= 16 {
			if a, ok := meaning(m.Data); ok {
				a.RTT = stamp(oob[:oobn], now).Sub(o.sent)
				return a, true, true
			}
		}
	}
	return Answer{}, false, true
}

// meaning reads a struct sock_extended_err and the address of the offender behind it.
func meaning(b []byte) (Answer, bool) {
	errno, origin, kind, code, info := unix.Errno(binary.NativeEndian.Uint32(b)), b[4], b[5], b[6], int(binary.NativeEndian.Uint32(b[8:]))
	from := offender(b[16:])
	switch origin {
	case originLocal:
		if errno == unix.EMSGSIZE {
			return Answer{Outcome: TooBig, MTU: info}, true
		}
		return Answer{Outcome: Unreachable, Reason: errno.Error()}, true
	case originICMP: // RFC 792, RFC 1191, RFC 1812 5.2.7
		switch {
		case kind == 11:
			return Answer{Outcome: TimeExceeded, From: from}, true
		case kind == 3 && code == 4:
			return Answer{Outcome: TooBig, From: from, MTU: info}, true
		case kind == 3:
			return Answer{Outcome: Unreachable, From: from, Reason: reason(unreachable4, code)}, true
		}
	case originICMP6: // RFC 4443
		switch kind {
		case 1:
			return Answer{Outcome: Unreachable, From: from, Reason: reason(unreachable6, code)}, true
		case 2:
			return Answer{Outcome: TooBig, From: from, MTU: info}, true
		case 3:
			return Answer{Outcome: TimeExceeded, From: from}, true
		}
	}
	return Answer{}, false
}

var (
	unreachable4 = map[byte]string{0: "net unreachable", 1: "host unreachable", 2: "protocol unreachable", 3: "port unreachable", 5: "source route failed",
		9: "net prohibited", 10: "host prohibited", 13: "administratively prohibited"}
	unreachable6 = map[byte]string{0: "no route", 1: "administratively prohibited", 2: "beyond the source's scope", 3: "address unreachable", 4: "port unreachable",
		5: "source address refused", 6: "route rejected"}
)

func reason(of map[byte]string, code byte) string {
	if text, ok := of[code]; ok {
		return text
	}
	return fmt.Sprintf("unreachable, code %d", code)
}

// offender reads the address of who sent an ICMP error, a sockaddr.
func offender(b []byte) netip.Addr {
	switch {
	case len(b) >= unix.SizeofSockaddrInet4 && binary.NativeEndian.Uint16(b) == unix.AF_INET:
		return netip.AddrFrom4([4]byte(b[4:8]))
	case len(b) >= 24 && binary.NativeEndian.Uint16(b) == unix.AF_INET6:
		return netip.AddrFrom16([16]byte(b[8:24]))
	}
	return netip.Addr{}
}
