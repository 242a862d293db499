package words

import (
	"slices"
	"strings"
	"testing"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "00:00:00", 59 * time.Second: "00:00:59", 24*time.Hour - 1: "23:59:59", 24 * time.Hour: "1d00h00m", 26*time.Hour + 3*time.Minute: "1d02h03m",
		7 * 24 * time.Hour: "01w0d00h", 32*24*time.Hour + 5*time.Hour: "04w4d05h",
	} {
		if got := Age(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func TestCounts(t *testing.T) {
	m := map[string]uint32{"quota": 1, "as-loop": 3, "none": 0, "martian": 1}
	if got, want := Counts(m), "as-loop 3, martian 1, quota 1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := Total(m); got != 5 {
		t.Errorf("%d in all, want 5", got)
	}
	if Counts(nil) != "" || Total(nil) != 0 {
		t.Error("nothing is something")
	}
}

// What is published is "jitter at most 20 %", "loss less than 0.2 %": vbr/quality judges so, and so it is told.
func TestTarget(t *testing.T) {
	for _, tt := range []struct {
		name         string
		target       float64
		called, want string
	}{
		{"loss", 0.2, "loss", "< 0.2 %"},
		{"jitter", 20, "jitter", "<= 20 %"},
		{"encapsulation_success", 99.8, "encapsulation success", ">= 99.8 %"},
		{"availability", 99.95, "availability", ">= 99.95 %"},
	} {
		o := &vbrv1.QualityObjective{Name: tt.name, Target: tt.target}
		if called, got := ObjectiveName(o), Target(o); called != tt.called || got != tt.want {
			t.Errorf("%q %q, want %q %q", called, got, tt.called, tt.want)
		}
	}
}

func TestStates(t *testing.T) {
	router := func(state vbrv1.RouterStatus_State, vbr string) Mark {
		return RouterState(&vbrv1.RouterStatus{State: state, VbrStatus: vbr})
	}
	check := func(status string) Mark { return Health(&vbrv1.HealthCheckState{HealthCheckStatus: status}) }
	ri := func(status string) Mark { return InterfaceState(&vbrv1.RouterInterfaceStatus{Status: status}) }
	event := func(t vbrv1.Event_Type) Mark { return Event(&vbrv1.Event{Type: t}) }
	for _, tt := range []struct {
		what      string
		got, want Mark
	}{
		{"a ready VRouter", router(vbrv1.RouterStatus_STATE_READY, ""), Mark{"ready", Good}},
		{"a ready VBR", router(vbrv1.RouterStatus_STATE_READY, "active"), Mark{"ready", Good}},
		{"a degraded VBR", router(vbrv1.RouterStatus_STATE_DEGRADED, "active"), Mark{"degraded", Bad}},
		{"a drained VBR", router(vbrv1.RouterStatus_STATE_DRAINED, "active"), Mark{"drained", Warn}},
		{"a terminated VBR", router(vbrv1.RouterStatus_STATE_READY, "terminated"), Mark{"terminated", Warn}},
		{"no router", RouterState(nil), Mark{"unspecified", Warn}},
		{"an active interface", ri("Active"), Mark{"Active", Good}},
		{"an inactive interface", ri("Inactive"), Mark{"Inactive", Warn}},
		{"an interface without a state", ri(""), Mark{"", Warn}},
		{"no check", Health(nil), Mark{}},
		{"no check configured", check("NoHealthCheckConfig"), Mark{}},
		{"a check", check("Normal"), Mark{"Normal", Good}},
		{"a failing check", check("Unhealthy"), Mark{"Unhealthy", Bad}},
		{"an event of a session", event(vbrv1.Event_TYPE_SESSION_UP), Mark{"session up", Good}},
		{"an event of BFD", event(vbrv1.Event_TYPE_BFD_DOWN), Mark{"bfd down", Bad}},
		{"an event of a quota", event(vbrv1.Event_TYPE_ROUTE_QUOTA), Mark{"route quota", Warn}},
		{"no event", event(0), Mark{"unspecified", Plain}},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.what, tt.got, tt.want)
		}
	}
}

// Every state and event has words, also those that come later.
func TestEnums(t *testing.T) {
	for number := range vbrv1.RouterStatus_State_name {
		if text := RouterState(&vbrv1.RouterStatus{State: vbrv1.RouterStatus_State(number)}).Text; text == "" || strings.Contains(text, "_") {
			t.Errorf("state %d is %q", number, text)
		}
	}
	for number := range vbrv1.Event_Type_name {
		if text := Event(&vbrv1.Event{Type: vbrv1.Event_Type(number)}).Text; text == "" || strings.ToLower(text) != text || strings.Contains(text, "_") {
			t.Errorf("event %d is %q", number, text)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		route *vbrv1.Route
		want  Mark
	}{
		{nil, Mark{"accepted", Plain}},
		{&vbrv1.Route{Verdict: "accepted"}, Mark{"accepted", Plain}},
		{&vbrv1.Route{Verdict: "accepted", Best: true, Backup: true}, Mark{"best", Good}},
		{&vbrv1.Route{Verdict: "accepted", Backup: true}, Mark{"backup", Plain}},
		{&vbrv1.Route{Verdict: "as-loop", Stale: true}, Mark{"rejected: as-loop", Bad}},
	} {
		if got := Verdict(tt.route); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.route, got, tt.want)
		}
	}
}

func TestSource(t *testing.T) {
	for _, tt := range []struct {
		source *vbrv1.RouteSource
		want   string
	}{
		{nil, ""},
		{&vbrv1.RouteSource{Type: vbrv1.RouteSource_TYPE_BGP, Name: "10.0.0.2", Asn: 65001}, "10.0.0.2 (AS 65001)"},
		{&vbrv1.RouteSource{Type: vbrv1.RouteSource_TYPE_ROUTER_INTERFACE, Name: "ri-acme"}, "router interface ri-acme"},
		{&vbrv1.RouteSource{Type: vbrv1.RouteSource_TYPE_CONNECTED, Name: "eth1.100"}, "connected eth1.100"},
		{&vbrv1.RouteSource{Type: vbrv1.RouteSource_TYPE_STATIC}, "static"},
	} {
		if got := Source(tt.source); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.source, got, tt.want)
		}
	}
}

func TestHops(t *testing.T) {
	list := []*vbrv1.KernelNextHop{{Gateway: "10.0.0.2", Device: "eth1.100"}, {Device: "eth2"}, {Gateway: "10.0.0.6"}}
	if got, want := Hops(list), "via 10.0.0.2 dev eth1.100 and dev eth2 and via 10.0.0.6"; got != want || Hops(nil) != "" {
		t.Errorf("%q, want %q", got, want)
	}
}

// A MED or a LOCAL_PREF of 0 is one, and unlike none.
func TestChanges(t *testing.T) {
	n := func(v uint32) *uint32 { return &v }
	full := &vbrv1.PathAttributes{AsPath: "65001", Med: n(0), Communities: []string{"65001:1"}, LargeCommunities: []string{"65001:1:2"}}
	for _, tt := range []struct {
		what          string
		before, after *vbrv1.PathAttributes
		want          []Change
	}{
		{"nothing is known", nil, nil, nil},
		{"rejected", full, nil, nil},
		{"no policy", nil, full, nil},
		{"nothing changed", full, full, nil},
		{"all changed", full, &vbrv1.PathAttributes{AsPath: "65001 65001", LocalPref: n(0)}, []Change{
			{"LOCAL_PREF", "", "0"}, {"MED", "0", ""}, {"AS path", "65001", "65001 65001"}, {"communities", "65001:1 65001:1:2", ""}}},
	} {
		if got := Changes(tt.before, tt.after); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.what, got, tt.want)
		}
	}
}
