package guards

import "fmt"

// routes are guards against what may be announced, and by whom.
func routes() []guard {
	const rib, evpn, verdict, source = "./vbr/rib", "./bgp/evpn", "vbr/rib/verdict.go", "TestVerdicts"
	l := []guard{
		{"our own AS in the path", verdict, `if slices.ContainsFunc(t.rules.LocalASNs, a.Contains) {`, `if false {`, rib, source},
		{"a path that does not begin with the peer's AS", verdict, `if !s.Internal && a.NeighborAS() != s.ASN {`, `if false {`, rib, source},
		{"our own address as next hop", verdict, `if slices.Contains(s.Own, a.NextHop) {`, `if false {`, rib, source},
		{"a next hop off the peer's link", verdict, `if !(a.NextHop.Is6() && !a.NextHop.Is4In6() && a.NextHop.IsLinkLocalUnicast()) && !slices.ContainsFunc(s.Subnets, on) {`, `if false && !slices.ContainsFunc(s.Subnets, on) {`, rib, source},
		{"the length of the AS path", "vbr/rib/oversize.go", `s.MaxASPath > 0 && n > s.MaxASPath {`, `false && n > 0 {`, rib, "TestImportBounds"},
		{"how many communities", "vbr/rib/oversize.go", `s.MaxCommunities > 0 && n > s.MaxCommunities {`, `false && n > 0 {`, rib, "TestImportBounds"},
		{"the memory for what is too long", "vbr/rib/table.go", `t.importer(s, s.bounded(a))`, `t.importer(s, a)`, rib, "TestOversize"},
		{"a leak, by ONLY_TO_CUSTOMER (RFC 9234 5)", verdict, `if s.Role.leaks(s.ASN, a.OTC) {`, `if false {`, rib, "TestLeaks"},
		{"ONLY_TO_CUSTOMER on what we tell (RFC 9234 5)", "vbr/export.go", `if ad.OTC = w.otc; o.Changes() {`, `if o.Changes() {`, "./vbr", "TestOnlyToCustomerPerPeer"},
		{"what is for no neighbour outside our AS (RFC 1997)", "bgp/internal/wire/withheld.go", `case community == NoExport && !internal:`, `case false:`, "./vbr", "TestWellKnownCommunities"},
		{"what is for no neighbour at all (RFC 1997)", "bgp/internal/wire/withheld.go", `case community == NoAdvertise:`, `case false:`, "./vbr", "TestWellKnownCommunities"},
		{"RFC 1997 before the export policy", "vbr/ways.go", `case bgp.Withheld(a.Communities) != "":`, `case bgp.Withheld(nil) != "":`, "./vbr", "TestWellKnownCommunities"},
		{"backbone: what is not for the gateways (RFC 1997)", "bgp/internal/out/encode.go", `if why := wire.Withheld(c, p.IBGP); why != "" {`, `if why := ""; why != "" {`, evpn, "TestWellKnownCommunities"},
		{"reserved: a default route", verdict, `if s.Kind == BGP && prefix.Bits() == 0 && s.Allow&AllowDefault == 0 {`, `if false {`, rib, source},
		{"reserved: a part of a link", verdict, `if s.Allow&AllowLinkSubnet == 0 && inside(t.rules.Links, prefix) {`, `if false {`, rib, source},
		{"reserved: a part of the backbone", verdict, `if s.Kind == BGP && inside(t.rules.Backbone, prefix) {`, `if false {`, rib, source},
		{"the backbone's prefixes, whatever is allowed", verdict, `if s.Kind == BGP && inside(t.rules.Backbone, prefix) {`, `if s.Kind == BGP && s.Allow == 0 && inside(t.rules.Backbone, prefix) {`, rib, "TestAllow"},
		{"reserved: a part of what the VPC announces", "vbr/rib/decide.go", `} else if s.Kind == BGP && s.Allow&AllowVPC == 0 && `, `} else if false && `, rib, source},
		{"reserved: a part of the VPC's own blocks", verdict, `if inside(t.rules.CIDRs, prefix) {`, `if false {`, rib, "TestOwnCIDR"},
		{"a route that has passed this router", verdict, `case t.rules.Trail != [3]uint32{} && a.passed(t.rules.Trail):`, `case false:`, rib, "TestTrail"},
		{"a route that has passed too many routers", verdict, `case a.hops() > MaxTrail:`, `case false:`, rib, "TestTrail"},
		{"the quota", "vbr/rib/quota.go", "	return RejectedOverQuota\n", "	return Accepted\n", rib, "TestQuotaOrder"},
		{"the quota of a family is not the other's", "vbr/rib/quota.go", `return &s.places[boolByte(!prefix.Addr().Is4())]`, `return &s.places[0]`, rib, "TestQuotaFamilies"},
		{"the memory for what is beyond a quota", "vbr/rib/quota.go", `if p.rest < s.Quota.spare() {`, `if true {`, rib, "TestQuotaForgets"},
		{"the memory for who changes his mind", "vbr/rib/table.go", `(old == nil || passing(old.verdict)) && s.overflows(`, `old == nil && s.overflows(`, rib, "TestQuotaOfTheFickle"},
		{"what is rejected, in a quota", "vbr/rib/quota.go", `Forgotten: p.forgotten, Refused: p.refused}`, `Forgotten: p.missing(), Refused: p.refused}`, "./vbr", "TestQuotaIgnoresTheRejected"},
		{"the size of an AS path pattern", "vbr/policy/aspath.go", `n > MaxPatternSize {`, `n > 1<<40 {`, "./vbr/policy", "TestParsePath"},
		{"the size of all AS path patterns", "vbr/intent/policy.go", `if size > policy.MaxPathSize {`, `if false {`, "./vbr/intent", "TestBadPolicies"},
		{"how often an AS is put in front", "vbr/policy/apply.go", `min(prepend, maxAhead)`, `prepend`, "./vbr/policy", "TestPrependTogether"},
		{"how often a refused announcement is tried", "vbr/unsaid.go", `len(todo) > 0 && calls < deliverCalls;`, `len(todo) > 0;`, "./vbr", "TestDeliverIsBounded"},
		{"backbone: our own AS in the path", "bgp/evpn/decode.go", `case slices.Contains(a.route.ASPath, e.asn):`, `case false:`, evpn, "TestLoops"},
		{"backbone: our own ORIGINATOR_ID (RFC 4456 8)", "bgp/evpn/decode.go", `case o.Attrs.OriginatorID == e.id:`, `case false:`, evpn, "TestLoops"},
		{"backbone: our own VTEP as next hop", "vbr/backbone.go", `if route.NextHop == b.host.vtep() {`, `if false {`, "./vbr", "TestOwnRoutesReflected"},
		{"backbone: a next hop that is no VTEP", "bgp/evpn/route.go", `case !vtep(r.NextHop):`, `case false:`, evpn, "TestNextHopIsVTEP"},
		{"backbone: a VNI of 0", "bgp/evpn/route.go", `case r.VNI == 0 || r.VNI > MaxVNI:`, `case false:`, evpn, "TestHostileRoutes"},
		{"backbone: a router MAC that is none", "bgp/evpn/route.go", `case !r.RouterMAC.IsUnicast():`, `case false:`, evpn, "TestHostileRoutes"},
		{"backbone: an encapsulation that is not VXLAN", "bgp/evpn/decode.go", `case !encapsulation:`, `case false && !encapsulation:`, evpn, "TestHostileRoutes"},
		{"backbone: another tenant's VNI", "vbr/vpc.go", `if route != nil && route.VNI != ri.vni {`, `if false {`, "./vbr", "TestOtherVNI"},
	}
	for _, p := range []string{"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/8", "fe80::/10", "fec0::/10", "ff00::/8"} {
		l = append(l, guard{"reserved: " + p, verdict, fmt.Sprintf("	netip.MustParsePrefix(%q),", p), "", rib, source})
	}
	return l
}
