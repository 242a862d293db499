package render

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	"github.com/openvbr/openvbr/internal/words"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// RoutesLegend explains the first column of Routes.
const RoutesLegend = "* accepted, > best, b backup, S stale, x rejected"

// Routes is a table of routes that grows.
type Routes struct {
	page  *Page
	table *table.Table
}

// Routes begins a table of routes.
func (p *Page) Routes() *Routes {
	return &Routes{p, p.table(left(""), left("Prefix"), left("Next Hop"), left("From"), right("MED"), right("LocPrf"), left("AS Path"),
		left("Verdict"), right("Age"), inWide(left("Origin")), inWide(left("Communities")))}
}

// Add adds routes.
func (t *Routes) Add(routes []*vbrv1.Route) {
	for _, r := range routes {
		a := r.GetAttributes()
		t.table.Row(mark(r), r.GetPrefix(), orDash(r.GetNextHop()), from(r.GetSource()), words.Med(a), words.LocalPref(a), a.GetAsPath(),
			cell(words.Verdict(r)), t.page.age(r.GetSince()), a.GetOrigin(), words.Communities(a))
	}
}

// Flush writes what is held back.
func (t *Routes) Flush() error { return t.table.Flush() }

// mark is a route's status in three letters, like FRR's and Cisco's.
func mark(r *vbrv1.Route) string {
	out := []byte("   ")
	switch {
	case r.GetBest():
		copy(out, "*>")
	case r.GetBackup():
		copy(out, "*b")
	case words.Verdict(r).Text == "accepted":
		copy(out, "*")
	default:
		copy(out, "x")
	}
	if r.GetStale() {
		out[2] = 'S'
	}
	return string(out)
}

// from names a source in one word.
func from(s *vbrv1.RouteSource) string {
	switch s.GetType() {
	case vbrv1.RouteSource_TYPE_CONNECTED, vbrv1.RouteSource_TYPE_STATIC, vbrv1.RouteSource_TYPE_ADOPTED:
		return words.Enum(s.GetType().String(), "TYPE_")
	}
	return orDash(s.GetName())
}

// since renders "since 01:02:03 ago".
func (p *Page) since(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return "since " + p.age(t)
}
