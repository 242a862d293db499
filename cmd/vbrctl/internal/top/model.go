package top

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"
)

// Source takes a sample.
type Source func(context.Context) (*Sample, error)

// Model is the view's state. Make it with New.
type Model struct {
	ctx    context.Context
	source Source
	every  time.Duration
	colour bool

	width, height int
	view          view
	sorted        [views]byte // letter of the column that each view is sorted by
	reverse       bool
	paused        bool
	scroll        int // rows above the first that is shown

	now    *Sample
	rates  rates
	failed error
}

// view is what the rows are.
type view int

const (
	routersView view = iota
	sessionsView
	views
)

// The messages of the program's loop.
type (
	sampled struct {
		sample *Sample
		err    error
	}
	due struct{}
)

// New returns a view that asks source again and again until ctx ends.
func New(ctx context.Context, source Source, every time.Duration, colour bool) Model {
	return Model{ctx: ctx, source: source, every: every, colour: colour, width: 80, height: 24, sorted: [views]byte{'n', 'n'}}
}

// Init takes the first sample.
func (m Model) Init() tea.Cmd { return m.take }

func (m Model) take() tea.Msg {
	s, err := m.source(m.ctx)
	return sampled{s, err}
}

// Update takes in what happened.
func (m Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return m.key(msg.String())
	case due:
		return m, m.take
	case sampled:
		m.failed = msg.err
		if msg.err == nil && !m.paused {
			m.rates = between(m.now, msg.sample)
			m.now = msg.sample
		}
		return m, tea.Tick(m.every, func(time.Time) tea.Msg { return due{} })
	}
	return m.within(), nil
}

// key obeys a key.
func (m Model) key(name string) (tea.Model, tea.Cmd) {
	page := max(1, m.rows()-1)
	switch name {
	case "q", "esc", "ctrl+c":
		return m, tea.Quit
	case "tab":
		m.view, m.scroll = (m.view+1)%views, 0
	case "space":
		m.paused = !m.paused
	case "i":
		m.reverse = !m.reverse
	case "up":
		m.scroll--
	case "down":
		m.scroll++
	case "pgup":
		m.scroll -= page
	case "pgdown":
		m.scroll += page
	case "home":
		m.scroll = 0
	case "end":
		m.scroll = m.count()
	default:
		if len(name) == 1 && m.sortable(name[0]) {
			m.sorted[m.view], m.scroll = name[0], 0
		}
	}
	return m.within(), nil
}

// within keeps the scroll position inside of what there is.
func (m Model) within() Model {
	m.scroll = max(0, min(m.scroll, m.count()-m.rows()))
	return m
}

// count is how many rows the view has.
func (m Model) count() int {
	switch {
	case m.now == nil:
		return 0
	case m.view == sessionsView:
		return len(m.now.Sessions)
	}
	return len(m.now.Routers)
}

// rows is how many fit on the screen.
func (m Model) rows() int { return max(1, m.height-headLines-footLines) }
