package intent

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/policy"
)

// Defaults of what bounds a peer's routes; the .proto documents them.
const (
	DefaultRouteQuota     = 110
	DefaultQuotaRestart   = 300 * time.Second
	DefaultMaxASPath      = 64
	DefaultMaxCommunities = 64
)

// What happens beyond a route quota.
const (
	QuotaDrop     = "Drop"
	QuotaTeardown = "Teardown"
	QuotaWarn     = "Warn"
)

// Our roles towards a peer (RFC 9234 4.1).
const (
	RoleProvider = "provider"
	RolePeer     = "peer"
)

// PeerRules are what a peer's routes are judged by.
type PeerRules struct {
	Quota                     uint32        // 0: none
	QuotaAction               string        // one of the above
	QuotaRestart              time.Duration // whole seconds
	NeverDrop                 []netip.Prefix
	Import, Export            string // names of Router.Policies; empty: the defaults
	Allow                     []string
	Role                      string // ours, of the above; empty: none
	RoleStrict                bool   // the peer must tell one too
	MaxASPath, MaxCommunities uint32
}

// RoutePolicy is a policy as written: comparable by its text. See Compile.
type RoutePolicy struct {
	Name, Description string
	Terms             []PolicyTerm
}

// PolicyTerm is a term as written; the .proto documents the fields.
type PolicyTerm struct {
	Priority                                          uint32
	Result, Description                               string
	Prefixes, ASPaths, Communities, NextHops, Origins []string
	MinLength, MaxLength                              uint32
	LocalPreference, MED                              *uint32
	Remove, Add                                       []string
	Replace                                           bool
	Prepend                                           uint32
}

// Policy returns the router's policy of that name, nil if there is none.
func (r *Router) Policy(name string) *RoutePolicy {
	for i := range r.Policies {
		if r.Policies[i].Name == name {
			return &r.Policies[i]
		}
	}
	return nil
}

// Compile makes the policy of a checked intent one to evaluate. Terms of number 0 may be put in front.
func (p *RoutePolicy) Compile(front ...policy.Term) (*policy.Policy, error) {
	terms := slices.Clone(front)
	for i := range p.Terms {
		var first error
		terms = append(terms, p.Terms[i].compile(func(field string, _ int, err error) {
			if first == nil {
				first = fmt.Errorf("term %d of policy %s: %s: %w", p.Terms[i].Priority, p.Name, field, err)
			}
		}))
		if first != nil {
			return nil, first
		}
	}
	return policy.New(p.Name, policy.Deny, terms...)
}

// compile makes the term one to evaluate; fail is told of each item that is not legal.
func (t *PolicyTerm) compile(fail func(field string, i int, err error)) policy.Term {
	out := policy.Term{Number: t.Priority}
	switch t.Result {
	case "Permit":
		out.Result = policy.Permit
	case "Next":
		out.Result = policy.Next
	}
	m := &out.Match
	m.MinLength, m.MaxLength = int(t.MinLength), int(t.MaxLength)
	m.Prefixes = each(t.Prefixes, "destination_cidr_blocks", policy.ParsePrefixRange, fail)
	m.ASPaths = each(t.ASPaths, "as_paths", policy.ParsePath, fail)
	m.NextHops = each(t.NextHops, "next_hops", netip.ParsePrefix, fail)
	for _, o := range t.Origins {
		m.Origins = append(m.Origins, uint8(slices.Index(origins(), o)))
	}
	m.Communities, m.LargeCommunities = communities(t.Communities, "communities", policy.ParseCommunityPattern, policy.ParseLargePattern, fail)
	s := &out.Set
	s.LocalPref, s.MED, s.Replace, s.Prepend = t.LocalPreference, t.MED, t.Replace, uint8(t.Prepend)
	s.Remove, s.RemoveLarge = communities(t.Remove, "remove_communities", policy.ParseCommunityPattern, policy.ParseLargePattern, fail)
	s.Add, s.AddLarge = communities(t.Add, "add_communities", policy.ParseCommunity, policy.ParseLarge, fail)
	return out
}

// origins are the names of the values of ORIGIN (RFC 4271 5.1.1).
func origins() []string { return []string{"igp", "egp", "incomplete"} }

// each parses a list.
func each[T any](list []string, field string, parse func(string) (T, error), fail func(string, int, error)) (out []T) {
	for i, s := range list {
		v, err := parse(s)
		if err != nil {
			fail(field, i, err)
			continue
		}
		out = append(out, v)
	}
	return out
}

// communities parses a list of both kinds: a large one has two colons.
func communities[S, L any](list []string, field string, short func(string) (S, error), large func(string) (L, error), fail func(string, int, error)) (ss []S, ls []L) {
	for i, text := range list {
		var err error
		if strings.Count(text, ":") == 2 {
			var v L
			if v, err = large(text); err == nil {
				ls = append(ls, v)
			}
		} else {
			var v S
			if v, err = short(text); err == nil {
				ss = append(ss, v)
			}
		}
		if err != nil {
			fail(field, i, err)
		}
	}
	return ss, ls
}

// policies converts policies and checks them one by one.
func (c *checker) policies(d *Document, list []*vbrv1.RoutePolicy) (out []RoutePolicy) {
	for i, m := range list {
		p, path := RoutePolicy{Name: m.GetName(), Description: m.GetDescription()}, item("route_policies", i)
		if slices.ContainsFunc(out, func(o RoutePolicy) bool { return o.Name == p.Name && p.Name != "" }) {
			c.failDoc(d, join(path, "name"), "name is given twice", "one policy of a name in a VBR")
		}
		size := 0
		for j, x := range m.GetTerms() {
			at := join(path, item("terms", j))
			t := newTerm(x)
			if slices.ContainsFunc(p.Terms, func(o PolicyTerm) bool { return o.Priority == t.Priority && t.Priority != 0 }) {
				c.failDoc(d, join(at, "priority"), "another term has this priority", "one term of a priority")
			}
			if t.MaxLength != 0 && t.MinLength > t.MaxLength {
				c.failDoc(d, join(at, "min_as_path_length"), "more than max_as_path_length", fmt.Sprintf("0..%d", t.MaxLength))
			}
			compiled := t.compile(func(field string, i int, err error) {
				if where := item(join(at, field), i); !d.flawed(where) {
					c.failDoc(d, where, err.Error(), legalItem(field))
				}
			})
			for _, re := range compiled.Match.ASPaths {
				size += policy.PathSize(re)
			}
			if size > policy.MaxPathSize { // the terms behind it are not read: that takes time, too
				c.failDoc(d, join(at, "as_paths"), "the policy's AS path patterns are too large together, with their repeats written out", fmt.Sprintf("%d characters", policy.MaxPathSize))
				break
			}
			p.Terms = append(p.Terms, t)
		}
		out = append(out, p)
	}
	return out
}

// legalItem says what an item of a term's list may be.
func legalItem(field string) string {
	switch field {
	case "destination_cidr_blocks":
		return "such as 10.0.0.0/8, 10.0.0.0/8 ge 16 le 24, 10.0.0.0/8 orlonger"
	case "as_paths":
		return "a regular expression such as _65010_ or ^65001( 65010)*$"
	case "next_hops":
		return "a prefix such as 10.0.0.0/30"
	case "add_communities":
		return "such as 65001:100, no-export or 64600:1:2"
	}
	return "such as 65001:100, 65001:*, no-export or 64600:1:*"
}

func newTerm(x *vbrv1.RoutePolicyTerm) PolicyTerm {
	return PolicyTerm{
		Priority: x.GetPriority(), Result: x.GetMapResult(), Description: x.GetDescription(),
		Prefixes: x.GetDestinationCidrBlocks(), ASPaths: x.GetAsPaths(), Communities: x.GetCommunities(), NextHops: x.GetNextHops(), Origins: x.GetOrigins(),
		MinLength: x.GetMinAsPathLength(), MaxLength: x.GetMaxAsPathLength(), LocalPreference: x.LocalPreference, MED: x.Med,
		Remove: x.GetRemoveCommunities(), Add: x.GetAddCommunities(), Replace: x.GetReplaceCommunities(), Prepend: x.GetPrependAsPath(),
	}
}

func policyMessages(list []RoutePolicy) (out []*vbrv1.RoutePolicy) {
	for _, p := range list {
		m := &vbrv1.RoutePolicy{Name: p.Name, Description: p.Description}
		for _, t := range p.Terms {
			m.Terms = append(m.Terms, &vbrv1.RoutePolicyTerm{
				Priority: t.Priority, MapResult: t.Result, Description: t.Description,
				DestinationCidrBlocks: t.Prefixes, AsPaths: t.ASPaths, Communities: t.Communities, NextHops: t.NextHops, Origins: t.Origins,
				MinAsPathLength: t.MinLength, MaxAsPathLength: t.MaxLength, LocalPreference: t.LocalPreference, Med: t.MED,
				RemoveCommunities: t.Remove, AddCommunities: t.Add, ReplaceCommunities: t.Replace, PrependAsPath: t.Prepend,
			})
		}
		out = append(out, m)
	}
	return out
}

func (c *checker) peerRules(d *Document, m *vbrv1.BgpPeer, path string) PeerRules {
	r := PeerRules{
		Quota: orElse(m.RouteQuota, DefaultRouteQuota), QuotaAction: m.GetRouteQuotaAction(), QuotaRestart: seconds(m.RouteQuotaRestart, DefaultQuotaRestart),
		Import: m.GetImportPolicy(), Export: m.GetExportPolicy(), Allow: m.GetAllow(), Role: m.GetLocalRole(), RoleStrict: m.GetLocalRoleStrict(),
		MaxASPath: orElse(m.MaxAsPath, DefaultMaxASPath), MaxCommunities: orElse(m.MaxCommunities, DefaultMaxCommunities),
	}
	if r.QuotaAction == "" {
		r.QuotaAction = QuotaDrop
	}
	if !d.flawed(join(path, "never_drop")) {
		r.NeverDrop = each(m.GetNeverDrop(), "", netip.ParsePrefix, func(string, int, error) {})
	}
	return r
}

func orElse(v *uint32, otherwise uint32) uint32 {
	if v == nil {
		return otherwise
	}
	return *v
}

// fill writes the rules into a peer's message; what equals a default is left out.
func (r *PeerRules) fill(m *vbrv1.BgpPeer) *vbrv1.BgpPeer {
	m.RouteQuota = unless(r.Quota, DefaultRouteQuota)
	m.RouteQuotaRestart = unless(inSeconds(r.QuotaRestart), inSeconds(DefaultQuotaRestart))
	m.MaxAsPath, m.MaxCommunities = unless(r.MaxASPath, DefaultMaxASPath), unless(r.MaxCommunities, DefaultMaxCommunities)
	if r.QuotaAction != QuotaDrop {
		m.RouteQuotaAction = r.QuotaAction
	}
	m.NeverDrop, m.ImportPolicy, m.ExportPolicy, m.Allow = texts(r.NeverDrop), r.Import, r.Export, r.Allow
	m.LocalRole, m.LocalRoleStrict = r.Role, r.RoleStrict
	return m
}

// peerPolicies checks what the peers of a router say of its policies.
func (c *checker) peerPolicies(r *Router) {
	for i := range r.Peers {
		p, path := &r.Peers[i], item("bgp_peers", i)
		if p.Rules.RoleStrict && p.Rules.Role == "" {
			c.fail(r.Origin, r.label(), join(path, "local_role_strict"), "true", "strict without a role", "true only with local_role")
		}
		for field, name := range map[string]string{"import_policy": p.Rules.Import, "export_policy": p.Rules.Export} {
			if name != "" && r.Policy(name) == nil {
				c.fail(r.Origin, r.label(), join(path, field), fmt.Sprintf("%q", name), "no such policy in the VBR", "the name of one of route_policies")
			}
		}
	}
}
