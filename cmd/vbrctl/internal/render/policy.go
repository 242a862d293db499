package render

import (
	"fmt"
	"strings"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Trials is a table of what a policy makes of routes, which grows.
type Trials struct{ table *table.Table }

// Trials begins a table of trials.
func (p *Page) Trials() *Trials {
	return &Trials{p.table(left("Prefix"), left("AS Path"), left("Verdict"), left("Why"), left("Changes"))}
}

// Add adds results.
func (t *Trials) Add(results []*vbrv1.TestResult) {
	for _, r := range results {
		style := table.Good
		if r.GetVerdict() != "accepted" {
			style = table.Bad
		}
		t.table.Row(r.GetPrefix(), r.GetBefore().GetAsPath(), table.Cell{Text: r.GetVerdict(), Style: style}, r.GetWhy(), orDash(changed(r.GetBefore(), r.GetAfter())))
	}
}

// Flush writes what is held back.
func (t *Trials) Flush() error { return t.table.Flush() }

// changed lists what a policy changed: "LocPrf 150, MED 0 -> 5, communities 65001:1".
func changed(before, after *vbrv1.PathAttributes) string {
	if after == nil {
		return ""
	}
	var out []string
	add := func(what, a, b string) {
		switch {
		case a == b:
		case a == "":
			out = append(out, what+" "+b)
		default:
			out = append(out, fmt.Sprintf("%s %s -> %s", what, a, orDash(b)))
		}
	}
	add("LocPrf", number(before.LocalPref), number(after.LocalPref))
	add("MED", number(before.Med), number(after.Med))
	add("AS path", before.GetAsPath(), after.GetAsPath())
	add("communities", communities(before), communities(after))
	return strings.Join(out, ", ")
}

func number(v *uint32) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(*v)
}
