package rib

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/openvbr/openvbr/vbr/policy"
)

// shared is one source's copy of one attribute set, with what can be judged of it before
// any prefix is known. Paths refer to it by number; the last to go takes it along.
type shared struct {
	Attrs
	from    *origin // of attributes that the import policy changed; nil: Attrs are as they were received
	source  *source
	only    *Hops   // the Hops of a prefix with this single path, once asked for
	id      uint32  // its number in Table.sets
	refs    int32   // paths, and what Changes and Confirm remember
	verdict Verdict // of the attributes alone
	last    bool    // it serves where there is no other: it is stale for long (RFC 9494 4.3)
}

// digest stands for an attribute set among those of a source: the first half of SHA-256 of its encoding, so that
// no peer can make two alike.
type digest [16]byte

func (t *Table) digest(a *Attrs, changed policy.Mask) digest {
	t.scratch = a.encode(t.scratch[:0])
	if changed != (policy.Mask{}) {
		t.scratch = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(t.scratch, changed[0]), changed[1])
	}
	sum := sha256.Sum256(t.scratch)
	return digest(sum[:16])
}

// share returns the source's copy of a as the import policy has changed it, made and judged if it is new.
func (t *Table) share(s *source, a *Attrs, changed policy.Mask) *shared {
	d := t.digest(a, changed)
	if id, ok := s.attrs[d]; ok {
		return t.sets.get(id)
	}
	sh := &shared{Attrs: *a, source: s, verdict: t.judgeAttrs(s, a)}
	if changed != (policy.Mask{}) {
		sh.Attrs = s.changed(a, changed)
		sh.from = &origin{*a, changed}
	}
	sh.last = slices.Contains(a.Communities, LLGRStale)
	sh.id = t.sets.add(sh)
	s.attrs[d] = sh.id
	return sh
}

func (sh *shared) acquire() *shared {
	sh.refs++
	return sh
}

func (t *Table) release(sh *shared) {
	if sh == nil {
		return
	}
	sh.refs--
	if sh.refs > 0 {
		return
	}
	delete(sh.source.attrs, t.digest(sh.received(), sh.changed()))
	t.sets.remove(sh.id)
	t.releaseHops(sh.only)
	sh.only = nil
}

// number is the set's number, 0 for nil.
func (sh *shared) number() uint32 {
	if sh == nil {
		return 0
	}
	return sh.id
}

// hop is the kernel next hop of an accepted path.
func (sh *shared) hop() NextHop {
	return NextHop{Gateway: sh.NextHop, Device: sh.source.Device, OnLink: sh.source.OnLink, Weight: sh.Weight}
}

// soundsLike says whether neighbours hear the same of two paths: all but the next hop, which is ours towards them. Not repeating it
// spares them work, and FRR 8.4's gateways, which drop a tunnel's neighbour entry when a type-5 route changes.
func (sh *shared) soundsLike(o *shared) bool {
	return sh.Origin == o.Origin &&
		sh.MED == o.MED && sh.HasMED == o.HasMED &&
		sh.LocalPref == o.LocalPref && sh.HasLocalPref == o.HasLocalPref &&
		slices.EqualFunc(sh.ASPath, o.ASPath, sameSegment) &&
		slices.Equal(sh.Communities, o.Communities) &&
		slices.Equal(sh.LargeCommunities, o.LargeCommunities)
}

func sameSegment(s, o Segment) bool { return s.Type == o.Type && slices.Equal(s.ASNs, o.ASNs) }

// encode appends an encoding in which different Attrs differ.
func (a *Attrs) encode(b []byte) []byte {
	nh := a.NextHop.As16()
	b = append(b, byte(a.NextHop.BitLen()))
	b = append(b, nh[:]...)
	b = append(b, a.Origin, boolByte(a.HasMED), boolByte(a.HasLocalPref), byte(a.Oversize.Verdict))
	b = binary.BigEndian.AppendUint32(b, uint32(a.Oversize.Had))
	b = binary.BigEndian.AppendUint16(b, a.Weight)
	b = binary.BigEndian.AppendUint16(b, a.Priority)
	b = binary.BigEndian.AppendUint32(b, a.OTC)
	b = binary.BigEndian.AppendUint32(b, a.MED)
	b = binary.BigEndian.AppendUint32(b, a.LocalPref)
	b = binary.BigEndian.AppendUint32(b, uint32(len(a.ASPath)))
	for _, s := range a.ASPath {
		b = append(b, byte(s.Type))
		b = appendUint32s(b, s.ASNs)
	}
	b = appendUint32s(b, a.Communities)
	for _, c := range a.LargeCommunities {
		b = binary.BigEndian.AppendUint32(b, c[0])
		b = binary.BigEndian.AppendUint32(b, c[1])
		b = binary.BigEndian.AppendUint32(b, c[2])
	}
	return b
}

func appendUint32s(b []byte, v []uint32) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
	for _, n := range v {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}
