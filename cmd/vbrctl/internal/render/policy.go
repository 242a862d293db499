package render

import (
	"strings"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	"github.com/openvbr/openvbr/internal/words"
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
	var out []string
	for _, c := range words.Changes(before, after) {
		name := c.Name
		if name == words.NameLocalPref {
			name = "LocPrf" // as the column of Routes
		}
		if c.Was == "" {
			out = append(out, name+" "+c.Is)
		} else {
			out = append(out, name+" "+c.Was+" -> "+orDash(c.Is))
		}
	}
	return strings.Join(out, ", ")
}
