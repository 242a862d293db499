package render

import (
	"fmt"
	"strings"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	"github.com/openvbr/openvbr/internal/words"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// RouterState names a router's state, with its colour.
func RouterState(r *vbrv1.RouterStatus) table.Cell { return cell(words.RouterState(r)) }

// rests says whether a router is a VBR that is not to run.
func rests(r *vbrv1.RouterStatus) bool {
	s := r.GetVbrStatus()
	return s != "" && s != "active" && s != "recovering"
}

// reasons are why a router is as it is.
func reasons(r *vbrv1.RouterStatus) string {
	return strings.Join(append(nonEmpty(r.GetVbrStatusReason()), r.GetReasons()...), "; ")
}

// Routers shows one line for each router.
func (p *Page) Routers(routers []*vbrv1.RouterStatus) error {
	t := p.table(left("Router"), left("State"), right("Sessions"), right("Received"), right("Rejected"), right("Kernel"),
		right("Advertised"), right("Exported"), right("Since"), left("Owner"), inWide(right("AS")), inWide(left("RouterID")),
		inWide(left("VRF")), inWide(right("Table")), inWide(right("Stale")), inWide(right("Refused")), inWide(right("Drift")), left("Reason"))
	for _, r := range routers {
		n := r.GetRoutes()
		t.Row(r.GetName(), RouterState(r), fmt.Sprintf("%d/%d", r.GetSessionsEstablished(), r.GetSessions()),
			n.GetReceived(), words.Total(n.GetRejected()), n.GetKernel(), n.GetAdvertised(), n.GetExported(), p.age(r.GetSince()), orDash(r.GetOwner()),
			orDash(asn(r)), orDash(r.GetRouterId()), vrf(r), orDash(routeTable(r)), n.GetStale(), n.GetRefused(), r.GetDrift(), reasons(r))
	}
	return t.Flush()
}

func vrf(r *vbrv1.RouterStatus) string {
	switch {
	case rests(r):
		return "-"
	case r.GetVrf() == "":
		return "default"
	}
	return r.GetVrf()
}

// asn is a VBR's; a VRouter speaks no BGP of its own.
func asn(r *vbrv1.RouterStatus) string { return unlessZero(r.GetLocalAsn()) }

func routeTable(r *vbrv1.RouterStatus) string { return unlessZero(r.GetRouteTableId()) }

func unlessZero(n uint32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// Router shows the whole status of a router.
func (p *Page) Router(r *vbrv1.RouterStatus, sessions []*vbrv1.BgpSession) error {
	state := RouterState(r)
	p.line("%s %s since %s", p.bold(r.GetName()), p.Palette.Paint(state.Style, state.Text), p.age(r.GetSince()))
	if why := r.GetVbrStatusReason(); why != "" {
		p.line("  %s", p.warn("! "+why))
	}
	for _, reason := range r.GetReasons() {
		p.line("  %s", p.bad("! "+reason))
	}
	if r.GetDrained() && r.GetState() != vbrv1.RouterStatus_STATE_DRAINED {
		p.line("  %s", p.warn("! drained too"))
	}
	p.fact("owner", "%s", orDash(r.GetOwner()))
	if r.GetRouterType() == "VRouter" {
		p.fact("type", "VRouter: the router of a VPC")
	} else {
		p.fact("AS", "%s, router id %s", orDash(asn(r)), orDash(r.GetRouterId()))
	}
	if r.GetVbrHa() != "" {
		p.fact("group", "%s, %s", r.GetVbrHa(), r.GetVbrHaRole())
	}
	p.fact("VRF", "%s, table %s", vrf(r), orDash(routeTable(r)))
	n := r.GetRoutes()
	p.fact("routes", "%d received, %d accepted, %d rejected, %d stale", n.GetReceived(), n.GetAccepted(), words.Total(n.GetRejected()), n.GetStale())
	if rejected := words.Counts(n.GetRejected()); rejected != "" {
		p.fact("rejected", "%s", rejected)
	}
	p.fact("kernel", "%d installed, %d refused, %d mended by audits", n.GetKernel(), n.GetRefused(), r.GetDrift())
	p.fact("told", "%d to the customer, %d to the VPC", n.GetAdvertised(), n.GetExported())
	if h := r.GetHealthCheck(); h != nil {
		c := cell(words.Health(h))
		p.line("  %-9s %s, %s -> %s, %d of the last 100 probes lost, %.2f ms", "health", p.Palette.Paint(c.Style, c.Text), table.Clean(h.GetSourceIp()), table.Clean(h.GetTargetIp()),
			h.GetLost(), h.GetRttMs())
	}
	if err := p.lines(r.GetLines()); err != nil {
		return err
	}
	if err := p.vswitches(r.GetVswitches()); err != nil {
		return err
	}
	if err := p.routerInterfaces(r.GetRouterInterfaces()); err != nil {
		return err
	}
	if r.GetRouterType() == "VRouter" {
		return nil
	}
	if len(sessions) == 0 {
		p.line("\nno sessions")
		return nil
	}
	p.line("\n%d of %s established:", r.GetSessionsEstablished(), Count(r.GetSessions(), "session"))
	return p.Sessions(sessions)
}

func (p *Page) fact(name, format string, args ...any) {
	p.line("  %-9s %s", name, table.Clean(fmt.Sprintf(format, args...)))
}

func (p *Page) lines(lines []*vbrv1.LineStatus) error {
	if len(lines) == 0 {
		return nil
	}
	p.line("\nlines:")
	t := p.table(left("Port"), right("VLAN"), left("Device"), left("State"), left("Addresses"))
	for _, l := range lines {
		state := table.Cell{Text: "up", Style: table.Good}
		if !l.GetUp() {
			state = table.Cell{Text: "down", Style: table.Bad}
		}
		t.Row(l.GetPhysicalConnectionId(), l.GetVlanId(), l.GetDevice(), state, strings.Join(l.GetAddresses(), " "))
	}
	return t.Flush()
}

func (p *Page) vswitches(list []*vbrv1.VSwitchStatus) error {
	if len(list) == 0 {
		return nil
	}
	p.line("\nvSwitches:")
	t := p.table(left("Name"), left("Device"), left("State"), left("Addresses"), left("Members"))
	for _, w := range list {
		state := table.Cell{Text: "up", Style: table.Good}
		if !w.GetUp() {
			state = table.Cell{Text: "down", Style: table.Bad}
		}
		t.Row(w.GetName(), w.GetDevice(), state, strings.Join(w.GetAddresses(), " "), strings.Join(w.GetMembers(), " "))
	}
	return t.Flush()
}

func (p *Page) routerInterfaces(list []*vbrv1.RouterInterfaceStatus) error {
	if len(list) == 0 {
		return nil
	}
	p.line("\nrouter interfaces:")
	t := p.table(left("Name"), left("State"), left("Health"), left("Opposite"), right("VNI"), left("Route Target"), left("Device"), right("Imported"), right("Exported"),
		left("Gateways"), left("Reason"))
	for _, ri := range list {
		t.Row(ri.GetName(), cell(words.InterfaceState(ri)), cell(words.Health(ri.GetHealthCheck())), orDash(ri.GetOppositeInterfaceId()), ri.GetVni(), orDash(ri.GetRouteTarget()), orDash(ri.GetDevice()),
			ri.GetImported(), ri.GetExported(), strings.Join(ri.GetGateways(), " "), ri.GetReason())
	}
	return t.Flush()
}

// Host shows the daemon.
func (p *Page) Host(h *vbrv1.GetHostResponse) error {
	p.line("%s vbrd %s, up %s", p.bold(orDash(h.GetHost())), table.Clean(h.GetVersion()), p.age(h.GetStartTime()))
	for _, problem := range h.GetProblems() {
		p.line("  %s", p.bad("! "+problem))
	}
	p.fact("routers", "%d, %d degraded", h.GetRouters(), h.GetRoutersDegraded())
	p.fact("sessions", "%d, %d established", h.GetSessions(), h.GetSessionsEstablished())
	p.fact("routes", "%d in the kernel", h.GetRoutes())
	p.fact("store", "%s, revision %d", orDash(h.GetStore()), h.GetRevision())
	if len(h.GetBackboneSessions()) == 0 {
		return nil
	}
	p.line("\nbackbone sessions:")
	return p.Sessions(h.GetBackboneSessions())
}
