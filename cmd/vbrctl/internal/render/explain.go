package render

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Explain shows a prefix's whole way: first the answers (in the kernel? in the VPC? told to the customer?), then every path.
func (p *Page) Explain(r *vbrv1.ExplainResponse) {
	title := r.GetPrefix()
	if title == "" {
		title = r.GetDestination()
	} else if r.GetDestination() != title {
		title = r.GetDestination() + " -> " + title
	}
	p.line("%s in %s: %s", p.bold(title), p.bold(r.GetRouter()), table.Clean(r.GetSummary()))
	if r.GetPrefix() == "" && len(r.GetPaths()) == 0 {
		return
	}
	p.line("")
	p.kernel(r.GetKernel())
	p.told("VPC", r.GetTold(), false)
	p.told("customer", r.GetTold(), true)
	if r.GetNext() != "" {
		p.line("  %-9s %s", "if lost", table.Clean(r.GetNext()))
	}
	if len(r.GetPaths()) == 0 {
		p.line("\nno path is known")
		return
	}
	p.line("\npaths, best first:")
	for _, path := range r.GetPaths() {
		p.path(path)
	}
}

// answer writes one line of the answers: what, yes or no, and the words that say how or why not.
func (p *Page) answer(what string, yes bool, words ...string) {
	mark := p.good("yes")
	if !yes {
		mark = p.bad("no") + " "
	}
	var said []string
	for _, w := range words {
		if w != "" {
			said = append(said, table.Clean(w))
		}
	}
	p.line("%s", strings.TrimRight(fmt.Sprintf("  %-9s %s  %s", what, mark, strings.Join(said, ", ")), " "))
}

func (p *Page) kernel(k *vbrv1.KernelRoute) {
	if !k.GetInstalled() {
		p.answer("kernel", false, k.GetWhy())
		return
	}
	p.answer("kernel", true, hops(k.GetNextHops()), fmt.Sprintf("table %d", k.GetRouteTableId()), p.since(k.GetSince()), k.GetWhy())
	if b := hops(k.GetBackups()); b != "" {
		p.line("  %-9s      backup %s", "", table.Clean(b))
	}
}

func hops(list []*vbrv1.KernelNextHop) string {
	var out []string
	for _, h := range list {
		var words []string
		if h.GetGateway() != "" {
			words = append(words, "via "+h.GetGateway())
		}
		if h.GetDevice() != "" {
			words = append(words, "dev "+h.GetDevice())
		}
		out = append(out, strings.Join(words, " "))
	}
	return strings.Join(out, " and ")
}

// told writes the neighbours of one side: peers have addresses for names, router interfaces do not.
func (p *Page) told(side string, list []*vbrv1.Told, customer bool) {
	for _, t := range list {
		if _, err := netip.ParseAddr(t.GetNeighbour()); (err == nil) != customer {
			continue
		}
		words := []string{t.GetNeighbour()}
		if t.GetWhy() != "" {
			words[0] += ": " + t.GetWhy()
		}
		p.answer(side, t.GetTold(), append(words, p.since(t.GetSince()))...)
		side = ""
	}
}

func (p *Page) path(e *vbrv1.ExplainedPath) {
	r := e.GetRoute()
	verdict, style := verdict(r)
	head := fmt.Sprintf("%s %s", mark(r), source(r.GetSource()))
	p.line("  %s  %s", p.bold(head), strings.Join(nonEmpty(p.Palette.Paint(style, verdict), staleWord(r), p.since(r.GetSince())), ", "))
	if a := attributes(r); a != "" {
		p.line("       %s", table.Clean(a))
	}
	if e.GetWhy() != "" {
		p.line("       %s", table.Clean(e.GetWhy()))
	}
	if text := e.GetImportPolicy(); text != "" && !strings.HasSuffix(e.GetWhy(), text) {
		p.line("       %s", table.Clean("import policy: "+text))
	}
	if e.GetReceived() != nil {
		p.line("       %s", table.Clean("the policy changes "+changed(e.GetReceived(), r.GetAttributes())))
	}
}

func staleWord(r *vbrv1.Route) string {
	if r.GetStale() {
		return "stale"
	}
	return ""
}

// verdict names what became of a path.
func verdict(r *vbrv1.Route) (string, table.Style) {
	switch {
	case r.GetBest():
		return "best", table.Good
	case r.GetBackup():
		return "backup", table.Plain
	case r.GetVerdict() == "accepted" || r.GetVerdict() == "":
		return "accepted", table.Plain
	}
	return "rejected: " + r.GetVerdict(), table.Bad
}

// source names where a path comes from: "10.0.0.2 (AS 65001)", "router interface ri-acme", "connected eth1.100".
func source(s *vbrv1.RouteSource) string {
	name := s.GetName()
	if t := s.GetType(); t != vbrv1.RouteSource_TYPE_BGP && t != vbrv1.RouteSource_TYPE_UNSPECIFIED {
		name = strings.TrimSpace(word(t.String(), "TYPE_") + " " + name)
	}
	if s.GetAsn() > 0 {
		name += fmt.Sprintf(" (AS %d)", s.GetAsn())
	}
	return name
}

// attributes lists next hop and path attributes.
func attributes(r *vbrv1.Route) string {
	a := r.GetAttributes()
	var out []string
	add := func(name, value string) {
		if value != "" {
			out = append(out, name+" "+value)
		}
	}
	add("next hop", r.GetNextHop())
	add("AS path", a.GetAsPath())
	add("origin", a.GetOrigin())
	if a != nil && a.Med != nil {
		add("MED", fmt.Sprint(a.GetMed()))
	}
	if a != nil && a.LocalPref != nil {
		add("LOCAL_PREF", fmt.Sprint(a.GetLocalPref()))
	}
	add("communities", strings.Join(a.GetCommunities(), " "))
	add("large communities", strings.Join(a.GetLargeCommunities(), " "))
	return strings.Join(out, ", ")
}

func nonEmpty(words ...string) []string {
	out := words[:0]
	for _, w := range words {
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}
