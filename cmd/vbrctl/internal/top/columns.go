package top

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/render"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	"github.com/openvbr/openvbr/internal/words"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// column is one column of a view over rows of type R.
type column[R any] struct {
	key   byte   // letter to sort by
	hint  string // a word with that letter in upper case
	name  string
	right bool
	cell  func(m *Model, r R) any
	less  func(m *Model, a, b R) int // numbers: most first
}

func routerColumns() []column[*vbrv1.RouterStatus] {
	number := func(key byte, hint, name string, of func(*vbrv1.RouteCounts) uint32) column[*vbrv1.RouterStatus] {
		return column[*vbrv1.RouterStatus]{key, hint, name, true,
			func(_ *Model, r *vbrv1.RouterStatus) any { return of(r.GetRoutes()) },
			func(_ *Model, a, b *vbrv1.RouterStatus) int { return cmp.Compare(of(b.GetRoutes()), of(a.GetRoutes())) }}
	}
	return []column[*vbrv1.RouterStatus]{
		{'n', "Name", "Name", false, func(m *Model, r *vbrv1.RouterStatus) any { return short(r.GetName(), m.room(24)) },
			func(_ *Model, a, b *vbrv1.RouterStatus) int { return cmp.Compare(a.GetName(), b.GetName()) }},
		{'s', "State", "State", false, func(_ *Model, r *vbrv1.RouterStatus) any {
			return render.RouterState(r)
		}, func(_ *Model, a, b *vbrv1.RouterStatus) int { return cmp.Compare(urgency(a), urgency(b)) }},
		{'p', "Peers", "Peers", true, func(_ *Model, r *vbrv1.RouterStatus) any {
			return fmt.Sprintf("%d/%d", r.GetSessionsEstablished(), r.GetSessions())
		}, func(_ *Model, a, b *vbrv1.RouterStatus) int { return cmp.Compare(down(b), down(a)) }},
		number('r', "Rcvd", "Rcvd", (*vbrv1.RouteCounts).GetReceived),
		number('j', "reJect", "Rejct", func(n *vbrv1.RouteCounts) uint32 { return words.Total(n.GetRejected()) }),
		number('k', "Kernel", "Kernel", (*vbrv1.RouteCounts).GetKernel),
		{'d', "Delta", "±/s", true, func(m *Model, r *vbrv1.RouterStatus) any { return perSecond(m.rates[r.GetName()].routes) },
			func(m *Model, a, b *vbrv1.RouterStatus) int {
				return cmp.Compare(abs(m.rates[b.GetName()].routes), abs(m.rates[a.GetName()].routes))
			}},
		{'u', "Upd", "Upd/s", true, func(m *Model, r *vbrv1.RouterStatus) any {
			return perSecond(m.rates[r.GetName()].in + m.rates[r.GetName()].out)
		}, func(m *Model, a, b *vbrv1.RouterStatus) int {
			x, y := m.rates[a.GetName()], m.rates[b.GetName()]
			return cmp.Compare(y.in+y.out, x.in+x.out)
		}},
	}
}

func sessionColumns() []column[*vbrv1.BgpSession] {
	type session = *vbrv1.BgpSession
	number := func(key byte, hint, name string, of func(session) uint32) column[session] {
		return column[session]{key, hint, name, true, func(_ *Model, s session) any { return of(s) },
			func(_ *Model, a, b session) int { return cmp.Compare(of(b), of(a)) }}
	}
	speed := func(key byte, hint, name string, of func(rate) float64) column[session] {
		return column[session]{key, hint, name, true, func(m *Model, s session) any { return perSecond(of(m.rates[sessionKey(s)])) },
			func(m *Model, a, b session) int {
				return cmp.Compare(of(m.rates[sessionKey(b)]), of(m.rates[sessionKey(a)]))
			}}
	}
	return []column[session]{
		{'n', "Name", "Name", false, func(m *Model, s session) any { return short(s.GetRouter(), m.room(18)) },
			func(_ *Model, a, b session) int { return cmp.Compare(a.GetRouter(), b.GetRouter()) }},
		{'p', "Peer", "Peer", false, func(m *Model, s session) any { return middle(s.GetPeerIpAddress(), m.room(20)) },
			func(_ *Model, a, b session) int { return cmp.Compare(a.GetPeerIpAddress(), b.GetPeerIpAddress()) }},
		{'s', "State", "State", false, func(_ *Model, s session) any {
			style := table.Bad
			if render.Established(s) {
				style = table.Good
			}
			return table.Cell{Text: render.State(s.GetBgpStatus()), Style: style}
		}, func(_ *Model, a, b session) int {
			return cmp.Compare(order(render.Established(a)), order(render.Established(b)))
		}},
		number('r', "Rcvd", "Rcvd", session.GetReceivedRouteCount),
		number('a', "Advd", "Advd", session.GetAdvertisedRouteCount),
		speed('u', "Upd", "Upd/s", func(r rate) float64 { return r.in }),
		speed('o', "Out", "Out/s", func(r rate) float64 { return r.out }),
	}
}

// sortable tells whether the view has a column of that letter.
func (m *Model) sortable(key byte) bool {
	if m.view == sessionsView {
		return slices.ContainsFunc(sessionColumns(), func(c column[*vbrv1.BgpSession]) bool { return c.key == key })
	}
	return slices.ContainsFunc(routerColumns(), func(c column[*vbrv1.RouterStatus]) bool { return c.key == key })
}

// sort returns rows in the order that is wanted; what is equal stays by name, as vbrd sends it.
func sort[R any](m *Model, columns []column[R], rows []R) []R {
	rows = slices.Clone(rows)
	for _, c := range columns {
		if c.key == m.sorted[m.view] {
			slices.SortStableFunc(rows, func(a, b R) int { return c.less(m, a, b) })
		}
	}
	if m.reverse {
		slices.Reverse(rows)
	}
	return rows
}

// urgency sorts routers by how much they want to be looked at.
func urgency(r *vbrv1.RouterStatus) int {
	return slices.Index([]vbrv1.RouterStatus_State{vbrv1.RouterStatus_STATE_DEGRADED, vbrv1.RouterStatus_STATE_STARTING,
		vbrv1.RouterStatus_STATE_DRAINED, vbrv1.RouterStatus_STATE_READY}, r.GetState())
}

func down(r *vbrv1.RouterStatus) int { return int(r.GetSessions()) - int(r.GetSessionsEstablished()) }

func order(last bool) int {
	if last {
		return 1
	}
	return 0
}

func abs(x float64) float64 { return max(x, -x) }

// perSecond renders a rate in few letters.
func perSecond(x float64) string {
	switch {
	case abs(x) < 0.05:
		return "0"
	case abs(x) < 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// room is how many letters a name may have: least on narrow screens, where all columns are to fit into 80, else all.
func (m *Model) room(least int) int {
	if m.width < 120 {
		return least
	}
	return 63
}

// short cuts the end of a name.
func short(name string, most int) string {
	if r := []rune(name); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return name
}

// middle cuts the middle of an address, whose ends tell it from others.
func middle(address string, most int) string {
	if len(address) <= most {
		return address
	}
	return address[:most/2-1] + "…" + address[len(address)-most/2:]
}
