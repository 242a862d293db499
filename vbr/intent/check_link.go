package intent

import (
	"fmt"
	"net/netip"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// links checks the lines of one router and finds their devices.
func (c *checker) links(r *Router) {
	for i := range r.Links {
		c.port(r, i)
		c.addressPair(r, join(linkPath(i), "local_gateway_ip"), join(linkPath(i), "peer_gateway_ip"), r.Links[i].IPv4)
		c.addressPair(r, join(linkPath(i), "local_ipv6_gateway_ip"), join(linkPath(i), "peer_ipv6_gateway_ip"), r.Links[i].IPv6)
		for j := range i {
			c.overlap(r, i, j, "local_gateway_ip", r.Links[i].IPv4, r.Links[j].IPv4)
			c.overlap(r, i, j, "local_ipv6_gateway_ip", r.Links[i].IPv6, r.Links[j].IPv6)
		}
	}
}

// port resolves the reference of a line to its port, which is on the router's host.
func (c *checker) port(r *Router, i int) {
	l, path := &r.Links[i], join(linkPath(i), "physical_connection_id")
	pc := c.found.port[l.PhysicalConnection]
	switch {
	case l.PhysicalConnection == "", pc == nil && c.incomplete:
	case pc == nil:
		c.fail(r.Origin, r.label(), path, source.Quote(l.PhysicalConnection), c.noSuch("PhysicalConnection", l.PhysicalConnection), c.nameOf("PhysicalConnection"))
	case c.host(pc.Host) == c.host(r.Host):
		l.Device = pc.Device
	case c.sees(pc.Owner):
		c.fail(r.Origin, r.label(), path, source.Quote(l.PhysicalConnection), fmt.Sprintf("%s is on host %q, the VBR on %q", pc.label(), c.host(pc.Host), c.host(r.Host)),
			"a PhysicalConnection of the VBR's host")
	default:
		c.fail(r.Origin, r.label(), path, source.Quote(l.PhysicalConnection), "not on the VBR's host", "a PhysicalConnection of the VBR's host")
	}
}

// addressPair checks the two ends of a link in one family.
func (c *checker) addressPair(r *Router, localPath, peerPath string, a Addresses) {
	if !a.IsValid() {
		return
	}
	if a.Local == a.Peer {
		c.fail(r.Origin, r.label(), peerPath, source.Quote(a.Peer.String()), "the same address as at this end", hostRange(a.Subnet)+" without "+a.Local.String())
		return
	}
	for path, addr := range map[string]netip.Addr{localPath: a.Local, peerPath: a.Peer} {
		if text, legal := notHost(addr, a.Subnet); text != "" {
			c.fail(r.Origin, r.label(), path, source.Quote(addr.String()), text, legal)
		}
	}
}

// notHost says why an address cannot be a host's in the link subnet, and which can; "" when it is one.
func notHost(a netip.Addr, subnet netip.Prefix) (text, legal string) {
	if a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.Is4In6() || a.Is6() && a.IsLinkLocalUnicast() ||
		a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240) {
		return "not an address a link may use", "unicast, not loopback, not IPv6 link-local or IPv4-mapped"
	}
	if text = notHostOf(a, subnet); text == "" {
		return "", ""
	}
	return text, hostRange(subnet)
}

// notHostOf is about the place of the address in the subnet. Both addresses of a /31 (RFC 3021) and of a /127
// (RFC 6164) are hosts'.
func notHostOf(a netip.Addr, subnet netip.Prefix) string {
	switch {
	case !subnet.Contains(a):
		return "outside the link subnet " + subnet.String()
	case subnet.Bits() == subnet.Addr().BitLen()-1:
		return ""
	case a == subnet.Addr() && a.Is4():
		return "the network address of " + subnet.String()
	case a == subnet.Addr():
		return "the subnet-router anycast address of " + subnet.String()
	case a.Is4() && a == lastAddr(subnet):
		return "the broadcast address of " + subnet.String()
	}
	return ""
}

// lastAddr is the highest address of a prefix.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// hostRange renders the addresses hosts may have in a link subnet.
func hostRange(p netip.Prefix) string {
	first, last := p.Masked().Addr(), lastAddr(p)
	if p.Bits() < p.Addr().BitLen()-1 {
		first = first.Next()
		if last.Is4() {
			last = last.Prev()
		}
	}
	return first.String() + ".." + last.String()
}

// overlap refuses two lines of one router, which share a VRF, in one subnet.
func (c *checker) overlap(r *Router, i, j int, field string, a, b Addresses) {
	if a.IsValid() && b.IsValid() && a.Subnet.Overlaps(b.Subnet) {
		c.fail(r.Origin, r.label(), join(linkPath(i), field), source.Quote(a.Local.String()),
			fmt.Sprintf("link subnet %s overlaps %s of another line of this VBR", a.Subnet, b.Subnet), "a subnet of its own for each line")
	}
}
