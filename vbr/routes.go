package vbr

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/rib"
)

const (
	// scanSlice is how many prefixes are looked at while a router's lock is held.
	scanSlice = 2048
	// routeChunk is how many routes are handed over at a time.
	routeChunk = 500
)

// stages are the API's and the rib's.
var stages = map[vbrv1.RouteStage]rib.Stage{
	vbrv1.RouteStage_ROUTE_STAGE_UNSPECIFIED: rib.StageReceived,
	vbrv1.RouteStage_ROUTE_STAGE_RECEIVED:    rib.StageReceived,
	vbrv1.RouteStage_ROUTE_STAGE_ACCEPTED:    rib.StageAccepted,
	vbrv1.RouteStage_ROUTE_STAGE_REJECTED:    rib.StageRejected,
	vbrv1.RouteStage_ROUTE_STAGE_BEST:        rib.StageBest,
	vbrv1.RouteStage_ROUTE_STAGE_KERNEL:      rib.StageKernel,
	vbrv1.RouteStage_ROUTE_STAGE_ADVERTISED:  rib.StageAdvertised,
	vbrv1.RouteStage_ROUTE_STAGE_EXPORTED:    rib.StageExported,
}

// Routes hands over the routes of a router at a stage in chunks, which are the callee's to keep but not to change: routes share
// messages. An error of yield ends it and is returned, and so does the end of ctx.
//
// The peer of a request is who told us a route; of the stages advertised and exported, it is who was told. Without one, the stage advertised has what
// any peer is told; if their export policies differ, with the attributes before these. The router works on
// meanwhile: what comes may be missed, what goes and comes back be told twice. The error is a *RequestError for a bad field, or wraps ErrNoRouter.
func (h *Host) Routes(ctx context.Context, req *vbrv1.ListRoutesRequest, yield func([]*vbrv1.Route) error) error {
	r := h.router(req.GetRouter())
	if r == nil {
		return noRouter(req.GetRouter())
	}
	f, err := routeFilter(req)
	if err != nil {
		return err
	}
	told := f.Stage == rib.StageAdvertised || f.Stage == rib.StageExported
	backboneUp := h.backbone.anyUp()
	r.mu.Lock()
	err = r.setPeer(&f, req.GetPeer())
	r.setHeard(&f, req.GetPeer())
	ways, asn := r.waysTold(req.GetPeer()), r.spec.asn
	families := r.toldFamilies(&f, ways, backboneUp)
	aggregated, networks := len(r.networks) > 0, r.networkRoutes(&f, ways)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	page := routePage{skip: uint64(req.GetOffset()), left: uint64(req.GetLimit()), all: req.GetLimit() == 0}
	if f.Stage == rib.StageAdvertised && aggregated {
		return yield(within(&page, networks))
	}
	c := converter{drained: told && r.records.drained.Load(), exported: f.Stage == rib.StageExported}
	var rows []rib.Row
	for from := uint32(1); from != 0 && !page.full(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.mu.Lock()
		rows, from = r.rib.Scan(from, scanSlice, &f, rows[:0])
		r.mu.Unlock()
		if f.Stage == rib.StageAdvertised {
			rows = exportRows(rows, ways, asn)
		}
		if told {
			rows = slices.DeleteFunc(rows, func(x rib.Row) bool { return !families[boolIndex(x.Prefix.Addr().Is6())] })
		}
		for chunk := range slices.Chunk(within(&page, rows), routeChunk) {
			if err := yield(c.routes(chunk)); err != nil {
				return err
			}
		}
	}
	return nil
}

// routePage is what a request wants of all that is found: so many, or all, after so many that are passed over.
type routePage struct {
	skip, left uint64
	all        bool
}

func (page *routePage) full() bool { return !page.all && page.left == 0 }

// within is the part of a list that is on the page, which moves on by the list.
func within[T any](page *routePage, list []T) []T {
	skip := min(page.skip, uint64(len(list)))
	page.skip -= skip
	list = list[skip:]
	if !page.all {
		list = list[:min(page.left, uint64(len(list)))]
		page.left -= uint64(len(list))
	}
	return list
}

func boolIndex(b bool) int {
	if b {
		return 1
	}
	return 0
}

// routeFilter translates a request, but for its peer.
func routeFilter(req *vbrv1.ListRoutesRequest) (f rib.Filter, err error) {
	var known bool
	if f.Stage, known = stages[req.GetStage()]; !known {
		return f, &RequestError{"stage", req.GetStage().String(), "received, accepted, rejected, best, kernel, advertised or exported"}
	}
	if req.GetPrefix() != "" {
		if f.Prefix, err = parsePrefix("prefix", req.GetPrefix()); err != nil {
			return f, err
		}
	} else if req.GetLonger() {
		return f, &RequestError{"longer", "true", "only together with a prefix"}
	}
	f.Longer = req.GetLonger()
	switch req.GetFamily() {
	case vbrv1.AddressFamily_ADDRESS_FAMILY_UNSPECIFIED:
	case vbrv1.AddressFamily_ADDRESS_FAMILY_IPV4:
		f.Family = 4
	case vbrv1.AddressFamily_ADDRESS_FAMILY_IPV6:
		f.Family = 6
	default:
		return f, &RequestError{"family", req.GetFamily().String(), "ipv4 or ipv6"}
	}
	if req.GetReason() != "" {
		if f.Reason, known = rib.ParseVerdict(req.GetReason()); !known || f.Reason == rib.Accepted {
			return f, &RequestError{"reason", req.GetReason(), strings.Join(rib.Reasons(), ", ")}
		}
	}
	return f, nil
}

// parsePrefix reads a prefix; host bits may be set.
func parsePrefix(field, text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return p, &RequestError{field, text, "a prefix such as 10.2.3.0/24 or 2001:db8::/32"}
	}
	return p.Masked(), nil
}

// setPeer makes the filter be about a peer or a router interface, if there is one of that name; r.mu is held.
func (r *router) setPeer(f *rib.Filter, name string) error {
	if name == "" {
		return nil
	}
	if a, err := netip.ParseAddr(name); err == nil {
		name = a.String()
	}
	var legal []string
	if f.Stage != rib.StageExported {
		for _, p := range r.spec.peers {
			legal = append(legal, p.Address.String())
		}
	}
	if f.Stage != rib.StageAdvertised {
		for _, ri := range r.spec.ris {
			legal = append(legal, ri.name)
		}
	}
	if !slices.Contains(legal, name) {
		slices.Sort(legal)
		text := "one of " + strings.Join(legal, ", ")
		if len(legal) == 0 {
			text = "empty: the router has none"
		}
		return &RequestError{"peer", name, text}
	}
	if f.Stage != rib.StageAdvertised && f.Stage != rib.StageExported {
		f.Source = name
	}
	return nil
}

// setHeard makes the filter's stages of telling be about the customer's peers, a router interface, or with an empty name all of those; r.mu is held.
func (r *router) setHeard(f *rib.Filter, name string) {
	ris := r.spec.ris
	if ri := r.spec.routerInterface(name); ri != nil {
		ris = []riSpec{*ri}
	}
	f.Heard = func(s *rib.Source) bool {
		if f.Stage == rib.StageAdvertised {
			return heard(s, nil)
		}
		return anyHears(s, ris)
	}
}

// toldFamilies says which families, IPv4 and IPv6, those neighbours hear that a filter for a stage of telling is about: router interfaces, or peers
// that are told in these ways. r.mu is held.
func (r *router) toldFamilies(f *rib.Filter, ways [2][]*way, backboneUp bool) [2]bool {
	if f.Stage == rib.StageExported {
		up := backboneUp && len(r.spec.ris) > 0 || r.spec.hasNeighbour()
		return [2]bool{up, up}
	}
	return [2]bool{len(ways[0]) > 0, len(ways[1]) > 0}
}

// converter turns rows into messages. Rows that share attributes or a source share those messages.
type converter struct {
	drained, exported bool // what is told carries GRACEFUL_SHUTDOWN, and to the VPC LOCAL_PREF 0

	attrs   map[*rib.Attrs]*vbrv1.PathAttributes
	sources map[string]*vbrv1.RouteSource
	at      time.Time // as since
	since   *timestamppb.Timestamp
}

// cachedAttrs bounds the messages that a converter keeps; beyond it, it starts anew.
const cachedAttrs = 4096

func (c *converter) routes(rows []rib.Row) []*vbrv1.Route {
	block, out := make([]vbrv1.Route, len(rows)), make([]*vbrv1.Route, len(rows))
	for i := range rows {
		out[i] = &block[i]
		c.fill(out[i], &rows[i])
	}
	return out
}

func (c *converter) fill(m *vbrv1.Route, x *rib.Row) {
	m.Prefix, m.Source, m.Attributes = x.Prefix.String(), c.source(x), c.attributes(x)
	if x.Attrs.NextHop.IsValid() {
		m.NextHop = x.Attrs.NextHop.String()
	}
	m.Verdict, m.Best, m.Backup, m.Stale = x.Verdict.String(), x.Best, x.Backup, x.Stale
	if c.since == nil || !c.at.Equal(x.Since) { // neighbours in the table often came together
		c.at, c.since = x.Since, stamp(x.Since)
	}
	m.Since = c.since
}

func (c *converter) source(x *rib.Row) *vbrv1.RouteSource {
	if s := c.sources[x.Source]; s != nil {
		return s
	}
	if c.sources == nil {
		c.sources = make(map[string]*vbrv1.RouteSource)
	}
	s := routeSource(x.Kind, x.Adopted, x.Source, x.ASN)
	c.sources[x.Source] = s
	return s
}

func (c *converter) attributes(x *rib.Row) *vbrv1.PathAttributes {
	if a := c.attrs[x.Attrs]; a != nil {
		return a
	}
	if c.attrs == nil || len(c.attrs) >= cachedAttrs {
		c.attrs = make(map[*rib.Attrs]*vbrv1.PathAttributes)
	}
	drained := c.drained && x.Kind != rib.Connected
	a := pathAttributes(x.Attrs, drained)
	if c.exported && (drained || slices.Contains(x.Attrs.Communities, rib.LLGRStale)) {
		a.LocalPref = proto.Uint32(0)
	}
	c.attrs[x.Attrs] = a
	return a
}

func routeSource(kind rib.Kind, adopted bool, name string, asn uint32) *vbrv1.RouteSource {
	s := &vbrv1.RouteSource{Name: name, Asn: asn}
	switch {
	case adopted:
		s.Type = vbrv1.RouteSource_TYPE_ADOPTED
	case kind == rib.BGP:
		s.Type = vbrv1.RouteSource_TYPE_BGP
	case kind == rib.RouterInterface:
		s.Type = vbrv1.RouteSource_TYPE_ROUTER_INTERFACE
	case kind == rib.Connected:
		s.Type = vbrv1.RouteSource_TYPE_CONNECTED
	case kind == rib.Static:
		s.Type = vbrv1.RouteSource_TYPE_STATIC
	}
	return s
}

// pathAttributes are a path's for people: communities as halves, AS sets in braces, confederations in parentheses and brackets.
func pathAttributes(a *rib.Attrs, drained bool) *vbrv1.PathAttributes {
	m := &vbrv1.PathAttributes{Origin: rib.OriginName(a.Origin), AsPath: asPathText(a.ASPath)}
	if a.HasMED {
		m.Med = proto.Uint32(a.MED)
	}
	if a.HasLocalPref {
		m.LocalPref = proto.Uint32(a.LocalPref)
	}
	for _, c := range shutdown(a.Communities, drained) {
		m.Communities = append(m.Communities, fmt.Sprintf("%d:%d", c>>16, c&0xffff))
	}
	for _, c := range a.LargeCommunities {
		m.LargeCommunities = append(m.LargeCommunities, fmt.Sprintf("%d:%d:%d", c[0], c[1], c[2]))
	}
	return m
}

// brackets are what AS_PATH segments stand in, by type; sequences stand free.
var brackets = map[rib.SegmentType][3]string{
	rib.ASSet: {"{", ",", "}"}, rib.ASSequence: {"", " ", ""}, rib.ASConfedSequence: {"(", " ", ")"}, rib.ASConfedSet: {"[", ",", "]"},
}

func asPathText(path []rib.Segment) string {
	var b strings.Builder
	for i, s := range path {
		if i > 0 {
			b.WriteByte(' ')
		}
		marks := brackets[s.Type]
		b.WriteString(marks[0])
		for j, asn := range s.ASNs {
			if j > 0 {
				b.WriteString(marks[1])
			}
			fmt.Fprintf(&b, "%d", asn)
		}
		b.WriteString(marks[2])
	}
	return b.String()
}
