package wire

import (
	"encoding/binary"
	"net/netip"
)

// Path attributes, IANA "BGP Path Attributes".
const (
	origin        = 1
	asPath        = 2
	nextHop       = 3
	med           = 4
	localPref     = 5
	atomic        = 6
	aggregator    = 7
	communities   = 8
	originatorID  = 9
	clusterList   = 10
	mpReach       = 14
	mpUnreach     = 15
	extended      = 16
	as4Path       = 17
	as4Aggregator = 18
	pmsi          = 22
	tunnelEncap   = 23
	ip6Extended   = 25
	aigp          = 26
	large         = 32
	onlyCustomer  = 35
)

// Attribute flags, RFC 4271 4.3.
const (
	optional       = 0x80
	transitive     = 0x40
	extendedLength = 0x10
)

// rule is what RFC 7606 and an attribute's own RFC say of it.
type rule struct {
	flags     byte   // optional and transitive
	action    Action // on a malformed value
	subcode   uint8
	malformed func(s *Session, v []byte) bool
	internal  bool // meaningless from an external peer, and discarded
	keep      bool // the speakers above have a use for it
	evpn      bool // those of EVPN have
}

func multiple(n int) func(*Session, []byte) bool {
	return func(_ *Session, v []byte) bool { return len(v) == 0 || len(v)%n != 0 }
}

func not(n int) func(*Session, []byte) bool {
	return func(_ *Session, v []byte) bool { return len(v) != n }
}

// ruleOf is nil for an attribute that is not known here. MP_REACH_NLRI and MP_UNREACH_NLRI are in mp.go.
func ruleOf(typ byte) *rule {
	if int(typ) < len(rules) && rules[typ].malformed != nil {
		return &rules[typ]
	}
	return nil
}

var rules = [...]rule{
	origin:        {flags: transitive, action: Withdraw, subcode: 6, malformed: badOrigin, keep: true},
	asPath:        {flags: transitive, action: Withdraw, subcode: 11, malformed: badASPath, keep: true},
	nextHop:       {flags: transitive, action: Withdraw, subcode: 8, malformed: badNextHop, keep: true},
	med:           {flags: optional, action: Withdraw, subcode: 5, malformed: not(4), keep: true},
	localPref:     {flags: transitive, action: Withdraw, subcode: 5, malformed: not(4), keep: true, internal: true},
	atomic:        {flags: transitive, action: Discard, subcode: 5, malformed: not(0), keep: true},
	aggregator:    {flags: optional | transitive, action: Discard, subcode: 9, malformed: badAggregator, keep: true},
	communities:   {flags: optional | transitive, action: Withdraw, subcode: 9, malformed: multiple(4), keep: true},
	originatorID:  {flags: optional, action: Withdraw, subcode: 9, malformed: not(4), keep: true, internal: true},
	clusterList:   {flags: optional, action: Withdraw, subcode: 9, malformed: multiple(4), keep: true, internal: true},
	extended:      {flags: optional | transitive, action: Withdraw, subcode: 9, malformed: multiple(8), evpn: true},
	as4Path:       {flags: optional | transitive, action: Discard, subcode: 9, malformed: badAS4Path, keep: true},
	as4Aggregator: {flags: optional | transitive, action: Discard, subcode: 9, malformed: badAS4Aggregator, keep: true},
	pmsi:          {flags: optional | transitive, action: Withdraw, subcode: 9, malformed: short(5), evpn: true},
	tunnelEncap:   {flags: optional | transitive, action: Discard, subcode: 9, malformed: badTunnels, evpn: true},
	ip6Extended:   {flags: optional | transitive, action: Withdraw, subcode: 9, malformed: multiple(20)},
	aigp:          {flags: optional, action: Discard, subcode: 9, malformed: badAIGP},
	large:         {flags: optional | transitive, action: Withdraw, subcode: 9, malformed: multiple(12), keep: true},
	onlyCustomer:  {flags: optional | transitive, action: Withdraw, subcode: 9, malformed: not(4), keep: true},
}

func short(n int) func(*Session, []byte) bool {
	return func(_ *Session, v []byte) bool { return len(v) < n }
}

func badOrigin(_ *Session, v []byte) bool { return len(v) != 1 || v[0] > 2 }

// badASPath: RFC 7606 7.2, RFC 5065 5 (we are in no confederation), RFC 7607 2 (AS 0).
func badASPath(s *Session, v []byte) bool {
	size := 2
	if s.AS4 {
		size = 4
	}
	return badSegments(v, size)
}

func badSegments(v []byte, size int) bool {
	for len(v) > 0 {
		if len(v) < 2 || v[0] != 1 && v[0] != 2 || v[1] == 0 || len(v) < 2+size*int(v[1]) {
			return true
		}
		for i := range int(v[1]) {
			asn := v[2+size*i:]
			if binary.BigEndian.Uint16(asn) == 0 && (size == 2 || binary.BigEndian.Uint16(asn[2:]) == 0) {
				return true
			}
		}
		v = v[2+size*int(v[1]):]
	}
	return false
}

// badNextHop: RFC 7606 7.3, and RFC 4271 6.3 on what is no host's address.
func badNextHop(s *Session, v []byte) bool {
	return len(v) != 4 || !host(netip.AddrFrom4([4]byte(v)), s.Loopback && !s.V6)
}

func host(a netip.Addr, loopback bool) bool {
	if a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 224) {
		return false
	}
	return !a.IsUnspecified() && !a.IsMulticast() && (loopback || !a.IsLoopback())
}

func badAggregator(s *Session, v []byte) bool {
	if s.AS4 {
		return len(v) != 8 || binary.BigEndian.Uint32(v) == 0
	}
	return len(v) != 6 || binary.BigEndian.Uint16(v) == 0
}

// badAS4Path: RFC 6793 6; between two speakers of four-octet numbers it must not be (4.1).
func badAS4Path(s *Session, v []byte) bool { return s.AS4 || len(v) == 0 || badSegments(v, 4) }

func badAS4Aggregator(s *Session, v []byte) bool {
	return s.AS4 || len(v) != 8 || binary.BigEndian.Uint32(v) == 0
}

// badAIGP: RFC 7311 3; a TLV of type 1 has 11 octets.
func badAIGP(_ *Session, v []byte) bool {
	for len(v) > 0 {
		if len(v) < 3 || int(binary.BigEndian.Uint16(v[1:])) < 3 || int(binary.BigEndian.Uint16(v[1:])) > len(v) {
			return true
		}
		if v[0] == 1 && binary.BigEndian.Uint16(v[1:]) != 11 {
			return true
		}
		v = v[binary.BigEndian.Uint16(v[1:]):]
	}
	return false
}

// badTunnels: RFC 9012 2 and 13.
func badTunnels(_ *Session, v []byte) bool {
	for len(v) > 0 {
		if len(v) < 4 || len(v) < 4+int(binary.BigEndian.Uint16(v[2:])) {
			return true
		}
		v = v[4+int(binary.BigEndian.Uint16(v[2:])):]
	}
	return false
}
