package fib

import (
	"encoding/binary"
	"iter"
	"net/netip"
)

// entry is what a Table remembers of one route: the index of its nexthop group (0: a shape that is not ours) and flags.
// The prefix and the entry together take 16 bytes for IPv4 and 24 for IPv6, before the map's slack, and hold no pointer.
type entry uint32

const (
	indexMask = 1<<24 - 1
	staleFlag = entry(1) << 31 // read by Adopt and not asked for since
	seenFlag  = entry(1) << 30 // found by the scan under way
)

func (e entry) index() uint32 { return uint32(e) & indexMask }
func (e entry) stale() bool   { return e&staleFlag != 0 }
func (e entry) seen() bool    { return e&seenFlag != 0 }

type key6 struct {
	addr [16]byte
	bits uint8
}

// store maps prefixes to entries.
type store struct {
	v4 map[uint64]entry // address, then length
	v6 map[key6]entry
}

func newStore() store { return store{v4: map[uint64]entry{}, v6: map[key6]entry{}} }

func key4(p netip.Prefix) uint64 {
	a := p.Addr().As4()
	return uint64(binary.BigEndian.Uint32(a[:]))<<8 | uint64(p.Bits())
}

func prefix4(k uint64) netip.Prefix {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], uint32(k>>8))
	return netip.PrefixFrom(netip.AddrFrom4(a), int(k&0xff))
}

func (k key6) prefix() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom16(k.addr), int(k.bits)) }

func (s *store) get(p netip.Prefix) (entry, bool) {
	if p.Addr().Is4() {
		e, ok := s.v4[key4(p)]
		return e, ok
	}
	e, ok := s.v6[key6{p.Addr().As16(), uint8(p.Bits())}]
	return e, ok
}

func (s *store) set(p netip.Prefix, e entry) {
	if p.Addr().Is4() {
		s.v4[key4(p)] = e
		return
	}
	s.v6[key6{p.Addr().As16(), uint8(p.Bits())}] = e
}

func (s *store) delete(p netip.Prefix) {
	if p.Addr().Is4() {
		delete(s.v4, key4(p))
		return
	}
	delete(s.v6, key6{p.Addr().As16(), uint8(p.Bits())})
}

// all yields every entry, IPv4 first, else unordered. Entries met may be set or deleted meanwhile.
func (s *store) all() iter.Seq2[netip.Prefix, entry] {
	return func(yield func(netip.Prefix, entry) bool) {
		for k, e := range s.v4 {
			if !yield(prefix4(k), e) {
				return
			}
		}
		for k, e := range s.v6 {
			if !yield(k.prefix(), e) {
				return
			}
		}
	}
}

// unsee clears seenFlag everywhere, before a scan.
func (s *store) unsee() {
	for k, e := range s.v4 {
		if e.seen() {
			s.v4[k] = e &^ seenFlag
		}
	}
	for k, e := range s.v6 {
		if e.seen() {
			s.v6[k] = e &^ seenFlag
		}
	}
}
