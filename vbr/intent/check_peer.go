package intent

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// peers checks the BGP peers of one router and finds the line each is on.
func (c *checker) peers(r *Router) {
	seen := map[netip.Addr]int{}
	for i := range r.Peers {
		p, path := &r.Peers[i], item("bgp_peers", i)
		c.timers(r, p, path)
		c.bfd(r, p, path)
		if p.AuthKeyFile != "" && p.Credential != "" {
			c.fail(r.Origin, r.label(), join(path, "key_credential"), source.Quote(p.Credential), "auth_key_file is given too", "one of the two")
		}
		if p.ASN != 0 && p.ASN == r.LocalASN {
			c.fail(r.Origin, r.label(), join(path, "peer_asn"), fmt.Sprint(p.ASN), "the same AS number as local_asn", "another one: the sessions of a VBR are eBGP")
		}
		if !p.Address.IsValid() {
			continue
		}
		at := join(path, "peer_ip_address")
		if first, twice := seen[p.Address]; twice {
			c.fail(r.Origin, r.label(), at, source.Quote(p.Address.String()), fmt.Sprintf("peer is given twice, first as bgp_peers[%d]", first), "one session an address")
			continue
		}
		seen[p.Address] = i
		if text := c.place(r, p); text != "" {
			c.fail(r.Origin, r.label(), at, source.Quote(p.Address.String()), text, r.reach())
		}
	}
}

// place finds the line a peer is on, or says why there is none.
func (c *checker) place(r *Router, p *Peer) string {
	p.Link, p.Local = -1, netip.Addr{}
	known := true
	for i, l := range r.Links {
		for _, a := range []Addresses{l.IPv4, l.IPv6} {
			known = known && (a.IsValid() || a == Addresses{})
			if !a.IsValid() || !a.Subnet.Contains(p.Address) {
				continue
			}
			p.Link, p.Local = i, a.Local
			if p.Address == a.Local {
				return "the address of this end of the link"
			}
			text, _ := notHost(p.Address, a.Subnet)
			return text
		}
	}
	if !known || r.reach() == "" || c.lineUnclear(r) {
		return ""
	}
	return "on none of the VBR's link subnets"
}

// lineUnclear tells whether an address of one of the router's lines has a problem: then the peer is not to blame.
func (c *checker) lineUnclear(r *Router) bool {
	c.index()
	return c.words.lines[r.label()]
}

// reach renders which addresses there are in the subnets of the router.
func (r *Router) reach() string {
	var out []string
	for _, n := range r.subnets() {
		out = append(out, hostRange(n.prefix))
	}
	return strings.Join(out, ", ")
}

// timers checks keepalive against hold (RFC 4271 section 4.4 asks for a third; anything below can work).
func (c *checker) timers(r *Router, p *Peer, path string) {
	at := join(path, "keepalive")
	switch {
	case p.Hold == 0 && p.Keepalive != 0:
		c.fail(r.Origin, r.label(), at, secondsText(p.Keepalive), "hold 0 turns keepalives off", "no keepalive, or a hold of 3..65535 seconds")
	case p.Hold != 0 && p.Keepalive >= p.Hold:
		c.fail(r.Origin, r.label(), at, secondsText(p.Keepalive), fmt.Sprintf("not below hold, %s seconds", secondsText(p.Hold)),
			fmt.Sprintf("1..%s seconds, better at most %s", secondsText(p.Hold-time.Second), secondsText(defaultKeepalive(p.Hold))))
	}
}

func secondsText(d time.Duration) string { return fmt.Sprint(int64(d / time.Second)) }
