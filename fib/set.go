package fib

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"weak"
)

// MaxPaths is how many gateways each half of a Set may have.
const MaxPaths = 16

// NextHop is a gateway on a device. Gateway may be IPv6 for IPv4 routes (RFC 8950), and ::ffff:a.b.c.d, kept
// mapped, for IPv6 routes over an IPv4 VTEP. Zones are dropped: Device says it.
type NextHop struct {
	Gateway netip.Addr
	Device  int  // interface index
	OnLink  bool // the gateway need not be covered by an address of the device
	// Weight is the primary's share of the traffic beside the others of its Set: 0 to 256, 0 means 1. In a backup, and as the name of a
	// gateway (Fail, Restore), it means nothing.
	Weight uint16
}

// String writes the next hop as iproute2 would, with the device's index.
func (n NextHop) String() string {
	s := fmt.Sprintf("via %s dev %d", n.Gateway, n.Device)
	if n.Weight > 1 {
		s += fmt.Sprintf(" weight %d", n.Weight)
	}
	if n.OnLink {
		s += " onlink"
	}
	return s
}

// bare is the gateway alone, as its object is.
func (n NextHop) bare() NextHop {
	n.Weight = 0
	return n
}

func (n NextHop) valid() bool {
	return n.Gateway.IsValid() && !n.Gateway.IsUnspecified() && !n.Gateway.IsMulticast() && n.Device > 0
}

func compareNextHops(a, b NextHop) int {
	return cmp.Or(a.Gateway.Compare(b.Gateway), cmp.Compare(a.Device, b.Device), cmp.Compare(boolByte(a.OnLink), boolByte(b.OnLink)),
		cmp.Compare(b.Weight, a.Weight))
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// Set is an unordered set of primary next hops that share the traffic, and of backups that share it when no primary
// lives. Sets are made by [FIB.Set], immutable, and equal exactly if their pointers are, as long as one is held.
type Set struct {
	primary, backup []NextHop
	plain, beside   []uint8 // weights of the primaries on the wire, in their order: in a plain group, and in one that has buckets
	only6           bool    // fit for IPv6 routes: no IPv4 gateway in it
	group           *group  // its living group in the kernel; guarded by FIB.mu
}

// Primary returns the primary next hops in canonical order. Their weights have no common divisor, and are 0 where all are equal. The slice is not to be changed.
func (s *Set) Primary() []NextHop { return s.primary }

// Backup returns the backup next hops in canonical order. The slice is not to be changed.
func (s *Set) Backup() []NextHop { return s.backup }

func (s *Set) String() string {
	var b strings.Builder
	for i, n := range s.primary {
		if i > 0 {
			b.WriteString(" | ")
		}
		b.WriteString(n.String())
	}
	for i, n := range s.backup {
		if i == 0 {
			b.WriteString(" else ")
		} else {
			b.WriteString(" | ")
		}
		b.WriteString(n.String())
	}
	return b.String()
}

// Set returns the one Set of these next hops. Order, repetition and a common factor of the weights do not matter: of repetitions the greatest
// weight counts. A backup that is also a primary is left
// out. It writes nothing to the kernel: objects come with the first route and go with the last.
func (f *FIB) Set(primary, backup []NextHop) (*Set, error) {
	p, errP := canonical(primary)
	b, errB := canonical(backup)
	reduce(p)
	for i := range b {
		b[i].Weight = 0
	}
	if err := errors.Join(errP, errB); err != nil {
		return nil, fmt.Errorf("fib: %w", err)
	}
	b = slices.DeleteFunc(b, func(n NextHop) bool { return slices.ContainsFunc(p, n.same) })
	if len(p) == 0 || len(p) > MaxPaths || len(b) > MaxPaths {
		return nil, fmt.Errorf("fib: set of %d primaries and %d backups: legal: 1 to %d and 0 to %d", len(p), len(b), MaxPaths, MaxPaths)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.obj.intern(p, b), nil
}

// canonical sorts next hops and drops repetitions and zones.
func canonical(in []NextHop) ([]NextHop, error) {
	out := make([]NextHop, 0, len(in))
	for _, n := range in {
		n.Gateway = n.Gateway.WithZone("")
		if !n.valid() {
			return nil, fmt.Errorf("next hop %s: a unicast gateway and a device index are needed", n)
		}
		if n.Weight > MaxWeight {
			return nil, fmt.Errorf("next hop %s: weight: legal: 0 to %d", n, MaxWeight)
		}
		out = append(out, n)
	}
	slices.SortFunc(out, compareNextHops)
	return slices.CompactFunc(out, NextHop.same), nil
}

func (n NextHop) same(o NextHop) bool { return n.bare() == o.bare() }

// sets interns Sets without keeping alive what nobody uses.
type sets struct {
	byKey map[string]weak.Pointer[Set]
	prune int // size at which dead entries are swept out
	key   []byte
}

func (s *sets) intern(primary, backup []NextHop) *Set {
	s.key = appendKey(appendKey(s.key[:0], primary), backup)
	if set := s.byKey[string(s.key)].Value(); set != nil {
		return set
	}
	set := &Set{primary: primary, backup: backup, only6: true, plain: shares(primary, false), beside: shares(primary, true)}
	for _, n := range slices.Concat(primary, backup) {
		set.only6 = set.only6 && n.Gateway.Is6()
	}
	if len(s.byKey) >= s.prune {
		for k, w := range s.byKey {
			if w.Value() == nil {
				delete(s.byKey, k)
			}
		}
		s.prune = max(64, 2*len(s.byKey))
	}
	s.byKey[string(s.key)] = weak.Make(set)
	return set
}

func appendKey(b []byte, nhs []NextHop) []byte {
	b = append(b, byte(len(nhs)))
	for _, n := range nhs {
		a := n.Gateway.As16()
		b = append(append(b, a[:]...), boolByte(n.OnLink), boolByte(n.Gateway.Is4()))
		b = binary.NativeEndian.AppendUint32(b, uint32(n.Device))
		b = binary.NativeEndian.AppendUint16(b, n.Weight)
	}
	return b
}
