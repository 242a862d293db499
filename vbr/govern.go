package vbr

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/policy"
	"github.com/openvbr/openvbr/vbr/rib"
)

// The policies of peers that name none.
const (
	defaultImport = "default-import"
	defaultExport = "default-export"
)

// peerRules are what a peer's routes are judged by, as written, so that two are alike if their texts are.
type peerRules struct {
	intent.PeerRules
	in, out *intent.RoutePolicy // nil: the defaults
	asns    []uint32            // whose local-preference communities are honoured
}

// newPeerRules are those of a peer of r.
func newPeerRules(r *intent.Router, p *intent.Peer, b *Backbone) (peerRules, error) {
	x := peerRules{PeerRules: p.Rules, in: r.Policy(p.Rules.Import), out: r.Policy(p.Rules.Export), asns: []uint32{r.LocalASN}}
	if b != nil && b.ASN != r.LocalASN {
		x.asns = append(x.asns, b.ASN)
	}
	_, err := x.importPolicy()
	if err == nil {
		_, err = compileExport(x.out)
	}
	if err != nil {
		return x, fmt.Errorf("peer %s: %w", p.Address, err)
	}
	return x, nil
}

// importPolicy compiles what judges the peer's routes.
func (x *peerRules) importPolicy() (*policy.Policy, error) {
	front := policy.Preferences(x.asns...)
	if x.in == nil {
		return policy.New(defaultImport, policy.Permit, front...)
	}
	return x.in.Compile(front...)
}

// compileExport compiles what judges what peers are told; nil tells all.
func compileExport(p *intent.RoutePolicy) (*policy.Policy, error) {
	if p == nil {
		return nil, nil
	}
	return p.Compile()
}

// rule puts the rules into a peer's source of paths.
func (x *peerRules) rule(s *rib.Source, in *policy.Policy) {
	s.Import, s.MaxASPath, s.MaxCommunities = in, int(x.MaxASPath), int(x.MaxCommunities)
	s.Quota = rib.Quota{Limit: int(x.Quota), CountOnly: x.QuotaAction == intent.QuotaWarn, Never: x.NeverDrop}
	switch x.Role {
	case intent.RoleProvider:
		s.Role = rib.RoleProvider
	case intent.RolePeer:
		s.Role = rib.RolePeer
	}
	for _, class := range x.Allow {
		s.Allow |= allowed(class)
	}
}

func allowed(class string) rib.Allow {
	switch class {
	case "default-route":
		return rib.AllowDefault
	case "martian":
		return rib.AllowMartian
	case "link-subnet":
		return rib.AllowLinkSubnet
	case "vpc-prefix":
		return rib.AllowVPC
	}
	return 0
}

// roleOf is our role towards a peer as its speaker tells it.
func roleOf(name string) bgp.Role {
	switch name {
	case intent.RoleProvider:
		return bgp.RoleProvider
	case intent.RolePeer:
		return bgp.RolePeer
	}
	return 0
}

// importName is what the import policy is called.
func (x *peerRules) importName() string {
	if x.in == nil {
		return defaultImport
	}
	return x.in.Name
}

func (x *peerRules) exportName() string {
	if x.out == nil {
		return defaultExport
	}
	return x.out.Name
}

// rulesChanged are the differences that have routes judged again, and reset nothing. The ASes of local-preference communities go with the router's own.
func rulesChanged(before, after *peerRules) (why []string) {
	a, b := before.PeerRules, after.PeerRules
	for _, f := range []struct {
		name          string
		before, after any
	}{
		{"route_quota", a.Quota, b.Quota}, {"route_quota_action", a.QuotaAction, b.QuotaAction},
		{"route_quota_restart", a.QuotaRestart, b.QuotaRestart}, {"never_drop", a.NeverDrop, b.NeverDrop},
		{"import_policy", before.importName(), after.importName()}, {"export_policy", before.exportName(), after.exportName()},
		{"allow", a.Allow, b.Allow}, {"max_as_path", a.MaxASPath, b.MaxASPath}, {"max_communities", a.MaxCommunities, b.MaxCommunities},
	} {
		if !reflect.DeepEqual(f.before, f.after) {
			why = append(why, change(f.name, f.before, f.after))
		}
	}
	if before.importName() == after.importName() && !reflect.DeepEqual(before.in, after.in) {
		why = append(why, "policy "+after.importName()+" changes")
	}
	if before.exportName() == after.exportName() && !reflect.DeepEqual(before.out, after.out) && !slices.Contains(why, "policy "+after.exportName()+" changes") {
		why = append(why, "policy "+after.exportName()+" changes")
	}
	return why
}

// governed is what a session's routes are judged by, and how its quota stands.
type governed struct {
	rules  peerRules
	in     *policy.Policy
	levels [2]quotaLevel // IPv4, IPv6
	// exact is how many routes there were when the peer last repeated them, asked at askedAt, and not before again is it asked once more.
	exact          int
	askedAt, again time.Time
	// downUntil: the session is kept down for its quota; zero if it is not.
	downUntil time.Time
}

// govern gives a peer's source its rules; x is its session, nil if it is new. What is compiled stays the same for the same text.
func govern(x *session, p *peerSpec, to *rib.Source) governed {
	g := governed{rules: p.rules}
	if x != nil {
		g = x.governed
	}
	if g.in == nil || !reflect.DeepEqual(g.rules, p.rules) {
		in, err := p.rules.importPolicy()
		if err != nil { // newPeerRules has compiled it
			panic(err)
		}
		g = governed{rules: p.rules, in: in}
	}
	p.rules.rule(to, g.in)
	return g
}
