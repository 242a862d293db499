package words

import (
	"fmt"
	"strings"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Verdict names what became of a path: "best", "backup", "accepted", "rejected: as-loop".
func Verdict(r *vbrv1.Route) Mark {
	switch {
	case r.GetBest():
		return Mark{"best", Good}
	case r.GetBackup():
		return Mark{"backup", Plain}
	case r.GetVerdict() == "accepted" || r.GetVerdict() == "":
		return Mark{"accepted", Plain}
	}
	return Mark{"rejected: " + r.GetVerdict(), Bad}
}

// Source names where a path comes from: "10.0.0.2 (AS 65001)", "router interface ri-acme", "connected eth1.100".
func Source(s *vbrv1.RouteSource) string {
	name := s.GetName()
	if t := s.GetType(); t != vbrv1.RouteSource_TYPE_BGP && t != vbrv1.RouteSource_TYPE_UNSPECIFIED {
		name = strings.TrimSpace(Enum(t.String(), "TYPE_") + " " + name)
	}
	if s.GetAsn() > 0 {
		name += fmt.Sprintf(" (AS %d)", s.GetAsn())
	}
	return name
}

// Hops lists the ways by which the kernel forwards: "via 10.0.0.2 dev eth1.100 and via 10.0.0.6 dev eth1.200".
func Hops(list []*vbrv1.KernelNextHop) string {
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

// Communities lists a path's communities, then its large ones.
func Communities(a *vbrv1.PathAttributes) string {
	return strings.Join(append(append([]string{}, a.GetCommunities()...), a.GetLargeCommunities()...), " ")
}

// Med is a path's MULTI_EXIT_DISC; "" without one, which is not 0.
func Med(a *vbrv1.PathAttributes) string {
	if a == nil || a.Med == nil {
		return ""
	}
	return fmt.Sprint(a.GetMed())
}

// LocalPref is a path's LOCAL_PREF; "" without one.
func LocalPref(a *vbrv1.PathAttributes) string {
	if a == nil || a.LocalPref == nil {
		return ""
	}
	return fmt.Sprint(a.GetLocalPref())
}

// Change is an attribute that a policy changed; Was and Is are "" where it was not there, or is gone.
type Change struct{ Name, Was, Is string }

// NameLocalPref is the name of LOCAL_PREF among changes.
const NameLocalPref = "LOCAL_PREF"

// Changes are what a policy made of attributes; none where it kept nothing, or one of both is not known.
func Changes(before, after *vbrv1.PathAttributes) []Change {
	if before == nil || after == nil {
		return nil
	}
	var out []Change
	for _, c := range []Change{
		{NameLocalPref, LocalPref(before), LocalPref(after)},
		{"MED", Med(before), Med(after)},
		{"AS path", before.GetAsPath(), after.GetAsPath()},
		{"communities", Communities(before), Communities(after)},
	} {
		if c.Was != c.Is {
			out = append(out, c)
		}
	}
	return out
}
