package glass

import (
	"context"
	"net/netip"
	"net/url"
	"strings"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

const (
	routesPerPage = 100
	routePages    = 50 // beyond, a search is asked for
	longestPrefix = 64 // characters
)

// routesBody is the page of a router's routes at a stage.
type routesBody struct {
	Router *vbrv1.RouterStatus
	Stage  string // a key of stages
	Stages []stageChoice
	Search string
	Family string
	Peer   string // whose; empty: all
	Rows   []*vbrv1.Route
	Pager  pager
	Last   bool // there is more than pages are shown for
}

type stageChoice struct {
	Key, Name string
	stage     vbrv1.RouteStage
}

var stages = []stageChoice{
	{"received", "received from all sides", vbrv1.RouteStage_ROUTE_STAGE_RECEIVED},
	{"accepted", "accepted", vbrv1.RouteStage_ROUTE_STAGE_ACCEPTED},
	{"rejected", "rejected", vbrv1.RouteStage_ROUTE_STAGE_REJECTED},
	{"best", "best", vbrv1.RouteStage_ROUTE_STAGE_BEST},
	{"kernel", "in the kernel", vbrv1.RouteStage_ROUTE_STAGE_KERNEL},
	{"advertised", "told to the customer", vbrv1.RouteStage_ROUTE_STAGE_ADVERTISED},
	{"exported", "told to the VPC", vbrv1.RouteStage_ROUTE_STAGE_EXPORTED},
}

var families = map[string]vbrv1.AddressFamily{"ipv4": vbrv1.AddressFamily_ADDRESS_FAMILY_IPV4, "ipv6": vbrv1.AddressFamily_ADDRESS_FAMILY_IPV6}

func (s *server) routesPage(ctx context.Context, r *request) (*frame, error) {
	name, q := r.PathValue("name"), r.URL.Query()
	b := &routesBody{Stage: stages[0].Key, Stages: stages, Search: clip(strings.TrimSpace(q.Get("search")), longestPrefix), Family: q.Get("family"), Peer: clip(q.Get("peer"), longestPrefix)}
	if _, err := netip.ParseAddr(b.Search); err == nil { // an address is in no list: its longest match is explained
		return nil, redirect{"/explain?" + url.Values{"router": {name}, "prefix": {b.Search}}.Encode()}
	}
	var err error
	if b.Router, err = r.router(ctx, name); err != nil {
		return nil, err
	}
	page := pageOf(q, routePages)
	req := &vbrv1.ListRoutesRequest{Router: name, Stage: stages[0].stage, Prefix: b.Search, Longer: b.Search != "", Family: families[b.Family], Offset: uint32((page - 1) * routesPerPage), Limit: routesPerPage + 1}
	for _, st := range stages {
		if st.Key == q.Get("stage") {
			b.Stage, req.Stage = st.Key, st.stage
		}
	}
	if req.Stage != vbrv1.RouteStage_ROUTE_STAGE_EXPORTED { // it is for router interfaces
		req.Peer = b.Peer
	}
	rows, err := r.listRoutes(ctx, req)
	if err != nil {
		return nil, err
	}
	pages := page
	if more := len(rows) > routesPerPage; more && page < routePages {
		pages++
	} else {
		b.Last = more
	}
	b.Pager = newPager(q, page, pages)
	b.Rows = rows[:min(routesPerPage, len(rows))]
	return &frame{Title: "Routes of " + name, Section: "routers", Body: b}, nil
}
