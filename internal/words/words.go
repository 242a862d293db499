// Package words turns the API's fields into English words, so that vbrctl and the looking glass call the same thing by the same name. It knows
// nothing of colours, tables and pages: those are its callers', and so is what stands in for a word that is "".
package words

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Tone is what a word means to its reader.
type Tone string

// Plain words mean nothing in particular.
const (
	Plain Tone = ""
	Good  Tone = "good"
	Warn  Tone = "warn"
	Bad   Tone = "bad"
)

// Mark is a word with its tone.
type Mark struct {
	Text string
	Tone Tone
}

// Enum turns an enum's name into words: "STATE_READY" without "STATE_" is "ready".
func Enum(name, prefix string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, prefix)), "_", " ")
}

// Age renders a duration as FRR does: 00:12:34, 1d02h03m, 03w4d05h. One below 0 is 0.
func Age(d time.Duration) string {
	s := max(0, int(d/time.Second))
	const minute, hour, day, week = 60, 3600, 86400, 7 * 86400
	switch {
	case s < day:
		return fmt.Sprintf("%02d:%02d:%02d", s/hour, s%hour/minute, s%minute)
	case s < week:
		return fmt.Sprintf("%dd%02dh%02dm", s/day, s%day/hour, s%hour/minute)
	}
	return fmt.Sprintf("%02dw%dd%02dh", s/week, s%week/day, s%day/hour)
}

// Counts lists numbers by name, most first: "as-loop 3, quota 1". Those that are 0 are left out.
func Counts(m map[string]uint32) string {
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
	var out []string
	for _, n := range names {
		if m[n] > 0 {
			out = append(out, fmt.Sprintf("%s %d", n, m[n]))
		}
	}
	return strings.Join(out, ", ")
}

// Total adds up numbers by name.
func Total(m map[string]uint32) uint32 {
	var sum uint32
	for _, n := range m {
		sum += n
	}
	return sum
}

// RouterState names a router's state. Of a VBR that is not active that is its status: unconfirmed, terminating, terminated, recovering.
func RouterState(r *vbrv1.RouterStatus) Mark {
	if s := r.GetVbrStatus(); s != "" && s != "active" {
		return Mark{s, Warn}
	}
	text := Enum(r.GetState().String(), "STATE_")
	switch r.GetState() {
	case vbrv1.RouterStatus_STATE_READY:
		return Mark{text, Good}
	case vbrv1.RouterStatus_STATE_DEGRADED:
		return Mark{text, Bad}
	}
	return Mark{text, Warn}
}

// InterfaceState names the state of a router interface; "" where it has none.
func InterfaceState(ri *vbrv1.RouterInterfaceStatus) Mark {
	if s := ri.GetStatus(); s != "Active" {
		return Mark{s, Warn}
	}
	return Mark{"Active", Good}
}

// Health names the status of a health check; "" for none.
func Health(h *vbrv1.HealthCheckState) Mark {
	switch s := h.GetHealthCheckStatus(); s {
	case "", "NoHealthCheckConfig":
		return Mark{}
	case "Normal":
		return Mark{s, Good}
	default:
		return Mark{s, Bad}
	}
}

// eventTones are those of events; others are plain.
var eventTones = map[vbrv1.Event_Type]Tone{
	vbrv1.Event_TYPE_SESSION_UP:       Good,
	vbrv1.Event_TYPE_ROUTER_RECOVERED: Good,
	vbrv1.Event_TYPE_BFD_UP:           Good,
	vbrv1.Event_TYPE_SESSION_DOWN:     Bad,
	vbrv1.Event_TYPE_ROUTER_DEGRADED:  Bad,
	vbrv1.Event_TYPE_BFD_DOWN:         Bad,
	vbrv1.Event_TYPE_STORE:            Warn,
	vbrv1.Event_TYPE_DRIFT:            Warn,
	vbrv1.Event_TYPE_ROLLED_BACK:      Warn,
	vbrv1.Event_TYPE_ROUTE_QUOTA:      Warn,
	vbrv1.Event_TYPE_DRAINED:          Warn,
	vbrv1.Event_TYPE_HEALTH_CHECK:     Warn,
	vbrv1.Event_TYPE_FAILOVER_TEST:    Warn,
	vbrv1.Event_TYPE_FAILOVER:         Warn,
}

// Event names the type of an event: "session up".
func Event(e *vbrv1.Event) Mark {
	return Mark{Enum(e.GetType().String(), "TYPE_"), eventTones[e.GetType()]}
}

// ObjectiveName names an objective: "encapsulation success".
func ObjectiveName(o *vbrv1.QualityObjective) string {
	return strings.ReplaceAll(o.GetName(), "_", " ")
}

// Target is what an objective asks for, as it is published: loss is less than its target, jitter at most its target, encapsulation success and
// availability at least theirs. "< 0.2 %", "<= 20 %", ">= 99.8 %". vbr/quality judges in the same way.
func Target(o *vbrv1.QualityObjective) string {
	sign := "<="
	switch o.GetName() {
	case "loss":
		sign = "<"
	case "encapsulation_success", "availability":
		sign = ">="
	}
	return fmt.Sprintf("%s %g %%", sign, o.GetTarget())
}
