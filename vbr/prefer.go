package vbr

import (
	"slices"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/bgp/evpn"
	"github.com/openvbr/openvbr/vbr/rib"
)

const (
	// defaultPreference is that of a router interface which names none. It is carried by nothing at all, as gateways that know no preference do.
	defaultPreference = 50
	// medBase less the preference is the MED of a standby: 151 to 199, more than the 0 that no MED means.
	medBase = 200
	// standbyPrepend is how many more times our AS is in the path of what customers hear of a standby.
	standbyPrepend = 3
)

// prefer puts a router interface's preference into attributes that any gateway obeys: LOCAL_PREF 50 + preference within the backbone's AS,
// where 100 is what no LOCAL_PREF means (RFC 4271 9.1.1); and since it is not sent to another AS, the MED too: 200 - preference of a standby,
// 0 of one that is preferred, which among ASes is no better than the default.
func (ri *riSpec) prefer(x *evpn.Route) {
	p := ri.preference
	if p == 0 || p == defaultPreference {
		return
	}
	x.LocalPref, x.HasLocalPref = rib.DefaultLocalPref-defaultPreference+p, true
	x.MED, x.HasMED = 0, true
	if p < defaultPreference {
		x.MED = medBase - p
	}
}

// isLastResort says whether paths of a source are told as a last resort: those that a predecessor had of the customer, who has not said them again.
func isLastResort(src *rib.Source) bool { return src.Adopted && src.Kind == rib.BGP }

// preferLast has gateways use a route where there is no other: one without the customer's AS path, which would be shorter than any. LOCAL_PREF is half the
// preference, 1 to 50, less than prefer ever says; MED is more than that of any standby.
func (ri *riSpec) preferLast(x *evpn.Route) {
	p := ri.preference
	if p == 0 {
		p = defaultPreference
	}
	x.LocalPref, x.HasLocalPref = max(p/2, 1), true
	x.MED, x.HasMED = medBase, true
}

// standby is the preference of the router interface that a source's paths lead through if others should be used before it, or else 0.
func (s *spec) standby(src *rib.Source) uint32 {
	ri := s.routerInterface(src.Through())
	if ri == nil || ri.preference >= defaultPreference {
		return 0
	}
	return ri.preference
}

// yield asks the customer to use other lines before this one, if the way leads through a standby: by MED, which compares lines of one AS, and by
// a longer AS path. iBGP peers would take that for a loop: if there are any, the MED has to do.
func (s *spec) yield(ad *bgp.Advertisement, preference uint32) {
	if preference == 0 {
		return
	}
	ad.MED, ad.HasMED = medBase-preference, true
	if !slices.ContainsFunc(s.peers, func(p peerSpec) bool { return p.ASN == s.asn }) {
		ad.Prepend = standbyPrepend
	}
}

// marks says whether what the router exports carries its mark in the trail, be it not in transit: with several router interfaces it could come
// back by another one, and would be taken for the VPC's.
func (s *spec) marks() bool { return len(s.ris) > 1 }

// trail are the large communities of what router interfaces hear, with our mark behind those of the routers it has passed. Connected subnets, which
// nobody else may announce to us, carry none: see arrangeLines.
func (s *spec) trail(a rib.Announcement) [][3]uint32 {
	list := a.Announce.LargeCommunities
	if a.Source.Kind == rib.Connected || a.Source.Through() == "" && !s.marks() || s.rules.Trail == [3]uint32{} {
		return list
	}
	return append(slices.Clip(list), s.rules.Trail)
}

// bias is what the preference adds to the LOCAL_PREF of what comes in through the router interface: of several with the same routes that of the
// highest preference is used.
func (ri *riSpec) bias() int32 {
	if ri.preference == 0 {
		return 0
	}
	return int32(ri.preference) - defaultPreference
}
