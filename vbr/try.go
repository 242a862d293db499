package vbr

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/openvbr/openvbr/bgp"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/policy"
	"github.com/openvbr/openvbr/vbr/rib"
)

// maxTried is how many routes one request may bring.
const maxTried = 10_000

// trial is a policy and what it is tried on.
type trial struct {
	r      *router
	peer   netip.Addr
	asn    uint32 // the peer's
	own    uint32
	source rib.SourceID
	by     *policy.Policy
	export bool
}

// TestPolicy hands over what becomes of routes under one of a router's policies, in chunks: of those in the request, or else of those that the peer
// has announced, or that are for it. Nothing is touched. The error is a *RequestError for a bad field, or wraps ErrNoRouter.
func (h *Host) TestPolicy(ctx context.Context, req *vbrv1.TestPolicyRequest, yield func([]*vbrv1.TestResult) error) error {
	r := h.router(req.GetRouter())
	if r == nil {
		return noRouter(req.GetRouter())
	}
	x, err := r.trial(req)
	if err != nil {
		return err
	}
	if len(req.GetRoutes()) > 0 {
		return x.given(ctx, req.GetRoutes(), yield)
	}
	return x.live(ctx, int(req.GetLimit()), yield)
}

// trial checks who and what a request is about.
func (r *router) trial(req *vbrv1.TestPolicyRequest) (*trial, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var known []string
	for _, p := range r.spec.peers {
		known = append(known, p.Address.String())
	}
	peer, _ := netip.ParseAddr(req.GetPeer())
	p, s := r.spec.peer(peer), r.sessions[peer]
	if p == nil || s == nil {
		return nil, &RequestError{"peer", req.GetPeer(), "one of " + strings.Join(known, ", ")}
	}
	if len(req.GetRoutes()) > maxTried {
		return nil, &RequestError{"routes", strconv.Itoa(len(req.GetRoutes())), "at most 10000 routes at a time"}
	}
	x := &trial{r: r, peer: peer, asn: p.ASN, own: r.spec.asn, source: s.source, export: req.GetExport()}
	text := p.rules.in
	if x.export {
		text = p.rules.out
	}
	if name := req.GetPolicy(); name != "" {
		i := slices.IndexFunc(r.spec.policies, func(p intent.RoutePolicy) bool { return p.Name == name })
		if i < 0 {
			return nil, &RequestError{"policy", name, "empty for the peer's, or the name of one of the router's route_policies"}
		}
		text = &r.spec.policies[i]
	}
	var err error
	x.by, err = compileTried(text, p.rules.asns, x.export)
	return x, err
}

// compileTried compiles a policy, nil for the default, for a direction.
func compileTried(text *intent.RoutePolicy, asns []uint32, export bool) (*policy.Policy, error) {
	switch {
	case !export:
		return (&peerRules{in: text, asns: asns}).importPolicy()
	case text == nil:
		return policy.New(defaultExport, policy.Permit)
	}
	return text.Compile()
}

// given tries the routes of a request.
func (x *trial) given(ctx context.Context, routes []*vbrv1.TestRoute, yield func([]*vbrv1.TestResult) error) error {
	var out []*vbrv1.TestResult
	for i, m := range routes {
		if err := ctx.Err(); err != nil {
			return err
		}
		prefix, a, err := x.route(m, "routes["+strconv.Itoa(i)+"].")
		if err != nil {
			return err
		}
		out = append(out, x.result(prefix, a))
	}
	for chunk := range slices.Chunk(out, routeChunk) {
		if err := yield(chunk); err != nil {
			return err
		}
	}
	return nil
}

// live tries what is there, a slice of the table at a time.
func (x *trial) live(ctx context.Context, limit int, yield func([]*vbrv1.TestResult) error) error {
	f := rib.Filter{Stage: rib.StageReceived, Source: x.peer.String()}
	if x.export {
		if all, are := x.networks(limit); are {
			return yield(all)
		}
		f = rib.Filter{Stage: rib.StageAdvertised, Family: 4, Heard: func(s *rib.Source) bool { return heard(s, nil) }}
		if x.peer.Is6() {
			f.Family = 6
		}
	}
	var rows []rib.Row
	for from, n := uint32(1), 0; from != 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var out []*vbrv1.TestResult
		x.r.mu.Lock()
		rows, from = x.r.rib.Scan(from, scanSlice, &f, rows[:0])
		x.r.mu.Unlock()
		for i := range rows {
			if n++; limit > 0 && n > limit {
				from = 0
				break
			}
			out = append(out, x.result(rows[i].Prefix, rows[i].Received))
		}
		for chunk := range slices.Chunk(out, routeChunk) {
			if err := yield(chunk); err != nil {
				return err
			}
		}
	}
	return nil
}

// networks are the results of the networks that are for the peer; are is false if it is told routes.
func (x *trial) networks(limit int) (out []*vbrv1.TestResult, are bool) {
	x.r.mu.Lock()
	defer x.r.mu.Unlock()
	for _, n := range x.r.networks {
		if n.told.Load() && n.prefix.Addr().Is6() == x.peer.Is6() && (limit == 0 || len(out) < limit) {
			out = append(out, x.result(n.prefix, networkAttrs()))
		}
	}
	return out, len(x.r.networks) > 0
}

// result is what becomes of one route.
func (x *trial) result(prefix netip.Prefix, a *rib.Attrs) *vbrv1.TestResult {
	var t rib.Trial
	if x.export {
		t = x.exported(prefix, a)
	} else {
		x.r.mu.Lock()
		t = x.r.rib.Try(x.source, prefix, a, x.by)
		x.r.mu.Unlock()
	}
	m := &vbrv1.TestResult{Prefix: prefix.String(), Verdict: t.Verdict.String(), Why: t.Why, Before: pathAttributes(a, false)}
	if t.Verdict == rib.Accepted {
		m.After = pathAttributes(&t.Attrs, false)
	}
	return m
}

func (x *trial) exported(prefix netip.Prefix, a *rib.Attrs) rib.Trial {
	if why := bgp.Withheld(a.Communities); why != "" {
		return rib.Trial{Verdict: rib.RejectedPolicy, Why: why, Attrs: *a}
	}
	o := a.Judge(x.by, prefix)
	if !o.Accept {
		return rib.Trial{Verdict: rib.RejectedPolicy, Why: x.by.Text(o), Attrs: *a}
	}
	return rib.Trial{Why: x.by.Text(o), Attrs: a.With(x.by, o, x.own)}
}

// route reads a route of a request.
func (x *trial) route(m *vbrv1.TestRoute, at string) (netip.Prefix, *rib.Attrs, error) {
	prefix, err := parsePrefix(at+"prefix", m.GetPrefix())
	if err != nil {
		return prefix, nil, err
	}
	a := &rib.Attrs{NextHop: x.peer, MED: m.GetMed(), HasMED: m.Med != nil, LocalPref: m.GetLocalPref(), HasLocalPref: m.LocalPref != nil}
	if m.GetNextHop() != "" {
		if a.NextHop, err = netip.ParseAddr(m.GetNextHop()); err != nil {
			return prefix, nil, &RequestError{at + "next_hop", m.GetNextHop(), "an IPv4 or IPv6 address, or nothing for the peer's"}
		}
	}
	if a.ASPath, err = policy.ParseSegments(m.GetAsPath()); err != nil {
		return prefix, nil, &RequestError{at + "as_path", m.GetAsPath(), "AS numbers such as 65001 65010 {65020,65021}"}
	}
	if slices.ContainsFunc(a.ASPath, func(s rib.Segment) bool { return slices.Contains(s.ASNs, 0) }) {
		return prefix, nil, &RequestError{at + "as_path", m.GetAsPath(), "no AS 0 (RFC 7607)"}
	}
	if m.GetAsPath() == "" && !x.export {
		a.ASPath = []rib.Segment{{Type: rib.ASSequence, ASNs: []uint32{x.asn}}}
	}
	origins := []string{rib.OriginName(rib.OriginIGP), rib.OriginName(rib.OriginEGP), rib.OriginName(rib.OriginIncomplete)}
	if i := slices.Index(origins, m.GetOrigin()); i >= 0 {
		a.Origin = uint8(i)
	} else if m.GetOrigin() != "" {
		return prefix, nil, &RequestError{at + "origin", m.GetOrigin(), strings.Join(origins, ", ")}
	}
	for _, text := range m.GetCommunities() {
		if c, err := policy.ParseCommunity(text); err == nil {
			a.Communities = append(a.Communities, c)
		} else if c, err := policy.ParseLarge(text); err == nil {
			a.LargeCommunities = append(a.LargeCommunities, c)
		} else {
			return prefix, nil, &RequestError{at + "communities", text, "such as 65001:100, no-export or 64600:1:2"}
		}
	}
	if !x.export { // as of a session: see customer.attrs
		a.LargeCommunities = rib.WithoutTrail(a.LargeCommunities)
		if x.asn != x.own {
			a.LocalPref, a.HasLocalPref = 0, false
		}
	}
	return prefix, a, nil
}
