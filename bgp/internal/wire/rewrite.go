package wire

import "encoding/binary"

// result is what is handed on.
func (u *update) result() ([]byte, Verdict) {
	if u.has(as4Aggregator) && !u.has(aggregator) { // RFC 6793 4.2.3: nothing to complete
		u.drop(as4Aggregator)
	}
	switch {
	case u.worst.Action == Withdraw:
		return u.withdrawal()
	case !u.stripped:
		return nil, u.worst
	}
	var attrs []byte
	for _, a := range u.kept {
		attrs = append(attrs, a.whole...)
	}
	// What is left must not become what it was not: an End-of-RIB (RFC 4724 2).
	if len(u.withdrawn)+len(u.nlri) == 0 && (len(u.kept) == 0 || len(u.kept) == 1 && u.unreach != nil && len(u.unreach.nlri) == 0) {
		return u.nothing()
	}
	return message(u.withdrawn, attrs, u.nlri), u.worst
}

func (u *update) nothing() ([]byte, Verdict) {
	u.worst.Action = Ignore
	return nil, u.worst
}

func (u *update) drop(typ byte) {
	u.stripped = true
	for i, a := range u.kept {
		if a.typ == typ {
			u.kept = append(u.kept[:i], u.kept[i+1:]...)
			return
		}
	}
}

// withdrawal is the UPDATE with all its routes withdrawn (RFC 7606 2). Routes of two families in MP_REACH_NLRI and MP_UNREACH_NLRI need two
// messages, since neither attribute may come twice. None is longer than the UPDATE was.
func (u *update) withdrawal() ([]byte, Verdict) {
	withdrawn := append(append([]byte(nil), u.withdrawn...), u.nlri...)
	var first, second []byte
	if u.reach != nil {
		first = unreachOf(u.reach.family, u.reach.nlri)
	}
	if u.unreach != nil {
		switch {
		case u.reach == nil:
			first = unreachOf(u.unreach.family, u.unreach.nlri)
		case u.reach.family == u.unreach.family:
			first = unreachOf(u.reach.family, u.reach.nlri, u.unreach.nlri)
		default:
			second = unreachOf(u.unreach.family, u.unreach.nlri)
		}
	}
	var out []byte
	if len(withdrawn)+len(first) > 0 {
		out = message(withdrawn, first, nil)
	}
	if second != nil {
		out = append(out, message(nil, second, nil)...)
	}
	if out == nil {
		return u.nothing()
	}
	return out, u.worst
}

// unreachOf is MP_UNREACH_NLRI, or nothing for no routes: that would be an End-of-RIB.
func unreachOf(f Family, nlri ...[]byte) []byte {
	n := 0
	for _, l := range nlri {
		n += len(l)
	}
	if n == 0 {
		return nil
	}
	b := []byte{optional, mpUnreach, byte(n + 3)}
	if n+3 > 255 {
		b = binary.BigEndian.AppendUint16([]byte{optional | extendedLength, mpUnreach}, uint16(n+3))
	}
	b = append(binary.BigEndian.AppendUint16(b, f.AFI), f.SAFI)
	for _, l := range nlri {
		b = append(b, l...)
	}
	return b
}

func message(withdrawn, attrs, nlri []byte) []byte {
	b := make([]byte, 0, 4+len(withdrawn)+len(attrs)+len(nlri))
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(withdrawn))), withdrawn...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(attrs))), attrs...)
	return Frame(Update, append(b, nlri...))
}
