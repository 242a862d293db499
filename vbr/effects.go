package vbr

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
)

// Effects is what Apply(after) would do now to the running network, by router, judged against the live state. Before tells which changes
// have no effect; while the host does not run, it is also what after is compared with. It may be nil.
func (h *Host) Effects(before, after *intent.Intent) []*vbrv1.Effect {
	if before == nil {
		before = new(intent.Intent)
	}
	draft := h.ids.draft()
	current := h.currentSpecs(before, draft)
	routers := named(after.Routers, func(r intent.Router) string { return r.Name })
	ris := named(after.RouterInterfaces, func(ri intent.RouterInterface) string { return ri.Name })
	_ = draft.keep(func(name string) bool { return routers[name].Name != "" || ris[name].Name != "" }) // writes nothing
	specs, refused := newSpecs(after, h.opts, draft)
	var out []*vbrv1.Effect
	for name, had := range current {
		switch r := routers[name]; {
		case r.Name == "":
			out = append(out, routerDeleted(had, h.live(name)))
		case !r.Runs():
			out = append(out, routerRested(had, r.VBRStatus(), h.live(name)))
		}
	}
	for _, s := range specs {
		if had := current[s.name]; had != nil {
			s = heir(had, s)
			out = append(out, routerChanged(s, compare(had, s), h.live(s.name))...)
		} else {
			out = append(out, routerCreated(s))
		}
	}
	for name, err := range refused {
		out = append(out, routerRefused(name, current[name] != nil, err))
	}
	touched := make(map[string]bool)
	for _, e := range out {
		touched[e.GetRouter()] = true
	}
	out = append(out, unfelt(before, after, touched)...)
	slices.SortStableFunc(out, func(a, b *vbrv1.Effect) int { return strings.Compare(a.GetRouter(), b.GetRouter()) })
	return out
}

// currentSpecs are what after is to be compared with: those of the routers that run, or of the intent when the host does not.
func (h *Host) currentSpecs(before *intent.Intent, ids *ids) map[string]*spec {
	current := make(map[string]*spec)
	if !h.isRunning() {
		specs, _ := newSpecs(before, h.opts, ids)
		for _, s := range specs {
			current[s.name] = s
		}
		return current
	}
	for _, r := range h.allRouters() {
		if !r.unserved {
			current[r.name] = r.target()
		}
	}
	return current
}

// live is what there is to know of a router; the zero value, of one that does not run.
type live struct{ r *router }

func (h *Host) live(name string) live {
	r := h.router(name)
	if r == nil || r.unserved {
		return live{}
	}
	return live{r}
}

// routes is how many routes the kernel has of the router.
func (l live) routes() int {
	if l.r == nil {
		return 0
	}
	return l.r.fib.Len()
}

// session says whether a session is up, and how many routes the kernel sends over its paths.
func (l live) session(peer netip.Addr) (up bool, routes int) {
	if l.r == nil {
		return false, 0
	}
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	s := l.r.sessions[peer]
	if s == nil {
		return false, 0
	}
	return s.up, l.r.rib.Carried(s.source)
}

// up says whether a session is.
func (l live) up(peer netip.Addr) bool {
	if l.r == nil {
		return false
	}
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	s := l.r.sessions[peer]
	return s != nil && s.up
}

// established is how many sessions are up.
func (l live) established() (n int) {
	if l.r == nil {
		return 0
	}
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	for _, s := range l.r.sessions {
		if s.up {
			n++
		}
	}
	return n
}

// beyond is how many routes lead through the other end of a pair whose ends are both on this host and of one owner: others' are theirs to know.
func (l live) beyond(ri *riSpec) int {
	if l.r == nil || !ri.local() || ri.cable.foreign {
		return 0
	}
	return l.r.host.live(ri.cable.router).through(ri.opposite)
}

// through is how many routes lead through a router interface.
func (l live) through(ri string) int {
	if l.r == nil {
		return 0
	}
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	for _, v := range l.r.vpc {
		if v.ri.name == ri {
			return l.r.rib.Carried(v.source)
		}
	}
	return 0
}

func routerCreated(s *spec) *vbrv1.Effect {
	has := fmt.Sprintf("%s, %s", count(len(s.lines), "line"), count(len(s.peers), "session"))
	if s.kind == intent.VRouter {
		has = count(len(s.switches), "vSwitch")
	}
	return &vbrv1.Effect{
		Type: vbrv1.Effect_TYPE_ROUTER_CREATED, Router: s.name, Subject: s.name,
		Text: fmt.Sprintf("router %s is created with %s and %s", s.name, has, count(len(s.ris), "router interface")),
	}
}

func routerDeleted(s *spec, l live) *vbrv1.Effect {
	up, routes := l.established(), l.routes()
	return &vbrv1.Effect{
		Type: vbrv1.Effect_TYPE_ROUTER_DELETED, Router: s.name, Subject: s.name, Disruptive: up > 0 || routes > 0, Routes: uint32(routes),
		Text: fmt.Sprintf("router %s is deleted with its devices and its table %d: %s, %s", s.name, s.link.Table,
			leave(up, "established session closes", "established sessions close"), leave(routes, "route leaves", "routes leave")),
	}
}

func routerRefused(name string, runs bool, err error) *vbrv1.Effect {
	e := &vbrv1.Effect{Type: vbrv1.Effect_TYPE_NONE, Router: name, Subject: name, Text: fmt.Sprintf("router %s stays as it is, degraded: %v", name, err)}
	if !runs {
		e.Type, e.Text = vbrv1.Effect_TYPE_ROUTER_CREATED, fmt.Sprintf("router %s is created degraded and serves nothing: %v", name, err)
	}
	return e
}

// routerChanged are the effects of a delta.
func routerChanged(s *spec, d delta, l live) []*vbrv1.Effect {
	x := effects{router: s.name, live: l}
	switch d.scope {
	case scopeAnew:
		up, routes := l.established(), l.routes()
		x.add(vbrv1.Effect_TYPE_ROUTER_RESTARTED, s.name, up > 0 || routes > 0, routes,
			"router %s ends and begins anew: %s; %s and %s until they are back", s.name, d.why,
			leave(up, "established session closes", "established sessions close"), leave(routes, "route leaves", "routes leave"))
		return x.list
	case scopeLife:
		up := l.established()
		x.add(vbrv1.Effect_TYPE_ROUTER_RESTARTED, s.name, up > 0, 0, "all sessions of router %s reset: %s; %s, %s in the kernel stay meanwhile (graceful restart)",
			s.name, d.why, leave(up, "is established", "are established"), leave(l.routes(), "route", "routes"))
	}
	x.lines(d)
	x.sessions(d)
	x.interfaces(d)
	x.vpc(d)
	return x.list
}

// effects collects those of one router.
type effects struct {
	router string
	live   live
	list   []*vbrv1.Effect
}

func (x *effects) add(t vbrv1.Effect_Type, subject string, disruptive bool, routes int, format string, args ...any) {
	x.list = append(x.list, &vbrv1.Effect{
		Type: t, Router: x.router, Subject: subject, Disruptive: disruptive, Routes: uint32(routes), Text: fmt.Sprintf(format, args...),
	})
}

func (x *effects) lines(d delta) {
	for _, l := range d.linesGone {
		x.add(vbrv1.Effect_TYPE_LINE_DELETED, l.device, x.carries(d, l), 0, "line %s (%s) is deleted", l.device, addresses(l))
	}
	for _, l := range d.linesNew {
		x.add(vbrv1.Effect_TYPE_LINE_CREATED, l.device, false, 0, "line %s (%s) is created", l.device, addresses(l))
	}
	for _, l := range d.linesMoved {
		x.add(vbrv1.Effect_TYPE_LINE_DELETED, l.device, true, 0, "line %s loses addresses that it no longer has", l.device)
		x.add(vbrv1.Effect_TYPE_LINE_CREATED, l.device, false, 0, "line %s has the addresses %s", l.device, addresses(l))
	}
}

// carries says whether one of the line's own sessions, which go or move with it, is up.
func (x *effects) carries(d delta, l line) bool {
	on := func(a netip.Addr) bool {
		return x.live.up(a) && slices.ContainsFunc(l.subnets, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return slices.ContainsFunc(d.peersGone, func(p peerSpec) bool { return on(p.Address) }) ||
		slices.ContainsFunc(d.peersReset, func(c peerChange) bool { return on(c.Address) })
}

func (x *effects) sessions(d delta) {
	for _, p := range d.peersGone {
		up, routes := x.live.session(p.Address)
		x.add(vbrv1.Effect_TYPE_SESSION_DELETED, p.Address.String(), up, routes, "session with %s is deleted%s", p.Address, leaving(routes))
	}
	for _, p := range d.peersNew {
		x.add(vbrv1.Effect_TYPE_SESSION_CREATED, p.Address.String(), false, 0, "session with %s (AS %d) is created", p.Address, p.ASN)
	}
	for _, c := range d.peersReset {
		up, routes := x.live.session(c.Address)
		text := fmt.Sprintf("session with %s resets: %s%s", c.Address, c.why, leaving(routes))
		if routes > 0 {
			text += " until it is back"
		}
		if !up {
			text = fmt.Sprintf("session with %s, which is not established, changes: %s", c.Address, c.why)
		}
		x.add(vbrv1.Effect_TYPE_SESSION_RESET, c.Address.String(), up, routes, "%s", text)
	}
	for _, c := range d.peersRuled {
		x.add(vbrv1.Effect_TYPE_SESSION_CHANGED, c.Address.String(), false, 0, "session with %s stays, its routes are judged again: %s", c.Address, c.why)
	}
	for _, c := range d.peersLater {
		x.add(vbrv1.Effect_TYPE_SESSION_CHANGED, c.Address.String(), false, 0, "session with %s stays: %s, from its next establishment on", c.Address, c.why)
	}
	for _, c := range d.peersWatched {
		x.add(vbrv1.Effect_TYPE_SESSION_CHANGED, c.Address.String(), false, 0, "session with %s stays: %s", c.Address, c.why)
	}
}

// unfelt are the resources that change and that the network does not notice.
func unfelt(before, after *intent.Intent, touched map[string]bool) (out []*vbrv1.Effect) {
	none := func(router, subject, kind string) {
		out = append(out, &vbrv1.Effect{Type: vbrv1.Effect_TYPE_NONE, Router: router, Subject: subject, Text: kind + " " + subject + " changes nothing on the network"})
	}
	routers := named(before.Routers, func(r intent.Router) string { return r.Name })
	for _, r := range after.Routers {
		if had, ok := routers[r.Name]; ok && !had.Equal(r) && !touched[r.Name] {
			none(r.Name, r.Name, "router")
		}
	}
	ris := named(before.RouterInterfaces, func(ri intent.RouterInterface) string { return ri.Name })
	for _, ri := range after.RouterInterfaces {
		if had, ok := ris[ri.Name]; ok && !had.Equal(ri) && !touched[ri.Router] {
			none(ri.Router, ri.Name, "router interface")
		}
	}
	ports := named(before.PhysicalConnections, func(pc intent.PhysicalConnection) string { return pc.Name })
	for _, pc := range after.PhysicalConnections {
		if had, ok := ports[pc.Name]; ok && !had.Equal(pc) && had.Device == pc.Device {
			none("", pc.Name, "physical connection")
		}
	}
	return out
}

func named[T any](all []T, name func(T) string) map[string]T {
	m := make(map[string]T, len(all))
	for _, x := range all {
		m[name(x)] = x
	}
	return m
}

func addresses(l line) string {
	var out []string
	for i, a := range l.own {
		out = append(out, netip.PrefixFrom(a, l.subnets[i].Bits()).String())
	}
	return strings.Join(out, ", ")
}

// count is "1 line", "2 lines".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// leave is "1 route leaves", "2 routes leave".
func leave(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// leaving is "; 120 routes leave or move", or nothing when there is none.
func leaving(routes int) string {
	if routes == 0 {
		return ""
	}
	return "; " + leave(routes, "route leaves or moves", "routes leave or move")
}
