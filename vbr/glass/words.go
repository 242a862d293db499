package glass

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// mark is a word with what it means: "good", "warn", "bad", or nothing.
type mark struct{ Text, Class string }

// words are the functions of the templates.
func words() template.FuncMap {
	return template.FuncMap{
		"age": age, "clock": clock, "stamp": stampOf, "num": num[uint32], "num64": num[uint64], "counts": counts, "total": total, "join": strings.Join,
		"routerState": routerState, "interfaceState": interfaceState, "health": health, "sessionState": sessionState, "bfd": bfd, "objective": objective,
		"status": routeStatus, "source": sourceOf, "communities": communities, "hops": hops, "event": eventOf, "isAddress": isAddress,
		"percent": percent, "quota": quotaMark, "dash": dash, "objectiveName": objectiveName, "target": target, "size": size, "changed": changed,
		"asMark": func(text, class string) mark { return mark{text, class} }, "rfc": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"upDown": upDown, "yesNo": yesNo, "told": told, "budget": budget, "optional": optional, "quotaHigh": func(s *vbrv1.BgpSession) float64 { return quotaWarns * float64(s.GetRouteQuota()) / 100 },
	}
}

// age is how long before now a time is, as FRR writes it; "-" for none.
func age(now time.Time, t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	s := max(0, int(now.Sub(t.AsTime())/time.Second))
	const minute, hour, day, week = 60, 3600, 86400, 7 * 86400
	switch {
	case s < day:
		return fmt.Sprintf("%02d:%02d:%02d", s/hour, s%hour/minute, s%minute)
	case s < week:
		return fmt.Sprintf("%dd%02dh%02dm", s/day, s%day/hour, s%hour/minute)
	}
	return fmt.Sprintf("%02dw%dd%02dh", s/week, s%week/day, s%day/hour)
}

// clock is a time in the host's zone, with the date.
func clock(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Local().Format(time.DateTime)
}

// stampOf is a time for programs (RFC 3339).
func stampOf(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().UTC().Format(time.RFC3339)
}

// num is a number with its thousands apart, by spaces that do not break.
func num[N uint32 | uint64](n N) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteRune('\u202f')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// size is a number of bytes in powers of 1000.
func size(n float64) string {
	const step = 1000
	unit := 0
	for ; n >= step && unit < len(units)-1; unit++ {
		n /= step
	}
	if unit == 0 || n >= 100 {
		return fmt.Sprintf("%.0f %s", n, units[unit])
	}
	return fmt.Sprintf("%.3g %s", n, units[unit])
}

var units = [...]string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}

// counts lists numbers by name, most first.
func counts(m map[string]uint32) string {
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
	var out []string
	for _, n := range names {
		if m[n] > 0 {
			out = append(out, fmt.Sprintf("%s %d", n, m[n]))
		}
	}
	return strings.Join(out, ", ")
}

func total(m map[string]uint32) (sum uint32) {
	for _, n := range m {
		sum += n
	}
	return sum
}

func percent(part, of uint32) float64 {
	if of == 0 {
		return 0
	}
	return 100 * float64(part) / float64(of)
}

func dash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

// lower turns an enum's name into words: "STATE_READY" without "STATE_" is "ready".
func lower(name, prefix string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, prefix)), "_", " ")
}

// routerState names a router's state, or of a VBR that is not active that status.
func routerState(r *vbrv1.RouterStatus) mark {
	if s := r.GetVbrStatus(); s != "" && s != "active" {
		return mark{s, "warn"}
	}
	text := lower(r.GetState().String(), "STATE_")
	switch r.GetState() {
	case vbrv1.RouterStatus_STATE_READY:
		return mark{text, "good"}
	case vbrv1.RouterStatus_STATE_DEGRADED:
		return mark{text, "bad"}
	}
	return mark{text, "warn"}
}

func interfaceState(ri *vbrv1.RouterInterfaceStatus) mark {
	if ri.GetStatus() == "Active" {
		return mark{"Active", "good"}
	}
	return mark{dash(ri.GetStatus()), "warn"}
}

func health(h *vbrv1.HealthCheckState) mark {
	switch s := h.GetHealthCheckStatus(); s {
	case "", "NoHealthCheckConfig":
		return mark{"–", ""}
	case "Normal":
		return mark{s, "good"}
	default:
		return mark{s, "bad"}
	}
}

func sessionState(s *vbrv1.BgpSession) mark {
	if s.GetBgpStatus() == "established" {
		return mark{"established", "good"}
	}
	return mark{dash(s.GetBgpStatus()), "bad"}
}

// bfd is how BFD with a peer is and how fast it would see it fail.
func bfd(s *vbrv1.BgpSession) mark {
	b := s.GetBfd()
	switch {
	case b == nil:
		return mark{"–", ""}
	case b.GetState() == "Up":
		return mark{fmt.Sprintf("Up, %d ms", b.GetDetectTime()), "good"}
	case b.GetState() == "AdminDown":
		return mark{b.GetState(), "warn"}
	}
	return mark{b.GetState(), "bad"}
}

const quotaWarns = 80 // percent, as of vbrd's event

// quotaMark is how much of its quota a peer uses: from 80 percent on a warning, as vbrd's event is.
func quotaMark(s *vbrv1.BgpSession) mark {
	text := fmt.Sprintf("%s of %s", num(s.GetRouteQuotaUsed()), num(s.GetRouteQuota()))
	switch {
	case s.GetRouteQuota() == 0:
		return mark{"–", ""}
	case s.GetRouteQuotaOver() > 0:
		return mark{text + ", " + num(s.GetRouteQuotaOver()) + " over", "bad"}
	case percent(s.GetRouteQuotaUsed(), s.GetRouteQuota()) >= quotaWarns:
		return mark{text, "warn"}
	}
	return mark{text, ""}
}

func objectiveName(o *vbrv1.QualityObjective) string {
	return strings.ReplaceAll(o.GetName(), "_", " ")
}

func target(o *vbrv1.QualityObjective) string {
	sign := "≤"
	switch o.GetName() {
	case "loss":
		sign = "<"
	case "encapsulation_success", "availability":
		sign = "≥"
	}
	return fmt.Sprintf("%s %g %%", sign, o.GetTarget())
}

func objective(o *vbrv1.QualityObjective) mark {
	switch {
	case o.GetUnknown():
		return mark{"not measured", ""}
	case o.GetMet():
		return mark{"met", "good"}
	}
	return mark{"missed", "bad"}
}

func upDown(up bool) mark {
	if up {
		return mark{"up", "good"}
	}
	return mark{"down", "bad"}
}

func yesNo(yes bool) mark {
	if yes {
		return mark{"yes", "good"}
	}
	return mark{"no", "bad"}
}

// told is like yesNo where a no may well be meant.
func told(yes bool) mark {
	if yes {
		return mark{"yes", "good"}
	}
	return mark{"no", ""}
}

// budget says how much of an objective's error budget is left, or how far it is overspent.
func budget(o *vbrv1.QualityObjective) string {
	if left := o.GetBudgetLeft(); left < 0 {
		return fmt.Sprintf("budget overspent by %.0f %%", -left)
	}
	return fmt.Sprintf("%.0f %% of the budget left", o.GetBudgetLeft())
}
