package glass

import (
	"fmt"
	"strings"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// routeStatus names what became of a path.
func routeStatus(r *vbrv1.Route) mark {
	m := mark{Text: "rejected: " + r.GetVerdict(), Class: "bad"}
	switch {
	case r.GetBest():
		m = mark{"best", "good"}
	case r.GetBackup():
		m = mark{"backup", ""}
	case r.GetVerdict() == "accepted" || r.GetVerdict() == "":
		m = mark{"accepted", ""}
	}
	if r.GetStale() {
		m.Text, m.Class = m.Text+", stale", "warn"
	}
	return m
}

// sourceOf names where a path comes from: "10.0.0.2 (AS 65001)", "router interface ri-acme", "connected eth1.100".
func sourceOf(s *vbrv1.RouteSource) string {
	name := s.GetName()
	if t := s.GetType(); t != vbrv1.RouteSource_TYPE_BGP && t != vbrv1.RouteSource_TYPE_UNSPECIFIED {
		name = strings.TrimSpace(lower(t.String(), "TYPE_") + " " + name)
	}
	if s.GetAsn() > 0 {
		name += fmt.Sprintf(" (AS %d)", s.GetAsn())
	}
	return dash(name)
}

func communities(a *vbrv1.PathAttributes) string {
	return strings.Join(append(append([]string{}, a.GetCommunities()...), a.GetLargeCommunities()...), " ")
}

func hops(list []*vbrv1.KernelNextHop) string {
	var out []string
	for _, h := range list {
		var words []string
		if h.GetGateway() != "" {
			words = append(words, "via "+h.GetGateway())
		}
		if h.GetDevice() != "" {
			words = append(words, "dev "+h.GetDevice())
		}
		out = append(out, strings.Join(words, " "))
	}
	return strings.Join(out, " and ")
}

// changed lists what a policy made of attributes: "LOCAL_PREF 100 -> 200".
func changed(before, after *vbrv1.PathAttributes) string {
	var out []string
	add := func(name, was, is string) {
		if was != is {
			out = append(out, name+" "+dash(was)+" → "+dash(is))
		}
	}
	number := func(n *uint32) string {
		if n == nil {
			return ""
		}
		return fmt.Sprint(*n)
	}
	if before == nil || after == nil {
		return ""
	}
	add("origin", before.GetOrigin(), after.GetOrigin())
	add("AS path", before.GetAsPath(), after.GetAsPath())
	add("MED", number(before.Med), number(after.Med))
	add("LOCAL_PREF", number(before.LocalPref), number(after.LocalPref))
	add("communities", communities(before), communities(after))
	return strings.Join(out, ", ")
}

// optional is the "med" or the "local_pref" of attributes; empty where there is none.
func optional(a *vbrv1.PathAttributes, name string) string {
	switch {
	case name == "med" && a != nil && a.Med != nil:
		return fmt.Sprint(a.GetMed())
	case name == "local_pref" && a != nil && a.LocalPref != nil:
		return fmt.Sprint(a.GetLocalPref())
	}
	return ""
}

// eventOf names an event.
func eventOf(e *vbrv1.Event) mark {
	m := mark{Text: lower(e.GetType().String(), "TYPE_")}
	switch e.GetType() {
	case vbrv1.Event_TYPE_SESSION_UP, vbrv1.Event_TYPE_ROUTER_RECOVERED, vbrv1.Event_TYPE_BFD_UP:
		m.Class = "good"
	case vbrv1.Event_TYPE_SESSION_DOWN, vbrv1.Event_TYPE_ROUTER_DEGRADED, vbrv1.Event_TYPE_BFD_DOWN:
		m.Class = "bad"
	case vbrv1.Event_TYPE_DRIFT, vbrv1.Event_TYPE_STORE, vbrv1.Event_TYPE_ROUTE_QUOTA, vbrv1.Event_TYPE_DRAINED, vbrv1.Event_TYPE_ROLLED_BACK, vbrv1.Event_TYPE_HEALTH_CHECK:
		m.Class = "warn"
	}
	return m
}
