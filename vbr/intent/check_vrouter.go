package intent

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// routerExtras checks what one router has beside its lines and peers.
func (c *checker) routerExtras(r *Router) {
	if r.Kind == VRouter {
		c.cidrBlocks(r)
		c.vSwitches(r)
	}
	c.bgpNetworks(r)
	c.customRoutes(r)
	c.routerHealth(r)
}

// noVPC are prefixes that no VPC has: special ones of RFC 6890, and what is multicast or reserved.
func noVPC() []netip.Prefix {
	var out []netip.Prefix
	for _, p := range []string{"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/8", "fe80::/10", "ff00::/8"} {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func (c *checker) cidrBlocks(r *Router) {
	special := noVPC()
	for i, p := range r.CIDRs {
		if !p.IsValid() {
			continue
		}
		at := item("cidr_blocks", i)
		for _, q := range special {
			if p.Overlaps(q) {
				c.fail(r.Origin, r.label(), at, source.Quote(p.String()), "not addresses a VPC may have: "+q.String()+" has other uses", "unicast prefixes, not loopback or link-local")
				break
			}
		}
		for _, q := range r.CIDRs[:i] {
			if q.IsValid() && p.Overlaps(q) {
				c.fail(r.Origin, r.label(), at, source.Quote(p.String()), "overlaps "+q.String()+" of this VRouter", "prefixes that do not overlap")
				break
			}
		}
	}
}

func (c *checker) vSwitches(r *Router) {
	names := map[string]int{}
	for i := range r.Switches {
		s, path := &r.Switches[i], item("vswitches", i)
		if first, twice := names[s.Name]; twice && s.Name != "" {
			c.fail(r.Origin, r.label(), join(path, "name"), source.Quote(s.Name), fmt.Sprintf("name is given twice, first as vswitches[%d]", first), "one vSwitch of a name")
		} else {
			names[s.Name] = i
		}
		c.vSwitchSubnet(r, i, join(path, "cidr_block"), join(path, "gateway_ip"), subnet{s.IPv4, s.GW4})
		c.vSwitchSubnet(r, i, join(path, "ipv6_cidr_block"), join(path, "ipv6_gateway_ip"), subnet{s.IPv6, s.GW6})
	}
}

// vSwitchSubnet checks one family of vSwitch i.
func (c *checker) vSwitchSubnet(r *Router, i int, path, gatewayPath string, n subnet) {
	if !n.prefix.IsValid() {
		return
	}
	value, blocks := source.Quote(n.prefix.String()), validPrefixes(r.CIDRs)
	if !inside(n.prefix, blocks) && len(blocks) == len(r.CIDRs) && len(blocks) > 0 {
		c.fail(r.Origin, r.label(), path, value, "in none of the VRouter's cidr_blocks", "a subnet of "+list(blocks))
	}
	for _, s := range r.Switches[:i] {
		for _, q := range []netip.Prefix{s.IPv4, s.IPv6} {
			if q.IsValid() && q.Overlaps(n.prefix) {
				c.fail(r.Origin, r.label(), path, value, fmt.Sprintf("overlaps %s of vSwitch %s", q, s.Name), "a subnet of its own for each vSwitch")
			}
		}
	}
	if text, legal := notHost(n.own, n.prefix); text != "" && !c.bad(r.Origin, r.label(), gatewayPath) {
		c.fail(r.Origin, r.label(), gatewayPath, source.Quote(n.own.String()), strings.Replace(text, "the link subnet", "the subnet", 1), legal)
	}
}

// inside tells whether one of the prefixes has all of p.
func inside(p netip.Prefix, prefixes []netip.Prefix) bool {
	for _, q := range prefixes {
		if q.Bits() <= p.Bits() && q.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

// list renders prefixes.
func list(prefixes []netip.Prefix) string {
	text := ""
	for i, p := range prefixes {
		if i > 0 {
			text += ", "
		}
		text += p.String()
	}
	return text
}

func (c *checker) bgpNetworks(r *Router) {
	first := map[netip.Prefix]int{}
	for i, p := range r.Networks {
		if !p.IsValid() {
			continue
		}
		if j, twice := first[p]; twice {
			c.fail(r.Origin, r.label(), item("bgp_networks", i), source.Quote(p.String()), fmt.Sprintf("given twice, first as bgp_networks[%d]", j), "each prefix once")
			continue
		}
		first[p] = i
	}
}
