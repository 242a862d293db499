package vbr

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/rib"
)

// story is all that is known of a prefix at one router, taken together under the router's lock; it is told without.
type story struct {
	known rib.Known
	some  bool // known has something
	gone  rib.Gone
	lost  bool // gone has something
	cover netip.Prefix

	spec       *spec
	devices    map[int]string
	speaker    speaker // nil: the router is not live
	trouble    string  // why it may have none
	drained    bool
	backboneUp bool
	up         map[netip.Addr]time.Time // established sessions, and since when
	waits      map[netip.Addr]time.Time // established sessions whose peer is heard out first, and until when at most
	shut       map[string]string        // router interfaces that are not Active, and why
	ways       map[netip.Addr]*way      // how each peer is told
	untold     map[string]string        // router interfaces and peers that are not told what the speakers have for them, and why
	forgotten  []string                 // whose routes are not all kept
	refusal    refusal
	refused    bool
}

// Explain tells the whole way of a prefix, or of the longest match of an address: each path with its verdict and what it won or lost by,
// what the kernel holds, who was told, and since when each of these is so. The error is a *RequestError for a bad destination, or wraps ErrNoRouter.
func (h *Host) Explain(router, destination string) (*vbrv1.ExplainResponse, error) {
	r := h.router(router)
	if r == nil {
		return nil, noRouter(router)
	}
	prefix, addr, err := parseDestination(destination)
	if err != nil {
		return nil, err
	}
	s := &story{backboneUp: h.backbone.anyUp()}
	r.mu.Lock()
	if addr.IsValid() {
		prefix, _ = r.rib.Match(addr)
		if !prefix.IsValid() { // nothing is known around it; it may itself have been one
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
	}
	r.read(s, prefix)
	r.mu.Unlock()
	s.refusal, s.refused = r.refused.get(prefix)
	r.askUntold(s, prefix)
	out := &vbrv1.ExplainResponse{Router: router, Destination: destination}
	if !s.some {
		out.Summary = s.nothing(prefix)
		return out, nil
	}
	out.Prefix = prefix.String()
	out.Paths, out.Kernel, out.Told, out.Next = s.paths(), s.kernel(), s.told(), s.next()
	out.Summary = s.summary(out.Kernel, out.Told)
	return out, nil
}

// parseDestination reads a prefix or an address; the other result is zero.
func parseDestination(text string) (netip.Prefix, netip.Addr, error) {
	if strings.Contains(text, "/") {
		if p, err := netip.ParsePrefix(text); err == nil && !p.Addr().Is4In6() {
			return p.Masked(), netip.Addr{}, nil
		}
	} else if a, err := netip.ParseAddr(text); err == nil && !a.Is4In6() && a.Zone() == "" {
		return netip.Prefix{}, a, nil
	}
	return netip.Prefix{}, netip.Addr{}, &RequestError{"destination", text, "a prefix such as 10.2.3.0/24, or an address such as 10.2.3.4"}
}

// read fills the story in; r.mu is held.
func (r *router) read(s *story, prefix netip.Prefix) {
	s.known, s.some = r.rib.Explain(prefix)
	s.gone, s.lost = r.rib.Gone(prefix)
	s.cover, _ = r.rib.Cover(prefix)
	s.spec, s.speaker, s.drained = r.spec, r.speaker, r.records.drained.Load()
	for _, what := range []string{"resources", "devices", "life"} {
		if s.trouble == "" {
			s.trouble = r.reasons[what]
		}
	}
	s.shut = make(map[string]string)
	for name, x := range r.interfaces {
		if !x.state.flows() {
			s.shut[name] = fmt.Sprintf("the router interface is %s: %s", x.state, x.why)
		}
	}
	s.devices = make(map[int]string)
	for i, d := range r.state.Lines {
		if i < len(r.spec.link.Lines) {
			s.devices[d.Index] = r.spec.link.Lines[i].Device
		}
	}
	for i := range r.spec.ris {
		if d := r.spec.riDevice(i, r.state); d.Index != 0 {
			s.devices[d.Index] = r.spec.riDeviceName(i)
		}
	}
	for i, d := range r.state.Switches {
		if i < len(r.spec.switches) {
			s.devices[d.Index] = r.spec.switches[i].device
		}
	}
	s.forgotten = r.overflowing(prefix.Addr().Is6())
	s.up, s.waits = make(map[netip.Addr]time.Time), make(map[netip.Addr]time.Time)
	s.ways = make(map[netip.Addr]*way)
	for _, p := range r.spec.peers {
		if w := r.wayOf(&p, prefix.Addr().Is6()); w != nil {
			s.ways[p.Address] = w
		}
		if x := r.sessions[p.Address]; x != nil && x.up {
			s.up[p.Address] = r.records.sessions[p.Address].since
			if x.untold {
				s.waits[p.Address] = s.up[p.Address].Add(hearFirst)
			}
		}
	}
}

// nothing says that nothing is known, and of what was, how it went.
func (s *story) nothing(prefix netip.Prefix) string {
	text := fmt.Sprintf("nothing is known of %s: no neighbour offers it", prefix)
	if s.lost {
		text += "; " + goneText(s.gone)
	}
	for _, who := range s.forgotten {
		text += "; " + who
	}
	switch {
	case s.refused:
		text += "; " + refusalText(s.refusal)
	case s.cover.IsValid():
		text += fmt.Sprintf("; packets follow %s", s.cover)
	}
	if s.speaker == nil && s.trouble != "" {
		text += "; the router is not up: " + s.trouble
	}
	return text
}

// goneText says who let go of a prefix, how and when.
func goneText(g rib.Gone) string {
	at := ""
	if !g.At.IsZero() {
		at = " at " + g.At.UTC().Format(time.RFC3339)
	}
	switch g.How {
	case rib.Withdrawn:
		return g.Source + " withdrew it" + at
	case rib.Swept:
		return g.Source + " did not announce it again after a restart; it went" + at
	}
	return "it went" + at + " together with all else of " + g.Source
}

// paths are the paths with what each won or lost by.
func (s *story) paths() []*vbrv1.ExplainedPath {
	var out []*vbrv1.ExplainedPath
	accepted, best := s.accepted()
	for i := range s.known.Paths {
		p := &s.known.Paths[i]
		m := &vbrv1.Route{
			Prefix: s.known.Prefix.String(), Source: routeSource(p.Source.Kind, p.Source.Adopted, p.Source.Name, p.Source.ASN),
			Attributes: pathAttributes(&p.Attrs, false), Verdict: p.Verdict.String(), Best: p.Best, Backup: p.Backup, Stale: p.Stale, Since: stamp(p.Since),
		}
		if p.Attrs.NextHop.IsValid() {
			m.NextHop = p.Attrs.NextHop.String()
		}
		x := &vbrv1.ExplainedPath{Route: m, Why: pathWhy(p, accepted, best), ImportPolicy: p.Import}
		if p.Received != nil {
			x.Received = pathAttributes(p.Received, false)
		}
		out = append(out, x)
	}
	return out
}

// accepted counts the accepted paths and those in the equal-cost set.
func (s *story) accepted() (accepted, best int) {
	for _, p := range s.known.Paths {
		if p.Verdict == rib.Accepted {
			accepted++
		}
		if p.Best {
			best++
		}
	}
	return accepted, best
}

func pathWhy(p *rib.Path, accepted, best int) string {
	switch {
	case p.Verdict != rib.Accepted:
		return p.Verdict.String() + ": " + p.Reason
	case p.Lost != nil && p.Backup:
		return "backup: loses to " + p.Lost.To + ": " + p.Lost.String()
	case p.Lost != nil:
		return "loses to " + p.Lost.To + ": " + p.Lost.String()
	case best > 1:
		return fmt.Sprintf("best: shares the traffic with %s, equal up to RFC 4271 9.1.2.2 d", plural(best-1, "other path"))
	case accepted > 1:
		return "best: wins over " + plural(accepted-1, "other path") + ", which say what they lost by"
	}
	return "best: the only accepted path"
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// next says what takes over if the best paths go.
func (s *story) next() string {
	var rest, backups []string
	for _, p := range s.known.Paths {
		if p.Best {
			rest = append(rest, p.Source.Name)
		}
		if p.Backup {
			backups = append(backups, fmt.Sprintf("%s via %s", p.Source.Name, p.Attrs.NextHop))
		}
	}
	var parts []string
	if len(rest) > 1 {
		parts = append(parts, "as long as one of "+strings.Join(rest, ", ")+" stays, it carries all")
	}
	switch {
	case len(rest) == 0:
		return ""
	case len(backups) > 0:
		parts = append(parts, "then "+strings.Join(backups, ", "))
	case s.cover.IsValid():
		parts = append(parts, "no other path: packets would follow "+s.cover.String())
	default:
		parts = append(parts, "no other path: packets would find no route")
	}
	return strings.TrimPrefix(strings.Join(parts, "; "), "then ")
}

// summary is the story in one sentence.
func (s *story) summary(k *vbrv1.KernelRoute, told []*vbrv1.Told) string {
	accepted, best := s.accepted()
	switch {
	case len(s.known.Paths) == 0:
		return "no neighbour offers it any more; it is about to leave the kernel"
	case accepted == 0:
		p := s.known.Paths[0]
		text := fmt.Sprintf("rejected: %s of %s: %s", p.Verdict, p.Source.Name, p.Reason)
		if n := len(s.known.Paths); n > 1 {
			text += fmt.Sprintf(" (and %s)", plural(n-1, "other rejected path"))
		}
		return text
	case !k.Installed:
		return fmt.Sprintf("accepted from %s, but not in the kernel: %s", s.known.Paths[0].Source.Name, k.Why)
	case s.connected():
		return s.ownText() + toldText(told)
	}
	text := "in the kernel by way of " + s.known.Paths[0].Source.Name
	if best > 1 {
		text += " and " + plural(best-1, "other")
	}
	return text + toldText(told)
}

// toldText counts who was told.
func toldText(told []*vbrv1.Told) string {
	n := 0
	for _, t := range told {
		if t.Told {
			n++
		}
	}
	if n == 0 {
		return "; told to nobody"
	}
	return "; told to " + plural(n, "neighbour")
}
