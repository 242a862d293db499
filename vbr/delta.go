package vbr

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/openvbr/openvbr/bgp"
)

// scope is how far a change of a router's spec reaches.
type scope int

const (
	// scopeNone: nothing changes on the network.
	scopeNone scope = iota
	// scopeLive: the router lives on, and only what differs changes.
	scopeLive
	// scopeLife: the router begins a new life: all its sessions reset; devices and routes stay.
	scopeLife
	// scopeAnew: the router ends with all it has and begins again elsewhere.
	scopeAnew
)

// delta is what differs between two specs of one router. It is the one judgement that plan and apply share.
type delta struct {
	scope scope
	why   string // of scopeLife and scopeAnew

	linesGone, linesNew, linesMoved []line // moved: the same device with other addresses, as they will be
	peersGone, peersNew             []peerSpec
	peersReset, peersLater          []peerChange // later: from the next establishment on
	peersRuled                      []peerChange // their routes are judged otherwise
	risGone, risNew                 []riChange
	risRetold                       []riChange // the same on the network, and told something else
}

// peerChange is a peer as it will be, and what changes.
type peerChange struct {
	peerSpec
	why   string
	moved bool // to another line or local address: the old session has to end before
}

// riChange is a router interface that goes or comes; why is empty when it is not the same one that does both.
type riChange struct {
	riSpec
	why string
}

// compare says what has to change for a router to become what after says.
func compare(before, after *spec) delta {
	var d delta
	d.compareLines(before, after)
	d.comparePeers(before, after)
	d.compareInterfaces(before, after)
	rules := slices.Equal(before.rules.Links, after.rules.Links) && slices.Equal(before.rules.Backbone, after.rules.Backbone) &&
		slices.Equal(before.rules.LocalASNs, after.rules.LocalASNs) && before.rules.Trail == after.rules.Trail
	if len(d.linesGone)+len(d.linesNew)+len(d.linesMoved)+len(d.peersGone)+len(d.peersNew)+len(d.peersReset)+len(d.peersLater)+len(d.peersRuled)+
		len(d.risGone)+len(d.risNew)+len(d.risRetold) > 0 || !rules {
		d.scope = scopeLive
	}
	d.compareRouters(before, after)
	return d
}

func (d *delta) compareRouters(before, after *spec) {
	switch {
	case before.link.VRF != after.link.VRF:
		d.scope, d.why = scopeAnew, change("vrf", vrfName(before), vrfName(after))
	case before.link.Table != after.link.Table:
		d.scope, d.why = scopeAnew, change("route_table_id", before.link.Table, after.link.Table)
	case before.asn != after.asn:
		d.scope, d.why = scopeLife, change("local_asn", before.asn, after.asn)
	case before.routerID != after.routerID:
		d.scope, d.why = scopeLife, change("the router id", before.routerID, after.routerID)
	case after.link.VRF == "" && len(d.linesGone)+len(d.linesNew)+len(d.linesMoved) > 0:
		d.scope, d.why = scopeLife, "lines change, and in the default VRF a speaker listens on fixed addresses"
	}
}

func vrfName(s *spec) string {
	if s.link.VRF == "" {
		return "default"
	}
	return s.link.VRF
}

// change says what a field was and will be.
func change(field string, before, after any) string {
	return fmt.Sprintf("%s changes from %v to %v", field, before, after)
}

func (d *delta) compareLines(before, after *spec) {
	for _, l := range before.lines {
		if after.lineOn(l.device) == nil {
			d.linesGone = append(d.linesGone, l)
		}
	}
	for _, l := range after.lines {
		switch had := before.lineOn(l.device); {
		case had == nil:
			d.linesNew = append(d.linesNew, l)
		case !slices.Equal(had.own, l.own) || !slices.Equal(had.subnets, l.subnets):
			d.linesMoved = append(d.linesMoved, l)
		}
	}
}

// lineOn returns the line of that device, nil if there is none.
func (s *spec) lineOn(device string) *line {
	for i := range s.lines {
		if s.lines[i].device == device {
			return &s.lines[i]
		}
	}
	return nil
}

func (s *spec) peer(a netip.Addr) *peerSpec {
	for i := range s.peers {
		if s.peers[i].Address == a {
			return &s.peers[i]
		}
	}
	return nil
}

func (s *spec) device(p *peerSpec) string { return s.lines[p.line].device }

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
		switch {
		case len(reset) > 0:
			c.why = strings.Join(append(reset, later...), ", ")
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
	case before.Password == after.Password:
	case before.Password == "":
		reset = append(reset, "it gets an authentication key")
	case after.Password == "":
		reset = append(reset, "it loses its authentication key")
	default:
		reset = append(reset, "its authentication key changes")
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
	if a != b && len(reset)+len(later) == 0 {
		reset = append(reset, "its configuration changes")
	}
	return reset, later
}

func (d *delta) compareInterfaces(before, after *spec) {
	for _, ri := range before.ris {
		now := after.routerInterface(ri.name)
		if now == nil {
			d.risGone = append(d.risGone, riChange{riSpec: ri})
			continue
		}
		if ri.same(now) {
			if why := toldOtherwise(&ri, now); len(why) > 0 {
				d.risRetold = append(d.risRetold, riChange{*now, strings.Join(why, ", ")})
			}
			continue
		}
		var why []string
		if ri.vni != now.vni {
			why = append(why, change("vni", ri.vni, now.vni))
		}
		if ri.target != now.target {
			why = append(why, change("route_target", ri.target, now.target))
		}
		if ri.rd != now.rd {
			why = append(why, change("its route distinguisher", ri.rd, now.rd))
		}
		text := strings.Join(why, ", ")
		d.risGone = append(d.risGone, riChange{ri, text})
		d.risNew = append(d.risNew, riChange{*now, text})
	}
	for _, ri := range after.ris {
		if before.routerInterface(ri.name) == nil {
			d.risNew = append(d.risNew, riChange{riSpec: ri})
		}
	}
}

// toldOtherwise are the differences that change what neighbours are told, and nothing else.
func toldOtherwise(before, after *riSpec) (why []string) {
	if before.transit != after.transit {
		why = append(why, change("transit", before.transit, after.transit))
	}
	if before.preference != after.preference {
		why = append(why, change("preference", before.preference, after.preference))
	}
	return why
}

func (s *spec) routerInterface(name string) *riSpec {
	for i := range s.ris {
		if s.ris[i].name == name {
			return &s.ris[i]
		}
	}
	return nil
}

// same says whether two specs of a router interface are the same on the network.
func (ri *riSpec) same(o *riSpec) bool {
	return ri.name == o.name && ri.vni == o.vni && ri.target == o.target && ri.rd == o.rd
}

// heir is after with what it inherits from the running spec: the router id, as long as it is still one of the router's addresses
// or none of them ever was. So an added line changes nothing for the others.
func heir(running, after *spec) *spec {
	derived := true
	for _, l := range running.lines {
		derived = derived && !slices.Contains(l.own, running.routerID)
	}
	keep := derived && running.name == after.name
	for _, l := range after.lines {
		keep = keep || slices.Contains(l.own, running.routerID)
	}
	if !keep {
		return after
	}
	s := *after
	s.routerID = running.routerID
	return &s
}

// without is the spec less the lines, with their sessions, and the router interfaces whose claims are taken.
func (s *spec) without(taken func(claim string) bool) *spec {
	out := *s
	out.lines, out.peers, out.ris, out.link.Lines, out.link.Tunnels = nil, nil, nil, nil, nil
	position := make(map[int]int)
	for i, l := range s.lines {
		if !taken(l.device) {
			position[i] = len(out.lines)
			out.lines, out.link.Lines = append(out.lines, l), append(out.link.Lines, s.link.Lines[i])
		}
	}
	for _, p := range s.peers {
		if at, ok := position[p.line]; ok {
			p.line = at
			out.peers = append(out.peers, p)
		}
	}
	for i, ri := range s.ris {
		if !taken(s.link.Tunnels[i].Device) && !taken(ri.claim()) {
			out.ris, out.link.Tunnels = append(out.ris, ri), append(out.link.Tunnels, s.link.Tunnels[i])
		}
	}
	return &out
}

// claims are the names of what only one router can have: devices, and the route distinguishers of router interfaces.
func (s *spec) claims() (all []string) {
	for _, l := range s.lines {
		all = append(all, l.device)
	}
	for i, ri := range s.ris {
		all = append(all, s.link.Tunnels[i].Device, ri.claim())
	}
	return all
}

func (ri *riSpec) claim() string { return "router interface " + ri.name }
