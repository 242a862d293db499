package top

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/render"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	"github.com/openvbr/openvbr/internal/words"
)

// Lines above and below the rows: three about the host, one empty, the heads; the keys.
const (
	headLines = 5
	footLines = 1
)

// View draws on a screen of its own, which leaves what stood on the terminal before.
func (m Model) View() tea.View {
	v := tea.NewView(m.screen())
	v.AltScreen = true
	return v
}

// screen is the text: never more lines than the screen has, nor wider.
func (m Model) screen() string {
	lines := append(m.head(), m.body()...)
	for len(lines) < m.height-footLines {
		lines = append(lines, "")
	}
	lines = append(lines[:max(0, min(len(lines), m.height-footLines))], m.foot())
	for i := range lines {
		lines[i] = ansi.Truncate(lines[i], m.width, "")
	}
	return strings.Join(lines, "\n")
}

func (m Model) paint(s table.Style, format string, args ...any) string {
	return table.Palette{Color: m.colour}.Paint(s, fmt.Sprintf(format, args...))
}

// head is about the host.
func (m Model) head() []string {
	if m.now == nil {
		return []string{m.paint(table.Bold, "vbrctl top"), "", m.trouble(), ""}
	}
	h, all := m.now.Host, m.rates[""]
	state := fmt.Sprintf("every %s", m.every)
	if m.paused {
		state = "paused"
	}
	return []string{
		m.paint(table.Bold, "%s", h.GetHost()) + table.Clean(fmt.Sprintf("  vbrd %s, up %s, %s %s", h.GetVersion(),
			words.Age(m.now.At.Sub(h.GetStartTime().AsTime())), m.now.At.Format("15:04:05"), state)),
		fmt.Sprintf("%s (%d degraded), %s (%d up), %s (%s/s), %s updates/s", render.Count(h.GetRouters(), "router"), h.GetRoutersDegraded(),
			render.Count(h.GetSessions(), "session"), h.GetSessionsEstablished(), render.Count(h.GetRoutes(), "route"), perSecond(all.routes), perSecond(all.in+all.out)),
		m.trouble(),
		"",
	}
}

// trouble is what is wrong, in one line.
func (m Model) trouble() string {
	switch {
	case m.failed != nil:
		return m.paint(table.Bad, "! %v", m.failed)
	case m.now == nil:
		return "waiting for vbrd"
	case len(m.now.Host.GetProblems()) > 1:
		return m.paint(table.Bad, "! %s (and %d more, see vbrctl show host)", m.now.Host.GetProblems()[0], len(m.now.Host.GetProblems())-1)
	case len(m.now.Host.GetProblems()) == 1:
		return m.paint(table.Bad, "! %s", m.now.Host.GetProblems()[0])
	}
	return ""
}

// body is the heads and the rows.
func (m Model) body() []string {
	switch {
	case m.now == nil:
		return nil
	case m.view == sessionsView:
		return rows(&m, sessionColumns(), m.now.Sessions)
	}
	return rows(&m, routerColumns(), m.now.Routers)
}

func rows[R any](m *Model, columns []column[R], all []R) []string {
	heads := make([]table.Column, len(columns))
	for i, c := range columns {
		heads[i] = table.Column{Title: c.name, Right: c.right}
		if c.key == m.sorted[m.view] {
			heads[i].Title = c.name + map[bool]string{false: "▾", true: "▴"}[m.reverse]
		}
	}
	var b strings.Builder
	t := table.New(&b, table.Palette{Color: m.colour}, false, heads...)
	sorted := sort(m, columns, all)
	for _, r := range sorted[min(m.scroll, len(sorted)):min(m.scroll+m.rows(), len(sorted))] {
		cells := make([]any, len(columns))
		for i, c := range columns {
			cells[i] = c.cell(m, r)
		}
		t.Row(cells...)
	}
	if t.Flush() != nil || b.Len() == 0 { // a Builder does not fail
		return []string{"nothing to show"}
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

// foot lists the keys; those to sort by are in upper case.
func (m Model) foot() string {
	var words []string
	if m.view == sessionsView {
		for _, c := range sessionColumns() {
			words = append(words, c.hint)
		}
	} else {
		for _, c := range routerColumns() {
			words = append(words, c.hint)
		}
	}
	other := map[view]string{routersView: "sessions", sessionsView: "routers"}[m.view]
	return m.paint(table.Dim, "q quit tab %s i invert | %s", other, strings.Join(words, " "))
}
