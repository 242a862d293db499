package intent

import "net/netip"

// subnet is one of a router's own: a line's in one family, or a vSwitch's.
type subnet struct {
	prefix netip.Prefix
	own    netip.Addr // the router's address in it
}

// subnets lists what the router is directly attached to, lines before vSwitches. Fields that have problems are left out.
func (r *Router) subnets() (out []subnet) {
	for _, l := range r.Links {
		for _, a := range []Addresses{l.IPv4, l.IPv6} {
			if a.IsValid() {
				out = append(out, subnet{a.Subnet, a.Local})
			}
		}
	}
	for _, s := range r.Switches {
		for _, n := range []subnet{{s.IPv4, s.GW4}, {s.IPv6, s.GW6}} {
			if n.prefix.IsValid() {
				out = append(out, n)
			}
		}
	}
	return out
}

// in returns the router's own subnet that has the address.
func (r *Router) in(a netip.Addr) (subnet, bool) {
	for _, n := range r.subnets() {
		if n.prefix.Contains(a) {
			return n, true
		}
	}
	return subnet{}, false
}

// owns tells whether an address is the router's own.
func (r *Router) owns(a netip.Addr) bool {
	n, ok := r.in(a)
	return ok && n.own == a
}

// validPrefixes leaves out those that have problems.
func validPrefixes(list []netip.Prefix) (out []netip.Prefix) {
	for _, p := range list {
		if p.IsValid() {
			out = append(out, p)
		}
	}
	return out
}
