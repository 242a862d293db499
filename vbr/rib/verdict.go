package rib

import (
	"net/netip"
	"slices"
)

// Verdict is what a table thinks of a path: Accepted, or the reason why it is rejected.
type Verdict uint8

// The verdicts.
const (
	Accepted               Verdict = iota
	RejectedASLoop                 // our AS is in the AS_PATH (RFC 4271 9.1.2)
	RejectedFirstAS                // the first AS is not the peer's (RFC 4271 6.3)
	RejectedNextHop                // the next hop is off the link, or of the wrong family
	RejectedOwnNextHop             // the next hop is our own address
	RejectedDefault                // 0.0.0.0/0 or ::/0
	RejectedMartian                // loopback, link-local, multicast, reserved (RFC 6890)
	RejectedLinkSubnet             // inside one of the router's link subnets
	RejectedBackbone               // inside the provider's backbone
	RejectedVPC                    // inside a prefix that the VPC side announces
	RejectedOwnCIDR                // inside one of the VPC's own CIDR blocks
	RejectedLinkDown               // the device towards the next hop carries nothing
	RejectedBFDDown                // BFD does not say that the peer answers, see SetAnswering
	RejectedInterface              // the router interface that it leaves by is not in use, see SetUsable
	RejectedTransitLoop            // the route has passed this router, see Trail
	RejectedTransitTooLong         // the route has passed more than MaxTrail routers
	RejectedPolicy                 // the import policy denies it
	RejectedOverQuota              // it waits for a place in its source's Quota
	RejectedASPathLength           // the AS_PATH is longer than the source's MaxASPath
	RejectedCommunities            // there are more communities than the source's MaxCommunities
	RejectedLeak                   // ONLY_TO_CUSTOMER says that it was not for us (RFC 9234 5)
	verdicts                       // how many there are
)

// String is the reason as operators see it in logs, counters and explain.
func (v Verdict) String() string {
	return [...]string{
		Accepted:               "accepted",
		RejectedASLoop:         "as-loop",
		RejectedFirstAS:        "first-as",
		RejectedNextHop:        "next-hop-off-link",
		RejectedOwnNextHop:     "next-hop-own",
		RejectedDefault:        "default-route",
		RejectedMartian:        "martian",
		RejectedLinkSubnet:     "link-subnet",
		RejectedBackbone:       "backbone",
		RejectedVPC:            "vpc-prefix",
		RejectedOwnCIDR:        "own-cidr",
		RejectedLinkDown:       "link-down",
		RejectedBFDDown:        "bfd-down",
		RejectedInterface:      "interface-not-active",
		RejectedTransitLoop:    "transit-loop",
		RejectedTransitTooLong: "transit-too-long",
		RejectedPolicy:         "policy",
		RejectedOverQuota:      "over-quota",
		RejectedASPathLength:   "as-path-too-long",
		RejectedCommunities:    "too-many-communities",
		RejectedLeak:           "route-leak",
	}[v]
}

// Rules are what a table judges paths by.
type Rules struct {
	// LocalASNs are the AS numbers that are ours towards any peer: a path holding one has looped.
	LocalASNs []uint32
	// Links are the subnets of the router's links; nobody may announce them or a part of them.
	Links []netip.Prefix
	// Backbone are the provider's own prefixes; a customer may not announce them or a part of them.
	Backbone []netip.Prefix
	// Trail is this router's mark: a path through a router interface that carries it has looped. Zero: none.
	Trail [3]uint32
	// CIDRs are the VPC's own blocks, of a VPC's router; nobody else has them or a part of them.
	CIDRs []netip.Prefix
}

// Equal says whether two sets of rules judge alike.
func (r Rules) Equal(o Rules) bool {
	return slices.Equal(r.LocalASNs, o.LocalASNs) && slices.Equal(r.Links, o.Links) && slices.Equal(r.Backbone, o.Backbone) &&
		slices.Equal(r.CIDRs, o.CIDRs) && r.Trail == o.Trail
}

// martians are never routes (RFC 6890, RFC 4291). Shorter prefixes that merely cover one are let through; 224.0.0.0/3 covers multicast and reserved.
var martians = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("224.0.0.0/3"),
	netip.MustParsePrefix("::/8"), // unspecified, loopback, IPv4-mapped and -compatible
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("fec0::/10"),
	netip.MustParsePrefix("ff00::/8"),
}

// judgeAttrs judges what can be judged without the prefix.
func (t *Table) judgeAttrs(s *source, a *Attrs) Verdict {
	switch {
	case s.Adopted:
		return Accepted
	case s.Kind == RouterInterface:
		return t.judgeTrail(a)
	case s.Kind == Static && !s.OnLink && len(s.Subnets) > 0:
		return judgeNextHop(s, a)
	case s.Kind != BGP:
		return Accepted
	}
	if over := s.oversize(a); over.Verdict != Accepted { // before anything that takes time in proportion
		return over.Verdict
	}
	if slices.ContainsFunc(t.rules.LocalASNs, a.Contains) {
		return RejectedASLoop
	}
	if !s.Internal && a.NeighborAS() != s.ASN {
		return RejectedFirstAS
	}
	if s.Role.leaks(s.ASN, a.OTC) {
		return RejectedLeak
	}
	return judgeNextHop(s, a)
}

// Role is our relation to a peer (RFC 9234 4.1).
type Role uint8

// The roles.
const (
	RoleNone     Role = iota
	RoleProvider      // the peer is our customer
	RolePeer          // neither is the other's customer
)

// leaks says whether a route with this ONLY_TO_CUSTOMER, 0 for none, is a leak when a peer of this AS announces it (RFC 9234 5).
func (r Role) leaks(asn, otc uint32) bool {
	return otc != 0 && (r == RoleProvider || r == RolePeer && otc != asn)
}

func (t *Table) judgeTrail(a *Attrs) Verdict {
	switch {
	case len(a.LargeCommunities) == 0:
		return Accepted
	case t.rules.Trail != [3]uint32{} && a.passed(t.rules.Trail):
		return RejectedTransitLoop
	case a.hops() > MaxTrail:
		return RejectedTransitTooLong
	}
	return Accepted
}

// judgeNextHop judges a gateway on the source's link.
func judgeNextHop(s *source, a *Attrs) Verdict {
	if slices.Contains(s.Own, a.NextHop) {
		return RejectedOwnNextHop
	}
	on := func(p netip.Prefix) bool { return p.Contains(a.NextHop) }
	if !(a.NextHop.Is6() && !a.NextHop.Is4In6() && a.NextHop.IsLinkLocalUnicast()) && !slices.ContainsFunc(s.Subnets, on) {
		return RejectedNextHop
	}
	return Accepted
}

// Allow are classes of reserved prefixes.
type Allow uint8

// The classes. A backbone's prefixes are never allowed.
const (
	AllowDefault    Allow = 1 << iota // 0.0.0.0/0 and ::/0
	AllowMartian                      // loopback, link-local, multicast, reserved
	AllowLinkSubnet                   // inside one of the router's link subnets
	AllowVPC                          // inside a prefix that the VPC side announces
)

// judge gives the verdict of the rules on a path to prefix, but for what comes and goes by itself: see judgeAgain.
func (t *Table) judge(prefix netip.Prefix, sh *shared) Verdict {
	if sh.verdict != Accepted {
		return sh.verdict
	}
	s := sh.source
	if s.Kind != RouterInterface && prefix.Addr().Is6() && sh.NextHop.Is4() {
		return RejectedNextHop
	}
	if s.Kind == Connected || s.Kind == Static {
		return Accepted
	}
	if s.Kind == BGP && prefix.Bits() == 0 && s.Allow&AllowDefault == 0 {
		return RejectedDefault
	}
	if prefix.Bits() > 0 && s.Allow&AllowMartian == 0 && inside(martians, prefix) {
		return RejectedMartian
	}
	if inside(t.rules.CIDRs, prefix) {
		return RejectedOwnCIDR
	}
	if s.Allow&AllowLinkSubnet == 0 && inside(t.rules.Links, prefix) {
		return RejectedLinkSubnet
	}
	if s.Kind == BGP && inside(t.rules.Backbone, prefix) {
		return RejectedBackbone
	}
	return Accepted
}

// inside says whether p is one of set or a part of one.
func inside(set []netip.Prefix, p netip.Prefix) bool {
	for _, s := range set {
		if s.Bits() <= p.Bits() && s.Contains(p.Addr()) {
			return true
		}
	}
	return false
}
