package render

import (
	"fmt"
	"strings"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// drillVerdict names a drill's verdict and its colour; of one that runs, its status.
func drillVerdict(t *vbrv1.FailoverTest) table.Cell {
	switch v := t.GetVerdict(); v {
	case "":
		return table.Cell{Text: strings.ToLower(t.GetStatus()), Style: table.Warn}
	case "Passed":
		return table.Cell{Text: v, Style: table.Good}
	default:
		return table.Cell{Text: v, Style: table.Bad}
	}
}

// Drills shows one line for each.
func (p *Page) Drills(tests []*vbrv1.FailoverTest) error {
	t := p.table(left("ID"), left("Router"), left("Started"), left("Verdict"), right("Objective"), right("Outage"), right("Lost"), left("Owner"))
	for _, x := range tests {
		outage, lost := "-", "-"
		var worst float64
		var sum uint32
		for _, m := range x.GetMeasurements() {
			worst, sum = max(worst, m.GetConvergenceMs()), sum+m.GetLost()
			outage, lost = fmt.Sprintf("%.0f ms", worst), fmt.Sprint(sum)
		}
		t.Row(x.GetId(), x.GetRouter(), p.clock(x.GetStartTime()), drillVerdict(x), fmt.Sprintf("%d ms", x.GetObjectiveMs()), outage, lost, orDash(x.GetOwner()))
	}
	return t.Flush()
}

// Drill shows all of one.
func (p *Page) Drill(x *vbrv1.FailoverTest) error {
	v := drillVerdict(x)
	p.line("%s of %s: %s", p.bold(x.GetId()), table.Clean(x.GetRouter()), p.Palette.Paint(v.Style, v.Text))
	p.fact("owner", "%s", orDash(x.GetOwner()))
	switch {
	case x.GetStatus() != "Init":
		p.fact("from", "%s to %s, %d min at most", p.clock(x.GetStartTime()), p.clock(x.GetEndTime()), x.GetDurationMinutes())
	case x.GetStartTime() != nil:
		p.fact("starts", "by itself at %s, for %d min", p.clock(x.GetStartTime()), x.GetDurationMinutes())
	default:
		p.fact("starts", "by `vbrctl drill start %s`, for %d min", x.GetId(), x.GetDurationMinutes())
	}
	p.fact("objective", "no outage longer than %d ms", x.GetObjectiveMs())
	if len(x.GetProbes()) > 0 && len(x.GetMeasurements()) == 0 {
		p.fact("probes", "%s", strings.Join(x.GetProbes(), ", "))
	}
	for _, f := range x.GetFindings() {
		p.line("  - %s", table.Clean(f))
	}
	if len(x.GetMeasurements()) == 0 {
		return nil
	}
	p.line("")
	t := p.table(left("Phase"), left("Path"), right("Sent"), right("Lost"), right("Longest outage"))
	for _, m := range x.GetMeasurements() {
		t.Row(m.GetPhase(), m.GetPath(), m.GetSent(), m.GetLost(), fmt.Sprintf("%.0f ms", m.GetConvergenceMs()))
	}
	return t.Flush()
}
