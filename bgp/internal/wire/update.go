package wire

import (
	"encoding/binary"
	"slices"
)

// update is an UPDATE that is being judged.
type update struct {
	s               *Session
	withdrawn, nlri []byte
	attrs           []byte

	seen           [4]uint64
	kept           []attribute // in order, each type once
	reach, unreach *mp
	stripped       bool // something is not handed on
	foreign        bool // routes are announced of a family that the session does not have
	worst          Verdict
}

type attribute struct {
	typ   byte
	whole []byte // with its header
}

// Update judges the body of an UPDATE (RFC 4271 6.3, RFC 7606). out is what is to be handed on: whole messages, one or two; nil when body can
// be handed on as it is. Flags that a receiver ignores are cleared in the body.
func (s *Session) Update(body []byte) (out []byte, v Verdict) {
	var room [16]attribute
	u := update{s: s, kept: room[:0]}
	if v := u.split(body); v.Action == Reset {
		return nil, v
	}
	if v := u.fields(); v.Action == Reset {
		return nil, v
	}
	if v := u.walk(); v.Action == Reset {
		return nil, v
	}
	if v := u.complete(); v.Action == Reset {
		return nil, v
	}
	return u.result()
}

// split finds the three fields: RFC 7606 3 b.
func (u *update) split(b []byte) Verdict {
	w := int(binary.BigEndian.Uint16(b))
	if 4+w > len(b) {
		return reset(updateError, 1, nil, "withdrawn routes of length %d in %d octets", w, len(b))
	}
	a := int(binary.BigEndian.Uint16(b[2+w:]))
	if 4+w+a > len(b) {
		return reset(updateError, 1, nil, "path attributes of length %d in %d octets", a, len(b))
	}
	u.withdrawn, u.attrs, u.nlri = b[2:2+w], b[4+w:4+w+a], b[4+w+a:]
	return Verdict{}
}

// fields judges the routes outside of the attributes: RFC 7606 3 i, 5.3. On a session without IPv4 they are ignored, and so is the End-of-RIB of IPv4.
func (u *update) fields() Verdict {
	switch {
	case !IPv4.valid(u.withdrawn) || !IPv4.valid(u.nlri):
		return reset(updateError, 10, nil, "malformed prefix")
	case u.s.Has(IPv4):
	case len(u.withdrawn)+len(u.nlri) > 0:
		u.foreign = len(u.nlri) > 0
		u.withdrawn, u.nlri, u.stripped = nil, nil, true
		u.note(Verdict{Action: Discard, Why: "IPv4 routes on a session without"})
	case len(u.attrs) == 0:
		u.stripped = true
		u.note(Verdict{Action: Discard, Why: "End-of-RIB of IPv4 on a session without"})
	}
	return Verdict{}
}

// note keeps the strongest verdict (RFC 7606 3 h), and of equal ones the first.
func (u *update) note(v Verdict) {
	if v.Action > u.worst.Action {
		u.worst = v
	}
}

// walk goes through the attributes. One that does not fit into the rest ends the walk: RFC 7606 4.
func (u *update) walk() Verdict {
	for rest := u.attrs; len(rest) > 0; {
		n, value := cut(rest)
		if n > len(rest) {
			if len(rest) > 1 && (rest[1] == mpReach || rest[1] == mpUnreach) { // its routes are not to be found: RFC 7606 3 j
				return reset(updateError, 9, rest, "attribute %d is cut off", rest[1])
			}
			u.note(Verdict{Withdraw, updateError, 5, nil, "path attributes are cut off"})
			return Verdict{}
		}
		if v := u.attribute(rest[:n], rest[value:n]); v.Action == Reset {
			return v
		}
		rest = rest[n:]
	}
	return Verdict{}
}

// cut is the whole length of the first attribute, and where its value begins.
func cut(b []byte) (n, value int) {
	switch {
	case len(b) < 3:
		return 3, 3
	case b[0]&extendedLength == 0:
		return 3 + int(b[2]), 3
	case len(b) < 4:
		return 4, 4
	}
	return 4 + int(binary.BigEndian.Uint16(b[2:])), 4
}

// attribute judges one.
func (u *update) attribute(whole, value []byte) Verdict {
	typ := whole[1]
	if u.seen[typ/64]&(1<<(typ%64)) != 0 { // RFC 7606 3 g
		if typ == mpReach || typ == mpUnreach {
			return reset(updateError, 1, nil, "attribute %d twice", typ)
		}
		u.stripped = true
		u.note(Verdict{Action: Discard, Why: "attribute twice"})
		return Verdict{}
	}
	u.seen[typ/64] |= 1 << (typ % 64)
	if typ == mpReach || typ == mpUnreach {
		return u.mp(whole, value)
	}
	r := ruleOf(typ)
	if r == nil {
		u.stripped = true
		if whole[0]&optional == 0 { // RFC 4271 6.3
			return reset(updateError, 2, whole, "well-known attribute %d is unknown", typ)
		}
		return Verdict{}
	}
	u.known(r, whole, value)
	return Verdict{}
}

// known judges an attribute that has a rule, and keeps it if it is of use.
func (u *update) known(r *rule, whole, value []byte) {
	keep := r.keep || r.evpn && u.s.Has(EVPN)
	switch {
	case whole[1] == aigp && whole[0]&transitive != 0: // RFC 7311 3.2
		u.note(Verdict{Discard, updateError, 4, whole, "attribute flags"})
	case whole[0]&(optional|transitive) != r.flags: // RFC 7606 3 c
		u.note(Verdict{Withdraw, updateError, 4, whole, "attribute flags"})
	case r.internal && !u.s.IBGP:
		keep = false
		u.note(Verdict{Action: Discard, Why: "attribute of internal peers"})
	case r.malformed(u.s, value):
		keep = false
		u.note(Verdict{r.action, updateError, r.subcode, whole, "malformed attribute"})
	}
	if !keep {
		u.stripped = true
		return
	}
	whole[0] &= optional | transitive | extendedLength // RFC 4271 4.3: ignored; so is Partial where it says nothing to us
	u.kept = append(u.kept, attribute{whole[1], whole})
}

func (u *update) has(typ byte) bool {
	return slices.ContainsFunc(u.kept, func(a attribute) bool { return a.typ == typ })
}

// complete looks for mandatory attributes (RFC 7606 3 d, RFC 4760 3), and ends the session where something is wrong and no route is announced: whether
// all were found is not to be known then (5.2).
func (u *update) complete() Verdict {
	if (len(u.nlri) > 0 || u.reach != nil) && u.worst.Action < Withdraw {
		for _, typ := range []byte{origin, asPath, nextHop} {
			if !u.has(typ) && (typ != nextHop || len(u.nlri) > 0) {
				u.note(Verdict{Withdraw, updateError, 3, []byte{typ}, "mandatory attribute is missing"})
			}
		}
	}
	announced := len(u.nlri) > 0 || u.reach != nil && len(u.reach.nlri) > 0 || u.foreign
	if u.worst.Action == Withdraw && !announced {
		v := u.worst
		v.Action = Reset
		return v
	}
	return Verdict{}
}
