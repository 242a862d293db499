package render

import (
	"fmt"
	"strings"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/resource"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	"github.com/openvbr/openvbr/internal/words"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Plan shows what changes and what that does to the network; disruptive effects come first, marked, and are summed up at the end.
func (p *Page) Plan(plan *vbrv1.Plan) {
	p.Changes(plan.GetChanges())
	if len(plan.GetChanges()) == 0 {
		return
	}
	p.effects(plan.GetEffects())
	p.line("\n%s", p.totals(plan.GetChanges()))
	if d := Disruption(plan); d != "" {
		p.line("%s %s", p.bad("disruptive:"), table.Clean(d))
	} else {
		p.line("nothing is disrupted")
	}
}

// Changes shows what changes.
func (p *Page) Changes(changes []*vbrv1.ResourceChange) {
	if len(changes) == 0 {
		p.line("no changes")
	}
	for _, c := range changes {
		sign, style := sign(c.GetAction())
		text := fmt.Sprintf("%s %s %s", sign, resource.KindName(c.GetKind()), c.GetName())
		if c.GetOwner() != "" {
			text += " (" + c.GetOwner() + ")"
		}
		p.line("%s", p.Palette.Paint(style, text))
		if p.Wide || c.GetAction() == vbrv1.ResourceChange_ACTION_CHANGE {
			p.fields(c.GetFields())
		}
	}
}

func (p *Page) fields(fields []*vbrv1.FieldChange) {
	for _, f := range fields {
		before, after := table.Clean(f.GetBefore()), table.Clean(f.GetAfter())
		switch {
		case before == "":
			p.line("    %s %s: %s", p.good("+"), table.Clean(f.GetPath()), after)
		case after == "":
			p.line("    %s %s: %s", p.bad("-"), table.Clean(f.GetPath()), before)
		default:
			p.line("    %s %s: %s -> %s", p.warn("~"), table.Clean(f.GetPath()), before, after)
		}
	}
}

func sign(a vbrv1.ResourceChange_Action) (string, table.Style) {
	switch a {
	case vbrv1.ResourceChange_ACTION_CREATE:
		return "+", table.Good
	case vbrv1.ResourceChange_ACTION_DELETE:
		return "-", table.Bad
	}
	return "~", table.Warn
}

func (p *Page) effects(effects []*vbrv1.Effect) {
	if len(effects) == 0 {
		return
	}
	p.line("\neffects:")
	for _, disruptive := range []bool{true, false} {
		for _, e := range effects {
			if e.GetDisruptive() != disruptive {
				continue
			}
			text := effect(e)
			if disruptive {
				p.line("  %s", p.bad("! "+text))
			} else {
				p.line("    %s", table.Clean(text))
			}
		}
	}
}

func effect(e *vbrv1.Effect) string {
	text := e.GetText()
	if text == "" {
		text = words.Enum(e.GetType().String(), "TYPE_")
	}
	text = where(e.GetRouter(), e.GetSubject(), text)
	if e.GetRoutes() > 0 {
		text += " (" + Count(e.GetRoutes(), "route") + ")"
	}
	return text
}

func (p *Page) totals(changes []*vbrv1.ResourceChange) string {
	count := map[vbrv1.ResourceChange_Action]int{}
	for _, c := range changes {
		count[c.GetAction()]++
	}
	return fmt.Sprintf("%d to create, %d to change, %d to delete", count[vbrv1.ResourceChange_ACTION_CREATE],
		count[vbrv1.ResourceChange_ACTION_CHANGE], count[vbrv1.ResourceChange_ACTION_DELETE])
}

// disruptions are the words for disruptive effects, in the order in which they are summed up: for one, and for more.
var disruptions = []struct {
	effect    vbrv1.Effect_Type
	one, more string
}{
	{vbrv1.Effect_TYPE_ROUTER_DELETED, "router ends", "routers end"},
	{vbrv1.Effect_TYPE_ROUTER_RESTARTED, "router restarts", "routers restart"},
	{vbrv1.Effect_TYPE_SESSION_RESET, "session resets", "sessions reset"},
	{vbrv1.Effect_TYPE_SESSION_DELETED, "session ends", "sessions end"},
	{vbrv1.Effect_TYPE_LINE_DELETED, "line ends", "lines end"},
	{vbrv1.Effect_TYPE_ROUTER_INTERFACE_DELETED, "router interface ends", "router interfaces end"},
	{vbrv1.Effect_TYPE_V_SWITCH_DELETED, "vSwitch ends", "vSwitches end"},
	{vbrv1.Effect_TYPE_LINE_CHANGED, "line slows down", "lines slow down"},
	{vbrv1.Effect_TYPE_ROUTER_INTERFACE_CHANGED, "router interface slows down or stops", "router interfaces slow down or stop"},
	{vbrv1.Effect_TYPE_V_SWITCH_CHANGED, "vSwitch loses a gateway or members", "vSwitches lose a gateway or members"},
}

// Disruption sums up the disruptive effects: "1 session resets, 120 routes move"; "" when there are none.
func Disruption(plan *vbrv1.Plan) string {
	count, routes, others := map[vbrv1.Effect_Type]int{}, uint64(0), 0
	for _, e := range plan.GetEffects() {
		if e.GetDisruptive() {
			count[e.GetType()]++
			routes += uint64(e.GetRoutes())
			others++
		}
	}
	var parts []string
	add := func(n int, one, more string) {
		if n == 1 {
			parts = append(parts, "1 "+one)
		} else if n > 1 {
			parts = append(parts, fmt.Sprintf("%d %s", n, more))
		}
	}
	for _, d := range disruptions {
		add(count[d.effect], d.one, d.more)
		others -= count[d.effect]
	}
	add(others, "other effect", "other effects")
	add(int(routes), "route moves", "routes move")
	return strings.Join(parts, ", ")
}

// Done writes the last line of a change.
func (p *Page) Done(format string, args ...any) {
	p.line("%s", p.Palette.Paint(table.Bold, fmt.Sprintf(format, args...)))
}

// Pending writes the last line of a change that waits for somebody.
func (p *Page) Pending(format string, args ...any) {
	p.line("%s", p.Palette.Paint(table.Warn, fmt.Sprintf(format, args...)))
}
