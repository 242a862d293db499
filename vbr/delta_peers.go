package vbr

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/openvbr/openvbr/bgp"
)

func (d *delta) comparePeers(before, after *spec) {
	for _, p := range before.peers {
		if after.peer(p.Address) == nil {
			d.peersGone = append(d.peersGone, p)
		}
	}
	for _, p := range after.peers {
		had := before.peer(p.Address)
		if had == nil {
			d.peersNew = append(d.peersNew, p)
			continue
		}
		if why := rulesChanged(&had.rules, &p.rules); len(why) > 0 {
			d.peersRuled = append(d.peersRuled, peerChange{peerSpec: p, why: strings.Join(why, ", ")})
		}
		reset, later := peerChanges(&had.Peer, &p.Peer)
		c := peerChange{peerSpec: p, moved: had.LocalAddress != p.LocalAddress}
		if a, b := before.device(had), after.device(&p); a != b {
			c.moved, reset = true, append(reset, change("its line", a, b))
		}
		watched := watchChanges(had.watch, p.watch)
		if rekeyed(&had.Peer, &p.Peer) {
			watched = append(watched, "its authentication key changes, and the old one is dead at once")
		}
		if len(watched) > 0 && len(reset) == 0 {
			w := c
			w.why = strings.Join(watched, ", ")
			d.peersWatched = append(d.peersWatched, w)
		}
		switch {
		case len(reset) > 0:
			c.why = strings.Join(slices.Concat(reset, later, watched), ", ")
			d.peersReset = append(d.peersReset, c)
		case len(later) > 0:
			c.why = strings.Join(later, ", ")
			d.peersLater = append(d.peersLater, c)
		}
	}
}

// peerChanges are the differences that reset a session, and those that apply from the next one on. Keys are never told.
func peerChanges(before, after *bgp.Peer) (reset, later []string) {
	if before.ASN != after.ASN {
		reset = append(reset, change("peer_asn", before.ASN, after.ASN))
	}
	if before.LocalAddress != after.LocalAddress {
		reset = append(reset, change("its local address", before.LocalAddress, after.LocalAddress))
	}
	switch {
	case before.Password == after.Password, rekeyed(before, after):
	case before.Password == "":
		reset = append(reset, "it gets an authentication key")
	case after.Password == "":
		reset = append(reset, "it loses its authentication key")
	default:
		reset = append(reset, "its authentication key changes")
	}
	if before.GTSM != after.GTSM {
		reset = append(reset, change("ttl_security", before.GTSM, after.GTSM))
	}
	if before.LongLived != after.LongLived {
		reset = append(reset, change("long_lived_stale_time", before.LongLived, after.LongLived))
	}
	if before.Role != after.Role {
		reset = append(reset, change("local_role", cmp.Or(before.Role.String(), "none"), cmp.Or(after.Role.String(), "none")))
	}
	if before.StrictRole != after.StrictRole {
		reset = append(reset, change("local_role_strict", before.StrictRole, after.StrictRole))
	}
	for _, t := range []struct {
		field         string
		before, after time.Duration
	}{
		{"hold", before.HoldTime, after.HoldTime}, {"keepalive", before.KeepaliveInterval, after.KeepaliveInterval},
		{"connect_retry", before.ConnectRetry, after.ConnectRetry},
	} {
		if t.before != t.after {
			later = append(later, change(t.field, t.before, t.after))
		}
	}
	a, b := *before, *after
	a.LocalASN = b.LocalASN // the router's, see compareRouters
	if a != b && len(reset)+len(later) == 0 && !rekeyed(before, after) {
		reset = append(reset, "its configuration changes")
	}
	return reset, later
}

// rekeyed says whether all that changes is one key for another: the session stays, see bgp.Speaker.SetPeers.
func rekeyed(before, after *bgp.Peer) bool {
	a := *before
	a.Password = after.Password
	return a == *after && before.Password != after.Password && before.Password != "" && after.Password != ""
}
