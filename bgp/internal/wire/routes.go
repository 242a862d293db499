package wire

import (
	"encoding/binary"
	"net/netip"
)

// Attrs are the path attributes of announced prefixes. Nobody may change them: the prefixes of an UPDATE share them.
type Attrs struct {
	// NextHop is IPv6 for IPv6 prefixes, possibly IPv4-mapped, and for IPv4 prefixes under RFC 8950. It is as the peer sent it: on-link or not is the
	// user's to check. Of two addresses in MP_REACH_NLRI (RFC 2545 3) it is the first, the global one.
	NextHop       netip.Addr
	Origin        uint8 // 0 IGP, 1 EGP, 2 incomplete
	ASPath        []Segment
	MED           uint32 // valid with HasMED
	LocalPref     uint32 // valid with HasLocalPref; meaningless from an eBGP peer
	HasMED        bool
	HasLocalPref  bool
	AtomicAggr    bool
	Communities   []uint32    // RFC 1997
	LargeComms    [][3]uint32 // RFC 8092
	OriginatorID  netip.Addr  // RFC 4456; zero: none
	ClusterList   []netip.Addr
	OTC           uint32 // ONLY_TO_CUSTOMER, RFC 9234 5; 0: none
	AggregatorASN uint32 // 0: no AGGREGATOR
	Aggregator    netip.Addr
}

// Segment types of an AS path, RFC 4271 4.3 and RFC 5065 3.
const (
	ASSet          = 1
	ASSequence     = 2
	ConfedSequence = 3
	ConfedSet      = 4
)

// Segment is one segment of an AS path.
type Segment struct {
	Type uint8
	ASNs []uint32
}

// Routes are what an UPDATE says of prefixes that have one next hop.
type Routes struct {
	Attrs     *Attrs // nil when nothing is announced
	Announced []netip.Prefix
	Withdrawn []netip.Prefix
}

// Empty tells that there is nothing.
func (r *Routes) Empty() bool { return len(r.Announced)+len(r.Withdrawn) == 0 }

// Routes reads the body of an UPDATE of unicast routes that Update has judged and let through. classic are those outside of the attributes, mp those of
// MP_REACH_NLRI; all withdrawals are with the classic ones, unless only mp announces. The prefixes have no host bits set.
func (s *Session) Routes(body []byte) (classic, mp Routes) {
	u := update{s: s}
	if u.split(body).Action == Reset {
		return Routes{}, Routes{}
	}
	a, reach, unreach := s.attributes(u.attrs)
	if len(u.nlri) > 0 {
		classic.Attrs, classic.Announced = a, prefixList(u.nlri, false)
	}
	if len(reach) > 4 {
		n := int(reach[3])
		if mp.Announced = prefixList(reach[5+n:], reach[1] == 2); mp.Announced != nil {
			mp.Attrs = a
			if classic.Attrs != nil {
				own := *a
				mp.Attrs = &own
			}
			mp.Attrs.NextHop, _ = netip.AddrFromSlice(reach[4 : 4+min(n, 16)])
		}
	}
	withdrawn := prefixList(u.withdrawn, false)
	if len(unreach) > 3 {
		withdrawn = append(withdrawn, prefixList(unreach[3:], unreach[1] == 2)...)
	}
	if mp.Attrs != nil && classic.Attrs == nil { // nearly always one or the other
		mp.Withdrawn = withdrawn
	} else {
		classic.Withdrawn = withdrawn
	}
	return classic, mp
}

// EndOfRIB tells whether the body of an UPDATE is an End-of-RIB, and of which family (RFC 4724 2).
func EndOfRIB(body []byte) (Family, bool) {
	switch {
	case len(body) == 4 && binary.BigEndian.Uint32(body) == 0:
		return IPv4, true
	case len(body) < 4 || binary.BigEndian.Uint16(body) != 0:
		return Family{}, false
	}
	attrs := body[4:]
	n, value := cut(attrs)
	if n != len(attrs) || n != value+3 || attrs[1] != mpUnreach || int(binary.BigEndian.Uint16(body[2:])) != n {
		return Family{}, false
	}
	return Family{binary.BigEndian.Uint16(attrs[value:]), attrs[value+2]}, true
}

// prefixList reads prefixes (RFC 4271 4.3); nil for none.
func prefixList(b []byte, v6 bool) []netip.Prefix {
	if len(b) == 0 {
		return nil
	}
	count := 0
	for rest := b; len(rest) > 0; count++ {
		rest = rest[1+(int(rest[0])+7)/8:]
	}
	l := make([]netip.Prefix, 0, count)
	for len(b) > 0 {
		n := 1 + (int(b[0])+7)/8
		l = append(l, prefix(b[1:n], int(b[0]), v6))
		b = b[n:]
	}
	return l
}

func prefix(b []byte, bits int, v6 bool) netip.Prefix {
	var a netip.Addr
	if v6 {
		var x [16]byte
		copy(x[:], b)
		a = netip.AddrFrom16(x)
	} else {
		var x [4]byte
		copy(x[:], b)
		a = netip.AddrFrom4(x)
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// attributes reads all, and what MP_REACH_NLRI and MP_UNREACH_NLRI hold. Of two with one number the first counts (RFC 7606 3 g).
func (s *Session) attributes(rest []byte) (a *Attrs, reach, unreach []byte) {
	a = &Attrs{}
	var path4, aggregator4 []byte
	for len(rest) > 0 {
		n, value := cut(rest)
		if n > len(rest) {
			break
		}
		v := rest[value:n]
		switch rest[1] {
		case mpReach:
			reach = v
		case mpUnreach:
			unreach = v
		case as4Path:
			path4 = v
		case as4Aggregator:
			aggregator4 = v
		default:
			s.attribute(a, rest[1], v)
		}
		rest = rest[n:]
	}
	if !s.AS4 {
		a.widen(path4, aggregator4)
	}
	return a, reach, unreach
}

// attribute reads one.
func (s *Session) attribute(a *Attrs, typ byte, v []byte) {
	switch typ {
	case origin:
		a.Origin = v[0]
	case asPath:
		a.ASPath = segments(v, s.asSize())
	case nextHop:
		a.NextHop = netip.AddrFrom4([4]byte(v))
	case med:
		a.MED, a.HasMED = binary.BigEndian.Uint32(v), true
	case localPref:
		a.LocalPref, a.HasLocalPref = binary.BigEndian.Uint32(v), true
	case atomic:
		a.AtomicAggr = true
	case aggregator:
		n := s.asSize()
		a.AggregatorASN, a.Aggregator = number(v, n), netip.AddrFrom4([4]byte(v[n:]))
	case communities:
		a.Communities = numbers(v, 4)
	case originatorID:
		a.OriginatorID = netip.AddrFrom4([4]byte(v))
	case clusterList:
		for ; len(v) > 0; v = v[4:] {
			a.ClusterList = append(a.ClusterList, netip.AddrFrom4([4]byte(v)))
		}
	case large:
		a.LargeComms = make([][3]uint32, 0, len(v)/12)
		for ; len(v) > 0; v = v[12:] {
			a.LargeComms = append(a.LargeComms, [3]uint32{binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:]), binary.BigEndian.Uint32(v[8:])})
		}
	case onlyCustomer:
		a.OTC = binary.BigEndian.Uint32(v)
	}
}

// asSize is how many octets an AS number has (RFC 6793 4.1).
func (s *Session) asSize() int {
	if s.AS4 {
		return 4
	}
	return 2
}

func number(b []byte, size int) uint32 {
	if size == 2 {
		return uint32(binary.BigEndian.Uint16(b))
	}
	return binary.BigEndian.Uint32(b)
}

func numbers(b []byte, size int) []uint32 {
	l := make([]uint32, 0, len(b)/size)
	for ; len(b) >= size; b = b[size:] {
		l = append(l, number(b, size))
	}
	return l
}

func segments(b []byte, size int) (l []Segment) {
	for len(b) > 0 {
		n := 2 + size*int(b[1])
		l = append(l, Segment{b[0], numbers(b[2:n], size)})
		b = b[n:]
	}
	return l
}

// ASTrans stands for an AS number of four octets where there is room for two (RFC 6793 9).
const ASTrans = 23456

// widen completes what a speaker of two-octet AS numbers passed on, with what one of four-octet numbers had put beside it: RFC 6793 4.2.3.
func (a *Attrs) widen(path4, aggregator4 []byte) {
	if len(aggregator4) > 0 && a.AggregatorASN != 0 {
		if a.AggregatorASN != ASTrans {
			return
		}
		a.AggregatorASN, a.Aggregator = number(aggregator4, 4), netip.AddrFrom4([4]byte(aggregator4[4:]))
	}
	if len(path4) == 0 {
		return
	}
	wide := segments(path4, 4)
	keep := hops(a.ASPath) - hops(wide)
	if keep < 0 {
		return
	}
	var path []Segment
	for _, s := range a.ASPath {
		if keep <= 0 {
			break
		}
		if s.Type == ASSequence && len(s.ASNs) > keep {
			s.ASNs = s.ASNs[:keep]
		}
		path = append(path, s)
		keep -= hops([]Segment{s})
	}
	if n := len(path); n > 0 && path[n-1].Type == ASSequence && wide[0].Type == ASSequence && len(path[n-1].ASNs)+len(wide[0].ASNs) <= 255 {
		wide[0].ASNs = append(path[n-1].ASNs[:len(path[n-1].ASNs):len(path[n-1].ASNs)], wide[0].ASNs...)
		path = path[:n-1]
	}
	a.ASPath = append(path, wide...)
}

// hops is a path's length: a set counts once (RFC 4271 9.1.2.2).
func hops(path []Segment) (n int) {
	for _, s := range path {
		if s.Type == ASSet {
			n++
		} else {
			n += len(s.ASNs)
		}
	}
	return n
}
