package render

import (
	"fmt"
	"strings"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/resource"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// History shows revisions, newest first.
func (p *Page) History(revisions []*vbrv1.Revision) error {
	t := p.table(right("Revision"), left("Time"), left("Author"), right("+"), right("~"), right("-"), right("Resources"), left("Comment"))
	for _, r := range revisions {
		comment := table.Cell{Text: r.GetComment()}
		if by := r.GetConfirmBy(); by != nil {
			comment.Text = strings.TrimSpace(fmt.Sprintf("[rolled back at %s unless confirmed] %s", p.clock(by), comment.Text))
			comment.Style = table.Warn
		}
		t.Row(r.GetNumber(), p.clock(r.GetCreateTime()), r.GetAuthor(), r.GetCreated(), r.GetChanged(), r.GetDeleted(), r.GetResources(), comment)
	}
	return t.Flush()
}

// eventStyles are the colours of events; others are plain.
var eventStyles = map[vbrv1.Event_Type]table.Style{
	vbrv1.Event_TYPE_SESSION_UP:       table.Good,
	vbrv1.Event_TYPE_ROUTER_RECOVERED: table.Good,
	vbrv1.Event_TYPE_SESSION_DOWN:     table.Bad,
	vbrv1.Event_TYPE_BFD_UP:           table.Good,
	vbrv1.Event_TYPE_BFD_DOWN:         table.Bad,
	vbrv1.Event_TYPE_ROUTER_DEGRADED:  table.Bad,
	vbrv1.Event_TYPE_STORE:            table.Warn,
	vbrv1.Event_TYPE_DRIFT:            table.Warn,
	vbrv1.Event_TYPE_ROLLED_BACK:      table.Warn,
	vbrv1.Event_TYPE_DRAINED:          table.Warn,
	vbrv1.Event_TYPE_HEALTH_CHECK:     table.Warn,
	vbrv1.Event_TYPE_FAILOVER_TEST:    table.Warn,
	vbrv1.Event_TYPE_FAILOVER:         table.Warn,
}

// Event shows one event on a line.
func (p *Page) Event(e *vbrv1.Event) {
	kind := word(e.GetType().String(), "TYPE_")
	p.line("%s  %s%s  %s", p.dim(p.clock(e.GetTime())), p.Palette.Paint(eventStyles[e.GetType()], kind),
		strings.Repeat(" ", max(0, len("router recovered")-len(kind))), table.Clean(where(e.GetRouter(), e.GetSubject(), e.GetText())))
}

// Watched shows a message of a watch, a line for each resource: "=" is there or changed, "-" was deleted.
func (p *Page) Watched(w *vbrv1.WatchResponse) {
	for _, r := range w.GetResources() {
		_, kind := vbrv1.Unwrap(r)
		m := r.GetMetadata()
		p.line("%s %s %s  generation %d, %s", p.good("="), resource.KindName(kind), table.Clean(resource.Name(r)), m.GetGeneration(), table.Clean(orDash(m.GetSource())))
	}
	for _, d := range w.GetDeleted() {
		p.line("%s %s %s", p.bad("-"), resource.KindName(d.GetKind()), table.Clean(d.GetName()))
	}
	if w.GetSynced() {
		p.line("%s", p.dim("that is all there is; changes follow"))
	}
}
