package wire

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// Hello is what our OPEN says (RFC 4271 4.2), with route refresh, messages of 65,535 octets and AS numbers of four octets always.
type Hello struct {
	ASN      uint32
	HoldTime uint16 // seconds
	ID       netip.Addr
	Families []Family
	Role     Role
	Restart  *Restart // nil: no graceful restart
}

// Restart is what an OPEN says of graceful restart (RFC 4724 3), for all families.
type Restart struct {
	Restarting   bool     // the R bit
	Notification bool     // the N bit, RFC 8538
	Time         uint16   // seconds, 4095 at most
	Forwarding   []Family // those with the F bit
	LongLived    uint32   // seconds, below 2^24; 0: without RFC 9494
}

// Encode is the whole message.
func (h *Hello) Encode() []byte {
	as := h.ASN
	if as > 0xffff {
		as = ASTrans
	}
	body := binary.BigEndian.AppendUint16([]byte{4}, uint16(as))
	body = binary.BigEndian.AppendUint16(body, h.HoldTime)
	id := h.ID.As4()
	body = append(body, id[:]...)
	capabilities := h.capabilities()
	return Frame(Open, append(append(body, byte(2+len(capabilities)), 2, byte(len(capabilities))), capabilities...))
}

// capabilities are below 100 octets, with the three families that there are.
func (h *Hello) capabilities() (b []byte) {
	add := func(code byte, value []byte) { b = append(append(b, code, byte(len(value))), value...) }
	for _, f := range h.Families {
		add(capMP, []byte{byte(f.AFI >> 8), byte(f.AFI), 0, f.SAFI})
	}
	add(capRefresh, nil)
	for _, f := range h.Families {
		if f == IPv4 { // RFC 8950 4: its next hop may be an IPv6 address
			add(capNextHop, []byte{0, 1, 0, 1, 0, 2})
		}
	}
	add(capExtended, nil)
	if h.Role != 0 {
		add(capRole, []byte{byte(h.Role) - 1})
	}
	add(capAS4, binary.BigEndian.AppendUint32(nil, h.ASN))
	if r := h.Restart; r != nil {
		add(capGR, r.graceful(h.Families))
		if r.LongLived > 0 {
			add(capLongLived, r.longLived(h.Families))
		}
	}
	return b
}

func (r *Restart) graceful(families []Family) []byte {
	flags := r.Time & 0xfff
	if r.Restarting {
		flags |= 0x8000
	}
	if r.Notification {
		flags |= 0x4000
	}
	b := binary.BigEndian.AppendUint16(nil, flags)
	for _, f := range families {
		b = append(binary.BigEndian.AppendUint16(b, f.AFI), f.SAFI, r.forwarding(f))
	}
	return b
}

func (r *Restart) longLived(families []Family) (b []byte) {
	for _, f := range families {
		b = append(binary.BigEndian.AppendUint16(b, f.AFI), f.SAFI, r.forwarding(f), byte(r.LongLived>>16), byte(r.LongLived>>8), byte(r.LongLived))
	}
	return b
}

// forwarding is a family's flags.
func (r *Restart) forwarding(f Family) byte {
	if slices.Contains(r.Forwarding, f) {
		return 0x80
	}
	return 0
}
