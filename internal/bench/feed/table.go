package feed

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
)

// Group is the prefixes of one UPDATE and what they share.
type Group struct {
	Prefixes    []netip.Prefix
	Path        []uint32 // behind the peer's own AS
	Communities []uint32
}

// Table is a routing table as a peer announces it.
type Table struct {
	Groups []Group
	n      int
}

// maxGroup is the most prefixes of one attribute set.
const maxGroup = 12

// lengths is how often each prefix length occurs, per thousand, near to what the internet's table has.
var lengths = []struct{ bits, share int }{
	{24, 600}, {23, 100}, {22, 115}, {21, 50}, {20, 45}, {19, 35}, {18, 20}, {17, 12}, {16, 23},
}

// New makes a table of n distinct prefixes, the same for the same n and seed: mixed lengths, in random order,
// nested ones among them, 1 to 12 prefixes to an attribute set. The first and the last prefix are /24, see Probes.
func New(n int, seed uint64) *Table { return Several(1, n, seed)[0] }

// Several makes tables of n prefixes each that have no prefix in common, each as New makes one.
func Several(tables, n int, seed uint64) []*Table {
	r := rand.New(rand.NewPCG(seed, 0x6f70656e766272))
	seen := make(map[netip.Prefix]struct{}, tables*n)
	out := make([]*Table, tables)
	for i := range out {
		out[i] = draw(r, seen, n)
	}
	return out
}

func draw(r *rand.Rand, seen map[netip.Prefix]struct{}, n int) *Table {
	t := &Table{n: n}
	for left := n; left > 0; {
		g := Group{Path: path(r), Communities: communities(r)}
		for range min(1+r.IntN(maxGroup), left) {
			bits := bits(r)
			if left == n || left == 1 {
				bits = 24
			}
			g.Prefixes = append(g.Prefixes, fresh(r, seen, bits))
			left--
		}
		t.Groups = append(t.Groups, g)
	}
	return t
}

func bits(r *rand.Rand) int {
	x := r.IntN(1000)
	for _, l := range lengths {
		if x -= l.share; x < 0 {
			return l.bits
		}
	}
	return 24
}

// fresh draws a prefix that was not drawn before. When a length is used up it takes the next longer one.
func fresh(r *rand.Rand, seen map[netip.Prefix]struct{}, bits int) netip.Prefix {
	for tries := 0; ; tries++ {
		if tries > 100 && bits < 24 {
			bits, tries = bits+1, 0
		}
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], r.Uint32())
		p := netip.PrefixFrom(netip.AddrFrom4(b), bits).Masked()
		if _, dup := seen[p]; dup || !usable(b[0], b[1]) {
			continue
		}
		seen[p] = struct{}{}
		return p
	}
}

// usable keeps to global unicast space, which no daemon refuses and no link of the benchmark uses.
func usable(a, b byte) bool {
	switch {
	case a == 0, a == 10, a == 127, a >= 224:
	case a == 100 && b >= 64 && b < 128, a == 169 && b == 254, a == 172 && b >= 16 && b < 32, a == 192 && (b == 168 || b == 0), a == 198 && (b == 18 || b == 19):
	default:
		return true
	}
	return false
}

// path draws 1 to 5 public ASes.
func path(r *rand.Rand) []uint32 {
	p := make([]uint32, 1+r.IntN(5))
	for i := range p {
		if r.IntN(4) == 0 {
			p[i] = 196608 + uint32(r.IntN(200000)) // 32-bit
		} else {
			p[i] = 1 + uint32(r.IntN(23000))
		}
	}
	return p
}

func communities(r *rand.Rand) []uint32 {
	c := make([]uint32, r.IntN(5))
	for i := range c {
		c[i] = (1+uint32(r.IntN(23000)))<<16 | uint32(r.IntN(1<<16))
	}
	return c
}

// Len is the number of prefixes.
func (t *Table) Len() int { return t.n }

// Prefixes lists all prefixes in the order of announcement.
func (t *Table) Prefixes() []netip.Prefix {
	out := make([]netip.Prefix, 0, t.n)
	for i := range t.Groups {
		out = append(out, t.Groups[i].Prefixes...)
	}
	return out
}

// Probes returns up to n of the table's /24s, evenly spread over the order of announcement, the last of the table at
// the end. No longer prefix exists, so that any address of such a prefix is routed by it and nothing else.
func (t *Table) Probes(n int) []netip.Prefix {
	var all []netip.Prefix
	for _, p := range t.Prefixes() {
		if p.Bits() == 24 {
			all = append(all, p)
		}
	}
	if n >= len(all) {
		return all
	}
	out := make([]netip.Prefix, n)
	for i := range out {
		out[i] = all[(i+1)*len(all)/n-1]
	}
	return out
}
