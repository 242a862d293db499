package rib

import (
	"net/netip"

	"github.com/openvbr/openvbr/vbr/policy"
)

// SegmentType is the type of an AS_PATH segment (RFC 4271 4.3, RFC 5065 3).
type SegmentType = policy.SegmentType

// The AS_PATH segment types.
const (
	ASSet            = policy.ASSet
	ASSequence       = policy.ASSequence
	ASConfedSequence = policy.ASConfedSequence
	ASConfedSet      = policy.ASConfedSet
)

// Segment is one AS_PATH segment.
type Segment = policy.Segment

// The values of the ORIGIN attribute (RFC 4271 5.1.1).
const (
	OriginIGP        uint8 = 0
	OriginEGP        uint8 = 1
	OriginIncomplete uint8 = 2
)

// DefaultLocalPref is the preference of a path that carries no LOCAL_PREF.
const DefaultLocalPref = 100

// Attrs are the path attributes that selection and re-announcement need.
// A Table keeps one copy of equal Attrs, however many prefixes share it.
type Attrs struct {
	// NextHop is the gateway: on the source's link for BGP, the remote VTEP for
	// a router interface, invalid for connected routes.
	NextHop netip.Addr

	ASPath           []Segment
	Communities      []uint32
	LargeCommunities [][3]uint32

	// OTC is ONLY_TO_CUSTOMER (RFC 9234 5), 0 when absent.
	OTC uint32

	MED       uint32 // 0 when absent (RFC 4271 9.1.2.2 c)
	LocalPref uint32
	// Priority is a static route's among others: lower wins. It is ours alone, never on the wire, as is the weight.
	Priority uint16
	// Weight is the path's share of the traffic in an equal-cost set: 1 to 256, 0 means 1.
	Weight       uint16
	HasMED       bool
	HasLocalPref bool
	Origin       uint8
	Oversize     Oversize
}

// Length is the AS_PATH length of RFC 4271 9.1.2.2 a and RFC 5065 5.3: a set counts one, confederation
// segments nothing.
func (a *Attrs) Length() int { return policy.PathLength(a.ASPath) }

// NeighborAS is the first AS of the path, 0 for a path that starts with none.
func (a *Attrs) NeighborAS() uint32 {
	for _, s := range a.ASPath {
		if s.Type == ASSequence && len(s.ASNs) > 0 {
			return s.ASNs[0]
		}
		if s.Type == ASSet {
			return 0
		}
	}
	return 0
}

// Contains says whether asn is anywhere in the AS_PATH (RFC 4271 9.1.2).
func (a *Attrs) Contains(asn uint32) bool {
	for _, s := range a.ASPath {
		for _, n := range s.ASNs {
			if n == asn {
				return true
			}
		}
	}
	return false
}

// localPref is LOCAL_PREF with its default.
func (a *Attrs) localPref() uint32 {
	if a.HasLocalPref {
		return a.LocalPref
	}
	return DefaultLocalPref
}

// ases is how many AS numbers are in the AS_PATH.
func (a *Attrs) ases() (n int) {
	for _, s := range a.ASPath {
		n += len(s.ASNs)
	}
	return n
}
