package glass

import (
	"strings"

	"github.com/openvbr/openvbr/internal/words"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// routeStatus names what became of a path.
func routeStatus(r *vbrv1.Route) mark {
	m := marked(words.Verdict)(r)
	if r.GetStale() {
		m.Text, m.Class = m.Text+", stale", "warn"
	}
	return m
}

func sourceOf(s *vbrv1.RouteSource) string { return dash(words.Source(s)) }

// changed lists what a policy made of attributes: "LOCAL_PREF 100 → 200".
func changed(before, after *vbrv1.PathAttributes) string {
	var out []string
	for _, c := range words.Changes(before, after) {
		out = append(out, c.Name+" "+dash(c.Was)+" → "+dash(c.Is))
	}
	return strings.Join(out, ", ")
}
