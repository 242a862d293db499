package config

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"time"
)

// backbone reads the section; nil when nothing of it was given.
func (l *loader) backbone(r *rawBackbone) *Backbone {
	given := len(r.Prefixes) > 0 || len(r.Peers) > 0 || r.ASN+r.RouterID+r.VTEP != ""
	if !given {
		return nil
	}
	bb := &Backbone{ASN: l.asn("backbone.asn", r.ASN), VTEP: l.unicast("backbone.vtep", r.VTEP, legalOf("backbone.vtep"), true)}
	bb.RouterID = bb.VTEP
	if _, own := l.places["backbone.router_id"]; own {
		bb.RouterID = l.routerID(r.RouterID)
	}
	for i, p := range r.Prefixes {
		bb.Prefixes = append(bb.Prefixes, l.prefix(fmt.Sprintf("backbone.prefixes[%d]", i), p))
	}
	seen := map[netip.Addr]int{}
	for i := range r.Peers {
		path := fmt.Sprintf("backbone.peers[%d]", i)
		if l.places[path].pos.File == wrong {
			continue
		}
		p := l.backbonePeer(path, &r.Peers[i])
		l.distinct(seen, path+".address", i, p.Address, bb.VTEP)
		bb.Peers = append(bb.Peers, p)
	}
	return bb
}

// distinct refuses a peer that is ourselves or was given before.
func (l *loader) distinct(seen map[netip.Addr]int, path string, i int, a, self netip.Addr) {
	if !a.IsValid() {
		return
	}
	if a == self {
		l.bad(path, "this host's own VTEP", "another host's address")
	}
	if first, twice := seen[a]; twice {
		l.bad(path, fmt.Sprintf("peer is given twice, first as backbone.peers[%d]", first), "one session an address")
		return
	}
	seen[a] = i
}

func (l *loader) routerID(value string) netip.Addr {
	id, err := netip.ParseAddr(value)
	if err != nil || !id.Is4() || id.IsUnspecified() {
		l.bad("backbone.router_id", "not a router id", legalOf("backbone.router_id"))
	}
	return id
}

func (l *loader) prefix(path, value string) netip.Prefix {
	const legal = "a prefix such as 192.0.2.0/24 or 2001:db8::/32"
	p, err := netip.ParsePrefix(value)
	switch {
	case err != nil || p.Addr().Is4In6():
		l.bad(path, "not a prefix", legal)
	case p != p.Masked():
		l.bad(path, "has bits beyond its length", p.Masked().String())
	case p.Bits() == 0:
		l.bad(path, "covers every address, so no customer could announce anything", legal)
	}
	return p
}

func (l *loader) backbonePeer(path string, r *rawPeer) BackbonePeer {
	legal := func(name string) string { k, _ := find(peerKeys(), name); return k.legal }
	p := BackbonePeer{
		Address:     l.unicast(path+".address", r.Address, legal("address"), false),
		ASN:         l.asn(path+".asn", r.ASN),
		AuthKeyFile: r.AuthKeyFile,
		Multihop:    uint8(l.number(path+".multihop", or(r.Multihop, "0"), 0, 255, legal("multihop"))),
		Passive:     r.Passive == "true",
	}
	if r.AuthKeyFile != "" && !filepath.IsAbs(r.AuthKeyFile) {
		l.bad(path+".auth_key_file", "not an absolute path", legal("auth_key_file"))
	}
	if r.Passive != "" && r.Passive != "true" && r.Passive != "false" {
		l.bad(path+".passive", "neither true nor false", legal("passive"))
	}
	p.ConnectRetry = seconds(l.number(path+".connect_retry", or(r.ConnectRetry, "5"), 1, 3600, legal("connect_retry")))
	p.Hold, p.Keepalive = l.peerTimers(path, r, legal("hold"), legal("keepalive"))
	return p
}

// peerTimers reads hold and keepalive, which defaults to a third of hold (RFC 4271 section 4.4).
func (l *loader) peerTimers(path string, r *rawPeer, legalHold, legalKeepalive string) (hold, keepalive time.Duration) {
	before := len(l.problems)
	h := l.number(path+".hold", or(r.Hold, "30"), 0, 65535, legalHold)
	if h == 1 || h == 2 {
		l.bad(path+".hold", "out of range", legalHold)
	}
	k := h / 3
	if r.Keepalive != "" {
		k = l.number(path+".keepalive", r.Keepalive, 1, 65534, legalKeepalive)
	}
	switch {
	case len(l.problems) > before:
	case h == 0 && k > 0:
		l.bad(path+".keepalive", "hold 0 turns keepalives off", "no keepalive, or a hold of 3..65535 seconds")
	case h > 0 && k >= h:
		l.bad(path+".keepalive", fmt.Sprintf("not below hold, %d seconds", h), fmt.Sprintf("1..%d seconds, better at most %d", h-1, h/3))
	}
	return seconds(h), seconds(k)
}

func seconds(n uint64) time.Duration { return time.Duration(n) * time.Second }

// or is value, or the default when there is none.
func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
