package rib

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// NextHop is where packets go: a gateway on a device.
type NextHop struct {
	// Gateway is the neighbour's address. It is IPv4-mapped (::ffff:a.b.c.d) for an IPv6 prefix behind an IPv4 VTEP.
	Gateway netip.Addr
	// Device is the interface index.
	Device int
	// OnLink makes the kernel take the gateway as a neighbour though no subnet covers it (RTNH_F_ONLINK).
	OnLink bool
	// Weight is the share of the traffic beside the others of [Hops.Primary], 0 where all have the same or there are no others.
	Weight uint16
}

func (nh NextHop) compare(o NextHop) int {
	if c := nh.Gateway.Compare(o.Gateway); c != 0 {
		return c
	}
	if c := nh.Device - o.Device; c != 0 {
		return c
	}
	return int(o.Weight) - int(nh.Weight)
}

// same says whether two lead the same way, with whatever weights.
func (nh NextHop) same(o NextHop) bool {
	nh.Weight, o.Weight = 0, 0
	return nh == o
}

// Hops is what the kernel should do with packets to a prefix: spread them
// over Primary; when all of Primary fail, use Backup. Prefixes with the same
// choice share one *Hops, so equal choices are equal pointers. Treat it as read-only.
type Hops struct {
	Primary []NextHop
	Backup  []NextHop

	key  string
	id   uint32 // its number in Table.hops
	refs int
}

// number is the choice's number, 0 for nil.
func (h *Hops) number() uint32 {
	if h == nil {
		return 0
	}
	return h.id
}

// hopsOf returns the shared Hops of these paths, with a reference for the caller.
func (t *Table) hopsOf(primary, backup []candidate) *Hops {
	if len(primary) != 1 || len(backup) != 0 {
		return t.choose(primary, backup)
	}
	sh := primary[0].attrs
	if sh.only == nil {
		sh.only = t.choose(primary, nil)
	}
	sh.only.refs++
	return sh.only
}

func (t *Table) choose(primary, backup []candidate) *Hops {
	t.nextHops = appendHops(t.nextHops[:0], primary)
	n := len(t.nextHops)
	t.nextHops = appendHops(t.nextHops, backup)
	level(t.nextHops[:n], false)
	level(t.nextHops[n:], true)
	t.scratch = binary.BigEndian.AppendUint32(t.scratch[:0], uint32(n))
	for _, nh := range t.nextHops {
		gw := nh.Gateway.As16()
		t.scratch = append(t.scratch, byte(nh.Gateway.BitLen()), boolByte(nh.OnLink))
		t.scratch = append(t.scratch, gw[:]...)
		t.scratch = binary.BigEndian.AppendUint32(t.scratch, uint32(nh.Device))
		t.scratch = binary.BigEndian.AppendUint16(t.scratch, nh.Weight)
	}
	if h, ok := t.choices[string(t.scratch)]; ok {
		h.refs++
		return h
	}
	h := &Hops{key: string(t.scratch), refs: 1}
	h.Primary = slices.Clone(t.nextHops[:n])
	h.Backup = slices.Clone(t.nextHops[n:])
	h.id = t.hops.add(h)
	t.choices[h.key] = h
	return h
}

// level clears weights that say nothing: all are the same, or it is about backups.
func level(nhs []NextHop, always bool) {
	differ := func(nh NextHop) bool { return max(nh.Weight, 1) != max(nhs[0].Weight, 1) }
	if !always && slices.ContainsFunc(nhs, differ) {
		return
	}
	for i := range nhs {
		nhs[i].Weight = 0
	}
}

// appendHops appends the distinct next hops of paths, sorted. Where several lead the same way, the greatest weight counts.
func appendHops(nhs []NextHop, paths []candidate) []NextHop {
	start := len(nhs)
	for _, p := range paths {
		nhs = append(nhs, p.attrs.hop())
	}
	slices.SortFunc(nhs[start:], NextHop.compare)
	return append(nhs[:start], slices.CompactFunc(nhs[start:], NextHop.same)...)
}

func (t *Table) releaseHops(h *Hops) {
	if h == nil {
		return
	}
	h.refs--
	if h.refs == 0 {
		delete(t.choices, h.key)
		t.hops.remove(h.id)
	}
}
