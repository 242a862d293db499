package rib

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// ParseVerdict is the verdict of that name; false if there is none.
func ParseVerdict(name string) (Verdict, bool) {
	for v := range verdicts {
		if v.String() == name {
			return v, true
		}
	}
	return 0, false
}

// Reasons are the names of all verdicts that reject a path.
func Reasons() []string {
	var names []string
	for v := Accepted + 1; v < verdicts; v++ {
		names = append(names, v.String())
	}
	return names
}

// reason says in words why a path to prefix has its verdict: the rule, and the value that offends it. It is empty for an accepted one.
func (t *Table) reason(prefix netip.Prefix, sh *shared, v Verdict) string {
	s := sh.source
	switch v {
	case Accepted:
		return ""
	case RejectedASLoop:
		i := slices.IndexFunc(t.rules.LocalASNs, sh.Contains)
		if i < 0 {
			return "our AS was in the AS path (RFC 4271 9.1.2)"
		}
		return fmt.Sprintf("our AS %d is in the AS path (RFC 4271 9.1.2)", t.rules.LocalASNs[i])
	case RejectedFirstAS:
		if sh.NeighborAS() == 0 {
			return fmt.Sprintf("the AS path begins with no AS, the peer's is %d (RFC 4271 6.3)", s.ASN)
		}
		return fmt.Sprintf("the AS path begins with %d, the peer's AS is %d (RFC 4271 6.3)", sh.NeighborAS(), s.ASN)
	case RejectedNextHop:
		if prefix.Addr().Is6() && sh.NextHop.Is4() {
			return fmt.Sprintf("next hop %s is IPv4, the prefix IPv6", sh.NextHop)
		}
		return fmt.Sprintf("next hop %s is in no subnet of the line: %s", addrText(sh.NextHop), listed(s.Subnets))
	case RejectedOwnNextHop:
		return fmt.Sprintf("next hop %s is our own address", sh.NextHop)
	case RejectedDefault:
		return fmt.Sprintf("a customer may not announce %s", prefix)
	case RejectedMartian:
		return covered(prefix, martians, "which is never routed (RFC 6890)")
	case RejectedLinkSubnet:
		return covered(prefix, t.rules.Links, "a subnet of the router's own lines")
	case RejectedBackbone:
		return covered(prefix, t.rules.Backbone, "which is the provider's own")
	case RejectedVPC:
		if p, ok := t.vpcSet.LookupPrefixLPM(prefix); ok {
			return fmt.Sprintf("inside %s, which the VPC announces", p)
		}
		return "inside a prefix that the VPC announced"
	case RejectedOwnCIDR:
		return covered(prefix, t.rules.CIDRs, "a CIDR block of this VPC")
	case RejectedInterface:
		return fmt.Sprintf("router interface %s is not Active, its health check fails, or nobody is known behind it", s.Through())
	case RejectedLinkDown:
		return "the device towards its next hop carries no packets"
	case RejectedBFDDown:
		return fmt.Sprintf("BFD with %s is down, or has not been up for long enough", s.Name)
	case RejectedPolicy:
		if s.Import == nil {
			return "the import policy denied it"
		}
		return s.Import.Text(sh.received().Judge(s.Import, prefix))
	case RejectedOverQuota:
		p := s.placesOf(prefix)
		return fmt.Sprintf("all %d places of its quota are taken (route_quota); it waits for one, with %d others", s.Quota.Limit, len(p.line.turns)-1)
	case RejectedASPathLength:
		return fmt.Sprintf("the AS path has %d ASes, and may have %d", s.oversize(&sh.Attrs).Had, s.MaxASPath)
	case RejectedCommunities:
		return fmt.Sprintf("it has %d communities, and may have %d", s.oversize(&sh.Attrs).Had, s.MaxCommunities)
	case RejectedLeak:
		return fmt.Sprintf("AS %d has said that it is only for its customers' side (ONLY_TO_CUSTOMER), and the peer passed it on to us (RFC 9234 5)", sh.OTC)
	case RejectedTransitLoop:
		return "it has passed this router before: its mark is in the trail (large communities)"
	case RejectedTransitTooLong:
		return fmt.Sprintf("it has passed %d routers, and may pass %d", sh.hops(), MaxTrail)
	}
	return v.String()
}

// covered says which of set p is in.
func covered(p netip.Prefix, set []netip.Prefix, what string) string {
	for _, s := range set {
		if inside([]netip.Prefix{s}, p) {
			return fmt.Sprintf("inside %s, %s", s, what)
		}
	}
	return "inside a prefix " + what
}

func listed(prefixes []netip.Prefix) string {
	if len(prefixes) == 0 {
		return "it has none"
	}
	names := make([]string, len(prefixes))
	for i, p := range prefixes {
		names[i] = p.String()
	}
	return strings.Join(names, ", ")
}
