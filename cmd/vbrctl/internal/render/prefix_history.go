package render

import (
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	"github.com/openvbr/openvbr/internal/words"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// PrefixHistory shows what happened to a prefix, oldest first, and how far back that goes.
func (p *Page) PrefixHistory(r *vbrv1.GetPrefixHistoryResponse) error {
	since := "nothing has happened at this router yet"
	if t := r.GetCompleteSince(); t != nil {
		since = "complete since " + p.clock(t)
	}
	if len(r.GetEvents()) == 0 {
		p.line("%s in %s: no events are kept of it; %s", p.bold(r.GetPrefix()), p.bold(r.GetRouter()), since)
		return nil
	}
	p.line("%s in %s: %s; %s", p.bold(r.GetPrefix()), p.bold(r.GetRouter()), Count(r.GetFlaps(), "flap"), since)
	t := p.table(left("Time"), left("Event"), left("By"), left("Detail"))
	for _, e := range r.GetEvents() {
		kind := table.Cell{Text: words.Enum(e.GetType().String(), "TYPE_"), Style: prefixStyles[e.GetType()]}
		t.Row(p.clock(e.GetTime()), kind, orDash(e.GetSource()), orDash(e.GetDetail()))
	}
	return t.Flush()
}

// prefixStyles are the colours of what happens to prefixes; others are plain.
var prefixStyles = map[vbrv1.PrefixEvent_Type]table.Style{
	vbrv1.PrefixEvent_TYPE_WITHDRAWN:  table.Bad,
	vbrv1.PrefixEvent_TYPE_REMOVED:    table.Bad,
	vbrv1.PrefixEvent_TYPE_REFUSED:    table.Bad,
	vbrv1.PrefixEvent_TYPE_UNEXPORTED: table.Warn,
	vbrv1.PrefixEvent_TYPE_INSTALLED:  table.Good,
	vbrv1.PrefixEvent_TYPE_EXPORTED:   table.Good,
}
