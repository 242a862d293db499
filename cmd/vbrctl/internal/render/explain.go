package render

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	"github.com/openvbr/openvbr/internal/words"
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
	p.answer("kernel", true, words.Hops(k.GetNextHops()), fmt.Sprintf("table %d", k.GetRouteTableId()), p.since(k.GetSince()), k.GetWhy())
	if b := words.Hops(k.GetBackups()); b != "" {
		p.line("  %-9s      backup %s", "", table.Clean(b))
	}
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
	verdict := cell(words.Verdict(r))
	head := fmt.Sprintf("%s %s", mark(r), words.Source(r.GetSource()))
	p.line("  %s  %s", p.bold(head), strings.Join(nonEmpty(p.Palette.Paint(verdict.Style, verdict.Text), staleWord(r), p.since(r.GetSince())), ", "))
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
	add("MED", words.Med(a))
	add("LOCAL_PREF", words.LocalPref(a))
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
