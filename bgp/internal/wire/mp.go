package wire

import (
	"encoding/binary"
	"net/netip"
)

// mp is MP_REACH_NLRI or MP_UNREACH_NLRI of a family that the session has.
type mp struct {
	family Family
	whole  []byte
	nlri   []byte
}

// mp judges the two attributes whose routes must be found: what is wrong with them ends the session, RFC 7606 3 j, 5.3, 7.11, by RFC
// 4760 7. One of a family that the session does not have is ignored.
func (u *update) mp(whole, value []byte) Verdict {
	typ, bad := whole[1], func(why string) Verdict { return reset(updateError, 9, whole, "attribute %d: %s", whole[1], why) }
	if whole[0]&(optional|transitive) != optional {
		return bad("flags")
	}
	if len(value) < 3 || typ == mpReach && len(value) < 5 {
		return bad("too short")
	}
	m := &mp{Family{binary.BigEndian.Uint16(value), value[2]}, whole, value[3:]}
	if !u.s.Has(m.family) {
		u.stripped = true
		u.foreign = u.foreign || typ == mpReach && len(value) > 5+int(value[3])
		u.note(Verdict{Action: Discard, Why: "routes of a family that the session does not have"})
		return Verdict{}
	}
	if typ == mpReach {
		n := int(value[3])
		if !m.family.nextHopLen(n) || len(value) < 5+n {
			return bad("next hop")
		}
		m.nlri = value[5+n:]
		if a, _ := netip.AddrFromSlice(value[4 : 4+min(n, 16)]); !host(a, u.s.Loopback) {
			u.note(Verdict{Withdraw, updateError, 8, whole, "next hop is no host's address"})
		}
	}
	if !m.family.valid(m.nlri) {
		return bad("malformed routes")
	}
	whole[0] &= optional | transitive | extendedLength
	if typ == mpReach {
		u.reach = m
	} else {
		u.unreach = m
	}
	u.kept = append(u.kept, attribute{typ, whole})
	return Verdict{}
}
