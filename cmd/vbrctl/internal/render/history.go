package render

import (
	"fmt"
	"strings"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/resource"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	"github.com/openvbr/openvbr/internal/words"
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

// Event shows one event on a line.
func (p *Page) Event(e *vbrv1.Event) {
	kind := cell(words.Event(e))
	p.line("%s  %s%s  %s", p.dim(p.clock(e.GetTime())), p.Palette.Paint(kind.Style, kind.Text),
		strings.Repeat(" ", max(0, len("router recovered")-len(kind.Text))), table.Clean(where(e.GetRouter(), e.GetSubject(), e.GetText())))
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
