package feed

import (
	"encoding/binary"
	"net/netip"
)

// BGP messages (RFC 4271 4).
const (
	msgOpen         = 1
	msgUpdate       = 2
	msgNotification = 3
	msgKeepalive    = 4

	headerLen = 19
	maxLen    = 4096
)

// Updates encodes the table as a peer with this AS and next hop announces it, one UPDATE a group. Its own AS stands in the
// path 1+prepend times.
func (t *Table) Updates(asn uint32, nextHop netip.Addr, prepend int) []byte {
	out := make([]byte, 0, 24*t.n)
	for i := range t.Groups {
		g := &t.Groups[i]
		var own []uint32
		for range 1 + prepend {
			own = append(own, asn)
		}
		var attrs []byte
		attrs = append(attrs, 0x40, 1, 1, 0) // ORIGIN IGP
		attrs = appendPath(attrs, append(own, g.Path...))
		attrs = append(attrs, 0x40, 3, 4) // NEXT_HOP
		attrs = append(attrs, nextHop.AsSlice()...)
		if len(g.Communities) > 0 { // RFC 1997
			attrs = append(attrs, 0xc0, 8, byte(4*len(g.Communities)))
			for _, c := range g.Communities {
				attrs = binary.BigEndian.AppendUint32(attrs, c)
			}
		}
		var nlri []byte
		for _, p := range g.Prefixes {
			nlri = appendPrefix(nlri, p)
		}
		out = appendUpdate(out, nil, attrs, nlri)
	}
	return out
}

// appendPath appends an AS_PATH of four-octet ASes (RFC 6793).
func appendPath(b []byte, asns []uint32) []byte {
	b = append(b, 0x40, 2, byte(2+4*len(asns)), 2, byte(len(asns)))
	for _, a := range asns {
		b = binary.BigEndian.AppendUint32(b, a)
	}
	return b
}

// Withdrawals encodes the withdrawal of all prefixes in the order of their announcement, as many to a message as fit.
func (t *Table) Withdrawals() []byte {
	const room = maxLen - headerLen - 4
	var out, list []byte
	for _, p := range t.Prefixes() {
		if len(list)+5 > room {
			out = appendUpdate(out, list, nil, nil)
			list = list[:0]
		}
		list = appendPrefix(list, p)
	}
	return appendUpdate(out, list, nil, nil)
}

// EndOfRIB is the marker of RFC 4724 2 for IPv4 unicast.
func EndOfRIB() []byte { return appendUpdate(nil, nil, nil, nil) }

func appendPrefix(b []byte, p netip.Prefix) []byte {
	b = append(b, byte(p.Bits()))
	return append(b, p.Addr().AsSlice()[:(p.Bits()+7)/8]...)
}

func appendUpdate(b, withdrawn, attrs, nlri []byte) []byte {
	b = appendHeader(b, msgUpdate, 4+len(withdrawn)+len(attrs)+len(nlri))
	b = binary.BigEndian.AppendUint16(b, uint16(len(withdrawn)))
	b = append(b, withdrawn...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(attrs)))
	b = append(b, attrs...)
	return append(b, nlri...)
}

func appendHeader(b []byte, typ byte, body int) []byte {
	for range 16 {
		b = append(b, 0xff)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(headerLen+body))
	return append(b, typ)
}

// open is an OPEN for IPv4 unicast with four-octet ASes and, on purpose, no graceful restart: a lost session drops its routes.
func open(asn uint32, id netip.Addr, hold uint16) []byte {
	caps := []byte{1, 4, 0, 1, 0, 1} // multiprotocol, RFC 4760
	caps = append(caps, 2, 0)        // route refresh, RFC 2918
	caps = append(caps, 65, 4)       // four-octet AS, RFC 6793
	caps = binary.BigEndian.AppendUint32(caps, asn)
	two := uint16(23456) // AS_TRANS
	if asn < 1<<16 {
		two = uint16(asn)
	}
	body := []byte{4}
	body = binary.BigEndian.AppendUint16(body, two)
	body = binary.BigEndian.AppendUint16(body, hold)
	body = append(body, id.AsSlice()...)
	body = append(body, byte(2+len(caps)), 2, byte(len(caps)))
	body = append(body, caps...)
	return append(appendHeader(nil, msgOpen, len(body)), body...)
}
