package glass

import (
	"fmt"
	"html/template"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/openvbr/openvbr/internal/words"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// mark is a word with what it means: "good", "warn", "bad", or nothing.
type mark struct{ Text, Class string }

// functions are those of the templates.
func functions() template.FuncMap {
	return template.FuncMap{
		"age": age, "clock": clock, "stamp": stampOf, "num": num[uint32], "num64": num[uint64], "counts": words.Counts, "total": words.Total, "join": strings.Join,
		"routerState": marked(words.RouterState), "interfaceState": marked(words.InterfaceState), "health": marked(words.Health), "sessionState": sessionState, "bfd": bfd, "objective": objective,
		"status": routeStatus, "source": sourceOf, "communities": words.Communities, "hops": words.Hops, "event": marked(words.Event), "isAddress": isAddress,
		"percent": percent, "quota": quotaMark, "dash": dash, "objectiveName": words.ObjectiveName, "target": target, "size": size, "changed": changed,
		"asMark": func(text, class string) mark { return mark{text, class} }, "rfc": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"upDown": upDown, "yesNo": yesNo, "told": told, "budget": budget, "med": words.Med, "localPref": words.LocalPref, "quotaHigh": func(s *vbrv1.BgpSession) float64 { return quotaWarns * float64(s.GetRouteQuota()) / 100 },
	}
}

// marked has a template show what words says, and "–" for nothing.
func marked[T any](of func(T) words.Mark) func(T) mark {
	return func(x T) mark {
		m := of(x)
		return mark{dash(m.Text), string(m.Tone)}
	}
}

// age is how long before now a time is, as FRR writes it; "-" for none.
func age(now time.Time, t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return words.Age(now.Sub(t.AsTime()))
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

// target is an objective's, with the signs of print.
func target(o *vbrv1.QualityObjective) string {
	return strings.NewReplacer("<=", "≤", ">=", "≥").Replace(words.Target(o))
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
