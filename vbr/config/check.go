package config

import (
	"fmt"
	"net/netip"

	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/intent/source"
)

// CheckIntent checks what concerns both the settings and the resources: router interfaces need a backbone, unless both ends are on this host, and a VBR in
// the default VRF shares the backbone's table, so its links must keep clear of it.
func CheckIntent(s *Settings, in *intent.Intent) intent.Errors {
	var problems intent.Errors
	if s.Backbone == nil {
		for _, ri := range in.RouterInterfaces {
			if o := in.Interface(ri.Opposite); ri.VNI == 0 || o != nil && o.Opposite == ri.Name {
				continue // between two routers of this host
			}
			problems.Add(source.Problem{Pos: ri.Origin.Pos(), Path: "RouterInterface/" + ri.Name,
				Text: "the settings have no backbone", Legal: "backbone.asn and backbone.vtep in the settings, or no RouterInterface"})
		}
		return problems
	}
	for i := range in.Routers {
		if r := &in.Routers[i]; r.DefaultVRF {
			problems = append(problems, clash(s.Backbone, r)...)
		}
	}
	problems.Sort()
	return problems
}

// clash finds the links of a default-VRF router that overlap the backbone.
func clash(bb *Backbone, r *intent.Router) (problems intent.Errors) {
	for _, l := range r.Links {
		for _, a := range []intent.Addresses{l.IPv4, l.IPv6} {
			for _, p := range bb.reserved() {
				if a.IsValid() && a.Subnet.Overlaps(p) {
					problems.Add(source.Problem{Pos: r.Origin.At("vrf"), Path: "VirtualBorderRouter/" + r.Name,
						Text:  fmt.Sprintf("link subnet %s overlaps the backbone's %s in the default VRF", a.Subnet, p),
						Legal: "other link addresses, or a VRF of its own"})
				}
			}
		}
	}
	return problems
}

// reserved is the backbone's own: its prefixes, the VTEP, the peers.
func (bb *Backbone) reserved() []netip.Prefix {
	out := append([]netip.Prefix{host(bb.VTEP)}, bb.Prefixes...)
	for _, p := range bb.Peers {
		out = append(out, host(p.Address))
	}
	return out
}

func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// Reserved lists what no customer may announce or use: the backbone's prefixes, the VTEP, the peers and the BMP collectors. Empty
// without a backbone.
func (s *Settings) Reserved() []netip.Prefix {
	if s.Backbone == nil {
		return nil
	}
	out := s.Backbone.reserved()
	for _, c := range s.Collectors {
		out = append(out, host(c.Addr()))
	}
	return out
}

// CheckHost checks the settings against the machine: the key files of backbone peers, and what the API and the store need.
// A file that others may read is a warning.
func CheckHost(s *Settings, facts intent.HostFacts) (problems, warnings intent.Errors) {
	if s.Backbone != nil {
		problems, warnings = s.Backbone.checkKeys(s.File, facts)
	}
	m := &machine{file: s.File}
	m.api(&s.API)
	m.store(&s.Store)
	problems = append(problems, m.problems...)
	problems.Sort()
	return problems, warnings
}

func (bb *Backbone) checkKeys(file string, facts intent.HostFacts) (problems, warnings intent.Errors) {
	for i, p := range bb.Peers {
		if p.AuthKeyFile == "" {
			continue
		}
		problem := source.Problem{Pos: source.Pos{File: file}, Path: fmt.Sprintf("backbone.peers[%d].auth_key_file", i), Value: source.Quote(p.AuthKeyFile)}
		if _, err := facts.ReadKey(p.AuthKeyFile); err != nil {
			problem.Text, problem.Legal = intent.KeyProblem(err)
			problems.Add(problem)
		} else if mode, exposed := facts.KeyExposed(p.AuthKeyFile); exposed {
			problem.Text, problem.Legal = fmt.Sprintf("key file has mode %04o: anyone may use it", mode), "0600 or 0640"
			warnings.Add(problem)
		}
	}
	return problems, warnings
}
